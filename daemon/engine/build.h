/* One POST /build at work; shared by build.c (the whole), build_layers.c, build_run.c, build_files.c, build_cache.c (the verbs). */
#pragma once
#include "builder/backend.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"

struct scratch { /* a layer in the making: a directory of the job */
    char *id, *name; /* name: relative to the data root */
    char **diff_ids;
    size_t users;    /* verbs at work on it */
    struct worker *packer; /* NULL, or ready for when it is committed */
    struct scratch *next;
};
struct building {
    struct engine *engine;
    const struct job_build *params;
    char *job_name, *job_dir;  /* tmp/build-...; absolute */
    struct store_lease *lease; /* the engine's lock */
    char **kept;               /* diff ids put into the cache by this build; the engine's lock */
    struct mutex lock;         /* scratches, working, reply_fd */
    struct cond idle;
    struct scratch *scratches;
    size_t working;            /* verbs at work on threads of their own */
    struct mutex output_lock;  /* progress */
    struct progress progress;
    struct mutex reply_lock;
    int reply_fd;              /* the worker's socket, our own number for it; -1 before the first verb */
    int cancel_fd, cancel_write_fd; /* hangs up when the build is over: what verbs watch in place of the client */
    int64_t exit_code;
};
struct verb_call {
    struct building *building;
    const void *request;
    void *reply;
    int fd;       /* beside the request or -1; borrowed */
    int reply_fd; /* out: beside the reply or -1; closed behind it */
};
typedef int (*verb_fn)(struct verb_call *call, struct err *err);
#define BUILD_VERB(fn) int fn(struct verb_call *call, struct err *err)

/* ---- build_layers.c ---- */
BUILD_VERB(verb_resolve);
BUILD_VERB(verb_layers);
BUILD_VERB(verb_layer_begin);
BUILD_VERB(verb_layer_drop);
BUILD_VERB(verb_layer_commit);
BUILD_VERB(verb_image);
struct scratch *scratch_use(struct building *building, const char *id, struct err *err); /* give back with scratch_done */
struct scratch *scratch_use_upper(struct building *building, const char *upper, struct err *err);
void scratch_done(struct building *building, struct scratch *scratch);
void scratch_drop_all(struct building *building);
/* ERR_INTERNAL unless each is a layer directory of the store, absolute. */
int check_lowers(const struct building *building, char *const *lowers, struct err *err);

/* ---- build_run.c ---- */
BUILD_VERB(verb_run);

/* ---- build_files.c ---- */
BUILD_VERB(verb_copy);
BUILD_VERB(verb_fetch);
/* ?remote=URL: the context, or a Dockerfile alone, from there. */
int build_fetch_context(struct building *building, int *ret_fd, struct err *err);
/* The real path of something below the job's directory; ERR_INTERNAL when it leads out. Caller frees. */
int job_path(const struct building *building, const char *path, char **ret, struct err *err);

/* ---- build_cache.c ---- */
BUILD_VERB(verb_cache_get);
BUILD_VERB(verb_cache_put);
BUILD_VERB(verb_cache_dir);
bool is_cache_dir(const struct engine *engine, const char *path); /* one that verb_cache_dir made */
void build_cache_trim(struct engine *engine);                     /* forgets what has not been used for longest beyond the limit */
