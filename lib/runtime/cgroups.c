#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLEANUP_TRIES 60

static int read_layout(struct cgroup_layout *ret, struct err *err)
{
    int r = cgroup_layout_read(ret);
    return r < 0 ? err_sys(err, r, "find the cgroup hierarchies") : 0;
}

static void format_number(char *ret, size_t size, int64_t number)
{
    if (number < 0)
        str_copy(ret, size, "*");
    else
        snprintf(ret, size, "%" PRId64, number);
}

static void format_rule(char *ret, size_t size, const struct plan_device_rule *rule)
{
    char major[24], minor[24];
    format_number(major, sizeof major, rule->major);
    format_number(minor, sizeof minor, rule->minor);
    if (rule->type == 'a' && rule->major < 0 && rule->minor < 0 && (rule->access & 7) == 7)
        str_copy(ret, size, "a");
    else
        snprintf(ret, size, "%c %s:%s %s%s%s", (char)rule->type, major, minor, rule->access & 1 ? "r" : "",
                 rule->access & 2 ? "w" : "", rule->access & 4 ? "m" : "");
}

static int devices_v1(const struct plan *plan, const struct cgroup_layout *layout, struct err *err)
{
    for (size_t i = 0; i < plan->device_rule_count; i++) {
        char line[96];
        format_rule(line, sizeof line, &plan->device_rules[i]);
        int r = cgroup_write(layout, "devices", plan->cgroup_path,
                             plan->device_rules[i].allow ? "devices.allow" : "devices.deny", line);
        if (r < 0)
            return err_sys(err, r, "set device rule %s", line);
    }
    return 0;
}

static int devices_v2(const struct plan *plan, const struct cgroup_layout *layout, struct err *err)
{
    char path[1024];
    AUTO_FREE struct sys_device_rule *rules = xcalloc(plan->device_rule_count + 1, sizeof *rules);
    for (size_t i = 0; i < plan->device_rule_count; i++) {
        const struct plan_device_rule *from = &plan->device_rules[i];
        rules[i] = (struct sys_device_rule){ .allow = from->allow, .type = (char)from->type, .major = from->major,
                                             .minor = from->minor, .access = from->access };
    }
    int r = cgroup_dir(layout, "devices", plan->cgroup_path, path, sizeof path);
    AUTO_FD int fd = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, r < 0 ? r : errno, "open cgroup %s", plan->cgroup_path);
    r = sys_cgroup2_devices(fd, rules, plan->device_rule_count);
    return r < 0 ? err_sys(err, r, "attach device rules") : 0;
}

static int set_devices(const struct plan *plan, const struct cgroup_layout *layout, struct err *err)
{
    const struct cgroup_hierarchy *h = cgroup_find(layout, "devices");
    if (plan->device_rules_off)
        return 0;
    if (!h)
        return err_set(err, ERR_UNAVAILABLE, "this machine has no cgroup to control devices");
    return h->v2 ? devices_v2(plan, layout, err) : devices_v1(plan, layout, err);
}

static int set_limit(const struct plan *plan, const struct cgroup_layout *layout, const struct plan_cgroup_write *write,
                     struct runtime_container *warnings, struct err *err)
{
    char text[256];
    int r = cgroup_write(layout, write->controller ? write->controller : "", plan->cgroup_path, write->file, write->value);
    if (r >= 0)
        return 0;
    if (write->required)
        return err_sys(err, r, "failed to write \"%s\" to %s", write->value, write->file);
    snprintf(text, sizeof text, "%.80s could not be set to %.60s: %s", write->file, write->value, err_strerror(r));
    container_warn(warnings, text);
    return 0;
}

int cgroups_prepare(const struct plan *plan, const struct cgroup_layout *layout, struct runtime_container *warnings,
                    struct err *err)
{
    int r = cgroup_make(layout, plan->cgroup_path);
    if (r < 0)
        return err_sys(err, r, "make cgroup %s", plan->cgroup_path);
    for (size_t i = 0; i < plan->cgroup_write_count; i++)
        if (set_limit(plan, layout, &plan->cgroup_writes[i], warnings, err) < 0)
            return -1;
    return set_devices(plan, layout, err);
}

int runtime_freeze(const struct plan *plan, bool freeze, struct err *err)
{
    struct cgroup_layout layout;
    if (read_layout(&layout, err) < 0)
        return -1;
    int r = cgroup_freeze(&layout, plan->cgroup_path, freeze);
    if (r < 0 && freeze)
        (void)cgroup_freeze(&layout, plan->cgroup_path, false); /* not half frozen */
    return r < 0 ? err_sys(err, r, freeze ? "freeze the container" : "thaw the container") : 0;
}

int runtime_kill_all(const struct plan *plan, struct err *err)
{
    struct cgroup_layout layout;
    if (read_layout(&layout, err) < 0)
        return -1;
    int r = cgroup_kill(&layout, plan->cgroup_path);
    return r < 0 ? err_sys(err, r, "kill all processes of the container") : 0;
}

int64_t runtime_oom_kills(const struct plan *plan)
{
    struct cgroup_layout layout;
    char text[1024];
    if (cgroup_layout_read(&layout) < 0)
        return 0;
    const struct cgroup_hierarchy *h = cgroup_find(&layout, "memory");
    const char *file = h && h->v2 ? "memory.events" : "memory.oom_control";
    if (!h || cgroup_read(&layout, "memory", plan->cgroup_path, file, text, sizeof text) < 0)
        return 0;
    const char *at = str_starts(text, "oom_kill ") ? text : strstr(text, "\noom_kill ");
    return at ? strtoll(strchr(at, ' '), NULL, 10) : 0;
}

int runtime_cgroup_write(const struct plan *plan, const char *controller, const char *file, const char *value, struct err *err)
{
    struct cgroup_layout layout;
    if (read_layout(&layout, err) < 0)
        return -1;
    int r = cgroup_write(&layout, controller, plan->cgroup_path, file, value);
    return r < 0 ? err_sys(err, r, "failed to write \"%s\" to %s", value, file) : 0;
}

void runtime_cleanup(const struct plan *plan)
{
    struct cgroup_layout layout;
    if (cgroup_layout_read(&layout) < 0)
        return;
    /* the last task may be reaped a moment before its groups know it */
    for (int i = 0; i < CLEANUP_TRIES && cgroup_remove(&layout, plan->cgroup_path) == -EBUSY; i++)
        nanosleep(&(struct timespec){ .tv_nsec = (i < 10 ? 1 : 10) * 1000000L }, NULL);
}
