/* Tables of network.h. The order of rows is the order in which Docker prints. */
#include "lib/api/network.h"
#include "lib/api/tables.h"

static const struct codec_field endpoint_ipam_config_fields[] = {
    F_STR(struct endpoint_ipam_config, ipv4_address, "IPv4Address", OMIT),
    F_STR(struct endpoint_ipam_config, ipv6_address, "IPv6Address", OMIT),
    F_STRV(struct endpoint_ipam_config, link_local_ips, "LinkLocalIPs", OMIT),
    F_END,
};
CODEC_DEFINE(endpoint_ipam_config);

static const struct codec_field endpoint_settings_fields[] = {
    F_OBJP(struct endpoint_settings, ipam_config, "IPAMConfig", NIL, endpoint_ipam_config),
    F_STRV(struct endpoint_settings, links, "Links", NIL),
    F_STRV(struct endpoint_settings, aliases, "Aliases", NIL),
    F_STR(struct endpoint_settings, mac_address, "MacAddress", 0),
    F_STRMAP(struct endpoint_settings, driver_opts, "DriverOpts", NIL),
    F_I64(struct endpoint_settings, gw_priority, "GwPriority", 0),
    F_STR(struct endpoint_settings, network_id, "NetworkID", 0),
    F_STR(struct endpoint_settings, endpoint_id, "EndpointID", 0),
    F_STR(struct endpoint_settings, gateway, "Gateway", 0),
    F_STR(struct endpoint_settings, ip_address, "IPAddress", 0),
    F_I64(struct endpoint_settings, ip_prefix_len, "IPPrefixLen", 0),
    F_STR(struct endpoint_settings, ipv6_gateway, "IPv6Gateway", 0),
    F_STR(struct endpoint_settings, global_ipv6_address, "GlobalIPv6Address", 0),
    F_I64(struct endpoint_settings, global_ipv6_prefix_len, "GlobalIPv6PrefixLen", 0),
    F_STRV(struct endpoint_settings, dns_names, "DNSNames", NIL),
    F_END,
};
CODEC_DEFINE(endpoint_settings);

static const struct codec_field networking_config_fields[] = {
    F_OBJMAP(struct networking_config, endpoints_config, "EndpointsConfig", NIL, endpoint_settings),
    F_END,
};
CODEC_DEFINE(networking_config);

static const struct codec_field ipam_config_fields[] = {
    F_STR(struct ipam_config, subnet, "Subnet", OMIT),
    F_STR(struct ipam_config, ip_range, "IPRange", OMIT),
    F_STR(struct ipam_config, gateway, "Gateway", OMIT),
    F_STRMAP(struct ipam_config, aux_addresses, "AuxiliaryAddresses", OMIT),
    F_END,
};
CODEC_DEFINE(ipam_config);

static const struct codec_field ipam_fields[] = {
    F_STR(struct ipam, driver, "Driver", 0),
    F_STRMAP(struct ipam, options, "Options", NIL),
    F_LIST(struct ipam, config, "Config", NIL, ipam_config),
    F_END,
};
CODEC_DEFINE(ipam);

static const struct codec_field config_reference_fields[] = {
    F_STR(struct config_reference, network, "Network", 0),
    F_END,
};
CODEC_DEFINE(config_reference);

static const struct codec_field network_container_fields[] = {
    F_STR(struct network_container, name, "Name", 0),
    F_STR(struct network_container, endpoint_id, "EndpointID", 0),
    F_STR(struct network_container, mac_address, "MacAddress", 0),
    F_STR(struct network_container, ipv4_address, "IPv4Address", 0),
    F_STR(struct network_container, ipv6_address, "IPv6Address", 0),
    F_END,
};
CODEC_DEFINE(network_container);

static const struct codec_field network_inspect_fields[] = {
    F_STR(struct network_inspect, name, "Name", 0),
    F_STR(struct network_inspect, id, "Id", 0),
    F_TIME(struct network_inspect, created, "Created", 0),
    F_STR(struct network_inspect, scope, "Scope", 0),
    F_STR(struct network_inspect, driver, "Driver", 0),
    F_BOOL(struct network_inspect, enable_ipv4, "EnableIPv4", 0),
    F_BOOL(struct network_inspect, enable_ipv6, "EnableIPv6", 0),
    F_OBJ(struct network_inspect, ipam, "IPAM", 0, ipam),
    F_BOOL(struct network_inspect, internal, "Internal", 0),
    F_BOOL(struct network_inspect, attachable, "Attachable", 0),
    F_BOOL(struct network_inspect, ingress, "Ingress", 0),
    F_OBJ(struct network_inspect, config_from, "ConfigFrom", 0, config_reference),
    F_BOOL(struct network_inspect, config_only, "ConfigOnly", 0),
    F_OBJMAP(struct network_inspect, containers, "Containers", 0, network_container),
    F_STRMAP(struct network_inspect, options, "Options", 0),
    F_STRMAP(struct network_inspect, labels, "Labels", 0),
    F_END,
};
CODEC_DEFINE(network_inspect);

static const struct codec_field network_create_request_fields[] = {
    F_STR(struct network_create_request, name, "Name", 0),
    F_OPT_BOOL(struct network_create_request, check_duplicate, "CheckDuplicate", OMIT),
    F_STR(struct network_create_request, driver, "Driver", 0),
    F_STR(struct network_create_request, scope, "Scope", 0),
    F_OPT_BOOL(struct network_create_request, enable_ipv4, "EnableIPv4", OMIT),
    F_OPT_BOOL(struct network_create_request, enable_ipv6, "EnableIPv6", OMIT),
    F_OBJP(struct network_create_request, ipam, "IPAM", NIL, ipam),
    F_BOOL(struct network_create_request, internal, "Internal", 0),
    F_BOOL(struct network_create_request, attachable, "Attachable", 0),
    F_BOOL(struct network_create_request, ingress, "Ingress", 0),
    F_BOOL(struct network_create_request, config_only, "ConfigOnly", 0),
    F_OBJP(struct network_create_request, config_from, "ConfigFrom", NIL, config_reference),
    F_STRMAP(struct network_create_request, options, "Options", 0),
    F_STRMAP(struct network_create_request, labels, "Labels", 0),
    F_END,
};
CODEC_DEFINE(network_create_request);

static const struct codec_field network_create_response_fields[] = {
    F_STR(struct network_create_response, id, "Id", 0),
    F_STR(struct network_create_response, warning, "Warning", 0),
    F_END,
};
CODEC_DEFINE(network_create_response);

static const struct codec_field network_connect_request_fields[] = {
    F_STR(struct network_connect_request, container, "Container", 0),
    F_OBJP(struct network_connect_request, endpoint_config, "EndpointConfig", OMIT, endpoint_settings),
    F_END,
};
CODEC_DEFINE(network_connect_request);

static const struct codec_field network_disconnect_request_fields[] = {
    F_STR(struct network_disconnect_request, container, "Container", 0),
    F_BOOL(struct network_disconnect_request, force, "Force", 0),
    F_END,
};
CODEC_DEFINE(network_disconnect_request);

static const struct codec_field network_prune_response_fields[] = {
    F_STRV(struct network_prune_response, networks_deleted, "NetworksDeleted", NIL),
    F_END,
};
CODEC_DEFINE(network_prune_response);
