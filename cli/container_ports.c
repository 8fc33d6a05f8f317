/* Ports in words: the PORTS column, and the command port. */
#include "cli/container.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char *host_port(const char *ip, const char *port)
{
    return str_format(strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, port);
}

/* ---- the column ---- */

struct group {
    const char *ip, *type; /* borrowed; ip NULL: not published */
    int64_t first, last;
};

static int compare_ports(const void *a, const void *b)
{
    const struct port_summary *left = a, *right = b;
    if (left->private_port != right->private_port)
        return left->private_port < right->private_port ? -1 : 1;
    int ret = strcmp(left->ip ? left->ip : "", right->ip ? right->ip : "");
    if (ret == 0 && left->public_port != right->public_port)
        return left->public_port < right->public_port ? -1 : 1;
    return ret ? ret : strcmp(left->type ? left->type : "", right->type ? right->type : "");
}

static char *group_text(const struct group *group)
{
    AUTO_FREE char *range = group->first == group->last ? str_format("%lld", (long long)group->first)
                                                        : str_format("%lld-%lld", (long long)group->first, (long long)group->last);
    if (!group->ip)
        return str_format("%s/%s", range, group->type);
    AUTO_FREE char *host = host_port(group->ip, range);
    return str_format("%s->%s/%s", host, range, group->type);
}

/* One that maps to another number is told on its own; the others are joined to ranges per address and protocol. */
static char *mapping_text(const struct port_summary *port)
{
    AUTO_FREE char *number = str_format("%lld", (long long)port->public_port);
    AUTO_FREE char *host = host_port(port->ip, number);
    return str_format("%s->%lld/%s", host, (long long)port->private_port, port->type);
}

static void join_group(struct group *groups, size_t *count, const struct port_summary *port, char ***finished)
{
    const char *ip = str_empty(port->ip) ? NULL : port->ip;
    struct group fresh = { .ip = ip, .type = port->type ? port->type : "tcp", .first = port->private_port, .last = port->private_port };
    struct group *group = NULL;
    for (size_t i = 0; i < *count && !group; i++) {
        if (str_eq(groups[i].ip, fresh.ip) && str_eq(groups[i].type, fresh.type))
            group = &groups[i];
    }
    if (!group) {
        groups[(*count)++] = fresh;
    } else if (port->private_port == group->last + 1) {
        group->last = port->private_port;
    } else {
        strv_append_take(finished, group_text(group));
        *group = fresh;
    }
}

char *ports_text(const struct container_summary *container)
{
    size_t count = container->ports.count, group_count = 0;
    CLEANUP(strv_free) char **parts = NULL, **mappings = NULL;
    if (!count)
        return xstrdup("");
    AUTO_FREE struct port_summary *ports = xmemdup(container->ports.items, count * sizeof *ports);
    AUTO_FREE struct group *groups = xcalloc(count, sizeof *groups);
    qsort(ports, count, sizeof *ports, compare_ports);
    for (size_t i = 0; i < count; i++) {
        if (!str_empty(ports[i].ip) && ports[i].public_port != ports[i].private_port)
            strv_append_take(&mappings, mapping_text(&ports[i]));
        else
            join_group(groups, &group_count, &ports[i], &parts);
    }
    for (size_t i = 0; i < group_count; i++)
        strv_append_take(&parts, group_text(&groups[i]));
    strv_extend(&parts, mappings);
    return strv_join(parts, ", ");
}

/* ---- port ---- */

static int compare_keys(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    long left_number = strtol(left, NULL, 10), right_number = strtol(right, NULL, 10);
    return left_number != right_number ? (left_number < right_number ? -1 : 1) : strcmp(left, right);
}

static void print_bindings(const char *prefix, const struct port_binding_list *list)
{
    for (size_t i = 0; list && i < list->count; i++) {
        AUTO_FREE char *text = host_port(list->items[i].host_ip, list->items[i].host_port);
        printf("%s%s\n", prefix, text);
    }
}

static int print_one(const struct obj_map *ports, const char *wanted, const char *container)
{
    CLEANUP(strv_free) char **parts = strv_split(wanted, '/', false);
    const char *proto = parts[0] && parts[1] && *parts[1] ? parts[1] : "tcp";
    uint64_t number;
    int failure = str_to_u64(parts[0], &number);
    if (failure == 0 && number > 65535)
        failure = -ERANGE;
    if (failure) {
        fprintf(stderr, "Error: invalid port (%s): strconv.ParseUint: parsing \"%s\": %s\n", parts[0], parts[0],
                failure == -ERANGE ? "value out of range" : "invalid syntax");
        return 1;
    }
    AUTO_FREE char *key = str_format("%s/%s", parts[0], proto);
    const struct port_binding_list *list = obj_map_get(ports, key);
    if (!list || !list->count) {
        fprintf(stderr, "Error: No public port '%s' published for %s\n", wanted, container);
        return 1;
    }
    print_bindings("", list);
    return 0;
}

static int run_port(struct cli *cli, void *options, char **args)
{
    struct container_inspect inspect;
    struct err err = { 0 };
    int exit_code = 0;
    (void)options;
    if (container_inspect_get(cli, args[0], &inspect, &err) < 0)
        return cli_fail(cli, &err);
    const struct obj_map *ports = &inspect.network_settings.ports;
    size_t count = obj_map_count(ports);
    if (args[1]) {
        exit_code = print_one(ports, args[1], args[0]);
    } else if (count) {
        AUTO_FREE char **keys = xmemdup(ports->keys, count * sizeof *keys);
        qsort(keys, count, sizeof *keys, compare_keys);
        for (size_t i = 0; i < count; i++) {
            AUTO_FREE char *prefix = str_format("%s -> ", keys[i]);
            print_bindings(prefix, obj_map_get(ports, keys[i]));
        }
    }
    codec_clear(&container_inspect_type, &inspect);
    return exit_code;
}

const struct command command_container_port = {
    .path = "container port",
    .top = "port",
    .usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
    .help = "List port mappings or a specific mapping for the container",
    .min_args = 1,
    .max_args = 2,
    .run = run_port,
};
