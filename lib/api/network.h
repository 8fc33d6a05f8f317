/* Networks: what create, inspect, connect and disconnect exchange, and how a container sees its own
 * endpoints. endpoint_settings is at once a request (IPAMConfig, Links, Aliases, MacAddress, DriverOpts,
 * GwPriority) and an answer (the rest). */
#pragma once
#include "lib/json/codec.h"

struct endpoint_ipam_config {
    char *ipv4_address, *ipv6_address;
    char **link_local_ips;
};
struct endpoint_settings {
    struct endpoint_ipam_config *ipam_config;
    char **links, **aliases;
    char *mac_address;
    struct str_map driver_opts;
    int64_t gw_priority;
    char *network_id, *endpoint_id, *gateway, *ip_address;
    int64_t ip_prefix_len;
    char *ipv6_gateway, *global_ipv6_address;
    int64_t global_ipv6_prefix_len;
    char **dns_names;
};
struct networking_config {
    struct obj_map endpoints_config; /* network name or id -> struct endpoint_settings */
};

struct ipam_config {
    char *subnet, *ip_range, *gateway;
    struct str_map aux_addresses;
};
struct ipam {
    char *driver;
    struct str_map options;
    CODEC_LIST(struct ipam_config) config;
};
struct config_reference {
    char *network;
};
struct network_container { /* an endpoint as the network's inspect lists it, keyed by container id */
    char *name, *endpoint_id, *mac_address, *ipv4_address, *ipv6_address;
};
struct network_inspect {
    char *name, *id;
    int64_t created;
    char *scope, *driver;
    bool enable_ipv4, enable_ipv6;
    struct ipam ipam;
    bool internal, attachable, ingress;
    struct config_reference config_from;
    bool config_only;
    struct obj_map containers; /* container id -> struct network_container */
    struct str_map options, labels;
};
struct network_create_request {
    char *name;
    struct opt_bool check_duplicate; /* before 1.44; read and without effect, as in Docker */
    char *driver, *scope;
    struct opt_bool enable_ipv4, enable_ipv6;
    struct ipam *ipam;
    bool internal, attachable, ingress, config_only;
    struct config_reference *config_from;
    struct str_map options, labels;
};
struct network_create_response {
    char *id, *warning;
};
struct network_connect_request {
    char *container;
    struct endpoint_settings *endpoint_config;
};
struct network_disconnect_request {
    char *container;
    bool force;
};
struct network_prune_response {
    char **networks_deleted;
};

CODEC_DECLARE(endpoint_ipam_config);
CODEC_DECLARE(endpoint_settings);
CODEC_DECLARE(networking_config);
CODEC_DECLARE(ipam_config);
CODEC_DECLARE(ipam);
CODEC_DECLARE(config_reference);
CODEC_DECLARE(network_container);
CODEC_DECLARE(network_inspect);
CODEC_DECLARE(network_create_request);
CODEC_DECLARE(network_create_response);
CODEC_DECLARE(network_connect_request);
CODEC_DECLARE(network_disconnect_request);
CODEC_DECLARE(network_prune_response);
