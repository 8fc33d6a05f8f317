#include "lib/unpack/unpack.h"

#include "lib/base/str.h"
#include "lib/unpack/recipe.h"
#include "lib/unpack/ring.h"

#include <errno.h>

struct pipeline {
    struct hashing_reader blob;
    struct inflater *inflater;
    struct ring ring;
};

static void *fill_ring(void *arg)
{
    struct pipeline *pipe = arg;
    struct err err = { 0 };
    unsigned char *slot;
    while ((slot = ring_slot(&pipe->ring))) {
        size_t have = 0;
        ssize_t n = 1;
        while (have < RING_SLOT_SIZE && (n = inflater_read(pipe->inflater, slot + have, RING_SLOT_SIZE - have, &err)) > 0)
            have += (size_t)n;
        if (have)
            ring_fill(&pipe->ring, have);
        if (n <= 0) {
            ring_end(&pipe->ring, n < 0 ? &err : NULL);
            break;
        }
    }
    return NULL;
}

/* The draining side's view: chunks of the ring, hashed on their way. */
struct tar_stream {
    struct ring *ring;
    struct hash hash;
    bool hashing;
    uint64_t total;
};

static int next_tar_chunk(void *arg, const unsigned char **ret_bytes, size_t *ret_length, struct err *err)
{
    struct tar_stream *stream = arg;
    int more = ring_next(stream->ring, ret_bytes, ret_length, err);
    if (more <= 0)
        return more;
    stream->total += *ret_length;
    if (stream->hashing)
        hash_add(&stream->hash, *ret_bytes, *ret_length);
    return 1;
}

static int drain(struct tar_stream *stream, const struct unpack_request *request, struct unpack_result *ret, struct err *err)
{
    struct extract_options options = { .layer = request->layer };
    struct tar_reader *reader = tar_reader_new((struct chunker){ next_tar_chunk, stream });
    if (request->recipe_fd >= 0) {
        options.recipe = recipe_writer_new(request->recipe_fd);
        tar_reader_tap(reader, recipe_literal, options.recipe);
    }
    int r = extract_tar(reader, request->dir_fd, &options, &ret->tree, err);
    if (r == 0)
        r = tar_reader_drain(reader, err);
    if (r == 0 && options.recipe) {
        r = recipe_writer_end(options.recipe, stream->total, err);
        ret->has_recipe = r > 0;
    }
    tar_reader_free(reader);
    recipe_writer_free(options.recipe);
    return MIN(r, 0);
}

static int expect(const char *wanted, const char *got, const char *what, struct err *err)
{
    if (str_empty(wanted) || str_eq(wanted, got))
        return 0;
    return err_set(err, ERR_INVALID, "%s mismatch: expected %s, got %s", what, wanted, got);
}

static int check(const struct unpack_request *request, const struct unpack_result *result, struct err *err)
{
    if (request->size && request->size != result->blob_size)
        return err_set(err, ERR_INVALID, "size mismatch: expected %llu bytes, got %llu", (unsigned long long)request->size,
                       (unsigned long long)result->blob_size);
    if (expect(request->digest, result->digest, "digest", err) < 0)
        return -1;
    return expect(request->diff_id, result->diff_id, "diffID", err);
}

static int run(struct pipeline *pipe, const struct unpack_request *request, struct unpack_result *ret, struct err *err)
{
    pthread_t thread;
    bool plain = inflater_kind(pipe->inflater) == STREAM_PLAIN;
    struct tar_stream stream = { .ring = &pipe->ring, .hashing = !plain }; /* plain: blob and tar are the same bytes */
    if (stream.hashing)
        hash_init(&stream.hash);
    int r = pthread_create(&thread, NULL, fill_ring, pipe);
    if (r) {
        hash_done(&stream.hash);
        return err_sys(err, r, "start a thread");
    }
    r = drain(&stream, request, ret, err);
    ring_stop(&pipe->ring);
    pthread_join(thread, NULL);
    if (r == 0) {
        hash_text(&pipe->blob.hash, ret->digest);
        if (plain)
            memcpy(ret->diff_id, ret->digest, sizeof ret->diff_id);
        else
            hash_text(&stream.hash, ret->diff_id);
        ret->kind = inflater_kind(pipe->inflater);
        ret->blob_size = pipe->blob.total;
        ret->tar_size = stream.total;
        r = check(request, ret, err);
    }
    hash_done(&stream.hash);
    return r;
}

int unpack_layer(const struct unpack_request *request, struct unpack_result *ret, struct err *err)
{
    struct unpack_result result = { .blob_size = 0 };
    struct pipeline pipe = {
        .blob = { .from = request->from, .hashing = true, .keep_fd = request->keep_fd, .on_progress = request->on_progress,
                  .progress_arg = request->arg },
    };
    hash_init(&pipe.blob.hash);
    ring_init(&pipe.ring);
    int r = inflater_open((struct reader){ hashing_reader_read, &pipe.blob }, request->foreign, &pipe.inflater, err);
    if (r == 0)
        r = run(&pipe, request, &result, err);
    inflater_close(pipe.inflater);
    ring_done(&pipe.ring);
    hash_done(&pipe.blob.hash);
    if (r < 0)
        extract_result_done(&result.tree);
    else
        *ret = result;
    return r;
}
