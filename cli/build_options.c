#include "cli/build_options.h"

#include "cli/create_options.h"
#include "cli/docker_config.h"
#include "cli/reference.h"
#include "lib/api/host_config.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"

#include <stdlib.h>

#define O struct build_options

static int check_tag(const char *value, char **ret_value, struct err *err)
{
    (void)ret_value;
    AUTO_REFERENCE struct reference reference = { 0 };
    return reference_parse(value, &reference, err);
}

const struct flag build_flags[] = {
    FLAG_STRV_(O, add_hosts, "add-host", 0, "One more line of /etc/hosts (\"host:ip\")", .shown = "list",
               .check = check_add_host),
    FLAG_STRV_(O, build_args, "build-arg", 0, "Set a variable of the build", .shown = "list", .check = flag_check_env),
    FLAG_STRV_(O, build_contexts, "build-context", 0, "Not supported", .hidden = true),
    FLAG_STRV_(O, cache_from, "cache-from", 0, "Images to take layers from", .shown = "strings"),
    FLAG_STRV_(O, cache_to, "cache-to", 0, "Not supported", .hidden = true),
    FLAG_STR_(O, cgroup_parent, "cgroup-parent", 0, "Parent cgroup of RUN's containers"),
    FLAG_BOOL_(O, compress, "compress", 0, "Accepted and without effect: a local socket gains nothing", .hidden = true),
    FLAG_I64_(O, cpu_period, "cpu-period", 0, "Limit the CPU's CFS period"),
    FLAG_I64_(O, cpu_quota, "cpu-quota", 0, "Limit the CPU's CFS quota"),
    FLAG_I64_(O, cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)"),
    FLAG_STR_(O, cpuset_cpus, "cpuset-cpus", 0, "CPUs to run on (0-3, 0,1)"),
    FLAG_STR_(O, cpuset_mems, "cpuset-mems", 0, "Memory nodes to use (0-3, 0,1)"),
    FLAG_BOOL_(O, trust, "disable-content-trust", 0, "Accepted and without effect", .hidden = true, .initial = "true"),
    FLAG_STR_(O, file, "file", 'f', "The Dockerfile (\"PATH/Dockerfile\" when not given), - for stdin"),
    FLAG_BOOL_(O, force_rm, "force-rm", 0, "Always remove intermediate containers"),
    FLAG_STR_(O, iidfile, "iidfile", 0, "Write the image ID to that file"),
    FLAG_STR_(O, isolation, "isolation", 0, "Container isolation technology"),
    FLAG_STRV_(O, labels, "label", 0, "Set metadata for the image", .shown = "list", .check = flag_check_label),
    FLAG_BOOL_(O, load, "load", 0, "Accepted: images are always loaded", .hidden = true),
    FLAG_BYTES_(O, memory, "memory", 'm', "Memory limit"),
    FLAG_BYTES_(O, memory_swap, "memory-swap", 0, "Limit of memory and swap together, -1 for no limit of swap",
                .allow_minus_one = true),
    FLAG_STR_(O, network, "network", 0, "Network of RUN's containers", .initial = "default"),
    FLAG_BOOL_(O, no_cache, "no-cache", 0, "Take nothing from the cache"),
    FLAG_STRV_(O, outputs, "output", 'o', "Not supported", .hidden = true),
    FLAG_STR_(O, platform, "platform", 0, "Build for that platform: \"os[/arch[/variant]]\""),
    FLAG_STR_(O, progress, "progress", 0, "Kind of output: auto or plain, which are the same here, or quiet",
              .initial = "auto"),
    FLAG_BOOL_(O, pull, "pull", 0, "Look for a newer version of every base image"),
    FLAG_BOOL_(O, quiet, "quiet", 'q', "Print the image ID alone when it worked"),
    FLAG_BOOL_(O, rm, "rm", 0, "Remove intermediate containers when it worked", .initial = "true"),
    FLAG_STRV_(O, secrets, "secret", 0, "Not supported", .hidden = true),
    FLAG_STRV_(O, security_opts, "security-opt", 0, "Security options", .shown = "strings"),
    FLAG_BYTES_(O, shm_size, "shm-size", 0, "Size of \"/dev/shm\""),
    FLAG_BOOL_(O, squash, "squash", 0, "Not supported", .hidden = true),
    FLAG_STRV_(O, ssh, "ssh", 0, "Not supported", .hidden = true),
    FLAG_STRV_(O, tags, "tag", 't', "Name of the image, \"name:tag\"", .shown = "list", .check = check_tag),
    FLAG_STR_(O, target, "target", 0, "Build up to that stage"),
    FLAG_STRV_(O, ulimits, "ulimit", 0, "Limit of a resource, \"name=soft:hard\"", .shown = "ulimit",
               .check = check_ulimit),
    FLAG_END,
};

int build_check(const O *options, struct err *err)
{
    const struct {
        const char *flag;
        bool used;
    } refused[] = { { "--squash", options->squash },
                    { "--secret", options->secrets != NULL },
                    { "--ssh", options->ssh != NULL },
                    { "--output", options->outputs != NULL },
                    { "--build-context", options->build_contexts != NULL },
                    { "--cache-to", options->cache_to != NULL } };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        if (refused[i].used)
            return err_set(err, ERR_UNSUPPORTED, "%s is not supported", refused[i].flag);
    static const char *const kinds[] = { "auto", "plain", "tty", "quiet", "rawjson" };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_eq(options->progress, kinds[i]))
            return 0;
    return err_set(err, ERR_INVALID, "unknown progress type: %s", options->progress);
}

/* ---- the query ---- */

static void add_text(struct buf *target, const char *key, const char *value)
{
    if (!str_empty(value))
        http_query_add(target, key, value);
}

static void add_number(struct buf *target, const char *key, int64_t value)
{
    if (value)
        api_query_i64(target, key, value);
}

static void add_json(struct buf *target, const char *key, const struct json *json)
{
    AUTO_BUF struct buf text = BUF_INIT(API_TARGET_MAX);
    if (!json_count(json))
        return;
    json_write(json, &text);
    http_query_add(target, key, text.data ? text.data : "");
}

/* {"NAME": "value"}; a NAME without value that the environment does not know either is null. */
static void put_build_arg(struct json *map, const char *text)
{
    size_t length = strcspn(text, "=");
    AUTO_FREE char *name = xstrndup(text, length);
    struct json *value = NULL;
    struct err err = { 0 };
    if (text[length])
        value = json_new_text(text + length + 1);
    else if (json_parse("null", 4, &value, &err) < 0)
        return;
    json_set_take(map, name, value);
}

/* The configuration's proxies are variables of the build, unless given by hand. */
static void add_build_args(struct cli *cli, const O *options, struct buf *target)
{
    CLEANUP(json_free) struct json *map = json_new_map();
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    CLEANUP(strv_free) char **proxies = docker_config_proxies(config, cli->host);
    for (char **proxy = proxies; proxy && *proxy; proxy++)
        put_build_arg(map, *proxy);
    for (char **arg = options->build_args; arg && *arg; arg++)
        put_build_arg(map, *arg);
    add_json(target, "buildargs", map);
}

static void add_labels(const O *options, struct buf *target)
{
    CLEANUP(json_free) struct json *map = json_new_map();
    for (char **label = options->labels; label && *label; label++) {
        size_t length = strcspn(*label, "=");
        AUTO_FREE char *key = xstrndup(*label, length);
        json_set_take(map, key, json_new_text((*label)[length] ? *label + length + 1 : ""));
    }
    add_json(target, "labels", map);
}

static void add_list(struct buf *target, const char *key, char *const *texts)
{
    CLEANUP(json_free) struct json *list = json_new_list();
    for (; texts && *texts; texts++) {
        CLEANUP(strv_free) char **parts = strv_split(*texts, ',', true);
        for (char **part = parts; *part; part++)
            json_add_take(list, json_new_text(*part));
    }
    add_json(target, key, list);
}

/* "nofile=1024:2048" */
static int add_ulimits(const O *options, struct buf *target, struct err *err)
{
    CLEANUP(json_free) struct json *list = json_new_list();
    for (char **text = options->ulimits; text && *text; text++) {
        const char *equals = strchr(*text, '='), *colon = equals ? strchr(equals, ':') : NULL;
        AUTO_FREE char *name = xstrndup(*text, strcspn(*text, "="));
        AUTO_FREE char *first = equals ? xstrndup(equals + 1, strcspn(equals + 1, ":")) : xstrdup("");
        int64_t soft, hard;
        if (!equals || str_to_i64(first, &soft) < 0 || (colon && str_to_i64(colon + 1, &hard) < 0))
            return err_set(err, ERR_INVALID,
                           "invalid argument \"%s\" for \"--ulimit\" flag: invalid ulimit argument: %s", *text, *text);
        struct json *limit = json_new_map();
        json_set_take(limit, "Name", json_new_text(name));
        json_set_take(limit, "Hard", json_new_int(colon ? hard : soft));
        json_set_take(limit, "Soft", json_new_int(soft));
        json_add_take(list, limit);
    }
    add_json(target, "ulimits", list);
    return 0;
}

/* "host:ip" and "host=ip" mean the same. */
static int add_hosts(const O *options, struct buf *target, struct err *err)
{
    CLEANUP(strv_free) char **hosts = NULL;
    for (char **host = options->add_hosts; host && *host; host++) {
        size_t length = strcspn(*host, "=:");
        if (!length || !(*host)[length] || !(*host)[length + 1])
            return err_set(err, ERR_INVALID,
                           "invalid argument \"%s\" for \"--add-host\" flag: bad format for add-host: \"%s\"", *host,
                           *host);
        strv_append_take(&hosts, str_format("%.*s:%s", (int)length, *host, *host + length + 1));
    }
    AUTO_FREE char *all = strv_join(hosts, ",");
    add_text(target, "extrahosts", all);
    return 0;
}

int build_query(struct cli *cli, const O *options, const char *dockerfile, const char *remote, struct buf *target,
                struct err *err)
{
    buf_puts(target, "/build");
    for (char **tag = options->tags; tag && *tag; tag++)
        http_query_add(target, "t", *tag);
    http_query_add(target, "remote", remote);
    add_text(target, "dockerfile", dockerfile);
    add_build_args(cli, options, target);
    add_labels(options, target);
    add_list(target, "cachefrom", options->cache_from);
    for (char **option = options->security_opts; option && *option; option++)
        http_query_add(target, "securityopt", *option);
    if (add_ulimits(options, target, err) < 0 || add_hosts(options, target, err) < 0)
        return -1;
    add_text(target, "cgroupparent", options->cgroup_parent);
    add_text(target, "cpusetcpus", options->cpuset_cpus);
    add_text(target, "cpusetmems", options->cpuset_mems);
    add_number(target, "cpuperiod", options->cpu_period);
    add_number(target, "cpuquota", options->cpu_quota);
    add_number(target, "cpushares", options->cpu_shares);
    add_number(target, "memory", options->memory);
    add_number(target, "memswap", options->memory_swap);
    add_number(target, "shmsize", options->shm_size);
    add_text(target, "isolation", options->isolation);
    if (!str_eq(options->network, "default"))
        add_text(target, "networkmode", options->network);
    add_text(target, "platform", options->platform);
    add_text(target, "target", options->target);
    api_query_bool(target, "q", options->quiet);
    api_query_bool(target, "nocache", options->no_cache);
    api_query_bool(target, "pull", options->pull);
    api_query_bool(target, "forcerm", options->force_rm);
    if (!options->rm)
        http_query_add(target, "rm", "0");
    http_query_add(target, "version", "1");
    return 0;
}
