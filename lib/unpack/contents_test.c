#include "lib/base/fd.h"
#include "lib/base/test.h"
#include "lib/unpack/contents.h"

#include <sys/mman.h>
#include <unistd.h>

static void put(struct contents *contents, ino_t inode, uint64_t size, unsigned char what)
{
    unsigned char digest[CONTENT_DIGEST_SIZE];
    memset(digest, what, sizeof digest);
    contents_put(contents, inode, size, digest);
}

static int find(struct contents *contents, ino_t inode, uint64_t size)
{
    const unsigned char *digest = contents_find(contents, inode, size);
    return digest ? digest[CONTENT_DIGEST_SIZE - 1] : -1;
}

TEST(later_counts)
{
    CLEANUP(contents_free) struct contents *contents = contents_new();
    CHECK_INT(find(contents, 1, 5), -1);
    for (ino_t inode = 1000; inode > 0; inode--)
        put(contents, inode, inode * 2, (unsigned char)inode);
    put(contents, 7, 3, 100);
    contents_put(contents, 8, 16, NULL);
    contents_put(contents, 9, 18, NULL);
    put(contents, 9, 18, 200);
    CHECK_INT(find(contents, 1000, 2000), 1000 & 255);
    CHECK_INT(find(contents, 1000, 2001), -1);
    CHECK_INT(find(contents, 7, 14), -1);
    CHECK_INT(find(contents, 7, 3), 100);
    CHECK_INT(find(contents, 8, 16), -1);
    CHECK_INT(find(contents, 9, 18), 200);
    CHECK_INT(find(contents, 2000, 0), -1);
    put(contents, 7, 4, 101); /* also after a search */
    CHECK_INT(find(contents, 7, 4), 101);
}

TEST(saved_and_loaded)
{
    struct err err = { 0 };
    CLEANUP(contents_free) struct contents *contents = contents_new(), *loaded = NULL, *nothing = NULL;
    AUTO_FD int fd = memfd_create("contents", MFD_CLOEXEC);
    AUTO_FD int empty_fd = memfd_create("empty", MFD_CLOEXEC);
    put(contents, 3, 30, 3);
    put(contents, 2, 20, 2);
    put(contents, 3, 31, 4);
    CHECK_INT(contents_save(contents, fd, &err), 0);
    lseek(fd, 0, SEEK_SET);
    CHECK_INT(contents_load(fd, &loaded, &err), 0);
    CHECK_INT(find(loaded, 2, 20), 2);
    CHECK_INT(find(loaded, 3, 31), 4);
    CHECK_INT(find(loaded, 3, 30), -1);
    CHECK_INT(contents_load(empty_fd, &nothing, &err), 0);
    CHECK_INT(find(nothing, 2, 20), -1);
}

TESTS(T(later_counts), T(saved_and_loaded))
