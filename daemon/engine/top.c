/* top. `ps -ef`, what everybody asks for, is read from /proc by ourselves; other arguments go to the host's ps, as with Docker. */
#include "daemon/engine/internal.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PS_OUTPUT_MAX ((size_t)16 << 20)

struct process_line {
    int pid, parent;
    unsigned uid;
    unsigned long long start, ticks;
    char tty[16];
    char command[1024];
};

static bool read_process(int pid, struct process_line *ret)
{
    AUTO_FREE char *stat_path = str_format("/proc/%d/stat", pid);
    AUTO_FREE char *command_path = str_format("/proc/%d/cmdline", pid);
    AUTO_FREE char *stat = NULL;
    AUTO_FREE char *command = NULL;
    size_t length = 0;
    struct stat info;
    unsigned long long user = 0, system = 0;
    int tty = 0;
    if (io_read_file_at(AT_FDCWD, stat_path, 4096, &stat, NULL) < 0)
        return false;
    const char *name = strchr(stat, '('), *after = strrchr(stat, ')');
    if (!name || !after)
        return false;
    *ret = (struct process_line){ .pid = pid };
    sscanf(after + 2, "%*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu", &ret->parent, &tty, &user, &system, &ret->start);
    ret->ticks = user + system;
    if (tty >> 8 == 136)
        snprintf(ret->tty, sizeof ret->tty, "pts/%d", tty & 255);
    else
        str_copy(ret->tty, sizeof ret->tty, "?");
    if (io_read_file_at(AT_FDCWD, command_path, 65536, &command, &length) == 0 && length > 0) {
        for (size_t i = 0; i + 1 < length; i++)
            if (!command[i])
                command[i] = ' ';
        str_copy(ret->command, sizeof ret->command, command);
    } else {
        snprintf(ret->command, sizeof ret->command, "[%.*s]", (int)(after - name - 1), name + 1);
    }
    AUTO_FREE char *dir = str_format("/proc/%d", pid);
    ret->uid = stat && fstatat(AT_FDCWD, dir, &info, 0) == 0 ? info.st_uid : 0;
    return true;
}

static void process_row(const struct process_line *line, char **raw)
{
    char start[16], cpu[40];
    struct passwd entry, *found = NULL;
    char names[2048];
    struct sysinfo system;
    sysinfo(&system);
    long hz = sysconf(_SC_CLK_TCK);
    time_t began = time(NULL) - system.uptime + (time_t)(line->start / (unsigned long long)hz);
    struct tm parts;
    localtime_r(&began, &parts);
    strftime(start, sizeof start, "%H:%M", &parts);
    unsigned long long seconds = line->ticks / (unsigned long long)hz;
    snprintf(cpu, sizeof cpu, "%02llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60, seconds % 60);
    AUTO_FREE char *user = getpwuid_r(line->uid, &entry, names, sizeof names, &found) == 0 && found ? xstrdup(found->pw_name) : str_format("%u", line->uid);
    AUTO_FREE char *pid = str_format("%d", line->pid);
    AUTO_FREE char *parent = str_format("%d", line->parent);
    char zero[] = "0", tty[16], command[1024];
    memcpy(tty, line->tty, sizeof tty);
    memcpy(command, line->command, sizeof command);
    char *const row[] = { user, pid, parent, zero, start, tty, cpu, command, NULL };
    rows_add(raw, row);
}

static void own_top(const int *pids, int count, struct container_top_response *ret)
{
    static const char *const titles[] = { "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD" };
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
        strv_append(&ret->titles, titles[i]);
    for (int i = 0; i < count; i++) {
        struct process_line line;
        if (read_process(pids[i], &line))
            process_row(&line, &ret->processes);
    }
}

/* ---- the host's ps ---- */

/* A column that calls itself PID... but is something else ("-o comm=PID") would choose the processes. */
static int check_ps_args(const char *args, struct err *err)
{
    regex_t shape;
    regmatch_t parts[3];
    if (regcomp(&shape, "[[:space:]]([^[:space:]]*)=[[:space:]]*(PID[^[:space:]]*)", REG_EXTENDED) != 0)
        return err_set(err, ERR_INTERNAL, "check ps_args");
    int result = 0;
    for (const char *at = args; result == 0 && regexec(&shape, at, 3, parts, 0) == 0; at += parts[0].rm_eo)
        if (parts[1].rm_eo - parts[1].rm_so != 3 || strncmp(at + parts[1].rm_so, "pid", 3) != 0)
            result = err_set(err, ERR_INTERNAL, "specifying \"%.*s\" is not allowed", (int)(parts[2].rm_eo - parts[1].rm_so), at + parts[1].rm_so);
    regfree(&shape);
    return result;
}

/* 0: it ran well; 1: it exited otherwise (*ret_output is what it complained). */
static int run_ps(char *const *words, char **ret_output, struct err *err)
{
    static const char *const places[] = { "/usr/bin/ps", "/bin/ps" };
    static char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = { path_env, NULL };
    int pair[2], status = 0;
    pid_t pid;
    size_t place = 0;
    while (place < ARRAY_SIZE(places) && access(places[place], X_OK) < 0)
        place++;
    if (place == ARRAY_SIZE(places))
        return err_set(err, ERR_UNAVAILABLE, "ps is not installed on this machine: only ps_args -ef can be shown");
    int failed = fd_pipe(pair);
    if (failed < 0)
        return err_sys(err, failed, "make a pipe");
    struct proc_fd fds[] = { { pair[1], 1 }, { pair[1], 2 } };
    struct proc_spec spec = { .path = places[place], .argv = words, .env = env, .fds = fds, .fd_count = 2 };
    failed = proc_spawn(&spec, &pid, NULL);
    fd_close(pair[1]);
    if (failed == 0) {
        size_t length;
        failed = io_read_fd(pair[0], PS_OUTPUT_MAX, ret_output, &length);
        fd_close(pair[0]);
        (void)proc_wait(pid, &status);
    } else {
        fd_close(pair[0]);
    }
    if (failed < 0)
        return err_sys(err, failed, "run %s", places[place]);
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool is_listed(const int *pids, int count, const char *word)
{
    int64_t pid;
    if (str_to_i64(word, &pid) < 0)
        return false;
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* White space parts the words; the last column takes what is left. */
static char **fields_of(char *line, size_t columns)
{
    char **fields = NULL;
    for (char *at = line;;) {
        at += strspn(at, " \t");
        if (!*at)
            return fields;
        bool is_last = columns && strv_length(fields) + 1 == columns;
        size_t length = is_last ? strlen(at) : strcspn(at, " \t");
        strv_append_take(&fields, xstrndup(at, length));
        at += length;
    }
}

static int parse_ps(char *output, const int *pids, int count, struct container_top_response *ret, struct err *err)
{
    char **lines = strv_split(output, '\n', true);
    size_t pid_column = 0;
    bool previous = false;
    ret->titles = lines[0] ? fields_of(lines[0], 0) : NULL;
    size_t columns = strv_length(ret->titles);
    while (pid_column < columns && !str_eq(ret->titles[pid_column], "PID"))
        pid_column++;
    int result = pid_column < columns ? 0 : err_set(err, ERR_INTERNAL, "Couldn't find PID field in ps output");
    for (size_t i = 1; result == 0 && lines[i]; i++) {
        char **fields = fields_of(lines[i], columns);
        if (strv_length(fields) > pid_column) {
            bool thread = str_eq(fields[pid_column], "-"); /* of the process above */
            previous = thread ? previous : is_listed(pids, count, fields[pid_column]);
            if (previous)
                rows_add(&ret->processes, fields);
        }
        strv_free(fields);
    }
    strv_free(lines);
    return result;
}

static int host_top(const char *ps_args, const int *pids, int count, struct container_top_response *ret, struct err *err)
{
    AUTO_BUF struct buf only = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FREE char *output = NULL;
    CLEANUP(strv_free) char **words = NULL;
    if (check_ps_args(ps_args, err) < 0)
        return -1;
    strv_append(&words, "ps");
    char **given = strv_split(ps_args, ' ', true);
    strv_extend(&words, given);
    strv_free(given);
    buf_puts(&only, "-q");
    for (int i = 0; i < count; i++)
        buf_printf(&only, "%s%d", i ? "," : "", pids[i]);
    CLEANUP(strv_free) char **narrow = strv_dup(words);
    strv_append(&narrow, only.data);
    int ran = run_ps(narrow, &output, err);
    if (ran > 0) { /* some arguments do not go with -q */
        free(take_ptr(&output));
        ran = run_ps(words, &output, err);
    }
    if (ran > 0)
        return err_set(err, ERR_INTERNAL, "ps: %s", str_trim(output));
    return ran < 0 ? -1 : parse_ps(output, pids, count, ret, err);
}

int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, struct container_top_response *ret, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    AUTO_FREE int *pids = NULL;
    if (!container)
        return -1;
    if (!container_is_running(container))
        return err_set(err, ERR_CONFLICT, "container %s is not running", container->record.id);
    if (container->status.code == STATUS_RESTARTING)
        return err_set(err, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", container->record.id);
    AUTO_FREE char *cgroup = container_cgroup_path(container);
    int count = cgroup_pids(&engine->cgroups, cgroup, &pids);
    if (count < 0)
        return err_sys(err, count, "list the container's processes");
    *ret = (struct container_top_response){ 0 };
    if (str_empty(ps_args) || str_eq(ps_args, "-ef")) {
        own_top(pids, count, ret);
        return 0;
    }
    if (host_top(ps_args, pids, count, ret, err) == 0)
        return 0;
    codec_clear(&container_top_response_type, ret);
    return -1;
}
