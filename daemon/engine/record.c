#include "daemon/engine/record.h"

static const char *const status_names[] = {
    [STATUS_CREATED] = "created",   [STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused", [STATUS_RESTARTING] = "restarting",
    [STATUS_REMOVING] = "removing", [STATUS_EXITED] = "exited",   [STATUS_DEAD] = "dead",
};

const char *container_status_name(enum container_status_code code)
{
    size_t index = (size_t)code;
    return index < ARRAY_SIZE(status_names) ? status_names[index] : "dead";
}

#define M struct mount_record
static const struct codec_field mount_record_fields[] = {
    F_STR(M, type, "Type", 0),
    F_STR(M, name, "Name", OMIT_EMPTY),
    F_STR(M, source, "Source", OMIT_EMPTY),
    F_STR(M, destination, "Destination", 0),
    F_STR(M, driver, "Driver", OMIT_EMPTY),
    F_STR(M, mode, "Mode", OMIT_EMPTY),
    F_STR(M, propagation, "Propagation", OMIT_EMPTY),
    F_BOOL(M, rw, "RW", 0),
    F_BOOL(M, anonymous, "Anonymous", OMIT_EMPTY),
    F_BOOL(M, make_source, "MakeSource", OMIT_EMPTY),
    F_BOOL(M, non_recursive, "NonRecursive", OMIT_EMPTY),
    F_BOOL(M, no_copy, "NoCopy", OMIT_EMPTY),
    F_BOOL(M, recursive_read_only, "RecursiveReadOnly", OMIT_EMPTY),
    F_STR(M, tmpfs_options, "TmpfsOptions", OMIT_EMPTY),
    F_BOOL(M, from_mounts, "FromMounts", OMIT_EMPTY),
    F_STR(M, subpath, "Subpath", OMIT_EMPTY),
    F_END,
};
CODEC_DEFINE(mount_record);
#undef M

#define C struct container_record
static const struct codec_field container_record_fields[] = {
    F_STR(C, id, "Id", REQUIRED),
    F_STR(C, name, "Name", REQUIRED),
    F_I64(C, created_unix_ns, "Created", 0),
    F_STR(C, image_id, "ImageId", 0),
    F_STR(C, image_ref, "ImageRef", 0),
    F_STR(C, platform, "Platform", 0),
    F_STRV(C, diff_ids, "DiffIds", 0),
    F_STR(C, path, "Path", 0),
    F_STRV(C, args, "Args", 0),
    F_OBJ(C, config, "Config", 0, container_config),
    F_OBJ(C, host_config, "HostConfig", 0, host_config),
    F_OBJMAP(C, networks, "Networks", 0, endpoint_settings),
    F_LIST(C, mounts, "Mounts", 0, mount_record),
    F_BOOL(C, auto_network, "AutoNetwork", OMIT_EMPTY),
    F_BOOL(C, hidden, "Hidden", OMIT_EMPTY),
    F_END,
};
CODEC_DEFINE(container_record);
#undef C

#define S struct container_status
static const struct codec_field container_status_fields[] = {
    F_I64(S, code, "Code", 0),
    F_I64(S, pid, "Pid", OMIT_EMPTY),
    F_I64(S, exit_code, "ExitCode", OMIT_EMPTY),
    F_I64(S, restart_count, "RestartCount", OMIT_EMPTY),
    F_I64(S, started_unix_ns, "Started", OMIT_EMPTY),
    F_I64(S, finished_unix_ns, "Finished", OMIT_EMPTY),
    F_I64(S, start_ticks, "StartTicks", OMIT_EMPTY),
    F_STR(S, error, "Error", OMIT_EMPTY),
    F_BOOL(S, oom_killed, "OOMKilled", OMIT_EMPTY),
    F_BOOL(S, stopped_by_user, "Stopped", OMIT_EMPTY),
    F_BOOL(S, has_started, "HasStarted", OMIT_EMPTY),
    F_I64(S, facts_applied, "Facts", OMIT_EMPTY),
    F_STRMAP(S, host_ifs, "HostIfs", OMIT_EMPTY),
    F_LISTMAP(S, ports, "Ports", OMIT_EMPTY, port_binding),
    F_END,
};
CODEC_DEFINE(container_status);
#undef S

void record_drop_network(struct container_record *record, const char *name)
{
    struct obj_map kept = { 0 };
    for (size_t i = 0; i < obj_map_count(&record->networks); i++) {
        if (!strcmp(record->networks.keys[i], name))
            continue;
        struct endpoint_settings *settings = obj_map_add(&kept, record->networks.keys[i], sizeof *settings);
        codec_copy(&endpoint_settings_type, settings, record->networks.values[i]);
    }
    struct container_record old = { .networks = record->networks };
    codec_clear(&container_record_type, &old);
    record->networks = kept;
}
