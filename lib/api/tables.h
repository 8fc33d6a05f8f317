/* Short names for the codec's flags inside the tables of this room, and the rows that several structs share.
 * Private to lib/api. AT is the path of the member that holds the shared rows, with its point, or nothing. */
#pragma once
#include "lib/api/container.h"
#include "lib/json/codec.h"

#define OMIT OMIT_EMPTY
#define NIL NULL_EMPTY

/* A pointer row whose table is not named after its struct (the same struct with other manners). */
#define F_OBJP_AS(T, m, json, fl, M, table) CODEC_ROW_(T, m, struct M *, json, CODEC_OBJP, fl, &table)

#define CONTAINER_CONFIG_ROWS(T, AT, labels_flag)              \
    F_STR(T, AT hostname, "Hostname", 0),                      \
    F_STR(T, AT domainname, "Domainname", 0),                  \
    F_STR(T, AT user, "User", 0),                              \
    F_BOOL(T, AT attach_stdin, "AttachStdin", 0),              \
    F_BOOL(T, AT attach_stdout, "AttachStdout", 0),            \
    F_BOOL(T, AT attach_stderr, "AttachStderr", 0),            \
    F_STRSET(T, AT exposed_ports, "ExposedPorts", OMIT),       \
    F_BOOL(T, AT tty, "Tty", 0),                               \
    F_BOOL(T, AT open_stdin, "OpenStdin", 0),                  \
    F_BOOL(T, AT stdin_once, "StdinOnce", 0),                  \
    F_STRV(T, AT env, "Env", NIL),                             \
    F_CMD(T, AT cmd, "Cmd", NIL),                              \
    F_OBJP(T, AT healthcheck, "Healthcheck", OMIT, health_config), \
    F_BOOL(T, AT args_escaped, "ArgsEscaped", OMIT),           \
    F_STR(T, AT image, "Image", 0),                            \
    F_STRSET(T, AT volumes, "Volumes", NIL),                   \
    F_STR(T, AT working_dir, "WorkingDir", 0),                 \
    F_CMD(T, AT entrypoint, "Entrypoint", NIL),                \
    F_BOOL(T, AT network_disabled, "NetworkDisabled", OMIT),   \
    F_STR(T, AT mac_address, "MacAddress", OMIT),              \
    F_STRV(T, AT on_build, "OnBuild", NIL),                    \
    F_STRMAP(T, AT labels, "Labels", labels_flag),             \
    F_STR(T, AT stop_signal, "StopSignal", OMIT),              \
    F_OPT_I64(T, AT stop_timeout, "StopTimeout", OMIT),        \
    F_CMD(T, AT shell, "Shell", OMIT)

#define RESOURCES_ROWS(T, AT)                                                             \
    F_I64(T, AT cpu_shares, "CpuShares", 0),                                              \
    F_I64(T, AT memory, "Memory", 0),                                                     \
    F_I64(T, AT nano_cpus, "NanoCpus", 0),                                                \
    F_STR(T, AT cgroup_parent, "CgroupParent", 0),                                        \
    F_I64(T, AT blkio_weight, "BlkioWeight", 0),                                          \
    F_LIST(T, AT blkio_weight_device, "BlkioWeightDevice", NIL, weight_device),           \
    F_LIST(T, AT blkio_device_read_bps, "BlkioDeviceReadBps", NIL, throttle_device),      \
    F_LIST(T, AT blkio_device_write_bps, "BlkioDeviceWriteBps", NIL, throttle_device),    \
    F_LIST(T, AT blkio_device_read_iops, "BlkioDeviceReadIOps", NIL, throttle_device),    \
    F_LIST(T, AT blkio_device_write_iops, "BlkioDeviceWriteIOps", NIL, throttle_device),  \
    F_I64(T, AT cpu_period, "CpuPeriod", 0),                                              \
    F_I64(T, AT cpu_quota, "CpuQuota", 0),                                                \
    F_I64(T, AT cpu_realtime_period, "CpuRealtimePeriod", 0),                             \
    F_I64(T, AT cpu_realtime_runtime, "CpuRealtimeRuntime", 0),                           \
    F_STR(T, AT cpuset_cpus, "CpusetCpus", 0),                                            \
    F_STR(T, AT cpuset_mems, "CpusetMems", 0),                                            \
    F_LIST(T, AT devices, "Devices", NIL, device_mapping),                                \
    F_STRV(T, AT device_cgroup_rules, "DeviceCgroupRules", NIL),                          \
    F_LIST(T, AT device_requests, "DeviceRequests", NIL, device_request),                 \
    F_I64(T, AT kernel_memory, "KernelMemory", OMIT),                                     \
    F_I64(T, AT kernel_memory_tcp, "KernelMemoryTCP", OMIT),                              \
    F_I64(T, AT memory_reservation, "MemoryReservation", 0),                              \
    F_I64(T, AT memory_swap, "MemorySwap", 0),                                            \
    F_OPT_I64(T, AT memory_swappiness, "MemorySwappiness", NIL),                          \
    F_OPT_BOOL(T, AT oom_kill_disable, "OomKillDisable", NIL),                            \
    F_OPT_I64(T, AT pids_limit, "PidsLimit", NIL),                                        \
    F_LIST(T, AT ulimits, "Ulimits", NIL, ulimit),                                        \
    F_I64(T, AT cpu_count, "CpuCount", 0),                                                \
    F_I64(T, AT cpu_percent, "CpuPercent", 0),                                            \
    F_I64(T, AT io_maximum_iops, "IOMaximumIOps", 0),                                     \
    F_I64(T, AT io_maximum_bandwidth, "IOMaximumBandwidth", 0)
