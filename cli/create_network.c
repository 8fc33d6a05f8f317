/* --network in both forms, and the flags that belong to the first network. */
#include "cli/create_options.h"
#include "cli/flags.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>

bool network_is_user_defined(const char *name)
{
    static const char *const own[] = { "default", "bridge", "host", "none", "nat" };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (str_eq(name, own[i]))
            return false;
    }
    return !str_starts(name, "container:");
}

/* One attachment: the name and its endpoint. */
struct attachment {
    char *name;
    struct endpoint_settings endpoint;
};

static void attachment_done(struct attachment *attachment)
{
    free(attachment->name);
    codec_clear(&endpoint_settings_type, &attachment->endpoint);
}
#define AUTO_ATTACHMENT __attribute__((cleanup(attachment_done)))

static struct endpoint_ipam_config *addresses(struct endpoint_settings *endpoint)
{
    if (!endpoint->ipam_config)
        endpoint->ipam_config = xcalloc(1, sizeof *endpoint->ipam_config);
    return endpoint->ipam_config;
}

static int set_driver_option(struct endpoint_settings *endpoint, const char *text, struct err *err)
{
    size_t length = strcspn(text, "=");
    AUTO_FREE char *key = xstrndup(text, length);
    if (!text[length])
        return err_set(err, ERR_INVALID, "invalid key value pair format in driver options");
    str_map_set(&endpoint->driver_opts, str_trim(key), text + length + 1);
    return 0;
}

static int set_priority(struct endpoint_settings *endpoint, const char *value, struct err *err)
{
    struct err ignored = { 0 };
    if (parse_go_int(value, &endpoint->gw_priority, &ignored) < 0)
        return err_set(err, ERR_INVALID, "invalid gw-priority (%s): invalid syntax", value);
    return 0;
}

static int set_field(struct attachment *attachment, const char *field, struct err *err)
{
    struct endpoint_settings *endpoint = &attachment->endpoint;
    AUTO_FREE char *copy = str_lower(xstrdup(field)); /* docker lowers the values too */
    char *value = strchr(copy, '=');
    if (!value)
        return err_set(err, ERR_INVALID, "invalid field %s", copy);
    *value++ = 0;
    const char *key = str_trim(copy);
    value = str_trim(value);
    if (str_eq(key, "name")) {
        free(attachment->name);
        attachment->name = xstrdup(value);
    } else if (str_eq(key, "alias")) {
        strv_append(&endpoint->aliases, value);
    } else if (str_eq(key, "ip")) {
        free(addresses(endpoint)->ipv4_address);
        endpoint->ipam_config->ipv4_address = xstrdup(value);
    } else if (str_eq(key, "ip6")) {
        free(addresses(endpoint)->ipv6_address);
        endpoint->ipam_config->ipv6_address = xstrdup(value);
    } else if (str_eq(key, "link-local-ip")) {
        strv_append(&addresses(endpoint)->link_local_ips, value);
    } else if (str_eq(key, "mac-address")) {
        free(endpoint->mac_address);
        endpoint->mac_address = xstrdup(value);
    } else if (str_eq(key, "driver-opt")) {
        return set_driver_option(endpoint, value, err);
    } else if (str_eq(key, "gw-priority")) {
        return set_priority(endpoint, value, err);
    } else {
        return err_set(err, ERR_INVALID, "invalid field key %s", key);
    }
    return 0;
}

static int attachment_parse(const char *text, struct attachment *ret, struct err *err)
{
    CLEANUP(strv_free) char **fields = NULL;
    if (!strchr(text, '=')) {
        ret->name = xstrdup(text);
        return 0;
    }
    if (csv_split(text, &fields, err) < 0)
        return -1;
    for (char **field = fields; *field; field++) {
        if (set_field(ret, *field, err) < 0)
            return -1;
    }
    if (!ret->name)
        return err_set(err, ERR_INVALID, "network name/id is not specified");
    return 0;
}

int check_network(const char *value, char **ret_value, struct err *err)
{
    AUTO_ATTACHMENT struct attachment attachment = { 0 };
    (void)ret_value;
    return attachment_parse(value, &attachment, err);
}

static int conflict(struct err *err, const char *flag, const char *field)
{
    return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --%s and per-network %s", flag, field);
}

/* --ip, --network-alias and the like speak of the first network. */
static int apply_flags(const struct create_options *options, struct attachment *first, struct err *err)
{
    struct endpoint_settings *endpoint = &first->endpoint;
    const struct endpoint_ipam_config *own = endpoint->ipam_config;
    if (endpoint->aliases && options->network_alias)
        return conflict(err, "network-alias", "alias");
    if (own && own->ipv4_address && options->ip)
        return conflict(err, "ip", "IPv4 address");
    if (own && own->ipv6_address && options->ip6)
        return conflict(err, "ip6", "IPv6 address");
    if (own && own->link_local_ips && options->link_local_ip)
        return conflict(err, "link-local-ip", "link-local IP addresses");
    if (endpoint->mac_address && !str_empty(options->mac_address))
        return conflict(err, "mac-address", "MAC address");
    strv_extend(&endpoint->aliases, options->network_alias);
    if (options->link && network_is_user_defined(first->name))
        endpoint->links = strv_dup(options->link);
    if (!str_empty(options->ip))
        addresses(endpoint)->ipv4_address = xstrdup(options->ip);
    if (!str_empty(options->ip6))
        addresses(endpoint)->ipv6_address = xstrdup(options->ip6);
    if (options->link_local_ip)
        addresses(endpoint)->link_local_ips = strv_dup(options->link_local_ip);
    if (!str_empty(options->mac_address))
        endpoint->mac_address = xstrdup(options->mac_address);
    return 0;
}

static int check_attachment(const struct attachment *attachment, struct err *err)
{
    if (strspn(attachment->name, " \t") == strlen(attachment->name))
        return err_set(err, ERR_INVALID, "no name set for network");
    if (attachment->endpoint.aliases && !network_is_user_defined(attachment->name))
        return err_set(err, ERR_INVALID, "network-scoped aliases are only supported for user-defined networks");
    if (attachment->endpoint.mac_address)
        return check_mac_address(attachment->endpoint.mac_address, err);
    return 0;
}

static int put_attachment(struct container_create_request *request, struct attachment *attachment, struct err *err)
{
    struct obj_map *map = &request->networking_config->endpoints_config;
    if (obj_map_get(map, attachment->name))
        return err_set(err, ERR_INVALID, "network \"%s\" is specified multiple times", attachment->name);
    struct endpoint_settings *endpoint = obj_map_add(map, attachment->name, sizeof *endpoint);
    *endpoint = attachment->endpoint;
    attachment->endpoint = (struct endpoint_settings){ 0 };
    return 0;
}

int create_put_network(const struct create_options *options, struct container_create_request *request, struct err *err)
{
    static char default_name[] = "default";
    char *only_default[] = { default_name, NULL };
    char **names = options->network ? options->network : only_default;
    size_t user_defined = 0, count = 0;
    request->networking_config = xcalloc(1, sizeof *request->networking_config);
    for (char **name = names; *name; name++, count++) {
        AUTO_ATTACHMENT struct attachment attachment = { 0 };
        if (attachment_parse(*name, &attachment, err) < 0 || (count == 0 && apply_flags(options, &attachment, err) < 0) ||
            check_attachment(&attachment, err) < 0)
            return -1;
        if (count == 0)
            request->host_config->network_mode = xstrdup(attachment.name);
        user_defined += network_is_user_defined(attachment.name);
        /* Alone and without settings the name in the host config says all; older daemons want it so. */
        static const struct endpoint_settings plain;
        if (options->network && !options->network[1] && codec_equal(&endpoint_settings_type, &attachment.endpoint, &plain))
            break;
        if (put_attachment(request, &attachment, err) < 0)
            return -1;
    }
    if (user_defined && user_defined < count)
        return err_set(err, ERR_INVALID,
                       "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
    request->host_config->links = strv_dup(options->link);
    return 0;
}
