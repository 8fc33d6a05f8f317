/* The rows of every job's structs. Member names are the wire names: both ends come from one build. */
#include "lib/jobs/kinds.h"

#include "lib/base/str.h"
#include "lib/jobs/private.h"

static const struct codec_field job_auth_fields[] = {
    F_STR(struct job_auth, username, "username", 0),
    F_STR(struct job_auth, password, "password", 0),
    F_STR(struct job_auth, identity_token, "identity_token", 0),
    F_STR(struct job_auth, registry_token, "registry_token", 0),
    F_STR(struct job_auth, server_address, "server_address", 0),
    F_END,
};
CODEC_DEFINE(job_auth);

static const struct codec_field job_layer_fields[] = {
    F_STR(struct job_layer, digest, "digest", 0),
    F_STR(struct job_layer, media_type, "media_type", 0),
    F_STR(struct job_layer, diff_id, "diff_id", 0),
    F_I64(struct job_layer, size, "size", 0),
    F_END,
};
CODEC_DEFINE(job_layer);

static const struct codec_field job_progress_fields[] = {
    F_STR(struct job_progress, id, "id", 0),
    F_STR(struct job_progress, status, "status", 0),
    F_STR(struct job_progress, stream, "stream", 0),
    F_I64(struct job_progress, current, "current", 0),
    F_I64(struct job_progress, total, "total", 0),
    F_RAW(struct job_progress, aux, "aux", OMIT_EMPTY),
    F_END,
};
CODEC_DEFINE(job_progress);

static const struct codec_field job_mount_spec_fields[] = {
    F_STRV(struct job_mount_spec, lowers, "lowers", 0),
    F_STR(struct job_mount_spec, upper, "upper", 0),
    F_STR(struct job_mount_spec, work, "work", 0),
    F_STRV(struct job_mount_spec, bind_sources, "bind_sources", 0),
    F_STRV(struct job_mount_spec, bind_targets, "bind_targets", 0),
    F_END,
};
CODEC_DEFINE(job_mount_spec);

static const struct codec_field job_pull_fields[] = {
    F_STR(struct job_pull, reference, "reference", 0),
    F_STR(struct job_pull, platform, "platform", 0),
    F_BOOL(struct job_pull, all_tags, "all_tags", 0),
    F_BOOL(struct job_pull, insecure, "insecure", 0),
    F_STRV(struct job_pull, mirrors, "mirrors", 0),
    F_STRV(struct job_pull, insecure_registries, "insecure_registries", 0),
    F_OBJ(struct job_pull, auth, "auth", 0, job_auth),
    F_STR(struct job_pull, certs_dir, "certs_dir", 0),
    F_END,
};
CODEC_DEFINE(job_pull);

static const struct codec_field job_pull_manifest_fields[] = {
    F_STR(struct job_pull_manifest, request, "request", 0),
    F_STR(struct job_pull_manifest, reference, "reference", 0),
    F_STR(struct job_pull_manifest, tag, "tag", 0),
    F_STR(struct job_pull_manifest, digest, "digest", 0),
    F_STR(struct job_pull_manifest, manifest, "manifest", 0),
    F_STR(struct job_pull_manifest, manifest_media_type, "manifest_media_type", 0),
    F_STR(struct job_pull_manifest, index, "index", 0),
    F_STR(struct job_pull_manifest, index_media_type, "index_media_type", 0),
    F_STR(struct job_pull_manifest, config, "config", 0),
    F_STR(struct job_pull_manifest, config_digest, "config_digest", 0),
    F_LIST(struct job_pull_manifest, layers, "layers", 0, job_layer),
    F_END,
};
CODEC_DEFINE(job_pull_manifest);

static const struct codec_field job_pull_have_fields[] = {
    F_STRV(struct job_pull_have, have, "have", 0),
    F_END,
};
CODEC_DEFINE(job_pull_have);

static const struct codec_field job_pull_blob_fields[] = {
    F_STR(struct job_pull_blob, request, "request", 0),
    F_STR(struct job_pull_blob, digest, "digest", 0),
    F_STR(struct job_pull_blob, diff_id, "diff_id", 0),
    F_STR(struct job_pull_blob, media_type, "media_type", 0),
    F_STR(struct job_pull_blob, file, "file", 0),
    F_I64(struct job_pull_blob, size, "size", 0),
    F_END,
};
CODEC_DEFINE(job_pull_blob);

static const struct codec_field job_pull_result_fields[] = {
    F_STRV(struct job_pull_result, digests, "digests", 0),
    F_STRV(struct job_pull_result, tags, "tags", 0),
    F_END,
};
CODEC_DEFINE(job_pull_result);

static const struct codec_field job_push_fields[] = {
    F_STR(struct job_push, reference, "reference", 0),
    F_BOOL(struct job_push, insecure, "insecure", 0),
    F_STRV(struct job_push, insecure_registries, "insecure_registries", 0),
    F_OBJ(struct job_push, auth, "auth", 0, job_auth),
    F_STR(struct job_push, config, "config", 0),
    F_STR(struct job_push, manifest, "manifest", 0),
    F_STR(struct job_push, manifest_media_type, "manifest_media_type", 0),
    F_LIST(struct job_push, layers, "layers", 0, job_layer),
    F_STRV(struct job_push, mount_from, "mount_from", 0),
    F_STR(struct job_push, certs_dir, "certs_dir", 0),
    F_END,
};
CODEC_DEFINE(job_push);

static const struct codec_field job_push_want_fields[] = {
    F_STR(struct job_push_want, request, "request", 0),
    F_STR(struct job_push_want, diff_id, "diff_id", 0),
    F_END,
};
CODEC_DEFINE(job_push_want);

static const struct codec_field job_push_result_fields[] = {
    F_STR(struct job_push_result, digest, "digest", 0),
    F_STR(struct job_push_result, tag, "tag", 0),
    F_I64(struct job_push_result, size, "size", 0),
    F_LIST(struct job_push_result, layers, "layers", 0, job_layer),
    F_END,
};
CODEC_DEFINE(job_push_result);

static const struct codec_field job_registry_auth_fields[] = {
    F_OBJ(struct job_registry_auth, auth, "auth", 0, job_auth),
    F_STRV(struct job_registry_auth, insecure_registries, "insecure_registries", 0),
    F_STR(struct job_registry_auth, certs_dir, "certs_dir", 0),
    F_END,
};
CODEC_DEFINE(job_registry_auth);

static const struct codec_field job_registry_auth_result_fields[] = {
    F_STR(struct job_registry_auth_result, status, "status", 0),
    F_STR(struct job_registry_auth_result, identity_token, "identity_token", 0),
    F_END,
};
CODEC_DEFINE(job_registry_auth_result);

static const struct codec_field job_raw_result_fields[] = {
    F_RAW(struct job_raw_result, json, "json", OMIT_EMPTY),
    F_END,
};
CODEC_DEFINE(job_raw_result);

static const struct codec_field job_unpack_fields[] = {
    F_STR(struct job_unpack, digest, "digest", 0),
    F_STR(struct job_unpack, diff_id, "diff_id", 0),
    F_STR(struct job_unpack, media_type, "media_type", 0),
    F_I64(struct job_unpack, size, "size", 0),
    F_END,
};
CODEC_DEFINE(job_unpack);

static const struct codec_field job_unpack_result_fields[] = {
    F_STR(struct job_unpack_result, digest, "digest", 0),
    F_STR(struct job_unpack_result, diff_id, "diff_id", 0),
    F_I64(struct job_unpack_result, size, "size", 0),
    F_I64(struct job_unpack_result, tar_size, "tar_size", 0),
    F_I64(struct job_unpack_result, entries, "entries", 0),
    F_STRV(struct job_unpack_result, opaque, "opaque", 0),
    F_BOOL(struct job_unpack_result, has_recipe, "has_recipe", 0),
    F_END,
};
CODEC_DEFINE(job_unpack_result);

static const struct codec_field job_pack_fields[] = {
    F_STR(struct job_pack, compression, "compression", 0),
    F_BOOL(struct job_pack, hash_only, "hash_only", 0),
    F_BOOL(struct job_pack, has_recipe, "has_recipe", 0),
    F_END,
};
CODEC_DEFINE(job_pack);

static const struct codec_field job_pack_result_fields[] = {
    F_STR(struct job_pack_result, digest, "digest", 0),
    F_STR(struct job_pack_result, diff_id, "diff_id", 0),
    F_I64(struct job_pack_result, size, "size", 0),
    F_I64(struct job_pack_result, tar_size, "tar_size", 0),
    F_I64(struct job_pack_result, content_size, "content_size", 0),
    F_END,
};
CODEC_DEFINE(job_pack_result);

static const struct codec_field job_load_fields[] = {
    F_BOOL(struct job_load, quiet, "quiet", 0),
    F_END,
};
CODEC_DEFINE(job_load);

static const struct codec_field job_load_have_fields[] = {
    F_STR(struct job_load_have, request, "request", 0),
    F_STRV(struct job_load_have, diff_ids, "diff_ids", 0),
    F_END,
};
CODEC_DEFINE(job_load_have);

static const struct codec_field job_load_layer_fields[] = {
    F_STR(struct job_load_layer, request, "request", 0),
    F_STR(struct job_load_layer, dir, "dir", 0),
    F_STR(struct job_load_layer, diff_id, "diff_id", 0),
    F_I64(struct job_load_layer, size, "size", 0),
    F_STRV(struct job_load_layer, opaque, "opaque", 0),
    F_STR(struct job_load_layer, blob_file, "blob_file", 0),
    F_STR(struct job_load_layer, blob_digest, "blob_digest", 0),
    F_STR(struct job_load_layer, media_type, "media_type", 0),
    F_I64(struct job_load_layer, blob_size, "blob_size", 0),
    F_STR(struct job_load_layer, recipe_file, "recipe_file", 0),
    F_END,
};
CODEC_DEFINE(job_load_layer);

static const struct codec_field job_load_image_fields[] = {
    F_STR(struct job_load_image, request, "request", 0),
    F_STR(struct job_load_image, config, "config", 0),
    F_STR(struct job_load_image, config_digest, "config_digest", 0),
    F_STRV(struct job_load_image, tags, "tags", 0),
    F_STRV(struct job_load_image, diff_ids, "diff_ids", 0),
    F_STR(struct job_load_image, parent, "parent", 0),
    F_END,
};
CODEC_DEFINE(job_load_image);

static const struct codec_field job_save_image_fields[] = {
    F_STR(struct job_save_image, config, "config", 0),
    F_STR(struct job_save_image, config_digest, "config_digest", 0),
    F_STRV(struct job_save_image, repo_tags, "repo_tags", 0),
    F_STRV(struct job_save_image, diff_ids, "diff_ids", 0),
    F_STR(struct job_save_image, parent, "parent", 0),
    F_END,
};
CODEC_DEFINE(job_save_image);

static const struct codec_field job_save_fields[] = {
    F_LIST(struct job_save, images, "images", 0, job_save_image),
    F_STRV(struct job_save, layer_diff_ids, "layer_diff_ids", 0),
    F_STRV(struct job_save, layer_dirs, "layer_dirs", 0),
    F_STRV(struct job_save, layer_recipes, "layer_recipes", 0),
    F_END,
};
CODEC_DEFINE(job_save);

static const struct codec_field job_export_fields[] = {
    F_OBJ(struct job_export, root, "root", 0, job_mount_spec),
    F_END,
};
CODEC_DEFINE(job_export);

static const struct codec_field job_cp_fields[] = {
    F_OBJ(struct job_cp, root, "root", 0, job_mount_spec),
    F_BOOL(struct job_cp, has_root_fd, "has_root_fd", 0),
    F_STR(struct job_cp, path, "path", 0),
    F_BOOL(struct job_cp, stat_only, "stat_only", 0),
    F_BOOL(struct job_cp, no_overwrite_dir_non_dir, "no_overwrite_dir_non_dir", 0),
    F_BOOL(struct job_cp, copy_uid_gid, "copy_uid_gid", 0),
    F_STR(struct job_cp, uid_gid_user, "uid_gid_user", 0),
    F_END,
};
CODEC_DEFINE(job_cp);

static const struct codec_field job_path_stat_fields[] = {
    F_STR(struct job_path_stat, name, "name", 0),
    F_I64(struct job_path_stat, size, "size", 0),
    F_I64(struct job_path_stat, mode, "mode", 0),
    F_I64(struct job_path_stat, mtime, "mtime", 0),
    F_STR(struct job_path_stat, link_target, "link_target", 0),
    F_END,
};
CODEC_DEFINE(job_path_stat);

static const struct codec_field job_diff_fields[] = {
    F_STRV(struct job_diff, lowers, "lowers", 0),
    F_END,
};
CODEC_DEFINE(job_diff);

static const struct codec_field job_change_fields[] = {
    F_STR(struct job_change, path, "path", 0),
    F_I64(struct job_change, kind, "kind", 0),
    F_END,
};
CODEC_DEFINE(job_change);

static const struct codec_field job_diff_result_fields[] = {
    F_LIST(struct job_diff_result, changes, "changes", 0, job_change),
    F_END,
};
CODEC_DEFINE(job_diff_result);

static const struct codec_field job_copyup_fields[] = {
    F_OBJ(struct job_copyup, root, "root", 0, job_mount_spec),
    F_STR(struct job_copyup, path, "path", 0),
    F_END,
};
CODEC_DEFINE(job_copyup);

static const struct codec_field job_seccomp_fields[] = {
    F_STR(struct job_seccomp, profile, "profile", 0),
    F_STRV(struct job_seccomp, caps, "caps", 0),
    F_STR(struct job_seccomp, arch, "arch", 0),
    F_END,
};
CODEC_DEFINE(job_seccomp);

static const struct codec_field job_seccomp_result_fields[] = {
    F_STR(struct job_seccomp_result, bpf_base64, "bpf_base64", 0),
    F_STRV(struct job_seccomp_result, warnings, "warnings", 0),
    F_END,
};
CODEC_DEFINE(job_seccomp_result);

static const struct codec_field job_config_changes_fields[] = {
    F_STR(struct job_config_changes, config, "config", 0),
    F_STRV(struct job_config_changes, changes, "changes", 0),
    F_END,
};
CODEC_DEFINE(job_config_changes);

static const struct codec_field job_config_changes_result_fields[] = {
    F_STR(struct job_config_changes_result, config, "config", 0),
    F_END,
};
CODEC_DEFINE(job_config_changes_result);

static const struct codec_field job_build_fields[] = {
    F_STR(struct job_build, dockerfile, "dockerfile", 0),
    F_STR(struct job_build, target, "target", 0),
    F_STR(struct job_build, platform, "platform", 0),
    F_STR(struct job_build, network_mode, "network_mode", 0),
    F_STRV(struct job_build, tags, "tags", 0),
    F_STRMAP(struct job_build, build_args, "build_args", 0),
    F_STRMAP(struct job_build, labels, "labels", 0),
    F_STRV(struct job_build, null_build_args, "null_build_args", 0),
    F_BOOL(struct job_build, no_cache, "no_cache", 0),
    F_BOOL(struct job_build, pull, "pull", 0),
    F_BOOL(struct job_build, squash, "squash", 0),
    F_BOOL(struct job_build, quiet, "quiet", 0),
    F_BOOL(struct job_build, remove, "remove", 0),
    F_BOOL(struct job_build, force_remove, "force_remove", 0),
    F_STRV(struct job_build, cache_from, "cache_from", 0),
    F_STRV(struct job_build, extra_hosts, "extra_hosts", 0),
    F_STR(struct job_build, job_dir, "job_dir", 0),
    F_STR(struct job_build, remote, "remote", 0),
    F_I64(struct job_build, memory_bytes, "memory_bytes", 0),
    F_I64(struct job_build, memory_swap_bytes, "memory_swap_bytes", 0),
    F_I64(struct job_build, cpu_shares, "cpu_shares", 0),
    F_I64(struct job_build, cpu_period, "cpu_period", 0),
    F_I64(struct job_build, cpu_quota, "cpu_quota", 0),
    F_I64(struct job_build, shm_size, "shm_size", 0),
    F_STR(struct job_build, cpuset_cpus, "cpuset_cpus", 0),
    F_STR(struct job_build, cpuset_mems, "cpuset_mems", 0),
    F_STR(struct job_build, cgroup_parent, "cgroup_parent", 0),
    F_STR(struct job_build, isolation, "isolation", 0),
    F_RAW(struct job_build, ulimits, "ulimits", OMIT_EMPTY),
    F_BOOL(struct job_build, apply_dockerignore, "apply_dockerignore", 0),
    F_STRMAP(struct job_build, features, "features", 0),
    F_END,
};
CODEC_DEFINE(job_build);

static const struct codec_field job_build_result_fields[] = {
    F_STR(struct job_build_result, image_id, "image_id", 0),
    F_END,
};
CODEC_DEFINE(job_build_result);

static const struct codec_field job_build_copy_fields[] = {
    F_OBJ(struct job_build_copy, dest, "dest", 0, job_mount_spec),
    F_OBJ(struct job_build_copy, source, "source", 0, job_mount_spec),
    F_STR(struct job_build_copy, source_dir, "source_dir", 0),
    F_STRV(struct job_build_copy, sources, "sources", 0),
    F_STR(struct job_build_copy, target, "target", 0),
    F_STR(struct job_build_copy, workdir, "workdir", 0),
    F_STR(struct job_build_copy, chown, "chown", 0),
    F_STR(struct job_build_copy, chmod, "chmod", 0),
    F_STRV(struct job_build_copy, exclude, "exclude", 0),
    F_BOOL(struct job_build_copy, is_add, "is_add", 0),
    F_BOOL(struct job_build_copy, unpack, "unpack", 0),
    F_BOOL(struct job_build_copy, parents, "parents", 0),
    F_BOOL(struct job_build_copy, link, "link", 0),
    F_BOOL(struct job_build_copy, target_is_dir, "target_is_dir", 0),
    F_STRV(struct job_build_copy, inline_names, "inline_names", 0),
    F_STRV(struct job_build_copy, inline_contents, "inline_contents", 0),
    F_I64(struct job_build_copy, mtime_unix, "mtime_unix", 0),
    F_STRV(struct job_build_copy, ignore, "ignore", 0),
    F_STR(struct job_build_copy, op, "op", 0),
    F_I64(struct job_build_copy, file_mode, "file_mode", 0),
    F_BOOL(struct job_build_copy, may_link, "may_link", 0),
    F_END,
};
CODEC_DEFINE(job_build_copy);

static const struct codec_field job_build_copy_result_fields[] = {
    F_I64(struct job_build_copy_result, files, "files", 0),
    F_I64(struct job_build_copy_result, bytes, "bytes", 0),
    F_STR(struct job_build_copy_result, digest, "digest", 0),
    F_STRV(struct job_build_copy_result, paths, "paths", 0),
    F_END,
};
CODEC_DEFINE(job_build_copy_result);

static const struct codec_field job_fetch_url_fields[] = {
    F_STR(struct job_fetch_url, url, "url", 0),
    F_STR(struct job_fetch_url, checksum, "checksum", 0),
    F_END,
};
CODEC_DEFINE(job_fetch_url);

static const struct codec_field job_fetch_url_result_fields[] = {
    F_STR(struct job_fetch_url_result, digest, "digest", 0),
    F_STR(struct job_fetch_url_result, file, "file", 0),
    F_I64(struct job_fetch_url_result, size, "size", 0),
    F_I64(struct job_fetch_url_result, mtime_unix, "mtime_unix", 0),
    F_END,
};
CODEC_DEFINE(job_fetch_url_result);

static const struct job_kind job_kinds[] = {
    { "pull", JOB_SANDBOX_FETCH, &job_pull_type, &job_progress_type, &job_pull_result_type },
    { "push", JOB_SANDBOX_FETCH, &job_push_type, &job_progress_type, &job_push_result_type },
    { "registry-auth", JOB_SANDBOX_FETCH, &job_registry_auth_type, &job_progress_type, &job_registry_auth_result_type },
    { "distribution", JOB_SANDBOX_FETCH, &job_pull_type, &job_progress_type, &job_raw_result_type },
    { "unpack", JOB_SANDBOX_UNPACK, &job_unpack_type, &job_progress_type, &job_unpack_result_type },
    { "pack", JOB_SANDBOX_UNPACK, &job_pack_type, &job_progress_type, &job_pack_result_type },
    { "load", JOB_SANDBOX_UNPACK, &job_load_type, &job_progress_type, NULL },
    { "save", JOB_SANDBOX_UNPACK, &job_save_type, &job_progress_type, NULL },
    { "import", JOB_SANDBOX_UNPACK, NULL, &job_progress_type, &job_unpack_result_type },
    { "export", JOB_SANDBOX_MOUNT, &job_export_type, &job_progress_type, NULL },
    { "cp-out", JOB_SANDBOX_MOUNT, &job_cp_type, &job_progress_type, &job_path_stat_type },
    { "cp-in", JOB_SANDBOX_MOUNT, &job_cp_type, &job_progress_type, NULL },
    { "diff", JOB_SANDBOX_MOUNT, &job_diff_type, &job_progress_type, &job_diff_result_type },
    { "commit-layer", JOB_SANDBOX_UNPACK, NULL, &job_progress_type, &job_unpack_result_type },
    { "copyup", JOB_SANDBOX_MOUNT, &job_copyup_type, &job_progress_type, NULL },
    { "seccomp", JOB_SANDBOX_UNPACK, &job_seccomp_type, &job_progress_type, &job_seccomp_result_type },
    { "config-changes", JOB_SANDBOX_UNPACK, &job_config_changes_type, &job_progress_type, &job_config_changes_result_type },
    { "build", JOB_SANDBOX_BUILD, &job_build_type, &job_progress_type, &job_build_result_type },
    { "build-copy", JOB_SANDBOX_MOUNT, &job_build_copy_type, &job_progress_type, &job_build_copy_result_type },
    { "fetch-url", JOB_SANDBOX_FETCH, &job_fetch_url_type, &job_progress_type, &job_fetch_url_result_type },
};

const struct job_kind *job_kind_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(job_kinds); i++)
        if (str_eq(job_kinds[i].name, name))
            return &job_kinds[i];
    return NULL;
}

/* FNV-1a over names, kinds and order: two builds that agree here understand each other's frames. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (hash ^ 0xff) * 0x100000001b3ULL;
}

static uint64_t mix_type(uint64_t hash, const struct codec_type *type, int depth)
{
    if (!type || depth > 4)
        return hash;
    hash = mix(hash, type->name);
    for (const struct codec_field *field = type->fields; field->name; field++) {
        hash = mix(hash, field->name) ^ (uint64_t)field->kind;
        hash = mix_type(hash, field->type, depth + 1);
    }
    return hash;
}

uint64_t job_kinds_hash(void)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < ARRAY_SIZE(job_kinds); i++) {
        hash = mix(hash, job_kinds[i].name);
        hash = mix_type(hash, job_kinds[i].params, 0);
        hash = mix_type(hash, job_kinds[i].result, 0);
    }
    const struct codec_type *const beside[] = {
        &job_progress_type, &job_pull_manifest_type, &job_pull_have_type, &job_pull_blob_type, &job_push_want_type,
        &job_load_have_type, &job_load_layer_type, &job_load_image_type,
    };
    for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
        hash = mix_type(hash, beside[i], 0);
    return hash;
}
