/* Tables of volume.h. The order of rows is the order in which Docker prints. */
#include "lib/api/volume.h"
#include "lib/api/tables.h"

static const struct codec_field volume_usage_data_fields[] = {
    F_I64(struct volume_usage_data, ref_count, "RefCount", 0),
    F_I64(struct volume_usage_data, size, "Size", 0),
    F_END,
};
CODEC_DEFINE(volume_usage_data);

static const struct codec_field volume_fields[] = {
    F_STR(struct volume, created_at, "CreatedAt", OMIT),
    F_STR(struct volume, driver, "Driver", 0),
    F_STRMAP(struct volume, labels, "Labels", NIL),
    F_STR(struct volume, mountpoint, "Mountpoint", 0),
    F_STR(struct volume, name, "Name", 0),
    F_STRMAP(struct volume, options, "Options", NIL),
    F_STR(struct volume, scope, "Scope", 0),
    F_RAW(struct volume, status, "Status", OMIT),
    F_OBJP(struct volume, usage_data, "UsageData", OMIT, volume_usage_data),
    F_END,
};
CODEC_DEFINE(volume);

static const struct codec_field volume_list_response_fields[] = {
    F_LIST(struct volume_list_response, volumes, "Volumes", 0, volume),
    F_STRV(struct volume_list_response, warnings, "Warnings", NIL),
    F_END,
};
CODEC_DEFINE(volume_list_response);

static const struct codec_field volume_create_request_fields[] = {
    F_STR(struct volume_create_request, name, "Name", OMIT),
    F_STR(struct volume_create_request, driver, "Driver", OMIT),
    F_STRMAP(struct volume_create_request, driver_opts, "DriverOpts", OMIT),
    F_STRMAP(struct volume_create_request, labels, "Labels", OMIT),
    F_RAW(struct volume_create_request, cluster_volume_spec, "ClusterVolumeSpec", OMIT),
    F_END,
};
CODEC_DEFINE(volume_create_request);

static const struct codec_field volume_prune_response_fields[] = {
    F_STRV(struct volume_prune_response, volumes_deleted, "VolumesDeleted", 0),
    F_I64(struct volume_prune_response, space_reclaimed, "SpaceReclaimed", 0),
    F_END,
};
CODEC_DEFINE(volume_prune_response);
