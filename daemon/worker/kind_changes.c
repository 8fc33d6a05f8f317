/* diff: what a container changed. */
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/strv.h"
#include "lib/unpack/changes.h"
#include "lib/unpack/pack.h"

#include <errno.h>
#include <fcntl.h>

struct dirs {
    int *fds; /* the upper directory, then the layers, top first */
    size_t count;
};

static void dirs_done(struct dirs *dirs)
{
    for (size_t i = 1; i < dirs->count; i++)
        fd_close(dirs->fds[i]);
    free(dirs->fds);
}

static int open_dirs(int upper_fd, char *const *lowers, struct dirs *ret, struct err *err)
{
    ret->fds = xcalloc(strv_length(lowers) + 1, sizeof *ret->fds);
    ret->fds[ret->count++] = upper_fd;
    for (char *const *path = lowers; path && *path; path++) {
        int fd = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return err_sys(err, errno, "open the layer %s", *path);
        ret->fds[ret->count++] = fd;
    }
    return 0;
}

static int answer(struct worker *worker, const struct change_list *list, struct err *err)
{
    struct job_diff_result result = { .changes.count = list->count };
    result.changes.items = xcalloc(list->count + 1, sizeof *result.changes.items);
    for (size_t i = 0; i < list->count; i++)
        result.changes.items[i] = (struct job_change){ .path = list->items[i].path, .kind = (int64_t)list->items[i].kind };
    int r = worker_done(worker, &job_diff_result_type, &result, err);
    free(result.changes.items); /* the paths are the list's */
    return r;
}

static int diff(struct worker *worker, const struct job_diff *params, int upper_fd, struct err *err)
{
    __attribute__((cleanup(dirs_done))) struct dirs dirs = { .count = 0 };
    __attribute__((cleanup(change_list_done))) struct change_list list = { .count = 0 };
    CLEANUP(strv_free) char **opaque = NULL;
    if (open_dirs(upper_fd, params->lowers, &dirs, err) < 0 || opaque_find(upper_fd, &opaque, err) < 0 ||
        worker_seal(worker, dirs.fds, dirs.count, err) < 0)
        return -1;
    if (changes_find(upper_fd, dirs.fds + 1, dirs.count - 1, opaque, &list, err) < 0)
        return err_wrap(err, "find what the container changed");
    return answer(worker, &list, err);
}

int kind_diff(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_diff params;
    int upper_fd = worker_fd(run, 0, err);
    if (upper_fd < 0 || job_decode(run, &job_diff_type, &params, err) < 0)
        return -1;
    int r = diff(worker, &params, upper_fd, err);
    codec_clear(&job_diff_type, &params);
    return r;
}
