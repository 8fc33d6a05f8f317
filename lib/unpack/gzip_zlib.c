#include "lib/unpack/gzip.h"

#include "lib/base/mem.h"

#include <zlib.h>

struct gunzip {
    z_stream stream;
};

static void load(z_stream *stream, const struct gzip_io *io)
{
    memcpy(&stream->next_in, &io->in, sizeof stream->next_in); /* const-less by default */
    stream->avail_in = (uInt)MIN(io->in_length, (size_t)1 << 30);
    stream->next_out = io->out;
    stream->avail_out = (uInt)MIN(io->out_length, (size_t)1 << 30);
}

static void store(const z_stream *stream, struct gzip_io *io)
{
    io->in_length -= (size_t)(stream->next_in - io->in);
    io->in = stream->next_in;
    io->out_length -= (size_t)(stream->next_out - io->out);
    io->out = stream->next_out;
}

struct gunzip *gunzip_new(void)
{
    struct gunzip *gunzip = xcalloc(1, sizeof *gunzip);
    if (inflateInit2(&gunzip->stream, 15 + 16) != Z_OK)
        abort(); /* out of memory */
    return gunzip;
}

void gunzip_free(struct gunzip *gunzip)
{
    if (!gunzip)
        return;
    inflateEnd(&gunzip->stream);
    free(gunzip);
}

void gunzip_reset(struct gunzip *gunzip)
{
    inflateReset(&gunzip->stream);
}

int gunzip_run(struct gunzip *gunzip, struct gzip_io *io, struct err *err)
{
    load(&gunzip->stream, io);
    int r = inflate(&gunzip->stream, Z_NO_FLUSH);
    store(&gunzip->stream, io);
    if (r == Z_STREAM_END)
        return 1;
    if (r == Z_OK || r == Z_BUF_ERROR)
        return 0;
    return err_set(err, ERR_INVALID, "gzip: %s", gunzip->stream.msg ? gunzip->stream.msg : "invalid data");
}

struct gzip {
    z_stream stream;
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = xcalloc(1, sizeof *gzip);
    if (deflateInit2(&gzip->stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* out of memory */
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

int gzip_run(struct gzip *gzip, struct gzip_io *io, bool end, struct err *err)
{
    load(&gzip->stream, io);
    int r = deflate(&gzip->stream, end ? Z_FINISH : Z_NO_FLUSH);
    store(&gzip->stream, io);
    if (r == Z_STREAM_END)
        return 1;
    return r == Z_OK || r == Z_BUF_ERROR ? 0 : err_set(err, ERR_INTERNAL, "gzip: compress: %d", r);
}
