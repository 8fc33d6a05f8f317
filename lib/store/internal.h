/* The store's own structures; for this room alone. */
#pragma once
#include "lib/base/map.h"
#include "lib/base/sync.h"
#include "lib/store/store.h"
#include <stdatomic.h>

struct distribution_row {
    char *repository, *blob, *media_type;
    int64_t blob_size;
};
struct layer {
    struct store_layer base; /* first: a store_layer is a layer */
    struct distribution_row *rows;
    size_t row_count;
};

struct store {
    char *root;
    struct db *db;
    int root_fd, layers_fd, blobs_fd, tmp_fd, trash_fd;
    /* the engine's lock */
    struct map *images;  /* id -> struct store_image * */
    struct map *refs;    /* canonical -> struct store_image * */
    struct map *layers;  /* diff id -> struct layer * */
    struct map *pins;    /* digest -> count as intptr_t */
    struct store_image **order; /* newest first */
    size_t image_count, image_room;
    /* disk_lock: small, held over single renames */
    struct mutex disk_lock;
    struct map *doomed;  /* "layers/<hex>" or "blobs/<hex>" */
    char **fresh;        /* digests of blobs that may have no user: looked at by the next collect */
};

struct layer *layer_of(struct store *store, const char *diff_id);
void layer_forget(struct store *store, struct layer *layer); /* out of the map and freed; rows are not queued */
void image_free(struct store_image *image);
void image_insert(struct store *store, struct store_image *image); /* into map and order; refs and layers counted by the caller */
void image_remove(struct store *store, struct store_image *image); /* out of everything, rows queued, freed */
void image_link(struct store *store, struct store_image *image);   /* counts: layers, parent, children */
void ref_take_away(struct store *store, struct store_image *image, const char *canonical);
void ref_point(struct store *store, struct store_image *image, const char *canonical);
void layer_rows_queue(struct store *store, struct layer *layer);
bool store_pinned(const struct store *store, const char *digest);
void blob_maybe_unused(struct store *store, const char *digest); /* NULL ok */
void doom(struct store *store, const char *kind, const char *digest);
int store_sweep_orphans(struct store *store, struct err *err);
const char *hex_of(const char *digest); /* 64 digits behind "sha256:", asserted */
int store_load(struct store *store, struct err *err);
