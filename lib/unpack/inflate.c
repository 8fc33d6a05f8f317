#include "lib/unpack/inflate.h"

#include "lib/archive/tar.h"
#include "lib/unpack/gzip.h"

#include <errno.h>
#include <zstd.h>

#define RATIO_MAX 1000
#define RATIO_AFTER ((uint64_t)64 << 20)

struct inflater {
    enum stream_kind kind;
    struct chunk_buffer *input;
    struct gunzip *gunzip;
    ZSTD_DStream *zstd;
    struct foreign_filter *foreign;
    const unsigned char *in; /* of the current chunk */
    size_t in_length;
    bool in_ended, between; /* between two members or frames */
    uint64_t taken, made;
};

const char *stream_kind_name(enum stream_kind kind)
{
    static const char *const names[] = { "tar", "gzip", "zstd", "xz", "bzip2" };
    return names[kind];
}

enum stream_kind stream_kind_of(const unsigned char *bytes, size_t length)
{
    static const struct {
        const char *magic;
        size_t length;
        enum stream_kind kind;
    } magics[] = {
        { "\x1f\x8b\x08", 3, STREAM_GZIP },
        { "\x28\xb5\x2f\xfd", 4, STREAM_ZSTD },
        { "\xfd"
          "7zXZ\0",
          6, STREAM_XZ },
        { "BZh", 3, STREAM_BZIP2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (length >= magics[i].length && memcmp(bytes, magics[i].magic, magics[i].length) == 0)
            return magics[i].kind;
    if (length >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
        return STREAM_ZSTD; /* begins with a skippable frame */
    return STREAM_PLAIN;
}

void inflater_close(struct inflater *inflater)
{
    if (!inflater)
        return;
    gunzip_free(inflater->gunzip);
    ZSTD_freeDStream(inflater->zstd);
    foreign_filter_close(inflater->foreign);
    chunk_buffer_free(inflater->input);
    free(inflater);
}
CLEANUP_FN(struct inflater, inflater_close)

int inflater_open(struct reader from, bool foreign, struct inflater **ret, struct err *err)
{
    CLEANUP(inflater_close) struct inflater *inflater = xcalloc(1, sizeof *inflater);
    const unsigned char *first = NULL;
    inflater->input = chunk_buffer_new(from);
    ssize_t n = chunk_buffer_peek(inflater->input, &first, 512, err);
    if (n < 0)
        return -1;
    inflater->kind = stream_kind_of(first, (size_t)n);
    bool is_foreign = inflater->kind == STREAM_XZ || inflater->kind == STREAM_BZIP2;
    if (is_foreign && !foreign)
        return err_set(err, ERR_INVALID, "a layer compressed with %s is not supported", stream_kind_name(inflater->kind));
    if (is_foreign) {
        struct reader all = { chunk_buffer_read, inflater->input };
        if (foreign_filter_open(all, &inflater->foreign, err) < 0)
            return -1;
    }
    if (inflater->kind == STREAM_GZIP)
        inflater->gunzip = gunzip_new();
    if (inflater->kind == STREAM_ZSTD) {
        inflater->zstd = ZSTD_createDStream();
        if (!inflater->zstd)
            return err_sys(err, ENOMEM, "zstd");
    }
    *ret = take_ptr(&inflater);
    return 0;
}

enum stream_kind inflater_kind(const struct inflater *inflater)
{
    return inflater->kind;
}

/* 1 there is input, 0 it ended */
static int need_input(struct inflater *inflater, struct err *err)
{
    if (inflater->in_length)
        return 1;
    if (inflater->in_ended)
        return 0;
    struct chunker chunker = chunk_buffer_chunker(inflater->input);
    int more = chunker.next(chunker.arg, &inflater->in, &inflater->in_length, err);
    if (more == 0)
        inflater->in_ended = true;
    if (more > 0)
        inflater->taken += inflater->in_length;
    return more;
}

/* One step: 1 a member ended, 0 go on, -1 */
static int step_gzip(struct inflater *inflater, struct gzip_io *io, struct err *err)
{
    int r = gunzip_run(inflater->gunzip, io, err);
    if (r > 0)
        gunzip_reset(inflater->gunzip);
    return r;
}

static int step_zstd(struct inflater *inflater, struct gzip_io *io, struct err *err)
{
    ZSTD_inBuffer in = { io->in, io->in_length, 0 };
    ZSTD_outBuffer out = { io->out, io->out_length, 0 };
    size_t r = ZSTD_decompressStream(inflater->zstd, &out, &in);
    io->in += in.pos;
    io->in_length -= in.pos;
    io->out += out.pos;
    io->out_length -= out.pos;
    if (ZSTD_isError(r))
        return err_set(err, ERR_INVALID, "zstd: %s", ZSTD_getErrorName(r));
    return r == 0;
}

static int begin_member(struct inflater *inflater, struct err *err)
{
    enum stream_kind kind = stream_kind_of(inflater->in, inflater->in_length);
    bool wrong = inflater->kind == STREAM_GZIP ? inflater->in[0] != 0x1f : kind != STREAM_ZSTD && inflater->in_length >= 4;
    inflater->between = false;
    return wrong ? err_set(err, ERR_INVALID, "%s: garbage behind the end of the stream", stream_kind_name(inflater->kind)) : 0;
}

/* Library state may still hold output when the input is used up, so a step is tried even without input. */
static ssize_t inflate_some(struct inflater *inflater, void *bytes, size_t size, struct err *err)
{
    struct gzip_io io = { .out = bytes, .out_length = size };
    while (io.out_length == size) {
        int more = need_input(inflater, err);
        if (more < 0)
            return -1;
        if (more == 0 && inflater->between)
            return 0;
        if (inflater->between && begin_member(inflater, err) < 0)
            return -1;
        io.in = inflater->in;
        io.in_length = inflater->in_length;
        int ended = inflater->kind == STREAM_GZIP ? step_gzip(inflater, &io, err) : step_zstd(inflater, &io, err);
        if (ended < 0)
            return -1;
        if (more == 0 && !ended && io.out_length == size)
            return err_set(err, ERR_INVALID, "%s: unexpected EOF: the stream is cut off", stream_kind_name(inflater->kind));
        inflater->in = io.in;
        inflater->in_length = io.in_length;
        inflater->between = ended > 0;
    }
    return (ssize_t)(size - io.out_length);
}

static int check_ratio(struct inflater *inflater, struct err *err)
{
    if (inflater->made > RATIO_AFTER && inflater->made / RATIO_MAX > inflater->taken)
        return err_set(err, ERR_INVALID, "the stream inflates more than %d-fold: refused", RATIO_MAX);
    return 0;
}

ssize_t inflater_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct inflater *inflater = arg;
    ssize_t n;
    if (inflater->kind == STREAM_PLAIN)
        return chunk_buffer_read(inflater->input, bytes, size, err);
    n = inflater->foreign ? foreign_filter_read(inflater->foreign, bytes, size, err) : inflate_some(inflater, bytes, size, err);
    if (n > 0)
        inflater->made += (uint64_t)n;
    return n > 0 && !inflater->foreign && check_ratio(inflater, err) < 0 ? -1 : n;
}
