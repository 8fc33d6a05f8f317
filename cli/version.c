/* holk version: the client's, and what the daemon says of itself and its parts. */
#include "cli/command.h"
#include "cli/format.h"
#include "cli/table.h"
#include "lib/api/compat.h"
#include "lib/api/system.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"

#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "unknown"
#endif
#define COLUMN 20

struct options {
    char *format;
};
static const struct flag flags[] = {
    FLAG_STR_(struct options, format, "format", 'f', FORMAT_OBJECT_HELP),
    FLAG_END,
};

/* What templates know: members of Go's structs, for their zero values and messages. */
struct client_version {
    char *version, *api_version, *default_api_version, *git_commit, *go_version, *os, *arch, *build_time, *context;
};
static const struct codec_field client_version_fields[] = {
    F_STR(struct client_version, version, "Version", 0),
    F_STR(struct client_version, api_version, "ApiVersion", 0),
    F_STR(struct client_version, default_api_version, "DefaultAPIVersion", OMIT_EMPTY),
    F_STR(struct client_version, git_commit, "GitCommit", OMIT_EMPTY),
    F_STR(struct client_version, go_version, "GoVersion", OMIT_EMPTY),
    F_STR(struct client_version, os, "Os", 0),
    F_STR(struct client_version, arch, "Arch", 0),
    F_STR(struct client_version, build_time, "BuildTime", OMIT_EMPTY),
    F_STR(struct client_version, context, "Context", 0),
    F_END,
};
static const struct codec_type client_version_type = { .name = "system.clientVersion",
                                                       .size = sizeof(struct client_version),
                                                       .fields = client_version_fields };
struct version_info {
    struct client_version client;
    struct version *server;
};
static const struct codec_field version_info_fields[] = {
    F_OBJ(struct version_info, client, "Client", 0, client_version),
    F_OBJP(struct version_info, server, "Server", NULL_EMPTY, version),
    F_END,
};
static const struct codec_type version_info_type = { .name = "system.versionInfo",
                                                     .size = sizeof(struct version_info),
                                                     .fields = version_info_fields };

static const char *client_api(const struct cli *cli)
{
    return cli->api_version ? cli->api_version : API_VERSION_MAX_TEXT;
}

static struct json *client_json(const struct cli *cli)
{
    struct json *json = json_new_map();
    json_set_take(json, "Version", json_new_text(HOLK_VERSION));
    json_set_take(json, "ApiVersion", json_new_text(client_api(cli)));
    json_set_take(json, "DefaultAPIVersion", json_new_text(API_VERSION_MAX_TEXT));
    json_set_take(json, "Os", json_new_text("linux"));
    json_set_take(json, "Arch", json_new_text(ARCHITECTURE));
    json_set_take(json, "Context", json_new_text("default"));
    return json;
}

/* "2026-09-15T11:02:57.0+00:00" as "Tue Sep 15 11:02:57 2026"; what is no time stays as it is. */
static char *build_time(const char *text)
{
    int64_t ns;
    struct tm tm;
    char date[64];
    if (str_empty(text) || time_parse_rfc3339(text, &ns) < 0)
        return xstrdup(text ? text : "");
    time_t seconds = (time_t)(ns / NANOS_PER_SECOND);
    if (!gmtime_r(&seconds, &tm) || !strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm))
        return xstrdup(text);
    return xstrdup(date);
}

static void put_client(const struct cli *cli, struct buf *out)
{
    buf_puts(out, "Client:\n");
    buf_printf(out, " Version:\t%s\n API version:\t%s\n", HOLK_VERSION, client_api(cli));
    buf_printf(out, " OS/Arch:\tlinux/" ARCHITECTURE "\n Context:\tdefault\n");
}

static const char *detail(const struct version_component *component, const char *key)
{
    const char *text = str_map_get(&component->details, key);
    return text ? text : "";
}

static void put_engine(const struct version *version, const struct version_component *engine, struct buf *out)
{
    AUTO_FREE char *built = build_time(detail(engine, "BuildTime"));
    buf_printf(out, "  Version:\t%s\n", engine->version ? engine->version : "");
    buf_printf(out, "  API version:\t%s (minimum version %s)\n", detail(engine, "ApiVersion"),
               detail(engine, "MinAPIVersion"));
    if (*detail(engine, "GoVersion"))
        buf_printf(out, "  Go version:\t%s\n", detail(engine, "GoVersion"));
    buf_printf(out, "  Git commit:\t%s\n  Built:\t%s\n", detail(engine, "GitCommit"), built);
    buf_printf(out, "  OS/Arch:\t%s/%s\n", detail(engine, "Os"), detail(engine, "Arch"));
    buf_printf(out, "  Experimental:\t%s\n",
               *detail(engine, "Experimental") ? detail(engine, "Experimental")
               : version->experimental         ? "true"
                                               : "false");
}

static void put_server(const struct version *version, struct buf *out)
{
    const char *platform = version->platform.name;
    buf_printf(out, "\nServer:%s%s\n", str_empty(platform) ? "" : " ", platform ? platform : "");
    for (size_t i = 0; i < version->components.count; i++) {
        const struct version_component *component = &version->components.items[i];
        buf_printf(out, " %s:\n", component->name);
        if (str_eq(component->name, "Engine")) {
            put_engine(version, component, out);
            continue;
        }
        CLEANUP(strv_free) char **keys = strv_dup(component->details.keys);
        buf_printf(out, "  Version:\t%s\n", component->version ? component->version : "");
        strv_sort(keys);
        for (char **key = keys; key && *key; key++)
            buf_printf(out, "  %s:\t%s\n", *key, detail(component, *key));
    }
}

/* The daemon's answer; an old one has no components. */
static int get_server(struct cli *cli, struct json **ret_json, struct version *ret, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *json = NULL;
    if (api_get_json(cli, "/version", &json, err) < 0)
        return -1;
    json_write(json, &text);
    if (codec_decode(&version_type, text.data, text.length, ret, err) < 0)
        return -1;
    if (!ret->components.count) {
        struct version_component *engine = list_add(&ret->components);
        engine->name = xstrdup("Engine");
        engine->version = xstrdup(ret->version);
        str_map_set(&engine->details, "ApiVersion", ret->api_version ? ret->api_version : "");
        str_map_set(&engine->details, "MinAPIVersion", ret->min_api_version ? ret->min_api_version : "");
        str_map_set(&engine->details, "Os", ret->os ? ret->os : "");
        str_map_set(&engine->details, "Arch", ret->arch ? ret->arch : "");
    }
    *ret_json = take_ptr(&json);
    return 0;
}

static int print_template(struct cli *cli, const char *format, struct json *server)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *json = json_new_map();
    struct err err = { 0 };
    json_set_take(json, "Client", client_json(cli));
    if (!server && json_parse("null", 4, &server, &err) < 0)
        return cli_fail(cli, &err);
    json_set_take(json, "Server", server);
    int status = format_object("version", format, json, "system.versionInfo", &version_info_type, &out, &err);
    fwrite(out.data ? out.data : "", 1, out.length, stdout);
    return status < 0 ? cli_fail(cli, &err) : 0;
}

static int run_version(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct options *options = arg;
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX), out = BUF_INIT(BUF_TEXT_MAX);
    struct json *server = NULL;
    struct version version = { 0 };
    struct err err = { 0 };
    int status = get_server(cli, &server, &version, &err), code = 0;
    if (!str_empty(options->format)) {
        code = print_template(cli, options->format, server);
    } else {
        put_client(cli, &text);
        if (!status)
            put_server(&version, &text);
        table_layout(text.data, text.length, COLUMN, 1, &out);
        fwrite(out.data, 1, out.length, stdout);
        if (server)
            json_free(server);
    }
    codec_clear(&version_type, &version);
    return status < 0 ? cli_fail(cli, &err) : code;
}

const struct command command_version = {
    .path = "version",
    .usage = "[OPTIONS]",
    .help = "Show the versions of client and daemon",
    .common = 11,
    .flags = flags,
    .options_size = sizeof(struct options),
    .run = run_version,
};
