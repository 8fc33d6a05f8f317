/* JSON by table. A struct is described once by rows; decode, encode, copy, clear and equal all read
 * the same rows. The row macros check the member's C type at compile time. Only lib/json includes jansson.
 *
 * Member types by kind:
 *   F_STR      char *            owned; NULL = absent            F_BOOL    bool
 *   F_I64      int64_t                                          F_DOUBLE  double
 *   F_STRV     char **           list of strings                F_STRMAP  struct str_map   (insertion order)
 *   F_OBJ      struct T (inline)                                F_OBJP    struct T *       (NULL = absent)
 *   F_LIST     struct X_list     { struct T *items; size_t count; } inline objects
 *   F_OBJMAP   struct obj_map    name -> struct T*  (insertion order)
 *   F_LISTMAP  struct obj_map    name -> struct { T *items; size_t count; } * with null values allowed (PortBindings)
 *   F_RAW      char *            any JSON value as compact text; NULL = absent
 *   F_OPT_BOOL struct opt_bool   F_OPT_I64 struct opt_i64       present / absent (Go pointers)
 *   F_I64LIST  struct i64_list   { int64_t *items; size_t count; }
 *   F_STRSET   char **           JSON object {"name": {}} as a list of names (ExposedPorts, Volumes)
 *   F_CMD      char **           string or list of strings (Cmd, Entrypoint as clients may send); encodes as a list
 *   F_TIME     int64_t           unix ns as RFC3339Nano text
 * Names match exactly first, then ignoring case; unknown names are ignored; null is "absent".
 * Limits: depth 64; duplicate keys: last wins unless CODEC_STRICT. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/strv.h"
#include <stdbool.h>
#include <stdint.h>

struct str_map {
    char **keys, **values; /* both NULL-ended, same length */
};
const char *str_map_get(const struct str_map *map, const char *key); /* borrowed, NULL when absent */
void str_map_set(struct str_map *map, const char *key, const char *value);
void str_map_remove(struct str_map *map, const char *key);
size_t str_map_count(const struct str_map *map);
void str_map_copy(struct str_map *dst, const struct str_map *src); /* dst is overwritten without clearing */
void str_map_clear(struct str_map *map);

struct obj_map {
    char **keys;   /* NULL-ended */
    void **values; /* same length; each allocated; NULL = JSON null */
};
void *obj_map_get(const struct obj_map *map, const char *key);
size_t obj_map_count(const struct obj_map *map);
/* Adds (or returns the existing) zeroed value of the given size. */
void *obj_map_add(struct obj_map *map, const char *key, size_t size);
void obj_map_add_null(struct obj_map *map, const char *key);

struct opt_bool {
    bool present, value;
};
struct opt_i64 {
    bool present;
    int64_t value;
};
struct i64_list {
    int64_t *items;
    size_t count;
};
/* Every inline-object list struct has exactly this shape; declare with CODEC_LIST(struct T) name; */
#define CODEC_LIST(T)  \
    struct {           \
        T *items;      \
        size_t count;  \
    }
struct any_list {
    void *items;
    size_t count;
};
/* Appends a zeroed item, returns it. list points at a CODEC_LIST member. */
void *codec_list_add(void *list, size_t item_size);
#define list_add(list) ((__typeof__((list)->items))codec_list_add((list), sizeof *(list)->items))

enum codec_kind {
    CODEC_STR, CODEC_BOOL, CODEC_I64, CODEC_DOUBLE, CODEC_STRV, CODEC_STRMAP, CODEC_OBJ, CODEC_OBJP, CODEC_LIST_KIND,
    CODEC_OBJMAP, CODEC_LISTMAP, CODEC_RAW, CODEC_OPT_BOOL, CODEC_OPT_I64, CODEC_I64LIST, CODEC_STRSET, CODEC_CMD, CODEC_TIME,
};
enum codec_flag {
    OMIT_EMPTY = 1, /* not written when zero/empty/NULL (Go's omitempty) */
    NULL_EMPTY = 2, /* an empty list/map/optional/string prints null; default for lists is [], maps {}, strings "" */
    REQUIRED = 4,   /* decoding fails when absent */
};
struct codec_type;
struct codec_field {
    const char *name;
    enum codec_kind kind;
    unsigned flags;
    size_t offset;
    const struct codec_type *type; /* of objects, items and map values */
};
struct codec_type {
    const char *name; /* C name, for messages */
    size_t size;
    const struct codec_field *fields; /* F_END */
};
#define CODEC_ROW_(T, m, ctype, json, k, fl, ty)                                              \
    {                                                                                          \
        .name = (json), .kind = (k), .flags = (fl),                                            \
        .offset = offsetof(T, m) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((T *)0)->m), ctype) ? 1 : -1]), \
        .type = (ty)                                                                           \
    }
#define CODEC_ROW_ANY_(T, m, sz, json, k, fl, ty)                                             \
    {                                                                                          \
        .name = (json), .kind = (k), .flags = (fl),                                            \
        .offset = offsetof(T, m) + 0 * sizeof(char[sizeof(((T *)0)->m) == (sz) ? 1 : -1]), .type = (ty) \
    }
#define F_STR(T, m, json, fl) CODEC_ROW_(T, m, char *, json, CODEC_STR, fl, NULL)
#define F_BOOL(T, m, json, fl) CODEC_ROW_(T, m, bool, json, CODEC_BOOL, fl, NULL)
#define F_I64(T, m, json, fl) CODEC_ROW_(T, m, int64_t, json, CODEC_I64, fl, NULL)
#define F_TIME(T, m, json, fl) CODEC_ROW_(T, m, int64_t, json, CODEC_TIME, fl, NULL)
#define F_DOUBLE(T, m, json, fl) CODEC_ROW_(T, m, double, json, CODEC_DOUBLE, fl, NULL)
#define F_STRV(T, m, json, fl) CODEC_ROW_(T, m, char **, json, CODEC_STRV, fl, NULL)
#define F_STRSET(T, m, json, fl) CODEC_ROW_(T, m, char **, json, CODEC_STRSET, fl, NULL)
#define F_CMD(T, m, json, fl) CODEC_ROW_(T, m, char **, json, CODEC_CMD, fl, NULL)
#define F_STRMAP(T, m, json, fl) CODEC_ROW_(T, m, struct str_map, json, CODEC_STRMAP, fl, NULL)
#define F_OBJ(T, m, json, fl, M) CODEC_ROW_(T, m, struct M, json, CODEC_OBJ, fl, &M##_type)
#define F_OBJP(T, m, json, fl, M) CODEC_ROW_(T, m, struct M *, json, CODEC_OBJP, fl, &M##_type)
#define F_LIST(T, m, json, fl, M) CODEC_ROW_ANY_(T, m, sizeof(struct any_list), json, CODEC_LIST_KIND, fl, &M##_type)
#define F_OBJMAP(T, m, json, fl, M) CODEC_ROW_(T, m, struct obj_map, json, CODEC_OBJMAP, fl, &M##_type)
#define F_LISTMAP(T, m, json, fl, M) CODEC_ROW_(T, m, struct obj_map, json, CODEC_LISTMAP, fl, &M##_type)
#define F_RAW(T, m, json, fl) CODEC_ROW_(T, m, char *, json, CODEC_RAW, fl, NULL)
#define F_OPT_BOOL(T, m, json, fl) CODEC_ROW_(T, m, struct opt_bool, json, CODEC_OPT_BOOL, fl, NULL)
#define F_OPT_I64(T, m, json, fl) CODEC_ROW_(T, m, struct opt_i64, json, CODEC_OPT_I64, fl, NULL)
#define F_I64LIST(T, m, json, fl) CODEC_ROW_(T, m, struct i64_list, json, CODEC_I64LIST, fl, NULL)
#define F_END { .name = NULL }
/* Defines `const struct codec_type NAME_type` for struct NAME from `NAME_fields`. Headers declare it with CODEC_DECLARE(NAME). */
#define CODEC_DECLARE(NAME) extern const struct codec_type NAME##_type
#define CODEC_DEFINE(NAME) \
    const struct codec_type NAME##_type = { .name = #NAME, .size = sizeof(struct NAME), .fields = NAME##_fields }

/* Fills *ret (caller's storage, zeroed first). ERR_INVALID names the path ("HostConfig.PortBindings: ...") or the
 * line and column. On failure *ret is cleared. text need not end with NUL. */
int codec_decode(const struct codec_type *type, const char *text, size_t length, void *ret, struct err *err);
void codec_encode(const struct codec_type *type, const void *value, struct buf *out); /* compact */
char *codec_encode_dup(const struct codec_type *type, const void *value);             /* caller frees */
void codec_encode_list(const struct codec_type *type, const void *items, size_t count, struct buf *out);
void codec_encode_ptr_list(const struct codec_type *type, void *const *items, size_t count, struct buf *out);
void codec_copy(const struct codec_type *type, void *dst, const void *src); /* deep; dst overwritten without clearing */
void codec_clear(const struct codec_type *type, void *value);               /* frees members, zeroes; storage is the caller's */
bool codec_equal(const struct codec_type *type, const void *a, const void *b);
/* Quoted and escaped as Go's encoder does it (with < > & as \u003c \u003e \u0026); bad UTF-8 becomes U+FFFD. */
void json_put_string(struct buf *out, const char *text, size_t length);
/* The other manner of Go's encoder, SetEscapeHTML(false): < > & stand for themselves. Docker's whole answers have it, its streams do not. */
void json_plain_html(struct buf *json);
