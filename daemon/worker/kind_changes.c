/* diff: what a container changed. */
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/strv.h"
#include "lib/unpack/changes.h"
#include "lib/unpack/pack.h"

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
    const struct job_mount_spec below = { .lowers = params->lowers };
    __attribute__((cleanup(change_list_done))) struct change_list list = { .count = 0 };
    CLEANUP(strv_free) char **opaque = NULL;
    AUTO_FD int lower_fd = -1;
    if (params->lowers && worker_mount_tree(&below, false, &lower_fd, err) < 0)
        return -1;
    int dirs[] = { upper_fd, lower_fd };
    if (opaque_find(upper_fd, &opaque, err) < 0 || worker_seal(worker, dirs, lower_fd < 0 ? 1 : 2, err) < 0)
        return -1;
    if (changes_find(upper_fd, lower_fd, opaque, &list, err) < 0)
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
