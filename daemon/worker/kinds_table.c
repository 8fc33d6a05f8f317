/* Every job kind this program can do. The registry and build kinds live in files of their own owners; the build leaves their rows
 * out when the files are not there. */
#include "daemon/worker/worker.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/str.h"

const struct worker_kind worker_kinds[] = {
#ifdef HAVE_KIND_PULL
    { "pull", kind_pull, JOB_SANDBOX_FETCH, .opens_first = true },
#endif
#ifdef HAVE_KIND_PUSH
    { "push", kind_push, JOB_SANDBOX_FETCH, .opens_first = true },
#endif
#ifdef HAVE_KIND_REGISTRY
    { "registry-auth", kind_registry_auth, JOB_SANDBOX_FETCH, .opens_first = true },
    { "distribution", kind_distribution, JOB_SANDBOX_FETCH, .opens_first = true },
#endif
    { "unpack", kind_unpack, JOB_SANDBOX_UNPACK },
    { "pack", kind_pack, JOB_SANDBOX_UNPACK, .opens_first = true },
    { "load", kind_load, JOB_SANDBOX_UNPACK },
    { "save", kind_save, JOB_SANDBOX_UNPACK, .opens_first = true },
    { "import", kind_import, JOB_SANDBOX_UNPACK },
    { "export", kind_export, JOB_SANDBOX_MOUNT },
    { "cp-out", kind_cp_out, JOB_SANDBOX_MOUNT },
    { "cp-in", kind_cp_in, JOB_SANDBOX_MOUNT },
    { "diff", kind_diff, JOB_SANDBOX_MOUNT },
    { "commit-layer", kind_commit_layer, JOB_SANDBOX_UNPACK, .opens_first = true },
    { "copyup", kind_copyup, JOB_SANDBOX_MOUNT },
    { "seccomp", kind_seccomp, JOB_SANDBOX_UNPACK },
#ifdef HAVE_KIND_BUILD
    { "build", kind_build, JOB_SANDBOX_BUILD },
#endif
#ifdef HAVE_KIND_BUILD_COPY
    { "build-copy", kind_build_copy, JOB_SANDBOX_MOUNT },
#endif
#ifdef HAVE_KIND_FETCH_URL
    { "fetch-url", kind_fetch_url, JOB_SANDBOX_FETCH },
#endif
    { NULL },
};

const struct worker_kind *worker_kind_find(const char *name)
{
    for (const struct worker_kind *kind = worker_kinds; kind->name; kind++)
        if (str_eq(kind->name, name))
            return kind;
    return NULL;
}
