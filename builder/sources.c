/* Where the files of COPY, ADD and bind mounts come from. */
#include "builder/make.h"
#include "lib/base/str.h"

int ask(struct builder *builder, enum build_verb verb, const void *request, void *reply, struct err *err)
{
    return builder->backend->call(builder->backend->arg, verb, request, -1, reply, NULL, err);
}

char *verb_name(enum build_verb verb)
{
    return xstrdup(build_verb_get(verb)->name);
}

char *const *source_diff_ids(const struct build_source *source)
{
    if (source->kind == SOURCE_STAGE)
        return source->stage->diff_ids;
    return source->kind == SOURCE_IMAGE ? source->image->resolved.diff_ids : NULL;
}

static int ask_lowers(struct builder *builder, char *const *diff_ids, char ***ret, struct err *err)
{
    AUTO_FREE char *verb = verb_name(BUILD_LAYERS);
    CLEANUP(strv_free) char **ids = strv_dup(diff_ids);
    struct build_layers request = { verb, ids };
    struct build_layers_reply reply = { 0 };
    if (ask(builder, BUILD_LAYERS, &request, &reply, err) < 0)
        return -1;
    *ret = take_ptr(&reply.lowers);
    codec_clear(&build_layers_reply_type, &reply);
    return 0;
}

int source_lowers(struct builder *builder, const struct build_source *source, char *const **ret, struct err *err)
{
    char ***slot = source->kind == SOURCE_STAGE   ? &source->stage->lowers
                   : source->kind == SOURCE_IMAGE ? &source->image->lowers
                                                  : NULL;
    char *const *diff_ids = source_diff_ids(source);
    CLEANUP(strv_free) char **lowers = NULL;
    *ret = NULL;
    if (!slot || !diff_ids || !diff_ids[0])
        return 0;
    mutex_lock(&builder->lock);
    *ret = *slot;
    mutex_unlock(&builder->lock);
    if (*ret)
        return 0;
    if (ask_lowers(builder, diff_ids, &lowers, err) < 0)
        return -1;
    mutex_lock(&builder->lock);
    if (!*slot)
        *slot = take_ptr(&lowers);
    *ret = *slot;
    mutex_unlock(&builder->lock);
    return 0;
}

int source_of_copy(struct builder *builder, const struct build_source *source, struct job_build_copy *copy,
                   struct err *err)
{
    char *const *lowers;
    if (source->kind == SOURCE_CONTEXT) {
        copy->source_dir = builder->context_path;
        return 0;
    }
    if (source_lowers(builder, source, &lowers, err) < 0)
        return -1;
    union { /* the job's struct owns nothing here */
        char *const *borrowed;
        char **member;
    } list = { lowers };
    copy->source.lowers = list.member;
    return 0;
}

void copy_job_init(struct job_build_copy *copy, const struct build_scratch *dest)
{
    static char nothing[] = "", root[] = "/";
    *copy = (struct job_build_copy){ .source_dir = nothing,
                                     .target = root,
                                     .workdir = root,
                                     .chown = nothing,
                                     .chmod = nothing,
                                     .op = nothing,
                                     .mtime_unix = -1,
                                     .file_mode = -1 };
    if (dest)
        copy->dest = (struct job_mount_spec){ .lowers = dest->lowers, .upper = dest->upper, .work = dest->work };
}

int copy_job(struct builder *builder, const struct job_build_copy *copy, struct job_build_copy_result *ret,
             struct err *err)
{
    AUTO_FREE char *verb = verb_name(BUILD_COPY);
    struct build_copy request = { verb, *copy };
    return ask(builder, BUILD_COPY, &request, ret, err);
}
