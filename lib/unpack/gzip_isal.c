#include "lib/unpack/gzip.h"

#include "lib/base/mem.h"

#include <isa-l/igzip_lib.h>

struct gunzip {
    struct inflate_state state;
};

struct gunzip *gunzip_new(void)
{
    struct gunzip *gunzip = xcalloc(1, sizeof *gunzip);
    isal_inflate_init(&gunzip->state);
    gunzip->state.crc_flag = ISAL_GZIP;
    return gunzip;
}

void gunzip_free(struct gunzip *gunzip)
{
    free(gunzip);
}

void gunzip_reset(struct gunzip *gunzip)
{
    isal_inflate_reset(&gunzip->state);
    gunzip->state.crc_flag = ISAL_GZIP;
}

static uint8_t *mutable_bytes(const unsigned char *bytes)
{
    uint8_t *ret;
    memcpy(&ret, &bytes, sizeof ret); /* the library forgot a const */
    return ret;
}

int gunzip_run(struct gunzip *gunzip, struct gzip_io *io, struct err *err)
{
    struct inflate_state *state = &gunzip->state;
    state->next_in = mutable_bytes(io->in);
    state->avail_in = (uint32_t)MIN(io->in_length, (size_t)1 << 30);
    state->next_out = io->out;
    state->avail_out = (uint32_t)MIN(io->out_length, (size_t)1 << 30);
    int r = isal_inflate(state);
    io->in_length -= (size_t)(state->next_in - io->in);
    io->in = state->next_in;
    io->out_length -= (size_t)(state->next_out - io->out);
    io->out = state->next_out;
    if (r == ISAL_INCORRECT_CHECKSUM)
        return err_set(err, ERR_INVALID, "gzip: invalid checksum");
    if (r < 0)
        return err_set(err, ERR_INVALID, "gzip: invalid data (%d)", r);
    return state->block_state == ISAL_BLOCK_FINISH;
}

struct gzip {
    struct isal_zstream stream;
    uint8_t level_buffer[ISAL_DEF_LVL1_DEFAULT];
};

struct gzip *gzip_new(void)
{
    struct gzip *gzip = xcalloc(1, sizeof *gzip);
    isal_deflate_init(&gzip->stream);
    gzip->stream.gzip_flag = IGZIP_GZIP;
    gzip->stream.level = 1;
    gzip->stream.level_buf = gzip->level_buffer;
    gzip->stream.level_buf_size = sizeof gzip->level_buffer;
    return gzip;
}

void gzip_free(struct gzip *gzip)
{
    free(gzip);
}

int gzip_run(struct gzip *gzip, struct gzip_io *io, bool end, struct err *err)
{
    struct isal_zstream *stream = &gzip->stream;
    stream->next_in = mutable_bytes(io->in);
    stream->avail_in = (uint32_t)MIN(io->in_length, (size_t)1 << 30);
    stream->next_out = io->out;
    stream->avail_out = (uint32_t)MIN(io->out_length, (size_t)1 << 30);
    stream->end_of_stream = end && stream->avail_in == io->in_length;
    stream->flush = NO_FLUSH;
    int r = isal_deflate(stream);
    io->in_length -= (size_t)(stream->next_in - io->in);
    io->in = stream->next_in;
    io->out_length -= (size_t)(stream->next_out - io->out);
    io->out = stream->next_out;
    if (r != COMP_OK)
        return err_set(err, ERR_INTERNAL, "gzip: compress: %d", r);
    return stream->internal_state.state == ZSTATE_END;
}
