/* Tables of image.h. The order of rows is the order in which Docker prints. Image inspect has two tables: the
 * second one prints Config as a whole container_config, as clients before 1.50 expect. */
#include "lib/api/image.h"
#include "lib/api/image_tables.h"

static const struct codec_field image_config_fields[] = {
    F_BOOL(struct image_config, args_escaped, "ArgsEscaped", OMIT),
    F_CMD(struct image_config, cmd, "Cmd", NIL),
    F_CMD(struct image_config, entrypoint, "Entrypoint", NIL),
    F_STRV(struct image_config, env, "Env", NIL),
    F_STRSET(struct image_config, exposed_ports, "ExposedPorts", OMIT),
    F_OBJP(struct image_config, healthcheck, "Healthcheck", OMIT, health_config),
    F_STRMAP(struct image_config, labels, "Labels", NIL),
    F_STRV(struct image_config, on_build, "OnBuild", NIL),
    F_CMD(struct image_config, shell, "Shell", OMIT),
    F_STR(struct image_config, stop_signal, "StopSignal", OMIT),
    F_STR(struct image_config, user, "User", 0),
    F_STRSET(struct image_config, volumes, "Volumes", NIL),
    F_STR(struct image_config, working_dir, "WorkingDir", 0),
    F_END,
};
CODEC_DEFINE(image_config);

static const struct codec_field root_fs_fields[] = {
    F_STR(struct root_fs, type, "Type", 0),
    F_STRV(struct root_fs, layers, "Layers", OMIT),
    F_END,
};
CODEC_DEFINE(root_fs);

static const struct codec_field image_metadata_fields[] = {
    F_TIME(struct image_metadata, last_tag_time, "LastTagTime", 0),
    F_END,
};
CODEC_DEFINE(image_metadata);

/* A container_config inside an image: no labels print null there. */
static const struct codec_field image_container_config_fields[] = {
    CONTAINER_CONFIG_ROWS(struct container_config, , NIL),
    F_END,
};
static const struct codec_type image_container_config_type = {
    .name = "container_config", .size = sizeof(struct container_config), .fields = image_container_config_fields};

#define IMAGE_INSPECT_ROWS(T, AT)                                                                           \
    F_STR(T, AT id, "Id", 0),                                                                               \
    F_STRV(T, AT repo_tags, "RepoTags", 0),                                                                 \
    F_STRV(T, AT repo_digests, "RepoDigests", 0),                                                           \
    F_STR(T, AT parent, "Parent", 0),                                                                       \
    F_STR(T, AT comment, "Comment", 0),                                                                     \
    F_STR(T, AT created, "Created", OMIT),                                                                  \
    F_OBJP_AS(T, AT container_config, "ContainerConfig", OMIT, container_config, image_container_config_type), \
    F_STR(T, AT docker_version, "DockerVersion", 0),                                                        \
    F_STR(T, AT author, "Author", 0),                                                                       \
    F_STR(T, AT architecture, "Architecture", 0),                                                           \
    F_STR(T, AT variant, "Variant", OMIT),                                                                  \
    F_STR(T, AT os, "Os", 0),                                                                               \
    F_STR(T, AT os_version, "OsVersion", OMIT),                                                             \
    F_I64(T, AT size, "Size", 0),                                                                           \
    F_I64(T, AT virtual_size, "VirtualSize", OMIT),                                                         \
    F_OBJ(T, AT graph_driver, "GraphDriver", 0, graph_driver_data),                                         \
    F_OBJ(T, AT root_fs, "RootFS", 0, root_fs),                                                             \
    F_OBJ(T, AT metadata, "Metadata", 0, image_metadata)

static const struct codec_field image_inspect_fields[] = {
    IMAGE_INSPECT_ROWS(struct image_inspect, ),
    F_OBJP(struct image_inspect, config, "Config", NIL, image_config),
    F_END,
};
CODEC_DEFINE(image_inspect);

static const struct codec_field image_inspect_legacy_fields[] = {
    IMAGE_INSPECT_ROWS(struct image_inspect_legacy, inspect.),
    F_OBJP_AS(struct image_inspect_legacy, config, "Config", NIL, container_config, image_container_config_type),
    F_END,
};
CODEC_DEFINE(image_inspect_legacy);

static const struct codec_field image_summary_fields[] = {
    F_I64(struct image_summary, containers, "Containers", 0),
    F_I64(struct image_summary, created, "Created", 0),
    F_STR(struct image_summary, id, "Id", 0),
    F_STRMAP(struct image_summary, labels, "Labels", NIL),
    F_STR(struct image_summary, parent_id, "ParentId", 0),
    F_STRV(struct image_summary, repo_digests, "RepoDigests", 0),
    F_STRV(struct image_summary, repo_tags, "RepoTags", 0),
    F_I64(struct image_summary, shared_size, "SharedSize", 0),
    F_I64(struct image_summary, size, "Size", 0),
    F_I64(struct image_summary, virtual_size, "VirtualSize", OMIT),
    F_END,
};
CODEC_DEFINE(image_summary);

static const struct codec_field image_history_item_fields[] = {
    F_STR(struct image_history_item, comment, "Comment", 0),
    F_I64(struct image_history_item, created, "Created", 0),
    F_STR(struct image_history_item, created_by, "CreatedBy", 0),
    F_STR(struct image_history_item, id, "Id", 0),
    F_I64(struct image_history_item, size, "Size", 0),
    F_STRV(struct image_history_item, tags, "Tags", NIL),
    F_END,
};
CODEC_DEFINE(image_history_item);

static const struct codec_field image_delete_item_fields[] = {
    F_STR(struct image_delete_item, deleted, "Deleted", OMIT),
    F_STR(struct image_delete_item, untagged, "Untagged", OMIT),
    F_END,
};
CODEC_DEFINE(image_delete_item);

static const struct codec_field image_prune_response_fields[] = {
    F_LIST(struct image_prune_response, images_deleted, "ImagesDeleted", NIL, image_delete_item),
    F_I64(struct image_prune_response, space_reclaimed, "SpaceReclaimed", 0),
    F_END,
};
CODEC_DEFINE(image_prune_response);

static const struct codec_field image_search_result_fields[] = {
    F_I64(struct image_search_result, star_count, "star_count", 0),
    F_BOOL(struct image_search_result, is_official, "is_official", 0),
    F_STR(struct image_search_result, name, "name", 0),
    F_BOOL(struct image_search_result, is_automated, "is_automated", 0),
    F_STR(struct image_search_result, description, "description", 0),
    F_END,
};
CODEC_DEFINE(image_search_result);

static const struct codec_field build_cache_record_fields[] = {
    F_STR(struct build_cache_record, id, "ID", 0),
    F_STRV(struct build_cache_record, parents, "Parents", OMIT),
    F_STR(struct build_cache_record, type, "Type", 0),
    F_STR(struct build_cache_record, description, "Description", 0),
    F_BOOL(struct build_cache_record, in_use, "InUse", 0),
    F_BOOL(struct build_cache_record, shared, "Shared", 0),
    F_I64(struct build_cache_record, size, "Size", 0),
    F_TIME(struct build_cache_record, created_at, "CreatedAt", 0),
    F_STR(struct build_cache_record, last_used_at, "LastUsedAt", NIL),
    F_I64(struct build_cache_record, usage_count, "UsageCount", 0),
    F_END,
};
CODEC_DEFINE(build_cache_record);

static const struct codec_field build_prune_response_fields[] = {
    F_STRV(struct build_prune_response, caches_deleted, "CachesDeleted", NIL),
    F_I64(struct build_prune_response, space_reclaimed, "SpaceReclaimed", 0),
    F_END,
};
CODEC_DEFINE(build_prune_response);

static const struct codec_field distribution_descriptor_fields[] = {
    F_STR(struct distribution_descriptor, media_type, "mediaType", 0),
    F_STR(struct distribution_descriptor, digest, "digest", 0),
    F_I64(struct distribution_descriptor, size, "size", 0),
    F_END,
};
CODEC_DEFINE(distribution_descriptor);

static const struct codec_field distribution_platform_fields[] = {
    F_STR(struct distribution_platform, architecture, "architecture", 0),
    F_STR(struct distribution_platform, os, "os", 0),
    F_STR(struct distribution_platform, os_version, "os.version", OMIT),
    F_STRV(struct distribution_platform, os_features, "os.features", OMIT),
    F_STR(struct distribution_platform, variant, "variant", OMIT),
    F_END,
};
CODEC_DEFINE(distribution_platform);

static const struct codec_field distribution_inspect_fields[] = {
    F_OBJ(struct distribution_inspect, descriptor, "Descriptor", 0, distribution_descriptor),
    F_LIST(struct distribution_inspect, platforms, "Platforms", 0, distribution_platform),
    F_END,
};
CODEC_DEFINE(distribution_inspect);
