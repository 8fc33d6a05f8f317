/* holk network ls|inspect|rm|connect|disconnect. */
#include "lib/api/network.h"

#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "cli/natural.h"
#include "cli/volume.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdio.h>

struct list_options {
    char **filters;
    char *format;
    bool no_trunc, quiet;
};
static const struct flag list_flags[] = {
    FLAG_STRV_(struct list_options, filters, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter",
               .check = flag_check_filter),
    FLAG_STR_(struct list_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct list_options, no_trunc, "no-trunc", 0, "Show whole ids"),
    FLAG_BOOL_(struct list_options, quiet, "quiet", 'q', "Only display network IDs"),
    FLAG_END,
};
static const struct format_member network_members[] = {
    { "CreatedAt", "CREATED AT" },
    { "Driver", "DRIVER" },
    { "ID", "NETWORK ID" },
    { "IPv4", "IPV4" },
    { "IPv6", "IPV6" },
    { "Internal", "INTERNAL" },
    { "Labels", "LABELS" },
    { "Name", "NAME" },
    { "Scope", "SCOPE" },
    { NULL, NULL },
};
static const struct format_kind network_kind = {
    .go_type = "*network.networkContext",
    .members = network_members,
    .table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    .raw = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
    .quiet = "{{.ID}}",
    .quiet_raw = "network_id: {{.ID}}",
    .has_label = true,
};

static void fill_network(struct record *record, const struct network_inspect *network, bool no_trunc)
{
    record_take(record, "CreatedAt", units_go_time(network->created));
    record_text(record, "Driver", network->driver);
    record_take(record, "ID", no_trunc ? xstrdup(network->id) : units_short_id(network->id));
    record_text(record, "IPv4", network->enable_ipv4 ? "true" : "false");
    record_text(record, "IPv6", network->enable_ipv6 ? "true" : "false");
    record_text(record, "Internal", network->internal ? "true" : "false");
    record_labels(record, &network->labels);
    record_text(record, "Name", network->name);
    record_text(record, "Scope", network->scope);
}

static int compare_networks(const void *a, const void *b)
{
    return natural_compare(((const struct network_inspect *)a)->name, ((const struct network_inspect *)b)->name);
}

static int run_list(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct list_options *options = arg;
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_TARGET(target);
    AUTO_RECORDS struct records records = RECORDS_INIT;
    CODEC_LIST(struct network_inspect) list = { 0 };
    struct err err = { 0 };
    const char *format = options->format;
    if (str_empty(format) && !options->quiet)
        format = docker_config_text(config, "networksFormat");
    buf_puts(&target, "/networks");
    api_query_filters(&target, options->filters);
    if (api_get_list(cli, target.data, &network_inspect_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, compare_networks);
    for (size_t i = 0; i < list.count; i++)
        fill_network(records_add(&records), &list.items[i], options->no_trunc);
    api_list_clear(&network_inspect_type, &list);
    return format_print(cli, &network_kind, format, options->quiet, &records);
}

const struct command command_network_ls = {
    .path = "network ls",
    .aliases = { "list" },
    .usage = "[OPTIONS]",
    .help = "List networks",
    .flags = list_flags,
    .options_size = sizeof(struct list_options),
    .run = run_list,
};

/* ---- inspect ---- */

static const struct flag inspect_flags[] = {
    INSPECT_FORMAT_FLAG,
    FLAG_END,
};

static int run_inspect(struct cli *cli, void *options, char **args)
{
    static const struct inspect_kind *const kinds[] = { &inspect_network, NULL };
    return inspect_run(cli, args, kinds, options);
}

const struct command command_network_inspect = {
    .path = "network inspect",
    .usage = "[OPTIONS] NETWORK [NETWORK...]",
    .help = "Display detailed information on one or more networks",
    .flags = inspect_flags,
    .options_size = sizeof(struct inspect_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_inspect,
};

/* ---- rm ---- */

struct remove_options {
    bool force;
};
static const struct flag remove_flags[] = {
    FLAG_BOOL_(struct remove_options, force, "force", 'f', "One that is not there is no failure"),
    FLAG_END,
};

static int run_remove(struct cli *cli, void *arg, char **args)
{
    const struct remove_options *options = arg;
    bool failed = false;
    for (; *args; args++) {
        AUTO_TARGET(target);
        struct err err = { 0 };
        api_path(&target, "/networks/%s", *args);
        if (api_delete(cli, target.data, &err) == 0) {
            puts(*args);
        } else if (!options->force || err.kind != ERR_NOT_FOUND) {
            failed = true;
            (void)cli_fail(cli, &err);
        }
    }
    return failed ? 1 : 0;
}

const struct command command_network_rm = {
    .path = "network rm",
    .aliases = { "remove" },
    .usage = "[OPTIONS] NETWORK [NETWORK...]",
    .help = "Remove one or more networks",
    .flags = remove_flags,
    .options_size = sizeof(struct remove_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_remove,
};

/* ---- connect, disconnect ---- */

struct connect_options {
    char **aliases, **links, **link_local, **driver_opts;
    char *ip, *ip6;
    int64_t gw_priority;
};
static const struct flag connect_flags[] = {
    FLAG_STRV_(struct connect_options, aliases, "alias", 0, "Another name of the container in that network",
               .shown = "strings"),
    FLAG_STRV_(struct connect_options, driver_opts, "driver-opt", 0, "Options of the driver for this endpoint",
               .shown = "strings"),
    FLAG_I64_(struct connect_options, gw_priority, "gw-priority", 0,
              "The network with the highest one gives the default gateway"),
    FLAG_STR_(struct connect_options, ip, "ip", 0, "IPv4 address"),
    FLAG_STR_(struct connect_options, ip6, "ip6", 0, "IPv6 address"),
    FLAG_STRV_(struct connect_options, links, "link", 0, "Add link to another container", .shown = "list"),
    FLAG_STRV_(struct connect_options, link_local, "link-local-ip", 0, "Add a link-local address", .shown = "strings"),
    FLAG_END,
};

static int fill_endpoint(const struct connect_options *options, struct endpoint_settings *endpoint, struct err *err)
{
    if (options->ip || options->ip6 || options->link_local) {
        endpoint->ipam_config = xcalloc(1, sizeof *endpoint->ipam_config);
        endpoint->ipam_config->ipv4_address = xstrdup(options->ip);
        endpoint->ipam_config->ipv6_address = xstrdup(options->ip6);
        endpoint->ipam_config->link_local_ips = strv_dup(options->link_local);
    }
    endpoint->aliases = strv_dup(options->aliases);
    endpoint->links = strv_dup(options->links);
    endpoint->gw_priority = options->gw_priority;
    for (char **opt = options->driver_opts; opt && *opt; opt++)
        if (!strchr(*opt, '='))
            return err_set(err, ERR_INVALID, "invalid key/value pair format in driver options");
    pairs_to_map(&endpoint->driver_opts, options->driver_opts);
    return 0;
}

static int run_connect(struct cli *cli, void *arg, char **args)
{
    AUTO_TARGET(target);
    struct network_connect_request request = { .container = xstrdup(args[1]) };
    struct err err = { 0 };
    request.endpoint_config = xcalloc(1, sizeof *request.endpoint_config);
    api_path(&target, "/networks/%s/connect", args[0]);
    int status = fill_endpoint(arg, request.endpoint_config, &err);
    if (!status)
        status = api_call(cli, "POST", target.data, &network_connect_request_type, &request, NULL, NULL, &err);
    codec_clear(&network_connect_request_type, &request);
    return status < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_network_connect = {
    .path = "network connect",
    .usage = "[OPTIONS] NETWORK CONTAINER",
    .help = "Connect a container to a network",
    .flags = connect_flags,
    .options_size = sizeof(struct connect_options),
    .min_args = 2,
    .max_args = 2,
    .run = run_connect,
};

static const struct flag disconnect_flags[] = {
    FLAG_BOOL_(struct remove_options, force, "force", 'f', "Also a container that is not there any more"),
    FLAG_END,
};

static int run_disconnect(struct cli *cli, void *arg, char **args)
{
    const struct remove_options *options = arg;
    AUTO_TARGET(target);
    struct network_disconnect_request request = { .container = args[1], .force = options->force };
    struct err err = { 0 };
    api_path(&target, "/networks/%s/disconnect", args[0]);
    return api_call(cli, "POST", target.data, &network_disconnect_request_type, &request, NULL, NULL, &err) < 0
               ? cli_fail(cli, &err)
               : 0;
}

const struct command command_network_disconnect = {
    .path = "network disconnect",
    .usage = "[OPTIONS] NETWORK CONTAINER",
    .help = "Disconnect a container from a network",
    .flags = disconnect_flags,
    .options_size = sizeof(struct remove_options),
    .min_args = 2,
    .max_args = 2,
    .run = run_disconnect,
};
