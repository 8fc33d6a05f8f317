/* Tables of host_config.h. The order of rows is the order in which Docker prints. */
#include "lib/api/host_config.h"
#include "lib/api/tables.h"

static const struct codec_field port_binding_fields[] = {
    F_STR(struct port_binding, host_ip, "HostIp", 0),
    F_STR(struct port_binding, host_port, "HostPort", 0),
    F_END,
};
CODEC_DEFINE(port_binding);

static const struct codec_field throttle_device_fields[] = {
    F_STR(struct throttle_device, path, "Path", 0),
    F_I64(struct throttle_device, rate, "Rate", 0),
    F_END,
};
CODEC_DEFINE(throttle_device);

static const struct codec_field weight_device_fields[] = {
    F_STR(struct weight_device, path, "Path", 0),
    F_I64(struct weight_device, weight, "Weight", 0),
    F_END,
};
CODEC_DEFINE(weight_device);

static const struct codec_field device_mapping_fields[] = {
    F_STR(struct device_mapping, path_on_host, "PathOnHost", 0),
    F_STR(struct device_mapping, path_in_container, "PathInContainer", 0),
    F_STR(struct device_mapping, cgroup_permissions, "CgroupPermissions", 0),
    F_END,
};
CODEC_DEFINE(device_mapping);

static const struct codec_field device_request_fields[] = {
    F_STR(struct device_request, driver, "Driver", 0),
    F_I64(struct device_request, count, "Count", 0),
    F_STRV(struct device_request, device_ids, "DeviceIDs", NIL),
    F_RAW(struct device_request, capabilities, "Capabilities", NIL),
    F_STRMAP(struct device_request, options, "Options", NIL),
    F_END,
};
CODEC_DEFINE(device_request);

static const struct codec_field ulimit_fields[] = {
    F_STR(struct ulimit, name, "Name", 0),
    F_I64(struct ulimit, hard, "Hard", 0),
    F_I64(struct ulimit, soft, "Soft", 0),
    F_END,
};
CODEC_DEFINE(ulimit);

static const struct codec_field resources_fields[] = {
    RESOURCES_ROWS(struct resources, ),
    F_END,
};
CODEC_DEFINE(resources);

static const struct codec_field log_config_fields[] = {
    F_STR(struct log_config, type, "Type", 0),
    F_STRMAP(struct log_config, config, "Config", 0),
    F_END,
};
CODEC_DEFINE(log_config);

static const struct codec_field restart_policy_fields[] = {
    F_STR(struct restart_policy, name, "Name", 0),
    F_I64(struct restart_policy, maximum_retry_count, "MaximumRetryCount", 0),
    F_END,
};
CODEC_DEFINE(restart_policy);

static const struct codec_field bind_options_fields[] = {
    F_STR(struct bind_options, propagation, "Propagation", OMIT),
    F_BOOL(struct bind_options, non_recursive, "NonRecursive", OMIT),
    F_BOOL(struct bind_options, create_mountpoint, "CreateMountpoint", OMIT),
    F_BOOL(struct bind_options, read_only_non_recursive, "ReadOnlyNonRecursive", OMIT),
    F_BOOL(struct bind_options, read_only_force_recursive, "ReadOnlyForceRecursive", OMIT),
    F_END,
};
CODEC_DEFINE(bind_options);

static const struct codec_field volume_driver_config_fields[] = {
    F_STR(struct volume_driver_config, name, "Name", OMIT),
    F_STRMAP(struct volume_driver_config, options, "Options", OMIT),
    F_END,
};
CODEC_DEFINE(volume_driver_config);

static const struct codec_field volume_options_fields[] = {
    F_BOOL(struct volume_options, no_copy, "NoCopy", OMIT),
    F_STRMAP(struct volume_options, labels, "Labels", OMIT),
    F_STR(struct volume_options, subpath, "Subpath", OMIT),
    F_OBJP(struct volume_options, driver_config, "DriverConfig", OMIT, volume_driver_config),
    F_END,
};
CODEC_DEFINE(volume_options);

static const struct codec_field image_options_fields[] = {
    F_STR(struct image_options, subpath, "Subpath", OMIT),
    F_END,
};
CODEC_DEFINE(image_options);

static const struct codec_field tmpfs_options_fields[] = {
    F_I64(struct tmpfs_options, size_bytes, "SizeBytes", OMIT),
    F_I64(struct tmpfs_options, mode, "Mode", OMIT),
    F_RAW(struct tmpfs_options, options, "Options", OMIT),
    F_END,
};
CODEC_DEFINE(tmpfs_options);

static const struct codec_field mount_fields[] = {
    F_STR(struct mount, type, "Type", OMIT),
    F_STR(struct mount, source, "Source", OMIT),
    F_STR(struct mount, target, "Target", OMIT),
    F_BOOL(struct mount, read_only, "ReadOnly", OMIT),
    F_STR(struct mount, consistency, "Consistency", OMIT),
    F_OBJP(struct mount, bind_options, "BindOptions", OMIT, bind_options),
    F_OBJP(struct mount, volume_options, "VolumeOptions", OMIT, volume_options),
    F_OBJP(struct mount, image_options, "ImageOptions", OMIT, image_options),
    F_OBJP(struct mount, tmpfs_options, "TmpfsOptions", OMIT, tmpfs_options),
    F_END,
};
CODEC_DEFINE(mount);

static const struct codec_field host_config_fields[] = {
    F_STRV(struct host_config, binds, "Binds", NIL),
    F_STR(struct host_config, container_id_file, "ContainerIDFile", 0),
    F_OBJ(struct host_config, log_config, "LogConfig", 0, log_config),
    F_STR(struct host_config, network_mode, "NetworkMode", 0),
    F_LISTMAP(struct host_config, port_bindings, "PortBindings", NIL, port_binding),
    F_OBJ(struct host_config, restart_policy, "RestartPolicy", 0, restart_policy),
    F_BOOL(struct host_config, auto_remove, "AutoRemove", 0),
    F_STR(struct host_config, volume_driver, "VolumeDriver", 0),
    F_STRV(struct host_config, volumes_from, "VolumesFrom", NIL),
    F_I64LIST(struct host_config, console_size, "ConsoleSize", 0),
    F_STRMAP(struct host_config, annotations, "Annotations", OMIT),
    F_STRV(struct host_config, cap_add, "CapAdd", NIL),
    F_STRV(struct host_config, cap_drop, "CapDrop", NIL),
    F_STR(struct host_config, cgroupns_mode, "CgroupnsMode", 0),
    F_STRV(struct host_config, dns, "Dns", NIL),
    F_STRV(struct host_config, dns_options, "DnsOptions", NIL),
    F_STRV(struct host_config, dns_search, "DnsSearch", NIL),
    F_STRV(struct host_config, extra_hosts, "ExtraHosts", NIL),
    F_STRV(struct host_config, group_add, "GroupAdd", NIL),
    F_STR(struct host_config, ipc_mode, "IpcMode", 0),
    F_STR(struct host_config, cgroup, "Cgroup", 0),
    F_STRV(struct host_config, links, "Links", NIL),
    F_I64(struct host_config, oom_score_adj, "OomScoreAdj", 0),
    F_STR(struct host_config, pid_mode, "PidMode", 0),
    F_BOOL(struct host_config, privileged, "Privileged", 0),
    F_BOOL(struct host_config, publish_all_ports, "PublishAllPorts", 0),
    F_BOOL(struct host_config, readonly_rootfs, "ReadonlyRootfs", 0),
    F_STRV(struct host_config, security_opt, "SecurityOpt", NIL),
    F_STRMAP(struct host_config, storage_opt, "StorageOpt", OMIT),
    F_STRMAP(struct host_config, tmpfs, "Tmpfs", OMIT),
    F_STR(struct host_config, uts_mode, "UTSMode", 0),
    F_STR(struct host_config, userns_mode, "UsernsMode", 0),
    F_I64(struct host_config, shm_size, "ShmSize", 0),
    F_STRMAP(struct host_config, sysctls, "Sysctls", OMIT),
    F_STR(struct host_config, runtime, "Runtime", OMIT),
    F_STR(struct host_config, isolation, "Isolation", 0),
    RESOURCES_ROWS(struct host_config, resources.),
    F_LIST(struct host_config, mounts, "Mounts", OMIT, mount),
    F_STRV(struct host_config, masked_paths, "MaskedPaths", NIL),
    F_STRV(struct host_config, readonly_paths, "ReadonlyPaths", NIL),
    F_OPT_BOOL(struct host_config, init, "Init", OMIT),
    F_END,
};
CODEC_DEFINE(host_config);


void host_config_complete(struct host_config *config)
{
    if (config->console_size.count == 2)
        return;
    free(config->console_size.items);
    config->console_size.items = xcalloc(2, sizeof(int64_t));
    config->console_size.count = 2;
}
