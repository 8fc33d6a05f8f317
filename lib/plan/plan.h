/* The container plan: everything the monitor needs to start one container, made by the daemon as a pure function of image,
 * config and host config. Flat, versioned bytes on a memfd: a header and tagged records. Whoever reads it (monitor, tests, fuzz)
 * gets bounds-checked, NUL-ended borrowed strings that point into the buffer.
 *
 * A record's meaning never changes; new things get new tags. A reader refuses a tag it does not know unless its "may skip" bit is set. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PLAN_MAGIC 0x4e4c5048u /* "HPLN" */
#define PLAN_VERSION 1
#define PLAN_MAX ((size_t)16 << 20)

/* How the container gets each namespace. JOIN takes fd slot number `plan.ns_slot[i]` of the START message. */
enum plan_ns { PLAN_NS_MNT, PLAN_NS_PID, PLAN_NS_NET, PLAN_NS_IPC, PLAN_NS_UTS, PLAN_NS_CGROUP, PLAN_NS_USER, PLAN_NS_COUNT };
enum plan_ns_mode { PLAN_NS_HOST, PLAN_NS_NEW, PLAN_NS_JOIN };

/* Numbers are on the wire: never reuse one. */
enum plan_mount_kind {
    PLAN_MOUNT_PROC = 1,
    PLAN_MOUNT_SYSFS,
    PLAN_MOUNT_DEVTMPFS_LIKE, /* tmpfs at /dev with the devices and links of the plan made on it */
    PLAN_MOUNT_DEVPTS,
    PLAN_MOUNT_MQUEUE,
    PLAN_MOUNT_TMPFS,  /* data: "size=...,mode=..." */
    PLAN_MOUNT_CGROUP, /* v1: one per controller plus links; v2: one */
    PLAN_MOUNT_BIND,   /* source: absolute host path, file or directory; recursive */
};
enum plan_propagation { PLAN_PROP_PRIVATE, PLAN_PROP_SLAVE, PLAN_PROP_SHARED };
enum plan_mount_flag {
    PLAN_MF_RDONLY = 1, PLAN_MF_NOSUID = 2, PLAN_MF_NODEV = 4, PLAN_MF_NOEXEC = 8, PLAN_MF_RELATIME = 16, PLAN_MF_STRICTATIME = 32,
    PLAN_MF_NOATIME = 64, PLAN_MF_NONRECURSIVE = 128, PLAN_MF_RRDONLY = 256, /* read-only incl. submounts */
    PLAN_MF_MKSOURCE = 512, /* make the source directory on the host when missing (docker -v) */
};
struct plan_mount {
    uint32_t kind, flags, propagation;
    const char *source, *target, *data; /* target: absolute inside the container */
};
struct plan_device { /* made in /dev of the container */
    const char *path; /* absolute inside the container */
    uint32_t type;    /* 'c' or 'b' */
    uint32_t major, minor, mode, uid, gid;
};
struct plan_device_rule { /* cgroup devices, in order; the runtime makes v1 lines or a v2 BPF program */
    uint32_t allow, type /* 'a' 'c' 'b' */;
    int64_t major, minor; /* -1 = any */
    uint32_t access;      /* bits 1 r, 2 w, 4 m */
};
/* One cgroup setting. `file` is chosen by the daemon for the machine's hierarchy (v1: controller + file, v2: file). required: a failed
 * write fails the start, else it becomes a warning fact. */
struct plan_cgroup_write {
    const char *controller, *file, *value;
    uint32_t required;
};
struct plan_rlimit {
    uint32_t resource; /* RLIMIT_* */
    uint64_t soft, hard;
};
struct plan_sysctl {
    const char *key, *value; /* "net.ipv4.ip_forward" */
};
enum plan_restart { PLAN_RESTART_NO, PLAN_RESTART_ALWAYS, PLAN_RESTART_ON_FAILURE, PLAN_RESTART_UNLESS_STOPPED };
enum plan_log { PLAN_LOG_NONE, PLAN_LOG_JSON_FILE };

struct plan_process { /* also the body of an exec */
    const char *const *argv, *const *env; /* NULL-ended */
    const char *cwd;                      /* "" = "/" ; made when missing if make_cwd */
    const char *user;                     /* "", "uid", "name", "uid:gid", "name:group": looked up inside the root by the child */
    const char *const *group_add;         /* names or numbers, NULL-ended */
    uint64_t caps_bounding, caps_permitted, caps_effective, caps_ambient;
    uint32_t make_cwd, tty, open_stdin, no_new_privs, want_stdout, want_stderr;
    uint32_t tty_cols, tty_rows; /* 0 = unset */
    const uint8_t *seccomp;      /* struct sock_filter[] bytes; NULL = none */
    uint32_t seccomp_length;     /* bytes */
    const char *apparmor;        /* profile or NULL */
    const struct plan_rlimit *rlimits;
    size_t rlimit_count;
    int32_t oom_score_adj;
    uint32_t oom_score_adj_set;
};

struct plan {
    const char *id, *name;                /* 64 hex; without slash */
    const char *hostname, *domainname;
    const char *container_dir;            /* DATA_ROOT/containers/<id> */
    /* root: overlay of lower directories (top first), upper, work; all absolute. No upper + no lowers: `rootfs` is a plain directory. */
    const char *const *lowers;
    const char *upper, *work, *rootfs;
    uint32_t root_readonly, root_volatile, root_propagation;
    uint32_t ns_mode[PLAN_NS_COUNT];
    uint32_t ns_slot[PLAN_NS_COUNT];
    const char *cgroup_path;              /* "/holk/<id>"; the same below every hierarchy */
    const struct plan_cgroup_write *cgroup_writes;
    size_t cgroup_write_count;
    const struct plan_device_rule *device_rules;
    size_t device_rule_count;
    uint32_t device_rules_off;            /* privileged: none at all */
    const struct plan_mount *mounts;      /* in order; nested targets after their parents */
    size_t mount_count;
    const struct plan_device *devices;
    size_t device_count;
    const char *const *masked_paths, *const *readonly_paths;
    const struct plan_sysctl *sysctls;
    size_t sysctl_count;
    struct plan_process process;
    uint32_t init;                        /* run argv under holk's own init as pid 1 */
    uint32_t stdin_once;
    uint32_t stop_signal, stop_timeout_s; /* defaults of STOP messages that say 0 / -1 */
    uint32_t restart, restart_max;
    uint32_t auto_remove;                 /* information for facts only: the daemon removes */
    uint32_t log_kind;
    const char *log_path;                 /* DATA_ROOT/containers/<id>/<id>-json.log */
    uint64_t log_max_size;                /* bytes, 0 = no rotation */
    uint32_t log_max_files;               /* >= 1 */
    const char *log_attrs;                /* compact JSON object added as "attrs" to each line, or NULL */
};

/* Bytes of the plan into out. Strings that are NULL and empty lists are left out. */
void plan_encode(const struct plan *plan, struct buf *out);
/* Arrays are allocated in *ret's arena, strings borrowed from bytes (which must stay). ERR_INVALID names the tag.
 * Every string is NUL-ended in place (checked). plan_done() frees the arena. */
struct plan_view {
    struct plan plan;
    void *arena;
};
int plan_decode(const void *bytes, size_t length, struct plan_view *ret, struct err *err);
void plan_done(struct plan_view *view);
/* The same for an exec's process alone (body of MON_EXEC). */
void plan_process_encode(const struct plan_process *process, struct buf *out);
struct plan_process_view {
    struct plan_process process;
    void *arena;
};
int plan_process_decode(const void *bytes, size_t length, struct plan_process_view *ret, struct err *err);
void plan_process_done(struct plan_process_view *view);
