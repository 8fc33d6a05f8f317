/* Where everything is mounted: Docker's own list first, then the container's, sorted so that nested targets come after their parents. */
#include "daemon/engine/plan_parts.h"

#include "lib/base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <dirent.h>
#include <unistd.h>

#define NO3 (PLAN_MF_NOSUID | PLAN_MF_NODEV | PLAN_MF_NOEXEC)

static int add(struct plan_build *build, struct plan_mount mount, struct err *err)
{
    if (build->plan.mount_count == ARRAY_SIZE(build->mounts))
        return err_set(err, ERR_INVALID, "more than %zu mounts in one container", ARRAY_SIZE(build->mounts));
    build->mounts[build->plan.mount_count++] = mount;
    return 0;
}

static const char *const propagation_names[][2] = { { "private", "rprivate" }, { "slave", "rslave" }, { "shared", "rshared" } };

static uint32_t propagation_of(const char *name)
{
    for (uint32_t i = 0; i < ARRAY_SIZE(propagation_names); i++)
        if (str_eq(name, propagation_names[i][0]) || str_eq(name, propagation_names[i][1]))
            return i;
    return PLAN_PROP_PRIVATE;
}

/* "ro,size=64m,mode=755,noexec" of --tmpfs: flags of the mount and data of the file system. */
static int tmpfs_options(struct plan_build *build, const char *text, struct plan_mount *mount, struct err *err)
{
    static const struct {
        const char *name;
        uint32_t set, clear;
    } flags[] = { { "ro", PLAN_MF_RDONLY, 0 },     { "rw", 0, PLAN_MF_RDONLY },         { "nosuid", PLAN_MF_NOSUID, 0 }, { "suid", 0, PLAN_MF_NOSUID },
                  { "nodev", PLAN_MF_NODEV, 0 },   { "dev", 0, PLAN_MF_NODEV },         { "noexec", PLAN_MF_NOEXEC, 0 }, { "exec", 0, PLAN_MF_NOEXEC },
                  { "noatime", PLAN_MF_NOATIME, 0 }, { "relatime", PLAN_MF_RELATIME, 0 }, { "strictatime", PLAN_MF_STRICTATIME, 0 } };
    static const char *const data_keys[] = { "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge" };
    AUTO_BUF struct buf data = BUF_INIT(4096);
    char **options = strv_split(text ? text : "", ',', true);
    int result = 0;
    for (size_t i = 0; options[i] && result == 0; i++) {
        size_t n = 0, key_length = strcspn(options[i], "=");
        while (n < ARRAY_SIZE(flags) && !str_eq(flags[n].name, options[i]))
            n++;
        if (n < ARRAY_SIZE(flags)) {
            mount->flags = (mount->flags & ~flags[n].clear) | flags[n].set;
            continue;
        }
        for (n = 0; n < ARRAY_SIZE(data_keys); n++)
            if (strlen(data_keys[n]) == key_length && !strncmp(data_keys[n], options[i], key_length))
                break;
        if (n == ARRAY_SIZE(data_keys) || !options[i][key_length])
            result = err_set(err, ERR_INVALID, "invalid tmpfs option [\"%s\"]", options[i]);
        else
            buf_printf(&data, "%s%s", data.length ? "," : "", options[i]);
    }
    strv_free(options);
    mount->data = plan_keep(build, buf_take(&data));
    return result;
}

static int add_own(struct plan_build *build, const struct mount_record *in, struct err *err)
{
    struct plan_mount mount = { .kind = PLAN_MOUNT_BIND, .target = in->destination, .source = in->source, .data = "" };
    if (str_eq(in->type, "tmpfs")) {
        mount.kind = PLAN_MOUNT_TMPFS;
        mount.source = "tmpfs";
        mount.flags = NO3 | (in->rw ? 0 : PLAN_MF_RDONLY);
        if (tmpfs_options(build, in->tmpfs_options, &mount, err) < 0)
            return -1;
        return add(build, mount, err);
    }
    mount.propagation = propagation_of(in->propagation);
    mount.flags = (in->rw ? 0 : in->recursive_read_only ? PLAN_MF_RDONLY | PLAN_MF_RRDONLY : PLAN_MF_RDONLY) |
                  (in->make_source ? PLAN_MF_MKSOURCE : 0) | (in->non_recursive ? PLAN_MF_NONRECURSIVE : 0);
    return add(build, mount, err);
}

static size_t depth_of(const char *path)
{
    size_t depth = 0;
    for (; *path; path++)
        depth += *path == '/' && path[1];
    return depth;
}

static bool covered(const struct container_record *record, const char *target)
{
    for (size_t i = 0; i < record->mounts.count; i++)
        if (str_eq(record->mounts.items[i].destination, target))
            return true;
    return false;
}

static int add_defaults(struct plan_build *build, const struct plan_inputs *inputs, struct err *err)
{
    const struct host_config *host = &inputs->record->host_config;
    bool privileged = host->privileged;
    AUTO_FREE char *shm = str_format("mode=1777,size=%lld", (long long)(host->shm_size > 0 ? host->shm_size : 67108864));
    struct plan_mount defaults[] = {
        { .kind = PLAN_MOUNT_PROC, .target = "/proc", .source = "proc", .flags = NO3 },
        { .kind = PLAN_MOUNT_DEVTMPFS_LIKE, .target = "/dev", .source = "tmpfs", .flags = PLAN_MF_NOSUID | PLAN_MF_STRICTATIME, .data = "mode=755,size=65536k" },
        { .kind = PLAN_MOUNT_DEVPTS, .target = "/dev/pts", .source = "devpts", .flags = PLAN_MF_NOSUID | PLAN_MF_NOEXEC, .data = "newinstance,ptmxmode=0666,mode=0620,gid=5" },
        { .kind = PLAN_MOUNT_SYSFS, .target = "/sys", .source = "sysfs", .flags = NO3 | (privileged ? 0 : PLAN_MF_RDONLY) },
        { .kind = PLAN_MOUNT_CGROUP, .target = "/sys/fs/cgroup", .source = "cgroup", .flags = NO3 | PLAN_MF_RELATIME | (privileged ? 0 : PLAN_MF_RDONLY) },
        { .kind = PLAN_MOUNT_MQUEUE, .target = "/dev/mqueue", .source = "mqueue", .flags = NO3 },
        { .kind = PLAN_MOUNT_TMPFS, .target = "/dev/shm", .source = "shm", .flags = NO3, .data = plan_keep(build, xstrdup(shm)) },
    };
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        bool host_shm = str_eq(host->ipc_mode, "host") && str_eq(defaults[i].target, "/dev/shm");
        if (host_shm)
            defaults[i] = (struct plan_mount){ .kind = PLAN_MOUNT_BIND, .target = "/dev/shm", .source = "/dev/shm" };
        if (!covered(inputs->record, defaults[i].target) && add(build, defaults[i], err) < 0)
            return -1;
    }
    return 0;
}

/* /etc/hosts and its kin, unless the user mounts something there; a container:ID container shares the other's. */
static int add_etc(struct plan_build *build, const struct plan_inputs *inputs, struct err *err)
{
    static const char *const files[] = { "hostname", "hosts", "resolv.conf" };
    const char *mode = inputs->record->host_config.network_mode;
    const char *owner = str_after(mode ? mode : "", "container:") ? inputs->network_owner_dir : build->plan.container_dir;
    for (size_t i = 0; i < ARRAY_SIZE(files) && owner; i++) {
        const char *target = plan_keep(build, str_format("/etc/%s", files[i]));
        struct plan_mount mount = { .kind = PLAN_MOUNT_BIND, .target = target, .source = plan_keep(build, str_format("%s/%s", owner, files[i])),
                                    .flags = inputs->record->host_config.readonly_rootfs ? PLAN_MF_RDONLY : 0 };
        if (!covered(inputs->record, target) && add(build, mount, err) < 0)
            return -1;
    }
    return 0;
}

static const struct plan_device default_devices[] = {
    { "/dev/null", 'c', 1, 3, 0666, 0, 0 },   { "/dev/random", 'c', 1, 8, 0666, 0, 0 }, { "/dev/full", 'c', 1, 7, 0666, 0, 0 },
    { "/dev/tty", 'c', 5, 0, 0666, 0, 0 },    { "/dev/zero", 'c', 1, 5, 0666, 0, 0 },   { "/dev/urandom", 'c', 1, 9, 0666, 0, 0 },
};

static int add_node(struct plan_build *build, const char *host_path, const char *path, struct plan_device **ret, struct err *err)
{
    struct stat info;
    if (stat(host_path, &info) < 0 || !(S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)))
        return err_set(err, ERR_INVALID, "error gathering device information while adding custom device \"%s\": not a device node", host_path);
    if (build->plan.device_count == ARRAY_SIZE(build->devices))
        return err_set(err, ERR_INVALID, "more than %zu devices in one container", ARRAY_SIZE(build->devices));
    uint32_t type = S_ISCHR(info.st_mode) ? 'c' : 'b';
    *ret = &build->devices[build->plan.device_count++];
    **ret = (struct plan_device){ path, type, major(info.st_rdev), minor(info.st_rdev), info.st_mode & 07777, info.st_uid, info.st_gid };
    return 0;
}

static int add_device(struct plan_build *build, const char *host_path, const char *path, const char *access, struct err *err)
{
    struct plan_device *node;
    if (build->plan.device_rule_count == ARRAY_SIZE(build->rules))
        return err_set(err, ERR_INVALID, "more than %zu device rules in one container", ARRAY_SIZE(build->rules));
    if (add_node(build, host_path, path, &node, err) < 0)
        return -1;
    uint32_t bits = (strchr(access, 'r') ? 1u : 0u) | (strchr(access, 'w') ? 2u : 0u) | (strchr(access, 'm') ? 4u : 0u);
    build->rules[build->plan.device_rule_count++] = (struct plan_device_rule){ 1, node->type, node->major, node->minor, bits };
    return 0;
}

/* Privileged containers see every device node of the host's /dev, one level and the usual directories below it. */
static void add_host_devices(struct plan_build *build, const char *dir_path, int depth)
{
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct err ignored = { 0 };
        struct plan_device *node;
        struct stat info;
        static const char *const skipped[] = { ".", "..", "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "null", "zero", "full", "random", "urandom", "tty", "ptmx" };
        size_t n = 0;
        while (n < ARRAY_SIZE(skipped) && !str_eq(skipped[n], entry->d_name))
            n++;
        if (n < ARRAY_SIZE(skipped))
            continue;
        AUTO_FREE char *path = str_format("%s/%s", dir_path, entry->d_name);
        if (lstat(path, &info) < 0)
            continue;
        if (S_ISDIR(info.st_mode) && depth > 0)
            add_host_devices(build, path, depth - 1);
        else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
            (void)add_node(build, path, plan_keep(build, xstrdup(path)), &node, &ignored);
    }
    if (dir)
        closedir(dir);
}

static int add_devices(struct plan_build *build, const struct host_config *host, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
        build->devices[build->plan.device_count++] = default_devices[i];
    if (host->privileged)
        add_host_devices(build, "/dev", 1);
    for (size_t i = 0; i < host->resources.devices.count; i++) {
        const struct device_mapping *in = &host->resources.devices.items[i];
        const char *access = str_empty(in->cgroup_permissions) ? "rwm" : in->cgroup_permissions;
        const char *path = str_empty(in->path_in_container) ? in->path_on_host : in->path_in_container;
        if (add_device(build, in->path_on_host ? in->path_on_host : "", path, access, err) < 0)
            return -1;
    }
    build->plan.devices = build->devices;
    return 0;
}

int plan_mounts(struct plan_build *build, const struct plan_inputs *inputs, struct err *err)
{
    const struct container_record *record = inputs->record;
    if (add_defaults(build, inputs, err) < 0 || add_etc(build, inputs, err) < 0)
        return -1;
    for (size_t depth = 0, left = record->mounts.count; left > 0; depth++) {
        for (size_t i = 0; i < record->mounts.count; i++) {
            if (depth_of(record->mounts.items[i].destination) != depth)
                continue;
            left--;
            if (add_own(build, &record->mounts.items[i], err) < 0)
                return -1;
        }
    }
    build->plan.mounts = build->mounts;
    return add_devices(build, &record->host_config, err);
}
