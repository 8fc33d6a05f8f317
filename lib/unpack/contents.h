/* What files hold, remembered by their inode while they are written: a sha256 each. So what has just been unpacked need not be read again
 * to be hashed. Good for one file system, and for files that nobody writes to afterwards. */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include <stdint.h>
#include <sys/types.h>

#define CONTENT_DIGEST_SIZE 32
struct contents;
struct contents *contents_new(void);
void contents_free(struct contents *contents);
CLEANUP_FN(struct contents, contents_free)
/* Of two the later counts. digest NULL: nothing is known of this inode (any more). */
void contents_put(struct contents *contents, ino_t inode, uint64_t size, const unsigned char *digest);
/* NULL when it is unknown, or was of another size. Not while puts go on. */
const unsigned char *contents_find(struct contents *contents, ino_t inode, uint64_t size);
/* To a file and back. Both 0 or -1. */
int contents_save(struct contents *contents, int fd, struct err *err);
int contents_load(int fd, struct contents **ret, struct err *err);
