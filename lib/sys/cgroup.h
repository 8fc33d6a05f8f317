/* Which cgroup hierarchies this machine has, per controller (v1, v2, hybrid), and where they are mounted.
 * Read once from /proc/self/mountinfo and /proc/self/cgroup. libc only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct cgroup_hierarchy {
    char controllers[64]; /* "cpu,cpuacct", "name=systemd"; "" for v2 */
    char mount[128];      /* absolute */
    bool v2;
};
struct cgroup_layout {
    struct cgroup_hierarchy items[16];
    size_t count;
    int v2;               /* index of the unified hierarchy or -1 */
    bool pure_v2;         /* no v1 hierarchy at all */
    char v2_controllers[256]; /* root cgroup.controllers */
};
int cgroup_layout_read(struct cgroup_layout *ret);
/* Hierarchy that serves a controller ("memory", "cpu", "pids", "freezer", "devices" ...) or NULL. */
const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *layout, const char *controller);
/* Absolute directory of a cgroup path ("/holk/x") in the controller's hierarchy. 0 or -ENOENT/-ENAMETOOLONG. */
int cgroup_dir(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, char *ret, size_t size);
/* mkdir -p in every hierarchy; cpuset copied from the parent (v1), subtree_control enabled (v2). 0 or -errno. */
int cgroup_make(const struct cgroup_layout *layout, const char *cgroup_path);
int cgroup_attach(const struct cgroup_layout *layout, const char *cgroup_path, int pid);
int cgroup_remove(const struct cgroup_layout *layout, const char *cgroup_path); /* -EBUSY while in use */
int cgroup_write(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, const char *file, const char *value);
int cgroup_read(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, const char *file, char *ret, size_t size);
int cgroup_freeze(const struct cgroup_layout *layout, const char *cgroup_path, bool freeze); /* waits up to 2 s */
int cgroup_kill(const struct cgroup_layout *layout, const char *cgroup_path);
/* pids in the group (recursive no); *ret malloc'ed. count or -errno */
int cgroup_pids(const struct cgroup_layout *layout, const char *cgroup_path, int **ret);
