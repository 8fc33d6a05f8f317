/* Tables of system.h. The order of rows is the order in which Docker prints. */
#include "lib/api/system.h"
#include "lib/api/tables.h"

static const struct codec_field error_response_fields[] = {
    F_STR(struct error_response, message, "message", 0),
    F_END,
};
CODEC_DEFINE(error_response);

static const struct codec_field version_platform_fields[] = {
    F_STR(struct version_platform, name, "Name", 0),
    F_END,
};
CODEC_DEFINE(version_platform);

static const struct codec_field version_component_fields[] = {
    F_STR(struct version_component, name, "Name", 0),
    F_STR(struct version_component, version, "Version", 0),
    F_STRMAP(struct version_component, details, "Details", OMIT),
    F_END,
};
CODEC_DEFINE(version_component);

static const struct codec_field version_fields[] = {
    F_OBJ(struct version, platform, "Platform", 0, version_platform),
    F_LIST(struct version, components, "Components", OMIT, version_component),
    F_STR(struct version, version, "Version", 0),
    F_STR(struct version, api_version, "ApiVersion", 0),
    F_STR(struct version, min_api_version, "MinAPIVersion", OMIT),
    F_STR(struct version, git_commit, "GitCommit", 0),
    F_STR(struct version, go_version, "GoVersion", 0),
    F_STR(struct version, os, "Os", 0),
    F_STR(struct version, arch, "Arch", 0),
    F_STR(struct version, kernel_version, "KernelVersion", OMIT),
    F_BOOL(struct version, experimental, "Experimental", OMIT),
    F_STR(struct version, build_time, "BuildTime", OMIT),
    F_END,
};
CODEC_DEFINE(version);

static const struct codec_field plugins_info_fields[] = {
    F_STRV(struct plugins_info, volume, "Volume", NIL),
    F_STRV(struct plugins_info, network, "Network", NIL),
    F_STRV(struct plugins_info, authorization, "Authorization", NIL),
    F_STRV(struct plugins_info, log, "Log", NIL),
    F_END,
};
CODEC_DEFINE(plugins_info);

static const struct codec_field index_info_fields[] = {
    F_STRV(struct index_info, mirrors, "Mirrors", 0),
    F_STR(struct index_info, name, "Name", 0),
    F_BOOL(struct index_info, official, "Official", 0),
    F_BOOL(struct index_info, secure, "Secure", 0),
    F_END,
};
CODEC_DEFINE(index_info);

static const struct codec_field registry_service_config_fields[] = {
    F_RAW(struct registry_service_config, allow_nondistributable_artifacts_cidrs, "AllowNondistributableArtifactsCIDRs", OMIT),
    F_RAW(struct registry_service_config, allow_nondistributable_artifacts_hostnames, "AllowNondistributableArtifactsHostnames", OMIT),
    F_OBJMAP(struct registry_service_config, index_configs, "IndexConfigs", 0, index_info),
    F_STRV(struct registry_service_config, insecure_registry_cidrs, "InsecureRegistryCIDRs", 0),
    F_STRV(struct registry_service_config, mirrors, "Mirrors", NIL),
    F_END,
};
CODEC_DEFINE(registry_service_config);

static const struct codec_field runtime_info_fields[] = {
    F_STR(struct runtime_info, path, "path", OMIT),
    F_STRV(struct runtime_info, runtime_args, "runtimeArgs", OMIT),
    F_STRMAP(struct runtime_info, status, "status", OMIT),
    F_END,
};
CODEC_DEFINE(runtime_info);

static const struct codec_field swarm_info_fields[] = {
    F_STR(struct swarm_info, node_id, "NodeID", 0),
    F_STR(struct swarm_info, node_addr, "NodeAddr", 0),
    F_STR(struct swarm_info, local_node_state, "LocalNodeState", 0),
    F_BOOL(struct swarm_info, control_available, "ControlAvailable", 0),
    F_STR(struct swarm_info, error, "Error", 0),
    F_RAW(struct swarm_info, remote_managers, "RemoteManagers", NIL),
    F_END,
};
CODEC_DEFINE(swarm_info);

static const struct codec_field commit_info_fields[] = {
    F_STR(struct commit_info, id, "ID", 0),
    F_STR(struct commit_info, expected, "Expected", OMIT),
    F_END,
};
CODEC_DEFINE(commit_info);

static const struct codec_field address_pool_fields[] = {
    F_STR(struct address_pool, base, "Base", 0),
    F_I64(struct address_pool, size, "Size", 0),
    F_END,
};
CODEC_DEFINE(address_pool);

static const struct codec_field firewall_info_fields[] = {
    F_STR(struct firewall_info, driver, "Driver", 0),
    F_RAW(struct firewall_info, info, "Info", OMIT),
    F_END,
};
CODEC_DEFINE(firewall_info);

static const struct codec_field device_info_fields[] = {
    F_STR(struct device_info, source, "Source", 0),
    F_STR(struct device_info, id, "ID", 0),
    F_END,
};
CODEC_DEFINE(device_info);

static const struct codec_field containerd_namespaces_fields[] = {
    F_STR(struct containerd_namespaces, containers, "Containers", 0),
    F_STR(struct containerd_namespaces, plugins, "Plugins", 0),
    F_END,
};
CODEC_DEFINE(containerd_namespaces);

static const struct codec_field containerd_info_fields[] = {
    F_STR(struct containerd_info, address, "Address", OMIT),
    F_OBJ(struct containerd_info, namespaces, "Namespaces", 0, containerd_namespaces),
    F_END,
};
CODEC_DEFINE(containerd_info);

static const struct codec_field info_fields[] = {
    F_STR(struct info, id, "ID", 0),
    F_I64(struct info, containers, "Containers", 0),
    F_I64(struct info, containers_running, "ContainersRunning", 0),
    F_I64(struct info, containers_paused, "ContainersPaused", 0),
    F_I64(struct info, containers_stopped, "ContainersStopped", 0),
    F_I64(struct info, images, "Images", 0),
    F_STR(struct info, driver, "Driver", 0),
    F_RAW(struct info, driver_status, "DriverStatus", NIL),
    F_OBJ(struct info, plugins, "Plugins", 0, plugins_info),
    F_BOOL(struct info, memory_limit, "MemoryLimit", 0),
    F_BOOL(struct info, swap_limit, "SwapLimit", 0),
    F_BOOL(struct info, kernel_memory, "KernelMemory", OMIT),
    F_BOOL(struct info, kernel_memory_tcp, "KernelMemoryTCP", OMIT),
    F_BOOL(struct info, cpu_cfs_period, "CpuCfsPeriod", 0),
    F_BOOL(struct info, cpu_cfs_quota, "CpuCfsQuota", 0),
    F_BOOL(struct info, cpu_shares, "CPUShares", 0),
    F_BOOL(struct info, cpu_set, "CPUSet", 0),
    F_BOOL(struct info, pids_limit, "PidsLimit", 0),
    F_BOOL(struct info, ipv4_forwarding, "IPv4Forwarding", 0),
    F_OPT_BOOL(struct info, bridge_nf_iptables, "BridgeNfIptables", OMIT),
    F_OPT_BOOL(struct info, bridge_nf_ip6tables, "BridgeNfIp6tables", OMIT),
    F_BOOL(struct info, debug, "Debug", 0),
    F_I64(struct info, n_fd, "NFd", 0),
    F_BOOL(struct info, oom_kill_disable, "OomKillDisable", 0),
    F_I64(struct info, n_goroutines, "NGoroutines", 0),
    F_TIME(struct info, system_time, "SystemTime", 0),
    F_STR(struct info, logging_driver, "LoggingDriver", 0),
    F_STR(struct info, cgroup_driver, "CgroupDriver", 0),
    F_STR(struct info, cgroup_version, "CgroupVersion", OMIT),
    F_I64(struct info, n_events_listener, "NEventsListener", 0),
    F_STR(struct info, kernel_version, "KernelVersion", 0),
    F_STR(struct info, operating_system, "OperatingSystem", 0),
    F_STR(struct info, os_version, "OSVersion", 0),
    F_STR(struct info, os_type, "OSType", 0),
    F_STR(struct info, architecture, "Architecture", 0),
    F_STR(struct info, index_server_address, "IndexServerAddress", 0),
    F_OBJ(struct info, registry_config, "RegistryConfig", 0, registry_service_config),
    F_I64(struct info, ncpu, "NCPU", 0),
    F_I64(struct info, mem_total, "MemTotal", 0),
    F_RAW(struct info, generic_resources, "GenericResources", NIL),
    F_STR(struct info, docker_root_dir, "DockerRootDir", 0),
    F_STR(struct info, http_proxy, "HttpProxy", 0),
    F_STR(struct info, https_proxy, "HttpsProxy", 0),
    F_STR(struct info, no_proxy, "NoProxy", 0),
    F_STR(struct info, name, "Name", 0),
    F_STRV(struct info, labels, "Labels", 0),
    F_BOOL(struct info, experimental_build, "ExperimentalBuild", 0),
    F_STR(struct info, server_version, "ServerVersion", 0),
    F_OBJMAP(struct info, runtimes, "Runtimes", 0, runtime_info),
    F_STR(struct info, default_runtime, "DefaultRuntime", 0),
    F_OBJ(struct info, swarm, "Swarm", 0, swarm_info),
    F_BOOL(struct info, live_restore_enabled, "LiveRestoreEnabled", 0),
    F_STR(struct info, isolation, "Isolation", 0),
    F_STR(struct info, init_binary, "InitBinary", 0),
    F_OBJ(struct info, containerd_commit, "ContainerdCommit", 0, commit_info),
    F_OBJ(struct info, runc_commit, "RuncCommit", 0, commit_info),
    F_OBJ(struct info, init_commit, "InitCommit", 0, commit_info),
    F_STRV(struct info, security_options, "SecurityOptions", 0),
    F_STR(struct info, product_license, "ProductLicense", OMIT),
    F_LIST(struct info, default_address_pools, "DefaultAddressPools", OMIT, address_pool),
    F_OBJP(struct info, firewall_backend, "FirewallBackend", OMIT, firewall_info),
    F_STRV(struct info, cdi_spec_dirs, "CDISpecDirs", 0),
    F_LIST(struct info, discovered_devices, "DiscoveredDevices", OMIT, device_info),
    F_OBJP(struct info, containerd, "Containerd", OMIT, containerd_info),
    F_STRV(struct info, warnings, "Warnings", NIL),
    F_END,
};
CODEC_DEFINE(info);

static const struct codec_field auth_config_fields[] = {
    F_STR(struct auth_config, username, "username", OMIT),
    F_STR(struct auth_config, password, "password", OMIT),
    F_STR(struct auth_config, auth, "auth", OMIT),
    F_STR(struct auth_config, email, "email", OMIT),
    F_STR(struct auth_config, server_address, "serveraddress", OMIT),
    F_STR(struct auth_config, identity_token, "identitytoken", OMIT),
    F_STR(struct auth_config, registry_token, "registrytoken", OMIT),
    F_END,
};
CODEC_DEFINE(auth_config);

static const struct codec_field auth_response_fields[] = {
    F_STR(struct auth_response, identity_token, "IdentityToken", 0),
    F_STR(struct auth_response, status, "Status", 0),
    F_END,
};
CODEC_DEFINE(auth_response);

static const struct codec_field event_actor_fields[] = {
    F_STR(struct event_actor, id, "ID", 0),
    F_STRMAP(struct event_actor, attributes, "Attributes", 0),
    F_END,
};
CODEC_DEFINE(event_actor);

static const struct codec_field event_message_fields[] = {
    F_STR(struct event_message, status, "status", OMIT),
    F_STR(struct event_message, id, "id", OMIT),
    F_STR(struct event_message, from, "from", OMIT),
    F_STR(struct event_message, type, "Type", 0),
    F_STR(struct event_message, action, "Action", 0),
    F_OBJ(struct event_message, actor, "Actor", 0, event_actor),
    F_STR(struct event_message, scope, "scope", OMIT),
    F_I64(struct event_message, time, "time", OMIT),
    F_I64(struct event_message, time_nano, "timeNano", OMIT),
    F_END,
};
CODEC_DEFINE(event_message);

static const struct codec_field disk_usage_fields[] = {
    F_I64(struct disk_usage, layers_size, "LayersSize", 0),
    F_LIST(struct disk_usage, images, "Images", 0, image_summary),
    F_LIST(struct disk_usage, containers, "Containers", 0, container_summary),
    F_LIST(struct disk_usage, volumes, "Volumes", 0, volume),
    F_LIST(struct disk_usage, build_cache, "BuildCache", 0, build_cache_record),
    F_I64(struct disk_usage, builder_size, "BuilderSize", OMIT),
    F_END,
};
CODEC_DEFINE(disk_usage);

static const struct codec_field ping_fields[] = {
    F_STR(struct ping, api_version, "Api-Version", OMIT),
    F_STR(struct ping, builder_version, "Builder-Version", OMIT),
    F_STR(struct ping, os_type, "Ostype", OMIT),
    F_STR(struct ping, server, "Server", OMIT),
    F_STR(struct ping, swarm, "Swarm", OMIT),
    F_BOOL(struct ping, experimental, "Docker-Experimental", 0),
    F_END,
};
CODEC_DEFINE(ping);
