/* What concerns a cgroup together with the groups that the container has made below it. */
#include "lib/sys/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 1024
#define DEPTH_MAX 32
#define FREEZE_WAIT_MS 2000

typedef int (*group_fn)(int dir_fd, void *arg);

/* Calls fn for the groups below dir_fd, deepest first, then for dir_fd itself. A depth of 32 is the end of our patience, not of the
 * kernel's: deeper groups keep their parent busy, which the caller reports. */
static int walk(int dir_fd, int depth, bool remove_children, group_fn fn, void *arg)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        int r = -errno;
        if (copy >= 0)
            close(copy);
        return r;
    }
    struct dirent *entry;
    while (depth < DEPTH_MAX && (entry = readdir(dir))) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int child = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
            continue;
        (void)walk(child, depth + 1, remove_children, fn, arg);
        close(child);
        if (remove_children)
            (void)unlinkat(dir_fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
    return fn ? fn(dir_fd, arg) : 0;
}

static int open_group(const struct cgroup_hierarchy *h, const char *cgroup_path)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s%s", h->mount, cgroup_path);
    if (n < 0 || (size_t)n >= sizeof path || strstr(cgroup_path, "/.."))
        return -EINVAL;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int remove_in(const struct cgroup_hierarchy *h, const char *cgroup_path)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s%s", h->mount, cgroup_path);
    if (n < 0 || (size_t)n >= sizeof path || strstr(cgroup_path, "/.."))
        return -EINVAL;
    if (rmdir(path) == 0 || errno == ENOENT)
        return 0;
    int fd = open_group(h, cgroup_path);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    (void)walk(fd, 0, true, NULL, NULL);
    close(fd);
    return rmdir(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(const struct cgroup_layout *layout, const char *cgroup_path)
{
    int first = 0;
    if (cgroup_path[0] != '/' || !cgroup_path[1])
        return -EINVAL;
    for (size_t i = 0; i < layout->count; i++) {
        int r = remove_in(&layout->items[i], cgroup_path);
        first = first ? first : r;
    }
    return first;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

struct frozen_state {
    const char *file, *wanted;
};

static bool in_state(const struct cgroup_layout *layout, const char *cgroup_path, const struct frozen_state *state)
{
    char text[256];
    return cgroup_read(layout, "freezer", cgroup_path, state->file, text, sizeof text) == 0 && strstr(text, state->wanted);
}

int cgroup_freeze(const struct cgroup_layout *layout, const char *cgroup_path, bool freeze)
{
    const struct cgroup_hierarchy *h = cgroup_find(layout, "freezer");
    if (!h)
        return -ENOENT;
    struct frozen_state state = h->v2 ? (struct frozen_state){ "cgroup.events", freeze ? "frozen 1" : "frozen 0" }
                                      : (struct frozen_state){ "freezer.state", freeze ? "FROZEN" : "THAWED" };
    const char *file = h->v2 ? "cgroup.freeze" : "freezer.state";
    const char *value = h->v2 ? (freeze ? "1" : "0") : state.wanted;
    long wait_ms = 0;
    for (long step_ms = 1; wait_ms <= FREEZE_WAIT_MS; wait_ms += step_ms, step_ms = step_ms < 20 ? step_ms * 2 : step_ms) {
        /* v1 may stay FREEZING while a task forks: asking again is the kernel's own advice */
        int r = cgroup_write(layout, "freezer", cgroup_path, file, value);
        if (r < 0)
            return r;
        if (in_state(layout, cgroup_path, &state))
            return 0;
        sleep_ms(step_ms);
    }
    return -ETIMEDOUT;
}

struct pid_list {
    int *pids;
    size_t count, capacity;
};

static int collect(int dir_fd, void *arg)
{
    struct pid_list *list = arg;
    int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
    if (!file) {
        int r = -errno;
        if (fd >= 0)
            close(fd);
        return r;
    }
    char line[32];
    while (fgets(line, sizeof line, file)) {
        if (list->count == list->capacity) {
            size_t capacity = list->capacity ? list->capacity * 2 : 64;
            int *grown = reallocarray(list->pids, capacity, sizeof *grown);
            if (!grown)
                break;
            list->pids = grown;
            list->capacity = capacity;
        }
        list->pids[list->count++] = (int)strtol(line, NULL, 10);
    }
    fclose(file);
    return 0;
}

/* The hierarchy that knows the container's processes best. */
static const struct cgroup_hierarchy *process_hierarchy(const struct cgroup_layout *layout)
{
    const struct cgroup_hierarchy *h = cgroup_find(layout, "freezer");
    return h ? h : &layout->items[0];
}

int cgroup_pids(const struct cgroup_layout *layout, const char *cgroup_path, int **ret)
{
    int fd = open_group(process_hierarchy(layout), cgroup_path);
    if (fd < 0)
        return fd;
    struct pid_list list = { 0 };
    int r = collect(fd, &list);
    close(fd);
    if (r < 0) {
        free(list.pids);
        return r;
    }
    *ret = list.pids;
    return (int)list.count;
}

static int kill_each(const struct cgroup_layout *layout, const char *cgroup_path)
{
    const struct cgroup_hierarchy *h = process_hierarchy(layout);
    int fd = open_group(h, cgroup_path);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    (void)cgroup_freeze(layout, cgroup_path, true); /* nobody forks away; if it cannot be had, kill anyway */
    struct pid_list list = { 0 };
    int r = walk(fd, 0, false, collect, &list);
    for (size_t i = 0; i < list.count; i++)
        if (list.pids[i] > 0)
            (void)kill(list.pids[i], SIGKILL);
    free(list.pids);
    close(fd);
    (void)cgroup_freeze(layout, cgroup_path, false);
    return r;
}

int cgroup_kill(const struct cgroup_layout *layout, const char *cgroup_path)
{
    const struct cgroup_hierarchy *freezer = cgroup_find(layout, "freezer");
    if (layout->v2 >= 0 && cgroup_write(layout, "", cgroup_path, "cgroup.kill", "1") == 0 && freezer && freezer->v2)
        return 0;
    return kill_each(layout, cgroup_path);
}
