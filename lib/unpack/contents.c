#include "lib/unpack/contents.h"

#include "lib/base/io.h"

#include <stdbool.h>

#define FILE_BYTES_MAX ((size_t)256 << 20)
#define UNKNOWN UINT64_MAX

struct content { /* also what the file holds, one behind the other */
    uint64_t inode, size; /* size UNKNOWN: forgotten */
    uint64_t turn;        /* when it was put */
    unsigned char digest[CONTENT_DIGEST_SIZE];
};
struct contents {
    struct content *items;
    size_t count, capacity;
    uint64_t turns;
    bool sorted; /* by inode, each once */
};

struct contents *contents_new(void)
{
    return xcalloc(1, sizeof(struct contents));
}

void contents_free(struct contents *contents)
{
    if (!contents)
        return;
    free(contents->items);
    free(contents);
}

void contents_put(struct contents *contents, ino_t inode, uint64_t size, const unsigned char *digest)
{
    if (contents->count == contents->capacity) {
        contents->capacity = contents->capacity ? contents->capacity * 2 : 256;
        contents->items = xreallocarray(contents->items, contents->capacity, sizeof *contents->items);
    }
    struct content *item = &contents->items[contents->count++];
    *item = (struct content){ .inode = inode, .size = digest ? size : UNKNOWN, .turn = contents->turns++ };
    if (digest)
        memcpy(item->digest, digest, sizeof item->digest);
    contents->sorted = false;
}

static int by_inode_and_turn(const void *a, const void *b)
{
    const struct content *first = a, *second = b;
    if (first->inode != second->inode)
        return first->inode < second->inode ? -1 : 1;
    return first->turn < second->turn ? -1 : first->turn > second->turn;
}

static void sort(struct contents *contents)
{
    size_t kept = 0;
    if (contents->sorted)
        return;
    if (contents->count)
        qsort(contents->items, contents->count, sizeof *contents->items, by_inode_and_turn);
    for (size_t i = 0; i < contents->count; i++) {
        if (kept && contents->items[kept - 1].inode == contents->items[i].inode)
            kept--;
        contents->items[kept++] = contents->items[i];
    }
    contents->count = kept;
    contents->sorted = true;
}

static int by_inode(const void *a, const void *b)
{
    const struct content *first = a, *second = b;
    return first->inode < second->inode ? -1 : first->inode > second->inode;
}

const unsigned char *contents_find(struct contents *contents, ino_t inode, uint64_t size)
{
    const struct content key = { .inode = inode };
    sort(contents);
    const struct content *item = contents->count ? bsearch(&key, contents->items, contents->count, sizeof key, by_inode) : NULL;
    return item && item->size == size ? item->digest : NULL;
}

int contents_save(struct contents *contents, int fd, struct err *err)
{
    sort(contents);
    int r = contents->count ? io_write_all(fd, contents->items, contents->count * sizeof *contents->items) : 0;
    return r < 0 ? err_sys(err, r, "keep what files hold") : 0;
}

int contents_load(int fd, struct contents **ret, struct err *err)
{
    char *bytes;
    size_t length;
    int r = io_read_fd(fd, FILE_BYTES_MAX, &bytes, &length);
    if (r < 0)
        return err_sys(err, r, "read what files hold");
    struct contents *contents = contents_new();
    contents->count = length / sizeof *contents->items;
    contents->items = (void *)bytes;
    contents->capacity = contents->count;
    *ret = contents;
    return 0;
}
