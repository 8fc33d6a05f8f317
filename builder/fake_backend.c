#include "builder/fake_backend.h"

#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/unpack/hash.h"

#include <inttypes.h>

#define LIMIT ((size_t)1 << 20)

static int do_resolve(struct fake_backend *fake, const struct build_resolve *ask, struct build_resolved *ret,
                      struct err *err)
{
    const char *config = map_get(fake->images, ask->reference);
    if (!config)
        return err_set(err, ERR_NOT_FOUND, "pull access denied for %s", ask->reference);
    buf_printf(&fake->log, "resolve %s %s%s\n", ask->reference, ask->platform, ask->pull ? " pull" : "");
    ret->image_id = str_format("sha256:%064d", 7);
    ret->config = xstrdup(config);
    strv_append(&ret->diff_ids, "sha256:base");
    return 0;
}

static int do_begin(struct fake_backend *fake, const struct build_layer_begin *ask, struct build_scratch *ret)
{
    buf_clear(&fake->layer);
    AUTO_FREE char *below = strv_join(ask->diff_ids, " ");
    buf_printf(&fake->layer, "over %s\n", below);
    ret->id = str_format("%016d", ++fake->scratches);
    ret->upper = str_format("/fake/%s/diff", ret->id);
    ret->work = str_format("/fake/%s/work", ret->id);
    return 0;
}

/* Equal work gives an equal layer. */
static int do_commit(struct fake_backend *fake, struct build_layer_committed *ret)
{
    char digest[HASH_TEXT_SIZE];
    hash_bytes(fake->layer.data, fake->layer.length, digest);
    ret->diff_id = xstrdup(digest);
    ret->size = (int64_t)fake->layer.length;
    return 0;
}

static int do_run(struct fake_backend *fake, const struct build_run *ask, int output_fd, struct build_ran *ret)
{
    AUTO_FREE char *argv = strv_join(ask->argv, "|"), *env = strv_join(ask->env, " ");
    buf_printf(&fake->log, "run %s in %s as %s\n", argv, ask->cwd, ask->user);
    buf_printf(&fake->layer, "run %s %s\n", argv, env);
    for (size_t i = 0; i < ask->mounts.count; i++)
        buf_printf(&fake->log, "  mount %s %s%s\n", ask->mounts.items[i].type, ask->mounts.items[i].target,
                   ask->mounts.items[i].readonly ? " ro" : "");
    (void)io_write_all(output_fd, "output\n", 7);
    *ret = (struct build_ran){ .started = true, .error = xstrdup("") };
    if (strstr(argv, "exit"))
        ret->exit_code = fake->exit_code;
    return 0;
}

static int do_digest(struct fake_backend *fake, const struct job_build_copy *copy, struct job_build_copy_result *ret,
                     struct err *err)
{
    AUTO_BUF struct buf all = BUF_INIT(LIMIT);
    char digest[HASH_TEXT_SIZE];
    for (char **source = copy->sources; source && *source; source++) {
        const char *content = map_get(fake->files, *source);
        if (!content)
            return err_set(err, ERR_NOT_FOUND, "\"%s%s\": not found", **source == '/' ? "" : "/", *source);
        buf_printf(&all, "%s=%s\n", *source, content);
    }
    hash_bytes(all.data, all.length, digest);
    ret->digest = xstrdup(digest + strlen("sha256:"));
    return 0;
}

static int do_copy(struct fake_backend *fake, const struct job_build_copy *copy, struct job_build_copy_result *ret,
                   struct err *err)
{
    if (str_eq(copy->op, "digest"))
        return do_digest(fake, copy, ret, err);
    if (str_eq(copy->op, "probe") || str_eq(copy->op, "unstub"))
        return 0;
    AUTO_FREE char *sources = strv_join(copy->sources, " "), *inline_names = strv_join(copy->inline_names, " ");
    AUTO_FREE char *line = str_format("copy%s%s %s%s to %s by %s%s\n", *copy->op ? " " : "", copy->op, sources,
                                      inline_names, copy->target, copy->chown, copy->unpack ? " unpack" : "");
    buf_puts(&fake->log, line);
    buf_puts(&fake->layer, line);
    for (char **source = copy->sources; source && *source; source++) {
        const char *content = map_get(fake->files, *source);
        if (!content)
            return err_set(err, ERR_NOT_FOUND, "lstat %s: no such file or directory", *source);
        buf_puts(&fake->layer, content);
    }
    for (char **text = copy->inline_contents; text && *text; text++)
        buf_puts(&fake->layer, *text);
    return 0;
}

static int do_cache_put(struct fake_backend *fake, const struct build_cache_put *ask)
{
    struct build_cache_value *value = xcalloc(1, sizeof *value);
    *value = (struct build_cache_value){ .found = true,
                                         .diff_id = xstrdup(ask->diff_id),
                                         .size = ask->size,
                                         .created_unix_ns = ask->created_unix_ns,
                                         .extra = xstrdup(ask->extra) };
    struct build_cache_value *old = map_set(fake->cache, ask->key, value);
    if (old)
        codec_clear(&build_cache_value_type, old);
    free(old);
    return 0;
}

static int do_image(struct fake_backend *fake, const struct build_image *ask, struct build_image_committed *ret)
{
    char digest[HASH_TEXT_SIZE];
    hash_bytes(ask->config, strlen(ask->config), digest);
    free(fake->config);
    free(fake->tags);
    fake->config = xstrdup(ask->config);
    fake->tags = strv_join(ask->tags, " ");
    ret->image_id = xstrdup(digest);
    return 0;
}

static int answer(struct fake_backend *fake, enum build_verb verb, const void *request, int fd, void *reply,
                  int *ret_fd, struct err *err)
{
    const struct build_cache_value *known;
    if (ret_fd)
        *ret_fd = -1;
    switch (verb) {
    case BUILD_RESOLVE:
        return do_resolve(fake, request, reply, err);
    case BUILD_LAYERS:
        strv_append(&((struct build_layers_reply *)reply)->lowers, "/fake/layer");
        return 0;
    case BUILD_LAYER_BEGIN:
        return do_begin(fake, request, reply);
    case BUILD_LAYER_COMMIT:
        return do_commit(fake, reply);
    case BUILD_LAYER_DROP:
        buf_puts(&fake->log, "drop\n");
        return 0;
    case BUILD_RUN:
        return do_run(fake, request, fd, reply);
    case BUILD_COPY:
        return do_copy(fake, &((const struct build_copy *)request)->copy, reply, err);
    case BUILD_CACHE_GET:
        known = map_get(fake->cache, ((const struct build_cache_get *)request)->key);
        if (known)
            codec_copy(&build_cache_value_type, reply, known);
        return 0;
    case BUILD_CACHE_PUT:
        return do_cache_put(fake, request);
    case BUILD_CACHE_DIR:
        ((struct build_cache_dir_reply *)reply)->path =
            str_format("/fake/cache/%s", ((const struct build_cache_dir *)request)->key);
        return 0;
    case BUILD_IMAGE:
        return do_image(fake, request, reply);
    case BUILD_FETCH:
    case BUILD_VERB_COUNT:
        break;
    }
    return err_set(err, ERR_UNSUPPORTED, "the fake has no such verb");
}

static int call(void *arg, enum build_verb verb, const void *request, int fd, void *reply, int *ret_fd, struct err *err)
{
    struct fake_backend *fake = arg;
    mutex_lock(&fake->lock);
    int r = answer(fake, verb, request, fd, reply, ret_fd, err);
    mutex_unlock(&fake->lock);
    return r;
}

static int progress(void *arg, const struct job_progress *line, struct err *err)
{
    struct fake_backend *fake = arg;
    (void)err;
    if (str_eq(line->status, "exit-code"))
        fake->exit_code_shown = line->current;
    buf_puts(&fake->output, line->stream);
    return 0;
}

void fake_backend_init(struct fake_backend *fake)
{
    *fake = (struct fake_backend){ .log = BUF_INIT(LIMIT), .output = BUF_INIT(LIMIT), .layer = BUF_INIT(LIMIT) };
    fake->backend = (struct build_backend){ .arg = fake, .call = call, .progress = progress };
    mutex_init(&fake->lock);
    fake->images = map_new();
    fake->files = map_new();
    fake->cache = map_new();
}

void fake_backend_file(struct fake_backend *fake, const char *path, const char *content)
{
    free(map_set(fake->files, path, xstrdup(content)));
}

void fake_backend_done(struct fake_backend *fake)
{
    void *value;
    for (size_t cursor = 0; map_next(fake->files, &cursor, NULL, &value);)
        free(value);
    for (size_t cursor = 0; map_next(fake->cache, &cursor, NULL, &value);) {
        codec_clear(&build_cache_value_type, value);
        free(value);
    }
    mutex_done(&fake->lock);
    map_free(fake->cache);
    map_free(fake->images);
    map_free(fake->files);
    buf_done(&fake->log);
    buf_done(&fake->output);
    buf_done(&fake->layer);
    free(fake->config);
    free(fake->tags);
}
