/* xz by liblzma, bzip2 by libbz2: any number of streams behind each other. */
#include "lib/archive/tar.h"

#include <bzlib.h>
#include <lzma.h>
#include <string.h>

#define XZ_MEMORY_MAX ((uint64_t)256 << 20)

struct foreign_filter {
    struct chunk_buffer *input;
    const unsigned char *bytes; /* of the input, not used up yet */
    size_t length;
    bool input_ended, bzip2, stream_open, ended;
    lzma_stream xz;
    bz_stream bz;
};

void foreign_filter_close(struct foreign_filter *filter)
{
    if (!filter)
        return;
    if (filter->stream_open && filter->bzip2)
        BZ2_bzDecompressEnd(&filter->bz);
    else if (filter->stream_open)
        lzma_end(&filter->xz);
    chunk_buffer_free(filter->input);
    free(filter);
}
CLEANUP_FN(struct foreign_filter, foreign_filter_close)

static int broken(struct err *err)
{
    return err_set(err, ERR_INVALID, "decompress: the stream is damaged");
}

static int begin_stream(struct foreign_filter *filter, struct err *err)
{
    filter->xz = (lzma_stream)LZMA_STREAM_INIT;
    filter->bz = (bz_stream){ 0 };
    bool good = filter->bzip2 ? BZ2_bzDecompressInit(&filter->bz, 0, 0) == BZ_OK :
                                lzma_stream_decoder(&filter->xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK;
    filter->stream_open = good;
    return good ? 0 : err_set(err, ERR_INTERNAL, "decompress: out of memory");
}

int foreign_filter_open(struct reader from, struct foreign_filter **ret, struct err *err)
{
    CLEANUP(foreign_filter_close) struct foreign_filter *filter = xcalloc(1, sizeof *filter);
    const unsigned char *magic;
    filter->input = chunk_buffer_new(from);
    ssize_t length = chunk_buffer_peek(filter->input, &magic, 6, err);
    if (length < 0)
        return -1;
    filter->bzip2 = length >= 3 && memcmp(magic, "BZh", 3) == 0;
    if (begin_stream(filter, err) < 0)
        return -1;
    *ret = take_ptr(&filter);
    return 0;
}

static int fill(struct foreign_filter *filter, struct err *err)
{
    struct chunker chunker = chunk_buffer_chunker(filter->input);
    if (filter->length || filter->input_ended)
        return 0;
    int more = chunker.next(chunker.arg, &filter->bytes, &filter->length, err);
    filter->input_ended = more == 0;
    return more < 0 ? -1 : 0;
}

/* Bytes written, 0 to go on (or the end), -1. */
static ssize_t run_xz(struct foreign_filter *filter, void *bytes, size_t size, struct err *err)
{
    lzma_stream *xz = &filter->xz;
    xz->next_in = filter->bytes;
    xz->avail_in = filter->length;
    xz->next_out = bytes;
    xz->avail_out = size;
    lzma_ret result = lzma_code(xz, filter->input_ended ? LZMA_FINISH : LZMA_RUN);
    filter->bytes = xz->next_in;
    filter->length = xz->avail_in;
    filter->ended = result == LZMA_STREAM_END;
    if (result == LZMA_MEMLIMIT_ERROR)
        return err_set(err, ERR_INVALID, "decompress: it would need more than %llu MiB of memory", (unsigned long long)(XZ_MEMORY_MAX >> 20));
    if (result != LZMA_OK && result != LZMA_STREAM_END && !(result == LZMA_BUF_ERROR && !filter->input_ended))
        return broken(err);
    return (ssize_t)(size - xz->avail_out);
}

static ssize_t run_bzip2(struct foreign_filter *filter, void *bytes, size_t size, struct err *err)
{
    bz_stream *bz = &filter->bz;
    char *in;
    memcpy(&in, &filter->bytes, sizeof in); /* the library's const is missing */
    unsigned room = (unsigned)MIN(size, (size_t)1 << 30);
    bz->next_in = in;
    bz->avail_in = (unsigned)filter->length;
    bz->next_out = bytes;
    bz->avail_out = room;
    int result = BZ2_bzDecompress(bz);
    filter->bytes += filter->length - bz->avail_in;
    filter->length = bz->avail_in;
    size_t made = room - bz->avail_out;
    if (result != BZ_OK && result != BZ_STREAM_END)
        return broken(err);
    if (result == BZ_STREAM_END) { /* perhaps another one follows */
        BZ2_bzDecompressEnd(bz);
        filter->stream_open = false;
    } else if (made == 0 && filter->input_ended) {
        return broken(err);
    }
    return (ssize_t)made;
}

ssize_t foreign_filter_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct foreign_filter *filter = arg;
    ssize_t made = 0;
    while (made == 0 && size > 0) {
        if (fill(filter, err) < 0)
            return -1;
        if (!filter->stream_open)
            filter->ended = filter->length == 0 && filter->input_ended;
        if (filter->ended)
            return 0;
        if (!filter->stream_open && begin_stream(filter, err) < 0)
            return -1;
        made = filter->bzip2 ? run_bzip2(filter, bytes, size, err) : run_xz(filter, bytes, size, err);
    }
    return made;
}
