/* Every job kind that holk-worker can do. */
#include "daemon/worker/worker_kinds.h"

const struct worker_kind worker_kinds[] = {
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
    { "config-changes", kind_config_changes, JOB_SANDBOX_UNPACK },
    { "build", kind_build, JOB_SANDBOX_BUILD },
    { "build-copy", kind_build_copy, JOB_SANDBOX_MOUNT },
    { NULL },
};
