/* HostConfig: what a container may do with the host. The same struct serves create, inspect and the
 * stored record; container_update_request (container.h) reuses the resources. Null, empty and left-out
 * members print as Docker 28 prints them. Pointers of the API (present or absent) are opt_ kinds; lists
 * of lists are raw JSON, read and made by rows.h. `resources` sits inline: its members appear in JSON
 * directly under HostConfig. */
#pragma once
#include "lib/api/rows.h"
#include "lib/json/codec.h"

struct port_binding {
    char *host_ip, *host_port;
};
/* The value type of port maps ("80/tcp" -> list; NULL value = JSON null). */
struct port_binding_list {
    struct port_binding *items;
    size_t count;
};

struct throttle_device {
    char *path;
    int64_t rate;
};
struct weight_device {
    char *path;
    int64_t weight;
};
struct device_mapping {
    char *path_on_host, *path_in_container, *cgroup_permissions;
};
struct device_request {
    char *driver;
    int64_t count;
    char **device_ids;
    char *capabilities; /* raw: [["gpu","nvidia"],...], see rows.h */
    struct str_map options;
};
struct ulimit {
    char *name;
    int64_t hard, soft;
};

struct resources {
    int64_t cpu_shares, memory, nano_cpus;
    char *cgroup_parent;
    int64_t blkio_weight;
    CODEC_LIST(struct weight_device) blkio_weight_device;
    CODEC_LIST(struct throttle_device) blkio_device_read_bps;
    CODEC_LIST(struct throttle_device) blkio_device_write_bps;
    CODEC_LIST(struct throttle_device) blkio_device_read_iops;
    CODEC_LIST(struct throttle_device) blkio_device_write_iops;
    int64_t cpu_period, cpu_quota, cpu_realtime_period, cpu_realtime_runtime;
    char *cpuset_cpus, *cpuset_mems;
    CODEC_LIST(struct device_mapping) devices;
    char **device_cgroup_rules;
    CODEC_LIST(struct device_request) device_requests;
    int64_t kernel_memory, kernel_memory_tcp;
    int64_t memory_reservation, memory_swap;
    struct opt_i64 memory_swappiness;
    struct opt_bool oom_kill_disable;
    struct opt_i64 pids_limit;
    CODEC_LIST(struct ulimit) ulimits;
    int64_t cpu_count, cpu_percent, io_maximum_iops, io_maximum_bandwidth;
};

struct log_config {
    char *type;
    struct str_map config;
};
struct restart_policy {
    char *name; /* "", "no", "always", "unless-stopped", "on-failure" */
    int64_t maximum_retry_count;
};

struct bind_options {
    char *propagation;
    bool non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive;
};
struct volume_driver_config {
    char *name;
    struct str_map options;
};
struct volume_options {
    bool no_copy;
    struct str_map labels;
    char *subpath;
    struct volume_driver_config *driver_config;
};
struct image_options {
    char *subpath;
};
struct tmpfs_options {
    int64_t size_bytes, mode;
    char *options; /* raw: [["noexec"],["size","1m"]], see rows.h */
};
struct mount {
    char *type, *source, *target; /* type: bind volume tmpfs image cluster npipe */
    bool read_only;
    char *consistency;
    struct bind_options *bind_options;
    struct volume_options *volume_options;
    struct image_options *image_options;
    struct tmpfs_options *tmpfs_options;
};

struct host_config {
    char **binds;
    char *container_id_file;
    struct log_config log_config;
    char *network_mode;
    struct obj_map port_bindings; /* -> struct port_binding_list */
    struct restart_policy restart_policy;
    bool auto_remove;
    char *volume_driver;
    char **volumes_from;
    struct i64_list console_size; /* height, width; printed as [0,0] once host_config_complete() ran */
    struct str_map annotations;
    char **cap_add, **cap_drop;
    char *cgroupns_mode;
    char **dns, **dns_options, **dns_search, **extra_hosts, **group_add;
    char *ipc_mode, *cgroup;
    char **links;
    int64_t oom_score_adj;
    char *pid_mode;
    bool privileged, publish_all_ports, readonly_rootfs;
    char **security_opt;
    struct str_map storage_opt, tmpfs;
    char *uts_mode, *userns_mode;
    int64_t shm_size;
    struct str_map sysctls;
    char *runtime, *isolation;
    struct resources resources;
    CODEC_LIST(struct mount) mounts;
    char **masked_paths, **readonly_paths; /* NULL = the defaults; a non-NULL empty list = none */
    struct opt_bool init;
};

CODEC_DECLARE(port_binding);
CODEC_DECLARE(throttle_device);
CODEC_DECLARE(weight_device);
CODEC_DECLARE(device_mapping);
CODEC_DECLARE(device_request);
CODEC_DECLARE(ulimit);
CODEC_DECLARE(resources);
CODEC_DECLARE(log_config);
CODEC_DECLARE(restart_policy);
CODEC_DECLARE(bind_options);
CODEC_DECLARE(volume_driver_config);
CODEC_DECLARE(volume_options);
CODEC_DECLARE(image_options);
CODEC_DECLARE(tmpfs_options);
CODEC_DECLARE(mount);
CODEC_DECLARE(host_config);

/* Gives console_size its two numbers, as Docker always prints them. */
void host_config_complete(struct host_config *config);
