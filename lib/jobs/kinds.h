/* Every job kind with its parameters, fds, progress and result. One row in job_kinds[] (kinds.c), one struct each way here.
 * Directories are passed as fds. "layer dir" means a directory that becomes layers/<diff id>/diff. Digests are "sha256:<hex>". */
#pragma once
#include "lib/json/codec.h"

enum job_sandbox { JOB_SANDBOX_FETCH /* nobody, network, spool fd */, JOB_SANDBOX_UNPACK /* few caps, no network, landlock */,
                   JOB_SANDBOX_MOUNT /* mounts overlays in its own mount namespace, then UNPACK */, JOB_SANDBOX_BUILD /* no network; context dir */ };
struct job_kind {
    const char *name;
    enum job_sandbox sandbox;
    const struct codec_type *params, *progress, *result;
};
const struct job_kind *job_kind_find(const char *name);

/* ---- shared pieces ---- */
struct job_auth { /* X-Registry-Auth decoded by the daemon; never logged */
    char *username, *password, *identity_token, *registry_token, *server_address;
};
struct job_layer { /* one layer as registries see it */
    char *digest, *media_type, *diff_id; /* digest of the compressed bytes; diff_id "" when not known yet */
    int64_t size;
};
struct job_progress { /* also what becomes a jsonmessage line */
    char *id;      /* short layer id or "" */
    char *status;  /* Docker's words: "Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Pushing", ... */
    char *stream;  /* build output */
    int64_t current, total; /* bytes; total 0: none */
    char *aux;     /* raw JSON or NULL */
};
struct job_mount_spec { /* a tree to look into: overlay of layer diff directories (top first), optional writable upper */
    char **lowers;       /* absolute paths of diff directories, top first */
    char *upper, *work;  /* absolute, or NULL: read-only */
    char **bind_sources, **bind_targets; /* volumes and binds mounted over it (cp into stopped containers), same length */
};

/* ---- "pull" (FETCH) fds: [0] spool directory. Progress: job_progress. Requests: job_blob_ready / job_layers_query ---- */
struct job_pull {
    char *reference;    /* canonical: docker.io/library/x:tag or @digest */
    char *platform;     /* "linux/amd64" or "" for the machine's */
    bool all_tags, insecure;
    char **mirrors;     /* base URLs tried first (docker.io only) */
    char **insecure_registries; /* host[:port] or CIDR; loopback is always allowed http */
    struct job_auth auth;
    char *certs_dir;
};
struct job_pull_manifest { /* JOB_REQUEST "manifest": sent before layers; the reply says which layers the daemon has */
    char *request;      /* "manifest" */
    char *reference, *tag;
    char *digest;       /* of the manifest the reference named (index digest if an index) */
    char *manifest, *manifest_media_type; /* bytes as text, of the platform's manifest */
    char *index, *index_media_type;       /* "" unless an index was resolved */
    char *config;       /* bytes as text; already verified against its digest */
    char *config_digest;
    CODEC_LIST(struct job_layer) layers; /* bottom first, diff_id filled from config.rootfs */
};
struct job_pull_have {
    char **have; /* diff ids present: not fetched ("Already exists"); the config digest too when the image itself is known */
};
struct job_pull_blob { /* JOB_REQUEST "blob": a verified compressed blob lies in the spool as <hex>. Reply (any) = daemon took it */
    char *request;      /* "blob"; or "commit", alone: the image of the last manifest is complete, the reply says that it is named */
    char *digest, *diff_id, *media_type, *file; /* file: name in the spool directory */
    int64_t size;
};
struct job_pull_result {
    char **digests; /* manifest digests, in the order of the tags pulled */
    char **tags;
};

/* ---- "push" (FETCH) fds: one per layer in `layers` with a blob file already (index in blob_fd), others are requested ---- */
struct job_push {
    char *reference; /* canonical with tag */
    bool insecure;
    char **insecure_registries;
    struct job_auth auth;
    char *config;    /* bytes */
    char *manifest;  /* bytes to reuse when every layer digest is known, or "" */
    char *manifest_media_type;
    CODEC_LIST(struct job_layer) layers; /* bottom first; digest: where it is known from a registry, "" = blob must be requested */
    char **mount_from; /* repositories on the same registry to try for cross mounts, per layer or "" */
    char *certs_dir;
};
struct job_push_want { /* JOB_REQUEST "layer": reply job_layer + fd 0 = readable compressed blob */
    char *request; /* "layer" */
    char *diff_id;
};
struct job_push_result {
    char *digest; /* of the manifest */
    char *tag;
    int64_t size;
    CODEC_LIST(struct job_layer) layers; /* with digests, for the store's distribution rows */
};

/* ---- "registry-auth" (FETCH): checks credentials ---- */
struct job_registry_auth {
    struct job_auth auth;
    char **insecure_registries;
    char *certs_dir;
};
struct job_registry_auth_result {
    char *status, *identity_token;
};
/* ---- "distribution" (FETCH): GET /distribution/{name}/json; params job_pull; result raw JSON ---- */
struct job_raw_result {
    char *json;
};

/* ---- "unpack" (UNPACK) fds: [0] blob (compressed or plain, sniffed), [1] empty layer dir. Progress: current/total compressed bytes ---- */
struct job_unpack {
    char *digest;     /* expected of the compressed bytes, "" = do not check */
    char *diff_id;    /* expected of the tar, "" = compute only */
    char *media_type; /* "" = sniff only; else must agree */
    int64_t size;     /* of the blob, 0 unknown */
};
struct job_unpack_result {
    char *digest, *diff_id;
    int64_t size;      /* sum of file sizes in the layer (Docker's Size) */
    int64_t tar_size, entries;
    char **opaque;     /* directories (relative paths) on which holkd sets trusted.overlay.opaque */
    bool has_recipe;   /* unpack and import with an fd [2] (file to write): it holds the layer's recipe now */
};

/* ---- "pack" (UNPACK) fds: [0] layer diff directory, [1] output file or none. Canonical tar of a layer tree ---- */
struct job_pack {
    char *compression; /* "none", "gzip", "zstd" */
    bool hash_only;    /* no output fd */
    bool has_recipe;   /* the last fd is the layer's recipe: the original tar is made of it, not the canonical one */
};
struct job_pack_result {
    char *digest, *diff_id; /* digest of the output bytes ("" when hash_only) */
    int64_t size, tar_size; /* output bytes; tar bytes */
    int64_t content_size;   /* sum of file sizes */
};

/* ---- "load" (UNPACK) fds: [0] archive stream, [1] spool directory (empty, on the store's file system). The worker walks docker-archive or OCI
 * layout, verifies, extracts each layer new to the store into spool/<n>/diff. Request "image" per image at the end. */
struct job_load {
    bool quiet;
};
struct job_load_have { /* JOB_REQUEST "have": which of diff_ids are in the store -> job_pull_have */
    char *request;
    char **diff_ids;
};
struct job_load_layer { /* JOB_REQUEST "layer": spool/<dir> holds diff id's tree; the daemon renames it into the store, reply any */
    char *request;
    char *dir, *diff_id;
    int64_t size;
    char **opaque;
    char *blob_file, *blob_digest, *media_type; /* compressed blob kept beside (OCI layout), or "" */
    int64_t blob_size;
    char *recipe_file; /* of a plain tar: in the spool, what "pack" and "save" need to give the same bytes again (lib/unpack/recipe.h); "" = none */
};
struct job_load_image { /* JOB_REQUEST "image": config bytes + tags; reply: the image id is committed */
    char *request;
    char *config, *config_digest;
    char **tags;        /* canonical "name:tag" forms as in the archive */
    char **diff_ids;
    char *parent;       /* image id or "" (docker-archive "Parent") */
};

/* ---- "save" (UNPACK) fds: [0] output stream, then one diff directory per distinct layer in params order ---- */
struct job_save_image {
    char *config, *config_digest;
    char **repo_tags, **diff_ids;
    char *parent;
};
struct job_save {
    CODEC_LIST(struct job_save_image) images;
    char **layer_diff_ids;  /* distinct; layer i is fd 1+i */
    char **layer_dirs;      /* absolute diff directories when there are more than fds allow; the worker opens them before the sandbox.
                                A fd or path may also be the layer's kept blob (a regular file), which is inflated instead */
    char **layer_recipes;    /* absolute paths, "" = none; same order, may be shorter. Needed by layers whose tar was not made by "pack" */
};

/* ---- "import" (UNPACK) fds: [0] tar stream (maybe compressed), [1] layer dir. Result job_unpack_result ---- */
/* ---- "export" (MOUNT) fds: [0] output tar stream of the whole root ---- */
struct job_export {
    struct job_mount_spec root;
};
/* ---- "cp-out" (MOUNT) fds: [0] output tar stream (none for stat), [1] root fd of a running container (optional). Before the first byte of the
 * tar JOB_REQUEST with a job_path_stat (reply any) ---- */
struct job_cp {
    struct job_mount_spec root; /* used when no root fd is given */
    bool has_root_fd;
    char *path;
    bool stat_only, no_overwrite_dir_non_dir, copy_uid_gid;
    char *uid_gid_user;         /* unused unless copy_uid_gid */
};
struct job_path_stat {
    char *name;
    int64_t size, mode /* Go's os.FileMode bits */, mtime;
    char *link_target;
};
/* "cp-in" (MOUNT) fds: [0] input tar stream, [1] root fd (optional). Params job_cp (path = directory). Result {} */

/* ---- "diff" (MOUNT) fds: [0] upper directory. params: lowers (top first) to tell add from change. Result list ---- */
struct job_diff {
    char **lowers;
};
struct job_change {
    char *path;
    int64_t kind; /* 0 modified, 1 added, 2 deleted */
};
struct job_diff_result {
    CODEC_LIST(struct job_change) changes;
};
/* ---- "commit-layer" (UNPACK) fds: [0] upper directory, [1] empty layer dir: copies upper into the layer (a stopped or paused container).
 * Result job_unpack_result ---- */
/* ---- "copyup" (MOUNT): volume content from the image at path into the (empty) volume directory. fds: [0] volume directory ---- */
struct job_copyup {
    struct job_mount_spec root;
    char *path;
};
/* ---- "seccomp" (UNPACK, no fds): Docker-format profile -> BPF. result base64 ---- */
struct job_seccomp {
    char *profile; /* JSON text; "" = the built-in default policy */
    char **caps;   /* "CAP_SYS_ADMIN": rules conditional on them */
    char *arch;    /* "amd64" */
};
struct job_seccomp_result {
    char *bpf_base64;
    char **warnings;
};

/* ---- "config-changes" (UNPACK, no fds): what docker commit --change and docker import --change do to an image's configuration ---- */
struct job_config_changes {
    char *config;   /* JSON text of the image's "config" member */
    char **changes; /* Dockerfile text, each may hold several lines (builder/changes.h) */
};
struct job_config_changes_result {
    char *config;
};

/* ---- "build" (BUILD) fds: [0] context tar stream. See builder/backend.h: requests are the backend's verbs ---- */
struct job_build {
    char *dockerfile;      /* path in the context, default "Dockerfile" */
    char *target, *platform, *network_mode;
    char **tags;
    struct str_map build_args, labels;
    char **null_build_args; /* names given without value */
    bool no_cache, pull, squash, quiet, remove, force_remove;
    char **cache_from, **extra_hosts;
    char *job_dir;          /* absolute temp directory of this build below DATA_ROOT/tmp; context is unpacked to job_dir/context */
    char *remote;
    int64_t memory_bytes, memory_swap_bytes, cpu_shares, cpu_period, cpu_quota, shm_size;
    char *cpuset_cpus, *cpuset_mems, *cgroup_parent, *isolation;
    char *ulimits;          /* raw JSON */
    bool apply_dockerignore; /* drop ignored files from what COPY sees */
    struct str_map features; /* reserved */
};
struct job_build_result {
    char *image_id;
};
/* "build-copy" (MOUNT): one COPY/ADD step's file work. fds (all or none): dest.upper and source_dir as far as they are given, open; result: changes in upper */
struct job_build_copy {
    struct job_mount_spec dest;   /* base lowers + writable upper/work */
    struct job_mount_spec source; /* --from stage/image; unused when source_dir */
    char *source_dir;             /* absolute directory (context), or "" */
    char **sources;               /* resolved relative source paths/patterns, in order */
    char *target, *workdir;       /* as written; relative to workdir */
    char *chown, *chmod;
    char **exclude;
    bool is_add, unpack, parents, link, target_is_dir;
    char **inline_names, **inline_contents; /* heredocs */
    int64_t mtime_unix;           /* -1: keep */
    char **ignore;                /* .dockerignore patterns applied to source_dir */
    char *op;                     /* "" or "copy"; "digest": hash what would be copied (no dest); "mkdir": make target and missing parents owned by chown;
                                     "probe": which of sources (absolute in dest) are missing -> result.paths;
                                     "unstub": remove those of sources that are empty files or directories */
    int64_t file_mode;            /* permission bits forced on files (ADD of a URL), -1: keep */
    bool may_link;                /* the destination becomes a layer that nobody writes: files of source_dir may become hard links in it */
};
struct job_build_copy_result {
    int64_t files, bytes;
    char *digest;  /* op digest: 64 hex */
    char **paths;  /* op probe: absolute paths missing in dest, outermost first */
};

/* "fetch-url" (FETCH): one http(s) file. fds: [0] empty directory to put it in */
struct job_fetch_url {
    char *url;
    char *checksum; /* "sha256:<hex>" or "" */
};
struct job_fetch_url_result {
    char *digest;       /* "sha256:<hex>" of the body */
    char *file;         /* its name in the directory: of Content-Disposition or the URL's last segment */
    int64_t size, mtime_unix; /* mtime of Last-Modified, 0 = unknown */
};

CODEC_DECLARE(job_auth); CODEC_DECLARE(job_layer); CODEC_DECLARE(job_progress); CODEC_DECLARE(job_mount_spec);
CODEC_DECLARE(job_pull); CODEC_DECLARE(job_pull_manifest); CODEC_DECLARE(job_pull_have); CODEC_DECLARE(job_pull_blob); CODEC_DECLARE(job_pull_result);
CODEC_DECLARE(job_push); CODEC_DECLARE(job_push_want); CODEC_DECLARE(job_push_result); CODEC_DECLARE(job_registry_auth); CODEC_DECLARE(job_registry_auth_result);
CODEC_DECLARE(job_raw_result); CODEC_DECLARE(job_unpack); CODEC_DECLARE(job_unpack_result); CODEC_DECLARE(job_pack); CODEC_DECLARE(job_pack_result);
CODEC_DECLARE(job_load); CODEC_DECLARE(job_load_have); CODEC_DECLARE(job_load_layer); CODEC_DECLARE(job_load_image);
CODEC_DECLARE(job_save_image); CODEC_DECLARE(job_save); CODEC_DECLARE(job_export); CODEC_DECLARE(job_cp); CODEC_DECLARE(job_path_stat);
CODEC_DECLARE(job_diff); CODEC_DECLARE(job_change); CODEC_DECLARE(job_diff_result); CODEC_DECLARE(job_copyup);
CODEC_DECLARE(job_seccomp); CODEC_DECLARE(job_seccomp_result); CODEC_DECLARE(job_config_changes); CODEC_DECLARE(job_config_changes_result);
CODEC_DECLARE(job_build); CODEC_DECLARE(job_build_result);
CODEC_DECLARE(job_build_copy); CODEC_DECLARE(job_build_copy_result);
CODEC_DECLARE(job_fetch_url); CODEC_DECLARE(job_fetch_url_result);
