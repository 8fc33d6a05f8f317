#include "cli/tar.h"

#include "lib/base/str.h"

#include <stdio.h>

#define OCTAL_MAX ((uint64_t)077777777777) /* eleven digits */
#define OCTAL_ID_MAX 07777777u             /* seven */

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], user[32],
        group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

static void put_octal(char *field, size_t size, uint64_t number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%0*llo", (int)size - 1, (unsigned long long)number);
    memcpy(field, digits, size);
}

static void put_bytes(char *field, size_t size, const char *text)
{
    memcpy(field, text, MIN(strlen(text), size));
}

static void seal(struct header *header)
{
    unsigned sum = 0;
    memset(header->checksum, ' ', sizeof header->checksum);
    for (size_t i = 0; i < sizeof *header; i++)
        sum += ((const unsigned char *)header)[i];
    put_octal(header->checksum, 7, sum);
    header->checksum[7] = ' ';
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void put_record(struct buf *records, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    for (;;) {
        size_t digits = 1;
        for (size_t n = length; n >= 10; n /= 10)
            digits++;
        if (rest + digits == length)
            break;
        length = rest + digits;
    }
    buf_printf(records, "%zu %s=%s\n", length, key, value);
}

static bool is_plain(const char *text, size_t max)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return false;
    return strlen(text) <= max;
}

static void put_pax(struct buf *out, const struct buf *records)
{
    struct header header = { .type = 'x', .magic = "ustar\00000" };
    put_bytes(header.name, sizeof header.name, "PaxHeaders.0/entry");
    put_octal(header.mode, sizeof header.mode, 0644);
    put_octal(header.uid, sizeof header.uid, 0);
    put_octal(header.gid, sizeof header.gid, 0);
    put_octal(header.size, sizeof header.size, records->length);
    put_octal(header.mtime, sizeof header.mtime, 0);
    seal(&header);
    buf_append(out, &header, sizeof header);
    buf_append(out, records->data, records->length);
    tar_put_padding(out, records->length);
}

static void put_owner(struct header *header, struct buf *records, const struct tar_entry *entry)
{
    const struct {
        const char *key;
        uint32_t id;
        char *field;
    } owners[] = { { "uid", entry->uid, header->uid }, { "gid", entry->gid, header->gid } };
    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        bool fits = owners[i].id <= OCTAL_ID_MAX;
        put_octal(owners[i].field, sizeof header->uid, fits ? owners[i].id : 0);
        if (fits)
            continue;
        AUTO_FREE char *number = str_format("%u", owners[i].id);
        put_record(records, owners[i].key, number);
    }
}

void tar_put_header(struct buf *out, const struct tar_entry *entry)
{
    AUTO_BUF struct buf records = BUF_INIT(1 << 20);
    AUTO_FREE char *name = str_format("%s%s", entry->name, entry->type == '5' ? "/" : "");
    struct header header = { .type = entry->type, .magic = "ustar\00000" };
    if (!is_plain(name, sizeof header.name))
        put_record(&records, "path", name);
    if (entry->link && !is_plain(entry->link, sizeof header.link))
        put_record(&records, "linkpath", entry->link);
    if (entry->size > OCTAL_MAX) {
        AUTO_FREE char *size = str_format("%llu", (unsigned long long)entry->size);
        put_record(&records, "size", size);
    }
    if (entry->mtime < 0 || (uint64_t)entry->mtime > OCTAL_MAX) {
        AUTO_FREE char *mtime = str_format("%lld", (long long)entry->mtime);
        put_record(&records, "mtime", mtime);
    }
    put_owner(&header, &records, entry);
    if (records.length)
        put_pax(out, &records);
    put_bytes(header.name, sizeof header.name, name);
    put_octal(header.mode, sizeof header.mode, entry->mode & 07777);
    put_octal(header.size, sizeof header.size, entry->size > OCTAL_MAX ? 0 : entry->size);
    put_octal(header.mtime, sizeof header.mtime,
              entry->mtime < 0 || (uint64_t)entry->mtime > OCTAL_MAX ? 0 : (uint64_t)entry->mtime);
    if (entry->link)
        put_bytes(header.link, sizeof header.link, entry->link);
    put_octal(header.major, sizeof header.major, entry->major);
    put_octal(header.minor, sizeof header.minor, entry->minor);
    seal(&header);
    buf_append(out, &header, sizeof header);
}

void tar_put_padding(struct buf *out, uint64_t size)
{
    static const char zeros[TAR_BLOCK];
    if (size % TAR_BLOCK)
        buf_append(out, zeros, TAR_BLOCK - size % TAR_BLOCK);
}

void tar_put_end(struct buf *out)
{
    static const char zeros[2 * TAR_BLOCK];
    buf_append(out, zeros, sizeof zeros);
}

void tar_put_file(struct buf *out, const char *name, const void *bytes, size_t length, mode_t mode, int64_t mtime)
{
    tar_put_header(out, &(struct tar_entry){ .name = name, .type = '0', .mode = mode, .size = length, .mtime = mtime });
    buf_append(out, bytes, length);
    tar_put_padding(out, length);
}

static bool is_tar_header(const unsigned char *block)
{
    const struct header *header = (const void *)block;
    unsigned sum = 0, told = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : block[i];
    for (size_t i = 0; i < sizeof header->checksum; i++)
        if (header->checksum[i] >= '0' && header->checksum[i] <= '7')
            told = told * 8 + (unsigned)(header->checksum[i] - '0');
    return told == sum && header->name[0];
}

int tar_looks_like(const void *bytes, size_t length)
{
    static const struct {
        const char *magic;
        size_t length;
    } packed[] = { { "\x1f\x8b\x08", 3 }, { "BZh", 3 }, { "\xfd\x37zXZ\0", 6 }, { "\x28\xb5\x2f\xfd", 4 } };
    for (size_t i = 0; i < ARRAY_SIZE(packed); i++)
        if (length >= packed[i].length && !memcmp(bytes, packed[i].magic, packed[i].length))
            return 1;
    return length >= TAR_BLOCK && is_tar_header(bytes);
}
