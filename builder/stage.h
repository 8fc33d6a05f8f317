/* The plan of a build: stages with their steps, and the state that instructions change while they are planned. Inside
 * of the room. */
#pragma once
#include "builder/builder.h"
#include "builder/expand.h"
#include "builder/parse.h"
#include "lib/base/map.h"
#include "lib/base/sync.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"

struct build_stage;

/* An image that was looked up, once per reference and platform. */
struct base_image {
    char *reference, *platform;
    struct build_resolved resolved;
    struct oci_image config;
    char **lowers; /* top first; filled when asked for; the builder's lock */
    struct base_image *next;
};
/* Where files come from. */
enum source_kind { SOURCE_CONTEXT, SOURCE_STAGE, SOURCE_IMAGE, SOURCE_NOTHING /* "scratch" */ };
struct build_source {
    enum source_kind kind;
    struct build_stage *stage; /* borrowed */
    struct base_image *image;  /* borrowed */
};

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { SHARING_SHARED, SHARING_PRIVATE, SHARING_LOCKED };
struct step_mount {
    enum mount_kind kind;
    enum mount_sharing sharing;
    char *from; /* as written, or NULL */
    struct build_source source;
    char *source_path, *target, *id; /* target: absolute */
    char *env;                       /* of a secret */
    bool readonly, required;
    int64_t size, mode, uid, gid;
};
struct run_step {
    char **argv, **env;
    char *shown; /* the command for messages */
    char *cwd, *user, *network;
    char *script_name, *script; /* a heredoc that is a program of its own, or NULL */
    struct step_mount *mounts;
    size_t mount_count;
};
struct copy_step {
    bool is_add, parents, link, unpack, unpack_said, target_is_dir;
    struct build_source source;
    char **sources, **urls;
    char **inline_names, **inline_contents;
    char *target;                   /* absolute */
    char *chown, *chmod, *checksum; /* "" = none */
    char **exclude;
};
enum step_kind { STEP_PLAIN, STEP_RUN, STEP_COPY, STEP_WORKDIR };
struct step {
    enum step_kind kind;
    char *text; /* the instruction's line */
    unsigned line;
    size_t history; /* of steps that make a layer: the record in the stage's image */
    bool trigger;
    struct run_step run;
    struct copy_step copy;
    char *workdir, *owner; /* of STEP_WORKDIR */
};

enum stage_progress { STAGE_WAITING, STAGE_STARTED, STAGE_MADE };
struct build_stage {
    struct builder *builder;
    size_t index;
    char *name;      /* lower case, or NULL */
    char *shown;     /* the name or "stage-<index>" */
    char *from_text; /* the line of FROM */
    unsigned from_line;
    char *base_name, *platform;   /* expanded; platform "" = the build's */
    struct build_stage *base;     /* FROM an earlier stage */
    struct base_image *image;     /* FROM an image; both NULL: scratch */
    struct instruction *commands; /* borrowed from the file */
    size_t command_count;
    struct dockerfile *triggers; /* ONBUILD of the base */
    size_t trigger_count;
    bool needed;

    /* what instructions change while the plan is made */
    struct oci_image config;
    char **env;        /* of the image, plus the values of ARG */
    char **arg_names;  /* declared, in order; several of a name are possible */
    char **arg_values; /* same length; "" where there is none */
    bool cmd_set;
    struct step *steps;
    size_t step_count;
    bool in_trigger;

    /* what is known when the stage is made */
    char **diff_ids; /* bottom first */
    char **lowers;   /* top first; filled when asked for; the builder's lock */
    bool failed_command;
    int64_t exit_code;            /* of that command */
    enum stage_progress progress; /* the builder's lock */
    size_t first_step;            /* its number in the build */
    struct buf output;            /* what it said while an earlier stage was still speaking; the builder's lock */
    char key[65];                 /* of the last layer that was made here, "" before the first (key.c) */
    char chain[65];               /* digest over everything that was done, for the ids that are shown */
};

struct builder {
    const struct build_backend *backend;
    const struct job_build *params;
    int job_fd, context_fd;
    char *context_path;
    struct dockerfile file;
    struct build_stage *stages;
    size_t stage_count;
    struct build_stage *target;
    char **global_args; /* NAME=value: the platform's names and ARG before FROM */
    char **consumed;    /* names of build arguments that some ARG asked for */
    struct base_image *images;
    struct platform platform, host;
    int64_t epoch_ns; /* SOURCE_DATE_EPOCH, or -1 */
    size_t steps_total;

    /* while stages are made, by several threads (schedule.c) */
    struct mutex lock;
    struct cond moved;
    size_t front;        /* the stage whose output goes out as it comes; those behind it wait their turn */
    size_t working;      /* stages that are not waiting for another */
    size_t threads;      /* that still run */
    bool over;           /* done, or failed: nobody begins another step */
    struct err failure;  /* the first one */
    char **keys_at_work; /* of layers in the making */
    struct map *results; /* of this build: key -> struct build_cache_value */
    struct mutex binds_lock;
    struct buf held_back; /* quiet: the output until something fails */
    char **binds;         /* scratch layers that hold copies for bind mounts: key, path, key, path, ... */
};

/* graph.c: stages of the file; the target; which are needed. */
int graph_make(struct builder *builder, struct err *err);
struct build_stage *graph_find(struct builder *builder, const char *name); /* the last of that name, ignoring case */
/* A --from: a stage's name or number, "scratch", or an image. Only stages before `user` may be used. */
int graph_source(struct build_stage *user, const char *from, struct build_source *ret, struct err *err);
void graph_free(struct builder *builder);

/* args.c */
int args_global(struct builder *builder, struct err *err); /* ARGs before the first FROM */
const char *args_given(struct builder *builder,
                       const char *name); /* of the command line; NULL = not given. Marks it as consumed */
void args_warn_unused(struct builder *builder);
char **args_proxies(const struct builder *builder); /* NAME=value of the proxy arguments, both cases; owned */
bool args_is_proxy(const char *name);

/* plan.c */
int plan_stage(struct build_stage *stage, struct err *err);
void plan_stage_free(struct build_stage *stage);
struct expand_scope stage_scope(struct build_stage *stage);
int stage_expand(struct build_stage *stage, const char *text, char **ret, struct err *err);
int stage_expand_all(struct build_stage *stage, char **list, struct err *err); /* in place */
/* A record without a layer, or (layer) one whose time comes with its layer. */
size_t stage_history(struct build_stage *stage, bool layer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct step *stage_step(struct build_stage *stage, enum step_kind kind);
char **stage_shell(struct build_stage *stage, char *const *words);   /* /bin/sh -c or SHELL in front; owned */
char *stage_path(const struct build_stage *stage, const char *path); /* absolute: below the working directory; owned */
const char *stage_cwd(const struct build_stage *stage);

/* images.c */
int image_lookup(struct builder *builder, const char *reference, const char *platform, struct base_image **ret,
                 struct err *err);
void images_free(struct builder *builder);
/* Times of the history, root file system, labels of the command line: the bytes of the image. Owned. */
char *image_finish(struct build_stage *stage);

/* mount_options.c: one --mount=... */
int mount_parse(struct build_stage *stage, const char *text, struct step_mount *ret, struct err *err);
void mount_clear(struct step_mount *mount);
/* The from= of a --mount or NULL, without expanding anything; owned. */
char *mount_from(const char *text);

/* output.c */
void say(struct builder *builder, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_say(struct build_stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_say_bytes(struct build_stage *stage, const char *bytes, size_t length);
void stage_say_now_locked(struct build_stage *stage); /* what it has kept back goes out */
void say_aux(struct builder *builder, const char *json);
void say_exit_code(struct builder *builder, int64_t code);
void say_held_back(struct builder *builder);

/* schedule.c: all needed stages, side by side where they do not wait for each other. On failure threads may still be at
 * work (builder->threads); the last of them may be waited for with schedule_wait(). */
int make_all_stages(struct builder *builder, struct err *err);
void schedule_wait(struct builder *builder);
bool schedule_is_busy(struct builder *builder);
int schedule_wait_for(struct build_stage *user, struct build_stage *needed, struct err *err); /* until it is made */
int schedule_go_on(struct builder *builder, struct err *err); /* ERR_CANCELLED when the build is over */
/* One layer of a key is made at a time. */
void schedule_claim(struct builder *builder, const char *key);
void schedule_release(struct builder *builder, const char *key);

/* make.c: the steps of a planned stage become layers. */
int make_stage(struct build_stage *stage, struct err *err);
