/* The mounts of a RUN. A read-only bind of the context is the context itself. Any other bind is a copy in a layer of
 * its own, so that nothing a command writes there is ever seen again, and nothing outside of the build can be reached
 * by a link. */
#include "builder/make.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/root.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_MODE 0755
#define PRIVATE_CACHES_MAX 256

static void add_mount(struct run_mounts *mounts, const char *type, const char *source, const struct step_mount *mount)
{
    struct build_mount *out = list_add(&mounts->list);
    *out = (struct build_mount){ xstrdup(type), xstrdup(source), xstrdup(mount->target), mount->readonly, mount->size };
    strv_append(&mounts->targets, mount->target);
}

/* ---- bind ---- */

/* Where a path of the context really is. */
static int context_path(struct builder *builder, const struct step_mount *mount, char **ret, struct err *err)
{
    char link[64], path[4096];
    const char *wanted = mount->source_path ? mount->source_path : "/";
    AUTO_FD int fd = root_open(builder->context_fd, wanted, O_PATH, 0);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return err_set(err, ERR_NOT_FOUND, "\"%s\": not found", wanted);
    if (fd < 0)
        return err_sys(err, fd, "open %s of the build context", wanted);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return err_sys(err, errno, "find %s of the build context", wanted);
    path[length] = '\0';
    *ret = xstrdup(path);
    return 0;
}

static int begin_copy(struct builder *builder, struct build_scratch *ret, struct err *err)
{
    AUTO_FREE char *verb = verb_name(BUILD_LAYER_BEGIN);
    struct build_layer_begin request = { verb, NULL };
    return ask(builder, BUILD_LAYER_BEGIN, &request, ret, err);
}

/* A copy of the source as "m" in a layer of its own; *ret its path. */
static int copy_source(struct builder *builder, const struct step_mount *mount, char **ret, struct err *err)
{
    static char root[] = "/", target[] = "/m";
    char *sources[] = { mount->source_path ? mount->source_path : root, NULL };
    struct build_scratch scratch = { 0 };
    struct job_build_copy copy;
    struct job_build_copy_result result = { 0 };
    if (begin_copy(builder, &scratch, err) < 0)
        return -1;
    copy_job_init(&copy, &scratch);
    int r = source_of_copy(builder, &mount->source, &copy, err);
    copy.sources = sources;
    copy.target = target;
    if (r == 0)
        r = copy_job(builder, &copy, &result, err);
    if (r == 0)
        *ret = str_format("%s/m", scratch.upper);
    codec_clear(&job_build_copy_result_type, &result);
    codec_clear(&build_scratch_type, &scratch);
    return r;
}

/* Read-only copies are made once per build. */
static int kept_copy_locked(struct builder *builder, const struct step_mount *mount, char **ret, struct err *err)
{
    char key[KEY_SIZE];
    CLEANUP(strv_free) char **parts = strv_dup(source_diff_ids(&mount->source));
    strv_append(&parts, mount->source_path ? mount->source_path : "/");
    key_of_texts(parts, key);
    for (char **pair = builder->binds; pair && *pair; pair += 2)
        if (str_eq(pair[0], key)) {
            *ret = xstrdup(pair[1]);
            return 0;
        }
    if (copy_source(builder, mount, ret, err) < 0)
        return -1;
    strv_append(&builder->binds, key);
    strv_append(&builder->binds, *ret);
    return 0;
}

static int kept_copy(struct builder *builder, const struct step_mount *mount, char **ret, struct err *err)
{
    mutex_lock(&builder->binds_lock);
    int r = kept_copy_locked(builder, mount, ret, err);
    mutex_unlock(&builder->binds_lock);
    return r;
}

static int open_bind(struct making *making, const struct step_mount *mount, struct run_mounts *ret, struct err *err)
{
    AUTO_FREE char *path = NULL;
    int r;
    if (!mount->readonly)
        r = copy_source(making->builder, mount, &path, err);
    else if (mount->source.kind == SOURCE_CONTEXT)
        r = context_path(making->builder, mount, &path, err);
    else
        r = kept_copy(making->builder, mount, &path, err);
    if (r == 0)
        add_mount(ret, "bind", path, mount);
    return r;
}

/* ---- cache ---- */

struct cache {
    struct build_cache_dir_reply dir;
    int fd;
};

static int get_cache(struct builder *builder, const struct step_mount *mount, unsigned number, struct cache *ret,
                     struct err *err)
{
    char key[KEY_SIZE], name[] = "cache";
    AUTO_FREE char *verb = verb_name(BUILD_CACHE_DIR), *nth = str_format("%u", number);
    char *parts[] = { name, mount->id, number ? nth : NULL, NULL };
    key_of_texts(parts, key);
    struct build_cache_dir request = { verb, key, mount->mode >= 0 ? mount->mode : CACHE_MODE, mount->uid, mount->gid };
    *ret = (struct cache){ .fd = -1 };
    return builder->backend->call(builder->backend->arg, BUILD_CACHE_DIR, &request, -1, &ret->dir, &ret->fd, err);
}

static void drop_cache(struct cache *cache)
{
    codec_clear(&build_cache_dir_reply_type, &cache->dir);
    fd_close(cache->fd);
}

static bool is_mounted(const struct run_mounts *mounts, const char *path)
{
    for (size_t i = 0; i < mounts->list.count; i++)
        if (str_eq(mounts->list.items[i].source, path))
            return true;
    return false;
}

static int lock_cache(const struct step_mount *mount, int fd)
{
    static const int ways[] = {
        [SHARING_SHARED] = LOCK_SH, [SHARING_PRIVATE] = LOCK_EX | LOCK_NB, [SHARING_LOCKED] = LOCK_EX
    };
    while (flock(fd, ways[mount->sharing]) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* One that nobody else has, of those that were made for it before. */
static int find_cache(struct making *making, const struct step_mount *mount, const struct run_mounts *mounts,
                      struct cache *ret, struct err *err)
{
    for (unsigned number = 0; number < PRIVATE_CACHES_MAX; number++) {
        if (get_cache(making->builder, mount, number, ret, err) < 0)
            return -1;
        if (is_mounted(mounts, ret->dir.path) || ret->fd < 0)
            return 0;
        int r = lock_cache(mount, ret->fd);
        if (r == 0)
            return 0;
        drop_cache(ret);
        if (r != -EWOULDBLOCK)
            return err_sys(err, r, "lock the cache %s", mount->id);
    }
    return err_set(err, ERR_UNAVAILABLE, "the cache %s is in use by %d builds", mount->id, PRIVATE_CACHES_MAX);
}

static int seed_cache(struct builder *builder, const struct step_mount *mount, const struct cache *cache,
                      struct err *err)
{
    static char root[] = "/", nothing[] = "";
    char *sources[] = { mount->source_path ? mount->source_path : root, NULL };
    struct build_scratch dest = { .upper = cache->dir.path, .work = nothing };
    struct job_build_copy copy;
    struct job_build_copy_result result = { 0 };
    copy_job_init(&copy, &dest);
    copy.sources = sources;
    if (source_of_copy(builder, &mount->source, &copy, err) < 0)
        return -1;
    int r = copy_job(builder, &copy, &result, err);
    codec_clear(&job_build_copy_result_type, &result);
    return r;
}

static int open_cache(struct making *making, const struct step_mount *mount, struct run_mounts *ret, struct err *err)
{
    struct cache cache;
    if (find_cache(making, mount, ret, &cache, err) < 0)
        return -1;
    int r =
        cache.dir.created && mount->source.kind != SOURCE_NOTHING ? seed_cache(making->builder, mount, &cache, err) : 0;
    if (r == 0)
        add_mount(ret, "bind", cache.dir.path, mount);
    if (r == 0 && cache.fd >= 0) {
        ret->lock_fds = xreallocarray(ret->lock_fds, ret->lock_count + 1, sizeof *ret->lock_fds);
        ret->lock_fds[ret->lock_count++] = take_fd(&cache.fd);
    }
    drop_cache(&cache);
    return r;
}

/* ---- all ---- */

static int write_script(struct builder *builder, const struct run_step *run, char **ret, struct err *err)
{
    char unique[17];
    id_random_hex(unique, 16);
    AUTO_FREE char *name = str_format("script-%s", unique);
    AUTO_FD int fd = openat(builder->job_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (fd < 0)
        return err_sys(err, errno, "write the script of a RUN");
    int r = io_write_all(fd, run->script, strlen(run->script));
    if (r == 0 && fchmod(fd, 0755) < 0)
        r = -errno;
    if (r < 0)
        return err_sys(err, r, "write the script of a RUN");
    *ret = str_format("%s/%s", builder->params->job_dir, name);
    return 0;
}

static int open_script(struct making *making, struct run_mounts *ret, struct err *err)
{
    const struct run_step *run = &making->step->run;
    AUTO_FREE char *path = NULL;
    if (!run->script)
        return 0;
    if (write_script(making->builder, run, &path, err) < 0)
        return -1;
    struct build_mount *out = list_add(&ret->list);
    *out =
        (struct build_mount){ xstrdup("bind"), xstrdup(path), str_format("/dev/pipes/%s", run->script_name), true, 0 };
    return 0;
}

static int open_one(struct making *making, const struct step_mount *mount, struct run_mounts *ret, struct err *err)
{
    switch (mount->kind) {
    case MOUNT_BIND:
        return open_bind(making, mount, ret, err);
    case MOUNT_CACHE:
        return open_cache(making, mount, ret, err);
    case MOUNT_TMPFS:
        add_mount(ret, "tmpfs", "", mount);
        return 0;
    case MOUNT_SECRET: /* this way to build carries none */
        return mount->required ? err_set(err, ERR_INVALID, "secret %s: not found", mount->id) : 0;
    case MOUNT_SSH:
        return mount->required ? err_set(err, ERR_INVALID, "unset ssh forward key %s", mount->id) : 0;
    }
    return 0;
}

int run_mounts_open(struct making *making, struct run_mounts *ret, struct err *err)
{
    const struct run_step *run = &making->step->run;
    *ret = (struct run_mounts){ 0 };
    int r = open_script(making, ret, err);
    for (size_t i = 0; i < run->mount_count && r == 0; i++)
        r = open_one(making, &run->mounts[i], ret, err);
    if (r < 0)
        run_mounts_close(ret);
    return r;
}

void run_mounts_close(struct run_mounts *mounts)
{
    for (size_t i = 0; i < mounts->list.count; i++)
        codec_clear(&build_mount_type, &mounts->list.items[i]);
    free(mounts->list.items);
    strv_free(mounts->targets);
    for (size_t i = 0; i < mounts->lock_count; i++)
        fd_close(mounts->lock_fds[i]);
    free(mounts->lock_fds);
    *mounts = (struct run_mounts){ 0 };
}
