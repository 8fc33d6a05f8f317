/* The tar is made and hashed by the calling thread; a second one compresses, hashes and writes what comes out. */
#include "lib/unpack/pack.h"

#include "lib/base/io.h"
#include "lib/unpack/gzip.h"
#include "lib/unpack/recipe.h"
#include "lib/unpack/ring.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>
#include <zstd.h>

#define OUT_SIZE ((size_t)256 << 10)
#define ZSTD_LEVEL 3

struct output {
    int fd;
    struct hash hash;
    uint64_t total;
};

static int output_put(struct output *output, const void *bytes, size_t length, struct err *err)
{
    hash_add(&output->hash, bytes, length);
    output->total += length;
    int r = io_write_all(output->fd, bytes, length);
    return r < 0 ? err_sys(err, r, "write the packed layer") : 0;
}

struct packer {
    struct hash tar_hash;
    uint64_t tar_size;
    enum pack_compression compression;
    struct output output;
    struct ring ring; /* compressed packs only: tar bytes on their way to the second thread */
    unsigned char *slot;
    size_t slot_used;
    struct err failure; /* of the second thread */
};

static int feed_ring(struct packer *packer, const unsigned char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        if (!packer->slot)
            packer->slot = ring_slot(&packer->ring);
        if (!packer->slot)
            return err_set(err, ERR_INTERNAL, "the compressor has stopped");
        size_t n = MIN(length, RING_SLOT_SIZE - packer->slot_used);
        memcpy(packer->slot + packer->slot_used, bytes, n);
        packer->slot_used += n;
        bytes += n;
        length -= n;
        if (packer->slot_used == RING_SLOT_SIZE) {
            ring_fill(&packer->ring, packer->slot_used);
            packer->slot = NULL;
            packer->slot_used = 0;
        }
    }
    return 0;
}

static int put_tar(void *arg, const void *bytes, size_t length, struct err *err)
{
    struct packer *packer = arg;
    hash_add(&packer->tar_hash, bytes, length);
    packer->tar_size += length;
    if (packer->output.fd < 0)
        return 0;
    return packer->compression == PACK_NONE ? output_put(&packer->output, bytes, length, err) : feed_ring(packer, bytes, length, err);
}

static int compress_gzip(struct packer *packer, struct gzip *gzip, unsigned char *out, struct err *err)
{
    struct gzip_io io = { 0 };
    bool last = false;
    for (int state = 0; state == 0;) {
        if (io.in_length == 0 && !last) {
            int more = ring_next(&packer->ring, &io.in, &io.in_length, err);
            if (more < 0)
                return -1;
            last = more == 0;
        }
        io.out = out;
        io.out_length = OUT_SIZE;
        state = gzip_run(gzip, &io, last, err);
        if (state < 0 || output_put(&packer->output, out, OUT_SIZE - io.out_length, err) < 0)
            return -1;
    }
    return 0;
}

static int compress_zstd(struct packer *packer, ZSTD_CCtx *zstd, unsigned char *out, struct err *err)
{
    ZSTD_inBuffer in = { NULL, 0, 0 };
    bool last = false;
    size_t left = 1;
    while (!last || left) {
        if (in.pos == in.size && !last) {
            const unsigned char *bytes = NULL;
            size_t length = 0;
            int more = ring_next(&packer->ring, &bytes, &length, err);
            if (more < 0)
                return -1;
            last = more == 0;
            in = (ZSTD_inBuffer){ bytes, length, 0 };
        }
        ZSTD_outBuffer room = { out, OUT_SIZE, 0 };
        left = ZSTD_compressStream2(zstd, &room, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
        if (output_put(&packer->output, out, room.pos, err) < 0)
            return -1;
    }
    return 0;
}

static ZSTD_CCtx *zstd_new(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    /* A library without threads refuses this and works alone. */
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, cpus > 4 ? 4 : cpus > 1 ? (int)cpus : 1);
    return zstd;
}

static void *compress_thread(void *arg)
{
    struct packer *packer = arg;
    unsigned char *out = xmalloc(OUT_SIZE);
    int r;
    if (packer->compression == PACK_GZIP) {
        struct gzip *gzip = gzip_new();
        r = compress_gzip(packer, gzip, out, &packer->failure);
        gzip_free(gzip);
    } else {
        ZSTD_CCtx *zstd = zstd_new();
        r = compress_zstd(packer, zstd, out, &packer->failure);
        ZSTD_freeCCtx(zstd);
    }
    if (r < 0)
        ring_stop(&packer->ring);
    free(out);
    return NULL;
}

static int canonical_tar(const struct pack_source *source, struct writer to, bool sizes_only, uint64_t *ret_content, struct err *err)
{
    struct tree_options options = { .layer = true, .opaque = source->opaque, .sizes_only = sizes_only };
    struct tar_writer *writer = tar_writer_new(to);
    int r = tree_to_tar(writer, source->dir_fd, &options, err);
    if (r == 0)
        r = tar_writer_end(writer, err);
    tar_writer_free(writer);
    if (ret_content)
        *ret_content = options.content_size;
    return r;
}

static int recipe_tar(const struct pack_source *source, struct writer to, struct err *err)
{
    struct recipe *recipe;
    ssize_t n;
    if (recipe_open(source->recipe_fd, source->dir_fd, &recipe, err) < 0)
        return -1;
    unsigned char *buffer = xmalloc(OUT_SIZE);
    while ((n = recipe_read(recipe, buffer, OUT_SIZE, err)) > 0) {
        if (to.write(to.arg, buffer, (size_t)n, err) < 0) {
            n = -1;
            break;
        }
    }
    free(buffer);
    recipe_close(recipe);
    return n < 0 ? -1 : 0;
}

int pack_tar(const struct pack_source *source, struct writer to, uint64_t *ret_content, struct err *err)
{
    return source->recipe_fd >= 0 ? recipe_tar(source, to, err) : canonical_tar(source, to, false, ret_content, err);
}

static int count_bytes(void *arg, const void *bytes, size_t length, struct err *err)
{
    uint64_t *total = arg;
    *total += length;
    return 0;
}

int pack_tar_size(const struct pack_source *source, uint64_t *ret, struct err *err)
{
    struct recipe *recipe;
    *ret = 0;
    if (source->recipe_fd < 0)
        return canonical_tar(source, (struct writer){ count_bytes, ret }, true, NULL, err);
    if (recipe_open(source->recipe_fd, source->dir_fd, &recipe, err) < 0)
        return -1;
    *ret = recipe_tar_size(recipe);
    recipe_close(recipe);
    return 0;
}

static int make_compressed(struct packer *packer, const struct pack_source *source, uint64_t *ret_content, struct err *err)
{
    pthread_t thread;
    ring_init(&packer->ring);
    int r = pthread_create(&thread, NULL, compress_thread, packer);
    if (r == 0) {
        r = pack_tar(source, (struct writer){ put_tar, packer }, ret_content, err);
        if (r == 0 && packer->slot_used)
            ring_fill(&packer->ring, packer->slot_used);
        ring_end(&packer->ring, r < 0 ? err : NULL);
        pthread_join(thread, NULL);
        if (packer->failure.kind != ERR_NONE) {
            *err = packer->failure;
            r = -1;
        }
    } else {
        r = err_sys(err, r, "start a thread");
    }
    ring_done(&packer->ring);
    return r;
}

int pack_layer(const struct pack_source *source, enum pack_compression compression, int out_fd, struct pack_result *ret, struct err *err)
{
    struct packer packer = { .compression = compression, .output = { .fd = out_fd } };
    struct pack_result result = { .size = 0 };
    hash_init(&packer.tar_hash);
    hash_init(&packer.output.hash);
    bool direct = out_fd < 0 || compression == PACK_NONE;
    int r = direct ? pack_tar(source, (struct writer){ put_tar, &packer }, &result.content_size, err) :
                     make_compressed(&packer, source, &result.content_size, err);
    if (r == 0) {
        hash_text(&packer.tar_hash, result.diff_id);
        if (out_fd >= 0)
            hash_text(&packer.output.hash, result.digest);
        result.size = packer.output.total;
        result.tar_size = packer.tar_size;
        *ret = result;
    }
    hash_done(&packer.tar_hash);
    hash_done(&packer.output.hash);
    return r;
}
