/* The job kind "build-copy": opens the trees of a step, closes the sandbox, and lets build_copy_*.c do the work. */
#include "daemon/worker/build_copy.h"
#include "daemon/worker/context_ignore.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

enum copy_op { OP_COPY, OP_DIGEST, OP_MKDIR, OP_PROBE, OP_UNSTUB };
struct step {
    struct worker *worker;
    const struct job_build_copy *params;
    enum copy_op op;
    struct copying copying;
    int source_fd, lower_fd, layer_fd, overlay_fd;
    int given_layer_fd, given_source_fd; /* the job's own, or -1 */
    bool fresh; /* the layer has nothing in it yet */
};

static int op_of(const char *name, enum copy_op *ret, struct err *err)
{
    static const struct {
        const char *name;
        enum copy_op op;
    } ops[] = { { "", OP_COPY }, { "copy", OP_COPY }, { "digest", OP_DIGEST }, { "mkdir", OP_MKDIR }, { "probe", OP_PROBE }, { "unstub", OP_UNSTUB } };
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (str_eq(ops[i].name, name ? name : "")) {
            *ret = ops[i].op;
            return 0;
        }
    }
    return err_set(err, ERR_INTERNAL, "unknown build-copy operation %s", name);
}

static void step_done(struct step *step)
{
    copying_done(&step->copying);
    fd_close(step->source_fd);
    fd_close(step->lower_fd);
    fd_close(step->layer_fd);
    fd_close(step->overlay_fd);
}

/* ---- before the sandbox closes ---- */

static int readable(int tree_fd, struct err *err)
{
    int fd = openat(tree_fd, ".", DIR_FLAGS);
    return fd < 0 ? err_sys(err, errno, "open a tree") : fd;
}

static int mount_readable(const struct job_mount_spec *spec, bool writable, int *ret, struct err *err)
{
    AUTO_FD int tree_fd = -1;
    if (worker_mount_tree(spec, writable, &tree_fd, err) < 0)
        return -1;
    *ret = readable(tree_fd, err);
    return *ret < 0 ? -1 : 0;
}

/* What holkd opened has holkd's mounts, all of it: a link from one such place to another is no link between two mounts. */
static int open_given(int given_fd, const char *path)
{
    return given_fd >= 0 ? openat(given_fd, ".", DIR_FLAGS) : open(path, DIR_FLAGS);
}

/* Beside the context may lie what its files hold (kind_build.c); it saves the reading of all of them. */
static int read_contents(struct step *step, struct err *err)
{
    AUTO_FREE char *path = str_format("%s" CONTEXT_DIGESTS, step->params->source_dir);
    AUTO_FD int fd = step->op == OP_DIGEST ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    return fd < 0 ? 0 : contents_load(fd, &step->copying.contents, err);
}

static int open_source(struct step *step, struct err *err)
{
    const struct job_build_copy *params = step->params;
    if (!str_empty(params->source_dir)) {
        step->copying.context = true;
        step->source_fd = open_given(step->given_source_fd, params->source_dir);
        return step->source_fd < 0 ? err_sys(err, errno, "open the source %s", params->source_dir) : read_contents(step, err);
    }
    if (!params->source.lowers || !params->source.lowers[0])
        return 0; /* an empty stage, or here-documents alone */
    return mount_readable(&params->source, false, &step->source_fd, err);
}

static int open_dest(struct step *step, struct err *err)
{
    const struct job_mount_spec *spec = &step->params->dest;
    struct job_mount_spec below = { .lowers = spec->lowers };
    if (spec->lowers && spec->lowers[0] && mount_readable(&below, false, &step->lower_fd, err) < 0)
        return -1;
    if (step->op == OP_PROBE && str_empty(spec->upper))
        return 0;
    step->layer_fd = str_empty(spec->upper) ? -1 : open_given(step->given_layer_fd, spec->upper);
    if (step->layer_fd < 0)
        return err_sys(err, str_empty(spec->upper) ? ENOENT : errno, "open the step's layer");
    step->fresh = copy_dir_is_empty(step->layer_fd);
    bool mounts = step->op == OP_COPY && (step->params->unpack || !step->fresh);
    if (step->op == OP_MKDIR && !step->fresh)
        mounts = true;
    return mounts && !str_empty(spec->work) ? mount_readable(spec, true, &step->overlay_fd, err) : 0;
}

static int seal(struct step *step, struct err *err)
{
    const int wanted[] = { step->source_fd, step->lower_fd, step->layer_fd, step->overlay_fd };
    int fds[ARRAY_SIZE(wanted)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        if (wanted[i] >= 0)
            fds[count++] = wanted[i];
    return worker_seal(step->worker, fds, count, err);
}

/* ---- behind it ---- */

static int read_patterns(struct step *step, struct err *err)
{
    const struct job_build_copy *params = step->params;
    struct copying *copying = &step->copying;
    CLEANUP(pattern_set_free) struct pattern_set *ignore = NULL;
    if (params->exclude && params->exclude[0] && pattern_set_new(params->exclude, &copying->exclude, err) < 0)
        return err_wrap(err, "invalid excludepatterns");
    if (mode_change_parse(params->chmod, &copying->chmod, err) < 0)
        return -1;
    if (!copying->context || !params->ignore || !params->ignore[0])
        return 0;
    if (pattern_set_new(params->ignore, &ignore, err) < 0)
        return err_wrap(err, "invalid .dockerignore");
    copying->hidden = map_new();
    copying->source.hidden = copying->hidden;
    return context_ignore_list(step->source_fd, ignore, copying->hidden, err);
}

static int find_owner(struct step *step, struct err *err)
{
    struct copying *copying = &step->copying;
    copying->has_owner = !str_empty(step->params->chown);
    return copying->has_owner ? copy_owner(&copying->dest, step->params->chown, &copying->uid, &copying->gid, err) : 0;
}

static void use_overlay(struct step *step)
{
    struct view *dest = &step->copying.dest;
    dest->root.upper_fd = step->overlay_fd;
    dest->root.lower_fd = -1;
    step->copying.may_link = false;
}

static int note_archive(struct copying *copying, const struct found *found, void *arg, struct err *err)
{
    bool *any = arg;
    int is = *any ? 0 : archive_is(copying, found, err);
    *any |= is > 0;
    return is < 0 ? -1 : 0;
}

#define MISSING "lstat %s: no such file or directory"

static int put_one(struct copying *copying, const struct found *found, void *arg, struct err *err)
{
    int archive = copying->params->unpack ? archive_is(copying, found, err) : 0;
    if (archive != 0)
        return archive < 0 ? -1 : archive_unpack(copying, found, err);
    return copy_found(copying, found, arg, err);
}

static int run_copy(struct step *step, struct err *err)
{
    struct copying *copying = &step->copying;
    const struct job_build_copy *params = step->params;
    AUTO_FREE char *target = copy_target(params);
    bool archives = false;
    if (params->unpack && step->fresh && sources_each(copying, MISSING, note_archive, &archives, err) < 0)
        return -1;
    if (step->overlay_fd >= 0 && (archives || !step->fresh))
        use_overlay(step);
    if (sources_each(copying, MISSING, put_one, target, err) < 0)
        return -1;
    for (size_t i = 0; params->inline_names && params->inline_names[i]; i++)
        if (copy_inline(copying, params->inline_names[i], params->inline_contents[i], err) < 0)
            return -1;
    return copy_finish(copying, err);
}

static int run(struct step *step, struct job_build_copy_result *result, char digest[65], struct err *err)
{
    struct copying *copying = &step->copying;
    copying->source.root = (struct view_dir){ .upper_fd = -1, .lower_fd = step->source_fd };
    copying->dest.root = (struct view_dir){ .upper_fd = step->layer_fd, .lower_fd = step->lower_fd };
    copying->may_link = copying->context && step->fresh && step->params->may_link;
    copying->buffer = xmalloc(COPY_BUFFER);
    if (read_patterns(step, err) < 0 || (step->op != OP_DIGEST && find_owner(step, err) < 0))
        return -1;
    switch (step->op) {
    case OP_COPY:
        return run_copy(step, err);
    case OP_DIGEST:
        result->digest = digest;
        return copy_digest(copying, digest, err);
    case OP_MKDIR:
        if (step->overlay_fd >= 0)
            use_overlay(step);
        return copy_mkdir(copying, err);
    case OP_PROBE:
        return copy_probe(copying, &result->paths, err);
    case OP_UNSTUB:
        return 0;
    }
    return 0;
}

static int check_texts(const struct job_build_copy *params, struct err *err)
{
    if (strv_length(params->inline_names) != strv_length(params->inline_contents))
        return err_set(err, ERR_INTERNAL, "names and contents of here-documents do not pair");
    return 0;
}

static void take_given(struct step *step, const struct job_message *run_message)
{
    size_t at = 0;
    if (!str_empty(step->params->dest.upper) && at < run_message->fd_count)
        step->given_layer_fd = run_message->fds[at++];
    if (!str_empty(step->params->source_dir) && at < run_message->fd_count)
        step->given_source_fd = run_message->fds[at];
}

static int prepare(struct step *step, struct err *err)
{
    if (op_of(step->params->op, &step->op, err) < 0 || check_texts(step->params, err) < 0)
        return -1;
    bool has_source = step->op == OP_COPY || step->op == OP_DIGEST;
    if ((has_source && open_source(step, err) < 0) || (step->op != OP_DIGEST && open_dest(step, err) < 0))
        return -1;
    if (step->op == OP_UNSTUB) { /* names and sizes alone; overlay's mark of an opaque directory can be read now only */
        step->copying.dest.root = (struct view_dir){ .upper_fd = step->layer_fd, .lower_fd = step->lower_fd };
        if (copy_unstub(&step->copying, err) < 0)
            return -1;
    }
    return seal(step, err);
}

int kind_build_copy(struct worker *worker, const struct job_message *run_message, struct err *err)
{
    struct job_build_copy params;
    char digest[65] = "";
    if (job_decode(run_message, &job_build_copy_type, &params, err) < 0)
        return -1;
    struct step step = { .worker = worker, .params = &params, .copying.params = &params, .source_fd = -1, .lower_fd = -1, .layer_fd = -1, .overlay_fd = -1,
                         .given_layer_fd = -1, .given_source_fd = -1 };
    struct job_build_copy_result result = { .digest = digest };
    take_given(&step, run_message);
    int r = prepare(&step, err);
    if (r == 0)
        r = run(&step, &result, digest, err);
    result.files = step.copying.files;
    result.bytes = step.copying.bytes;
    if (r == 0)
        r = worker_done(worker, &job_build_copy_result_type, &result, err);
    strv_free(result.paths);
    step_done(&step);
    codec_clear(&job_build_copy_type, &params);
    return r;
}
