/* COPY, ADD and the fetching of a URL: done by workers, in directories of the build alone. The build worker reads strangers' text, so what it
 * names is looked at once more before a worker with more power gets it. */
#include "daemon/engine/build.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the build named a path outside of its directory");
}

/* "" is the directory itself; NULL: path is not below it. */
static const char *below_job(const struct building *building, const char *path)
{
    const char *rest = str_after(path, building->job_dir);
    return rest && (*rest == '/' || !*rest) ? rest + (*rest == '/') : NULL;
}

static int open_in_job(const struct building *building, const char *path, int flags, struct err *err)
{
    const char *rest = below_job(building, path ? path : "");
    if (!rest)
        return refuse(err);
    AUTO_FD int job_fd = openat(building->engine->data_fd, building->job_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = job_fd < 0 ? -errno : root_open_beneath(job_fd, *rest ? rest : ".", flags, 0);
    return fd == -EXDEV || fd == -ELOOP ? refuse(err) : fd < 0 ? err_sys(err, fd, "open %s of the build", rest) : fd;
}

int job_path(const struct building *building, const char *path, char **ret, struct err *err)
{
    char link[64], real[4096];
    AUTO_FD int fd = open_in_job(building, path, O_PATH, err);
    if (fd < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, real, sizeof real - 1);
    if (length < 0)
        return err_sys(err, errno, "find %s", path);
    real[length] = '\0';
    *ret = xstrdup(real);
    return 0;
}

/* ---- copy ---- */

static int check_copy(const struct building *building, const struct job_build_copy *copy, struct err *err)
{
    if (check_lowers(building, copy->dest.lowers, err) < 0 || check_lowers(building, copy->source.lowers, err) < 0)
        return -1;
    if (!str_empty(copy->source.upper) || strv_length(copy->dest.bind_sources) || strv_length(copy->source.bind_sources))
        return refuse(err);
    return 0;
}

/* fds: the layer's directory first, then the source, as far as there are such. */
static int run_copy(struct verb_call *call, const struct job_build_copy *copy, int layer_fd, struct err *err)
{
    AUTO_FD int source_fd = -1;
    int fds[2];
    struct worker_call work = { .kind = "build-copy", .params = copy, .fds = fds, .client_fd = call->building->cancel_fd };
    if (!str_empty(copy->source_dir)) {
        source_fd = open_in_job(call->building, copy->source_dir, O_RDONLY | O_DIRECTORY, err);
        if (source_fd < 0)
            return -1;
    }
    if (layer_fd >= 0)
        fds[work.fd_count++] = layer_fd;
    if (source_fd >= 0)
        fds[work.fd_count++] = source_fd;
    return worker_run(call->building->engine, &work, call->reply, err);
}

static int open_layer(const struct building *building, const char *name, struct err *err)
{
    int fd = openat(building->engine->data_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "open %s", name) : fd;
}

static int copy_to_scratch(struct verb_call *call, const struct job_build_copy *copy, struct err *err)
{
    struct building *building = call->building;
    struct scratch *scratch = scratch_use_upper(building, copy->dest.upper, err);
    if (!scratch)
        return -1;
    AUTO_FREE char *work = str_format("%s/%s/work", building->engine->options.data_root, scratch->name), *diff = str_format("%s/diff", scratch->name);
    AUTO_FD int layer_fd = open_layer(building, diff, err);
    int result = layer_fd < 0 ? -1 : str_eq(work, copy->dest.work) ? run_copy(call, copy, layer_fd, err) : refuse(err);
    scratch_done(building, scratch);
    return result;
}

static int copy_to_cache(struct verb_call *call, const struct job_build_copy *copy, struct err *err)
{
    struct building *building = call->building;
    AUTO_FD int layer_fd = open_layer(building, copy->dest.upper + strlen(building->engine->options.data_root) + 1, err);
    return layer_fd < 0 ? -1 : run_copy(call, copy, layer_fd, err);
}

/* Into a scratch layer, with its own work directory, or into a cache directory, or (digests) nowhere. */
BUILD_VERB(verb_copy)
{
    const struct job_build_copy *copy = &((const struct build_copy *)call->request)->copy;
    if (check_copy(call->building, copy, err) < 0)
        return -1;
    if (str_empty(copy->dest.upper))
        return str_empty(copy->dest.work) ? run_copy(call, copy, -1, err) : refuse(err);
    if (is_cache_dir(call->building->engine, copy->dest.upper) && str_empty(copy->dest.work) && !copy->may_link)
        return copy_to_cache(call, copy, err);
    return copy_to_scratch(call, copy, err);
}

/* ---- fetch ---- */

/* The file keeps the time that the server gave and is its owner's alone, as BuildKit has it. */
static int dress_file(int dir_fd, const struct job_fetch_url_result *result, struct err *err)
{
    const struct timespec times[2] = { { .tv_sec = result->mtime_unix }, { .tv_sec = result->mtime_unix } };
    AUTO_FD int fd = openat(dir_fd, result->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0600) < 0 || futimens(fd, times) < 0 || fchown(dir_fd, 0, 0) < 0)
        return err_sys(err, errno, "keep what was fetched");
    return 0;
}

static int fetch_into(struct building *building, const char *dir_name, const struct build_fetch *ask, struct build_fetched *ret, struct err *err)
{
    struct job_fetch_url params = { .url = ask->url, .checksum = ask->checksum };
    struct job_fetch_url_result result = { 0 };
    AUTO_FD int dir_fd = openat(building->engine->data_fd, dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_sys(err, errno, "open %s", dir_name);
    struct worker_call work = { .kind = "fetch-url", .params = &params, .fds = &dir_fd, .fd_count = 1, .client_fd = building->cancel_fd };
    if (worker_run(building->engine, &work, &result, err) < 0)
        return -1;
    int done = str_empty(result.file) || strchr(result.file, '/') ? refuse(err) : dress_file(dir_fd, &result, err);
    if (done == 0)
        *ret = (struct build_fetched){
            .digest = xstrdup(result.digest), .file_name = xstrdup(result.file), .size = result.size, .mtime_unix = result.mtime_unix,
            .path = str_format("%s/%s/%s", building->engine->options.data_root, dir_name, result.file),
        };
    codec_clear(&job_fetch_url_result_type, &result);
    return done;
}

static int fetch(struct building *building, const struct build_fetch *ask, struct build_fetched *ret, struct err *err)
{
    char id[17];
    id_random_hex(id, 16);
    AUTO_FREE char *dir = str_format("%s/f-%s", building->job_name, id);
    if (mkdirat(building->engine->data_fd, dir, 0700) < 0)
        return err_sys(err, errno, "make %s", dir);
    return fetch_into(building, dir, ask, ret, err);
}

BUILD_VERB(verb_fetch)
{
    return fetch(call->building, call->request, call->reply, err);
}

static bool is_git(const char *remote)
{
    return str_starts(remote, "git://") || str_starts(remote, "git@") || str_starts(remote, "ssh://") || str_starts(remote, "github.com/") ||
           str_ends(remote, ".git") || strstr(remote, ".git#");
}

int build_fetch_context(struct building *building, int *ret_fd, struct err *err)
{
    const char *remote = building->params->remote;
    AUTO_FREE char *url = xstrdup(remote);
    const struct build_fetch ask = { .url = url };
    struct build_fetched fetched = { 0 };
    if (is_git(remote))
        return err_set(err, ERR_UNSUPPORTED, "building from a git repository is not supported: clone it and send the directory");
    if (fetch(building, &ask, &fetched, err) < 0)
        return err_wrap(err, "error downloading remote context %.300s", remote);
    *ret_fd = open(fetched.path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int result = *ret_fd < 0 ? err_sys(err, errno, "open what was fetched") : 0;
    codec_clear(&build_fetched_type, &fetched);
    return result;
}
