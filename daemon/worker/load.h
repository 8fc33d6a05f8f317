/* The inside of the load job. The archive is read once, in whatever order it comes: layers are extracted as they pass, small documents are
 * kept in memory (TEXT_MAX each, TEXTS_MAX together), and only at the end, when the manifest is known, images are made of them. A name is
 * only ever looked up among the entries of the same archive. */
#pragma once
#include "daemon/worker/worker.h"
#include "lib/archive/tar.h"
#include "lib/base/map.h"
#include "lib/unpack/unpack.h"

#define LOAD_TEXT_MAX ((uint64_t)8 << 20)
#define LOAD_TEXTS_MAX ((uint64_t)64 << 20)
#define LOAD_LAYERS_MAX 2000

struct load_layer {
    char *dir;       /* name in the spool; NULL when the store has it already */
    char *blob_file, *recipe_file; /* names in the spool or NULL */
    char *failure;   /* why it could not be unpacked: told only when an image wants it */
    bool sent;
    const char *media_type;
    struct unpack_result result;
};
struct load_item { /* one of these three */
    char *text;
    size_t length;
    struct load_layer *layer;
    char *link; /* another name in the archive */
};
struct load {
    struct worker *worker;
    int spool_fd;
    bool quiet; /* no progress lines */
    struct map *items; /* normalized name -> struct load_item */
    uint64_t text_bytes;
    unsigned layer_count, image_count;
};
/* load_archive.c: fills load->items */
int load_read_archive(struct load *load, int archive_fd, struct err *err);
void load_done(struct load *load);
const struct load_item *load_find(const struct load *load, const char *name); /* follows links; NULL */
/* load_layout.c: makes images of what is there */
int load_images(struct load *load, struct err *err);
