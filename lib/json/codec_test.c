#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/json/codec.h"
#include "lib/json/value.h"

struct leaf {
    char *name;
    int64_t size;
};
static const struct codec_field leaf_fields[] = { F_STR(struct leaf, name, "Name", 0), F_I64(struct leaf, size, "Size", OMIT_EMPTY), F_END };
CODEC_DECLARE(leaf);
CODEC_DEFINE(leaf);

struct tree {
    char *text, **list, **set, **cmd, *raw;
    bool flag;
    int64_t when;
    double ratio;
    struct str_map labels;
    struct leaf inner, *pointer;
    CODEC_LIST(struct leaf) leaves;
    struct obj_map by_name, ports;
    struct opt_bool maybe;
    struct opt_i64 limit;
    struct i64_list pair;
};
static const struct codec_field tree_fields[] = {
    F_STR(struct tree, text, "Text", 0), F_STRV(struct tree, list, "List", NULL_EMPTY), F_STRSET(struct tree, set, "Set", OMIT_EMPTY),
    F_CMD(struct tree, cmd, "Cmd", NULL_EMPTY), F_RAW(struct tree, raw, "Raw", OMIT_EMPTY), F_BOOL(struct tree, flag, "Flag", 0),
    F_TIME(struct tree, when, "When", 0), F_DOUBLE(struct tree, ratio, "Ratio", 0), F_STRMAP(struct tree, labels, "Labels", NULL_EMPTY),
    F_OBJ(struct tree, inner, "Inner", 0, leaf), F_OBJP(struct tree, pointer, "Pointer", OMIT_EMPTY, leaf), F_LIST(struct tree, leaves, "Leaves", NULL_EMPTY, leaf),
    F_OBJMAP(struct tree, by_name, "ByName", 0, leaf), F_LISTMAP(struct tree, ports, "Ports", 0, leaf), F_OPT_BOOL(struct tree, maybe, "Maybe", OMIT_EMPTY),
    F_OPT_I64(struct tree, limit, "Limit", NULL_EMPTY), F_I64LIST(struct tree, pair, "Pair", OMIT_EMPTY), F_END,
};
CODEC_DECLARE(tree);
CODEC_DEFINE(tree);

#define FULL                                                                                                                            \
    "{\"Text\":\"a\\u003cb\",\"List\":[\"x\",\"y\"],\"Set\":{\"80/tcp\":{}},\"Cmd\":[\"sh\"],\"Raw\":{\"k\":[1,2.5]},\"Flag\":true,"   \
    "\"When\":\"2023-11-14T22:13:20.12Z\",\"Ratio\":0.1,\"Labels\":{\"a\":\"b\"},\"Inner\":{\"Name\":\"n\",\"Size\":3},\"Pointer\":{\"Name\":\"p\"}," \
    "\"Leaves\":[{\"Name\":\"1\"}],\"ByName\":{\"k\":{\"Name\":\"v\"}},\"Ports\":{\"80/tcp\":[{\"Name\":\"h\"}],\"90/tcp\":null},"       \
    "\"Maybe\":false,\"Limit\":-1,\"Pair\":[24,80]}"

TEST(round_trip)
{
    struct err err = { 0 };
    struct tree tree, copy;
    CHECK_INT(codec_decode(&tree_type, FULL, strlen(FULL), &tree, &err), 0);
    CHECK_STR(err.text, "");
    AUTO_FREE char *text = codec_encode_dup(&tree_type, &tree);
    CHECK_STR(text, FULL);
    codec_copy(&tree_type, &copy, &tree);
    CHECK(codec_equal(&tree_type, &tree, &copy));
    codec_clear(&tree_type, &tree);
    AUTO_FREE char *again = codec_encode_dup(&tree_type, &copy);
    CHECK_STR(again, FULL);
    codec_clear(&tree_type, &copy);
    AUTO_FREE char *empty = codec_encode_dup(&tree_type, &copy);
    CHECK_STR(empty, "{\"Text\":\"\",\"List\":null,\"Cmd\":null,\"Flag\":false,\"When\":\"0001-01-01T00:00:00Z\",\"Ratio\":0,\"Labels\":null,"
                     "\"Inner\":{\"Name\":\"\"},\"Leaves\":null,\"ByName\":{},\"Ports\":{},\"Limit\":null}");
}

static void refused(const char *text, const char *sentence)
{
    struct err err = { 0 };
    struct tree tree;
    CHECK_INT(codec_decode(&tree_type, text, strlen(text), &tree, &err), -1);
    CHECK_STR(err.text, sentence);
    CHECK_INT(err.kind, ERR_INVALID);
}

TEST(errors_name_the_place)
{
    refused("{\"Inner\":{\"Size\":\"3\"}}", "Inner.Size: expected integer, got string");
    refused("{\"Flag\":1}", "Flag: expected boolean, got integer");
    refused("{\"Ports\":{\"80/tcp\":{}}}", "Ports.80/tcp: expected array, got object");
    refused("[]", "JSON: expected object, got array");
    refused("{\"Text\": }", "invalid JSON: unexpected token near '}' at line 1 column 10");
}

TEST(manners_of_go)
{
    struct err err = { 0 };
    struct tree tree;
    const char *text = "{\"text\":\"lower\",\"Cmd\":\"one\",\"Limit\":2.0,\"List\":null,\"Unknown\":[]}";
    CHECK_INT(codec_decode(&tree_type, text, strlen(text), &tree, &err), 0);
    CHECK_STR(tree.text, "lower");
    CHECK_STR(tree.cmd[0], "one");
    CHECK_INT(tree.limit.value, 2);
    codec_clear(&tree_type, &tree);
}

TEST(lists_of_names_are_not_quadratic)
{
    struct err err = { 0 };
    struct tree tree;
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    const char *parts[] = { "{\"Labels\":{", "},\"Set\":{", "},\"ByName\":{" };
    for (size_t part = 0; part < ARRAY_SIZE(parts); part++) {
        buf_puts(&text, parts[part]);
        for (int i = 0; i < 50000; i++)
            buf_printf(&text, "%s\"key%d\":%s", i ? "," : "", i, part ? "{}" : "\"\"");
    }
    buf_puts(&text, "}}");
    CHECK_INT(codec_decode(&tree_type, text.data, text.length, &tree, &err), 0);
    CHECK_INT(str_map_count(&tree.labels), 50000);
    CHECK_INT(obj_map_count(&tree.by_name), 50000);
    CHECK_STR(tree.set[49999], "key49999");
    codec_clear(&tree_type, &tree);
}

TEST(null_and_missing)
{
    struct err err = { 0 };
    struct tree tree;
    const char *text = "{\"Ports\":{\"a\":null,\"b\":[null]},\"ByName\":{\"x\":null},\"Set\":null,\"Labels\":{\"k\":null},\"When\":\"\",\"Raw\":null}";
    CHECK_INT(codec_decode(&tree_type, text, strlen(text), &tree, &err), 0);
    CHECK(obj_map_get(&tree.ports, "a") == NULL && obj_map_count(&tree.ports) == 2);
    AUTO_FREE char *again = codec_encode_dup(&tree_type, &tree);
    CHECK(strstr(again, "\"ByName\":{\"x\":null},\"Ports\":{\"a\":null,\"b\":[{\"Name\":\"\"}]}") != NULL);
    CHECK(!codec_equal(&tree_type, &tree, &(struct tree){ 0 }));
    codec_clear(&tree_type, &tree);
    refused("{\"Text\":\"a\\u0000b\"}", "invalid JSON: string with a NUL character at line 1 column 18");
}

static const struct codec_field needy_fields[] = { F_STR(struct leaf, name, "Name", REQUIRED), F_END };
static const struct codec_type needy_type = { .name = "needy", .size = sizeof(struct leaf), .fields = needy_fields };

TEST(required_fields)
{
    struct err err = { 0 };
    struct leaf leaf;
    CHECK_INT(codec_decode(&needy_type, "{}", 2, &leaf, &err), -1);
    CHECK_STR(err.text, "Name is missing");
    CHECK_INT(err.kind, ERR_INVALID);
}

TEST(values_of_any_shape)
{
    struct err err = { 0 };
    CLEANUP(json_free) struct json *json = NULL;
    const char *text = "{\"b\":[1,2.5,true,\"t\"],\"A\":{\"k\":null}}";
    CHECK_INT(json_parse(text, strlen(text), &json, &err), 0);
    const struct json *list = json_get(json, "b");
    CHECK_INT(json_count(list), 4);
    CHECK_INT(json_int(json_at(list, 0)), 1);
    CHECK(json_double(json_at(list, 1)) == 2.5);
    CHECK(json_bool(json_at(list, 2)));
    CHECK_STR(json_text(json_at(list, 3)), "t");
    CHECK(json_text(json_at(list, 0)) == NULL && json_at(list, 9) == NULL && json_get(list, "x") == NULL);
    CHECK_INT(json_kind_of(json_get(json_get_nocase(json, "a"), "k")), JSON_NOTHING);
    AUTO_BUF struct buf out = BUF_INIT(1000);
    json_write(json, &out);
    CHECK_STR(out.data, text);
    buf_clear(&out);
    json_write_indented(json, "", "  ", &out);
    CHECK_STR(out.data, "{\n  \"b\": [\n    1,\n    2.5,\n    true,\n    \"t\"\n  ],\n  \"A\": {\n    \"k\": null\n  }\n}");
    CLEANUP(json_free) struct json *made = json_new_map();
    json_set_take(made, "n", json_new_int(7));
    struct json *items = json_new_list();
    json_add_take(items, json_new_text("x"));
    json_set_take(made, "l", items);
    buf_clear(&out);
    json_write(made, &out);
    CHECK_STR(out.data, "{\"n\":7,\"l\":[\"x\"]}");
}

TEST(depth_is_limited)
{
    char deep[401] = { 0 };
    struct err err = { 0 };
    struct json *json = NULL;
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    CHECK_INT(json_parse(deep, 400, &json, &err), -1);
    CHECK(strstr(err.text, "nested deeper") != NULL);
}

TEST(strings_are_escaped)
{
    AUTO_BUF struct buf out = BUF_INIT(100);
    json_put_string(&out, "\x01\"\\\n\xff\xe2\x80\xa8\xc3\xbc&", 11);
    CHECK_STR(out.data, "\"\\u0001\\\"\\\\\\n\\ufffd\\u2028\xc3\xbc\\u0026\"");
}

TEST(plain_html)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "{\"a\":1}", "{\"a\":1}" },
        { "\"\\u003cb\\u003e \\u0026 x\"", "\"<b> & x\"" },
        { "\"\\\\u003c\"", "\"\\\\u003c\"" }, /* a backslash, then letters */
        { "\"\\n\\u003d\\\"\\u003c\"", "\"\\n\\u003d\\\"<\"" },
        { "\\u003", "\\u003" },
        { "x\\", "x\\" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(1000);
        buf_puts(&text, cases[i][0]);
        json_plain_html(&text);
        CHECK_STR(text.data ? text.data : "", cases[i][1]);
    }
}

TESTS(T(plain_html), T(round_trip), T(errors_name_the_place), T(manners_of_go), T(lists_of_names_are_not_quadratic), T(null_and_missing), T(required_fields),
      T(values_of_any_shape), T(depth_is_limited), T(strings_are_escaped))
