#include "lib/archive/tar.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#include <stdio.h>

#define BLOCK 512
#define GOLDEN_LENGTH 7168
#define GOLDEN_FINGERPRINT 0xd816c4c563707b5fULL

/* ---- making archives by hand ---- */

struct bytes { /* a chunker over memory, in pieces of a chosen size */
    const char *data;
    size_t length, step;
};

static int next_bytes(void *arg, const unsigned char **ret_bytes, size_t *ret_length, struct err *err)
{
    struct bytes *bytes = arg;
    size_t n = MIN(bytes->step, bytes->length);
    if (n == 0)
        return 0;
    *ret_bytes = (const unsigned char *)bytes->data;
    *ret_length = n;
    bytes->data += n;
    bytes->length -= n;
    return 1;
}

static struct tar_reader *open_reader(struct bytes *bytes)
{
    return tar_reader_new((struct chunker){ next_bytes, bytes });
}

static void put_checksum(unsigned char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += block[i];
    (void)snprintf((char *)block + 148, 7, "%06o", sum);
}

static void put_header(struct buf *out, const char *name, char type, unsigned long long size, const char *link)
{
    unsigned char block[BLOCK] = { 0 };
    memcpy(block, name, MIN(strlen(name), (size_t)100));
    (void)snprintf((char *)block + 100, 8, "0000644");
    (void)snprintf((char *)block + 108, 8, "0001750");
    (void)snprintf((char *)block + 116, 8, "0001751");
    (void)snprintf((char *)block + 124, 12, "%011llo", size);
    (void)snprintf((char *)block + 136, 12, "%011o", 1000000000U);
    block[156] = (unsigned char)type;
    memcpy(block + 157, link, MIN(strlen(link), (size_t)100));
    memcpy(block + 257, "ustar\00000", 8);
    put_checksum(block);
    buf_append(out, block, sizeof block);
}

static void put_body(struct buf *out, const void *bytes, size_t length)
{
    static const char zeros[BLOCK];
    buf_append(out, bytes, length);
    buf_append(out, zeros, (BLOCK - length % BLOCK) % BLOCK);
}

static void put_pax_record(struct buf *out, const char *key, const char *value)
{
    size_t body = strlen(key) + strlen(value) + 3, total = body + 1;
    char digits[24];
    while (total != body + (size_t)snprintf(digits, sizeof digits, "%zu", total))
        total++;
    buf_printf(out, "%zu %s=%s\n", total, key, value);
}

static void put_pax(struct buf *out, const char *text)
{
    put_header(out, "PaxHeader", 'x', strlen(text), "");
    put_body(out, text, strlen(text));
}

static void put_end(struct buf *out)
{
    static const char zeros[2 * BLOCK];
    buf_append(out, zeros, sizeof zeros);
}

static struct err first_error(const struct buf *archive)
{
    struct bytes bytes = { archive->data, archive->length, 700 };
    struct tar_reader *reader = open_reader(&bytes);
    struct tar_entry entry;
    struct err err = { 0 };
    int more;
    while ((more = tar_reader_next(reader, &entry, &err)) > 0)
        ;
    CHECK((more < 0) == (err.kind != ERR_NONE));
    tar_reader_free(reader);
    return err;
}

static void refuses(const struct buf *archive, const char *words)
{
    struct err err = first_error(archive);
    CHECK_INT(err.kind, ERR_INVALID);
    if (!strstr(err.text, words))
        CHECK_STR(err.text, words);
}

/* All data of the current entry with holes as zeros; caller frees. */
static char *read_data(struct tar_reader *reader, uint64_t size)
{
    char *data = xcalloc(1, (size_t)size + 1);
    const unsigned char *piece;
    size_t length;
    uint64_t offset;
    struct err err = { 0 };
    int more;
    while ((more = tar_reader_data(reader, &piece, &length, &offset, &err)) > 0) {
        CHECK(offset + length <= size);
        memcpy(data + offset, piece, length);
    }
    CHECK_INT(more, 0);
    return data;
}

/* ---- writing ---- */

static int collect(void *arg, const void *bytes, size_t length, struct err *err)
{
    buf_append(arg, bytes, length);
    return 0;
}

static char long_name[] =
    "a-directory-whose-name-goes-on/and-another-one-that-does-as-well/and-yet-another-one-that-does/file-that-is-below-them-all/"
    "whose-own-name-is-longer-than-what-a-header-of-the-ustar-format-can-hold-in-its-hundred-bytes-which-needs-a-pax-record";
static char xattr_name[] = "user.color", xattr_value[] = "r\0d";
static struct tar_xattr some_xattrs[] = { { xattr_name, xattr_value, 3 } };
static char target[] = "../else/where", plain[] = "dir/file", dir[] = "dir", fifo[] = "dir/fifo", device[] = "dev/null", old[] = "old",
            hard[] = "hard";

static const struct tar_entry canonical[] = {
    { .type = TAR_DIR, .path = dir, .mode = 0755, .uid = 0, .gid = 0, .mtime_s = 1700000000 },
    { .type = TAR_FILE, .path = plain, .mode = 04755, .uid = 1000, .gid = 1001, .mtime_s = 1700000001, .size = 5 },
    { .type = TAR_FILE, .path = long_name, .mode = 0644, .uid = 3000000000U, .gid = 2097152, .mtime_s = 1, .size = 0,
      .xattrs = some_xattrs, .xattr_count = 1 },
    { .type = TAR_SYMLINK, .path = hard, .link = target, .mode = 0777, .mtime_s = 1700000000 },
    { .type = TAR_HARDLINK, .path = old, .link = plain, .mode = 0644, .mtime_s = -5 },
    { .type = TAR_FIFO, .path = fifo, .mode = 0600 },
    { .type = TAR_CHAR, .path = device, .mode = 0666, .dev_major = 1, .dev_minor = 3 },
};

static void write_canonical(struct buf *out)
{
    struct err err = { 0 };
    struct tar_writer *writer = tar_writer_new((struct writer){ collect, out });
    for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
        CHECK_INT(tar_writer_entry(writer, &canonical[i], &err), 0);
        if (canonical[i].size)
            CHECK_INT(tar_writer_data(writer, "hello", 5, &err), 0);
    }
    CHECK_INT(tar_writer_end(writer, &err), 0);
    tar_writer_free(writer);
}

static unsigned long long fingerprint(const struct buf *bytes)
{
    unsigned long long hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < bytes->length; i++)
        hash = (hash ^ (unsigned char)bytes->data[i]) * 0x100000001b3ULL;
    return hash;
}

/* The canonical form is what diff ids of built layers are made of: these numbers may not change without TAR_CANONICAL_VERSION. */
TEST(canonical_form_is_frozen)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    write_canonical(&out);
    CHECK_INT(TAR_CANONICAL_VERSION, 1);
    CHECK_INT(out.length, GOLDEN_LENGTH);
    if (fingerprint(&out) != GOLDEN_FINGERPRINT)
        printf("# fingerprint %llx of %zu bytes\n", fingerprint(&out), out.length);
    CHECK(fingerprint(&out) == GOLDEN_FINGERPRINT);
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

TEST(what_is_written_is_read)
{
    static const size_t steps[] = { 1, 7, 511, 512, 513, 100000 };
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    write_canonical(&out);
    for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
        struct bytes bytes = { out.data, out.length, steps[s] };
        struct tar_reader *reader = open_reader(&bytes);
        struct tar_entry entry;
        struct err err = { 0 };
        for (size_t i = 0; i < ARRAY_SIZE(canonical); i++) {
            const struct tar_entry *want = &canonical[i];
            CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
            CHECK_INT(entry.type, want->type);
            AUTO_FREE char *slashed = str_format("%s%s", want->path, want->type == TAR_DIR ? "/" : "");
            CHECK_STR(entry.path, slashed);
            CHECK(want->link ? same_text(entry.link, want->link) : !entry.link);
            CHECK_INT(entry.mode, want->mode);
            CHECK_INT(entry.uid, want->uid);
            CHECK_INT(entry.gid, want->gid);
            CHECK_INT(entry.mtime_s, want->mtime_s);
            CHECK_INT(entry.size, want->size);
            CHECK_INT(entry.dev_major, want->dev_major);
            CHECK_INT(entry.dev_minor, want->dev_minor);
            CHECK_INT(entry.xattr_count, want->xattr_count);
            if (want->xattr_count && entry.xattr_count) {
                CHECK_STR(entry.xattrs[0].name, "user.color");
                CHECK_INT(entry.xattrs[0].length, 3);
                CHECK(memcmp(entry.xattrs[0].value, xattr_value, 3) == 0);
            }
            if (want->size) {
                AUTO_FREE char *data = read_data(reader, entry.size);
                CHECK_STR(data, "hello");
            }
        }
        CHECK_INT(tar_reader_next(reader, &entry, &err), 0);
        tar_reader_free(reader);
    }
}

TEST(writer_keeps_its_promises)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    struct err err = { 0 };
    struct tar_writer *writer = tar_writer_new((struct writer){ collect, &out });
    const struct tar_entry file = { .type = TAR_FILE, .path = plain, .size = 3 };
    CHECK_INT(tar_writer_entry(writer, &file, &err), 0);
    CHECK_INT(tar_writer_data(writer, "abcd", 4, &err), -1); /* more than said */
    CHECK_INT(tar_writer_entry(writer, &file, &err), -1);    /* three are missing */
    CHECK_INT(tar_writer_end(writer, &err), -1);
    CHECK_INT(tar_writer_zeros(writer, 3, &err), 0);
    CHECK_INT(tar_writer_end(writer, &err), 0);
    CHECK_INT(out.length % BLOCK, 0);
    tar_writer_free(writer);
}

/* ---- reading what others write ---- */

TEST(gnu_long_names)
{
    AUTO_BUF struct buf archive = BUF_INIT(1 << 20);
    AUTO_FREE char *name = xcalloc(1, 2001);
    struct tar_entry entry;
    struct err err = { 0 };
    memset(name, 'n', 2000);
    put_header(&archive, "././@LongLink", 'L', 2001, "");
    put_body(&archive, name, 2001);
    put_header(&archive, "././@LongLink", 'K', 2001, "");
    put_body(&archive, name, 2001);
    put_header(&archive, "cut", '2', 0, "cut");
    put_header(&archive, "next", '0', 0, "");
    put_end(&archive);
    struct bytes bytes = { archive.data, archive.length, 100 };
    struct tar_reader *reader = open_reader(&bytes);
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_STR(entry.path, name);
    CHECK_STR(entry.link, name);
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_STR(entry.path, "next"); /* names hold for one entry */
    CHECK_INT(tar_reader_next(reader, &entry, &err), 0);
    tar_reader_free(reader);
}

TEST(pax_records)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 16);
    AUTO_BUF struct buf archive = BUF_INIT(1 << 20);
    struct tar_entry entry;
    struct err err = { 0 };
    put_pax_record(&text, "path", "the/name");
    put_pax_record(&text, "uid", "4000000000");
    put_pax_record(&text, "mtime", "-1.25");
    put_pax_record(&text, "size", "4");
    put_pax_record(&text, "comment", "of no meaning");
    put_pax_record(&text, "SCHILY.xattr.user.a", "1");
    put_pax_record(&text, "SCHILY.xattr.user.a", "2"); /* the last holds */
    put_header(&archive, "global", 'g', 12, "");
    put_body(&archive, "12 path=abc\n", 12); /* skipped, as Docker does */
    put_pax(&archive, text.data);
    put_header(&archive, "short", '0', 0, "");
    put_body(&archive, "data", 4);
    put_end(&archive);
    struct bytes bytes = { archive.data, archive.length, 1000 };
    struct tar_reader *reader = open_reader(&bytes);
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_STR(entry.path, "the/name");
    CHECK_INT(entry.uid, 4000000000U);
    CHECK_INT(entry.gid, 01751);
    CHECK_INT(entry.mtime_s, -2);
    CHECK_INT(entry.mtime_ns, 750000000);
    CHECK_INT(entry.size, 4);
    CHECK_INT(entry.xattr_count, 1);
    CHECK(entry.xattrs[0].length == 1 && entry.xattrs[0].value[0] == '2');
    AUTO_FREE char *data = read_data(reader, 4);
    CHECK_STR(data, "data");
    CHECK_INT(tar_reader_next(reader, &entry, &err), 0);
    tar_reader_free(reader);
}

static void check_sparse(const struct buf *archive)
{
    struct tar_entry entry;
    struct err err = { 0 };
    struct bytes bytes = { archive->data, archive->length, 300 };
    struct tar_reader *reader = open_reader(&bytes);
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_STR(entry.path, "sparse");
    CHECK(entry.sparse);
    CHECK_INT(entry.size, 2000);
    AUTO_FREE char *data = read_data(reader, 2000);
    CHECK(memcmp(data, "\0\0\0\0head\0", 9) == 0 && memcmp(data + 1000, "tail!\0", 6) == 0 && data[1999] == '\0');
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_STR(entry.path, "after");
    tar_reader_free(reader);
}

TEST(sparse_files_of_every_kind)
{
    AUTO_BUF struct buf gnu = BUF_INIT(1 << 16);
    AUTO_BUF struct buf v00 = BUF_INIT(1 << 16);
    AUTO_BUF struct buf v01 = BUF_INIT(1 << 16);
    AUTO_BUF struct buf v10 = BUF_INIT(1 << 16);
    AUTO_BUF struct buf text = BUF_INIT(1 << 16);
    put_header(&gnu, "sparse", 'S', 9, "");
    unsigned char *block = (unsigned char *)gnu.data;
    memset(block + 345, 0, 155);
    memcpy(block + 257, "ustar  ", 8);
    (void)snprintf((char *)block + 386, 48, "%011o%c%011o%c%011o%c%011o", 4U, 0, 4U, 0, 1000U, 0, 5U);
    (void)snprintf((char *)block + 483, 12, "%011o", 2000U);
    put_checksum(block);
    put_body(&gnu, "headtail!", 9);
    put_pax_record(&text, "GNU.sparse.size", "2000");
    put_pax_record(&text, "GNU.sparse.numblocks", "2");
    put_pax_record(&text, "GNU.sparse.offset", "4");
    put_pax_record(&text, "GNU.sparse.numbytes", "4");
    put_pax_record(&text, "GNU.sparse.offset", "1000");
    put_pax_record(&text, "GNU.sparse.numbytes", "5");
    put_pax(&v00, text.data);
    put_header(&v00, "sparse", '0', 9, "");
    put_body(&v00, "headtail!", 9);
    buf_clear(&text);
    put_pax_record(&text, "GNU.sparse.size", "2000");
    put_pax_record(&text, "GNU.sparse.map", "4,4,1000,5");
    put_pax_record(&text, "GNU.sparse.name", "sparse");
    put_pax(&v01, text.data);
    put_header(&v01, "GNUSparseFile/sparse", '0', 9, "");
    put_body(&v01, "headtail!", 9);
    buf_clear(&text);
    put_pax_record(&text, "GNU.sparse.major", "1");
    put_pax_record(&text, "GNU.sparse.minor", "0");
    put_pax_record(&text, "GNU.sparse.name", "sparse");
    put_pax_record(&text, "GNU.sparse.realsize", "2000");
    put_pax(&v10, text.data);
    put_header(&v10, "GNUSparseFile/sparse", '0', BLOCK + 9, "");
    put_body(&v10, "2\n4\n4\n1000\n5\n", 13);
    put_body(&v10, "headtail!", 9);
    struct buf *all[] = { &gnu, &v00, &v01, &v10 };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        put_header(all[i], "after", '0', 0, "");
        put_end(all[i]);
        check_sparse(all[i]);
    }
}

TEST(big_numbers)
{
    AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
    struct tar_entry entry;
    struct err err = { 0 };
    put_header(&archive, "big", '0', 0, "");
    unsigned char *block = (unsigned char *)archive.data;
    memset(block + 124, 0, 12);
    block[124] = 0x80; /* base 256 */
    block[131] = 1;    /* 2^32 */
    memset(block + 136, 0xff, 12); /* -1 */
    put_checksum(block);
    struct bytes bytes = { archive.data, archive.length, 512 };
    struct tar_reader *reader = open_reader(&bytes);
    CHECK_INT(tar_reader_next(reader, &entry, &err), 1);
    CHECK_INT(entry.size, 1LL << 32);
    CHECK_INT(entry.mtime_s, -1);
    CHECK_INT(tar_reader_next(reader, &entry, &err), -1);
    CHECK(strstr(err.text, "cut off"));
    tar_reader_free(reader);
}

/* ---- what is refused ---- */

TEST(broken_headers)
{
    AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
    put_header(&archive, "x", '0', 3, "");
    put_body(&archive, "abc", 3);
    archive.data[0] ^= 1; /* checksum */
    refuses(&archive, "invalid tar header");
    archive.data[0] ^= 1;
    for (size_t length = 1; length < BLOCK + 3; length += length < BLOCK ? 73 : 1) {
        struct buf cut = archive;
        cut.length = length;
        refuses(&cut, length < BLOCK ? "cut off" : "invalid entry \"x\": unexpected EOF");
    }
    buf_clear(&archive);
    put_header(&archive, "x", 'V', 0, "");
    refuses(&archive, "unhandled tar header type");
    buf_clear(&archive);
    put_header(&archive, "x", '0', 0, "");
    memcpy(archive.data + 124, "garbage!", 8);
    put_checksum((unsigned char *)archive.data);
    refuses(&archive, "bad size");
    buf_clear(&archive);
    put_header(&archive, "x", '0', 0, "");
    memset(archive.data + 124, 0xff, 12); /* a size of -1 */
    put_checksum((unsigned char *)archive.data);
    refuses(&archive, "bad size");
}

/* The data is all there; what pads it may be missing. */
TEST(last_padding_may_be_missing)
{
    AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
    put_header(&archive, "x", '0', 3, "");
    put_body(&archive, "abc", 3);
    for (size_t length = BLOCK + 3; length <= archive.length; length += 100) {
        struct buf cut = archive;
        cut.length = length;
        CHECK_INT(first_error(&cut).kind, ERR_NONE);
    }
}

TEST(broken_pax)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "garbage", "a broken pax record" },
        { "99 path=x\n", "a broken pax record" },
        { "5 a=\n\n", "a broken pax record" },
        { "10 path=xy\n", "a broken pax record" }, /* one too short */
        { "-9 path=x\n", "a broken pax record" },
        { "99999999999999999999999999 path=x\n", "a broken pax record" },
        { "8 nokey\n", "without a key" },
        { "6 =xy\n", "without a key" },
        { "12 size=abc\n", "bad pax size" },
        { "26 size=9999999999999999\n\n", "bad pax size" },
        { "29 size=99999999999999999999\n", "bad pax size" },
        { "11 uid=-1\n\n", "bad pax uid" },
        { "14 mtime=later\n", "a broken pax record" },
        { "15 mtime=later\n", "bad pax mtime" },
        { "25 GNU.sparse.map=1,2,3\n", "a broken pax record" },
        { "24 GNU.sparse.map=1,2,3\n", "a broken sparse map" },
        { "25 GNU.sparse.numbytes=5\n", "a sparse length without its offset" },
        { "21 GNU.sparse.major=9\n", "a broken pax record" },
        { "22 GNU.sparse.major=9\n", "unknown sparse format" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
        put_pax(&archive, rows[i].text);
        put_header(&archive, "x", '0', 0, "");
        put_end(&archive);
        refuses(&archive, rows[i].words);
    }
    AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
    put_header(&archive, "PaxHeader", 'x', 13, "");
    put_body(&archive, "13 path=a\0bc\n", 13);
    put_header(&archive, "x", '0', 0, "");
    refuses(&archive, "a NUL in a pax record");
}

TEST(limits)
{
    AUTO_BUF struct buf archive = BUF_INIT(8 << 20);
    put_header(&archive, "PaxHeader", 'x', 4ULL << 30, ""); /* never read: said to be too large at once */
    refuses(&archive, "too large");
    buf_clear(&archive);
    put_header(&archive, "L", 'L', TAR_PAX_MAX + 1, "");
    refuses(&archive, "too large");
    buf_clear(&archive);
    put_header(&archive, "g", 'g', 1ULL << 32, "");
    refuses(&archive, "too large");
    buf_clear(&archive);
    AUTO_FREE char *name = xcalloc(1, 5000);
    memset(name, 'n', 4096);
    put_header(&archive, "L", 'L', 4097, "");
    put_body(&archive, name, 4097);
    put_header(&archive, "x", '0', 0, "");
    refuses(&archive, "name longer than 4095 bytes");
    buf_clear(&archive);
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    AUTO_FREE char *value = xcalloc(1, TAR_XATTR_MAX + 2);
    memset(value, 'v', TAR_XATTR_MAX + 1);
    put_pax_record(&text, "SCHILY.xattr.user.big", value);
    put_pax(&archive, text.data);
    put_header(&archive, "x", '0', 0, "");
    refuses(&archive, "too large");
    buf_clear(&archive);
    buf_clear(&text);
    put_pax_record(&text, "uid", "4294967295"); /* "nobody": chown would keep the owner */
    put_pax(&archive, text.data);
    put_header(&archive, "x", '0', 0, "");
    refuses(&archive, "out of range");
}

TEST(sparse_maps_that_lie)
{
    static const char *const maps[] = { "0,5,3,4", "1996,5", "18446744073709551615,9", "0,4,1000,4", "9223372036854775807,9223372036854775807" };
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1 << 16);
        AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
        put_pax_record(&text, "GNU.sparse.size", "2000");
        put_pax_record(&text, "GNU.sparse.map", maps[i]);
        put_pax(&archive, text.data);
        put_header(&archive, "sparse", '0', 9, "");
        put_body(&archive, "headtail!", 9);
        put_end(&archive);
        refuses(&archive, "spars");
    }
}

/* ---- the tap ---- */

TEST(tap_and_data_are_the_stream)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    write_canonical(&out);
    buf_append(&out, "trailing bytes", 14);
    AUTO_BUF struct buf again = BUF_INIT(1 << 20);
    struct bytes bytes = { out.data, out.length, 333 };
    struct tar_reader *reader = open_reader(&bytes);
    struct tar_entry entry;
    struct err err = { 0 };
    const unsigned char *piece;
    size_t length;
    uint64_t offset;
    tar_reader_tap(reader, (void (*)(void *, const void *, size_t))buf_append, &again);
    while (tar_reader_next(reader, &entry, &err) > 0)
        while (tar_reader_data(reader, &piece, &length, &offset, &err) > 0)
            buf_append(&again, piece, length);
    CHECK_INT(tar_reader_drain(reader, &err), 0);
    CHECK_INT(again.length, out.length);
    CHECK(again.length == out.length && memcmp(again.data, out.data, out.length) == 0);
    tar_reader_free(reader);
}

TEST(looks_like_a_tar)
{
    AUTO_BUF struct buf archive = BUF_INIT(1 << 16);
    unsigned char other[BLOCK] = "{\"schemaVersion\":2}";
    put_header(&archive, "x", '0', 0, "");
    CHECK(tar_looks_like((const unsigned char *)archive.data, BLOCK));
    CHECK(!tar_looks_like((const unsigned char *)archive.data, 100));
    CHECK(!tar_looks_like(other, BLOCK));
}

TESTS(T(canonical_form_is_frozen), T(what_is_written_is_read), T(writer_keeps_its_promises), T(gnu_long_names), T(pax_records),
      T(sparse_files_of_every_kind), T(big_numbers), T(broken_headers), T(last_padding_may_be_missing), T(broken_pax), T(limits), T(sparse_maps_that_lie),
      T(tap_and_data_are_the_stream), T(looks_like_a_tar))
