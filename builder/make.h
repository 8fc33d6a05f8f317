/* The making of one layer. Inside of the room. */
#pragma once
#include "builder/stage.h"

#define KEY_SIZE 65

struct fetched { /* a URL of ADD */
    struct build_fetched file;
    bool valid;
};
struct making {
    struct builder *builder;
    struct build_stage *stage;
    struct step *step;
    struct build_scratch scratch;
    struct fetched *fetched; /* as many as the step has URLs */
};
/* One verb. */
int ask(struct builder *builder, enum build_verb verb, const void *request, void *reply, struct err *err);
char *verb_name(enum build_verb verb); /* owned: requests hold it as char * */

/* sources.c */
int source_lowers(struct builder *builder, const struct build_source *source, char *const **ret,
                  struct err *err);                              /* borrowed, top first; NULL = no layers */
char *const *source_diff_ids(const struct build_source *source); /* borrowed */
/* Fills where the files of a copy come from (borrowed members). */
int source_of_copy(struct builder *builder, const struct build_source *source, struct job_build_copy *copy,
                   struct err *err);
/* An empty job with all texts set; dest is the layer in the making unless NULL. */
void copy_job_init(struct job_build_copy *copy, const struct build_scratch *dest);
int copy_job(struct builder *builder, const struct job_build_copy *copy, struct job_build_copy_result *ret,
             struct err *err);

/* key.c: the key of a step that makes a layer. by_content: files that come from other stages count by what they are;
 * else by the layers they lie in, which is quick to tell. *ret_same: the step has no such files. */
int step_key(struct making *making, bool by_content, char ret[KEY_SIZE], bool *ret_same, struct err *err);
void key_of_texts(char *const *texts, char ret[KEY_SIZE]);

/* make_copy.c, make_run.c: what the step does to making->scratch. */
int copy_fetch(struct making *making, struct err *err);
int copy_work(struct making *making, struct err *err);
int workdir_work(struct making *making, struct err *err);
int run_work(struct making *making, struct err *err);

/* run_mounts.c: the mounts of a RUN; fds are open while its caches are in use. */
struct run_mounts {
    CODEC_LIST(struct build_mount) list;
    char **targets; /* mount points */
    int *lock_fds;
    size_t lock_count;
};
int run_mounts_open(struct making *making, struct run_mounts *ret, struct err *err);
void run_mounts_close(struct run_mounts *mounts);
