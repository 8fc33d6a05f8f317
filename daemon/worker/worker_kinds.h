/* The functions behind the rows of kinds_table.c. */
#pragma once
#include "daemon/worker/worker.h"

#define WORKER_KIND(fn) int fn(struct worker *worker, const struct job_message *run, struct err *err)
WORKER_KIND(kind_pull);
WORKER_KIND(kind_push);
WORKER_KIND(kind_registry_auth);
WORKER_KIND(kind_distribution);
WORKER_KIND(kind_unpack);
WORKER_KIND(kind_pack);
WORKER_KIND(kind_load);
WORKER_KIND(kind_save);
WORKER_KIND(kind_import);
WORKER_KIND(kind_export);
WORKER_KIND(kind_cp_out);
WORKER_KIND(kind_cp_in);
WORKER_KIND(kind_diff);
WORKER_KIND(kind_commit_layer);
WORKER_KIND(kind_copyup);
WORKER_KIND(kind_seccomp);
WORKER_KIND(kind_config_changes);
WORKER_KIND(kind_build);
WORKER_KIND(kind_build_copy);
WORKER_KIND(kind_fetch_url);
