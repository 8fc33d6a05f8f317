/* eq ne lt le gt ge, index, slice. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

/* -1 0 1, or 2: only equality makes sense and they differ. */
static int compare_values(const struct value *a, const struct value *b)
{
    switch (a->kind) {
    case VALUE_STRING: {
        int order = strcmp(a->text, b->text);
        return (order > 0) - (order < 0);
    }
    case VALUE_INT:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case VALUE_FLOAT:
        return (a->real > b->real) - (a->real < b->real);
    case VALUE_BOOL:
        return a->integer == b->integer ? 0 : 2;
    case VALUE_NONE:
    case VALUE_NIL:
        return 0;
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_STRUCT:
        break;
    }
    return 2;
}

static int check_comparable(struct template_run *run, const struct node *at, const char *name, const struct value *a,
                            const struct value *b)
{
    bool nothing = a->kind == VALUE_NONE || a->kind == VALUE_NIL || b->kind == VALUE_NONE || b->kind == VALUE_NIL;
    bool only_equality = str_eq(name, "eq") || str_eq(name, "ne");
    if (a->kind != b->kind && !nothing)
        return run_fail(run, at, "error calling %s: incompatible types for comparison: %s and %s", name,
                        value_type_name(run, a), value_type_name(run, b));
    const struct value *both[] = { a, b };
    for (size_t i = 0; i < 2; i++) {
        enum value_kind kind = both[i]->kind;
        if (kind == VALUE_LIST || kind == VALUE_MAP || kind == VALUE_STRUCT)
            return run_fail(run, at, "error calling %s: non-comparable type %s", name, value_type_name(run, both[i]));
        if (!only_equality && (kind == VALUE_BOOL || kind == VALUE_NONE || kind == VALUE_NIL))
            return run_fail(run, at, "error calling %s: invalid type for comparison", name);
    }
    return 0;
}

int function_compare(struct template_run *run, const struct node *at, const char *name, const struct value *args,
                     size_t count, struct value *ret)
{
    bool is_eq = str_eq(name, "eq"), truth = false;
    if (count < 2)
        return run_fail(run, at, "error calling %s: missing argument for comparison", name);
    for (size_t i = 1; i < count && !truth; i++) {
        const struct value *a = &args[0], *b = &args[i];
        if (check_comparable(run, at, name, a, b) < 0)
            return -1;
        bool nothing_a = a->kind == VALUE_NONE || a->kind == VALUE_NIL,
             nothing_b = b->kind == VALUE_NONE || b->kind == VALUE_NIL;
        int order = nothing_a != nothing_b ? 2 : compare_values(a, b);
        if (is_eq)
            truth = order == 0;
        else if (str_eq(name, "ne"))
            truth = order != 0;
        else if (str_eq(name, "lt") || str_eq(name, "le"))
            truth = order == -1 || (order == 0 && name[1] == 'e');
        else
            truth = order == 1 || (order == 0 && name[1] == 'e');
    }
    *ret = value_bool(truth);
    return 0;
}

static int index_list(struct template_run *run, const struct node *at, const struct value *list,
                      const struct value *key, struct value *ret)
{
    bool is_text = list->kind == VALUE_STRING;
    int64_t count = is_text ? (int64_t)strlen(list->text) : (int64_t)json_count(list->json);
    if (key->kind != VALUE_INT)
        return run_fail(run, at, "error calling index: cannot index slice/array with type %s",
                        value_type_name(run, key));
    int64_t room = 0; /* of Go's slice, which grows by doubling: within it the message is another one */
    while (room < count)
        room = room ? room * 2 : 1;
    if (key->integer >= count && key->integer <= room)
        return run_fail(run, at, "error calling index: reflect: slice index out of range");
    if (key->integer < 0 || key->integer >= count)
        return run_fail(run, at, "error calling index: index out of range: %lld", (long long)key->integer);
    if (is_text)
        *ret = value_int((unsigned char)list->text[key->integer]);
    else
        *ret = value_item(list, json_at(list->json, (size_t)key->integer));
    return 0;
}

/* What a map answers for a key that it does not have. */
static struct value map_zero(const struct value *map)
{
    if (map->field && map->field->kind == CODEC_STRMAP)
        return (struct value){ .kind = VALUE_STRING, .text = "" };
    if (map->field && map->field->kind == CODEC_LISTMAP)
        return (struct value){ .kind = VALUE_LIST, .type = map->type };
    if (map->type)
        return (struct value){ .kind = VALUE_NIL, .type = map->type };
    return (struct value){ .kind = VALUE_NONE };
}

int function_index(struct template_run *run, const struct node *at, const struct value *args, size_t count,
                   struct value *ret)
{
    struct value value = args[0];
    for (size_t i = 1; i < count; i++) {
        const struct value *key = &args[i];
        struct value next;
        if (value.kind == VALUE_NONE)
            return run_fail(run, at, "error calling index: index of untyped nil");
        if (value.kind == VALUE_NIL)
            return run_fail(run, at, "error calling index: index of nil pointer");
        if (value.kind == VALUE_MAP) {
            if (key->kind != VALUE_STRING)
                return run_fail(run, at, "error calling index: value has type %s; should be string",
                                value_type_name(run, key));
            const struct json *member = json_get(value.json, key->text);
            next = member ? value_item(&value, member) : map_zero(&value);
        } else if (value.kind == VALUE_LIST || value.kind == VALUE_STRING) {
            if (index_list(run, at, &value, key, &next) < 0)
                return -1;
        } else {
            return run_fail(run, at, "error calling index: can't index item of type %s", value_type_name(run, &value));
        }
        value = next;
    }
    *ret = value;
    return 0;
}

int function_slice(struct template_run *run, const struct node *at, const struct value *args, size_t count,
                   struct value *ret)
{
    const struct value *value = &args[0];
    bool is_text = value->kind == VALUE_STRING;
    if (!is_text && value->kind != VALUE_LIST)
        return run_fail(run, at, "error calling slice: can't slice item of type %s", value_type_name(run, value));
    if (count > (is_text ? 3 : 4))
        return run_fail(run, at,
                        is_text ? "error calling slice: cannot 3-index slice a string"
                                : "error calling slice: too many slice indexes: %zu",
                        count - 1);
    int64_t length = is_text ? (int64_t)strlen(value->text) : (int64_t)json_count(value->json);
    int64_t bounds[3] = { 0, length, length };
    for (size_t i = 1; i < count; i++) {
        if (args[i].kind != VALUE_INT)
            return run_fail(run, at, "error calling slice: cannot index slice/array with type %s",
                            value_type_name(run, &args[i]));
        if (args[i].integer < 0 || args[i].integer > length)
            return run_fail(run, at, "error calling slice: index out of range: %lld", (long long)args[i].integer);
        bounds[i - 1] = args[i].integer;
    }
    if (bounds[0] > bounds[1])
        return run_fail(run, at, "error calling slice: invalid slice index: %lld > %lld", (long long)bounds[0],
                        (long long)bounds[1]);
    if (is_text) {
        *ret = value_text(run, xstrndup(value->text + bounds[0], (size_t)(bounds[1] - bounds[0])));
        return 0;
    }
    struct json *list = json_new_list();
    for (int64_t i = bounds[0]; i < bounds[1]; i++) {
        struct value item = value_item(value, json_at(value->json, (size_t)i));
        json_add_take(list, value_to_json(&item));
    }
    *ret = value_list(run, list);
    ret->type = value->type;
    ret->field = value->field;
    return 0;
}
