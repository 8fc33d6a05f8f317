/* ADD of an archive: plain, gzip, bzip2, xz or zstd, known by its bytes, through the extractor that layers go through. */
#include "daemon/worker/build_copy.h"

#include "lib/archive/tar.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/unpack/extract.h"
#include "lib/unpack/inflate.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct archive {
    int fd;
    struct inflater *inflater;
    struct chunk_buffer *chunks;
    struct tar_reader *reader;
};

static void archive_close(struct archive *archive)
{
    tar_reader_free(archive->reader);
    chunk_buffer_free(archive->chunks);
    inflater_close(archive->inflater);
    fd_close(archive->fd);
}
#define AUTO_ARCHIVE __attribute__((cleanup(archive_close)))

static int archive_open(struct copying *copying, const struct found *found, struct archive *ret, struct err *err)
{
    ret->fd = view_open(&copying->source, &found->at, err);
    if (ret->fd < 0 || inflater_open((struct reader){ reader_fd, &ret->fd }, true, &ret->inflater, err) < 0)
        return -1;
    ret->chunks = chunk_buffer_new((struct reader){ inflater_read, ret->inflater });
    ret->reader = tar_reader_new(chunk_buffer_chunker(ret->chunks));
    return 0;
}

int archive_is(struct copying *copying, const struct found *found, struct err *err)
{
    AUTO_ARCHIVE struct archive archive = { .fd = -1 };
    struct tar_entry entry;
    struct err ignored = { 0 };
    if (view_at_is_dir(&found->at) || !S_ISREG(found->at.stat.st_mode))
        return 0;
    (void)err;
    return archive_open(copying, found, &archive, &ignored) == 0 && tar_reader_next(archive.reader, &entry, &ignored) > 0;
}

/* The target is always a directory; --chmod does not count, --chown counts for all that is in the archive. */
int archive_unpack(struct copying *copying, const struct found *found, struct err *err)
{
    AUTO_ARCHIVE struct archive archive = { .fd = -1 };
    AUTO_VIEW_AT struct view_at at = { 0 };
    AUTO_FREE char *target = copy_target(copying->params);
    struct view_new_dir like = copy_new_dir(copying);
    struct extract_options options = { .bounded = true, .behind_links = true, .force_owner = copying->has_owner, .uid = copying->uid, .gid = copying->gid };
    struct extract_result result = { 0 };
    like.mode = 0755;
    if (view_resolve(&copying->dest, target, true, &at, err) < 0 || view_make_dirs(&at, &like, err) < 0)
        return -1;
    if (archive_open(copying, found, &archive, err) < 0 || extract_tar(archive.reader, at.dir->upper_fd, &options, &result, err) < 0)
        return -1;
    copying->files += (int64_t)result.entries;
    copying->bytes += (int64_t)result.content_size;
    extract_result_done(&result);
    return 0;
}
