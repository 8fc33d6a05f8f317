/* What is in the store and who uses it: images, their names, layers, blobs, leases, garbage. It knows no registry,
 * container, HTTP or archive bytes, and it never hashes a layer: a worker has verified what is adopted here.
 *
 * Below the data root: blobs/sha256/<hex> (configs, manifests, compressed layers, as received), layers/<hex>/diff
 * (unpacked, immutable, keyed by diff id), layers/<hex>/recipe (of some), tmp/ (of jobs), trash/ (being deleted). Records live in memory, loaded once;
 * rows are queued on the writer thread.
 *
 * Locking. Functions under "records" touch memory and queue rows: the caller holds the engine's lock. They never wait.
 * Pointers they return are borrowed and valid until the lock is dropped. Functions under "disk" wait for disks: call them
 * WITHOUT the lock; they use only the store's directories and an own mutex. A "ticket" goes to db_wait() outside the lock.
 *
 * The way in, so that nothing is ever half there (a crash leaves orphans that store_open() sweeps away):
 *   1. lease = store_lease_new(); store_lease_pin(lease, every diff id, config digest, manifest digest)     lock
 *   2. store_layer_adopt(), store_blob_adopt(), store_blob_write()                                          no lock
 *   3. store_layer_add() per new layer                                                                      lock
 *   4. store_sync(): one syncfs for everything adopted                                                      no lock
 *   5. store_image_add() -> ticket: image, names and layer rows in one transaction; store_lease_free()      lock
 *   6. db_wait(ticket)                                                                                      no lock
 * The way out: store_image_delete() + store_collect() under the lock, db_wait, store_sweep() without; housekeeping calls
 * store_trash_step() until it returns 0. Containers hold a lease on their layers for as long as they exist. */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db.h"
#include "lib/json/codec.h"
#include "lib/oci/reference.h"
#include <stdbool.h>
#include <stdint.h>

/* Tables of this room, for the one list of migrations that the engine owns: { 1, STORE_SCHEMA_1 ENGINE_SCHEMA_1 } or a
 * version of its own. Table names begin with "image", "layer" or "distribution". */
#define STORE_SCHEMA_1                                                                                                  \
    "CREATE TABLE images (id TEXT PRIMARY KEY, parent TEXT, created INTEGER NOT NULL, size INTEGER NOT NULL, "          \
    "tagged INTEGER NOT NULL, local INTEGER NOT NULL, os TEXT, architecture TEXT, variant TEXT, labels TEXT, "          \
    "manifest TEXT, manifest_type TEXT, diff_ids TEXT NOT NULL) WITHOUT ROWID;"                                         \
    "CREATE TABLE image_refs (ref TEXT PRIMARY KEY, image TEXT NOT NULL) WITHOUT ROWID;"                                \
    "CREATE TABLE layers (diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL, blob TEXT, media_type TEXT, "                \
    "blob_size INTEGER NOT NULL) WITHOUT ROWID;"                                                                        \
    "CREATE TABLE distribution (diff_id TEXT NOT NULL, blob TEXT NOT NULL, repository TEXT NOT NULL, media_type TEXT, " \
    "blob_size INTEGER NOT NULL, PRIMARY KEY (diff_id, repository)) WITHOUT ROWID;"
extern const char store_schema_1[]; /* the same text */

struct store;

/* Makes missing directories (0700 below a data root of 0710), loads all rows, moves orphans and everything in tmp/ to the
 * trash. data_root is absolute and copied; db outlives the store. */
int store_open(const char *data_root, struct db *db, struct store **ret, struct err *err);
void store_close(struct store *store);
CLEANUP_FN(struct store, store_close)

/* ================================ records (engine's lock held) ================================ */

struct store_image { /* read-only for callers */
    char id[72];         /* "sha256:<hex>": digest of the config, which is blob `id` */
    char *parent;        /* image id of the step before (built, committed, loaded) or NULL; the parent may be gone */
    int64_t created_ns;  /* 0 = none */
    int64_t size;        /* sum of its layers' content */
    int64_t tagged_ns;   /* last tag, 0 = never */
    bool local;          /* made here (build, commit, import), may serve as build cache (I19) */
    char *os, *architecture, *variant; /* as in the config; NULL = absent */
    char *labels;        /* JSON object text, NULL = none */
    char *manifest, *manifest_type; /* digest of the manifest it was last pulled or pushed with (a blob here) or NULL */
    char **diff_ids;     /* bottom first */
    char **refs;         /* sorted canonical references: "docker.io/library/x:tag", "docker.io/library/x@sha256:..." */
    size_t child_count;  /* images whose parent is this one */
};
/* As Docker finds images: a reference, a digest reference, "sha256:<hex>" or an unambiguous prefix of the hex. ERR_NOT_FOUND
 * "No such image: x:latest", ERR_INVALID for what is not a reference. */
int store_image_find(struct store *store, const char *text, struct store_image **ret, struct err *err);
struct store_image *store_image_get(struct store *store, const char *id);        /* by full id; NULL */
struct store_image *store_image_by_ref(struct store *store, const char *canonical); /* NULL */
bool store_text_is_id_prefix(const struct store_image *image, const char *text); /* was it named by its id? */
/* All images, newest first. The array is borrowed. */
struct store_image *const *store_images(const struct store *store, size_t *ret_count);
static inline bool store_image_is_dangling(const struct store_image *image)
{
    return (!image->refs || !image->refs[0]) && image->child_count == 0;
}
/* Tags alone / digests alone, familiar form ("alpine:3.20", "alpine@sha256:..."). Caller frees (strv_free). */
char **store_image_repo_tags(const struct store_image *image);
char **store_image_repo_digests(const struct store_image *image);

struct store_image_info { /* input of store_image_add; all strings owned by it */
    char id[72];
    char *parent;
    int64_t created_ns;
    bool local;
    char *os, *architecture, *variant, *labels;
    char *manifest, *manifest_type;
    char **diff_ids;
    char **refs; /* canonical names to set, may be empty */
};
#define AUTO_STORE_IMAGE_INFO __attribute__((cleanup(store_image_info_done)))
void store_image_info_done(struct store_image_info *info);
/* Fills everything but parent, local, manifest and refs from config bytes; computes the id. No lock needed. */
int store_image_info_decode(const char *config, size_t length, struct store_image_info *ret, struct err *err);
/* Image, names and the rows of its layers in one transaction (DB_FULL). An image that is there already only gets the names and
 * manifest (and parent, local when it had none). ERR_INTERNAL when a layer record is missing. ret_image may be NULL. */
int store_image_add(struct store *store, const struct store_image_info *info, struct store_image **ret_image, uint64_t *ret_ticket,
                    struct err *err);
/* Points a name (with tag, or with digest) at an image; a tag moves. ERR_NOT_FOUND when there is no such image; ERR_INVALID in
 * Docker's words for a name that must not be. */
int store_tag(struct store *store, const struct reference *ref, const char *image_id, uint64_t *ret_ticket, struct err *err);
/* Takes one name away, whatever is left. ERR_NOT_FOUND "reference does not exist". */
int store_untag(struct store *store, const char *canonical, uint64_t *ret_ticket, struct err *err);
void store_image_set_parent(struct store *store, struct store_image *image, const char *parent);
void store_image_set_manifest(struct store *store, struct store_image *image, const char *digest, const char *media_type);

/* `docker rmi`: untag, and delete when that was the last name; with prune also untagged parents nobody uses. */
struct store_deletion { /* exactly one is set */
    char *untagged; /* familiar reference or digest reference */
    char *deleted;  /* image id or chain id of a layer */
    char *image;    /* the image id it was about, for the event */
};
struct store_deletions {
    struct store_deletion *items;
    size_t count;
};
void store_deletions_done(struct store_deletions *list);
struct store_delete {
    const char *text; /* what the client named */
    bool force, prune;
    /* Id of a container made from that image, NULL = none; running selects running ones, else those not running. */
    const char *(*used_by)(void *arg, const char *image_id, bool running);
    void *arg;
};
/* ERR_CONFLICT in Docker's words. A ticket is given also when only names went. On failure nothing was changed, except that a
 * name may have been taken before the conflict came up (as Docker does); ret is valid then too. */
int store_image_delete(struct store *store, const struct store_delete *request, struct store_deletions *ret, uint64_t *ret_ticket,
                       struct err *err);
/* Chain ids for diff ids bottom first: caller frees (strv_free). No lock needed. */
char **store_chain_ids(char *const *diff_ids);

struct store_layer { /* read-only for callers */
    char diff_id[72];
    int64_t size;         /* sum of file sizes */
    char *blob;           /* digest of the compressed blob kept for it, or NULL */
    char *media_type;     /* of that blob */
    int64_t blob_size;
    size_t image_count;   /* images that have it */
    bool saved;
};
struct store_layer *store_layer_get(struct store *store, const char *diff_id); /* NULL when absent */
bool store_layer_has(struct store *store, const char *diff_id);
struct store_layer_info {
    const char *diff_id;
    int64_t size;
    const char *blob, *media_type; /* NULL or "" = no blob kept */
    int64_t blob_size;
};
/* After adoption. In memory at once; its row is written by the first store_image_add() that uses it. Existing: only a missing blob is
 * filled in. */
struct store_layer *store_layer_add(struct store *store, const struct store_layer_info *info);
/* Writes the row of a layer that no image has (build cache). Only after a store_sync() behind its adoption. */
void store_layer_keep(struct store *store, const char *diff_id);
/* Visits all layers; *cursor starts at 0. NULL at the end. */
struct store_layer *store_layer_next(struct store *store, size_t *cursor);

/* Where a layer's blob is known to be in a registry: reuse on push, cross-repository mounts. repository is canonical,
 * "docker.io/library/alpine". */
struct store_distribution {
    const char *repository, *blob, *media_type;
    int64_t blob_size;
};
void store_distribution_add(struct store *store, const char *diff_id, const struct store_distribution *row);
/* In that repository itself; false when unknown. Strings are borrowed. */
bool store_distribution_find(struct store *store, const char *diff_id, const char *repository, struct store_distribution *ret);
/* index-th row of a layer, newest first; false behind the last. */
bool store_distribution_at(struct store *store, const char *diff_id, size_t index, struct store_distribution *ret);

/* A job, or a container, that needs things to stay: pinned digests (diff ids, image ids, blob digests; they need not exist yet) are
 * never collected. In memory only. what: for the dump, copied. */
struct store_lease;
struct store_lease *store_lease_new(struct store *store, const char *what);
void store_lease_pin(struct store_lease *lease, const char *digest);
void store_lease_pin_all(struct store_lease *lease, char *const *digests);
void store_lease_free(struct store_lease *lease); /* NULL ok */

/* Drops the records of layers no image has and no lease pins, and dooms their files and unused blobs. Never before all containers
 * have taken their leases. Returns how many; their bytes are added to *ret_bytes (may be NULL). */
size_t store_collect(struct store *store, int64_t *ret_bytes);

/* ================================ disk (no lock) ================================ */

int store_data_fd(const struct store *store); /* borrowed: the data root */
char *store_layer_path(const struct store *store, const char *diff_id); /* absolute .../diff; caller frees; pure text */
/* A new empty directory tmp/<prefix>-<random> (0700); name relative to the data root, caller frees. */
int store_tmp_make(struct store *store, const char *prefix, char **ret_name, struct err *err);
/* Renames dir_fd/name (the tree itself, on the store's file system) to layers/<hex>/diff, after marking the opaque directories. When the
 * layer is there already the new tree goes to the trash. Pin diff_id first. */
int store_layer_adopt(struct store *store, int dir_fd, const char *name, const char *diff_id, char *const *opaque, struct err *err);
/* Renames a layer's recipe (lib/unpack/recipe.h: how to make its original tar again) to layers/<hex>/recipe. After store_layer_adopt(); a
 * recipe that is there already stays. */
int store_recipe_adopt(struct store *store, int dir_fd, const char *name, const char *diff_id, struct err *err);
char *store_recipe_path(const struct store *store, const char *diff_id); /* absolute; NULL when there is none; caller frees */
/* Renames a verified file to blobs/sha256/<hex>, owner root, mode 0600. Pin the digest first. */
int store_blob_adopt(struct store *store, int dir_fd, const char *name, const char *digest, struct err *err);
/* Writes a small blob whole. The digest of the bytes is checked. */
int store_blob_write(struct store *store, const char *digest, const void *bytes, size_t length, struct err *err);
int store_blob_open(struct store *store, const char *digest, int *ret_fd, uint64_t *ret_size, struct err *err); /* ERR_NOT_FOUND */
bool store_blob_has(struct store *store, const char *digest);
int store_blob_read(struct store *store, const char *digest, size_t max, char **ret, size_t *ret_length, struct err *err);
/* The config's bytes of an image id. */
int store_image_config(struct store *store, const char *id, char **ret, size_t *ret_length, struct err *err);
int store_sync(struct store *store, struct err *err); /* syncfs of the data root */
void store_sweep(struct store *store);                /* moves what is doomed to the trash; after the commit of its rows */
/* Renames dir_fd/name into the trash; missing is fine. 0 or -errno. */
int store_trash_put(struct store *store, int dir_fd, const char *name);
/* Deletes a bounded number of entries. 1: there is more; 0: empty (or only what cannot be deleted now). */
int store_trash_step(struct store *store);

/* sha256 of small texts (ids of configs, manifests, chain ids): "sha256:<hex>". */
void store_digest(const void *bytes, size_t length, char ret[72]);
