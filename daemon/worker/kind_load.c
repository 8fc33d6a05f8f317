#include "daemon/worker/load.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/path.h"

#include <stdio.h>
#include <unistd.h>

/* What no image wanted. */
static void clear_spool(const struct load *load)
{
    char name[32];
    static const char *const ends[] = { "", ".blob", ".recipe" };
    for (unsigned i = 0; i < load->layer_count; i++) {
        for (size_t e = 0; e < ARRAY_SIZE(ends); e++) {
            (void)snprintf(name, sizeof name, "%u%s", i, ends[e]);
            (void)!path_remove_tree_at(load->spool_fd, name);
        }
    }
}

int kind_load(struct worker *worker, const struct job_message *run, struct err *err)
{
    __attribute__((cleanup(load_done))) struct load load = { .worker = worker };
    int archive_fd = worker_fd(run, 0, err);
    load.spool_fd = worker_fd(run, 1, err);
    if (archive_fd < 0 || load.spool_fd < 0)
        return -1;
    struct job_load params;
    if (job_decode(run, &job_load_type, &params, err) < 0)
        return -1;
    load.quiet = params.quiet;
    int r = load_read_archive(&load, archive_fd, err);
    if (r == 0)
        r = load_images(&load, err);
    clear_spool(&load);
    return r < 0 ? -1 : worker_done(worker, NULL, NULL, err);
}
