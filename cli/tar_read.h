/* Reads the entries of a tar stream from a stranger: ustar, pax and GNU names. Every length is bounded; what is not known
 * (sparse files, other types) is refused by name. Names come as they stand: whoever makes files of them checks them. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include <stdint.h>
#include <sys/types.h>

struct tar_member {
    char *name, *link; /* the reader's, until the next entry */
    char type;         /* '0' file, '1' hard link, '2' symbolic link, '3' '4' devices, '5' directory, '6' fifo */
    mode_t mode;
    uint64_t size;
    int64_t mtime;
    unsigned major, minor;
};
struct tar_reader {
    ssize_t (*read)(void *arg, void *bytes, size_t size, struct err *err);
    void *arg;
    uint64_t count;   /* bytes read in all */
    uint64_t left;    /* of the entry's content */
    unsigned padding; /* behind it */
    struct tar_member member;
};
/* 1: *ret (borrowed) is the next entry, content not yet read; 0: the end; -1: ERR_INVALID, or what read said. */
int tar_next(struct tar_reader *reader, const struct tar_member **ret, struct err *err);
/* Content of the entry: > 0, 0 at its end, -1. What is not read is skipped by tar_next. */
ssize_t tar_content(struct tar_reader *reader, void *bytes, size_t size, struct err *err);
/* Reads on to the end of the stream, so that the connection can be used again. */
int tar_drain(struct tar_reader *reader, struct err *err);
void tar_reader_done(struct tar_reader *reader);
#define AUTO_TAR_READER __attribute__((cleanup(tar_reader_done)))
