/* holk info. */
#include "cli/command.h"
#include "cli/format.h"
#include "lib/api/system.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdio.h>

struct options {
    char *format;
};
static const struct flag flags[] = {
    FLAG_STR_(struct options, format, "format", 'f', FORMAT_OBJECT_HELP),
    FLAG_END,
};

static struct json *client_json(const struct cli *cli)
{
    struct json *json = json_new_map();
    json_set_take(json, "Debug", json_new_bool(cli->debug));
    json_set_take(json, "Version", json_new_text(HOLK_VERSION));
    json_set_take(json, "Context", json_new_text("default"));
    json_set_take(json, "Plugins", json_new_list());
    return json;
}

static const char *yes_no(bool value)
{
    return value ? "true" : "false";
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    if (!str_empty(value))
        buf_printf(out, " %s: %s\n", name, value);
}

static void put_joined(struct buf *out, const char *name, char *const *list)
{
    AUTO_FREE char *text = strv_join(list, " ");
    if (*text)
        buf_printf(out, "%s: %s\n", name, text);
}

static void put_list(struct buf *out, const char *title, char *const *list)
{
    if (!list || !*list)
        return;
    buf_printf(out, " %s:\n", title);
    for (; *list; list++)
        buf_printf(out, "  %s\n", *list);
}

/* Raw rows of two cells, indented. */
static void put_rows(struct buf *out, const char *raw, const char *indent)
{
    struct string_rows rows;
    struct err err = { 0 };
    if (rows_decode(raw, &rows, &err) < 0)
        return;
    for (size_t i = 0; i < rows.count; i++)
        if (strv_length(rows.rows[i]) > 1)
            buf_printf(out, "%s%s: %s\n", indent, rows.rows[i][0], rows.rows[i][1]);
    rows_clear(&rows);
}

static void put_counts(const struct info *info, struct buf *out)
{
    buf_printf(out, " Containers: %lld\n  Running: %lld\n  Paused: %lld\n  Stopped: %lld\n Images: %lld\n",
               (long long)info->containers, (long long)info->containers_running, (long long)info->containers_paused,
               (long long)info->containers_stopped, (long long)info->images);
    put_line(out, "Server Version", info->server_version);
    put_line(out, "Storage Driver", info->driver);
    put_rows(out, info->driver_status, "  ");
    put_line(out, "Logging Driver", info->logging_driver);
    put_line(out, "Cgroup Driver", info->cgroup_driver);
    put_line(out, "Cgroup Version", info->cgroup_version);
    buf_puts(out, " Plugins:\n");
    put_joined(out, "  Volume", info->plugins.volume);
    put_joined(out, "  Network", info->plugins.network);
    put_joined(out, "  Authorization", info->plugins.authorization);
    put_joined(out, "  Log", info->plugins.log);
    put_list(out, "CDI spec directories", info->cdi_spec_dirs);
    if (info->discovered_devices.count)
        buf_puts(out, " Discovered Devices:\n");
    for (size_t i = 0; i < info->discovered_devices.count; i++)
        buf_printf(out, "  %s: %s\n", info->discovered_devices.items[i].source, info->discovered_devices.items[i].id);
}

/* "name=apparmor,profile=x" options: the name, then what belongs to it. */
static void put_security(const struct info *info, struct buf *out)
{
    if (info->security_options && *info->security_options)
        buf_puts(out, " Security Options:\n");
    for (char **option = info->security_options; option && *option; option++) {
        CLEANUP(strv_free) char **parts = strv_split(*option, ',', true);
        for (char **part = parts; *part; part++) {
            const char *name = str_after(*part, "name="), *equals = strchr(*part, '=');
            if (name)
                buf_printf(out, "  %s\n", name);
            else if (str_starts(*part, "profile="))
                buf_printf(out, "   Profile: %s\n", equals + 1);
        }
    }
}

static void put_runtime(const struct info *info, struct buf *out)
{
    CLEANUP(strv_free) char **runtimes = strv_dup(info->runtimes.keys);
    put_line(out, "Swarm", text_of(info->swarm.local_node_state));
    strv_sort(runtimes);
    put_joined(out, " Runtimes", runtimes);
    put_line(out, "Default Runtime", info->default_runtime);
    put_line(out, "Init Binary", info->init_binary);
    buf_printf(out, " containerd version: %s\n runc version: %s\n init version: %s\n",
               text_of(info->containerd_commit.id), text_of(info->runc_commit.id), text_of(info->init_commit.id));
    put_security(info, out);
    put_line(out, "Kernel Version", info->kernel_version);
    put_line(out, "Operating System", info->operating_system);
    put_line(out, "OSType", info->os_type);
    put_line(out, "Architecture", info->architecture);
    AUTO_FREE char *memory = units_bytes((double)info->mem_total, 4);
    buf_printf(out, " CPUs: %lld\n Total Memory: %s\n", (long long)info->ncpu, memory);
    put_line(out, "Name", info->name);
    put_line(out, "ID", info->id);
    buf_printf(out, " Docker Root Dir: %s\n Debug Mode: %s\n", text_of(info->docker_root_dir), yes_no(info->debug));
    if (info->debug)
        buf_printf(out, "  File Descriptors: %lld\n  Goroutines: %lld\n  EventsListeners: %lld\n",
                   (long long)info->n_fd, (long long)info->n_goroutines, (long long)info->n_events_listener);
}

static void put_registries(const struct info *info, struct buf *out)
{
    const struct registry_service_config *config = &info->registry_config;
    CLEANUP(strv_free) char **insecure = NULL;
    for (size_t i = 0; i < obj_map_count(&config->index_configs); i++) {
        const struct index_info *index = config->index_configs.values[i];
        if (index && !index->secure)
            strv_append(&insecure, index->name);
    }
    strv_extend(&insecure, config->insecure_registry_cidrs);
    put_list(out, "Insecure Registries", insecure);
    put_list(out, "Registry Mirrors", config->mirrors);
}

static void put_rest(const struct info *info, struct buf *out)
{
    put_line(out, "HTTP Proxy", info->http_proxy);
    put_line(out, "HTTPS Proxy", info->https_proxy);
    put_line(out, "No Proxy", info->no_proxy);
    put_list(out, "Labels", info->labels);
    buf_printf(out, " Experimental: %s\n", yes_no(info->experimental_build));
    put_registries(info, out);
    buf_printf(out, " Live Restore Enabled: %s\n", yes_no(info->live_restore_enabled));
    put_line(out, "Product License", info->product_license);
    if (info->default_address_pools.count)
        buf_puts(out, " Default Address Pools:\n");
    for (size_t i = 0; i < info->default_address_pools.count; i++)
        buf_printf(out, "   Base: %s, Size: %lld\n", info->default_address_pools.items[i].base,
                   (long long)info->default_address_pools.items[i].size);
    if (info->firewall_backend && !str_eq(info->firewall_backend->driver, "iptables")) {
        put_line(out, "Firewall Backend", info->firewall_backend->driver);
        put_rows(out, info->firewall_backend->info, "  ");
    }
}

static int print_text(const struct json *json, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX), out = BUF_INIT(BUF_TEXT_MAX);
    struct info info;
    json_write(json, &text);
    if (codec_decode(&info_type, text.data, text.length, &info, err) < 0)
        return err_wrap(err, "GET /info: unexpected answer");
    put_counts(&info, &out);
    put_runtime(&info, &out);
    put_rest(&info, &out);
    printf("\nServer:\n%s\n", out.data);
    (void)fflush(stdout);
    for (char **warning = info.warnings; warning && *warning; warning++)
        fprintf(stderr, "%s\n", *warning);
    codec_clear(&info_type, &info);
    return 0;
}

static int print_template(struct cli *cli, const char *format, struct json *json, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    json_set_take(json, "ClientInfo", client_json(cli));
    int status = format_object("", format, json, "system.dockerInfo", &info_type, &out, err);
    fwrite(out.data ? out.data : "", 1, out.length, stdout);
    return status;
}

static int run_info(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct options *options = arg;
    CLEANUP(json_free) struct json *json = NULL;
    struct err err = { 0 };
    bool plain = str_empty(options->format);
    if (plain)
        printf("Client:\n Version:    %s\n Context:    default\n Debug Mode: %s\n", HOLK_VERSION, yes_no(cli->debug));
    int status = api_get_json(cli, "/info", &json, &err);
    if (!status)
        status = plain ? print_text(json, &err) : print_template(cli, options->format, json, &err);
    else
        puts(plain ? "\nServer:" : "");
    return status < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_system_info = {
    .path = "system info",
    .top = "info",
    .usage = "[OPTIONS]",
    .help = "Show what the daemon knows of itself and its machine",
    .common = 12,
    .flags = flags,
    .options_size = sizeof(struct options),
    .run = run_info,
};
