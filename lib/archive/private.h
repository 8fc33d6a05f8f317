/* The inside of the tar reader. */
#pragma once
#include "lib/archive/tar.h"

#define TAR_BLOCK_SIZE 512

struct sparse_region {
    uint64_t offset, length;
};
struct sparse_map {
    struct sparse_region *regions;
    size_t count, capacity;
};
int sparse_add(struct sparse_map *map, uint64_t offset, uint64_t length, struct err *err);
/* Ascending, inside real_size, together exactly stored bytes. */
int sparse_check(const struct sparse_map *map, uint64_t real_size, uint64_t stored, struct err *err);
/* "1,2,3,4" of GNU.sparse.map */
int sparse_parse_list(struct sparse_map *map, const char *text, struct err *err);

/* What 'x', 'L' and 'K' headers say about the entry behind them. */
struct tar_pax {
    char *path, *link, *sparse_name;
    bool has_size, has_uid, has_gid, has_mtime, has_real_size;
    bool sparse_v1, sparse_v0;
    uint64_t size, uid, gid, real_size, pending_offset;
    bool has_pending_offset;
    int64_t mtime_s;
    long mtime_ns;
    struct tar_xattr *xattrs;
    size_t xattr_count;
    struct sparse_map sparse;
};
void tar_pax_done(struct tar_pax *pax);
int tar_pax_parse(struct tar_pax *pax, char *text, size_t length, struct err *err);
/* Octal with blanks, or GNU's base 256. */
int tar_number(const unsigned char *field, size_t size, int64_t *ret);
int tar_decimal(const char *text, size_t length, uint64_t *ret);
