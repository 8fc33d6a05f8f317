/* libarchive's "raw" format with the two filters our own inflaters do not have. */
#include "lib/archive/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

struct foreign_filter {
    struct archive *archive;
    struct chunk_buffer *input;
    struct err failure; /* of the reader below, inside libarchive's callback */
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **ret_bytes)
{
    struct foreign_filter *filter = arg;
    struct chunker chunker = chunk_buffer_chunker(filter->input);
    const unsigned char *bytes;
    size_t length;
    int more = chunker.next(chunker.arg, &bytes, &length, &filter->failure);
    if (more < 0)
        archive_set_error(archive, EIO, "%s", filter->failure.text);
    if (more <= 0)
        return more;
    *ret_bytes = bytes;
    return (la_ssize_t)length;
}

void foreign_filter_close(struct foreign_filter *filter)
{
    if (!filter)
        return;
    if (filter->archive)
        archive_read_free(filter->archive);
    chunk_buffer_free(filter->input);
    free(filter);
}
CLEANUP_FN(struct foreign_filter, foreign_filter_close)

static int failed(const struct foreign_filter *filter, struct err *err)
{
    if (filter->failure.kind != ERR_NONE) {
        *err = filter->failure;
        return -1;
    }
    return err_set(err, ERR_INVALID, "decompress: %s", archive_error_string(filter->archive));
}

int foreign_filter_open(struct reader from, struct foreign_filter **ret, struct err *err)
{
    CLEANUP(foreign_filter_close) struct foreign_filter *filter = xcalloc(1, sizeof *filter);
    struct archive_entry *entry;
    filter->input = chunk_buffer_new(from);
    filter->archive = archive_read_new();
    if (!filter->archive)
        return err_sys(err, ENOMEM, "decompress");
    archive_read_support_format_raw(filter->archive);
    archive_read_support_filter_xz(filter->archive);
    archive_read_support_filter_bzip2(filter->archive);
    if (archive_read_open(filter->archive, filter, NULL, on_read, NULL) != ARCHIVE_OK ||
        archive_read_next_header(filter->archive, &entry) != ARCHIVE_OK)
        return failed(filter, err);
    *ret = take_ptr(&filter);
    return 0;
}

ssize_t foreign_filter_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct foreign_filter *filter = arg;
    la_ssize_t n = archive_read_data(filter->archive, bytes, size);
    return n < 0 ? failed(filter, err) : (ssize_t)n;
}
