/* holk-monitor: one process per container, one thread, libc only. It holds what must outlive the daemon: the container's init as its child,
 * its pipes or pty, its log, its attached clients, its restarts. Protocol and facts: lib/plan/monitor.h. */
#pragma once
#include "lib/base/buf.h"
#include "lib/loop/loop.h"
#include "lib/plan/monitor.h"
#include "lib/plan/plan.h"
#include "lib/runtime/runtime.h"
#include <stdbool.h>

struct monitor;
struct io_set;

/* ---- log_json.c: Docker's json-file ---- */
struct log_stream { /* an unfinished line */
    char *bytes;
    size_t length;
};
struct log {
    struct monitor *monitor;
    int fd;
    uint64_t size, max_size;
    unsigned max_files;
    const char *path, *attrs;
    struct buf out;
    struct log_stream partial[3]; /* by stream number */
    bool failing;
};
void log_open(struct log *log, struct monitor *monitor);
void log_append(struct log *log, int stream, const char *bytes, size_t length);
void log_finish(struct log *log); /* writes unfinished lines */
void log_close(struct log *log);

/* ---- stream.c: one attached client ---- */
struct stream {
    struct io_set *io;
    int fd;
    uint64_t id;
    uint32_t flags; /* mon_attach_flag */
    struct watch *watch;
    char *memory; /* queue: memory first, then the spill file */
    size_t head, tail;
    int spill_fd;
    uint64_t spill_read, spill_write;
    bool hold, finishing, input_ended, dead;
    uint8_t keys[32];
    size_t key_count, keys_seen;
    struct stream *next;
};
struct stream *stream_add(struct io_set *io, int fd, uint32_t flags, const uint8_t *keys, size_t key_count); /* takes fd */
void stream_output(struct stream *stream, int number, const char *bytes, size_t length);
void stream_go(struct stream *stream);
void stream_finish(struct stream *stream); /* ends when all is sent */
void stream_update(struct stream *stream); /* re-arms its watch */
void streams_bury(struct io_set *io);

/* ---- io.c: the three ends of a process ---- */
struct io_end {
    struct io_set *io;
    int fd, number; /* 1 stdout, 2 stderr */
    struct watch *watch;
};
struct io_set {
    struct monitor *monitor;
    struct exec *exec; /* NULL: the container itself */
    int stdin_fd;
    struct watch *stdin_watch;
    struct buf stdin_pending;
    bool stdin_close_wanted, stdin_once, tty, started;
    struct io_end out, err;
    struct stream *streams;
    struct log *log; /* NULL: not logged */
};
int io_prepare(struct io_set *io, const struct plan_process *process, struct runtime_stdio *ret_child);
void io_started(struct io_set *io, int tty_master);
void io_stdin(struct io_set *io, const char *bytes, size_t length);
bool io_stdin_busy(const struct io_set *io);
void io_stdin_end(struct io_set *io);
void io_drain(struct io_set *io); /* the process is dead: what is left in the pipes */
void io_close(struct io_set *io);
void io_finish_streams(struct io_set *io);

struct exec {
    char id[65];
    struct monitor *monitor;
    struct io_set io;
    pid_t pid;
    int pidfd;
    struct watch *watch;
    bool ended;
    struct exec *next;
};

struct client { /* of the protocol */
    struct monitor *monitor;
    int sock;
    struct watch *watch;
    bool dead, is_spawner;
    struct client *next;
};

struct kept_listener {
    char path[108];
    int fd;
    struct kept_listener *next;
};

struct monitor {
    struct loop *loop;
    struct plan_view view;
    void *plan_bytes;
    size_t plan_length;
    int state_fd, container_fd, listen_fd, facts_fd;
    struct watch *listen_watch;
    uint64_t fact_count;
    struct client *clients;
    struct runtime_container container;
    struct watch *exit_watch, *stop_timer, *restart_timer, *linger_timer;
    bool ever_started, running, paused, stop_wanted, ended, serving;
    int last_exit_code;
    uint32_t restart, restart_max, restart_count;
    int64_t backoff_ms, started_ns, oom_before;
    int ns_fds[8];
    size_t ns_count;
    int netns_fd;
    struct io_set io;
    struct log log;
    struct exec *execs;
    struct kept_listener *listeners;
    uint64_t next_attach;
};

/* facts.c */
void fact_append(struct monitor *monitor, struct mon_fact *fact);
void fact_text(struct monitor *monitor, enum mon_fact_kind kind, const char *text);
/* container.c */
int container_start(struct monitor *monitor, int32_t *ret_exit_code, struct err *err);
void container_stop(struct monitor *monitor, int signal, int timeout_ms);
int container_pause(struct monitor *monitor, bool pause, struct err *err);
void monitor_end(struct monitor *monitor);
void monitor_maybe_exit(struct monitor *monitor);
/* exec.c */
int exec_start(struct monitor *monitor, const struct mon_exec *request, const struct plan_process *process, int client_fd, const void *early,
               size_t early_length, struct exec **ret, int32_t *ret_exit_code, struct err *err);
struct exec *exec_find(struct monitor *monitor, const char *id);
/* client.c */
void client_add(struct monitor *monitor, int sock, bool is_spawner);
void clients_notice(struct monitor *monitor);
void clients_close(struct monitor *monitor);
