/* Containers and execs: bodies of create, inspect, list, update, wait, top, changes, archive and exec.
 * container_config is what the image and the user agree on; container_create_request carries it inline,
 * as the API does. container_inspect borrows nothing: fill it, encode it, codec_clear it. */
#pragma once
#include "lib/api/host_config.h"
#include "lib/api/network.h"
#include "lib/json/codec.h"

struct health_config {
    char **test; /* {} inherit, {"NONE"}, {"CMD", args...}, {"CMD-SHELL", command} */
    int64_t interval, timeout, start_period, start_interval; /* ns; 0 = inherit */
    int64_t retries;
};
struct container_config {
    char *hostname, *domainname, *user;
    bool attach_stdin, attach_stdout, attach_stderr;
    char **exposed_ports; /* "80/tcp" */
    bool tty, open_stdin, stdin_once;
    char **env, **cmd;
    struct health_config *healthcheck;
    bool args_escaped;
    char *image;
    char **volumes;
    char *working_dir;
    char **entrypoint;
    bool network_disabled;
    char *mac_address;
    char **on_build;
    struct str_map labels;
    char *stop_signal;
    struct opt_i64 stop_timeout;
    char **shell;
};
struct container_create_request {
    struct container_config config; /* its members stand at the top level of the JSON */
    struct host_config *host_config;
    struct networking_config *networking_config;
};
struct container_create_response {
    char *id;
    char **warnings;
};
struct container_update_request {
    struct resources resources; /* inline in the JSON */
    struct restart_policy restart_policy;
};
struct container_update_response {
    char **warnings;
};

struct health_log {
    int64_t start, end;
    int64_t exit_code;
    char *output;
};
struct health_state {
    char *status; /* none starting healthy unhealthy */
    int64_t failing_streak;
    CODEC_LIST(struct health_log) log;
};
struct container_state {
    char *status; /* created running paused restarting removing exited dead */
    bool running, paused, restarting, oom_killed, dead;
    int64_t pid, exit_code;
    char *error;
    int64_t started_at, finished_at;
    struct health_state *health;
};
struct mount_point {
    char *type, *name, *source, *destination, *driver, *mode;
    bool rw;
    char *propagation;
};
struct graph_driver_data {
    char *name;
    struct str_map data;
};
struct secondary_address {
    char *addr;
    int64_t prefix_len;
};
struct network_settings {
    char *bridge, *sandbox_id, *sandbox_key;
    struct obj_map ports; /* "80/tcp" -> struct port_binding_list, null when exposed only */
    bool hairpin_mode;
    char *link_local_ipv6_address;
    int64_t link_local_ipv6_prefix_len;
    CODEC_LIST(struct secondary_address) secondary_ip_addresses;
    CODEC_LIST(struct secondary_address) secondary_ipv6_addresses;
    char *endpoint_id, *gateway, *global_ipv6_address; /* these repeat the default bridge's endpoint */
    int64_t global_ipv6_prefix_len;
    char *ip_address;
    int64_t ip_prefix_len;
    char *ipv6_gateway, *mac_address;
    struct obj_map networks; /* name -> struct endpoint_settings */
};
struct container_inspect {
    char *id;
    int64_t created;
    char *path;
    char **args;
    struct container_state state;
    char *image, *resolv_conf_path, *hostname_path, *hosts_path, *log_path, *name;
    int64_t restart_count;
    char *driver, *platform, *mount_label, *process_label, *app_armor_profile;
    char **exec_ids;
    struct host_config host_config;
    struct graph_driver_data graph_driver;
    struct opt_i64 size_rw, size_root_fs; /* only with ?size=1 */
    CODEC_LIST(struct mount_point) mounts;
    struct container_config config;
    struct network_settings network_settings;
};

struct port_summary {
    char *ip;
    int64_t private_port, public_port;
    char *type;
};
struct host_config_summary {
    char *network_mode;
    struct str_map annotations;
};
struct network_settings_summary {
    struct obj_map networks; /* name -> struct endpoint_settings */
};
struct container_summary {
    char *id;
    char **names;
    char *image, *image_id, *command;
    int64_t created; /* seconds */
    CODEC_LIST(struct port_summary) ports;
    int64_t size_rw, size_root_fs; /* left out when 0, as Docker does */
    struct str_map labels;
    char *state, *status;
    struct host_config_summary host_config;
    struct network_settings_summary network_settings;
    CODEC_LIST(struct mount_point) mounts;
};

struct wait_exit_error {
    char *message;
};
struct container_wait_response {
    struct wait_exit_error *error;
    int64_t status_code;
};
struct container_top_response {
    char **titles;
    char *processes; /* raw: one list of strings per process, see rows.h */
};
struct filesystem_change {
    int64_t kind; /* 0 modified, 1 added, 2 deleted */
    char *path;
};
/* The X-Docker-Container-Path-Stat header holds this, base64 of the JSON. mode is Go's os.FileMode. */
struct path_stat {
    char *name;
    int64_t size, mode, mtime;
    char *link_target;
};
struct container_prune_response {
    char **containers_deleted;
    int64_t space_reclaimed;
};
struct id_response { /* commit, exec create */
    char *id;
};

struct exec_create_request {
    char *user;
    bool privileged, tty;
    struct i64_list console_size; /* height, width; empty = absent */
    bool attach_stdin, attach_stderr, attach_stdout, detach;
    char *detach_keys;
    char **env;
    char *working_dir;
    char **cmd;
};
struct exec_start_request {
    bool detach, tty;
    struct i64_list console_size;
};
struct exec_process_config {
    bool tty;
    char *entrypoint;
    char **arguments;
    struct opt_bool privileged;
    char *user;
};
struct exec_inspect {
    char *id;
    bool running;
    struct opt_i64 exit_code;
    struct exec_process_config process_config;
    bool open_stdin, open_stderr, open_stdout, can_remove;
    char *container_id, *detach_keys;
    int64_t pid;
};

CODEC_DECLARE(health_config);
CODEC_DECLARE(container_config);
CODEC_DECLARE(container_create_request);
CODEC_DECLARE(container_create_response);
CODEC_DECLARE(container_update_request);
CODEC_DECLARE(container_update_response);
CODEC_DECLARE(health_log);
CODEC_DECLARE(health_state);
CODEC_DECLARE(container_state);
CODEC_DECLARE(mount_point);
CODEC_DECLARE(graph_driver_data);
CODEC_DECLARE(secondary_address);
CODEC_DECLARE(network_settings);
CODEC_DECLARE(container_inspect);
CODEC_DECLARE(port_summary);
CODEC_DECLARE(host_config_summary);
CODEC_DECLARE(network_settings_summary);
CODEC_DECLARE(container_summary);
CODEC_DECLARE(wait_exit_error);
CODEC_DECLARE(container_wait_response);
CODEC_DECLARE(container_top_response);
CODEC_DECLARE(filesystem_change);
CODEC_DECLARE(path_stat);
CODEC_DECLARE(container_prune_response);
CODEC_DECLARE(id_response);
CODEC_DECLARE(exec_create_request);
CODEC_DECLARE(exec_start_request);
CODEC_DECLARE(exec_process_config);
CODEC_DECLARE(exec_inspect);
