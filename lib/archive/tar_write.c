/* The canonical form, version 1: one ustar header per entry, no user or group names; what does not fit goes to one pax header in front
 * whose own fields are constant and whose records are in this order: gid, linkpath, mtime, path, size, uid, then SCHILY.xattr.* by name. */
#include "lib/archive/private.h"
#include "lib/base/str.h"

#include <stdio.h>

struct tar_writer {
    struct writer to;
    uint64_t data_left, padding;
};

struct tar_writer *tar_writer_new(struct writer to)
{
    struct tar_writer *writer = xcalloc(1, sizeof *writer);
    writer->to = to;
    return writer;
}

void tar_writer_free(struct tar_writer *writer)
{
    free(writer);
}

static int put(struct tar_writer *writer, const void *bytes, size_t length, struct err *err)
{
    return writer->to.write(writer->to.arg, bytes, length, err);
}

static void octal(unsigned char *field, size_t size, uint64_t value)
{
    field[size - 1] = '\0';
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        field[i] = (unsigned char)('0' + (value & 7));
}

static bool fits(uint64_t value, unsigned digits)
{
    return value >> (3 * digits) == 0;
}

/* Splits at a slash so that both halves fit, or leaves it to pax. */
static bool put_path(unsigned char *block, const char *path)
{
    size_t length = strlen(path);
    if (length <= 100) {
        memcpy(block, path, length);
        return true;
    }
    for (size_t cut = MIN(length - 1, (size_t)155); cut > 0 && length <= 256; cut--) {
        if (path[cut] != '/' || length - cut - 1 > 100 || length - cut - 1 == 0)
            continue;
        memcpy(block + 345, path, cut);
        memcpy(block, path + cut + 1, length - cut - 1);
        return true;
    }
    memcpy(block, path, 100);
    return false;
}

static void put_checksum(unsigned char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
        sum += block[i];
    octal(block + 148, 7, sum);
}

static void record(struct buf *out, const char *key, const char *value, size_t length)
{
    size_t body = strlen(key) + length + 3, total = body; /* space, '=', newline */
    for (size_t digits = 1, limit = 10;; digits++, limit *= 10) {
        total = body + digits;
        if (total < limit)
            break;
    }
    buf_printf(out, "%zu %s=", total, key);
    buf_append(out, value, length);
    buf_putc(out, '\n');
}

static void number_record(struct buf *out, const char *key, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    record(out, key, text, (size_t)n);
}

static unsigned char type_flag(enum tar_type type)
{
    static const unsigned char flags[] = {
        [TAR_FILE] = '0', [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
        [TAR_BLOCK] = '4', [TAR_DIR] = '5', [TAR_FIFO] = '6',
    };
    return flags[type];
}

static void put_fixed(unsigned char *block, const struct tar_entry *entry, uint64_t size)
{
    octal(block + 100, 8, entry->mode & 07777);
    octal(block + 108, 8, fits(entry->uid, 7) ? entry->uid : 0);
    octal(block + 116, 8, fits(entry->gid, 7) ? entry->gid : 0);
    octal(block + 124, 12, fits(size, 11) ? size : 0);
    octal(block + 136, 12, entry->mtime_s >= 0 && fits((uint64_t)entry->mtime_s, 11) ? (uint64_t)entry->mtime_s : 0);
    block[156] = type_flag(entry->type);
    memcpy(block + 257, "ustar\00000", 8);
    octal(block + 329, 8, entry->dev_major);
    octal(block + 337, 8, entry->dev_minor);
}

static bool put_link(unsigned char *block, const char *link)
{
    size_t length = link ? strlen(link) : 0;
    memcpy(block + 157, link ? link : "", MIN(length, (size_t)100));
    return length <= 100;
}

static void collect_records(struct buf *pax, const struct tar_entry *entry, const char *path, uint64_t size, bool path_fits, bool link_fits)
{
    if (!fits(entry->gid, 7))
        number_record(pax, "gid", entry->gid);
    if (!link_fits)
        record(pax, "linkpath", entry->link, strlen(entry->link));
    if (entry->mtime_s < 0 || !fits((uint64_t)entry->mtime_s, 11))
        number_record(pax, "mtime", entry->mtime_s);
    if (!path_fits)
        record(pax, "path", path, strlen(path));
    if (!fits(size, 11))
        number_record(pax, "size", (int64_t)size);
    if (!fits(entry->uid, 7))
        number_record(pax, "uid", entry->uid);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        AUTO_FREE char *key = str_format("SCHILY.xattr.%s", entry->xattrs[i].name);
        record(pax, key, entry->xattrs[i].value, entry->xattrs[i].length);
    }
}

static const unsigned char zeros[16 * TAR_BLOCK_SIZE];

static int put_zeros(struct tar_writer *writer, uint64_t length, struct err *err)
{
    while (length > 0) {
        size_t n = (size_t)MIN(length, (uint64_t)sizeof zeros);
        if (put(writer, zeros, n, err) < 0)
            return -1;
        length -= n;
    }
    return 0;
}

static int put_pax(struct tar_writer *writer, const struct buf *pax, struct err *err)
{
    unsigned char block[TAR_BLOCK_SIZE] = { 0 };
    const struct tar_entry header = { .type = TAR_FILE, .mode = 0644 };
    memcpy(block, "PaxHeaders.0/entry", 18);
    put_fixed(block, &header, pax->length);
    block[156] = 'x';
    put_checksum(block);
    if (put(writer, block, sizeof block, err) < 0 || put(writer, pax->data, pax->length, err) < 0)
        return -1;
    return put_zeros(writer, (TAR_BLOCK_SIZE - pax->length % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE, err);
}

int tar_writer_entry(struct tar_writer *writer, const struct tar_entry *entry, struct err *err)
{
    unsigned char block[TAR_BLOCK_SIZE] = { 0 };
    AUTO_BUF struct buf pax = BUF_INIT((size_t)128 << 20);
    uint64_t size = entry->type == TAR_FILE ? entry->size : 0;
    bool slash = entry->type == TAR_DIR && !str_ends(entry->path, "/");
    AUTO_FREE char *path = str_format("%s%s", entry->path, slash ? "/" : "");
    if (writer->data_left)
        return err_set(err, ERR_INTERNAL, "%llu bytes missing before entry %s", (unsigned long long)writer->data_left, path);
    bool path_fits = put_path(block, path), link_fits = put_link(block, entry->link);
    put_fixed(block, entry, size);
    put_checksum(block);
    collect_records(&pax, entry, path, size, path_fits, link_fits);
    if (buf_failed(&pax))
        return err_set(err, ERR_INVALID, "entry %.200s: too many extended attributes", path);
    if (put_zeros(writer, writer->padding, err) < 0 || (pax.length && put_pax(writer, &pax, err) < 0))
        return -1;
    writer->data_left = size;
    writer->padding = (TAR_BLOCK_SIZE - size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;
    return put(writer, block, sizeof block, err);
}

int tar_writer_data(struct tar_writer *writer, const void *bytes, size_t length, struct err *err)
{
    if (length > writer->data_left)
        return err_set(err, ERR_INTERNAL, "an entry got more data than its size");
    writer->data_left -= length;
    return put(writer, bytes, length, err);
}

int tar_writer_zeros(struct tar_writer *writer, uint64_t length, struct err *err)
{
    if (length > writer->data_left)
        return err_set(err, ERR_INTERNAL, "an entry got more data than its size");
    writer->data_left -= length;
    return put_zeros(writer, length, err);
}

int tar_writer_end(struct tar_writer *writer, struct err *err)
{
    if (writer->data_left)
        return err_set(err, ERR_INTERNAL, "%llu bytes missing at the end of an archive", (unsigned long long)writer->data_left);
    if (put_zeros(writer, writer->padding, err) < 0)
        return -1;
    writer->padding = 0;
    return put_zeros(writer, (uint64_t)2 * TAR_BLOCK_SIZE, err);
}
