/* holk network create. */
#include "cli/command.h"
#include "cli/network_ipam.h"
#include "cli/volume.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdio.h>

struct create_options {
    bool attachable, config_only, ingress, internal;
    struct str_map aux, ipam_opts, opts;
    char *config_from, *driver, *ipam_driver, *scope;
    char **gateways, **ranges, **labels, **subnets;
    struct opt_bool ipv4, ipv6;
};
static const struct flag create_flags[] = {
    FLAG_BOOL_(struct create_options, attachable, "attachable", 0, "Containers may be attached by hand"),
    FLAG_STRMAP_(struct create_options, aux, "aux-address", 0, "Addresses that the driver uses for something else"),
    FLAG_STR_(struct create_options, config_from, "config-from", 0, "Copy the configuration of that network"),
    FLAG_BOOL_(struct create_options, config_only, "config-only", 0, "Only keep the configuration, for others to copy"),
    FLAG_STR_(struct create_options, driver, "driver", 'd', "The network's driver", .initial = "bridge"),
    FLAG_STRV_(struct create_options, gateways, "gateway", 0, "Gateway of a subnet", .shown = "strings"),
    FLAG_BOOL_(struct create_options, ingress, "ingress", 0, "Make swarm's routing mesh network"),
    FLAG_BOOL_(struct create_options, internal, "internal", 0, "No way out of the network"),
    FLAG_STRV_(struct create_options, ranges, "ip-range", 0, "Give containers addresses of that part of a subnet",
               .shown = "strings"),
    FLAG_STR_(struct create_options, ipam_driver, "ipam-driver", 0, "Driver of address management",
              .initial = "default"),
    FLAG_STRMAP_(struct create_options, ipam_opts, "ipam-opt", 0, "Options of the address management driver"),
    FLAG_OPT_BOOL_(struct create_options, ipv4, "ipv4", 0, "IPv4 addresses (default true)"),
    FLAG_OPT_BOOL_(struct create_options, ipv6, "ipv6", 0, "IPv6 addresses"),
    FLAG_STRV_(struct create_options, labels, "label", 0, "Set metadata on a network", .shown = "list",
               .check = flag_check_label),
    FLAG_STRMAP_(struct create_options, opts, "opt", 'o', "Options of the driver"),
    FLAG_STR_(struct create_options, scope, "scope", 0, "The network's scope"),
    FLAG_STRV_(struct create_options, subnets, "subnet", 0, "Subnet of the network, as ADDRESS/BITS",
               .shown = "strings"),
    FLAG_END,
};

/* "a,b" means a and b. */
static char **split_commas(char *const *texts)
{
    char **all = NULL;
    for (; texts && *texts; texts++) {
        CLEANUP(strv_free) char **parts = strv_split(*texts, ',', false);
        strv_extend(&all, parts);
    }
    return all;
}

static int fill_ipam(const struct create_options *options, struct network_create_request *request, struct err *err)
{
    CLEANUP(strv_free)
    char **subnets = split_commas(options->subnets),
         **ranges = split_commas(options->ranges), **gateways = split_commas(options->gateways);
    struct ipam_input input = { subnets, ranges, gateways, &options->aux };
    request->ipam = xcalloc(1, sizeof *request->ipam);
    request->ipam->driver = xstrdup(options->ipam_driver);
    str_map_copy(&request->ipam->options, &options->ipam_opts);
    return ipam_consolidate(&input, request->ipam, err);
}

static int run_create(struct cli *cli, void *arg, char **args)
{
    const struct create_options *options = arg;
    struct network_create_response answer;
    struct err err = { 0 };
    struct network_create_request request = {
        .name = xstrdup(args[0]),
        .driver = xstrdup(options->driver),
        .scope = xstrdup(options->scope),
        .enable_ipv4 = options->ipv4,
        .enable_ipv6 = options->ipv6,
        .internal = options->internal,
        .attachable = options->attachable,
        .ingress = options->ingress,
        .config_only = options->config_only,
    };
    if (!str_empty(options->config_from)) {
        request.config_from = xcalloc(1, sizeof *request.config_from);
        request.config_from->network = xstrdup(options->config_from);
    }
    str_map_copy(&request.options, &options->opts);
    pairs_to_map(&request.labels, options->labels);
    int status = fill_ipam(options, &request, &err);
    if (!status)
        status = api_call(cli, "POST", "/networks/create", &network_create_request_type, &request,
                          &network_create_response_type, &answer, &err);
    codec_clear(&network_create_request_type, &request);
    if (status < 0)
        return cli_fail(cli, &err);
    puts(answer.id ? answer.id : "");
    codec_clear(&network_create_response_type, &answer);
    return 0;
}

const struct command command_network_create = {
    .path = "network create",
    .usage = "[OPTIONS] NETWORK",
    .help = "Create a network",
    .flags = create_flags,
    .options_size = sizeof(struct create_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_create,
};
