/* The monitor protocol: fixed-layout messages, one per SEQPACKET packet, fds beside them. Versioned for ever: a verb's meaning never
 * changes; add a verb instead. Recorded bytes of every released version are a test.
 *
 * Life: holkd posix_spawns holk-monitor (sealed memfd) with argv {"holk-monitor", id, name}, env none and
 *   fd 3  a connected SEQPACKET socket: the first client ("the spawner")
 *   fd 4  the plan (memfd, read-only)
 *   fd 5  the state directory EXEC_ROOT/<id> (O_DIRECTORY), made by holkd 0700
 *   fd 6  DATA_ROOT/containers/<id> (O_DIRECTORY)
 * The monitor first makes EXEC_ROOT/<id>/{sock,facts,pid}, then waits for MON_START on fd 3. Any number of clients may connect to `sock`
 * (mode 0600, SO_PEERCRED uid 0 checked). Every client begins with MON_HELLO. One request is answered by one MON_REPLY with the same seq;
 * the monitor pushes MON_NOTICE (seq 0) to every client whenever facts were appended.
 * The monitor exits when the container has exited for good (policy says no restart): its last fact is MON_FACT_END and the sockets close. */
#pragma once
#include "lib/base/err.h"
#include <stdint.h>
#include <sys/types.h>

#define MON_MAGIC 0x314d4c48u /* "HLM1" */
#define MON_PROTOCOL 1
#define MON_PACKET_MAX (128 * 1024) /* header + body */
#define MON_FD_SPAWNER 3
#define MON_FD_PLAN 4
#define MON_FD_STATE 5
#define MON_FD_CONTAINER 6

enum mon_verb {
    MON_HELLO = 1,     /* body mon_hello; reply body mon_hello of the monitor */
    MON_REPLY = 2,     /* body: mon_reply then the verb's own body */
    MON_NOTICE = 3,    /* body mon_notice */
    MON_START = 4,     /* body mon_start + fds: ns slots 0..n-1 as the plan numbers them, then netns_fd if has_netns. Reply body mon_started
                          after execve has succeeded, or a struct err (ERR kinds: INVALID with exit_code 125/126/127 in mon_reply) */
    MON_SIGNAL = 5,    /* body mon_signal: to the container's init */
    MON_STOP = 6,      /* body mon_stop: signal, then SIGKILL after timeout; no restart afterwards. Replies at once; the EXIT fact tells the end */
    MON_PAUSE = 7,     /* freezer; replies when frozen */
    MON_UNPAUSE = 8,
    MON_RESIZE = 9,    /* body mon_resize: the container's tty, or an exec's */
    MON_ATTACH = 10,   /* body mon_attach + 1 fd (the client's stream socket). Reply body mon_attached. With HOLD the client's output is kept back
                          (buffered) until MON_ATTACH_GO, so that the daemon can replay the log up to mon_attached.log_size first */
    MON_ATTACH_GO = 11,/* body mon_attach_go */
    MON_EXEC = 12,     /* body mon_exec + encoded plan_process; fds: [client socket] if has_client. Reply body mon_started after execve, or err */
    MON_EXEC_SIGNAL = 13, /* body mon_exec_signal */
    MON_POLICY = 14,   /* body mon_policy: new restart policy */
    MON_GET_FDS = 15,  /* body mon_get_fds; reply with fds in the order of the set bits */
    MON_LISTENER = 16, /* body mon_listener + 1 fd: keep this listening socket for the next daemon (replaces one of the same path) */
    MON_LISTENER_TAKE = 17, /* reply body: n NUL-ended paths; fds: the sockets (dups; the monitor keeps its own) */
    MON_CGROUP = 18,   /* body: records of NUL-ended controller, file, value; writes them. Reply err on the first that fails */
    MON_KILL_MONITOR = 19, /* body none: kill the container, no restart, end */
};
struct mon_header {
    uint32_t magic;
    uint16_t verb, flags;
    uint32_t seq;
    uint32_t length; /* of the body */
};
struct mon_hello {
    uint32_t protocol, pid;
    char build[32];
};
struct mon_reply {
    uint32_t failed; /* 1: struct mon_err follows instead of the verb's body */
    int32_t exit_code; /* 125, 126, 127 when a start or exec failed, else 0 */
};
struct mon_err { /* struct err in fixed layout */
    uint32_t kind;
    int32_t sys_errno;
    char text[1024];
};
struct mon_notice {
    uint64_t facts; /* number of facts appended so far */
};
struct mon_start {
    uint32_t ns_slots, has_netns; /* has_netns: an fd of a ready network namespace; kept across restarts */
};
struct mon_started {
    int32_t pid; /* in the monitor's pid namespace */
    uint32_t reserved;
    uint64_t start_ticks;
};
struct mon_signal {
    int32_t signal;
};
struct mon_stop {
    int32_t signal;     /* 0: the plan's */
    int32_t timeout_ms; /* -1: for ever; -2: the plan's */
};
struct mon_resize {
    uint32_t cols, rows;
    char exec_id[65]; /* "" = the container */
    char pad[3];
};
enum mon_attach_flag {
    MON_ATTACH_STDIN = 1, MON_ATTACH_STDOUT = 2, MON_ATTACH_STDERR = 4,
    MON_ATTACH_RAW = 8,   /* no 8-byte frames (tty, or raw content type) */
    MON_ATTACH_HOLD = 16,
    MON_ATTACH_SIGPROXY = 32,
};
struct mon_attach {
    uint32_t flags;
    uint32_t detach_count;      /* bytes in detach_keys; 0 = Docker's default ctrl-p ctrl-q on a tty */
    uint8_t detach_keys[32];
    uint32_t early_length;      /* bytes after this struct that go to stdin first */
};
struct mon_attached {
    uint64_t attach_id;
    uint64_t log_size;     /* bytes of the current log file at this moment */
    uint64_t log_inode;    /* to notice rotation */
};
struct mon_attach_go {
    uint64_t attach_id;
};
struct mon_exec {
    char exec_id[65];
    char pad[3];
    uint32_t has_client; /* fd 0 of the message */
    uint32_t attach_flags; /* mon_attach_flag */
    uint32_t detach_count;
    uint8_t detach_keys[32];
    uint32_t early_length; /* bytes after this struct for stdin, then the plan_process bytes */
};
struct mon_exec_signal {
    int32_t signal;
    char exec_id[65];
    char pad[3];
};
struct mon_policy {
    uint32_t restart, restart_max;
};
enum mon_fd_bit { MON_FDS_INIT_PIDFD = 1, MON_FDS_ROOT = 2, MON_FDS_NS_NET = 4, MON_FDS_NS_PID = 8, MON_FDS_NS_IPC = 16, MON_FDS_NS_UTS = 32, MON_FDS_NS_MNT = 64, MON_FDS_NS_CGROUP = 128, MON_FDS_NS_USER = 256 };
struct mon_get_fds {
    uint32_t bits; /* mon_fd_bit */
};
struct mon_listener {
    char path[108]; /* its address, "" for TCP */
};

/* Facts: EXEC_ROOT/<id>/facts, append-only, records of exactly MON_FACT_SIZE bytes, number n at offset n * MON_FACT_SIZE, n from 0.
 * A torn last record (bad sum) does not count. holkd applies each exactly once (it keeps the count applied in its database). */
#define MON_FACT_SIZE 512
enum mon_fact_kind {
    MON_FACT_START = 1,     /* pid, start_ticks; restart_count */
    MON_FACT_EXIT = 2,      /* exit_code (128+n for signals), signal, flags; restarting: will start again after delay_ms */
    MON_FACT_OOM = 3,
    MON_FACT_PAUSE = 4,
    MON_FACT_UNPAUSE = 5,
    MON_FACT_LOG_LOSS = 6,  /* text: why; count bytes */
    MON_FACT_EXEC_START = 7,/* exec_id, pid */
    MON_FACT_EXEC_EXIT = 8, /* exec_id, exit_code */
    MON_FACT_WARNING = 9,   /* text */
    MON_FACT_START_FAILED = 10, /* a restart's start failed: exit_code 127.., text */
    MON_FACT_END = 11,      /* nothing follows; the monitor goes */
    MON_FACT_DETACH = 12,   /* a client detached by keys */
};
enum mon_exit_flag { MON_EXIT_OOM = 1, MON_EXIT_RESTARTING = 2, MON_EXIT_STOPPED = 4 /* by MON_STOP */,
                     MON_EXIT_BETWEEN = 8 /* nothing ran: a restart that was to come is called off; exit_code repeats the last one */ };
struct mon_fact {
    uint32_t magic;  /* MON_MAGIC */
    uint32_t kind;
    uint64_t number;
    int64_t time_unix_ns;
    int32_t pid, exit_code, signal;
    uint32_t flags;
    uint64_t start_ticks;
    uint64_t count;
    int64_t delay_ms;
    uint32_t restart_count;
    char exec_id[65];
    char pad[3];
    char text[352];
    uint32_t reserved[5];
    uint32_t sum; /* FNV-1a of everything before */
};
_Static_assert(sizeof(struct mon_fact) == MON_FACT_SIZE, "fact layout");

/* Helpers used by both sides (lib/plan/monitor.c). */
uint32_t mon_fact_sum(const struct mon_fact *fact);
void mon_err_pack(const struct err *err, struct mon_err *ret);
void mon_err_unpack(const struct mon_err *in, struct err *ret);
/* One packet with fds; 0 or -errno. */
int mon_send(int sock, uint16_t verb, uint32_t seq, const void *body, size_t length, const void *more, size_t more_length, const int *fds, size_t fd_count);
/* Receives one packet into packet (MON_PACKET_MAX bytes). Length of the body, 0-length bodies included; -errno; -EPIPE at end; -EBADMSG for nonsense.
 * ret_header is checked (magic, length). fds as fd_recv. */
ssize_t mon_recv(int sock, void *packet, struct mon_header *ret_header, const void **ret_body, int *ret_fds, size_t *inout_fd_count);
/* Reads the facts from number `from` on: calls fn for each whole record. Number of facts read so far (>= from) or -errno. */
typedef void (*mon_fact_fn)(const struct mon_fact *fact, void *arg);
int64_t mon_facts_read(int facts_fd, uint64_t from, mon_fact_fn fn, void *arg);
