/* Execs. The monitor runs them; the record lives in memory and in a row of its own, so that a daemon that was away still knows whom a client asks
 * about. Rows are queued, never waited for. They go with their container. */
#include "daemon/engine/attach.h"
#include "daemon/engine/plan_parts.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"

#include <stdio.h>
#include <unistd.h>

/* ---- rows ---- */

struct exec_record {
    struct exec_create_request request;
    bool started, running, has_exit;
    int64_t exit_code, pid;
};
#define R struct exec_record
static const struct codec_field exec_record_fields[] = {
    F_OBJ(R, request, "Request", 0, exec_create_request),
    F_BOOL(R, started, "Started", OMIT_EMPTY),
    F_BOOL(R, running, "Running", OMIT_EMPTY),
    F_BOOL(R, has_exit, "HasExit", OMIT_EMPTY),
    F_I64(R, exit_code, "ExitCode", OMIT_EMPTY),
    F_I64(R, pid, "Pid", OMIT_EMPTY),
    F_END,
};
#undef R
static const struct codec_type exec_record_type = { .name = "exec_record", .size = sizeof(struct exec_record), .fields = exec_record_fields };

void exec_save_locked(const struct exec *exec)
{
    struct engine *engine = exec->container->engine;
    mutex_assert_held(&engine->lock);
    const struct exec_record record = { exec->request, exec->started, exec->running, exec->has_exit, exec->exit_code, exec->pid };
    AUTO_FREE char *json = codec_encode_dup(&exec_record_type, &record);
    db_queue(engine->db, DB_NORMAL, "INSERT OR REPLACE INTO execs(id, container, record) VALUES(?, ?, ?)", "sss", exec->id, exec->container->record.id, json);
}

static void exec_add_locked(struct container *container, struct exec *exec)
{
    exec->container = container;
    exec->next = container->execs;
    container->execs = exec;
    map_set(container->engine->execs, exec->id, exec);
}

static int load_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    struct exec_record record;
    const char *id = db_row_text(row, 0), *json = db_row_text(row, 2);
    struct container *container = map_get(engine->containers, db_row_text(row, 1));
    if (!container) { /* its container went while the daemon was killed */
        db_queue(engine->db, DB_NORMAL, "DELETE FROM execs WHERE id = ?", "s", id);
        return 0;
    }
    if (codec_decode(&exec_record_type, json, strlen(json), &record, err) < 0)
        return err_wrap(err, "load exec %s", id);
    struct exec *exec = xcalloc(1, sizeof *exec);
    *exec = (struct exec){ .request = record.request, .started = record.started, .running = record.running, .has_exit = record.has_exit,
                           .exit_code = record.exit_code, .pid = record.pid };
    str_copy(exec->id, sizeof exec->id, id);
    exec_add_locked(container, exec);
    return 0;
}

int execs_load(struct engine *engine, struct err *err)
{
    return db_each(engine->db, "SELECT id, container, record FROM execs ORDER BY rowid", load_row, engine, err);
}

void execs_lost_locked(struct container *container, int exit_code)
{
    for (struct exec *exec = container->execs; exec; exec = exec->next) {
        if (!exec->running)
            continue;
        exec->running = false;
        exec->has_exit = true;
        exec->exit_code = exit_code;
        exec->pid = 0;
        exec_save_locked(exec);
    }
}

/* ---- the API ---- */

static int find_exec(struct engine *engine, const char *id, struct exec **ret, struct container **ret_container, struct err *err)
{
    mutex_lock(&engine->lock);
    struct exec *exec = map_get(engine->execs, id);
    *ret = exec;
    *ret_container = NULL;
    if (exec) {
        *ret_container = exec->container;
        container_ref_locked(exec->container);
    }
    mutex_unlock(&engine->lock);
    return exec ? 0 : err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", id);
}

static int check_exec_state(const struct container *container, struct err *err)
{
    if (container->status.code == STATUS_PAUSED)
        return err_set(err, ERR_CONFLICT, "Container %s is paused, unpause the container before exec", container->record.id);
    if (container->status.code == STATUS_RESTARTING)
        return err_set(err, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", container->record.id);
    if (container->status.code != STATUS_RUNNING)
        return err_set(err, ERR_CONFLICT, "container %s is not running", container->record.id);
    return 0;
}

static void exec_event_locked(struct container *container, const char *action, const struct exec *exec)
{
    struct str_map more = { 0 };
    AUTO_FREE char *command = strv_join(exec->request.cmd, " ");
    AUTO_FREE char *text = str_format("%s: %s", action, command);
    str_map_set(&more, "execID", exec->id);
    container_event_locked(container, text, &more, 0);
    str_map_clear(&more);
}

int engine_exec_create(struct engine *engine, const char *ref, const struct exec_create_request *request, char ret_id[65], struct err *err)
{
    uint8_t keys[32];
    uint32_t count;
    if (!request->cmd || !request->cmd[0])
        return err_set(err, ERR_INVALID, "No exec command specified");
    if (attach_keys(request->detach_keys, keys, &count, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container || check_exec_state(container, err) < 0)
        return -1;
    struct exec *exec = xcalloc(1, sizeof *exec);
    id_new(exec->id);
    codec_copy(&exec_create_request_type, &exec->request, request);
    mutex_lock(&engine->lock);
    exec_add_locked(container, exec);
    exec_save_locked(exec);
    exec_event_locked(container, "exec_create", exec);
    mutex_unlock(&engine->lock);
    memcpy(ret_id, exec->id, sizeof exec->id);
    return 0;
}

static int begin_exec(struct engine *engine, const char *id, const struct exec_start_request *start, struct exec **ret, struct container **ret_container, struct err *err)
{
    if (find_exec(engine, id, ret, ret_container, err) < 0)
        return -1;
    int result = check_exec_state(*ret_container, err);
    mutex_lock(&engine->lock);
    if (result == 0 && (*ret)->started)
        result = err_set(err, ERR_CONFLICT, (*ret)->has_exit ? "exec command %s has already run" : "exec command %s is already running", id);
    if (result == 0)
        (*ret)->started = true;
    mutex_unlock(&engine->lock);
    (void)start;
    if (result < 0)
        container_unref(*ret_container);
    return result;
}

int engine_exec_prepare(struct engine *engine, const char *exec_id, const struct exec_start_request *request, struct attach **ret, bool *ret_raw, struct err *err)
{
    struct exec *exec;
    struct container *container;
    if (begin_exec(engine, exec_id, request, &exec, &container, err) < 0)
        return -1;
    const struct exec_create_request *asked = &exec->request;
    struct attach *attach = xcalloc(1, sizeof *attach);
    *attach = (struct attach){ .engine = engine, .container = container, .exec = exec };
    *ret_raw = asked->tty;
    attach->message.flags = attach_flags(asked->attach_stdin, asked->attach_stdout, asked->attach_stderr, asked->tty);
    (void)attach_keys(asked->detach_keys, attach->message.detach_keys, &attach->message.detach_count, err);
    if (request->console_size.count == 2 && !asked->console_size.count) {
        *list_add(&exec->request.console_size) = request->console_size.items[0];
        *list_add(&exec->request.console_size) = request->console_size.items[1];
    }
    *ret = attach;
    return 0;
}

/* The exec's process: the container's own environment and user unless the request says otherwise. */
static int encode_process(struct container *container, const struct exec *exec, struct buf *out, struct err *err)
{
    const struct exec_create_request *request = &exec->request;
    const struct container_record *record = &container->record;
    struct host_config host;
    struct plan_security security;
    uint64_t caps;
    char **env = strv_dup(record->config.env);
    codec_copy(&host_config_type, &host, &record->host_config);
    host.privileged = host.privileged || request->privileged;
    if (!strv_env_get(env, "PATH"))
        strv_append(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    AUTO_FREE char *hostname = str_format("HOSTNAME=%s", record->config.hostname ? record->config.hostname : "");
    strv_append(&env, hostname);
    if (request->tty)
        strv_env_set(&env, "TERM=xterm");
    for (size_t i = 0; request->env && request->env[i]; i++)
        strv_env_set(&env, request->env[i]);
    struct plan_process process = {
        .argv = (const char *const *)request->cmd, .env = (const char *const *)env, .cwd = !str_empty(request->working_dir) ? request->working_dir : !str_empty(record->config.working_dir) ? record->config.working_dir : "/",
        .user = !str_empty(request->user) ? request->user : record->config.user, .group_add = (const char *const *)host.group_add, .tty = request->tty,
        .open_stdin = request->attach_stdin, .want_stdout = 1, .want_stderr = 1,
    };
    if (request->console_size.count == 2) {
        process.tty_rows = (uint32_t)request->console_size.items[0];
        process.tty_cols = (uint32_t)request->console_size.items[1];
    }
    size_t length = 0;
    int result = plan_security_opts(&host, &security, err) < 0 || plan_caps(&host, &caps, err) < 0 ||
                         seccomp_get(container->engine, &host, caps, &process.seccomp, &length, err) < 0 ? -1 : 0;
    if (result == 0) {
        process.seccomp_length = (uint32_t)length;
        process.no_new_privs = security.no_new_privileges;
        process.caps_bounding = process.caps_permitted = process.caps_effective = caps;
        plan_process_encode(&process, out);
    }
    strv_free(env);
    codec_clear(&host_config_type, &host);
    return result;
}

static int run_exec(struct container *container, struct exec *exec, int fd, const struct mon_attach *attach, const void *early, size_t early_length, struct err *err)
{
    struct engine *engine = container->engine;
    struct mon_exec message = { .has_client = fd >= 0, .attach_flags = attach ? attach->flags : 0, .early_length = (uint32_t)early_length };
    AUTO_BUF struct buf body = BUF_INIT(MON_PACKET_MAX);
    struct monitor_reply reply;
    memcpy(message.exec_id, exec->id, sizeof message.exec_id);
    if (attach) {
        message.detach_count = attach->detach_count;
        memcpy(message.detach_keys, attach->detach_keys, sizeof message.detach_keys);
    }
    buf_append(&body, early_length ? early : "", early_length);
    if (encode_process(container, exec, &body, err) < 0)
        return -1;
    if (buf_failed(&body))
        return err_set(err, ERR_INVALID, "the exec's command and environment are larger than %d bytes", MON_PACKET_MAX);
    mutex_lock(&engine->lock);
    exec_event_locked(container, "exec_start", exec);
    mutex_unlock(&engine->lock);
    AUTO_FD int sock = monitor_connect(engine->options.exec_root, container->record.id, err);
    int result = sock < 0 ? -1 : monitor_request_on(sock, MON_EXEC, &message, sizeof message, body.data, body.length, &fd, fd >= 0 ? 1 : 0, &reply, err);
    if (result < 0) {
        AUTO_FREE char *reason = xstrdup(err->text);
        mutex_lock(&engine->lock);
        exec->has_exit = true;
        exec->exit_code = sock >= 0 && reply.exit_code ? reply.exit_code : 126;
        exec_save_locked(exec);
        mutex_unlock(&engine->lock);
        return err_set(err, ERR_INVALID, "OCI runtime exec failed: exec failed: unable to start container process: %s", reason);
    }
    monitor_reply_done(&reply);
    (void)facts_sync(container);
    return 0;
}

void exec_connect(struct attach *attach, int fd, const void *early, size_t early_length)
{
    struct err err = { 0 };
    if (run_exec(attach->container, attach->exec, fd, &attach->message, early, early_length, &err) == 0)
        return;
    (void)fd_set_nonblock(fd, false);
    AUTO_BUF struct buf text = BUF_INIT(8192);
    size_t length = strlen(err.text) + 2;
    unsigned char head[8] = { 1, 0, 0, 0, 0, 0, (unsigned char)(length >> 8), (unsigned char)length };
    if (!(attach->message.flags & MON_ATTACH_RAW))
        buf_append(&text, head, sizeof head);
    buf_printf(&text, "%s\r\n", err.text);
    (void)io_write_all(fd, text.data, text.length);
}

int engine_exec_start_detached(struct engine *engine, const char *exec_id, const struct exec_start_request *request, struct err *err)
{
    struct exec *exec;
    struct container *found;
    if (begin_exec(engine, exec_id, request, &exec, &found, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = found;
    return run_exec(container, exec, -1, NULL, NULL, 0, err);
}

int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned rows, unsigned cols, struct err *err)
{
    struct exec *exec;
    struct container *found;
    struct monitor_reply reply;
    struct mon_resize message = { .cols = cols, .rows = rows };
    if (find_exec(engine, exec_id, &exec, &found, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = found;
    memcpy(message.exec_id, exec->id, sizeof message.exec_id);
    int result = monitor_request(engine->options.exec_root, container->record.id, MON_RESIZE, &message, sizeof message, NULL, 0, &reply, err);
    monitor_reply_done(&reply);
    return result;
}

int engine_exec_inspect(struct engine *engine, const char *exec_id, struct exec_inspect *ret, struct err *err)
{
    struct exec *exec;
    struct container *found;
    if (find_exec(engine, exec_id, &exec, &found, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = found;
    (void)facts_sync(container);
    const struct exec_create_request *request = &exec->request;
    memset(ret, 0, sizeof *ret);
    mutex_lock(&engine->lock);
    *ret = (struct exec_inspect){ .id = xstrdup(exec->id), .running = exec->running, .exit_code = { exec->has_exit, exec->exit_code }, .open_stdin = request->attach_stdin,
                                  .open_stderr = request->attach_stderr, .open_stdout = request->attach_stdout, .can_remove = false,
                                  .container_id = xstrdup(container->record.id), .detach_keys = xstrdup(request->detach_keys ? request->detach_keys : ""), .pid = exec->pid };
    ret->process_config = (struct exec_process_config){ .tty = request->tty, .entrypoint = xstrdup(request->cmd[0]), .arguments = strv_dup(request->cmd + 1),
                                                        .privileged = { true, request->privileged }, .user = xstrdup(request->user ? request->user : "") };
    mutex_unlock(&engine->lock);
    return 0;
}
