/* Theory of operation. A container is in engine->containers (by id) and engine->container_names until it is removed; threads that use it
 * beyond the lock hold a reference. Its state is changed by facts (facts.c) and by claimed work only. */
#include "daemon/engine/internal.h"

#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/timefmt.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool container_is_running(const struct container *container)
{
    int64_t code = container->status.code;
    return code == STATUS_RUNNING || code == STATUS_PAUSED || code == STATUS_RESTARTING;
}

char *container_dir(const struct engine *engine, const char *id)
{
    return str_format("%s/containers/%s", engine->options.data_root, id);
}

static struct container *find_by_prefix(struct engine *engine, const char *ref, struct err *err)
{
    struct container *found = NULL;
    const char *id;
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, &id, &value);) {
        if (!str_starts(id, ref))
            continue;
        if (found) {
            err_set(err, ERR_INVALID, "Multiple IDs found with provided prefix: %s", ref);
            return NULL;
        }
        found = value;
    }
    return found;
}

/* Docker's order: full id, name, id prefix. */
struct container *container_find_locked(struct engine *engine, const char *ref, struct err *err)
{
    mutex_assert_held(&engine->lock);
    const char *name = ref[0] == '/' ? ref + 1 : ref;
    err_clear(err);
    struct container *found = map_get(engine->containers, ref);
    if (!found)
        found = map_get(engine->container_names, name);
    if (!found && !str_empty(ref) && strspn(ref, "0123456789abcdef") == strlen(ref))
        found = find_by_prefix(engine, ref, err);
    if (!found && err->kind == ERR_NONE)
        err_set(err, ERR_NOT_FOUND, "No such container: %s", ref);
    return found;
}

struct container *container_get(struct engine *engine, const char *ref, struct err *err)
{
    mutex_lock(&engine->lock);
    struct container *container = container_find_locked(engine, ref, err);
    if (container)
        container->refs++;
    mutex_unlock(&engine->lock);
    return container;
}

void container_ref_locked(struct container *container)
{
    mutex_assert_held(&container->engine->lock);
    container->refs++;
}

static void exec_free(struct exec *exec)
{
    codec_clear(&exec_create_request_type, &exec->request);
    free(exec);
}

void parked_free(struct container *container)
{
    while (container->parked) {
        struct parked_attach *parked = container->parked;
        container->parked = parked->next;
        fd_close(parked->fd);
        free(parked->early);
        free(parked);
    }
}

void container_free(struct container *container)
{
    if (!container)
        return;
    while (container->execs) {
        struct exec *exec = container->execs;
        container->execs = exec->next;
        exec_free(exec);
    }
    parked_free(container);
    codec_clear(&container_record_type, &container->record);
    codec_clear(&container_status_type, &container->status);
    mutex_done(&container->facts_lock);
    free(container);
}

void container_unref_locked(struct container *container)
{
    if (!container)
        return;
    mutex_assert_held(&container->engine->lock);
    if (--container->refs == 0 && container->removed)
        container_free(container);
}

void container_unref(struct container *container)
{
    if (!container)
        return;
    struct engine *engine = container->engine;
    mutex_lock(&engine->lock);
    container_unref_locked(container);
    mutex_unlock(&engine->lock);
}

int container_claim_locked(struct container *container, enum container_claim_kind kind, const char *what, struct err *err)
{
    struct engine *engine = container->engine;
    mutex_assert_held(&engine->lock);
    while (container->claim != CLAIM_NONE && !container->removed) {
        if (container->claim == CLAIM_REMOVE)
            return err_set(err, ERR_CONFLICT, "removal of container %s is already in progress", container->record.id);
        cond_wait(&engine->changed, &engine->lock);
    }
    if (container->removed)
        return err_set(err, ERR_NOT_FOUND, "No such container: %s", container->record.id);
    container->claim = kind;
    container->claim_what = what;
    return 0;
}

void container_release_locked(struct container *container)
{
    mutex_assert_held(&container->engine->lock);
    container->claim = CLAIM_NONE;
    cond_broadcast(&container->engine->changed);
}

uint64_t container_changed_locked(struct container *container)
{
    struct engine *engine = container->engine;
    uint64_t ticket = 0;
    mutex_assert_held(&engine->lock);
    if (!container->removed && !container->record.hidden) {
        AUTO_FREE char *json = codec_encode_dup(&container_status_type, &container->status);
        ticket = db_queue(engine->db, DB_NORMAL, "UPDATE containers SET status = ? WHERE id = ?", "ss", json, container->record.id);
    }
    uint64_t one = 1;
    for (struct state_waiter *waiter = container->waiters; waiter; waiter = waiter->next)
        if (write(waiter->wake_fd, &one, sizeof one) < 0)
            log_debug("state waiter cannot be woken errno=%d", errno);
    cond_broadcast(&engine->changed);
    return ticket;
}

void container_save_record_locked(struct container *container, uint64_t *ret_ticket)
{
    mutex_assert_held(&container->engine->lock);
    *ret_ticket = 0;
    if (container->record.hidden) /* lives no longer than the build that waits for it */
        return;
    AUTO_FREE char *record = codec_encode_dup(&container_record_type, &container->record);
    AUTO_FREE char *status = codec_encode_dup(&container_status_type, &container->status);
    *ret_ticket = db_queue(container->engine->db, DB_NORMAL,
                           "INSERT INTO containers(id, record, status) VALUES(?, ?, ?) "
                           "ON CONFLICT(id) DO UPDATE SET record = excluded.record, status = excluded.status",
                           "sss", container->record.id, record, status);
}

void container_event_locked(struct container *container, const char *action, const struct str_map *more, int64_t time_ns)
{
    struct str_map attributes = { 0 };
    if (container->record.hidden)
        return;
    str_map_copy(&attributes, &container->record.config.labels);
    str_map_set(&attributes, "image", container->record.image_ref);
    str_map_set(&attributes, "name", container->record.name);
    for (size_t i = 0; more && i < str_map_count(more); i++)
        str_map_set(&attributes, more->keys[i], more->values[i]);
    event_publish_locked(container->engine, "container", action, container->record.id, &attributes, container->record.image_ref, time_ns);
    str_map_clear(&attributes);
}

void obj_map_clear_ports(struct obj_map *ports)
{
    struct container_status holder = { .ports = *ports };
    codec_clear(&container_status_type, &holder);
    *ports = (struct obj_map){ 0 };
}

void container_forget_locked(struct container *container)
{
    struct engine *engine = container->engine;
    mutex_assert_held(&engine->lock);
    for (struct exec *exec = container->execs; exec; exec = exec->next)
        map_remove(engine->execs, exec->id);
    map_remove(engine->containers, container->record.id);
    if (map_get(engine->container_names, container->record.name) == container)
        map_remove(engine->container_names, container->record.name);
    container->removed = true;
}

void waiter_add_locked(struct container *container, struct state_waiter *waiter)
{
    mutex_assert_held(&container->engine->lock);
    waiter->next = container->waiters;
    container->waiters = waiter;
}

void waiter_remove_locked(struct container *container, struct state_waiter *waiter)
{
    mutex_assert_held(&container->engine->lock);
    struct state_waiter **link = &container->waiters;
    while (*link && *link != waiter)
        link = &(*link)->next;
    if (*link)
        *link = waiter->next;
}

int container_wait_stopped(struct container *container, int64_t timeout_ms, int client_fd)
{
    struct engine *engine = container->engine;
    struct state_waiter waiter = { .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    int64_t deadline = time_monotonic_ns() + timeout_ms * 1000000;
    int result = -2;
    mutex_lock(&engine->lock);
    waiter_add_locked(container, &waiter);
    while (result == -2) {
        int64_t left_ms = timeout_ms < 0 ? 3600000 : (deadline - time_monotonic_ns() + 999999) / 1000000;
        if (!container_is_running(container)) {
            result = 1;
        } else if (left_ms <= 0) {
            result = 0;
        } else {
            short ready = 0, client = 0;
            uint64_t drained;
            mutex_unlock(&engine->lock);
            (void)io_poll2(waiter.wake_fd, POLLIN, client_fd, 0, (int)MIN(left_ms, 3600000), &ready, &client);
            if (read(waiter.wake_fd, &drained, sizeof drained) < 0)
                drained = 0;
            mutex_lock(&engine->lock);
            if (client & (POLLHUP | POLLERR))
                result = -1;
        }
    }
    waiter_remove_locked(container, &waiter);
    mutex_unlock(&engine->lock);
    fd_close(waiter.wake_fd);
    return result;
}

int container_name_check(const char *name, struct err *err)
{
    const char *bare = name[0] == '/' ? name + 1 : name;
    bool valid = isalnum((unsigned char)bare[0]) && bare[1];
    for (const char *c = bare; valid && *c; c++)
        valid = isalnum((unsigned char)*c) || strchr("_.-", *c);
    if (!valid || strlen(bare) > 255)
        return err_set(err, ERR_INVALID, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
    return 0;
}

static int load_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    struct container *container = xcalloc(1, sizeof *container);
    const char *record = db_row_text(row, 0), *status = db_row_text(row, 1);
    if (!record || !status || codec_decode(&container_record_type, record, strlen(record), &container->record, err) < 0 ||
        codec_decode(&container_status_type, status, strlen(status), &container->status, err) < 0) {
        free(container);
        return err_wrap(err, "load container %s", db_row_text(row, 2));
    }
    container->engine = engine;
    container->monitor_sock = -1;
    mutex_init(&container->facts_lock);
    map_set(engine->containers, container->record.id, container);
    map_set(engine->container_names, container->record.name, container);
    return 0;
}

int container_load_all(struct engine *engine, struct err *err)
{
    return db_each(engine->db, "SELECT record, status, id FROM containers ORDER BY rowid", load_row, engine, err);
}
