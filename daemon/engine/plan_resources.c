/* Limits: one table says which file of which controller takes a value, on v1 and on v2 (kernel.md section 7). */
#include "daemon/engine/plan_parts.h"

#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

const char *plan_keep(struct plan_build *build, char *text)
{
    strv_append_take(&build->texts, text);
    return text;
}

struct adding {
    struct plan_build *build;
    const struct cgroup_layout *cgroups;
    char ***warnings;
};

static void add_write(struct adding *adding, const char *controller, const char *v1_file, const char *v2_file, char *v1_value, char *v2_value)
{
    struct plan_build *build = adding->build;
    const struct cgroup_hierarchy *hierarchy = cgroup_find(adding->cgroups, controller);
    const char *v1 = v1_value ? plan_keep(build, v1_value) : NULL, *v2 = v2_value ? plan_keep(build, v2_value) : NULL;
    const char *file = hierarchy && hierarchy->v2 ? v2_file : v1_file, *value = hierarchy && hierarchy->v2 ? v2 : v1;
    if (!hierarchy) {
        if (adding->warnings)
            strv_append_take(adding->warnings, str_format("Your kernel does not support cgroup %s limits. Limitation discarded.", controller));
        return;
    }
    if (!file || !value || build->plan.cgroup_write_count == ARRAY_SIZE(build->writes))
        return;
    build->writes[build->plan.cgroup_write_count++] = (struct plan_cgroup_write){ .controller = controller, .file = file, .value = value, .required = 1 };
}

static char *number(int64_t value)
{
    return str_format("%lld", (long long)value);
}

static void add_memory(struct adding *adding, const struct resources *r)
{
    if (r->memory > 0)
        add_write(adding, "memory", "memory.limit_in_bytes", "memory.max", number(r->memory), number(r->memory));
    if (r->memory_reservation > 0)
        add_write(adding, "memory", "memory.soft_limit_in_bytes", "memory.low", number(r->memory_reservation), number(r->memory_reservation));
    if (r->memory > 0 && r->memory_swap != 0) {
        char *v2 = r->memory_swap < 0 ? xstrdup("max") : number(r->memory_swap - r->memory);
        add_write(adding, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", number(r->memory_swap), v2);
        adding->build->writes[adding->build->plan.cgroup_write_count - (adding->build->plan.cgroup_write_count > 0)].required = 0; /* swap accounting may be off */
    }
    if (r->memory_swappiness.present && r->memory_swappiness.value >= 0)
        add_write(adding, "memory", "memory.swappiness", NULL, number(r->memory_swappiness.value), NULL);
    if (r->oom_kill_disable.present && r->oom_kill_disable.value)
        add_write(adding, "memory", "memory.oom_control", NULL, xstrdup("1"), NULL);
}

static void add_cpu(struct adding *adding, const struct resources *r)
{
    int64_t period = r->cpu_period ? r->cpu_period : 100000, quota = r->cpu_quota;
    if (r->nano_cpus > 0) {
        period = 100000;
        quota = r->nano_cpus * period / 1000000000;
    }
    if (quota != 0 || r->cpu_period != 0) {
        add_write(adding, "cpu", "cpu.cfs_period_us", "cpu.max", number(period),
                  quota > 0 ? str_format("%lld %lld", (long long)quota, (long long)period) : str_format("max %lld", (long long)period));
        add_write(adding, "cpu", "cpu.cfs_quota_us", NULL, number(quota ? quota : -1), NULL);
    }
    if (r->cpu_shares > 0)
        add_write(adding, "cpu", "cpu.shares", "cpu.weight", number(r->cpu_shares), number(1 + (MAX(r->cpu_shares, 2) - 2) * 9999 / 262142));
    if (r->cpu_realtime_period > 0)
        add_write(adding, "cpu", "cpu.rt_period_us", NULL, number(r->cpu_realtime_period), NULL);
    if (r->cpu_realtime_runtime > 0)
        add_write(adding, "cpu", "cpu.rt_runtime_us", NULL, number(r->cpu_realtime_runtime), NULL);
    if (!str_empty(r->cpuset_cpus))
        add_write(adding, "cpuset", "cpuset.cpus", "cpuset.cpus", xstrdup(r->cpuset_cpus), xstrdup(r->cpuset_cpus));
    if (!str_empty(r->cpuset_mems))
        add_write(adding, "cpuset", "cpuset.mems", "cpuset.mems", xstrdup(r->cpuset_mems), xstrdup(r->cpuset_mems));
}

static int check_limits(const struct resources *r, struct err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (r->memory != 0 && r->memory < 6 * 1024 * 1024)
        return err_set(err, ERR_INVALID, "Minimum memory limit allowed is 6MB");
    if (r->memory > 0 && r->memory_swap > 0 && r->memory_swap < r->memory)
        return err_set(err, ERR_INVALID, "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (r->memory == 0 && r->memory_swap > 0)
        return err_set(err, ERR_INVALID, "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (r->memory > 0 && r->memory_reservation > r->memory)
        return err_set(err, ERR_INVALID, "Minimum memory limit can not be less than memory reservation limit, see usage");
    if (r->memory_swappiness.present && (r->memory_swappiness.value < -1 || r->memory_swappiness.value > 100))
        return err_set(err, ERR_INVALID, "Invalid value: %lld, valid memory swappiness range is 0-100", (long long)r->memory_swappiness.value);
    if (r->nano_cpus > 0 && (r->cpu_period || r->cpu_quota))
        return err_set(err, ERR_INVALID, "Conflicting options: Nano CPUs and CPU %s cannot both be set", r->cpu_period ? "Period" : "Quota");
    if (r->nano_cpus < 0 || r->nano_cpus > cpus * 1000000000LL)
        return err_set(err, ERR_INVALID, "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available", cpus, cpus);
    if (r->cpu_period && (r->cpu_period < 1000 || r->cpu_period > 1000000))
        return err_set(err, ERR_INVALID, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (r->cpu_quota > 0 && r->cpu_quota < 1000)
        return err_set(err, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    if (r->cpu_count || r->cpu_percent || r->io_maximum_iops || r->io_maximum_bandwidth)
        return err_set(err, ERR_INVALID, "invalid option: CpuCount, CpuPercent, IOMaximumIOps and IOMaximumBandwidth are for Windows containers only");
    if (r->blkio_weight || r->blkio_weight_device.count || r->blkio_device_read_bps.count || r->blkio_device_write_bps.count ||
        r->blkio_device_read_iops.count || r->blkio_device_write_iops.count)
        return err_set(err, ERR_UNSUPPORTED, "HostConfig: Blkio limits are not supported yet");
    if (r->device_requests.count)
        return err_set(err, ERR_UNSUPPORTED, "HostConfig: DeviceRequests (GPUs, CDI) are not supported yet");
    return 0;
}

static int device_rule(struct plan_build *build, const char *text, struct err *err)
{
    char type, access[8], major[16], minor[16];
    if (sscanf(text, "%c %15[0-9*]:%15[0-9*] %7[rwm]", &type, major, minor, access) != 4 || !strchr("abc", type) ||
        build->plan.device_rule_count == ARRAY_SIZE(build->rules))
        return err_set(err, ERR_INVALID, "invalid device cgroup rule format: '%s'", text);
    struct plan_device_rule rule = { .allow = 1, .type = (uint32_t)type, .major = -1, .minor = -1 };
    if (major[0] != '*')
        (void)str_to_i64(major, &rule.major);
    if (minor[0] != '*')
        (void)str_to_i64(minor, &rule.minor);
    rule.access = (strchr(access, 'r') ? 1u : 0u) | (strchr(access, 'w') ? 2u : 0u) | (strchr(access, 'm') ? 4u : 0u);
    build->rules[build->plan.device_rule_count++] = rule;
    return 0;
}

static const struct plan_device_rule default_rules[] = {
    { 0, 'a', -1, -1, 7 }, { 1, 'c', -1, -1, 4 }, { 1, 'b', -1, -1, 4 }, { 1, 'c', 1, 3, 7 },  { 1, 'c', 1, 5, 7 },   { 1, 'c', 1, 7, 7 },
    { 1, 'c', 5, 0, 7 },   { 1, 'c', 5, 1, 7 },   { 1, 'c', 5, 2, 7 },   { 1, 'c', 1, 9, 7 },  { 1, 'c', 1, 8, 7 },   { 1, 'c', 136, -1, 7 },
};

int plan_resources(struct plan_build *build, const struct cgroup_layout *cgroups, const struct host_config *host, char ***warnings, struct err *err)
{
    const struct resources *r = &host->resources;
    struct adding adding = { build, cgroups, warnings };
    if (check_limits(r, err) < 0)
        return -1;
    add_memory(&adding, r);
    add_cpu(&adding, r);
    if (r->pids_limit.present && r->pids_limit.value > 0)
        add_write(&adding, "pids", "pids.max", "pids.max", number(r->pids_limit.value), number(r->pids_limit.value));
    build->plan.cgroup_writes = build->writes;
    build->plan.device_rules_off = host->privileged;
    for (size_t i = 0; i < ARRAY_SIZE(default_rules); i++)
        build->rules[build->plan.device_rule_count++] = default_rules[i];
    for (size_t i = 0; r->device_cgroup_rules && r->device_cgroup_rules[i]; i++)
        if (device_rule(build, r->device_cgroup_rules[i], err) < 0)
            return -1;
    build->plan.device_rules = build->rules;
    return 0;
}

static const struct {
    const char *name;
    unsigned resource;
} limits[] = {
    { "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU }, { "data", RLIMIT_DATA }, { "fsize", RLIMIT_FSIZE }, { "locks", RLIMIT_LOCKS },
    { "memlock", RLIMIT_MEMLOCK }, { "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE }, { "nofile", RLIMIT_NOFILE },
    { "nproc", RLIMIT_NPROC }, { "rss", RLIMIT_RSS }, { "rtprio", RLIMIT_RTPRIO }, { "rttime", RLIMIT_RTTIME },
    { "sigpending", RLIMIT_SIGPENDING }, { "stack", RLIMIT_STACK },
};

int plan_ulimits(struct plan_build *build, const struct host_config *host, struct err *err)
{
    struct plan_process *process = &build->plan.process;
    for (size_t i = 0; i < host->resources.ulimits.count; i++) {
        const struct ulimit *in = &host->resources.ulimits.items[i];
        size_t n = 0;
        while (n < ARRAY_SIZE(limits) && !str_eq(limits[n].name, in->name))
            n++;
        if (n == ARRAY_SIZE(limits))
            return err_set(err, ERR_INVALID, "invalid ulimit type: %s", in->name ? in->name : "");
        if (in->hard >= 0 && (in->soft > in->hard || in->soft < 0))
            return err_set(err, ERR_INVALID, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld", (long long)in->soft, (long long)in->hard);
        if (process->rlimit_count < ARRAY_SIZE(build->rlimits))
            build->rlimits[process->rlimit_count++] = (struct plan_rlimit){
                limits[n].resource, in->soft < 0 ? RLIM_INFINITY : (uint64_t)in->soft, in->hard < 0 ? RLIM_INFINITY : (uint64_t)in->hard };
    }
    process->rlimits = build->rlimits;
    return 0;
}
