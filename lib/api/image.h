/* Images: inspect, list, history, delete, prune, search, distribution. image_config is the run-time part
 * of an image as 1.50 and later print it; older versions see a whole container_config instead
 * (compat.h does that). */
#pragma once
#include "lib/api/container.h"
#include "lib/json/codec.h"

struct image_config {
    char **exposed_ports;
    char **env, **cmd;
    struct health_config *healthcheck;
    bool args_escaped;
    char **volumes;
    char *user, *working_dir;
    char **entrypoint, **on_build;
    struct str_map labels;
    char *stop_signal;
    char **shell;
};
struct root_fs {
    char *type; /* "layers" */
    char **layers;
};
struct image_metadata {
    int64_t last_tag_time;
};
struct image_inspect {
    char *id;
    char **repo_tags, **repo_digests;
    char *parent, *comment, *created; /* created: RFC 3339 text, left out when the image has none */
    struct container_config *container_config; /* before 1.45 only: NULL otherwise */
    char *docker_version, *author;
    struct image_config *config;
    char *architecture, *variant, *os, *os_version;
    int64_t size, virtual_size; /* virtual_size: before 1.44 only, else 0 */
    struct graph_driver_data graph_driver;
    struct root_fs root_fs;
    struct image_metadata metadata;
};
struct image_summary {
    int64_t containers; /* -1 = not counted */
    int64_t created;    /* seconds */
    char *id;
    struct str_map labels;
    char *parent_id;
    char **repo_digests, **repo_tags;
    int64_t shared_size; /* -1 = not computed */
    int64_t size, virtual_size;
};
struct image_history_item {
    char *comment;
    int64_t created; /* seconds */
    char *created_by, *id; /* "<missing>" for layers without an image of their own */
    int64_t size;
    char **tags;
};
struct image_delete_item {
    char *deleted, *untagged;
};
struct image_prune_response {
    CODEC_LIST(struct image_delete_item) images_deleted;
    int64_t space_reclaimed;
};
struct image_search_result {
    int64_t star_count;
    bool is_official;
    char *name;
    bool is_automated;
    char *description;
};
struct build_cache_record {
    char *id;
    char **parents;
    char *type, *description;
    bool in_use, shared;
    int64_t size, created_at;
    char *last_used_at; /* RFC 3339 text; NULL = null */
    int64_t usage_count;
};
struct build_prune_response {
    char **caches_deleted;
    int64_t space_reclaimed;
};
/* GET /distribution/{name}/json */
struct distribution_descriptor {
    char *media_type, *digest;
    int64_t size;
};
struct distribution_platform {
    char *architecture, *os, *os_version;
    char **os_features;
    char *variant;
};
struct distribution_inspect {
    struct distribution_descriptor descriptor;
    CODEC_LIST(struct distribution_platform) platforms;
};

CODEC_DECLARE(image_config);
CODEC_DECLARE(root_fs);
CODEC_DECLARE(image_metadata);
CODEC_DECLARE(image_inspect);
CODEC_DECLARE(image_summary);
CODEC_DECLARE(image_history_item);
CODEC_DECLARE(image_delete_item);
CODEC_DECLARE(image_prune_response);
CODEC_DECLARE(image_search_result);
CODEC_DECLARE(build_cache_record);
CODEC_DECLARE(build_prune_response);
CODEC_DECLARE(distribution_descriptor);
CODEC_DECLARE(distribution_platform);
CODEC_DECLARE(distribution_inspect);
