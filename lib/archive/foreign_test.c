#include "lib/archive/tar.h"
#include "lib/base/test.h"

/* "hello " and "xz\n", "hello " and "bzip2\n": two streams each */
static const char two_xz[] =
    "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x05\x68"
    "\x65\x6c\x6c\x6f\x20\x00\x00\x00\x0a\xb0\xaf\x04\xba\x05\xef\x18\x00\x01\x1e\x06\xc1\x2f\xa4\x1d\x1f\xb6\xf3\x7d"
    "\x01\x00\x00\x00\x00\x04\x59\x5a\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00"
    "\x74\x2f\xe5\xa3\x01\x00\x02\x78\x7a\x0a\x00\x00\x98\xde\x08\x6a\xbe\xe3\x33\x47\x00\x01\x1b\x03\x0b\x2f\xb9\x10"
    "\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a";
static const char two_bzip2[] =
    "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\x76\x69\xe0\xd4\x00\x00\x01\x11\x00\x40\x00\x02\x44\xa0\x00\x30\xcd\x00"
    "\xc3\x46\x29\x97\x17\x72\x45\x38\x50\x90\x76\x69\xe0\xd4\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xef\xdf\x4f\x52"
    "\x00\x00\x01\x49\x80\x00\x10\x10\x00\x10\x20\x40\x10\x20\x00\x22\x18\x68\x30\x05\x58\x18\x5d\xc9\x14\xe1\x42\x43"
    "\xbf\x7d\x3d\x48";

struct bytes {
    const char *at;
    size_t left, piece; /* piece: how much one read gives */
};

static ssize_t read_bytes(void *arg, void *bytes, size_t size, struct err *err)
{
    struct bytes *from = arg;
    size_t length = MIN(MIN(size, from->left), from->piece);
    (void)err;
    memcpy(bytes, from->at, length);
    from->at += length;
    from->left -= length;
    return (ssize_t)length;
}

/* The plain text, or the error's; caller frees. */
static char *plain(const char *compressed, size_t length, size_t piece, size_t room)
{
    struct bytes from = { compressed, length, piece };
    struct foreign_filter *filter = NULL;
    struct err err = { 0 };
    struct buf out = BUF_INIT(4096);
    char *chunk = xmalloc(room);
    ssize_t n = foreign_filter_open((struct reader){ read_bytes, &from }, &filter, &err);
    for (n = n < 0 ? n : 1; n > 0;) {
        n = foreign_filter_read(filter, chunk, room, &err);
        if (n > 0)
            buf_append(&out, chunk, (size_t)n);
    }
    foreign_filter_close(filter);
    free(chunk);
    if (n == 0)
        return buf_take(&out);
    buf_done(&out);
    return xstrdup(err.text);
}

#define CHECK_PLAIN(bytes, length, piece, room, want)                    \
    do {                                                                 \
        AUTO_FREE char *text_ = plain(bytes, length, piece, room);       \
        CHECK_STR(text_, want);                                          \
    } while (0)

TEST(streams)
{
    CHECK_PLAIN(two_xz, sizeof two_xz - 1, 4096, 4096, "hello xz\n");
    CHECK_PLAIN(two_xz, sizeof two_xz - 1, 1, 1, "hello xz\n");
    CHECK_PLAIN(two_bzip2, sizeof two_bzip2 - 1, 4096, 4096, "hello bzip2\n");
    CHECK_PLAIN(two_bzip2, sizeof two_bzip2 - 1, 1, 1, "hello bzip2\n");
}

TEST(damage)
{
    static const char want[] = "decompress: the stream is damaged";
    char broken[sizeof two_bzip2];
    for (size_t cut = 1; cut < 20; cut++) {
        CHECK_PLAIN(two_xz, sizeof two_xz - 1 - cut, 4096, 4096, want);
        CHECK_PLAIN(two_bzip2, sizeof two_bzip2 - 1 - cut, 4096, 4096, want);
    }
    memcpy(broken, two_bzip2, sizeof broken);
    broken[15] ^= 1;
    CHECK_PLAIN(broken, sizeof broken - 1, 4096, 4096, want);
    CHECK_PLAIN("BZh9 and then nonsense", 22, 4096, 4096, want);
}

TESTS(T(streams), T(damage))
