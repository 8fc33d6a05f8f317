/* The inside of the save job: an archive that is docker-archive and OCI layout at once, as `docker save` writes it. Every layer is a plain tar
 * whose bytes are what its diff id names, each once. */
#pragma once
#include "daemon/worker/worker.h"
#include "lib/base/buf.h"
#include "lib/json/value.h"
#include "lib/unpack/hash.h"

struct save_layer {
    const char *diff_id; /* borrowed of the params */
    int fd;              /* of the tree, or of the kept blob */
    int recipe_fd;       /* -1: none */
    bool is_blob;
    char **opaque;
    uint64_t size; /* of the tar */
};
struct save_document { /* a blob of text */
    char digest[HASH_TEXT_SIZE];
    const char *text;
    size_t length;
    char *owned; /* text, when it was made here */
};
struct save {
    const struct job_save *params;
    struct save_layer *layers;
    size_t layer_count;
    struct save_document *documents; /* configs and manifests */
    size_t document_count;
};
const struct save_layer *save_find_layer(const struct save *save, const char *diff_id); /* NULL */

/* save_layout.c. Adds every image's config and manifest to save->documents. ERR_INTERNAL for an image with a layer that was not handed over. */
int save_make_documents(struct save *save, struct err *err);
/* The four files beside the blobs; "" for repositories when there is no tag. */
struct save_index {
    struct buf index, manifest, repositories;
};
#define SAVE_TEXT_MAX ((size_t)32 << 20)
void save_make_index(const struct save *save, struct save_index *ret);
