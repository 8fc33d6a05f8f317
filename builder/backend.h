/* What a build asks of the engine: the verbs of a "build" job, carried as JOB_REQUEST / JOB_REPLY frames of lib/jobs. The builder sees the
 * engine only through these; the fake backend of the tests and the daemon's answer the same verbs.
 *
 * Every request struct begins with `request`, the verb's name. Layers are named by diff id ("sha256:<hex>"), scratch layers by an id of
 * 16 hex digits that the engine drew. Paths are absolute host paths. fds travel beside the frame where a verb says so. */
#pragma once
#include "lib/jobs/kinds.h"
#include "lib/json/codec.h"

/* "resolve": an image by reference or id, pulled when absent (or always with pull). The lease of the build keeps it. */
struct build_resolve {
    char *request, *reference;
    char *platform; /* "" = the machine's */
    bool pull;
};
struct build_resolved {
    char *image_id;
    char *config; /* bytes of the image config */
    char **diff_ids; /* bottom first */
};
/* "layers": directories of layers, top first, for job_mount_spec.lowers. */
struct build_layers {
    char *request;
    char **diff_ids; /* bottom first */
};
struct build_layers_reply {
    char **lowers; /* top first */
};
/* "layer-begin": a writable layer over diff_ids. It goes with layer-drop, layer-commit or the end of the job. */
struct build_layer_begin {
    char *request;
    char **diff_ids;
};
struct build_scratch {
    char *id;
    char **lowers; /* top first */
    char *upper, *work;
};
/* "layer-commit": what was written becomes an immutable layer of the store; "layer-drop": it is forgotten. */
struct build_layer_commit {
    char *request, *id;
};
struct build_layer_committed {
    char *diff_id;
    int64_t size; /* sum of file sizes */
    bool empty;   /* nothing was written */
};
/* "run": a command in a container over a scratch layer. fd 0 of the request: where its output goes (both streams). */
struct build_mount {
    char *type; /* "bind" "tmpfs" */
    char *source, *target;
    bool readonly;
    int64_t size; /* tmpfs, bytes; 0 = no limit */
};
struct build_run {
    char *request, *scratch_id;
    char **argv, **env;
    char *cwd, *user;
    char *network;  /* "" default none host */
    char *security; /* "" sandbox insecure */
    CODEC_LIST(struct build_mount) mounts;
};
struct build_ran {
    int64_t exit_code;
    bool started; /* false: error says why (exit code 126 or 127) */
    char *error;
};
/* "copy": one COPY/ADD step's file work in a worker of its own (kind "build-copy"); the reply is job_build_copy_result. */
struct build_copy {
    char *request;
    struct job_build_copy copy;
};
/* "fetch": ADD of a URL. The reply carries the file as fd 0. */
struct build_fetch {
    char *request, *url;
    char *checksum; /* "sha256:<hex>" or "" */
};
struct build_fetched {
    char *digest;    /* "sha256:<hex>" of the body */
    char *file_name; /* of Content-Disposition or the URL's last segment */
    char *path;      /* absolute, in the job's directory */
    int64_t size, mtime_unix; /* mtime of Last-Modified, 0 = unknown */
};
/* "cache-get" / "cache-put": the result of a step under its key (64 hex). A value whose layer is gone counts as not found. */
struct build_cache_get {
    char *request, *key;
};
struct build_cache_value {
    bool found;
    char *diff_id; /* "" = the step made no layer */
    int64_t size, created_unix_ns;
    char *extra;   /* the step's own, opaque to the engine */
};
struct build_cache_put {
    char *request, *key, *diff_id;
    int64_t size, created_unix_ns;
    char *extra, *description;
};
/* "cache-dir": a directory that outlives builds (RUN --mount=type=cache), by key (64 hex). fd 0 of the reply: the directory. */
struct build_cache_dir {
    char *request, *key;
    int64_t mode, uid, gid; /* of a new one */
};
struct build_cache_dir_reply {
    char *path;
    bool created;
};
/* "image": config bytes become an image with these tags. */
struct build_image {
    char *request, *config, *parent;
    char **tags;
};
struct build_image_committed {
    char *image_id;
};

struct build_nothing {
    char *request; /* replies without content */
};

enum build_verb {
    BUILD_RESOLVE, BUILD_LAYERS, BUILD_LAYER_BEGIN, BUILD_LAYER_COMMIT, BUILD_LAYER_DROP, BUILD_RUN, BUILD_COPY, BUILD_FETCH,
    BUILD_CACHE_GET, BUILD_CACHE_PUT, BUILD_CACHE_DIR, BUILD_IMAGE, BUILD_VERB_COUNT,
};
struct build_verb_row {
    const char *name;
    const struct codec_type *request, *reply;
};
const struct build_verb_row *build_verb_get(enum build_verb verb);
enum build_verb build_verb_find(const char *name); /* BUILD_VERB_COUNT when unknown */

CODEC_DECLARE(build_resolve); CODEC_DECLARE(build_resolved); CODEC_DECLARE(build_layers); CODEC_DECLARE(build_layers_reply);
CODEC_DECLARE(build_layer_begin); CODEC_DECLARE(build_scratch); CODEC_DECLARE(build_layer_commit); CODEC_DECLARE(build_layer_committed);
CODEC_DECLARE(build_mount); CODEC_DECLARE(build_run); CODEC_DECLARE(build_ran); CODEC_DECLARE(build_copy); CODEC_DECLARE(build_fetch);
CODEC_DECLARE(build_fetched); CODEC_DECLARE(build_cache_get); CODEC_DECLARE(build_cache_value); CODEC_DECLARE(build_cache_put);
CODEC_DECLARE(build_cache_dir); CODEC_DECLARE(build_cache_dir_reply); CODEC_DECLARE(build_image); CODEC_DECLARE(build_image_committed);
CODEC_DECLARE(build_nothing);
