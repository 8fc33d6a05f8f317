/* Volumes: one record for create, inspect and list. Status is the driver's own JSON. */
#pragma once
#include "lib/json/codec.h"

struct volume_usage_data {
    int64_t ref_count, size; /* -1 = not known */
};
struct volume {
    char *created_at; /* RFC 3339, whole seconds */
    char *driver;
    struct str_map labels;
    char *mountpoint, *name;
    struct str_map options;
    char *scope;
    char *status; /* raw */
    struct volume_usage_data *usage_data; /* system df only */
};
struct volume_list_response {
    CODEC_LIST(struct volume) volumes;
    char **warnings;
};
struct volume_create_request {
    char *name, *driver;
    struct str_map driver_opts, labels;
    char *cluster_volume_spec; /* raw; refused by the engine when present */
};
struct volume_prune_response {
    char **volumes_deleted;
    int64_t space_reclaimed;
};

CODEC_DECLARE(volume_usage_data);
CODEC_DECLARE(volume);
CODEC_DECLARE(volume_list_response);
CODEC_DECLARE(volume_create_request);
CODEC_DECLARE(volume_prune_response);
