/* The file work of COPY, ADD and WORKDIR. */
#include "builder/make.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#define REMOTE_FILE_MODE 0600

int copy_fetch(struct making *making, struct err *err)
{
    struct copy_step *copy = &making->step->copy;
    size_t count = strv_length(copy->urls);
    AUTO_FREE char *verb = verb_name(BUILD_FETCH);
    making->fetched = xcalloc(count + 1, sizeof *making->fetched);
    for (size_t i = 0; i < count; i++) {
        struct build_fetch request = { verb, copy->urls[i], copy->checksum };
        if (ask(making->builder, BUILD_FETCH, &request, &making->fetched[i].file, err) < 0)
            return err_wrap(err, "%s", copy->urls[i]);
        making->fetched[i].valid = true;
    }
    return 0;
}

static void job_of_step(const struct making *making, struct job_build_copy *job)
{
    struct copy_step *copy = &making->step->copy;
    copy_job_init(job, &making->scratch);
    job->target = copy->target;
    job->chown = copy->chown;
    job->chmod = copy->chmod;
    job->is_add = copy->is_add;
    job->target_is_dir = copy->target_is_dir;
    job->may_link = true; /* nobody writes a layer */
}

static int run_copy(struct making *making, const struct job_build_copy *job, struct err *err)
{
    struct job_build_copy_result result = { 0 };
    int r = copy_job(making->builder, job, &result, err);
    codec_clear(&job_build_copy_result_type, &result);
    return r;
}

/* One file of a URL: named by the server when the target is a directory. */
static int copy_remote(struct making *making, const struct build_fetched *file, struct err *err)
{
    const struct copy_step *copy = &making->step->copy;
    struct job_build_copy job;
    job_of_step(making, &job);
    const char *name = path_base(file->path);
    AUTO_FREE char *dir = xstrndup(file->path, (size_t)(name - file->path));
    AUTO_FREE char *source = xstrdup(name);
    AUTO_FREE char *target = copy->target_is_dir && !copy->unpack
                                 ? path_join(copy->target, str_empty(file->file_name) ? name : file->file_name)
                                 : xstrdup(copy->target);
    char *sources[] = { source, NULL };
    job.source_dir = dir;
    job.sources = sources;
    job.target = target;
    job.target_is_dir = copy->unpack;
    job.unpack = copy->unpack;
    job.mtime_unix = file->mtime_unix;
    job.file_mode = REMOTE_FILE_MODE;
    return run_copy(making, &job, err);
}

static int copy_files(struct making *making, struct err *err)
{
    const struct copy_step *copy = &making->step->copy;
    struct job_build_copy job;
    job_of_step(making, &job);
    if (source_of_copy(making->builder, &copy->source, &job, err) < 0)
        return -1;
    job.sources = copy->sources;
    job.inline_names = copy->inline_names;
    job.inline_contents = copy->inline_contents;
    job.exclude = copy->exclude;
    job.parents = copy->parents;
    job.link = copy->link;
    job.unpack = copy->is_add && (copy->unpack || !copy->unpack_said);
    return run_copy(making, &job, err);
}

int copy_work(struct making *making, struct err *err)
{
    const struct copy_step *copy = &making->step->copy;
    for (size_t i = 0; copy->urls && copy->urls[i]; i++)
        if (copy_remote(making, &making->fetched[i].file, err) < 0)
            return -1;
    return copy->sources || copy->inline_names ? copy_files(making, err) : 0;
}

int workdir_work(struct making *making, struct err *err)
{
    static char mkdir_op[] = "mkdir";
    struct job_build_copy job;
    copy_job_init(&job, &making->scratch);
    job.op = mkdir_op;
    job.target = making->step->workdir;
    job.chown = making->step->owner;
    return run_copy(making, &job, err);
}
