/* Every table of this room: its rows cover the struct without gap or overlap, names are unique, and what one value
 * says survives encoding and decoding. The list of tables is made from the headers, so that none is left out. The
 * golden documents were spoken by Docker itself: decoding and encoding one gives the same bytes. */
#include "lib/api/compat.h"
#include "lib/api/image_tables.h"
#include "lib/api/jsonmessage.h"
#include "lib/api/stats.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#include <fcntl.h>

static const struct codec_type *const tables[] = {
#include "lib/api/table_list.h"
};

static size_t size_of(const struct codec_field *field)
{
    switch (field->kind) {
    case CODEC_BOOL:
        return sizeof(bool);
    case CODEC_OPT_BOOL:
        return sizeof(struct opt_bool);
    case CODEC_OBJ:
        return field->type->size;
    case CODEC_STRMAP:
    case CODEC_LIST_KIND:
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
    case CODEC_OPT_I64:
    case CODEC_I64LIST:
        return 2 * sizeof(void *);
    case CODEC_STR:
    case CODEC_I64:
    case CODEC_DOUBLE:
    case CODEC_STRV:
    case CODEC_OBJP:
    case CODEC_RAW:
    case CODEC_STRSET:
    case CODEC_CMD:
    case CODEC_TIME:
    default:
        return sizeof(void *);
    }
}

static size_t align_of(const struct codec_field *field)
{
    return field->kind == CODEC_BOOL || field->kind == CODEC_OPT_BOOL ? 1 : sizeof(void *);
}

/* The row with the lowest offset at or behind `from`. */
static const struct codec_field *next_row(const struct codec_type *type, size_t from)
{
    const struct codec_field *best = NULL;
    for (const struct codec_field *field = type->fields; field->name; field++)
        if (field->offset >= from && (!best || field->offset < best->offset))
            best = field;
    return best;
}

/* First byte of the struct that no row accounts for; the size when all do. */
static size_t first_gap(const struct codec_type *type)
{
    size_t at = 0;
    const struct codec_field *field;
    while ((field = next_row(type, at))) {
        size_t align = align_of(field), aligned = (at + align - 1) / align * align;
        if (field->offset != aligned)
            return at;
        at = field->offset + size_of(field);
    }
    return (at + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *) >= type->size ? type->size : at;
}

TEST(rows_cover_their_structs)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        size_t expected = tables[i]->size, gap = first_gap(tables[i]);
        if (tables[i] == &image_inspect_legacy_type) /* prints another Config in the place of this one */
            expected = offsetof(struct image_inspect, config);
        if (gap != expected)
            printf("# %s: byte %zu of %zu is in no row\n", tables[i]->name, gap, tables[i]->size);
        CHECK_INT(gap, expected);
    }
}

TEST(names_are_unique)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        for (const struct codec_field *a = tables[i]->fields; a->name; a++)
            for (const struct codec_field *b = a + 1; b->name; b++)
                if (str_eq(a->name, b->name)) {
                    printf("# %s: two rows named %s\n", tables[i]->name, a->name);
                    CHECK(false);
                }
}

static void fill(const struct codec_type *type, void *value, int *seed);

static char *word(int *seed)
{
    return str_format("w%d<é\"\n>", (*seed)++);
}

static void fill_lists(const struct codec_field *field, void *slot, int *seed)
{
    struct any_list *list = slot;
    struct obj_map *map = slot;
    for (int i = 0; i < 2; i++) {
        AUTO_FREE char *key = word(seed);
        if (field->kind == CODEC_LIST_KIND)
            fill(field->type, codec_list_add(list, field->type->size), seed);
        else if (field->kind == CODEC_OBJMAP)
            fill(field->type, obj_map_add(map, key, field->type->size), seed);
        else
            fill(field->type, codec_list_add(obj_map_add(map, key, sizeof(struct any_list)), field->type->size), seed);
    }
    if (field->kind == CODEC_LISTMAP)
        obj_map_add_null(map, "nothing");
}

static void fill_field(const struct codec_field *field, void *slot, int *seed)
{
    AUTO_FREE char *key = word(seed), *text = word(seed);
    switch (field->kind) {
    case CODEC_STR:
        *(char **)slot = take_ptr(&text);
        break;
    case CODEC_RAW:
        *(char **)slot = str_format("[[\"%d\",null],{\"a\":1.5}]", (*seed)++);
        break;
    case CODEC_BOOL:
        *(bool *)slot = true;
        break;
    case CODEC_I64:
        *(int64_t *)slot = -(*seed)++;
        break;
    case CODEC_TIME:
        *(int64_t *)slot = 1700000000123456789 + (*seed)++;
        break;
    case CODEC_DOUBLE:
        *(double *)slot = (*seed)++ + 0.25;
        break;
    case CODEC_STRV:
    case CODEC_STRSET:
    case CODEC_CMD:
        strv_append(slot, text);
        strv_append(slot, key);
        break;
    case CODEC_STRMAP:
        str_map_set(slot, key, text);
        str_map_set(slot, text, "");
        break;
    case CODEC_OBJP:
        *(void **)slot = xcalloc(1, field->type->size);
        fill(field->type, *(void **)slot, seed);
        break;
    case CODEC_OBJ:
        fill(field->type, slot, seed);
        break;
    case CODEC_OPT_BOOL:
        *(struct opt_bool *)slot = (struct opt_bool){ .present = true };
        break;
    case CODEC_OPT_I64:
        *(struct opt_i64 *)slot = (struct opt_i64){ .present = true };
        break;
    case CODEC_I64LIST: {
        struct i64_list *list = slot;
        list->items = xcalloc(2, sizeof *list->items);
        list->count = 2;
        list->items[0] = (*seed)++;
        list->items[1] = INT64_MAX;
        break;
    }
    case CODEC_LIST_KIND:
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
    default:
        fill_lists(field, slot, seed);
        break;
    }
}

static void fill(const struct codec_type *type, void *value, int *seed)
{
    for (const struct codec_field *field = type->fields; field->name; field++)
        fill_field(field, (char *)value + field->offset, seed);
}

static void round_trip(const struct codec_type *type, const void *value)
{
    struct err err = { 0 };
    AUTO_FREE void *back = xcalloc(1, type->size);
    AUTO_FREE char *text = codec_encode_dup(type, value);
    if (codec_decode(type, text, strlen(text), back, &err) < 0) {
        printf("# %s: %s\n# %s\n", type->name, err.text, text);
        CHECK(false);
        return;
    }
    AUTO_FREE char *again = codec_encode_dup(type, back);
    CHECK_STR(again, text);
    if (!codec_equal(type, value, back)) {
        printf("# %s: not the same value after decoding\n", type->name);
        CHECK(false);
    }
    codec_clear(type, back);
}

TEST(full_values_survive)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        int seed = 1;
        AUTO_FREE void *value = xcalloc(1, tables[i]->size);
        fill(tables[i], value, &seed);
        round_trip(tables[i], value);
        codec_clear(tables[i], value);
    }
}

TEST(empty_values_survive)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct err err = { 0 };
        AUTO_FREE void *value = xcalloc(1, tables[i]->size), *back = xcalloc(1, tables[i]->size);
        AUTO_FREE char *text = codec_encode_dup(tables[i], value);
        CHECK_INT(codec_decode(tables[i], text, strlen(text), back, &err), 0);
        CHECK_STR(err.text, "");
        AUTO_FREE char *again = codec_encode_dup(tables[i], back);
        CHECK_STR(again, text);
        codec_clear(tables[i], back);
    }
}

TEST(copies_are_equal_and_apart)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        int seed = 1;
        AUTO_FREE void *value = xcalloc(1, tables[i]->size), *copy = xcalloc(1, tables[i]->size);
        fill(tables[i], value, &seed);
        codec_copy(tables[i], copy, value);
        AUTO_FREE char *text = codec_encode_dup(tables[i], value);
        codec_clear(tables[i], value);
        AUTO_FREE char *copied = codec_encode_dup(tables[i], copy);
        CHECK_STR(copied, text);
        codec_clear(tables[i], copy);
    }
}

static char *read_golden(const char *name)
{
    AUTO_FREE char *path = str_format("%s/%s.json", GOLDEN_DIR, name);
    char *text = NULL;
    size_t length = 0;
    CHECK_INT(io_read_file_at(AT_FDCWD, path, 1 << 20, &text, &length), 0);
    if (text)
        text[strcspn(text, "\n")] = 0;
    return text ? text : xstrdup("");
}

/* Long texts: shows the place where they part. */
static void check_same(const char *name, const char *got, const char *want)
{
    size_t at = 0;
    while (got[at] && got[at] == want[at])
        at++;
    if (got[at] != want[at])
        printf("# %s: ...%.100s\n# not ...%.100s\n", name, got + (at > 30 ? at - 30 : 0), want + (at > 30 ? at - 30 : 0));
    CHECK(got[at] == want[at]);
}

TEST(docker_says_the_same_bytes)
{
    static const struct {
        const char *name;
        const struct codec_type *type;
    } documents[] = {
        { "container_inspect", &container_inspect_type },   { "container_inspect_full", &container_inspect_type },
        { "container_summary", &container_summary_type },   { "exec_inspect", &exec_inspect_type },
        { "image_inspect", &image_inspect_type },           { "image_summary", &image_summary_type },
        { "image_history_item", &image_history_item_type }, { "network_inspect", &network_inspect_type },
        { "volume", &volume_type },                         { "volume_list", &volume_list_response_type },
        { "info", &info_type },                             { "version", &version_type },
        { "event", &event_message_type },                   { "stats", &container_stats_type },
        { "top", &container_top_response_type },            { "wait", &container_wait_response_type },
    };
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
        struct err err = { 0 };
        AUTO_FREE char *text = read_golden(documents[i].name);
        AUTO_FREE void *value = xcalloc(1, documents[i].type->size);
        CHECK_INT(codec_decode(documents[i].type, text, strlen(text), value, &err), 0);
        CHECK_STR(err.text, "");
        AUTO_FREE char *again = codec_encode_dup(documents[i].type, value);
        check_same(documents[i].name, again, text);
        codec_clear(documents[i].type, value);
    }
}

TESTS(T(rows_cover_their_structs), T(names_are_unique), T(full_values_survive), T(empty_values_survive), T(copies_are_equal_and_apart),
      T(docker_says_the_same_bytes))
