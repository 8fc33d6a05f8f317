/* Writes the entries of a tar: ustar headers, and pax ones before them for long names and large files. Times are whole
 * seconds, so that the same files make the same bytes. */
#pragma once
#include "lib/base/buf.h"

#include <stdint.h>
#include <sys/types.h>

#define TAR_BLOCK 512

struct tar_entry {
    const char *name; /* no leading slash; a directory's gets its '/' here */
    const char *link; /* target of a symbolic or a hard link */
    char type;        /* '0' file, '1' hard link, '2' symbolic link, '3' '4' devices, '5' directory, '6' fifo */
    mode_t mode;      /* permissions, set-uid and sticky bits */
    uint64_t size;    /* of a file's content, which follows, padded to TAR_BLOCK */
    int64_t mtime;
    uint32_t uid, gid; /* a build's context leaves them 0 */
    unsigned major, minor;
};
void tar_put_header(struct buf *out, const struct tar_entry *entry);
void tar_put_padding(struct buf *out, uint64_t size);
void tar_put_end(struct buf *out);
/* A whole small file. */
void tar_put_file(struct buf *out, const char *name, const void *bytes, size_t length, mode_t mode, int64_t mtime);
/* Does the beginning of a stream look like a tar, plain or packed by gzip, bzip2, xz, zstd? */
#define TAR_SNIFF 512
int tar_looks_like(const void *bytes, size_t length);
