#include "cli/create_options.h"
#include "cli/flags.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <fcntl.h>

#define ENV_FILE_MAX ((size_t)16 << 20)

static int put_env_line(const char *file, char *line, size_t number, bool environment, char ***list, struct err *err)
{
    while (*line == ' ' || *line == '\t')
        line++;
    size_t length = strlen(line), name = strcspn(line, "=");
    if (length && line[length - 1] == '\r')
        line[length - 1] = 0;
    if (!*line || *line == '#')
        return 0;
    if (!utf8_valid(line, strlen(line)))
        return err_set(err, ERR_INVALID, "invalid env file (%s): invalid utf8 bytes at line %zu: %s", file, number, line);
    if (!name)
        return err_set(err, ERR_INVALID, "invalid env file (%s): no variable name on line '%s'", file, line);
    if (strcspn(line, " \t") < name)
        return err_set(err, ERR_INVALID, "invalid env file (%s): variable '%.*s' contains whitespaces", file, (int)name, line);
    if (line[name] || !environment) {
        strv_append(list, line);
    } else {
        const char *value = getenv(line);
        if (value)
            strv_append_take(list, str_format("%s=%s", line, value));
    }
    return 0;
}

int read_env_files(char *const *files, bool environment, char ***inout_list, struct err *err)
{
    for (; files && *files; files++) {
        AUTO_FREE char *text = NULL;
        size_t length, number = 0;
        int ret = io_read_file_at(AT_FDCWD, *files, ENV_FILE_MAX, &text, &length);
        if (ret < 0)
            return cli_path_error(err, "open", *files, ret);
        char *rest = text;
        if ((unsigned char)text[0] == 0xef && (unsigned char)text[1] == 0xbb && (unsigned char)text[2] == 0xbf)
            rest += 3; /* the mark that some editors put first */
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
            if (put_env_line(*files, line, ++number, environment, inout_list, err) < 0)
                return -1;
        }
    }
    return 0;
}

int restart_policy_parse(const char *text, struct restart_policy *ret, struct err *err)
{
    struct err ignored = { 0 };
    if (str_empty(text))
        return 0;
    const char *colon = strchr(text, ':');
    if (colon == text)
        return err_set(err, ERR_INVALID, "invalid restart policy format: no policy provided before colon");
    if (colon && colon[1] && parse_go_int(colon + 1, &ret->maximum_retry_count, &ignored) < 0)
        return err_set(err, ERR_INVALID, "invalid restart policy format: maximum retry count must be an integer");
    ret->name = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    return 0;
}

static int check_durations(const struct create_options *options, struct err *err)
{
    const struct {
        int64_t value;
        const char *name;
    } all[] = {
        { options->health_interval, "interval" },         { options->health_timeout, "timeout" },
        { options->health_retries, "retries" },           { options->health_start_period, "start-period" },
        { options->health_start_interval, "start-interval" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i].value < 0)
            return err_set(err, ERR_INVALID, "--health-%s cannot be negative", all[i].name);
    }
    return 0;
}

static int put_health(const struct create_options *options, struct container_config *config, struct err *err)
{
    bool any = !str_empty(options->health_cmd) || options->health_interval || options->health_timeout || options->health_retries ||
               options->health_start_period || options->health_start_interval;
    if (options->no_healthcheck && any)
        return err_set(err, ERR_INVALID, "--no-healthcheck conflicts with --health-* options");
    if (!options->no_healthcheck && !any)
        return 0;
    if (check_durations(options, err) < 0)
        return -1;
    struct health_config *health = config->healthcheck = xcalloc(1, sizeof *health);
    if (options->no_healthcheck) {
        strv_append(&health->test, "NONE");
        return 0;
    }
    if (!str_empty(options->health_cmd)) {
        strv_append(&health->test, "CMD-SHELL");
        strv_append(&health->test, options->health_cmd);
    }
    health->interval = options->health_interval;
    health->timeout = options->health_timeout;
    health->start_period = options->health_start_period;
    health->start_interval = options->health_start_interval;
    health->retries = options->health_retries;
    return 0;
}

static int put_labels(const struct create_options *options, struct str_map *labels, struct err *err)
{
    CLEANUP(strv_free) char **list = NULL;
    if (read_env_files(options->label_file, false, &list, err) < 0)
        return -1;
    strv_extend(&list, options->label);
    for (char **text = list; text && *text; text++) {
        char *value = strchr(*text, '=');
        if (value)
            *value++ = 0;
        str_map_set(labels, *text, value ? value : "");
    }
    return 0;
}

static void put_streams(const struct create_options *options, struct container_config *config)
{
    config->attach_stdin = options->interactive || strv_contains(options->attach, "stdin");
    config->attach_stdout = !options->attach || strv_contains(options->attach, "stdout");
    config->attach_stderr = !options->attach || strv_contains(options->attach, "stderr");
    config->tty = options->tty;
    config->open_stdin = options->interactive;
    config->stdin_once = config->open_stdin && config->attach_stdin;
}

static int put_process(const struct create_options *options, char *const *args, struct container_config *config, struct err *err)
{
    put_streams(options, config);
    if (read_env_files(options->env_file, true, &config->env, err) < 0)
        return -1;
    strv_extend(&config->env, options->env);
    if (args[1])
        config->cmd = strv_dup(args + 1);
    config->image = xstrdup(args[0]);
    if (options->entrypoint)
        strv_append(&config->entrypoint, options->entrypoint);
    config->hostname = xstrdup(options->hostname);
    config->domainname = xstrdup(options->domainname);
    config->user = xstrdup(options->user);
    config->working_dir = xstrdup(options->workdir);
    config->stop_signal = xstrdup(options->stop_signal);
    config->stop_timeout = options->stop_timeout;
    return put_labels(options, &config->labels, err) < 0 ? -1 : put_health(options, config, err);
}

static int put_resources(const struct create_options *options, struct host_config *host, struct err *err)
{
    struct resources *resources = &host->resources;
    if (options->memory_swappiness != -1 && (options->memory_swappiness < 0 || options->memory_swappiness > 100))
        return err_set(err, ERR_INVALID, "invalid value: %lld. Valid memory swappiness range is 0-100",
                       (long long)options->memory_swappiness);
    resources->memory = options->memory;
    resources->memory_reservation = options->memory_reservation;
    resources->memory_swap = options->memory_swap;
    resources->memory_swappiness = (struct opt_i64){ true, options->memory_swappiness };
    resources->kernel_memory = 0; /* the kernel has no such limit any more; docker drops it as well */
    resources->oom_kill_disable = (struct opt_bool){ true, options->oom_kill_disable };
    resources->pids_limit = (struct opt_i64){ true, options->pids_limit };
    resources->nano_cpus = options->nano_cpus;
    resources->cpu_shares = options->cpu_shares;
    resources->cpu_period = options->cpu_period;
    resources->cpu_quota = options->cpu_quota;
    resources->cpu_realtime_period = options->cpu_rt_period;
    resources->cpu_realtime_runtime = options->cpu_rt_runtime;
    resources->cpuset_cpus = xstrdup(options->cpuset_cpus);
    resources->cpuset_mems = xstrdup(options->cpuset_mems);
    resources->cgroup_parent = xstrdup(options->cgroup_parent);
    resources->blkio_weight = options->blkio_weight;
    host->oom_score_adj = options->oom_score_adj;
    host->shm_size = options->shm_size;
    return 0;
}

static int put_log(const struct create_options *options, struct log_config *log, struct err *err)
{
    if (str_eq(options->log_driver, "none") && options->log_opt)
        return err_set(err, ERR_INVALID, "invalid logging opts for driver none");
    log->type = xstrdup(options->log_driver);
    for (char **text = options->log_opt; text && *text; text++) {
        size_t length = strcspn(*text, "=");
        AUTO_FREE char *key = xstrndup(*text, length);
        str_map_set(&log->config, key, (*text)[length] ? *text + length + 1 : "");
    }
    return 0;
}

static int put_storage_options(const struct create_options *options, struct str_map *map, struct err *err)
{
    for (char **text = options->storage_opt; text && *text; text++) {
        size_t length = strcspn(*text, "=");
        if (!(*text)[length])
            return err_set(err, ERR_INVALID, "invalid storage option");
        AUTO_FREE char *key = xstrndup(*text, length);
        str_map_set(map, key, *text + length + 1);
    }
    return 0;
}

static int put_host(const struct create_options *options, struct host_config *host, struct err *err)
{
    if (restart_policy_parse(options->restart, &host->restart_policy, err) < 0)
        return -1;
    const char *policy = host->restart_policy.name;
    if (options->rm && !str_empty(policy) && !str_eq(policy, "no"))
        return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --restart and --rm");
    host->auto_remove = options->rm;
    host->container_id_file = xstrdup(options->cid_file);
    host->readonly_rootfs = options->read_only;
    host->init = options->init;
    host->group_add = strv_dup(options->group_add);
    host->extra_hosts = strv_dup(options->add_host);
    host->dns = strv_dup(options->dns);
    host->dns_options = strv_dup(options->dns_option);
    host->dns_search = strv_dup(options->dns_search);
    str_map_copy(&host->annotations, &options->annotation);
    str_map_copy(&host->sysctls, &options->sysctl);
    if (put_log(options, &host->log_config, err) < 0 || put_storage_options(options, &host->storage_opt, err) < 0)
        return -1;
    return 0;
}

static int refuse(const struct create_options *options, struct err *err)
{
    if (options->use_api_socket)
        return err_set(err, ERR_UNSUPPORTED, "--use-api-socket is not supported; bind mount the daemon's socket with -v");
    if (!options->disable_content_trust)
        return err_set(err, ERR_UNSUPPORTED, "--disable-content-trust=false: content trust is not supported");
    if (!str_empty(options->mac_address))
        return check_mac_address(options->mac_address, err);
    return 0;
}

int create_request_make(const struct create_options *options, char *const *args, struct container_create_request *ret,
                        struct err *err)
{
    struct container_create_request request = { .host_config = xcalloc(1, sizeof *request.host_config) };
    struct host_config *host = request.host_config;
    if (refuse(options, err) < 0 || put_process(options, args, &request.config, err) < 0 || put_resources(options, host, err) < 0 ||
        create_put_mounts(options, &request, err) < 0 || create_put_ports(options, &request, err) < 0 ||
        create_put_devices(options, host, err) < 0 || create_put_security(options, host, err) < 0 ||
        put_host(options, host, err) < 0 || create_put_network(options, &request, err) < 0) {
        codec_clear(&container_create_request_type, &request);
        return -1;
    }
    *ret = request;
    return 0;
}
