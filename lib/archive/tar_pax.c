#include "lib/archive/private.h"
#include "lib/base/str.h"

#include <errno.h>

static void free_xattrs(struct tar_xattr *xattrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(xattrs[i].name);
        free(xattrs[i].value);
    }
    free(xattrs);
}

void tar_pax_done(struct tar_pax *pax)
{
    free(pax->path);
    free(pax->link);
    free(pax->sparse_name);
    free_xattrs(pax->xattrs, pax->xattr_count);
    free(pax->sparse.regions);
    *pax = (struct tar_pax){ 0 };
}

int tar_number(const unsigned char *field, size_t size, int64_t *ret)
{
    if (field[0] & 0x80) {
        bool negative = field[0] & 0x40;
        uint64_t value = negative ? ~(uint64_t)0 : 0;
        for (size_t i = 0; i < size; i++) {
            unsigned char byte = i ? field[i] : (unsigned char)((field[0] & 0x7f) | (negative ? 0x80 : 0));
            uint64_t top = value >> 55;
            if (top != (negative ? 0x1ffU : 0))
                return -ERANGE;
            value = value << 8 | byte;
        }
        *ret = (int64_t)value;
        return 0;
    }
    size_t i = 0;
    int64_t value = 0;
    while (i < size && (field[i] == ' ' || field[i] == '\0'))
        i++;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (field[i] - '0'); /* at most 12 digits */
    for (; i < size; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return -EINVAL;
    *ret = value;
    return 0;
}

int tar_decimal(const char *text, size_t length, uint64_t *ret)
{
    uint64_t value = 0;
    if (length == 0 || length > 19)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value > INT64_MAX)
        return -ERANGE;
    *ret = value;
    return 0;
}

/* "1700000000.123456789", maybe negative */
static int parse_time(const char *text, size_t length, int64_t *ret_s, long *ret_ns)
{
    bool negative = length && text[0] == '-';
    size_t start = negative, whole = start;
    uint64_t seconds;
    long nanos = 0, scale = 100000000;
    while (whole < length && text[whole] != '.')
        whole++;
    if (tar_decimal(text + start, whole - start, &seconds) < 0)
        return -EINVAL;
    for (size_t i = whole + 1; i < length; i++, scale /= 10) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        nanos += (text[i] - '0') * scale;
    }
    *ret_s = negative ? -(int64_t)seconds - (nanos != 0) : (int64_t)seconds;
    *ret_ns = negative && nanos ? 1000000000L - nanos : nanos;
    return 0;
}

static int put_text(char **slot, const char *value, size_t length, struct err *err)
{
    if (memchr(value, '\0', length))
        return err_set(err, ERR_INVALID, "a NUL in a pax record");
    free(*slot);
    *slot = xstrndup(value, length);
    return 0;
}

static int put_xattr(struct tar_pax *pax, const char *name, const char *value, size_t length, struct err *err)
{
    if (length > TAR_XATTR_MAX || strlen(name) > 255)
        return err_set(err, ERR_INVALID, "extended attribute %.64s of %zu bytes is too large", name, length);
    for (size_t i = 0; i < pax->xattr_count; i++) {
        if (!str_eq(pax->xattrs[i].name, name))
            continue;
        free(pax->xattrs[i].value);
        pax->xattrs[i].value = xmemdup(value, length);
        pax->xattrs[i].length = length;
        return 0;
    }
    pax->xattrs = xreallocarray(pax->xattrs, pax->xattr_count + 1, sizeof *pax->xattrs);
    pax->xattrs[pax->xattr_count++] = (struct tar_xattr){ xstrdup(name), xmemdup(value, length), length };
    return 0;
}

static int on_path(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return put_text(&pax->path, value, length, err);
}
static int on_link(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return put_text(&pax->link, value, length, err);
}
static int number(uint64_t *ret, bool *ret_has, const char *value, size_t length, const char *what, struct err *err)
{
    if (tar_decimal(value, length, ret) < 0)
        return err_set(err, ERR_INVALID, "bad pax %s", what);
    *ret_has = true;
    return 0;
}
static int on_size(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return number(&pax->size, &pax->has_size, value, length, "size", err);
}
static int on_uid(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return number(&pax->uid, &pax->has_uid, value, length, "uid", err);
}
static int on_gid(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return number(&pax->gid, &pax->has_gid, value, length, "gid", err);
}
static int on_mtime(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    if (parse_time(value, length, &pax->mtime_s, &pax->mtime_ns) < 0)
        return err_set(err, ERR_INVALID, "bad pax mtime");
    pax->has_mtime = true;
    return 0;
}
static int on_real_size(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return number(&pax->real_size, &pax->has_real_size, value, length, "real size", err);
}
static int on_sparse_name(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return put_text(&pax->sparse_name, value, length, err);
}
static int on_sparse_major(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    pax->sparse_v1 = length == 1 && value[0] == '1';
    return pax->sparse_v1 || (length == 1 && value[0] == '0') ? 0 : err_set(err, ERR_INVALID, "unknown sparse format");
}
static int on_sparse_map(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    AUTO_FREE char *text = xstrndup(value, length);
    pax->sparse_v0 = true;
    pax->sparse.count = 0;
    return sparse_parse_list(&pax->sparse, text, err);
}
static int on_sparse_offset(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    return number(&pax->pending_offset, &pax->has_pending_offset, value, length, "sparse offset", err);
}
static int on_sparse_bytes(struct tar_pax *pax, const char *value, size_t length, struct err *err)
{
    uint64_t bytes = 0;
    bool has;
    if (number(&bytes, &has, value, length, "sparse length", err) < 0)
        return -1;
    if (!pax->has_pending_offset)
        return err_set(err, ERR_INVALID, "a sparse length without its offset");
    pax->has_pending_offset = false;
    pax->sparse_v0 = true;
    return sparse_add(&pax->sparse, pax->pending_offset, bytes, err);
}

static const struct {
    const char *key;
    int (*take)(struct tar_pax *pax, const char *value, size_t length, struct err *err);
} pax_keys[] = {
    { "path", on_path },
    { "linkpath", on_link },
    { "size", on_size },
    { "uid", on_uid },
    { "gid", on_gid },
    { "mtime", on_mtime },
    { "GNU.sparse.realsize", on_real_size },
    { "GNU.sparse.size", on_real_size },
    { "GNU.sparse.name", on_sparse_name },
    { "GNU.sparse.major", on_sparse_major },
    { "GNU.sparse.map", on_sparse_map },
    { "GNU.sparse.offset", on_sparse_offset },
    { "GNU.sparse.numbytes", on_sparse_bytes },
};

static int take_record(struct tar_pax *pax, const char *key, const char *value, size_t length, struct err *err)
{
    const char *xattr = str_after(key, "SCHILY.xattr.");
    if (xattr && *xattr)
        return put_xattr(pax, xattr, value, length, err);
    for (size_t i = 0; i < ARRAY_SIZE(pax_keys); i++)
        if (str_eq(pax_keys[i].key, key))
            return length ? pax_keys[i].take(pax, value, length, err) : 0; /* empty: the record is unset */
    return 0;
}

/* Records "LENGTH KEY=VALUE\n", where LENGTH counts itself. text is changed. */
int tar_pax_parse(struct tar_pax *pax, char *text, size_t length, struct err *err)
{
    while (length > 0) {
        uint64_t record;
        char *space = memchr(text, ' ', MIN(length, (size_t)20));
        if (!space || tar_decimal(text, (size_t)(space - text), &record) < 0 || record > length ||
            record < (size_t)(space - text) + 3 || text[record - 1] != '\n')
            return err_set(err, ERR_INVALID, "a broken pax record");
        char *key = space + 1, *end = text + record - 1;
        char *equals = memchr(key, '=', (size_t)(end - key));
        if (!equals || equals == key)
            return err_set(err, ERR_INVALID, "a pax record without a key");
        *equals = '\0';
        if (strlen(key) != (size_t)(equals - key))
            return err_set(err, ERR_INVALID, "a NUL in a pax record");
        if (take_record(pax, key, equals + 1, (size_t)(end - equals - 1), err) < 0)
            return -1;
        text += record;
        length -= record;
    }
    return 0;
}
