/* Between the plan_*.c files: pure pieces of turning a host config into a plan. */
#pragma once
#include "daemon/engine/internal.h"
#include "lib/plan/plan.h"

struct plan_security {
    bool no_new_privileges, systempaths_unconfined;
    const char *seccomp, *apparmor, *label; /* borrowed from SecurityOpt, NULL = default */
};
int plan_security_opts(const struct host_config *host, struct plan_security *ret, struct err *err);
int plan_caps(const struct host_config *host, uint64_t *ret, struct err *err);
const char *plan_cap_name(size_t number); /* "SYS_ADMIN"; NULL behind the last */
extern const char *const plan_masked_paths[], *const plan_readonly_paths[];

/* A plan under construction: what its strings and lists live in until plan_encode. */
struct plan_build {
    struct plan plan;
    char **texts; /* owned strings */
    struct plan_cgroup_write writes[64];
    struct plan_device_rule rules[128];
    struct plan_mount mounts[256];
    struct plan_device devices[1024]; /* privileged containers get every node of the host */
    struct plan_rlimit rlimits[16];
    struct plan_sysctl sysctls[64];
    const char **argv, **env;
};
const char *plan_keep(struct plan_build *build, char *text); /* takes; borrowed back */
int plan_resources(struct plan_build *build, const struct cgroup_layout *cgroups, const struct host_config *host, char ***warnings, struct err *err);
int plan_mounts(struct plan_build *build, const struct plan_inputs *inputs, struct err *err);
int plan_ulimits(struct plan_build *build, const struct host_config *host, struct err *err);
