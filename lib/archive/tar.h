/* Tar in and out. Reading: ustar, GNU (long names, sparse 'S'), pax ('x' records of path, linkpath, size, uid, gid, mtime, SCHILY.xattr.*,
 * GNU.sparse 0.0, 0.1, 1.0); 'g' headers are skipped, as Docker does. Writing: one canonical form, a pure function of the entries, whose
 * version is TAR_CANONICAL_VERSION; it may never change without a new number.
 *
 * The reader trusts nothing: every number is checked, one header's records are at most TAR_PAX_MAX, a path TAR_PATH_MAX, an extended
 * attribute TAR_XATTR_MAX bytes, a sparse map TAR_SPARSE_MAX regions, an archive TAR_ENTRIES_MAX entries. Its memory is bounded by these
 * (below 20 MiB), whatever the archive's size. Names come as they are: the caller decides what may be made of them. */
#pragma once
#include "lib/archive/stream.h"
#include "lib/base/buf.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_CANONICAL_VERSION 1
#define TAR_PAX_MAX ((uint64_t)1 << 20)
#define TAR_PATH_MAX 4095
#define TAR_XATTR_MAX ((size_t)64 << 10)
#define TAR_SPARSE_MAX 65536
#define TAR_ENTRIES_MAX 2000000

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR, TAR_FIFO };
struct tar_xattr {
    char *name;
    char *value; /* length bytes */
    size_t length;
};
struct tar_entry {
    enum tar_type type;
    char *path, *link; /* link NULL unless HARDLINK or SYMLINK */
    mode_t mode;       /* permission bits with setuid, setgid, sticky */
    uid_t uid;
    gid_t gid;
    int64_t mtime_s;
    long mtime_ns;
    uint64_t size; /* of a FILE, holes included */
    bool sparse;
    unsigned dev_major, dev_minor;
    struct tar_xattr *xattrs;
    size_t xattr_count;
};

struct tar_reader;
struct tar_reader *tar_reader_new(struct chunker from);
void tar_reader_free(struct tar_reader *reader);
/* 1: *ret borrows from the reader until the next call; 0: the end of the archive; -1: ERR_INVALID for what is not a tar archive, with the
 * name of the entry at fault. Data that was not read is skipped. */
int tar_reader_next(struct tar_reader *reader, struct tar_entry *ret, struct err *err);
/* Data of the current entry piece by piece, in ascending offsets; holes are left out. 1, 0 at its end, -1. */
int tar_reader_data(struct tar_reader *reader, const unsigned char **ret_bytes, size_t *ret_length, uint64_t *ret_offset, struct err *err);
/* How much of the current entry's data lies next in the stream itself, nothing read ahead (0: some is, or the reader must see it). A caller that
 * takes it from there without the reader says so. */
uint64_t tar_reader_ahead(const struct tar_reader *reader);
void tar_reader_took(struct tar_reader *reader, uint64_t length);
/* Reads whatever follows the end mark, so that hashes over the stream see all of it. */
int tar_reader_drain(struct tar_reader *reader, struct err *err);
/* Every byte of the stream but the data of files that tar_reader_data() gave (that of sparse files included) also goes to fn. */
void tar_reader_tap(struct tar_reader *reader, void (*fn)(void *arg, const void *bytes, size_t length), void *arg);
/* Is this 512-byte block a tar header, or the zero block that ends an empty archive? */
bool tar_looks_like(const unsigned char *block, size_t length);

struct tar_writer;
struct tar_writer *tar_writer_new(struct writer to);
void tar_writer_free(struct tar_writer *writer);
/* Header only; a FILE must be followed by exactly size bytes of data. Times are cut to seconds, xattrs must be sorted by name. A DIR's
 * path gets its slash here. */
int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err);
int tar_writer_data(struct tar_writer *writer, const void *bytes, size_t length, struct err *err);
int tar_writer_zeros(struct tar_writer *writer, uint64_t length, struct err *err);
int tar_writer_end(struct tar_writer *writer, struct err *err); /* two zero blocks, nothing beyond */

/* xz and bzip2, which only outer streams of load and import have. *ret reads the plain bytes. */
struct foreign_filter;
int foreign_filter_open(struct reader from, struct foreign_filter **ret, struct err *err);
ssize_t foreign_filter_read(void *filter, void *bytes, size_t size, struct err *err);
void foreign_filter_close(struct foreign_filter *filter);
