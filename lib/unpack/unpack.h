/* A layer's bytes become a layer's tree: two threads, one that reads, hashes and inflates, one that hashes the tar and writes files, with
 * 4 MiB between them. Memory, whatever the layer's size: 4 MiB ring + 256 KiB input + the inflater (below 1 MiB for gzip, at most
 * 128 MiB for a zstd window) + the tar reader (20 MiB) + directory times (extract.h). Nothing is believed before both digests agree: on
 * failure the directory holds rubbish and the caller removes it. */
#pragma once
#include "lib/unpack/extract.h"
#include "lib/unpack/hash.h"
#include "lib/unpack/inflate.h"

struct unpack_request {
    struct reader from;
    int dir_fd;
    const char *digest, *diff_id; /* expected; NULL or "" = do not check */
    uint64_t size;                /* expected of the blob, 0 = unknown */
    int keep_fd;                  /* -1, or where the blob's bytes go as well */
    int recipe_fd;                /* -1, or a file for the recipe (lib/unpack/recipe.h) */
    bool foreign;                 /* xz and bzip2 too */
    bool layer;                   /* whiteouts; false: plain archive */
    void (*on_progress)(void *arg, uint64_t blob_bytes);
    void *arg;
};
struct unpack_result {
    char digest[HASH_TEXT_SIZE], diff_id[HASH_TEXT_SIZE];
    enum stream_kind kind;
    uint64_t blob_size, tar_size;
    bool has_recipe;
    struct extract_result tree;
};
/* ERR_INVALID for a wrong digest ("digest mismatch: ..."), size or stream. ret->tree is the caller's (extract_result_done). */
int unpack_layer(const struct unpack_request *request, struct unpack_result *ret, struct err *err);
