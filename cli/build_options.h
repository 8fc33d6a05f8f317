/* The flags of build and the query that they make. */
#pragma once
#include "cli/command.h"

struct build_options {
    char **add_hosts, **build_args, **cache_from, **labels, **security_opts, **tags, **ulimits;
    char *cgroup_parent, *cpuset_cpus, *cpuset_mems, *file, *iidfile, *isolation, *network, *platform, *progress,
        *target;
    bool compress, force_rm, no_cache, pull, quiet, rm, squash, trust, load;
    int64_t cpu_period, cpu_quota, cpu_shares, memory, memory_swap, shm_size;
    char **secrets, **ssh, **outputs, **build_contexts, **cache_to; /* refused by name */
};
extern const struct flag build_flags[];
/* ERR_UNSUPPORTED for what this client refuses by name. */
int build_check(const struct build_options *options, struct err *err);
/* Appends "/build?..." of the options. dockerfile NULL: the daemon's own choice. remote NULL: the context is the body.
 */
int build_query(struct cli *cli, const struct build_options *options, const char *dockerfile, const char *remote,
                struct buf *target, struct err *err);
