/* Truth about objects and their state machines: containers, execs, images, networks, volumes, events. Never knows HTTP.
 *
 * Locks: engine->lock guards all in-memory metadata and is never held while waiting (network, disk, another process, a commit). Long work
 * claims its object (container.claim) and drops the lock. Functions that end in _locked expect the lock.
 * Every returned struct of lib/api is the caller's: codec_clear() it. `ref` is a name, full id or unique id prefix. */
#pragma once
#include "daemon/engine/sink.h"
#include "lib/api/container.h"
#include "lib/api/filters.h"
#include "lib/api/host_config.h"
#include "lib/api/image.h"
#include "lib/api/network.h"
#include "lib/api/system.h"
#include "lib/api/volume.h"
#include "lib/base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct engine;

struct engine_settings { /* what a reload may change; the engine copies it */
    char *const *insecure_registries, *const *registry_mirrors, *const *labels;
    bool debug;
};
struct engine_options { /* strings borrowed for the engine's life */
    const char *data_root, *exec_root, *cgroup_parent /* default "/holk" */;
    const char *bip, *bridge; /* NULL: own choice */
    const char *monitor_path, *worker_path, *fetch_path;
    char *const *dns, *const *hosts;
    bool docker_compat;
    struct engine_settings settings;
};
/* Locks the data root ("data root X is in use by pid N"), opens and migrates the database, loads everything, finds the monitors,
 * applies their facts, restarts what policy says (in the background). */
int engine_open(const struct engine_options *options, struct engine **ret, struct err *err);
void engine_reload(struct engine *engine, const struct engine_settings *settings);
/* Wakes everybody who waits inside, so that request threads end. */
void engine_stopping(struct engine *engine);
/* Stops cleanly; containers run on. */
void engine_close(struct engine *engine);
/* The listening sockets are handed to every monitor, so that they outlive the daemon; and taken back at start: fd or -1. */
void engine_keep_listener(struct engine *engine, const char *address, int fd);
int engine_take_listener(struct engine *engine, const char *address);
void engine_dump(struct engine *engine, struct buf *out); /* claims, jobs, streams: SIGUSR1 */

/* ---- system ---- */
void engine_version(struct engine *engine, struct version *ret);
void engine_info(struct engine *engine, struct info *ret);
/* Calls fn for each event (JSON text, no newline) from `since` (0: now) until `until` (0: for ever) or the client has gone. */
int engine_events(struct engine *engine, const struct filters *filters, int64_t since_ns, int64_t until_ns, bool has_since, bool has_until,
                  struct sink *sink, struct err *err);
/* GET /system/df: raw JSON of the classic shape */
int engine_disk_usage(struct engine *engine, struct buf *out, struct err *err);

/* ---- containers ---- */
int engine_container_create(struct engine *engine, const char *name, const char *platform, const struct container_create_request *request,
                            struct container_create_response *ret, struct err *err);
int engine_container_start(struct engine *engine, const char *ref, struct err *err); /* ERR_NOT_MODIFIED when running */
int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int64_t timeout_s /* -1 for ever, INT64_MIN default */, struct err *err);
int engine_container_restart(struct engine *engine, const char *ref, const char *signal, int64_t timeout_s, struct err *err);
int engine_container_kill(struct engine *engine, const char *ref, const char *signal, struct err *err);
int engine_container_pause(struct engine *engine, const char *ref, struct err *err);
int engine_container_unpause(struct engine *engine, const char *ref, struct err *err);
int engine_container_rename(struct engine *engine, const char *ref, const char *name, struct err *err);
int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes, bool link, struct err *err);
int engine_container_resize(struct engine *engine, const char *ref, unsigned rows, unsigned cols, struct err *err);
int engine_container_inspect(struct engine *engine, const char *ref, bool size, struct container_inspect *ret, struct err *err);
/* JSON list text into out. limit 0: all; limit > 0 implies `all` for the newest. */
int engine_container_list(struct engine *engine, bool all, int64_t limit, bool size, const struct filters *filters, struct buf *out, struct err *err);
/* condition "", "not-running", "next-exit", "removed". begun (may be NULL) is called once the wait is registered (flush the head then). */
int engine_container_wait(struct engine *engine, const char *ref, const char *condition, void (*begun)(void *arg), void *arg, int client_fd,
                          struct container_wait_response *ret, struct err *err);
int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, struct container_top_response *ret, struct err *err);
int engine_container_changes(struct engine *engine, const char *ref, struct buf *out_json, struct err *err);
int engine_container_update(struct engine *engine, const char *ref, const struct container_update_request *request, struct container_update_response *ret, struct err *err);
int engine_container_prune(struct engine *engine, const struct filters *filters, struct container_prune_response *ret, struct err *err);

struct log_options {
    bool follow, want_stdout, want_stderr, timestamps, details;
    int64_t tail;     /* -1 all */
    int64_t since_ns, until_ns; /* 0: none */
};
/* Writes to the sink frames (or raw bytes when the container has a tty). *ret_tty is set before the first byte: ask engine_container_has_tty. */
int engine_container_logs(struct engine *engine, const char *ref, const struct log_options *options, struct sink *sink, struct err *err);
int engine_container_has_tty(struct engine *engine, const char *ref, bool *ret, struct err *err);

struct attach_options {
    bool want_stdin, want_stdout, want_stderr, logs, stream, raw;
    const char *detach_keys;
};
/* Checked before the upgrade: exists, state allows. The plan of the attach is the caller's until engine_attach_connect took it. */
struct attach;
int engine_attach_prepare(struct engine *engine, const char *ref, const struct attach_options *options, struct attach **ret, bool *ret_raw, struct err *err);
/* Gives the client's socket (taken) and its early bytes to the monitor (or parks it until start). Frees attach. */
void engine_attach_connect(struct attach *attach, int fd, const void *early, size_t early_length);
void engine_attach_free(struct attach *attach);

/* ---- execs ---- */
int engine_exec_create(struct engine *engine, const char *ref, const struct exec_create_request *request, char ret_id[65], struct err *err);
int engine_exec_prepare(struct engine *engine, const char *exec_id, const struct exec_start_request *request, struct attach **ret, bool *ret_raw, struct err *err);
int engine_exec_start_detached(struct engine *engine, const char *exec_id, const struct exec_start_request *request, struct err *err);
int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned rows, unsigned cols, struct err *err);
int engine_exec_inspect(struct engine *engine, const char *exec_id, struct exec_inspect *ret, struct err *err);

/* ---- archive ---- */
int engine_archive_stat(struct engine *engine, const char *ref, const char *path, char **ret_stat_json, struct err *err);
/* on_stat is called with the stat JSON before the first byte of the tar. */
int engine_archive_get(struct engine *engine, const char *ref, const char *path, void (*on_stat)(void *arg, const char *stat_json), void *arg,
                       struct sink *sink, struct err *err);
int engine_archive_put(struct engine *engine, const char *ref, const char *path, bool no_overwrite_dir_non_dir, bool copy_uid_gid, int body_fd, struct err *err);
int engine_container_export(struct engine *engine, const char *ref, struct sink *sink, struct err *err);

/* ---- images ---- registry auth: base64url X-Registry-Auth text as received, or NULL */
int engine_image_pull(struct engine *engine, const char *from_image, const char *tag, const char *platform, const char *auth_b64, struct sink *sink, struct err *err);
int engine_image_import(struct engine *engine, const char *from_src, const char *repo, const char *tag, const char *message, char *const *changes,
                        const char *platform, int body_fd, struct sink *sink, struct err *err);
int engine_image_push(struct engine *engine, const char *name, const char *tag, const char *auth_b64, struct sink *sink, struct err *err);
int engine_image_load(struct engine *engine, int body_fd, bool quiet, struct sink *sink, struct err *err);
int engine_image_save(struct engine *engine, char *const *names, struct sink *sink, struct err *err);
int engine_image_list(struct engine *engine, bool all, bool digests, bool shared_size, const struct filters *filters, struct buf *out_json, struct err *err);
int engine_image_inspect(struct engine *engine, const char *ref, struct image_inspect *ret, struct err *err);
int engine_image_history(struct engine *engine, const char *ref, struct buf *out_json, struct err *err);
int engine_image_tag(struct engine *engine, const char *ref, const char *repo, const char *tag, struct err *err);
int engine_image_delete(struct engine *engine, const char *ref, bool force, bool no_prune, struct buf *out_json, struct err *err);
int engine_image_prune(struct engine *engine, const struct filters *filters, struct buf *out_json, struct err *err);
int engine_commit(struct engine *engine, const char *container, const char *repo, const char *tag, const char *author, const char *comment, bool pause,
                  char *const *changes, const struct container_config *own /* nothing in it: the container's */, char **ret_id, struct err *err);
int engine_auth(struct engine *engine, const struct auth_config *auth, struct auth_response *ret, struct err *err);
int engine_distribution(struct engine *engine, const char *name, const char *auth_b64, struct buf *out_json, struct err *err);

/* ---- build ---- */
struct job_build;
int engine_build(struct engine *engine, const struct job_build *params, int context_fd, struct sink *sink, struct err *err);
struct build_prune_options {
    bool all;                /* what images use, too */
    int64_t keep_bytes;      /* 0: none */
    int64_t unused_for_ns;   /* only what has not been used for so long */
};
int engine_build_prune(struct engine *engine, const struct build_prune_options *options, struct build_prune_response *ret, struct err *err);

/* ---- volumes ---- */
int engine_volume_create(struct engine *engine, const struct volume_create_request *request, struct volume *ret, struct err *err);
int engine_volume_list(struct engine *engine, const struct filters *filters, struct volume_list_response *ret, struct err *err);
int engine_volume_inspect(struct engine *engine, const char *name, struct volume *ret, struct err *err);
int engine_volume_remove(struct engine *engine, const char *name, bool force, struct err *err);
int engine_volume_prune(struct engine *engine, const struct filters *filters, struct volume_prune_response *ret, struct err *err);

/* ---- networks ---- */
int engine_network_create(struct engine *engine, const struct network_create_request *request, struct network_create_response *ret, struct err *err);
int engine_network_list(struct engine *engine, const struct filters *filters, struct buf *out_json, struct err *err);
int engine_network_inspect(struct engine *engine, const char *ref, const char *scope, bool verbose, struct network_inspect *ret, struct err *err);
int engine_network_remove(struct engine *engine, const char *ref, struct err *err);
int engine_network_connect(struct engine *engine, const char *ref, const char *container, const struct endpoint_settings *settings, struct err *err);
int engine_network_disconnect(struct engine *engine, const char *ref, const char *container, bool force, struct err *err);
int engine_network_prune(struct engine *engine, const struct filters *filters, struct buf *out_json, struct err *err);
