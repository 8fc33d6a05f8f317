#include "cli/tar_read.h"
#include "cli/tar.h"
#include "lib/base/str.h"
#include <errno.h>

#define EXTRA_MAX ((uint64_t)1 << 20) /* of a pax header or a GNU long name */

struct raw_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], user[32], group[32],
        major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct raw_header) == TAR_BLOCK, "a tar header is one block");

/* What extra headers say about the entry that follows. */
struct extra {
    char *name, *link;
    bool has_size, has_mtime;
    uint64_t size;
    int64_t mtime;
};

static void extra_done(struct extra *extra)
{
    free(extra->name);
    free(extra->link);
    *extra = (struct extra){ 0 };
}
#define AUTO_EXTRA __attribute__((cleanup(extra_done)))

/* Exactly size bytes; 0 at a clean end before the first, 1 done. */
static int read_exact(struct tar_reader *reader, void *bytes, size_t size, struct err *err)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = reader->read(reader->arg, (char *)bytes + have, size - have, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return have ? err_set(err, ERR_INVALID, "archive is cut short") : 0;
        have += (size_t)got;
        reader->count += (uint64_t)got;
    }
    return 1;
}

static int skip(struct tar_reader *reader, uint64_t size, struct err *err)
{
    char scratch[8192];
    while (size > 0) {
        size_t piece = (size_t)MIN(size, (uint64_t)sizeof scratch);
        int ret = read_exact(reader, scratch, piece, err);
        if (ret <= 0)
            return ret < 0 ? -1 : err_set(err, ERR_INVALID, "archive is cut short");
        size -= piece;
    }
    return 0;
}

/* Octal digits, or GNU's binary form with the highest bit set. */
static int parse_number(const char *field, size_t size, uint64_t *ret, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)field;
    uint64_t value = 0;
    size_t i = 0;
    if (bytes[0] & 0x80) {
        value = bytes[0] & 0x7f;
        for (i = 1; i < size; i++) {
            if (value >> 55)
                return err_set(err, ERR_INVALID, "archive holds a number out of range");
            value = value << 8 | bytes[i];
        }
        *ret = value;
        return 0;
    }
    while (i < size && (bytes[i] == ' ' || bytes[i] == 0))
        i++;
    for (; i < size && bytes[i] >= '0' && bytes[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(bytes[i] - '0');
    if (i < size && bytes[i] && bytes[i] != ' ')
        return err_set(err, ERR_INVALID, "archive holds a malformed number");
    *ret = value;
    return 0;
}

static int check_sum(const struct raw_header *header, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t told;
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= offsetof(struct raw_header, checksum) && i < offsetof(struct raw_header, type) ? ' ' : bytes[i];
    if (parse_number(header->checksum, sizeof header->checksum, &told, err) < 0)
        return -1;
    return told == sum ? 0 : err_set(err, ERR_INVALID, "archive is damaged: wrong checksum of a header");
}

static char *field_text(const char *field, size_t size)
{
    return xstrndup(field, strnlen(field, size));
}

static char *raw_name(const struct raw_header *header)
{
    AUTO_FREE char *name = field_text(header->name, sizeof header->name);
    AUTO_FREE char *prefix = field_text(header->prefix, sizeof header->prefix);
    bool has_prefix = memcmp(header->magic, "ustar\0", 6) == 0 && *prefix;
    return has_prefix ? str_format("%s/%s", prefix, name) : xstrdup(name);
}

/* ---- extra headers ---- */

static int pax_number(const char *value, uint64_t *ret, struct err *err)
{
    AUTO_FREE char *whole = xstrndup(value, strcspn(value, "."));
    if (str_to_u64(whole, ret) < 0)
        return err_set(err, ERR_INVALID, "archive holds a malformed pax record");
    return 0;
}

static int pax_record(struct extra *extra, const char *key, const char *value, struct err *err)
{
    uint64_t number;
    if (str_eq(key, "path")) {
        free(extra->name);
        extra->name = xstrdup(value);
    } else if (str_eq(key, "linkpath")) {
        free(extra->link);
        extra->link = xstrdup(value);
    } else if (str_eq(key, "size")) {
        extra->has_size = true;
        return pax_number(value, &extra->size, err);
    } else if (str_eq(key, "mtime")) {
        bool before_epoch = *value == '-';
        if (pax_number(value + before_epoch, &number, err) < 0)
            return -1;
        extra->has_mtime = number < (uint64_t)INT64_MAX;
        extra->mtime = before_epoch ? -(int64_t)number : (int64_t)number;
    } else if (str_starts(key, "GNU.sparse.")) {
        return err_set(err, ERR_UNSUPPORTED, "archive holds a sparse file, which is not supported");
    }
    return 0;
}

/* "LENGTH key=value\n" again and again. */
static int pax_parse(struct extra *extra, char *text, size_t length, struct err *err)
{
    char *end = text + length;
    while (text < end) {
        uint64_t size;
        char *space = memchr(text, ' ', (size_t)(end - text));
        if (space)
            *space = 0;
        if (!space || str_to_u64(text, &size) < 0 || size > (uint64_t)(end - text) || text + size <= space + 1 ||
            text[size - 1] != '\n')
            return err_set(err, ERR_INVALID, "archive holds a malformed pax record");
        text[size - 1] = 0;
        char *value = strchr(space + 1, '=');
        if (!value)
            return err_set(err, ERR_INVALID, "archive holds a malformed pax record");
        *value = 0;
        if (pax_record(extra, space + 1, value + 1, err) < 0)
            return -1;
        text += size;
    }
    return 0;
}

static int read_extra(struct tar_reader *reader, char type, uint64_t size, struct extra *extra, struct err *err)
{
    if (size > EXTRA_MAX)
        return err_set(err, ERR_INVALID, "archive holds an extra header of %llu bytes", (unsigned long long)size);
    AUTO_FREE char *text = xcalloc(1, (size_t)size + 1);
    int ret = read_exact(reader, text, (size_t)size, err);
    if (ret < 0 || (ret == 0 && size))
        return ret < 0 ? -1 : err_set(err, ERR_INVALID, "archive is cut short");
    if (skip(reader, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, err) < 0)
        return -1;
    if (type == 'x')
        return pax_parse(extra, text, (size_t)size, err);
    if (type != 'L' && type != 'K')
        return 0; /* 'g': nothing of it matters here */
    char **slot = type == 'L' ? &extra->name : &extra->link;
    free(*slot);
    *slot = take_ptr(&text);
    return 0;
}

/* ---- entries ---- */

static int fill_member(struct tar_reader *reader, const struct raw_header *header, struct extra *extra, uint64_t size, struct err *err)
{
    struct tar_member *member = &reader->member;
    uint64_t mode, mtime, major = 0, minor = 0;
    char type = header->type == 0 || header->type == '7' ? '0' : header->type;
    if (!strchr("0123456", type))
        return err_set(err, ERR_UNSUPPORTED, "archive holds an entry of the unknown type '%c'", type);
    if (parse_number(header->mode, sizeof header->mode, &mode, err) < 0 ||
        parse_number(header->mtime, sizeof header->mtime, &mtime, err) < 0)
        return -1;
    if ((type == '3' || type == '4') && (parse_number(header->major, sizeof header->major, &major, err) < 0 ||
                                         parse_number(header->minor, sizeof header->minor, &minor, err) < 0))
        return -1;
    member->name = extra->name ? take_ptr(&extra->name) : raw_name(header);
    member->link = extra->link ? take_ptr(&extra->link) : field_text(header->link, sizeof header->link);
    size_t length = strlen(member->name);
    member->type = type == '0' && length && member->name[length - 1] == '/' ? '5' : type;
    member->mode = (mode_t)(mode & 07777);
    member->size = type == '0' ? size : 0;
    member->mtime = extra->has_mtime ? extra->mtime : (int64_t)MIN(mtime, (uint64_t)INT64_MAX);
    member->major = (unsigned)major;
    member->minor = (unsigned)minor;
    reader->left = size;
    reader->padding = (unsigned)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
    return 1;
}

static bool is_zero(const struct raw_header *header)
{
    const char *bytes = (const char *)header;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, TAR_BLOCK - 1) == 0;
}

static void member_done(struct tar_member *member)
{
    free(member->name);
    free(member->link);
    *member = (struct tar_member){ 0 };
}

static int next_header(struct tar_reader *reader, struct extra *extra, struct err *err)
{
    for (;;) {
        struct raw_header header;
        uint64_t size;
        int ret = read_exact(reader, &header, sizeof header, err);
        if (ret <= 0 || is_zero(&header))
            return ret < 0 ? -1 : 0;
        if (check_sum(&header, err) < 0 || parse_number(header.size, sizeof header.size, &size, err) < 0)
            return -1;
        if (!strchr("xgLK", header.type) || !header.type) {
            uint64_t real = extra->has_size ? extra->size : size;
            if (real > (uint64_t)INT64_MAX)
                return err_set(err, ERR_INVALID, "archive holds a number out of range");
            return fill_member(reader, &header, extra, real, err);
        }
        if (read_extra(reader, header.type, size, extra, err) < 0)
            return -1;
    }
}

int tar_next(struct tar_reader *reader, const struct tar_member **ret, struct err *err)
{
    AUTO_EXTRA struct extra extra = { 0 };
    if (skip(reader, reader->left + reader->padding, err) < 0)
        return -1;
    reader->left = reader->padding = 0;
    member_done(&reader->member);
    int found = next_header(reader, &extra, err);
    if (found == 1)
        *ret = &reader->member;
    return found;
}

ssize_t tar_content(struct tar_reader *reader, void *bytes, size_t size, struct err *err)
{
    size_t piece = (size_t)MIN(reader->left, (uint64_t)size);
    if (!piece)
        return 0;
    ssize_t got = reader->read(reader->arg, bytes, piece, err);
    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(err, ERR_INVALID, "archive is cut short");
    reader->left -= (uint64_t)got;
    reader->count += (uint64_t)got;
    return got;
}

int tar_drain(struct tar_reader *reader, struct err *err)
{
    char scratch[8192];
    ssize_t got;
    while ((got = reader->read(reader->arg, scratch, sizeof scratch, err)) > 0)
        reader->count += (uint64_t)got;
    return got < 0 ? -1 : 0;
}

void tar_reader_done(struct tar_reader *reader)
{
    member_done(&reader->member);
}
