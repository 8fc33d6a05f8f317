/* Every job kind that holk-fetch can do: a program of its own, so that the others do not wait for libcurl and its forty libraries to load. */
#include "daemon/worker/worker_kinds.h"

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
    { "fetch-url", kind_fetch_url, JOB_SANDBOX_FETCH },
    { NULL },
};
