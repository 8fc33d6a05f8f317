/* The engine's own structures; shared by the .c files of this room only. */
#pragma once
#include "daemon/engine/engine.h"
#include "daemon/engine/events.h"
#include "daemon/engine/record.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "lib/db/db.h"
#include "lib/loop/loop.h"
#include "lib/net/net.h"
#include "lib/plan/monitor.h"
#include "lib/plan/plan.h"
#include "lib/store/store.h"
#include "lib/sys/cgroup.h"

/* Who works on a container alone right now. Others wait (container_claim) or are told. */
enum container_claim_kind { CLAIM_NONE, CLAIM_START, CLAIM_REMOVE, CLAIM_OTHER };

struct parked_attach { /* a client that attached before the start */
    int fd;
    struct mon_attach attach;
    void *early;
    struct parked_attach *next;
};

struct state_waiter { /* woken (eventfd) whenever its container changes */
    int wake_fd;
    struct state_waiter *next;
};

struct exec {
    char id[65];
    struct container *container; /* holds a ref */
    struct exec_create_request request;
    bool started, running, has_exit;
    int64_t exit_code, pid;
    struct exec *next; /* of its container */
};

struct container {
    struct container_record record;
    struct container_status status;
    struct engine *engine;
    size_t refs;
    bool removed;             /* out of all maps; lives on while refs > 0 */
    enum container_claim_kind claim;
    const char *claim_what;   /* for SIGUSR1 */
    bool monitor_alive;       /* a monitor process is there: the next start waits for its end */
    bool monitor_ended;       /* it has told its last fact: nothing of the container is in use but its mount */
    int monitor_sock;         /* hears notices; owned by housekeeping */
    struct watch *monitor_watch;
    struct mutex facts_lock;  /* one reader of facts at a time; taken before engine->lock */
    uint64_t start_generation;   /* grows with every exit: for wait next-exit */
    struct parked_attach *parked;
    struct state_waiter *waiters;
    struct exec *execs;
    struct store_lease *lease;   /* keeps its layers */
    struct container_net *net;   /* while its networks are up */
};

struct network_record { /* record.containers stays empty: inspect fills it */
    struct network_inspect record;
    struct network *net;
};

struct container_net { /* addresses, veths and ports of a running container */
    struct net_endpoint *endpoints;
    char **names; /* network names, beside endpoints; NULL-ended */
    size_t count;
    struct net_publication *publication;
};

struct named_volume {
    struct volume volume;
    bool anonymous;
};

struct engine {
    struct engine_options options;
    char instance[9];
    char *engine_id; /* info.ID */
    int data_fd, exec_fd, lock_fd;
    struct mutex lock;
    struct {
        char **insecure_registries, **registry_mirrors, **labels;
        bool debug;
    } settings;                  /* under the lock */
    struct cond changed;
    struct db *db;
    struct store *store;
    struct net *net;
    struct volume_store *volume_store;
    struct cgroup_layout cgroups;
    struct map *containers;      /* id -> struct container * */
    struct map *container_names; /* name -> struct container * */
    struct map *execs;           /* id -> struct exec * */
    struct map *networks;        /* id -> struct network_record * */
    struct map *volumes;         /* name -> struct named_volume * */
    struct map *kept_listeners;  /* address -> fd + 1 */
    pid_t *monitors;             /* our children, until they are reaped */
    size_t monitor_count;
    struct event_ring events;
    struct loop *loop;
    pthread_t housekeeping;
    bool housekeeping_runs;
    bool stopping, loading; /* loading: engine_open() has not ended */
    int64_t started_ns;
    struct map *seccomp;         /* hash -> struct buf * of BPF */
    struct mutex seccomp_lock;
    struct map *build_cache;     /* key -> struct build_cache_value * */
    struct store_lease *cache_lease;
    struct loop_call *calls;     /* to run on the housekeeping thread */
    bool trash_waits;
    size_t later_count;          /* threads of engine_call_later still at work */
};

/* ---- engine.c ---- */
char **engine_list_setting(struct engine *engine, char **const *setting); /* a copy of &engine->settings.x; strv_free */

/* ---- container.c ---- */
struct container *container_find_locked(struct engine *engine, const char *ref, struct err *err);
struct container *container_get(struct engine *engine, const char *ref, struct err *err); /* + ref; container_unref() */
void container_ref_locked(struct container *container);
void container_unref(struct container *container);
void container_unref_locked(struct container *container);
CLEANUP_FN(struct container, container_unref)
/* Waits for other claims; ERR_NOT_FOUND when it was removed meanwhile. */
int container_claim_locked(struct container *container, enum container_claim_kind kind, const char *what, struct err *err);
void container_release_locked(struct container *container);
uint64_t container_changed_locked(struct container *container); /* wakes waiters, queues the status row; its ticket, 0 = none */
void container_save_record_locked(struct container *container, uint64_t *ret_ticket);
void container_event_locked(struct container *container, const char *action, const struct str_map *more, int64_t time_ns);
bool container_is_running(const struct container *container); /* running, paused or restarting */
char *container_dir(const struct engine *engine, const char *id); /* absolute; caller frees */
void container_free(struct container *container);
int container_load_all(struct engine *engine, struct err *err);
void obj_map_clear_ports(struct obj_map *ports); /* frees a map of struct port_binding_list */
void container_forget_locked(struct container *container); /* out of the maps */
void waiter_add_locked(struct container *container, struct state_waiter *waiter);
void waiter_remove_locked(struct container *container, struct state_waiter *waiter);
int container_name_check(const char *name, struct err *err);
/* Blocks until the container is not running (or timeout_ms passed, -1: never). 1: stopped, 0: timeout, -1: client gone */
int container_wait_stopped(struct container *container, int64_t timeout_ms, int client_fd);

/* ---- execs.c ---- */
int execs_load(struct engine *engine, struct err *err); /* after the containers */
void exec_save_locked(const struct exec *exec);
void execs_lost_locked(struct container *container, int exit_code); /* their monitor is gone: those that ran have ended */

/* ---- facts.c ---- */
int facts_sync(struct container *container); /* applies what the monitor has written; takes the locks itself */
void facts_watch(struct container *container, int monitor_sock); /* takes the socket */
int housekeeping_start(struct engine *engine, struct err *err);
void housekeeping_stop(struct engine *engine);
void housekeeping_empty_trash(struct engine *engine); /* soon, not at the next turn */
void engine_call_later(struct engine *engine, void (*fn)(struct engine *engine, void *arg), void *arg); /* on a thread of its own */
void containers_reconnect(struct engine *engine);
void container_monitor_gone(struct container *container);
void parked_free(struct container *container);

/* ---- start.c ---- */
struct container_start_extra { /* of build steps; all NULL/false for ordinary containers */
    char **lowers;            /* borrowed */
    const char *upper, *work;
    bool root_volatile;
    int exit_code;            /* out: 125..127 when the start failed */
};
int container_launch(struct container *container, struct err *err); /* claimed by the caller */
void monitors_reap(struct engine *engine); /* those of our monitors that have ended */
int container_launch_extra(struct container *container, struct container_start_extra *extra, struct err *err);
char **container_lowers(struct engine *engine, char *const *diff_ids); /* image layers and the init layer; strv_free */
void container_network_down(struct container *container);
char *container_cgroup_path(const struct container *container);

/* ---- plan_make.c ---- */
struct plan_inputs {
    const struct container_record *record;
    struct engine *engine;
    char **lowers;            /* absolute, top first */
    const char *upper, *work; /* NULL: the container's own */
    bool root_volatile;
    const char *network_owner_dir; /* container:ID: whose hosts and resolv.conf are shared */
    const uint8_t *seccomp;
    size_t seccomp_length;
    char ***warnings;         /* may be NULL */
};
/* The plan's bytes. Pure but for reading devices and cgroup layout. */
int plan_make(struct plan_inputs *inputs, struct buf *out, struct err *err);
/* Checks at create time what plan_make would refuse. */
int plan_check(struct engine *engine, const struct container_record *record, char ***warnings, struct err *err);
int plan_restart_policy(const struct restart_policy *in, bool auto_remove, uint32_t *ret, struct err *err);
int signal_parse(const char *text, int *ret, struct err *err);

/* ---- seccomp.c ---- */
/* BPF of the profile for the capabilities. Borrowed for the engine's life. *ret NULL when unconfined. */
int seccomp_get(struct engine *engine, const struct host_config *host, uint64_t caps, const uint8_t **ret, size_t *ret_length, struct err *err);

/* ---- mounts.c ---- */
char **layer_dirs_top_first(struct engine *engine, char *const *diff_ids); /* absolute; strv_free */

/* ---- create.c ---- */
int container_make_dirs(struct container *container, struct err *err);
int container_remove_claimed(struct container *container, bool volumes, struct err *err);

/* ---- images.c ---- */
const char *image_display_name_locked(struct engine *engine, const char *image_id); /* borrowed or NULL */
size_t image_users_locked(struct engine *engine, const char *image_id, struct container **ret_one, bool running_only);

/* ---- volumes.c ---- */
int volumes_load(struct engine *engine, struct err *err);
/* Finds or makes the named volume (anonymous: name is new). *ret_source absolute path, caller frees. */
int volume_ensure(struct engine *engine, const char *name, const char *driver, const struct str_map *options, const struct str_map *labels,
                  bool anonymous, char **ret_source, bool *ret_created, struct err *err);
size_t volume_users_locked(struct engine *engine, const char *name, const struct container *except);

/* ---- networks.c ---- */
struct network_record *network_find_locked(struct engine *engine, const char *ref, struct err *err);
/* The network that a container's NetworkMode means: "default" is "bridge". NULL for container:ID. */
const char *network_of_mode(const char *mode);
/* Takes addresses, makes the namespace, publishes the ports; fills record.networks and status.ports. *ret_netns_fd -1 when the container needs none. */
int container_network_up(struct container *container, int *ret_netns_fd, struct err *err);
int container_check_ports(const struct container_record *record, struct err *err); /* PortBindings can be read */
/* After a restart of the daemon: announces what a running container holds. */
void container_network_restore(struct container *container);
int networks_load(struct engine *engine, struct err *err);
void networks_free(struct engine *engine);

int container_create_internal(struct engine *engine, const char *name, const char *platform, const struct container_create_request *request, bool hidden,
                              struct container **ret, char ***warnings, struct err *err); /* + ref */
void container_settings(struct container *container, struct container_inspect *ret); /* inspect.c; engine lock held */
char *container_status_text(const struct container *container); /* "Up 3 minutes"; caller frees */
void container_host_defaults(struct engine *engine, struct host_config *host);
/* ---- build.c ---- */
int build_cache_load(struct engine *engine, struct err *err);
void build_cache_free(struct engine *engine);
void build_cache_list(struct engine *engine, struct buf *out); /* JSON list of build_cache_record */
/* At start, when all containers are known: ends hidden containers that a killed daemon has left, and directories without a container. */
void build_sweep_strays(struct engine *engine);
