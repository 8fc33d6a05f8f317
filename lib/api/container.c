/* Tables of container.h. The order of rows is the order in which Docker prints. */
#include "lib/api/container.h"
#include "lib/api/tables.h"

static const struct codec_field health_config_fields[] = {
    F_CMD(struct health_config, test, "Test", OMIT),
    F_I64(struct health_config, interval, "Interval", OMIT),
    F_I64(struct health_config, timeout, "Timeout", OMIT),
    F_I64(struct health_config, start_period, "StartPeriod", OMIT),
    F_I64(struct health_config, start_interval, "StartInterval", OMIT),
    F_I64(struct health_config, retries, "Retries", OMIT),
    F_END,
};
CODEC_DEFINE(health_config);

static const struct codec_field container_config_fields[] = {
    CONTAINER_CONFIG_ROWS(struct container_config, , 0),
    F_END,
};
CODEC_DEFINE(container_config);

static const struct codec_field container_create_request_fields[] = {
    CONTAINER_CONFIG_ROWS(struct container_create_request, config., 0),
    F_OBJP(struct container_create_request, host_config, "HostConfig", OMIT, host_config),
    F_OBJP(struct container_create_request, networking_config, "NetworkingConfig", OMIT, networking_config),
    F_END,
};
CODEC_DEFINE(container_create_request);

static const struct codec_field container_create_response_fields[] = {
    F_STR(struct container_create_response, id, "Id", 0),
    F_STRV(struct container_create_response, warnings, "Warnings", 0),
    F_END,
};
CODEC_DEFINE(container_create_response);

static const struct codec_field container_update_request_fields[] = {
    RESOURCES_ROWS(struct container_update_request, resources.),
    F_OBJ(struct container_update_request, restart_policy, "RestartPolicy", 0, restart_policy),
    F_END,
};
CODEC_DEFINE(container_update_request);

static const struct codec_field container_update_response_fields[] = {
    F_STRV(struct container_update_response, warnings, "Warnings", NIL),
    F_END,
};
CODEC_DEFINE(container_update_response);

static const struct codec_field health_log_fields[] = {
    F_TIME(struct health_log, start, "Start", 0),
    F_TIME(struct health_log, end, "End", 0),
    F_I64(struct health_log, exit_code, "ExitCode", 0),
    F_STR(struct health_log, output, "Output", 0),
    F_END,
};
CODEC_DEFINE(health_log);

static const struct codec_field health_state_fields[] = {
    F_STR(struct health_state, status, "Status", 0),
    F_I64(struct health_state, failing_streak, "FailingStreak", 0),
    F_LIST(struct health_state, log, "Log", 0, health_log),
    F_END,
};
CODEC_DEFINE(health_state);

static const struct codec_field container_state_fields[] = {
    F_STR(struct container_state, status, "Status", 0),
    F_BOOL(struct container_state, running, "Running", 0),
    F_BOOL(struct container_state, paused, "Paused", 0),
    F_BOOL(struct container_state, restarting, "Restarting", 0),
    F_BOOL(struct container_state, oom_killed, "OOMKilled", 0),
    F_BOOL(struct container_state, dead, "Dead", 0),
    F_I64(struct container_state, pid, "Pid", 0),
    F_I64(struct container_state, exit_code, "ExitCode", 0),
    F_STR(struct container_state, error, "Error", 0),
    F_TIME(struct container_state, started_at, "StartedAt", 0),
    F_TIME(struct container_state, finished_at, "FinishedAt", 0),
    F_OBJP(struct container_state, health, "Health", OMIT, health_state),
    F_END,
};
CODEC_DEFINE(container_state);

static const struct codec_field mount_point_fields[] = {
    F_STR(struct mount_point, type, "Type", OMIT),
    F_STR(struct mount_point, name, "Name", OMIT),
    F_STR(struct mount_point, source, "Source", 0),
    F_STR(struct mount_point, destination, "Destination", 0),
    F_STR(struct mount_point, driver, "Driver", OMIT),
    F_STR(struct mount_point, mode, "Mode", 0),
    F_BOOL(struct mount_point, rw, "RW", 0),
    F_STR(struct mount_point, propagation, "Propagation", 0),
    F_END,
};
CODEC_DEFINE(mount_point);

static const struct codec_field graph_driver_data_fields[] = {
    F_STRMAP(struct graph_driver_data, data, "Data", NIL),
    F_STR(struct graph_driver_data, name, "Name", 0),
    F_END,
};
CODEC_DEFINE(graph_driver_data);

static const struct codec_field secondary_address_fields[] = {
    F_STR(struct secondary_address, addr, "Addr", 0),
    F_I64(struct secondary_address, prefix_len, "PrefixLen", 0),
    F_END,
};
CODEC_DEFINE(secondary_address);

static const struct codec_field network_settings_fields[] = {
    F_STR(struct network_settings, bridge, "Bridge", 0),
    F_STR(struct network_settings, sandbox_id, "SandboxID", 0),
    F_STR(struct network_settings, sandbox_key, "SandboxKey", 0),
    F_LISTMAP(struct network_settings, ports, "Ports", 0, port_binding),
    F_BOOL(struct network_settings, hairpin_mode, "HairpinMode", 0),
    F_STR(struct network_settings, link_local_ipv6_address, "LinkLocalIPv6Address", 0),
    F_I64(struct network_settings, link_local_ipv6_prefix_len, "LinkLocalIPv6PrefixLen", 0),
    F_LIST(struct network_settings, secondary_ip_addresses, "SecondaryIPAddresses", NIL, secondary_address),
    F_LIST(struct network_settings, secondary_ipv6_addresses, "SecondaryIPv6Addresses", NIL, secondary_address),
    F_STR(struct network_settings, endpoint_id, "EndpointID", 0),
    F_STR(struct network_settings, gateway, "Gateway", 0),
    F_STR(struct network_settings, global_ipv6_address, "GlobalIPv6Address", 0),
    F_I64(struct network_settings, global_ipv6_prefix_len, "GlobalIPv6PrefixLen", 0),
    F_STR(struct network_settings, ip_address, "IPAddress", 0),
    F_I64(struct network_settings, ip_prefix_len, "IPPrefixLen", 0),
    F_STR(struct network_settings, ipv6_gateway, "IPv6Gateway", 0),
    F_STR(struct network_settings, mac_address, "MacAddress", 0),
    F_OBJMAP(struct network_settings, networks, "Networks", 0, endpoint_settings),
    F_END,
};
CODEC_DEFINE(network_settings);

static const struct codec_field container_inspect_fields[] = {
    F_STR(struct container_inspect, id, "Id", 0),
    F_TIME(struct container_inspect, created, "Created", 0),
    F_STR(struct container_inspect, path, "Path", 0),
    F_STRV(struct container_inspect, args, "Args", 0),
    F_OBJ(struct container_inspect, state, "State", 0, container_state),
    F_STR(struct container_inspect, image, "Image", 0),
    F_STR(struct container_inspect, resolv_conf_path, "ResolvConfPath", 0),
    F_STR(struct container_inspect, hostname_path, "HostnamePath", 0),
    F_STR(struct container_inspect, hosts_path, "HostsPath", 0),
    F_STR(struct container_inspect, log_path, "LogPath", 0),
    F_STR(struct container_inspect, name, "Name", 0),
    F_I64(struct container_inspect, restart_count, "RestartCount", 0),
    F_STR(struct container_inspect, driver, "Driver", 0),
    F_STR(struct container_inspect, platform, "Platform", 0),
    F_STR(struct container_inspect, mount_label, "MountLabel", 0),
    F_STR(struct container_inspect, process_label, "ProcessLabel", 0),
    F_STR(struct container_inspect, app_armor_profile, "AppArmorProfile", 0),
    F_STRV(struct container_inspect, exec_ids, "ExecIDs", NIL),
    F_OBJ(struct container_inspect, host_config, "HostConfig", 0, host_config),
    F_OBJ(struct container_inspect, graph_driver, "GraphDriver", 0, graph_driver_data),
    F_OPT_I64(struct container_inspect, size_rw, "SizeRw", OMIT),
    F_OPT_I64(struct container_inspect, size_root_fs, "SizeRootFs", OMIT),
    F_LIST(struct container_inspect, mounts, "Mounts", 0, mount_point),
    F_OBJ(struct container_inspect, config, "Config", 0, container_config),
    F_OBJ(struct container_inspect, network_settings, "NetworkSettings", 0, network_settings),
    F_END,
};
CODEC_DEFINE(container_inspect);

static const struct codec_field port_summary_fields[] = {
    F_STR(struct port_summary, ip, "IP", OMIT),
    F_I64(struct port_summary, private_port, "PrivatePort", 0),
    F_I64(struct port_summary, public_port, "PublicPort", OMIT),
    F_STR(struct port_summary, type, "Type", 0),
    F_END,
};
CODEC_DEFINE(port_summary);

static const struct codec_field host_config_summary_fields[] = {
    F_STR(struct host_config_summary, network_mode, "NetworkMode", OMIT),
    F_STRMAP(struct host_config_summary, annotations, "Annotations", OMIT),
    F_END,
};
CODEC_DEFINE(host_config_summary);

static const struct codec_field network_settings_summary_fields[] = {
    F_OBJMAP(struct network_settings_summary, networks, "Networks", 0, endpoint_settings),
    F_END,
};
CODEC_DEFINE(network_settings_summary);

static const struct codec_field container_summary_fields[] = {
    F_STR(struct container_summary, id, "Id", 0),
    F_STRV(struct container_summary, names, "Names", 0),
    F_STR(struct container_summary, image, "Image", 0),
    F_STR(struct container_summary, image_id, "ImageID", 0),
    F_STR(struct container_summary, command, "Command", 0),
    F_I64(struct container_summary, created, "Created", 0),
    F_LIST(struct container_summary, ports, "Ports", 0, port_summary),
    F_I64(struct container_summary, size_rw, "SizeRw", OMIT),
    F_I64(struct container_summary, size_root_fs, "SizeRootFs", OMIT),
    F_STRMAP(struct container_summary, labels, "Labels", 0),
    F_STR(struct container_summary, state, "State", 0),
    F_STR(struct container_summary, status, "Status", 0),
    F_OBJ(struct container_summary, host_config, "HostConfig", 0, host_config_summary),
    F_OBJ(struct container_summary, network_settings, "NetworkSettings", 0, network_settings_summary),
    F_LIST(struct container_summary, mounts, "Mounts", 0, mount_point),
    F_END,
};
CODEC_DEFINE(container_summary);

static const struct codec_field wait_exit_error_fields[] = {
    F_STR(struct wait_exit_error, message, "Message", OMIT),
    F_END,
};
CODEC_DEFINE(wait_exit_error);

static const struct codec_field container_wait_response_fields[] = {
    F_OBJP(struct container_wait_response, error, "Error", OMIT, wait_exit_error),
    F_I64(struct container_wait_response, status_code, "StatusCode", 0),
    F_END,
};
CODEC_DEFINE(container_wait_response);

static const struct codec_field container_top_response_fields[] = {
    F_RAW(struct container_top_response, processes, "Processes", NIL),
    F_STRV(struct container_top_response, titles, "Titles", 0),
    F_END,
};
CODEC_DEFINE(container_top_response);

static const struct codec_field filesystem_change_fields[] = {
    F_I64(struct filesystem_change, kind, "Kind", 0),
    F_STR(struct filesystem_change, path, "Path", 0),
    F_END,
};
CODEC_DEFINE(filesystem_change);

static const struct codec_field path_stat_fields[] = {
    F_STR(struct path_stat, name, "name", 0),
    F_I64(struct path_stat, size, "size", 0),
    F_I64(struct path_stat, mode, "mode", 0),
    F_TIME(struct path_stat, mtime, "mtime", 0),
    F_STR(struct path_stat, link_target, "linkTarget", 0),
    F_END,
};
CODEC_DEFINE(path_stat);

static const struct codec_field container_prune_response_fields[] = {
    F_STRV(struct container_prune_response, containers_deleted, "ContainersDeleted", NIL),
    F_I64(struct container_prune_response, space_reclaimed, "SpaceReclaimed", 0),
    F_END,
};
CODEC_DEFINE(container_prune_response);

static const struct codec_field id_response_fields[] = {
    F_STR(struct id_response, id, "Id", 0),
    F_END,
};
CODEC_DEFINE(id_response);

static const struct codec_field exec_create_request_fields[] = {
    F_STR(struct exec_create_request, user, "User", 0),
    F_BOOL(struct exec_create_request, privileged, "Privileged", 0),
    F_BOOL(struct exec_create_request, tty, "Tty", 0),
    F_I64LIST(struct exec_create_request, console_size, "ConsoleSize", OMIT),
    F_BOOL(struct exec_create_request, attach_stdin, "AttachStdin", 0),
    F_BOOL(struct exec_create_request, attach_stderr, "AttachStderr", 0),
    F_BOOL(struct exec_create_request, attach_stdout, "AttachStdout", 0),
    F_BOOL(struct exec_create_request, detach, "Detach", OMIT),
    F_STR(struct exec_create_request, detach_keys, "DetachKeys", 0),
    F_STRV(struct exec_create_request, env, "Env", NIL),
    F_STR(struct exec_create_request, working_dir, "WorkingDir", 0),
    F_CMD(struct exec_create_request, cmd, "Cmd", NIL),
    F_END,
};
CODEC_DEFINE(exec_create_request);

static const struct codec_field exec_start_request_fields[] = {
    F_BOOL(struct exec_start_request, detach, "Detach", 0),
    F_BOOL(struct exec_start_request, tty, "Tty", 0),
    F_I64LIST(struct exec_start_request, console_size, "ConsoleSize", OMIT),
    F_END,
};
CODEC_DEFINE(exec_start_request);

static const struct codec_field exec_process_config_fields[] = {
    F_BOOL(struct exec_process_config, tty, "tty", 0),
    F_STR(struct exec_process_config, entrypoint, "entrypoint", 0),
    F_STRV(struct exec_process_config, arguments, "arguments", 0),
    F_OPT_BOOL(struct exec_process_config, privileged, "privileged", OMIT),
    F_STR(struct exec_process_config, user, "user", OMIT),
    F_END,
};
CODEC_DEFINE(exec_process_config);

static const struct codec_field exec_inspect_fields[] = {
    F_STR(struct exec_inspect, id, "ID", 0),
    F_BOOL(struct exec_inspect, running, "Running", 0),
    F_OPT_I64(struct exec_inspect, exit_code, "ExitCode", NIL),
    F_OBJ(struct exec_inspect, process_config, "ProcessConfig", 0, exec_process_config),
    F_BOOL(struct exec_inspect, open_stdin, "OpenStdin", 0),
    F_BOOL(struct exec_inspect, open_stderr, "OpenStderr", 0),
    F_BOOL(struct exec_inspect, open_stdout, "OpenStdout", 0),
    F_BOOL(struct exec_inspect, can_remove, "CanRemove", 0),
    F_STR(struct exec_inspect, container_id, "ContainerID", 0),
    F_STR(struct exec_inspect, detach_keys, "DetachKeys", 0),
    F_I64(struct exec_inspect, pid, "Pid", 0),
    F_END,
};
CODEC_DEFINE(exec_inspect);
