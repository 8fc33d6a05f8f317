#include "lib/base/str.h"
#include "lib/json/internal.h"

static void clear_list(const struct codec_type *type, struct any_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        codec_clear(type, (char *)list->items + i * type->size);
    free(list->items);
}

static void clear_map(const struct codec_field *field, struct obj_map *map)
{
    for (size_t i = 0; map->keys && map->keys[i]; i++) {
        if (map->values[i] && field->kind == CODEC_LISTMAP)
            clear_list(field->type, map->values[i]);
        else if (map->values[i])
            codec_clear(field->type, map->values[i]);
        free(map->values[i]);
    }
    strv_free(map->keys);
    free(map->values);
}

static void clear_field(const struct codec_field *field, void *slot)
{
    switch ((int)field->kind) {
    case CODEC_STR:
    case CODEC_RAW:
        free(*(char **)slot);
        break;
    case CODEC_STRV:
    case CODEC_CMD:
    case CODEC_STRSET:
        strv_free(*(char ***)slot);
        break;
    case CODEC_STRMAP:
        str_map_clear(slot);
        break;
    case CODEC_OBJ:
        codec_clear(field->type, slot);
        break;
    case CODEC_OBJP:
        if (*(void **)slot)
            codec_clear(field->type, *(void **)slot);
        free(*(void **)slot);
        break;
    case CODEC_LIST_KIND:
        clear_list(field->type, slot);
        break;
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        clear_map(field, slot);
        break;
    case CODEC_I64LIST:
        free(((struct i64_list *)slot)->items);
        break;
    default:
        break;
    }
}

void codec_clear(const struct codec_type *type, void *value)
{
    for (const struct codec_field *field = type->fields; field->name; field++)
        clear_field(field, codec_member(value, field));
    memset(value, 0, type->size);
}

static void copy_list(const struct codec_type *type, struct any_list *dst, const struct any_list *src)
{
    *dst = (struct any_list){ src->items ? xcalloc(src->count + 1, type->size) : NULL, src->count };
    for (size_t i = 0; i < src->count; i++)
        codec_copy(type, (char *)dst->items + i * type->size, (const char *)src->items + i * type->size);
}

static void copy_map(const struct codec_field *field, struct obj_map *dst, const struct obj_map *src)
{
    bool lists = field->kind == CODEC_LISTMAP;
    size_t count = obj_map_count(src);
    *dst = (struct obj_map){ strv_dup(src->keys), src->keys ? xcalloc(count + 1, sizeof *dst->values) : NULL };
    for (size_t i = 0; i < count; i++) {
        if (!src->values[i])
            continue;
        dst->values[i] = xcalloc(1, lists ? sizeof(struct any_list) : field->type->size);
        if (lists)
            copy_list(field->type, dst->values[i], src->values[i]);
        else
            codec_copy(field->type, dst->values[i], src->values[i]);
    }
}

static void copy_field(const struct codec_field *field, void *dst, const void *src)
{
    const struct i64_list *ints = src;
    switch ((int)field->kind) {
    case CODEC_STR:
    case CODEC_RAW:
        *(char **)dst = xstrdup(*(char *const *)src);
        break;
    case CODEC_STRV:
    case CODEC_CMD:
    case CODEC_STRSET:
        *(char ***)dst = strv_dup(*(char **const *)src);
        break;
    case CODEC_STRMAP:
        str_map_copy(dst, src);
        break;
    case CODEC_OBJ:
        codec_copy(field->type, dst, src);
        break;
    case CODEC_OBJP:
        if (!*(void *const *)src)
            break;
        *(void **)dst = xcalloc(1, field->type->size);
        codec_copy(field->type, *(void **)dst, *(void *const *)src);
        break;
    case CODEC_LIST_KIND:
        copy_list(field->type, dst, src);
        break;
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        copy_map(field, dst, src);
        break;
    case CODEC_I64LIST:
        *(struct i64_list *)dst = (struct i64_list){ ints->items ? xmemdup(ints->items, ints->count * sizeof *ints->items) : NULL, ints->count };
        break;
    default:
        break; /* plain values: the bytes are there already */
    }
}

void codec_copy(const struct codec_type *type, void *dst, const void *src)
{
    AUTO_FREE char *source = xmemdup(src, type->size); /* dst may lie inside src's owner */
    memcpy(dst, source, type->size);
    for (const struct codec_field *field = type->fields; field->name; field++) {
        if ((int)field->kind == CODEC_OBJP)
            *(void **)codec_member(dst, field) = NULL;
        copy_field(field, codec_member(dst, field), codec_member_const(source, field));
    }
}

bool codec_equal(const struct codec_type *type, const void *a, const void *b)
{
    AUTO_FREE char *left = codec_encode_dup(type, a);
    AUTO_FREE char *right = codec_encode_dup(type, b);
    return str_eq(left, right);
}
