#include "daemon/engine/mounts.h"

#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/volume/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct resolving {
    struct engine *engine;
    struct container_record *record;
    char ***created;
};

static struct mount_record *find_target(struct container_record *record, const char *destination)
{
    for (size_t i = 0; i < record->mounts.count; i++)
        if (str_eq(record->mounts.items[i].destination, destination))
            return &record->mounts.items[i];
    return NULL;
}

static int check_target(struct resolving *r, const char *target, struct err *err)
{
    if (str_empty(target) || target[0] != '/')
        return err_set(err, ERR_INVALID, "invalid mount path: '%s' mount path must be absolute", target ? target : "");
    AUTO_FREE char *clean = path_clean(target);
    if (str_eq(clean, "/"))
        return err_set(err, ERR_INVALID, "invalid specification: destination can't be '/'");
    if (find_target(r->record, clean))
        return err_set(err, ERR_INVALID, "Duplicate mount point: %s", clean);
    return 0;
}

/* ---- copying image content into a new volume ---- */

static bool image_has(struct engine *engine, const struct container_record *record, const char *path)
{
    for (size_t i = 0; record->diff_ids && record->diff_ids[i]; i++) {
        AUTO_FREE char *dir = store_layer_path(engine->store, record->diff_ids[i]);
        AUTO_FD int root = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        AUTO_FD int found = root >= 0 ? root_open(root, path, O_PATH | O_CLOEXEC, 0) : -1;
        if (found >= 0)
            return true;
    }
    return false;
}

char **layer_dirs_top_first(struct engine *engine, char *const *diff_ids)
{
    char **dirs = NULL;
    for (size_t i = strv_length(diff_ids); i > 0; i--) {
        AUTO_FREE char *dir = store_layer_path(engine->store, diff_ids[i - 1]);
        if (!strv_contains(dirs, dir)) /* overlay refuses one twice; the topmost does all that the others do */
            strv_append_take(&dirs, take_ptr(&dir));
    }
    return dirs;
}

static bool directory_is_empty(const char *path)
{
    DIR *dir = opendir(path);
    int names = 0;
    while (dir && names <= 2 && readdir(dir))
        names++;
    if (dir)
        closedir(dir);
    return dir && names <= 2;
}

static int copy_up(struct resolving *r, const char *volume_dir, const char *path, struct err *err)
{
    if (!image_has(r->engine, r->record, path))
        return 0;
    AUTO_FD int dir = open(volume_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(err, errno, "open volume directory %s", volume_dir);
    char *path_copy;
    memcpy(&path_copy, &path, sizeof path_copy);
    struct job_copyup params = { .root.lowers = layer_dirs_top_first(r->engine, r->record->diff_ids), .path = path_copy };
    struct worker_call call = { .kind = "copyup", .params = &params, .fds = &dir, .fd_count = 1, .client_fd = -1 };
    int result = worker_run(r->engine, &call, NULL, err);
    strv_free(params.root.lowers);
    return result;
}

static int add_volume(struct resolving *r, const char *name, const char *driver, const struct str_map *options, const struct str_map *labels,
                      struct mount_record *mount, struct err *err)
{
    char id[ID_LENGTH + 1];
    bool anonymous = str_empty(name), created = false;
    id_new(id);
    mount->type = xstrdup("volume");
    mount->name = xstrdup(anonymous ? id : name);
    mount->driver = xstrdup(str_empty(driver) ? "local" : driver);
    mount->anonymous = anonymous;
    if (volume_ensure(r->engine, mount->name, driver, options, labels, anonymous, &mount->source, &created, err) < 0)
        return -1;
    if (created && anonymous)
        strv_append(r->created, mount->name);
    if (!mount->no_copy && directory_is_empty(mount->source))
        return copy_up(r, mount->source, mount->destination, err);
    return 0;
}

/* ---- -v and Binds ---- */

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };

static int bind_option(struct mount_record *mount, const char *option, bool is_volume, struct err *err)
{
    if (str_eq(option, "ro") || str_eq(option, "rw")) {
        mount->rw = str_eq(option, "rw");
        return 0;
    }
    if (str_eq(option, "z") || str_eq(option, "Z")) /* SELinux labels: nothing to do where there is none */
        return 0;
    if (str_eq(option, "nocopy") && is_volume) {
        mount->no_copy = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(propagations) && !is_volume; i++) {
        if (str_eq(option, propagations[i])) {
            free(mount->propagation);
            mount->propagation = xstrdup(option);
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "invalid mode: %s", option);
}

static int parse_bind(struct resolving *r, const char *text, struct err *err)
{
    char **parts = strv_split(text, ':', false), **options = NULL;
    size_t count = strv_length(parts);
    int result = -1;
    struct mount_record mount = { .rw = true };
    if (count < 1 || count > 3 || str_empty(parts[0]) || (count > 1 && str_empty(parts[1]))) {
        err_set(err, ERR_INVALID, "invalid volume specification: '%s'", text);
        goto out;
    }
    const char *target = count == 1 ? parts[0] : parts[1];
    if (target[0] != '/') {
        err_set(err, ERR_INVALID, "invalid volume specification: '%s': invalid mount config for type \"%s\": invalid mount path: '%s' mount path must be absolute",
                text, parts[0][0] == '/' ? "bind" : "volume", target);
        goto out;
    }
    if (check_target(r, target, err) < 0)
        goto out;
    bool is_volume = count == 1 || parts[0][0] != '/';
    mount.destination = path_clean(target);
    options = count == 3 ? strv_split(parts[2], ',', true) : NULL;
    mount.mode = xstrdup(count == 3 ? parts[2] : is_volume ? "z" : "");
    for (size_t i = 0; options && options[i]; i++)
        if (bind_option(&mount, options[i], is_volume, err) < 0)
            goto out;
    if (is_volume) {
        if (count > 1 && volume_name_check(parts[0], err) < 0)
            goto out;
        if (add_volume(r, count == 1 ? "" : parts[0], r->record->host_config.volume_driver, NULL, NULL, &mount, err) < 0)
            goto out;
    } else {
        mount.type = xstrdup("bind");
        mount.source = path_clean(parts[0]);
        mount.make_source = true;
        if (!mount.propagation)
            mount.propagation = xstrdup("rprivate");
    }
    *list_add(&r->record->mounts) = mount;
    mount = (struct mount_record){ 0 };
    result = 0;
out:
    codec_clear(&mount_record_type, &mount);
    strv_free(parts);
    strv_free(options);
    return result;
}

/* ---- --mount and Mounts ---- */

static int mount_bind(const struct mount *in, struct mount_record *out, struct err *err)
{
    const struct bind_options *options = in->bind_options;
    if (str_empty(in->source) || in->source[0] != '/')
        return err_set(err, ERR_INVALID, "invalid mount config for type \"bind\": %s",
                       str_empty(in->source) ? "field Source must not be empty" : "invalid mount path: mount path must be absolute");
    out->source = path_clean(in->source);
    out->make_source = options && options->create_mountpoint;
    out->non_recursive = options && options->non_recursive;
    out->recursive_read_only = in->read_only && !(options && options->read_only_non_recursive);
    out->propagation = xstrdup(options && !str_empty(options->propagation) ? options->propagation : "rprivate");
    struct stat info;
    if (!out->make_source && stat(out->source, &info) < 0)
        return err_set(err, ERR_INVALID, "invalid mount config for type \"bind\": bind source path does not exist: %s", out->source);
    return 0;
}

static int mount_tmpfs(const struct mount *in, struct mount_record *out, struct err *err)
{
    AUTO_BUF struct buf data = BUF_INIT(4096);
    const struct tmpfs_options *options = in->tmpfs_options;
    if (!str_empty(in->source))
        return err_set(err, ERR_INVALID, "invalid mount config for type \"tmpfs\": field Source must not be specified");
    if (options && options->options)
        return err_set(err, ERR_UNSUPPORTED, "Mounts: TmpfsOptions.Options is not supported yet");
    buf_printf(&data, "mode=%llo", (unsigned long long)(options && options->mode ? options->mode : 01777));
    if (options && options->size_bytes > 0)
        buf_printf(&data, ",size=%lld", (long long)options->size_bytes);
    out->tmpfs_options = buf_take(&data);
    return 0;
}

static int mount_volume(struct resolving *r, const struct mount *in, struct mount_record *out, struct err *err)
{
    const struct volume_options *options = in->volume_options;
    const struct volume_driver_config *driver = options ? options->driver_config : NULL;
    if (options && !str_empty(options->subpath))
        return err_set(err, ERR_UNSUPPORTED, "Mounts: VolumeOptions.Subpath is not supported yet");
    if (!str_empty(in->source) && volume_name_check(in->source, err) < 0)
        return -1;
    out->no_copy = options && options->no_copy;
    out->mode = xstrdup("z");
    free(take_ptr(&out->type));
    return add_volume(r, in->source, driver ? driver->name : NULL, driver ? &driver->options : NULL, options ? &options->labels : NULL, out, err);
}

static int parse_mount(struct resolving *r, const struct mount *in, struct err *err)
{
    struct mount_record out = { .rw = !in->read_only, .from_mounts = true };
    int result;
    if (check_target(r, in->target, err) < 0)
        return -1;
    out.destination = path_clean(in->target);
    out.type = xstrdup(in->type);
    if (str_eq(in->type, "bind"))
        result = mount_bind(in, &out, err);
    else if (str_eq(in->type, "tmpfs"))
        result = mount_tmpfs(in, &out, err);
    else if (str_eq(in->type, "volume"))
        result = mount_volume(r, in, &out, err);
    else if (str_eq(in->type, "image") || str_eq(in->type, "cluster") || str_eq(in->type, "npipe"))
        result = err_set(err, ERR_UNSUPPORTED, "Mounts: type %s is not supported", in->type);
    else
        result = err_set(err, ERR_INVALID, "invalid mount config for type \"%s\": mount type unknown", in->type ? in->type : "");
    if (result < 0)
        codec_clear(&mount_record_type, &out);
    else
        *list_add(&r->record->mounts) = out;
    return result;
}

/* ---- the rest ---- */

static int add_tmpfs(struct resolving *r, struct err *err)
{
    const struct str_map *tmpfs = &r->record->host_config.tmpfs;
    for (size_t i = 0; i < str_map_count(tmpfs); i++) {
        if (check_target(r, tmpfs->keys[i], err) < 0)
            return -1;
        struct mount_record *mount = list_add(&r->record->mounts);
        *mount = (struct mount_record){ .type = xstrdup("tmpfs"), .destination = path_clean(tmpfs->keys[i]), .rw = true,
                                        .tmpfs_options = xstrdup(tmpfs->values[i]) };
    }
    return 0;
}

static int add_volumes_from(struct resolving *r, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    AUTO_FREE char *ref = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    const char *mode = colon ? colon + 1 : "";
    if (!str_empty(mode) && !str_eq(mode, "ro") && !str_eq(mode, "rw") && !str_eq(mode, "z") && !str_eq(mode, "Z"))
        return err_set(err, ERR_INVALID, "invalid mode: %s", mode);
    mutex_lock(&r->engine->lock);
    struct container *other = container_find_locked(r->engine, ref, err);
    for (size_t i = 0; other && i < other->record.mounts.count; i++) {
        const struct mount_record *theirs = &other->record.mounts.items[i];
        if (str_eq(theirs->type, "tmpfs") || find_target(r->record, theirs->destination))
            continue;
        struct mount_record *mine = list_add(&r->record->mounts);
        codec_copy(&mount_record_type, mine, theirs);
        mine->anonymous = false;
        mine->rw = mine->rw && !str_eq(mode, "ro");
    }
    mutex_unlock(&r->engine->lock);
    return other ? 0 : err_set(err, ERR_INVALID, "No such container: %s", ref); /* what was named wrongly is in the body, not the path */
}

static int add_image_volumes(struct resolving *r, struct err *err)
{
    char *const *volumes = r->record->config.volumes;
    for (size_t i = 0; volumes && volumes[i]; i++) {
        AUTO_FREE char *clean = path_clean(volumes[i]);
        if (clean[0] != '/' || str_eq(clean, "/"))
            return err_set(err, ERR_INVALID, "invalid volume path \"%s\": it must be absolute and not /", volumes[i]);
        if (find_target(r->record, clean))
            continue;
        struct mount_record mount = { .rw = true, .destination = xstrdup(clean), .mode = xstrdup("") };
        if (add_volume(r, "", r->record->host_config.volume_driver, NULL, NULL, &mount, err) < 0) {
            codec_clear(&mount_record_type, &mount);
            return -1;
        }
        *list_add(&r->record->mounts) = mount;
    }
    return 0;
}

int mounts_resolve(struct engine *engine, struct container_record *record, char ***ret_created, struct err *err)
{
    struct resolving r = { engine, record, ret_created };
    const struct host_config *host = &record->host_config;
    for (size_t i = 0; host->binds && host->binds[i]; i++)
        if (parse_bind(&r, host->binds[i], err) < 0)
            return -1;
    for (size_t i = 0; i < host->mounts.count; i++)
        if (parse_mount(&r, &host->mounts.items[i], err) < 0)
            return -1;
    if (add_tmpfs(&r, err) < 0)
        return -1;
    for (size_t i = 0; host->volumes_from && host->volumes_from[i]; i++)
        if (add_volumes_from(&r, host->volumes_from[i], err) < 0)
            return -1;
    return add_image_volumes(&r, err);
}
