/* The daemon about itself: version, info, disk usage, events, login, and the one shape of every error.
 * `info` has every member that Docker 28 sends on Linux; those of old API versions only are set by
 * compat.h and otherwise left out. */
#pragma once
#include "lib/api/container.h"
#include "lib/api/image.h"
#include "lib/api/rows.h"
#include "lib/api/volume.h"
#include "lib/json/codec.h"

struct error_response {
    char *message;
};

struct version_platform {
    char *name;
};
struct version_component {
    char *name, *version;
    struct str_map details;
};
struct version {
    struct version_platform platform;
    CODEC_LIST(struct version_component) components;
    char *version, *api_version, *min_api_version, *git_commit, *go_version, *os, *arch, *kernel_version;
    bool experimental;
    char *build_time;
};

struct plugins_info {
    char **volume, **network, **authorization, **log;
};
struct index_info {
    char **mirrors;
    char *name;
    bool official, secure;
};
struct registry_service_config {
    struct obj_map index_configs; /* -> struct index_info */
    char **insecure_registry_cidrs, **mirrors;
    /* raw; "null" before 1.47, left out since */
    char *allow_nondistributable_artifacts_cidrs, *allow_nondistributable_artifacts_hostnames;
};
struct runtime_info {
    char *path;
    char **runtime_args;
    struct str_map status;
};
struct swarm_info {
    char *node_id, *node_addr, *local_node_state;
    bool control_available;
    char *error;
    char *remote_managers; /* raw; null */
};
struct commit_info {
    char *id, *expected; /* expected: before 1.49 only */
};
struct address_pool {
    char *base;
    int64_t size;
};
struct firewall_info {
    char *driver;
    char *info; /* raw rows */
};
struct device_info {
    char *source, *id;
};
struct containerd_namespaces {
    char *containers, *plugins;
};
struct containerd_info {
    char *address;
    struct containerd_namespaces namespaces;
};
struct info {
    char *id;
    int64_t containers, containers_running, containers_paused, containers_stopped, images;
    char *driver;
    char *driver_status; /* raw rows */
    struct plugins_info plugins;
    bool memory_limit, swap_limit;
    bool kernel_memory; /* before 1.42 only */
    bool kernel_memory_tcp, cpu_cfs_period, cpu_cfs_quota, cpu_shares, cpu_set, pids_limit, ipv4_forwarding;
    struct opt_bool bridge_nf_iptables, bridge_nf_ip6tables; /* before 1.50 only */
    bool debug;
    int64_t n_fd;
    bool oom_kill_disable;
    int64_t n_goroutines;
    int64_t system_time;
    char *logging_driver, *cgroup_driver, *cgroup_version;
    int64_t n_events_listener;
    char *kernel_version, *operating_system, *os_version, *os_type, *architecture, *index_server_address;
    struct registry_service_config registry_config;
    int64_t ncpu, mem_total;
    char *generic_resources; /* raw; null */
    char *docker_root_dir, *http_proxy, *https_proxy, *no_proxy, *name;
    char **labels;
    bool experimental_build;
    char *server_version;
    struct obj_map runtimes; /* -> struct runtime_info */
    char *default_runtime;
    struct swarm_info swarm;
    bool live_restore_enabled;
    char *isolation, *init_binary;
    struct commit_info containerd_commit, runc_commit, init_commit;
    char **security_options;
    char *product_license;
    CODEC_LIST(struct address_pool) default_address_pools;
    struct firewall_info *firewall_backend; /* since 1.49 */
    char **cdi_spec_dirs;
    CODEC_LIST(struct device_info) discovered_devices;
    struct containerd_info *containerd;
    char **warnings;
};

struct auth_config {
    char *username, *password, *auth, *email, *server_address, *identity_token, *registry_token;
};
struct auth_response {
    char *identity_token, *status;
};

struct event_actor {
    char *id;
    struct str_map attributes;
};
struct event_message {
    char *status, *id, *from; /* the old form of the same; containers and images only */
    char *type, *action;
    struct event_actor actor;
    char *scope; /* "local" */
    int64_t time, time_nano;
};

struct disk_usage {
    int64_t layers_size;
    CODEC_LIST(struct image_summary) images;
    CODEC_LIST(struct container_summary) containers;
    CODEC_LIST(struct volume) volumes;
    CODEC_LIST(struct build_cache_record) build_cache;
    int64_t builder_size; /* before 1.42 only */
};

/* What GET and HEAD /_ping say, all in headers. */
struct ping {
    char *api_version, *builder_version, *os_type, *server, *swarm;
    bool experimental;
};

CODEC_DECLARE(error_response);
CODEC_DECLARE(version_platform);
CODEC_DECLARE(version_component);
CODEC_DECLARE(version);
CODEC_DECLARE(plugins_info);
CODEC_DECLARE(index_info);
CODEC_DECLARE(registry_service_config);
CODEC_DECLARE(runtime_info);
CODEC_DECLARE(swarm_info);
CODEC_DECLARE(commit_info);
CODEC_DECLARE(address_pool);
CODEC_DECLARE(firewall_info);
CODEC_DECLARE(device_info);
CODEC_DECLARE(containerd_namespaces);
CODEC_DECLARE(containerd_info);
CODEC_DECLARE(info);
CODEC_DECLARE(auth_config);
CODEC_DECLARE(auth_response);
CODEC_DECLARE(event_actor);
CODEC_DECLARE(event_message);
CODEC_DECLARE(disk_usage);
CODEC_DECLARE(ping);
