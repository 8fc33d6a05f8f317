/* Image, config and host config to the flat plan that the monitor executes. */
#include "daemon/engine/plan_parts.h"

#include "lib/base/path.h"
#include "lib/base/str.h"

#include <stdio.h>

static const struct {
    const char *name;
    uint32_t policy;
} restart_names[] = { { "", PLAN_RESTART_NO }, { "no", PLAN_RESTART_NO }, { "always", PLAN_RESTART_ALWAYS },
                      { "on-failure", PLAN_RESTART_ON_FAILURE }, { "unless-stopped", PLAN_RESTART_UNLESS_STOPPED } };

int plan_restart_policy(const struct restart_policy *in, bool auto_remove, uint32_t *ret, struct err *err)
{
    size_t i = 0;
    const char *name = in->name ? in->name : "";
    while (i < ARRAY_SIZE(restart_names) && !str_eq(restart_names[i].name, name))
        i++;
    if (i == ARRAY_SIZE(restart_names))
        return err_set(err, ERR_INVALID, "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'", name);
    if (in->maximum_retry_count < 0)
        return err_set(err, ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
    if (in->maximum_retry_count > 0 && restart_names[i].policy != PLAN_RESTART_ON_FAILURE)
        return err_set(err, ERR_INVALID, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    if (auto_remove && restart_names[i].policy != PLAN_RESTART_NO)
        return err_set(err, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
    *ret = restart_names[i].policy;
    return 0;
}

struct ns_rule {
    enum plan_ns ns;
    const char *mode;
    const char *what;
};

/* host, private (or empty), container:ID. Slots are numbered in the order of the namespaces that join. */
static int namespaces(struct plan *plan, const struct plan_inputs *inputs, struct err *err)
{
    const struct host_config *host = &inputs->record->host_config;
    const struct ns_rule rules[] = { { PLAN_NS_PID, host->pid_mode, "PidMode" }, { PLAN_NS_IPC, host->ipc_mode, "IpcMode" },
                                     { PLAN_NS_UTS, host->uts_mode, "UTSMode" }, { PLAN_NS_NET, host->network_mode, "NetworkMode" } };
    uint32_t slot = 0;
    plan->ns_mode[PLAN_NS_MNT] = PLAN_NS_NEW;
    plan->ns_mode[PLAN_NS_CGROUP] = str_eq(host->cgroupns_mode, "private") ? PLAN_NS_NEW : PLAN_NS_HOST;
    plan->ns_mode[PLAN_NS_USER] = PLAN_NS_HOST;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const char *mode = rules[i].mode ? rules[i].mode : "";
        uint32_t *out = &plan->ns_mode[rules[i].ns];
        *out = PLAN_NS_NEW;
        if (str_eq(mode, "host")) {
            *out = PLAN_NS_HOST;
        } else if (str_starts(mode, "container:")) {
            *out = PLAN_NS_JOIN;
            plan->ns_slot[rules[i].ns] = slot++;
        } else if (rules[i].ns != PLAN_NS_NET && !str_empty(mode) && !str_eq(mode, "private") && !str_eq(mode, "shareable")) {
            return err_set(err, ERR_INVALID, "invalid %s: %s", rules[i].what, mode);
        }
    }
    return 0;
}

static int sysctls(struct plan_build *build, const struct host_config *host, struct err *err)
{
    static const char *const allowed[] = { "net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue." };
    for (size_t i = 0; i < str_map_count(&host->sysctls); i++) {
        const char *key = host->sysctls.keys[i], *value = host->sysctls.values[i];
        size_t n = 0;
        while (n < ARRAY_SIZE(allowed) && !str_starts(key, allowed[n]))
            n++;
        if (n == ARRAY_SIZE(allowed) || strpbrk(key, "/=\n ") || strstr(key, "..") || strchr(value, '\n'))
            return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed", key);
        if (str_starts(key, "net.") && str_eq(host->network_mode, "host"))
            return err_set(err, ERR_INVALID, "sysctl '%s' not allowed in host network namespace", key);
        if (build->plan.sysctl_count < ARRAY_SIZE(build->sysctls))
            build->sysctls[build->plan.sysctl_count++] = (struct plan_sysctl){ key, value };
    }
    if (str_starts(host->network_mode ? host->network_mode : "", "host") || build->plan.ns_mode[PLAN_NS_NET] != PLAN_NS_NEW) {
        build->plan.sysctls = build->sysctls;
        return 0;
    }
    static const struct plan_sysctl defaults[] = { { "net.ipv4.ip_unprivileged_port_start", "0" }, { "net.ipv4.ping_group_range", "0 2147483647" } };
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (!str_map_get(&host->sysctls, defaults[i].key) && build->plan.sysctl_count < ARRAY_SIZE(build->sysctls))
            build->sysctls[build->plan.sysctl_count++] = defaults[i];
    build->plan.sysctls = build->sysctls;
    return 0;
}

static int refuse_log_driver(const char *name, struct err *err)
{
    static const char *const dockers[] = { "awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "local", "splunk", "syslog" };
    for (size_t i = 0; i < ARRAY_SIZE(dockers); i++)
        if (str_eq(name, dockers[i]))
            return err_set(err, ERR_UNSUPPORTED, "log driver %s is not supported yet", name);
    return err_set(err, ERR_INVALID, "error looking up logging plugin %s: plugin \"%s\" not found", name, name);
}

static int log_options(struct plan_build *build, const struct container_record *record, struct err *err)
{
    const struct log_config *log = &record->host_config.log_config;
    struct plan *plan = &build->plan;
    int64_t size = 0, files = 1;
    bool none = str_eq(log->type, "none");
    if (!none && !str_empty(log->type) && !str_eq(log->type, "json-file"))
        return refuse_log_driver(log->type, err);
    for (size_t i = 0; i < str_map_count(&log->config); i++) {
        const char *key = log->config.keys[i], *value = log->config.values[i];
        if (str_eq(key, "max-size") && (str_to_bytes(value, &size) < 0 || size < 0))
            return err_set(err, ERR_INVALID, "invalid value for max-size: %s", value);
        if (str_eq(key, "max-file") && (str_to_i64(value, &files) < 0 || files < 1))
            return err_set(err, ERR_INVALID, "max-file cannot be less than 1");
        if (!str_eq(key, "max-size") && !str_eq(key, "max-file"))
            return err_set(err, ERR_INVALID, "unknown log opt '%s' for json-file log driver", key);
    }
    if (files > 1 && size == 0)
        return err_set(err, ERR_INVALID, "max-file of %lld is not used without max-size", (long long)files);
    plan->log_kind = none ? PLAN_LOG_NONE : PLAN_LOG_JSON_FILE;
    plan->log_path = plan_keep(build, str_format("%s/%s-json.log", plan->container_dir, record->id));
    plan->log_max_size = (uint64_t)size;
    plan->log_max_files = (uint32_t)files;
    return 0;
}

/* PATH, HOSTNAME (and TERM) come first, as Docker puts them. */
static const char *const *environment(struct plan_build *build, const struct container_record *record)
{
    char **env = NULL;
    if (!strv_env_get(record->config.env, "PATH"))
        strv_append(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!str_empty(record->config.hostname))
        strv_append_take(&env, str_format("HOSTNAME=%s", record->config.hostname));
    if (record->config.tty)
        strv_append(&env, "TERM=xterm");
    for (size_t i = 0; record->config.env && record->config.env[i]; i++)
        if (strchr(record->config.env[i], '='))
            strv_env_set(&env, record->config.env[i]);
    const char **borrowed = xcalloc(strv_length(env) + 1, sizeof *borrowed);
    for (size_t i = 0; env && env[i]; i++)
        borrowed[i] = plan_keep(build, env[i]);
    free(env); /* the strings are kept */
    build->env = borrowed;
    return borrowed;
}

static int process_of(struct plan_build *build, const struct plan_inputs *inputs, const struct plan_security *security, struct err *err)
{
    const struct container_record *record = inputs->record;
    const struct host_config *host = &record->host_config;
    struct plan_process *process = &build->plan.process;
    uint64_t caps;
    if (plan_caps(host, &caps, err) < 0 || plan_ulimits(build, host, err) < 0)
        return -1;
    const char **argv = xcalloc(strv_length(record->args) + 2, sizeof *argv);
    argv[0] = record->path;
    for (size_t i = 0; record->args && record->args[i]; i++)
        argv[i + 1] = record->args[i];
    build->argv = argv;
    process->argv = argv;
    process->env = environment(build, record);
    process->cwd = str_empty(record->config.working_dir) ? "/" : record->config.working_dir;
    process->make_cwd = 1;
    process->user = record->config.user;
    process->group_add = (const char *const *)host->group_add;
    process->caps_bounding = process->caps_permitted = process->caps_effective = caps;
    process->tty = record->config.tty;
    process->open_stdin = record->config.open_stdin;
    process->want_stdout = process->want_stderr = 1;
    process->no_new_privs = security->no_new_privileges;
    process->seccomp = inputs->seccomp;
    process->seccomp_length = (uint32_t)inputs->seccomp_length;
    process->oom_score_adj = (int32_t)host->oom_score_adj;
    process->oom_score_adj_set = 1;
    if (host->console_size.count == 2) {
        process->tty_rows = (uint32_t)host->console_size.items[0];
        process->tty_cols = (uint32_t)host->console_size.items[1];
    }
    return 0;
}

static void masks(struct plan *plan, const struct host_config *host, const struct plan_security *security)
{
    if (host->privileged || security->systempaths_unconfined)
        return;
    plan->masked_paths = host->masked_paths ? (const char *const *)host->masked_paths : plan_masked_paths;
    plan->readonly_paths = host->readonly_paths ? (const char *const *)host->readonly_paths : plan_readonly_paths;
}

static int fill(struct plan_build *build, struct plan_inputs *inputs, struct err *err)
{
    const struct container_record *record = inputs->record;
    const struct host_config *host = &record->host_config;
    struct plan *plan = &build->plan;
    struct plan_security security;
    int signal = 15;
    if (plan_security_opts(host, &security, err) < 0 || (!str_empty(record->config.stop_signal) && signal_parse(record->config.stop_signal, &signal, err) < 0))
        return -1;
    plan->id = record->id;
    plan->name = record->name;
    plan->container_dir = plan_keep(build, container_dir(inputs->engine, record->id));
    plan->hostname = record->config.hostname;
    plan->domainname = record->config.domainname;
    plan->lowers = (const char *const *)inputs->lowers;
    plan->upper = inputs->upper ? inputs->upper : plan_keep(build, str_format("%s/diff", plan->container_dir));
    plan->work = inputs->work ? inputs->work : plan_keep(build, str_format("%s/work", plan->container_dir));
    plan->root_volatile = inputs->root_volatile;
    plan->root_readonly = host->readonly_rootfs;
    const char *parent = str_empty(host->resources.cgroup_parent) ? inputs->engine->options.cgroup_parent : host->resources.cgroup_parent;
    plan->cgroup_path = plan_keep(build, str_format("%s%s/%s", parent[0] == '/' ? "" : "/", parent, record->id));
    plan->init = host->init.present && host->init.value;
    plan->stdin_once = record->config.stdin_once;
    plan->stop_signal = (uint32_t)signal;
    plan->stop_timeout_s = record->config.stop_timeout.present ? (uint32_t)record->config.stop_timeout.value : 10;
    plan->restart_max = (uint32_t)host->restart_policy.maximum_retry_count;
    plan->auto_remove = host->auto_remove;
    for (size_t i = 0; i < record->mounts.count; i++) /* a shared or slave bind needs a root that is not private */
        if (str_starts(record->mounts.items[i].propagation ? record->mounts.items[i].propagation : "", "rs") ||
            str_starts(record->mounts.items[i].propagation ? record->mounts.items[i].propagation : "", "s"))
            plan->root_propagation = PLAN_PROP_SLAVE;
    masks(plan, host, &security);
    if (plan_restart_policy(&host->restart_policy, host->auto_remove, &plan->restart, err) < 0 || namespaces(plan, inputs, err) < 0 ||
        plan_resources(build, &inputs->engine->cgroups, host, inputs->warnings, err) < 0 || plan_mounts(build, inputs, err) < 0 ||
        sysctls(build, host, err) < 0 || log_options(build, record, err) < 0 || process_of(build, inputs, &security, err) < 0)
        return -1;
    return 0;
}

int plan_make(struct plan_inputs *inputs, struct buf *out, struct err *err)
{
    struct plan_build *build = xcalloc(1, sizeof *build);
    int result = fill(build, inputs, err);
    if (result == 0)
        plan_encode(&build->plan, out);
    if (result == 0 && buf_failed(out))
        result = err_set(err, ERR_INVALID, "the container's plan is larger than %zu bytes", PLAN_MAX);
    strv_free(build->texts);
    free(build->argv);
    free(build->env);
    free(build);
    return result;
}

int plan_check(struct engine *engine, const struct container_record *record, char ***warnings, struct err *err)
{
    struct buf bytes = BUF_INIT(PLAN_MAX);
    char **no_lowers = NULL;
    struct plan_inputs inputs = { .record = record, .engine = engine, .lowers = no_lowers, .warnings = warnings };
    int result = plan_make(&inputs, &bytes, err);
    buf_done(&bytes);
    return result;
}
