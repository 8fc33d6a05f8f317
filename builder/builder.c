#include "builder/builder.h"

#include "builder/stage.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/json/value.h"
#include "lib/oci/pattern.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define IGNORE_FILE_MAX ((size_t)1 << 20)
#define SHORT_ID 12

/* ---- files of the context ---- */

static int read_file(int context_fd, const char *name, size_t max, char **ret, size_t *ret_length)
{
    AUTO_FD int fd = root_open(context_fd, name, O_RDONLY | O_NONBLOCK, 0);
    return fd < 0 ? fd : io_read_fd(fd, max, ret, ret_length);
}

int builder_read_dockerfile(int context_fd, const char *name, char **ret_text, size_t *ret_length, struct err *err)
{
    bool standard = str_empty(name) || str_eq(name, "Dockerfile");
    int r = read_file(context_fd, standard ? "Dockerfile" : name, DOCKERFILE_BYTES_MAX, ret_text, ret_length);
    if (r == -ENOENT && standard)
        r = read_file(context_fd, "dockerfile", DOCKERFILE_BYTES_MAX, ret_text, ret_length);
    if (r == -EFBIG)
        return err_set(err, ERR_INVALID, "the Dockerfile is larger than %zu bytes", DOCKERFILE_BYTES_MAX);
    if (r == -ENOENT || r == -ENOTDIR)
        return err_set(err, ERR_INTERNAL, "Cannot locate specified Dockerfile: %s", standard ? "Dockerfile" : name);
    return r < 0 ? err_sys(err, r, "read the Dockerfile %s", standard ? "Dockerfile" : name) : 0;
}

int builder_read_ignore(int context_fd, const char *name, char ***ret_patterns, struct err *err)
{
    AUTO_FREE char *own = str_format("%s.dockerignore", str_empty(name) ? "Dockerfile" : name);
    AUTO_FREE char *text = NULL;
    size_t length;
    const char *used = own;
    *ret_patterns = NULL;
    int r = read_file(context_fd, own, IGNORE_FILE_MAX, &text, &length);
    if (r == -ENOENT || r == -ENOTDIR) {
        used = ".dockerignore";
        r = read_file(context_fd, used, IGNORE_FILE_MAX, &text, &length);
    }
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r < 0)
        return err_sys(err, r, "read %s", used);
    return ignore_file_parse(text, length, ret_patterns, err) < 0 ? err_wrap(err, "%s", used) : 0;
}

/* ---- the build ---- */

static int check_tags(char *const *tags, struct err *err)
{
    for (; tags && *tags; tags++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        if (reference_parse(*tags, &ref, err) < 0)
            return -1;
        if (ref.digest)
            return err_set(err, ERR_INVALID, "the tag %s has a digest: a digest is not given by the builder", *tags);
    }
    return 0;
}

static int read_params(struct builder *builder, struct err *err)
{
    const struct job_build *params = builder->params;
    const char *epoch = str_map_get(&params->build_args, "SOURCE_DATE_EPOCH");
    int64_t seconds;
    builder->epoch_ns = -1;
    if (!str_empty(epoch)) {
        if (str_to_i64(epoch, &seconds) < 0 || seconds < 0 || seconds > INT64_MAX / NANOS_PER_SECOND)
            return err_set(err, ERR_INVALID, "invalid SOURCE_DATE_EPOCH: %s", epoch);
        builder->epoch_ns = seconds * NANOS_PER_SECOND;
    }
    platform_host(&builder->host);
    builder->platform = builder->host;
    if (!str_empty(params->platform) && platform_parse(params->platform, &builder->platform, err) < 0)
        return -1;
    if (check_tags(params->tags, err) < 0)
        return -1;
    if (params->squash)
        return err_set(err, ERR_INVALID, "squash is only supported with experimental mode");
    builder->context_path = str_format("%s/context", params->job_dir);
    builder->context_fd = openat(builder->job_fd, "context", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return builder->context_fd < 0 ? err_sys(err, errno, "open the build context") : 0;
}

static void warn_of_text(struct builder *builder)
{
    for (size_t i = 0; i < builder->file.empty_continuation_count; i++)
        say(builder, "[Warning] Empty continuation line found in the instruction of line %u\n",
            builder->file.empty_continuations[i]);
}

static size_t count_global_args(const struct builder *builder)
{
    size_t count = 0;
    while (count < builder->file.count && str_eq(builder->file.instructions[count].kind->name, "ARG"))
        count++;
    return count;
}

static int plan_all(struct builder *builder, struct err *err)
{
    if (graph_make(builder, err) < 0)
        return -1;
    builder->steps_total = count_global_args(builder);
    for (size_t i = 0; i <= builder->target->index; i++) {
        struct build_stage *stage = &builder->stages[i];
        if (!stage->needed)
            continue;
        if (plan_stage(stage, err) < 0)
            return -1;
        stage->first_step = builder->steps_total + 1;
        builder->steps_total += 1 + stage->step_count;
    }
    return 0;
}

static int make_all(struct builder *builder, struct err *err)
{
    for (size_t i = 0; i < count_global_args(builder); i++)
        say(builder, "Step %zu/%zu : %s\n", i + 1, builder->steps_total, builder->file.instructions[i].original);
    return make_all_stages(builder, err);
}

static void show_tags(struct builder *builder)
{
    for (char **tag = builder->params->tags; tag && *tag; tag++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        struct err ignored = { 0 };
        if (reference_parse(*tag, &ref, &ignored) < 0)
            continue;
        reference_tag_default(&ref);
        AUTO_FREE char *familiar = reference_familiar_string(&ref);
        say(builder, "Successfully tagged %s\n", familiar);
    }
}

static int finish(struct builder *builder, char **ret_image_id, struct err *err)
{
    char verb[] = "image", parent[] = "";
    AUTO_FREE char *config = image_finish(builder->target);
    struct build_image request = { verb, config, parent, builder->params->tags };
    struct build_image_committed reply = { 0 };
    if (builder->backend->call(builder->backend->arg, BUILD_IMAGE, &request, -1, &reply, NULL, err) < 0)
        return -1;
    const char *hex = str_after(reply.image_id, "sha256:");
    AUTO_FREE char *aux = str_format("{\"ID\":\"%s\"}", reply.image_id);
    say_aux(builder, aux);
    args_warn_unused(builder);
    say(builder, "Successfully built %.*s\n", SHORT_ID, hex ? hex : reply.image_id);
    show_tags(builder);
    if (builder->params->quiet) {
        buf_clear(&builder->held_back);
        buf_printf(&builder->held_back, "%s\n", reply.image_id);
    }
    say_held_back(builder);
    *ret_image_id = take_ptr(&reply.image_id);
    codec_clear(&build_image_committed_type, &reply);
    return 0;
}

static struct builder *builder_new(const struct build_backend *backend, const struct job_build *params, int job_fd)
{
    struct builder *builder = xcalloc(1, sizeof *builder);
    *builder = (struct builder){
        .backend = backend, .params = params, .job_fd = job_fd, .context_fd = -1, .held_back = BUF_INIT(BUF_TEXT_MAX)
    };
    builder->results = map_new();
    mutex_init(&builder->lock);
    mutex_init(&builder->binds_lock);
    cond_init(&builder->moved);
    return builder;
}

static void builder_free(struct builder *builder)
{
    void *value;
    for (size_t cursor = 0; map_next(builder->results, &cursor, NULL, &value);) {
        codec_clear(&build_cache_value_type, value);
        free(value);
    }
    map_free(builder->results);
    graph_free(builder);
    images_free(builder);
    dockerfile_done(&builder->file);
    strv_free(builder->global_args);
    strv_free(builder->consumed);
    strv_free(builder->binds);
    strv_free(builder->keys_at_work);
    buf_done(&builder->held_back);
    free(builder->context_path);
    fd_close(builder->context_fd);
    mutex_done(&builder->lock);
    mutex_done(&builder->binds_lock);
    cond_done(&builder->moved);
    free(builder);
}

int builder_run(const struct build_backend *backend, const struct job_build *params, const char *text, size_t length,
                int job_fd, char **ret_image_id, struct err *err)
{
    struct builder *builder = builder_new(backend, params, job_fd);
    int r = dockerfile_parse(text, length, &builder->file, err);
    if (r == 0)
        r = read_params(builder, err);
    if (r == 0)
        r = plan_all(builder, err);
    if (r == 0) {
        warn_of_text(builder);
        r = make_all(builder, err);
    }
    if (r == 0)
        r = finish(builder, ret_image_id, err);
    else
        say_held_back(builder);
    if (r < 0 && backend->impatient && schedule_is_busy(builder))
        return -1; /* threads may still be at work in it */
    schedule_wait(builder);
    builder_free(builder);
    return r;
}
