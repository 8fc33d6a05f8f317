#include "lib/archive/private.h"
#include "lib/base/str.h"

#include <errno.h>

#define XATTRS_MAX 1024

struct tar_reader {
    struct chunker from;
    const unsigned char *chunk;
    size_t chunk_left;
    bool ended;
    struct tar_pax pax;
    char *long_path, *long_link; /* of 'L' and 'K' */
    char *path, *link;           /* of the current entry */
    uint64_t data_left, padding, offset;
    struct sparse_map map; /* borrowed of pax.sparse when use_map */
    bool use_map;
    size_t region;
    uint64_t region_done, entries;
    void (*tap)(void *arg, const void *bytes, size_t length);
    void *tap_arg;
};

struct tar_reader *tar_reader_new(struct chunker from)
{
    struct tar_reader *reader = xcalloc(1, sizeof *reader);
    reader->from = from;
    return reader;
}

static void forget_entry(struct tar_reader *reader)
{
    tar_pax_done(&reader->pax);
    free(reader->long_path);
    free(reader->long_link);
    free(reader->path);
    free(reader->link);
    reader->long_path = reader->long_link = reader->path = reader->link = NULL;
    reader->use_map = false;
    reader->region = 0;
    reader->region_done = reader->offset = reader->data_left = reader->padding = 0;
}

void tar_reader_free(struct tar_reader *reader)
{
    if (!reader)
        return;
    forget_entry(reader);
    free(reader);
}

/* 1 there are bytes, 0 the stream is over */
static int have_chunk(struct tar_reader *reader, struct err *err)
{
    if (reader->chunk_left)
        return 1;
    if (reader->ended)
        return 0;
    int more = reader->from.next(reader->from.arg, &reader->chunk, &reader->chunk_left, err);
    if (more <= 0) {
        reader->ended = true;
        reader->chunk_left = 0;
    }
    return more;
}

void tar_reader_tap(struct tar_reader *reader, void (*fn)(void *arg, const void *bytes, size_t length), void *arg)
{
    reader->tap = fn;
    reader->tap_arg = arg;
}

static size_t take_data(struct tar_reader *reader, uint64_t length)
{
    size_t n = (size_t)MIN((uint64_t)reader->chunk_left, length);
    reader->chunk += n;
    reader->chunk_left -= n;
    return n;
}

static size_t take(struct tar_reader *reader, uint64_t length)
{
    const unsigned char *from = reader->chunk;
    size_t n = take_data(reader, length);
    if (reader->tap)
        reader->tap(reader->tap_arg, from, n);
    return n;
}

/* Bytes read; short only at the end of the stream; -1 */
static ssize_t read_bytes(struct tar_reader *reader, void *bytes, size_t size, struct err *err)
{
    size_t have = 0;
    while (have < size) {
        int more = have_chunk(reader, err);
        if (more < 0)
            return -1;
        if (more == 0)
            break;
        const unsigned char *from = reader->chunk;
        size_t n = take(reader, size - have);
        memcpy((char *)bytes + have, from, n);
        have += n;
    }
    return (ssize_t)have;
}

static int truncated(struct err *err)
{
    return err_set(err, ERR_INVALID, "unexpected EOF: the archive is cut off");
}

static int skip_bytes(struct tar_reader *reader, uint64_t length, struct err *err)
{
    while (length > 0) {
        int more = have_chunk(reader, err);
        if (more <= 0)
            return more < 0 ? -1 : truncated(err);
        length -= take(reader, length);
    }
    return 0;
}

static bool all_zero(const unsigned char *block)
{
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
        if (block[i])
            return false;
    return true;
}

static bool checksum_holds(const unsigned char *block)
{
    int64_t wanted, plain = 0, as_signed = 0;
    if (tar_number(block + 148, 8, &wanted) < 0)
        return false;
    for (size_t i = 0; i < TAR_BLOCK_SIZE; i++) {
        unsigned char byte = i >= 148 && i < 156 ? ' ' : block[i];
        plain += byte;
        as_signed += (signed char)byte;
    }
    return wanted == plain || wanted == as_signed;
}

bool tar_looks_like(const unsigned char *block, size_t length)
{
    return length >= TAR_BLOCK_SIZE && (all_zero(block) || checksum_holds(block));
}

/* 1 a header, 0 the end of the archive */
static int read_header(struct tar_reader *reader, unsigned char *block, struct err *err)
{
    ssize_t n = read_bytes(reader, block, TAR_BLOCK_SIZE, err);
    if (n <= 0)
        return (int)n;
    if (n < TAR_BLOCK_SIZE)
        return truncated(err);
    if (!all_zero(block))
        return checksum_holds(block) ? 1 : err_set(err, ERR_INVALID, "archive/tar: invalid tar header");
    n = read_bytes(reader, block, TAR_BLOCK_SIZE, err);
    if (n < 0)
        return -1;
    if (n == TAR_BLOCK_SIZE && !all_zero(block))
        return err_set(err, ERR_INVALID, "archive/tar: invalid tar header");
    return 0;
}

static int header_size(const unsigned char *block, uint64_t *ret, struct err *err)
{
    int64_t size;
    if (tar_number(block + 124, 12, &size) < 0 || size < 0)
        return err_set(err, ERR_INVALID, "archive/tar: invalid tar header: bad size");
    *ret = (uint64_t)size;
    return 0;
}

static uint64_t padding_of(uint64_t size)
{
    return (TAR_BLOCK_SIZE - size % TAR_BLOCK_SIZE) % TAR_BLOCK_SIZE;
}

/* The body of a special header, NUL-ended, owned by the caller. */
static char *read_body(struct tar_reader *reader, const unsigned char *block, uint64_t max, size_t *ret_length, struct err *err)
{
    uint64_t size = 0;
    if (header_size(block, &size, err) < 0)
        return NULL;
    if (size > max) {
        err_set(err, ERR_INVALID, "a special tar header of %llu bytes is too large", (unsigned long long)size);
        return NULL;
    }
    AUTO_FREE char *body = xmalloc((size_t)size + 1);
    ssize_t n = read_bytes(reader, body, (size_t)size, err);
    if (n < 0)
        return NULL;
    if ((uint64_t)n < size) {
        truncated(err);
        return NULL;
    }
    if (skip_bytes(reader, padding_of(size), err) < 0)
        return NULL;
    body[size] = '\0';
    *ret_length = (size_t)size;
    return take_ptr(&body);
}

static int take_pax(struct tar_reader *reader, const unsigned char *block, struct err *err)
{
    size_t length;
    AUTO_FREE char *body = read_body(reader, block, TAR_PAX_MAX, &length, err);
    if (!body)
        return -1;
    tar_pax_done(&reader->pax);
    if (tar_pax_parse(&reader->pax, body, length, err) < 0)
        return -1;
    if (reader->pax.xattr_count > XATTRS_MAX)
        return err_set(err, ERR_INVALID, "more than %d extended attributes", XATTRS_MAX);
    return 0;
}

static int take_long(struct tar_reader *reader, const unsigned char *block, char **slot, struct err *err)
{
    size_t length;
    char *body = read_body(reader, block, TAR_PAX_MAX, &length, err);
    if (!body)
        return -1;
    free(*slot);
    *slot = body;
    return 0;
}

/* 1: it was a header about the next one, 0: it is an entry */
static int take_special(struct tar_reader *reader, const unsigned char *block, struct err *err)
{
    uint64_t size = 0;
    switch (block[156]) {
    case 'x':
        return take_pax(reader, block, err) < 0 ? -1 : 1;
    case 'L':
        return take_long(reader, block, &reader->long_path, err) < 0 ? -1 : 1;
    case 'K':
        return take_long(reader, block, &reader->long_link, err) < 0 ? -1 : 1;
    case 'g':
        if (header_size(block, &size, err) < 0)
            return -1;
        if (size > TAR_PAX_MAX)
            return err_set(err, ERR_INVALID, "a special tar header of %llu bytes is too large", (unsigned long long)size);
        return skip_bytes(reader, size + padding_of(size), err) < 0 ? -1 : 1;
    default:
        return 0;
    }
}

static char *header_path(const unsigned char *block)
{
    const char *name = (const char *)block, *prefix = name + 345;
    bool ustar = memcmp(block + 257, "ustar\0", 6) == 0;
    size_t prefix_size = memcmp(block + 508, "tar\0", 4) == 0 ? 131 : 155;
    if (!ustar || !*prefix)
        return xstrndup(name, 100);
    return str_format("%.*s/%.*s", (int)strnlen(prefix, prefix_size), prefix, (int)strnlen(name, 100), name);
}

static int entry_type(const unsigned char *block, const char *path, enum tar_type *ret)
{
    static const struct {
        char flag;
        enum tar_type type;
    } types[] = {
        { '0', TAR_FILE }, { '7', TAR_FILE }, { 'S', TAR_FILE }, { '1', TAR_HARDLINK }, { '2', TAR_SYMLINK },
        { '3', TAR_CHAR }, { '4', TAR_BLOCK }, { '5', TAR_DIR }, { '6', TAR_FIFO },
    };
    if (block[156] == '\0') { /* the oldest format marks a directory by its slash */
        *ret = str_ends(path, "/") ? TAR_DIR : TAR_FILE;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (types[i].flag == (char)block[156]) {
            *ret = types[i].type;
            return 0;
        }
    }
    return -1;
}

static void choose_names(struct tar_reader *reader, const unsigned char *block)
{
    struct tar_pax *pax = &reader->pax;
    char **name = pax->sparse_name ? &pax->sparse_name : pax->path ? &pax->path : &reader->long_path;
    char **link = pax->link ? &pax->link : &reader->long_link;
    reader->path = *name ? take_ptr(name) : header_path(block);
    reader->link = *link ? take_ptr(link) : xstrndup((const char *)block + 157, 100);
}

static int numbers(const struct tar_pax *pax, const unsigned char *block, struct tar_entry *ret, struct err *err)
{
    int64_t mode, uid, gid, mtime, major = 0, minor = 0;
    bool device = ret->type == TAR_CHAR || ret->type == TAR_BLOCK;
    if (tar_number(block + 100, 8, &mode) < 0 || tar_number(block + 108, 8, &uid) < 0 || tar_number(block + 116, 8, &gid) < 0 ||
        tar_number(block + 136, 12, &mtime) < 0)
        return err_set(err, ERR_INVALID, "archive/tar: invalid tar header: bad number");
    if (device && (tar_number(block + 329, 8, &major) < 0 || tar_number(block + 337, 8, &minor) < 0))
        return err_set(err, ERR_INVALID, "archive/tar: invalid tar header: bad device number");
    if (pax->has_uid)
        uid = (int64_t)pax->uid;
    if (pax->has_gid)
        gid = (int64_t)pax->gid;
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
        return err_set(err, ERR_INVALID, "user or group id out of range");
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
        return err_set(err, ERR_INVALID, "device number out of range");
    ret->mode = (mode_t)mode & 07777;
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    ret->mtime_s = pax->has_mtime ? pax->mtime_s : mtime;
    ret->mtime_ns = pax->has_mtime ? pax->mtime_ns : 0;
    ret->dev_major = (unsigned)major;
    ret->dev_minor = (unsigned)minor;
    return 0;
}

static int add_gnu_regions(struct sparse_map *map, const unsigned char *from, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++, from += 24) {
        int64_t offset, length;
        if (!from[0] && !from[12])
            return 0;
        if (tar_number(from, 12, &offset) < 0 || tar_number(from + 12, 12, &length) < 0 || offset < 0 || length < 0)
            return err_set(err, ERR_INVALID, "a broken sparse map");
        if (sparse_add(map, (uint64_t)offset, (uint64_t)length, err) < 0)
            return -1;
    }
    return 0;
}

static int gnu_sparse(struct tar_reader *reader, const unsigned char *block, uint64_t *ret_real, struct err *err)
{
    struct sparse_map *map = &reader->pax.sparse;
    unsigned char more[TAR_BLOCK_SIZE];
    int64_t real;
    bool extended = block[482];
    if (tar_number(block + 483, 12, &real) < 0 || real < 0)
        return err_set(err, ERR_INVALID, "a broken sparse map");
    map->count = 0;
    if (add_gnu_regions(map, block + 386, 4, err) < 0)
        return -1;
    while (extended) {
        ssize_t n = read_bytes(reader, more, sizeof more, err);
        if (n != TAR_BLOCK_SIZE)
            return n < 0 ? -1 : truncated(err);
        if (!more[0] && !more[12])
            return err_set(err, ERR_INVALID, "a broken sparse map");
        if (add_gnu_regions(map, more, 21, err) < 0)
            return -1;
        extended = more[504];
    }
    *ret_real = (uint64_t)real;
    return 0;
}

/* One line of the map that pax 1.0 puts in front of the data. */
static int map_number(struct tar_reader *reader, uint64_t *used, uint64_t *ret, struct err *err)
{
    char text[24];
    for (size_t length = 0; length < sizeof text; length++) {
        if (*used >= reader->data_left)
            return err_set(err, ERR_INVALID, "a broken sparse map");
        ssize_t n = read_bytes(reader, text + length, 1, err);
        if (n <= 0)
            return n < 0 ? -1 : truncated(err);
        ++*used;
        if (text[length] == '\n')
            return tar_decimal(text, length, ret) < 0 ? err_set(err, ERR_INVALID, "a broken sparse map") : 0;
    }
    return err_set(err, ERR_INVALID, "a broken sparse map");
}

static int pax_sparse_v1(struct tar_reader *reader, struct err *err)
{
    uint64_t used = 0, count, offset, length;
    reader->pax.sparse.count = 0;
    if (map_number(reader, &used, &count, err) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        if (map_number(reader, &used, &offset, err) < 0 || map_number(reader, &used, &length, err) < 0 ||
            sparse_add(&reader->pax.sparse, offset, length, err) < 0)
            return -1;
    }
    uint64_t padding = padding_of(used);
    if (used + padding > reader->data_left)
        return err_set(err, ERR_INVALID, "a broken sparse map");
    reader->data_left -= used + padding;
    return skip_bytes(reader, padding, err);
}

static int find_sparse(struct tar_reader *reader, const unsigned char *block, struct tar_entry *entry, struct err *err)
{
    struct tar_pax *pax = &reader->pax;
    uint64_t real = pax->real_size;
    if (block[156] == 'S') {
        if (gnu_sparse(reader, block, &real, err) < 0)
            return -1;
    } else if (!pax->has_real_size || !(pax->sparse_v1 || pax->sparse_v0)) {
        return 0;
    } else if (pax->sparse_v1 && pax_sparse_v1(reader, err) < 0) {
        return -1;
    }
    if (sparse_check(&pax->sparse, real, reader->data_left, err) < 0)
        return -1;
    reader->map = pax->sparse;
    reader->use_map = entry->sparse = true;
    entry->size = real;
    return 0;
}

static int make_entry(struct tar_reader *reader, const unsigned char *block, struct tar_entry *ret, struct err *err)
{
    uint64_t size = 0;
    struct tar_entry entry = { .path = reader->path };
    if (entry_type(block, reader->path, &entry.type) < 0)
        return err_set(err, ERR_INVALID, "unhandled tar header type %d", block[156]);
    if (strlen(reader->path) > TAR_PATH_MAX || strlen(reader->link) > TAR_PATH_MAX)
        return err_set(err, ERR_INVALID, "name longer than %d bytes", TAR_PATH_MAX);
    if (header_size(block, &size, err) < 0 || numbers(&reader->pax, block, &entry, err) < 0)
        return -1;
    if (reader->pax.has_size)
        size = reader->pax.size;
    if (entry.type == TAR_FILE) {
        reader->data_left = entry.size = size;
        reader->padding = padding_of(size);
        if (find_sparse(reader, block, &entry, err) < 0)
            return -1;
    }
    if (entry.type == TAR_HARDLINK || entry.type == TAR_SYMLINK)
        entry.link = reader->link;
    entry.xattrs = reader->pax.xattrs;
    entry.xattr_count = reader->pax.xattr_count;
    *ret = entry;
    return 1;
}

int tar_reader_next(struct tar_reader *reader, struct tar_entry *ret, struct err *err)
{
    unsigned char block[TAR_BLOCK_SIZE];
    int special = 1;
    if (skip_bytes(reader, reader->data_left, err) < 0)
        return reader->path ? err_wrap(err, "invalid entry \"%.200s\"", reader->path) : -1;
    /* Docker's client ends the context of `build -f OUTSIDE` right behind the last byte of the last file. */
    ssize_t padding = read_bytes(reader, block, (size_t)reader->padding, err);
    if (padding < 0)
        return -1;
    bool cut = (uint64_t)padding < reader->padding;
    forget_entry(reader);
    if (cut)
        return 0;
    while (special) {
        int more = read_header(reader, block, err);
        if (more <= 0)
            return more;
        special = take_special(reader, block, err);
        if (special < 0)
            return -1;
    }
    if (++reader->entries > TAR_ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "the archive has more than %d entries", TAR_ENTRIES_MAX);
    choose_names(reader, block);
    if (make_entry(reader, block, ret, err) < 0)
        return err_wrap(err, "invalid entry \"%.200s\"", reader->path);
    return 1;
}

/* Where the next stored byte belongs, and how many may follow there. */
static uint64_t room_here(struct tar_reader *reader, uint64_t *ret_offset)
{
    if (!reader->use_map) {
        *ret_offset = reader->offset;
        return reader->data_left;
    }
    while (reader->region_done == reader->map.regions[reader->region].length) {
        reader->region++;
        reader->region_done = 0;
    }
    *ret_offset = reader->map.regions[reader->region].offset + reader->region_done;
    return reader->map.regions[reader->region].length - reader->region_done;
}

int tar_reader_data(struct tar_reader *reader, const unsigned char **ret_bytes, size_t *ret_length, uint64_t *ret_offset, struct err *err)
{
    if (reader->data_left == 0)
        return 0;
    int more = have_chunk(reader, err);
    if (more <= 0)
        return more < 0 ? -1 : (truncated(err), err_wrap(err, "invalid entry \"%.200s\"", reader->path));
    uint64_t room = room_here(reader, ret_offset);
    *ret_bytes = reader->chunk;
    *ret_length = reader->use_map ? take(reader, room) : take_data(reader, room);
    reader->data_left -= *ret_length;
    reader->offset += *ret_length;
    reader->region_done += *ret_length;
    return 1;
}

uint64_t tar_reader_ahead(const struct tar_reader *reader)
{
    return reader->chunk_left || reader->ended || reader->use_map || reader->tap ? 0 : reader->data_left;
}

void tar_reader_took(struct tar_reader *reader, uint64_t length)
{
    reader->data_left -= length;
    reader->offset += length;
}

int tar_reader_drain(struct tar_reader *reader, struct err *err)
{
    int more;
    while ((more = have_chunk(reader, err)) > 0)
        take(reader, reader->chunk_left);
    return more;
}
