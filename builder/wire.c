/* The tables of backend.h. */
#include "builder/backend.h"

#include "lib/base/str.h"

static const struct codec_field build_resolve_fields[] = {
    F_STR(struct build_resolve, request, "request", 0),
    F_STR(struct build_resolve, reference, "reference", 0),
    F_STR(struct build_resolve, platform, "platform", 0),
    F_BOOL(struct build_resolve, pull, "pull", 0),
    F_END,
};
CODEC_DEFINE(build_resolve);
static const struct codec_field build_resolved_fields[] = {
    F_STR(struct build_resolved, image_id, "image_id", 0),
    F_STR(struct build_resolved, config, "config", 0),
    F_STRV(struct build_resolved, diff_ids, "diff_ids", 0),
    F_END,
};
CODEC_DEFINE(build_resolved);
static const struct codec_field build_layers_fields[] = {
    F_STR(struct build_layers, request, "request", 0),
    F_STRV(struct build_layers, diff_ids, "diff_ids", 0),
    F_END,
};
CODEC_DEFINE(build_layers);
static const struct codec_field build_layers_reply_fields[] = {
    F_STRV(struct build_layers_reply, lowers, "lowers", 0),
    F_END,
};
CODEC_DEFINE(build_layers_reply);
static const struct codec_field build_layer_begin_fields[] = {
    F_STR(struct build_layer_begin, request, "request", 0),
    F_STRV(struct build_layer_begin, diff_ids, "diff_ids", 0),
    F_END,
};
CODEC_DEFINE(build_layer_begin);
static const struct codec_field build_scratch_fields[] = {
    F_STR(struct build_scratch, id, "id", 0),
    F_STRV(struct build_scratch, lowers, "lowers", 0),
    F_STR(struct build_scratch, upper, "upper", 0),
    F_STR(struct build_scratch, work, "work", 0),
    F_END,
};
CODEC_DEFINE(build_scratch);
static const struct codec_field build_layer_commit_fields[] = {
    F_STR(struct build_layer_commit, request, "request", 0),
    F_STR(struct build_layer_commit, id, "id", 0),
    F_END,
};
CODEC_DEFINE(build_layer_commit);
static const struct codec_field build_layer_committed_fields[] = {
    F_STR(struct build_layer_committed, diff_id, "diff_id", 0),
    F_I64(struct build_layer_committed, size, "size", 0),
    F_BOOL(struct build_layer_committed, empty, "empty", 0),
    F_END,
};
CODEC_DEFINE(build_layer_committed);
static const struct codec_field build_mount_fields[] = {
    F_STR(struct build_mount, type, "type", 0),
    F_STR(struct build_mount, source, "source", 0),
    F_STR(struct build_mount, target, "target", 0),
    F_BOOL(struct build_mount, readonly, "readonly", 0),
    F_I64(struct build_mount, size, "size", 0),
    F_END,
};
CODEC_DEFINE(build_mount);
static const struct codec_field build_run_fields[] = {
    F_STR(struct build_run, request, "request", 0),
    F_STR(struct build_run, scratch_id, "scratch_id", 0),
    F_STRV(struct build_run, argv, "argv", 0),
    F_STRV(struct build_run, env, "env", 0),
    F_STR(struct build_run, cwd, "cwd", 0),
    F_STR(struct build_run, user, "user", 0),
    F_STR(struct build_run, network, "network", 0),
    F_STR(struct build_run, security, "security", 0),
    F_LIST(struct build_run, mounts, "mounts", 0, build_mount),
    F_END,
};
CODEC_DEFINE(build_run);
static const struct codec_field build_ran_fields[] = {
    F_I64(struct build_ran, exit_code, "exit_code", 0),
    F_BOOL(struct build_ran, started, "started", 0),
    F_STR(struct build_ran, error, "error", 0),
    F_END,
};
CODEC_DEFINE(build_ran);
static const struct codec_field build_copy_fields[] = {
    F_STR(struct build_copy, request, "request", 0),
    F_OBJ(struct build_copy, copy, "copy", 0, job_build_copy),
    F_END,
};
CODEC_DEFINE(build_copy);
static const struct codec_field build_fetch_fields[] = {
    F_STR(struct build_fetch, request, "request", 0),
    F_STR(struct build_fetch, url, "url", 0),
    F_STR(struct build_fetch, checksum, "checksum", 0),
    F_END,
};
CODEC_DEFINE(build_fetch);
static const struct codec_field build_fetched_fields[] = {
    F_STR(struct build_fetched, digest, "digest", 0),
    F_STR(struct build_fetched, file_name, "file_name", 0),
    F_STR(struct build_fetched, path, "path", 0),
    F_I64(struct build_fetched, size, "size", 0),
    F_I64(struct build_fetched, mtime_unix, "mtime_unix", 0),
    F_END,
};
CODEC_DEFINE(build_fetched);
static const struct codec_field build_cache_get_fields[] = {
    F_STR(struct build_cache_get, request, "request", 0),
    F_STR(struct build_cache_get, key, "key", 0),
    F_END,
};
CODEC_DEFINE(build_cache_get);
static const struct codec_field build_cache_value_fields[] = {
    F_BOOL(struct build_cache_value, found, "found", 0),
    F_STR(struct build_cache_value, diff_id, "diff_id", 0),
    F_I64(struct build_cache_value, size, "size", 0),
    F_I64(struct build_cache_value, created_unix_ns, "created_unix_ns", 0),
    F_STR(struct build_cache_value, extra, "extra", 0),
    F_END,
};
CODEC_DEFINE(build_cache_value);
static const struct codec_field build_cache_put_fields[] = {
    F_STR(struct build_cache_put, request, "request", 0),
    F_STR(struct build_cache_put, key, "key", 0),
    F_STR(struct build_cache_put, diff_id, "diff_id", 0),
    F_I64(struct build_cache_put, size, "size", 0),
    F_I64(struct build_cache_put, created_unix_ns, "created_unix_ns", 0),
    F_STR(struct build_cache_put, extra, "extra", 0),
    F_STR(struct build_cache_put, description, "description", 0),
    F_END,
};
CODEC_DEFINE(build_cache_put);
static const struct codec_field build_cache_dir_fields[] = {
    F_STR(struct build_cache_dir, request, "request", 0),
    F_STR(struct build_cache_dir, key, "key", 0),
    F_I64(struct build_cache_dir, mode, "mode", 0),
    F_I64(struct build_cache_dir, uid, "uid", 0),
    F_I64(struct build_cache_dir, gid, "gid", 0),
    F_END,
};
CODEC_DEFINE(build_cache_dir);
static const struct codec_field build_cache_dir_reply_fields[] = {
    F_STR(struct build_cache_dir_reply, path, "path", 0),
    F_BOOL(struct build_cache_dir_reply, created, "created", 0),
    F_END,
};
CODEC_DEFINE(build_cache_dir_reply);
static const struct codec_field build_image_fields[] = {
    F_STR(struct build_image, request, "request", 0),
    F_STR(struct build_image, config, "config", 0),
    F_STR(struct build_image, parent, "parent", 0),
    F_STRV(struct build_image, tags, "tags", 0),
    F_END,
};
CODEC_DEFINE(build_image);
static const struct codec_field build_image_committed_fields[] = {
    F_STR(struct build_image_committed, image_id, "image_id", 0),
    F_END,
};
CODEC_DEFINE(build_image_committed);
static const struct codec_field build_nothing_fields[] = {
    F_STR(struct build_nothing, request, "request", 0),
    F_END,
};
CODEC_DEFINE(build_nothing);

static const struct build_verb_row rows[BUILD_VERB_COUNT] = {
    [BUILD_RESOLVE] = { "resolve", &build_resolve_type, &build_resolved_type },
    [BUILD_LAYERS] = { "layers", &build_layers_type, &build_layers_reply_type },
    [BUILD_LAYER_BEGIN] = { "layer-begin", &build_layer_begin_type, &build_scratch_type },
    [BUILD_LAYER_COMMIT] = { "layer-commit", &build_layer_commit_type, &build_layer_committed_type },
    [BUILD_LAYER_DROP] = { "layer-drop", &build_layer_commit_type, &build_nothing_type },
    [BUILD_RUN] = { "run", &build_run_type, &build_ran_type },
    [BUILD_COPY] = { "copy", &build_copy_type, &job_build_copy_result_type },
    [BUILD_FETCH] = { "fetch", &build_fetch_type, &build_fetched_type },
    [BUILD_CACHE_GET] = { "cache-get", &build_cache_get_type, &build_cache_value_type },
    [BUILD_CACHE_PUT] = { "cache-put", &build_cache_put_type, &build_nothing_type },
    [BUILD_CACHE_DIR] = { "cache-dir", &build_cache_dir_type, &build_cache_dir_reply_type },
    [BUILD_IMAGE] = { "image", &build_image_type, &build_image_committed_type },
};

const struct build_verb_row *build_verb_get(enum build_verb verb)
{
    return &rows[verb];
}

enum build_verb build_verb_find(const char *name)
{
    size_t verb = 0;
    while (verb < BUILD_VERB_COUNT && !str_eq(rows[verb].name, name))
        verb++;
    return (enum build_verb)verb;
}
