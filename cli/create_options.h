/* The flags that `create` and `run` share, and what is made of them: the request to create a container. */
#pragma once
#include "cli/command.h"
#include "lib/api/container.h"

struct create_options {
    char *name, *platform, *pull, *cid_file;
    bool quiet, disable_content_trust, use_api_socket, help;
    /* of the process */
    char **attach, **env, **env_file, **label, **label_file, **group_add;
    bool interactive, tty;
    char *entrypoint, *user, *workdir, *hostname, *domainname, *stop_signal;
    struct opt_i64 stop_timeout;
    struct opt_bool init;
    char *health_cmd;
    int64_t health_interval, health_timeout, health_start_period, health_start_interval, health_retries;
    bool no_healthcheck;
    /* of its file system */
    char **volume, **volumes_from, **mount, **tmpfs, **storage_opt;
    char *volume_driver;
    bool read_only;
    int64_t shm_size;
    /* of its network */
    char **network, **network_alias, **link, **link_local_ip, **publish, **expose, **add_host, **dns, **dns_option, **dns_search;
    char *ip, *ip6, *mac_address;
    bool publish_all;
    /* of what it may use and do */
    char **cap_add, **cap_drop, **security_opt, **device, **device_cgroup_rule, **gpus, **ulimit;
    char **blkio_weight_device, **device_read_bps, **device_write_bps, **device_read_iops, **device_write_iops;
    bool privileged, oom_kill_disable;
    char *ipc, *pid, *uts, *userns, *cgroupns, *cgroup_parent, *isolation, *runtime, *cpuset_cpus, *cpuset_mems;
    int64_t blkio_weight, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpu_shares, nano_cpus, kernel_memory, memory;
    int64_t memory_reservation, memory_swap, memory_swappiness, oom_score_adj, pids_limit;
    struct str_map annotation, sysctl;
    /* of its life */
    char *restart, *log_driver;
    char **log_opt;
    bool rm;
};

/* Validators that refuse a value while the command line is read (create_check.c and the files named after them). */
flag_check check_attach, check_add_host, check_dns, check_dns_search, check_link, check_sysctl, check_ulimit,
    check_device_cgroup_rule, check_weight_device, check_rate_bps, check_rate_iops, check_uint16, check_mount, check_network,
    check_gpus;

#define CREATE_PULL_HELP(verb) "Pull image before " verb " (\"always\", \"missing\", \"never\")"
#define CREATE_CGROUPNS_HELP                                                                                          \
    "Cgroup namespace to use (host|private)\n'host':    Run the container in the Docker host's cgroup namespace\n"    \
    "'private': Run the container in its own private cgroup namespace\n'':        Use the cgroup namespace as "       \
    "configured by the\n           default-cgroupns-mode option on the daemon (default)"

/* Rows of flags: T is the options struct, AT the path to its struct create_options with the point ("create."). */
#define CREATE_FLAGS_A_TO_D(T, AT)                                                                                      \
    FLAG_STRV_(T, AT add_host, "add-host", 0, "Add a custom host-to-IP mapping (host:ip)", .check = check_add_host),    \
    FLAG_STRMAP_(T, AT annotation, "annotation", 0,                                                                     \
        "Add an annotation to the container (passed through to the OCI runtime) (default map[])"),                      \
    FLAG_STRV_(T, AT attach, "attach", 'a', "Attach to STDIN, STDOUT or STDERR", .check = check_attach),                \
    FLAG_I64_(T, AT blkio_weight, "blkio-weight", 0,                                                                    \
        "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)", .shown = "uint16",              \
        .check = check_uint16),                                                                                         \
    FLAG_STRV_(T, AT blkio_weight_device, "blkio-weight-device", 0,                                                     \
        "Block IO weight (relative device weight) (default [])", .check = check_weight_device),                         \
    FLAG_STRV_(T, AT cap_add, "cap-add", 0, "Add Linux capabilities"),                                                  \
    FLAG_STRV_(T, AT cap_drop, "cap-drop", 0, "Drop Linux capabilities"),                                               \
    FLAG_STR_(T, AT cgroup_parent, "cgroup-parent", 0, "Optional parent cgroup for the container"),                     \
    FLAG_STR_(T, AT cgroupns, "cgroupns", 0, CREATE_CGROUPNS_HELP),                                                     \
    FLAG_STR_(T, AT cid_file, "cidfile", 0, "Write the container ID to the file"),                                      \
    FLAG_I64_(T, AT cpu_period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period"),                   \
    FLAG_I64_(T, AT cpu_quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota"),                      \
    FLAG_I64_(T, AT cpu_rt_period, "cpu-rt-period", 0, "Limit CPU real-time period in microseconds"),                   \
    FLAG_I64_(T, AT cpu_rt_runtime, "cpu-rt-runtime", 0, "Limit CPU real-time runtime in microseconds"),                \
    FLAG_I64_(T, AT cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)"),                                     \
    FLAG_NANO_CPUS_(T, AT nano_cpus, "cpus", 0, "Number of CPUs"),                                                      \
    FLAG_STR_(T, AT cpuset_cpus, "cpuset-cpus", 0, "CPUs in which to allow execution (0-3, 0,1)"),                      \
    FLAG_STR_(T, AT cpuset_mems, "cpuset-mems", 0, "MEMs in which to allow execution (0-3, 0,1)"),                      \
    FLAG_STRV_(T, AT device, "device", 0, "Add a host device to the container"),                                        \
    FLAG_STRV_(T, AT device_cgroup_rule, "device-cgroup-rule", 0, "Add a rule to the cgroup allowed devices list",      \
        .check = check_device_cgroup_rule),                                                                             \
    FLAG_STRV_(T, AT device_read_bps, "device-read-bps", 0,                                                             \
        "Limit read rate (bytes per second) from a device (default [])", .check = check_rate_bps),                      \
    FLAG_STRV_(T, AT device_read_iops, "device-read-iops", 0,                                                           \
        "Limit read rate (IO per second) from a device (default [])", .check = check_rate_iops),                        \
    FLAG_STRV_(T, AT device_write_bps, "device-write-bps", 0,                                                           \
        "Limit write rate (bytes per second) to a device (default [])", .check = check_rate_bps),                       \
    FLAG_STRV_(T, AT device_write_iops, "device-write-iops", 0,                                                         \
        "Limit write rate (IO per second) to a device (default [])", .check = check_rate_iops),                         \
    FLAG_BOOL_(T, AT disable_content_trust, "disable-content-trust", 0, "Skip image verification", .initial = "true"),  \
    FLAG_STRV_(T, AT dns, "dns", 0, "Set custom DNS servers", .check = check_dns),                                      \
    FLAG_STRV_(T, AT dns_option, "dns-opt", 0, "Set DNS options", .hidden = true),                                      \
    FLAG_STRV_(T, AT dns_option, "dns-option", 0, "Set DNS options"),                                                   \
    FLAG_STRV_(T, AT dns_search, "dns-search", 0, "Set custom DNS search domains", .check = check_dns_search),          \
    FLAG_STR_(T, AT domainname, "domainname", 0, "Container NIS domain name")

#define CREATE_FLAGS_E_TO_L(T, AT)                                                                                      \
    FLAG_STR_(T, AT entrypoint, "entrypoint", 0, "Overwrite the default ENTRYPOINT of the image"),                      \
    FLAG_STRV_(T, AT env, "env", 'e', "Set environment variables", .check = flag_check_env),                            \
    FLAG_STRV_(T, AT env_file, "env-file", 0, "Read in a file of environment variables"),                               \
    FLAG_STRV_(T, AT expose, "expose", 0, "Expose a port or a range of ports"),                                         \
    FLAG_STRV_(T, AT gpus, "gpus", 0, "GPU devices to add to the container ('all' to pass all GPUs)",                   \
        .shown = "gpu-request", .check = check_gpus),                                                                   \
    FLAG_STRV_(T, AT group_add, "group-add", 0, "Add additional groups to join"),                                       \
    FLAG_STR_(T, AT health_cmd, "health-cmd", 0, "Command to run to check health"),                                     \
    FLAG_DURATION_(T, AT health_interval, "health-interval", 0,                                                         \
        "Time between running the check (ms|s|m|h) (default 0s)"),                                                      \
    FLAG_I64_(T, AT health_retries, "health-retries", 0, "Consecutive failures needed to report unhealthy"),            \
    FLAG_DURATION_(T, AT health_start_interval, "health-start-interval", 0,                                             \
        "Time between running the check during the start period (ms|s|m|h) (default 0s)"),                              \
    FLAG_DURATION_(T, AT health_start_period, "health-start-period", 0,                                                 \
        "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)"), \
    FLAG_DURATION_(T, AT health_timeout, "health-timeout", 0,                                                           \
        "Maximum time to allow one check to run (ms|s|m|h) (default 0s)"),                                              \
    FLAG_BOOL_(T, AT help, "help", 0, "Print usage"),                                                                   \
    FLAG_STR_(T, AT hostname, "hostname", 'h', "Container host name"),                                                  \
    FLAG_OPT_BOOL_(T, AT init, "init", 0, "Run an init inside the container that forwards signals and reaps processes"), \
    FLAG_BOOL_(T, AT interactive, "interactive", 'i', "Keep STDIN open even if not attached"),                          \
    FLAG_STR_(T, AT ip, "ip", 0, "IPv4 address (e.g., 172.30.100.104)"),                                                \
    FLAG_STR_(T, AT ip6, "ip6", 0, "IPv6 address (e.g., 2001:db8::33)"),                                                \
    FLAG_STR_(T, AT ipc, "ipc", 0, "IPC mode to use"),                                                                  \
    FLAG_STR_(T, AT isolation, "isolation", 0, "Container isolation technology"),                                       \
    FLAG_BYTES_(T, AT kernel_memory, "kernel-memory", 0, "Kernel memory limit"),                                        \
    FLAG_STRV_(T, AT label, "label", 'l', "Set meta data on a container", .check = flag_check_label),                   \
    FLAG_STRV_(T, AT label_file, "label-file", 0, "Read in a line delimited file of labels"),                           \
    FLAG_STRV_(T, AT link, "link", 0, "Add link to another container", .check = check_link),                            \
    FLAG_STRV_(T, AT link_local_ip, "link-local-ip", 0, "Container IPv4/IPv6 link-local addresses"),                    \
    FLAG_STR_(T, AT log_driver, "log-driver", 0, "Logging driver for the container"),                                   \
    FLAG_STRV_(T, AT log_opt, "log-opt", 0, "Log driver options")

#define CREATE_FLAGS_M_TO_R(T, AT)                                                                                      \
    FLAG_STR_(T, AT mac_address, "mac-address", 0, "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),                  \
    FLAG_BYTES_(T, AT memory, "memory", 'm', "Memory limit"),                                                           \
    FLAG_BYTES_(T, AT memory_reservation, "memory-reservation", 0, "Memory soft limit"),                                \
    FLAG_BYTES_(T, AT memory_swap, "memory-swap", 0,                                                                    \
        "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", .allow_minus_one = true),                \
    FLAG_I64_(T, AT memory_swappiness, "memory-swappiness", 0, "Tune container memory swappiness (0 to 100)",           \
        .initial = "-1"),                                                                                               \
    FLAG_STRV_(T, AT mount, "mount", 0, "Attach a filesystem mount to the container", .shown = "mount",                 \
        .check = check_mount),                                                                                          \
    FLAG_STR_(T, AT name, "name", 0, "Assign a name to the container"),                                                 \
    FLAG_STRV_(T, AT network, "net", 0, "Connect a container to a network", .hidden = true, .check = check_network),    \
    FLAG_STRV_(T, AT network_alias, "net-alias", 0, "Add network-scoped alias for the container", .hidden = true),      \
    FLAG_STRV_(T, AT network, "network", 0, "Connect a container to a network", .shown = "network",                     \
        .check = check_network),                                                                                        \
    FLAG_STRV_(T, AT network_alias, "network-alias", 0, "Add network-scoped alias for the container"),                  \
    FLAG_BOOL_(T, AT no_healthcheck, "no-healthcheck", 0, "Disable any container-specified HEALTHCHECK"),               \
    FLAG_BOOL_(T, AT oom_kill_disable, "oom-kill-disable", 0, "Disable OOM Killer"),                                    \
    FLAG_I64_(T, AT oom_score_adj, "oom-score-adj", 0, "Tune host's OOM preferences (-1000 to 1000)"),                  \
    FLAG_STR_(T, AT pid, "pid", 0, "PID namespace to use"),                                                             \
    FLAG_I64_(T, AT pids_limit, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)"),                   \
    FLAG_STR_(T, AT platform, "platform", 0, "Set platform if server is multi-platform capable"),                       \
    FLAG_BOOL_(T, AT privileged, "privileged", 0, "Give extended privileges to this container"),                        \
    FLAG_STRV_(T, AT publish, "publish", 'p', "Publish a container's port(s) to the host"),                             \
    FLAG_BOOL_(T, AT publish_all, "publish-all", 'P', "Publish all exposed ports to random ports"),                     \
    FLAG_BOOL_(T, AT quiet, "quiet", 'q', "Suppress the pull output"),                                                  \
    FLAG_BOOL_(T, AT read_only, "read-only", 0, "Mount the container's root filesystem as read only"),                  \
    FLAG_STR_(T, AT restart, "restart", 0, "Restart policy to apply when a container exits", .initial = "no"),          \
    FLAG_BOOL_(T, AT rm, "rm", 0, "Automatically remove the container and its associated anonymous volumes when it exits"), \
    FLAG_STR_(T, AT runtime, "runtime", 0, "Runtime to use for this container")

#define CREATE_FLAGS_S_TO_Z(T, AT)                                                                                      \
    FLAG_STRV_(T, AT security_opt, "security-opt", 0, "Security Options"),                                              \
    FLAG_BYTES_(T, AT shm_size, "shm-size", 0, "Size of /dev/shm"),                                                     \
    FLAG_STR_(T, AT stop_signal, "stop-signal", 0, "Signal to stop the container"),                                     \
    FLAG_OPT_I64_(T, AT stop_timeout, "stop-timeout", 0, "Timeout (in seconds) to stop a container"),                   \
    FLAG_STRV_(T, AT storage_opt, "storage-opt", 0, "Storage driver options for the container"),                        \
    FLAG_STRMAP_(T, AT sysctl, "sysctl", 0, "Sysctl options (default map[])", .check = check_sysctl),                   \
    FLAG_STRV_(T, AT tmpfs, "tmpfs", 0, "Mount a tmpfs directory"),                                                     \
    FLAG_BOOL_(T, AT tty, "tty", 't', "Allocate a pseudo-TTY"),                                                         \
    FLAG_STRV_(T, AT ulimit, "ulimit", 0, "Ulimit options (default [])", .shown = "ulimit", .check = check_ulimit),     \
    FLAG_BOOL_(T, AT use_api_socket, "use-api-socket", 0, "Bind mount Docker API socket and required auth"),            \
    FLAG_STR_(T, AT user, "user", 'u', "Username or UID (format: <name|uid>[:<group|gid>])"),                           \
    FLAG_STR_(T, AT userns, "userns", 0, "User namespace to use"),                                                      \
    FLAG_STR_(T, AT uts, "uts", 0, "UTS namespace to use"),                                                             \
    FLAG_STRV_(T, AT volume, "volume", 'v', "Bind mount a volume"),                                                     \
    FLAG_STR_(T, AT volume_driver, "volume-driver", 0, "Optional volume driver for the container"),                     \
    FLAG_STRV_(T, AT volumes_from, "volumes-from", 0, "Mount volumes from the specified container(s)"),                 \
    FLAG_STR_(T, AT workdir, "workdir", 'w', "Working directory inside the container")

#define CREATE_FLAGS(T, AT) \
    CREATE_FLAGS_A_TO_D(T, AT), CREATE_FLAGS_E_TO_L(T, AT), CREATE_FLAGS_M_TO_R(T, AT), CREATE_FLAGS_S_TO_Z(T, AT)

/* Makes the request; args: image, command... ERR_INVALID in docker's words. Reads the files that options name. ret is
 * container_create_request's, to be cleared with its table. */
int create_request_make(const struct create_options *options, char *const *args, struct container_create_request *ret,
                        struct err *err);

/* ---- its parts: each adds what its options say ---- */
int create_put_ports(const struct create_options *options, struct container_create_request *request, struct err *err);
int create_put_mounts(const struct create_options *options, struct container_create_request *request, struct err *err);
int create_put_network(const struct create_options *options, struct container_create_request *request, struct err *err);
int create_put_devices(const struct create_options *options, struct host_config *host, struct err *err);
int create_put_security(const struct create_options *options, struct host_config *host, struct err *err);

/* Adds the proxies of the configuration file to the environment, unless the flags set them. */
void create_add_proxies(const struct cli *cli, struct create_options *options);

/* ---- shared by the parts, and by exec ---- */
/* Variables or labels of files and flags: every line of a file is NAME=value or NAME. environment: a NAME alone takes the
 * client's value, and one that is not set stays away. */
int read_env_files(char *const *files, bool environment, char ***inout_list, struct err *err);
/* "on-failure:3"; "" or NULL is no policy. */
int restart_policy_parse(const char *text, struct restart_policy *ret, struct err *err);
/* A comma separated record with Go's csv quoting. *ret is the caller's strv. */
int csv_split(const char *text, char ***ret, struct err *err);
int check_mac_address(const char *text, struct err *err);
bool network_is_user_defined(const char *name);
