#include "lib/sys/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 1024
#define ATTACH_FILE "cgroup.procs"

/* Options of a v1 superblock that are not controllers. */
static bool is_controller(const char *option)
{
    static const char *const others[] = { "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "none" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(option, others[i]) == 0)
            return false;
    return strncmp(option, "release_agent=", 14) != 0;
}

static bool list_has(const char *list, const char *word, char separator)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length) {
        bool starts = at == list || at[-1] == separator;
        if (starts && (at[length] == separator || at[length] == '\0'))
            return true;
    }
    return false;
}

static void set_controllers(struct cgroup_hierarchy *h, char *super_options)
{
    char *save = NULL;
    size_t used = 0;
    for (char *option = strtok_r(super_options, ",\n", &save); option; option = strtok_r(NULL, ",\n", &save)) {
        if (!is_controller(option))
            continue;
        int n = snprintf(h->controllers + used, sizeof h->controllers - used, "%s%s", used ? "," : "", option);
        if (n < 0 || (size_t)n >= sizeof h->controllers - used)
            return;
        used += (size_t)n;
    }
}

static bool known(const struct cgroup_layout *layout, const struct cgroup_hierarchy *h)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->items[i].v2 == h->v2 && strcmp(layout->items[i].controllers, h->controllers) == 0)
            return true;
    return false;
}

/* "36 35 98:0 /root /mount/point opts... - fstype source superopts" */
static void parse_mount(struct cgroup_layout *layout, char *line)
{
    char *tail = strstr(line, " - ");
    char mount_point[256], fstype[32], super_options[256];
    if (!tail || sscanf(line, "%*d %*d %*s %*s %255s", mount_point) != 1 ||
        sscanf(tail + 3, "%31s %*s %255s", fstype, super_options) != 2)
        return;
    bool v2 = strcmp(fstype, "cgroup2") == 0;
    if (!v2 && strcmp(fstype, "cgroup") != 0)
        return;
    struct cgroup_hierarchy h = { .v2 = v2 };
    if (strlen(mount_point) >= sizeof h.mount || layout->count == sizeof layout->items / sizeof *layout->items)
        return;
    memcpy(h.mount, mount_point, strlen(mount_point));
    if (!v2)
        set_controllers(&h, super_options);
    if (known(layout, &h))
        return;
    if (v2)
        layout->v2 = (int)layout->count;
    layout->items[layout->count++] = h;
}

static ssize_t read_at(int dir_fd, const char *path, char *ret, size_t size)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n, total = 0;
    while ((size_t)total + 1 < size && (n = read(fd, ret + total, size - 1 - (size_t)total)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            total = -errno;
            break;
        }
        total += n;
    }
    close(fd);
    ret[total > 0 ? total : 0] = '\0';
    return total;
}

static int write_at(int dir_fd, const char *path, const char *value)
{
    int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n;
    do
        n = write(fd, value, strlen(value));
    while (n < 0 && errno == EINTR);
    int r = n < 0 ? -errno : 0;
    close(fd);
    return r;
}

int cgroup_layout_read(struct cgroup_layout *ret)
{
    struct cgroup_layout layout = { .v2 = -1 };
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file)
        return -errno;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0)
        if (strstr(line, " - cgroup"))
            parse_mount(&layout, line);
    free(line);
    fclose(file);
    if (layout.count == 0)
        return -ENOENT;
    layout.pure_v2 = layout.v2 >= 0 && layout.count == 1;
    if (layout.v2 >= 0) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/cgroup.controllers", layout.items[layout.v2].mount);
        if (read_at(AT_FDCWD, path, layout.v2_controllers, sizeof layout.v2_controllers) > 0)
            layout.v2_controllers[strcspn(layout.v2_controllers, "\n")] = '\0';
        else
            layout.v2_controllers[0] = '\0';
    }
    *ret = layout;
    return 0;
}

const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *layout, const char *controller)
{
    for (size_t i = 0; i < layout->count && *controller; i++)
        if (!layout->items[i].v2 && list_has(layout->items[i].controllers, controller, ','))
            return &layout->items[i];
    if (layout->v2 < 0)
        return NULL;
    /* what v2 does without a controller of that name */
    bool core = !*controller || strcmp(controller, "cgroup") == 0 || strcmp(controller, "freezer") == 0 ||
                strcmp(controller, "devices") == 0 || strcmp(controller, "cpuacct") == 0;
    if (core || list_has(layout->v2_controllers, strcmp(controller, "blkio") == 0 ? "io" : controller, ' '))
        return &layout->items[layout->v2];
    return NULL;
}

static int hierarchy_path(const struct cgroup_hierarchy *h, const char *cgroup_path, char *ret, size_t size)
{
    if (cgroup_path[0] != '/' || strstr(cgroup_path, "/.."))
        return -EINVAL;
    int n = snprintf(ret, size, "%s%s", h->mount, cgroup_path);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int cgroup_dir(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, char *ret, size_t size)
{
    const struct cgroup_hierarchy *h = cgroup_find(layout, controller);
    return h ? hierarchy_path(h, cgroup_path, ret, size) : -ENOENT;
}

/* A v1 cpuset without CPUs takes no task: copy the parent's. */
static int inherit_cpuset(int parent_fd, const char *name)
{
    static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
    char value[512], path[PATH_SIZE];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", name, files[i]);
        if (read_at(parent_fd, path, value, sizeof value) > 1)
            continue;
        ssize_t n = read_at(parent_fd, files[i], value, sizeof value);
        int r = n < 0 ? (int)n : write_at(parent_fd, path, value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* One controller at a time: a refused one (busy with real-time tasks, not delegated) must not cost the others. */
static void enable_controllers(int dir_fd, const char *controllers)
{
    char list[256];
    char *save = NULL;
    snprintf(list, sizeof list, "%s", controllers);
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char request[64];
        snprintf(request, sizeof request, "+%s", word);
        (void)write_at(dir_fd, "cgroup.subtree_control", request);
    }
}

/* Makes `name` below parent_fd and opens it: fd or -errno. */
static int make_level(const struct cgroup_layout *layout, const struct cgroup_hierarchy *h, int parent_fd, const char *name)
{
    if (h->v2)
        enable_controllers(parent_fd, layout->v2_controllers);
    bool made = mkdirat(parent_fd, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return -errno;
    if (!h->v2 && list_has(h->controllers, "cpuset", ',')) {
        int r = inherit_cpuset(parent_fd, name);
        if (r < 0)
            return r;
    }
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int make_in(const struct cgroup_layout *layout, const struct cgroup_hierarchy *h, const char *cgroup_path)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s", cgroup_path);
    if (n < 0 || (size_t)n >= sizeof path || cgroup_path[0] != '/' || strstr(cgroup_path, "/.."))
        return -EINVAL;
    int fd = open(h->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    char *save = NULL;
    for (char *name = strtok_r(path, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
        int next = make_level(layout, h, fd, name);
        close(fd);
        if (next < 0)
            return next;
        fd = next;
    }
    close(fd);
    return 0;
}

int cgroup_make(const struct cgroup_layout *layout, const char *cgroup_path)
{
    for (size_t i = 0; i < layout->count; i++) {
        int r = make_in(layout, &layout->items[i], cgroup_path);
        if (r == -ENOENT) /* somebody removed the empty parent meanwhile */
            r = make_in(layout, &layout->items[i], cgroup_path);
        if (r < 0)
            return r;
    }
    return 0;
}

static int hierarchy_write(const struct cgroup_hierarchy *h, const char *cgroup_path, const char *file, const char *value)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s%s/%s", h->mount, cgroup_path, file);
    if (n < 0 || (size_t)n >= sizeof path || strchr(file, '/') || strstr(cgroup_path, "/.."))
        return -EINVAL;
    return write_at(AT_FDCWD, path, value);
}

int cgroup_attach(const struct cgroup_layout *layout, const char *cgroup_path, int pid)
{
    char text[16];
    snprintf(text, sizeof text, "%d", pid);
    for (size_t i = 0; i < layout->count; i++) {
        int r = hierarchy_write(&layout->items[i], cgroup_path, ATTACH_FILE, text);
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_write(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, const char *file,
                 const char *value)
{
    const struct cgroup_hierarchy *h = cgroup_find(layout, controller);
    return h ? hierarchy_write(h, cgroup_path, file, value) : -ENOENT;
}

int cgroup_read(const struct cgroup_layout *layout, const char *controller, const char *cgroup_path, const char *file, char *ret,
                size_t size)
{
    char path[PATH_SIZE];
    const struct cgroup_hierarchy *h = cgroup_find(layout, controller);
    if (!h)
        return -ENOENT;
    int n = snprintf(path, sizeof path, "%s%s/%s", h->mount, cgroup_path, file);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    ssize_t got = read_at(AT_FDCWD, path, ret, size);
    return got < 0 ? (int)got : 0;
}
