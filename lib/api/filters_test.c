#include "lib/api/filters.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/json/codec.h"

static struct filters parsed(const char *text)
{
    struct filters filters = { 0 };
    struct err err = { 0 };
    CHECK_INT(filters_parse(text, &filters, &err), 0);
    CHECK_STR(err.text, "");
    return filters;
}

static void encodes(const char *text, const char *want)
{
    AUTO_FILTERS struct filters filters = parsed(text);
    AUTO_FREE char *got = filters_encode(&filters);
    CHECK_STR(got, want);
}

TEST(both_dialects)
{
    encodes(NULL, "{}");
    encodes("", "{}");
    encodes("null", "{}");
    encodes("{}", "{}");
    encodes("{\"label\":[\"a=b\",\"c\",\"a=b\"]}", "{\"label\":{\"a=b\":true,\"c\":true}}");
    encodes("{\"label\":{\"a=b\":true,\"c\":false}}", "{\"label\":{\"a=b\":true,\"c\":true}}");
    encodes("{\"b\":null,\"a\":[\"1\"]}", "{\"b\":{},\"a\":{\"1\":true}}");
    encodes("{\"q\":[\"\\\"\\n\"]}", "{\"q\":{\"\\\"\\n\":true}}");
}

TEST(anything_else_is_refused)
{
    static const char *const bad[] = { "x", "{", "[]", "1", "\"a\"", "{\"a\":1}", "{\"a\":\"b\"}", "{\"a\":[1]}", "{\"a\":{\"b\":1}}",
                                       "{\"a\":[\"b\"]} z", "{\"a\":[\"b\"],\"c\":{\"d\":true}}", "{\"a\":[[\"b\"]]}" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct filters filters = { 0 };
        struct err err = { 0 };
        CHECK_INT(filters_parse(bad[i], &filters, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
        CHECK_STR(err.text, "invalid filter");
        CHECK_INT(filters.count, 0);
    }
}

TEST(adding_and_removing)
{
    AUTO_FILTERS struct filters filters = { 0 };
    filters_add(&filters, "a", "1");
    filters_add(&filters, "b", "2");
    filters_add(&filters, "a", "3");
    filters_add(&filters, "a", "1");
    filters_add(&filters, "c", "4");
    CHECK(filters_has(&filters, "a"));
    CHECK_STR(filters_get(&filters, "a")[1], "3");
    CHECK(!filters_get(&filters, "a")[2]);
    filters_remove(&filters, "a");
    filters_remove(&filters, "none");
    CHECK(!filters_has(&filters, "a"));
    AUTO_FREE char *text = filters_encode(&filters);
    CHECK_STR(text, "{\"b\":{\"2\":true},\"c\":{\"4\":true}}");
}

TEST(a_key_without_values_matches_all)
{
    AUTO_FILTERS struct filters filters = parsed("{\"name\":[]}");
    CHECK(!filters_has(&filters, "name"));
    CHECK(!filters_get(&filters, "name"));
    CHECK(filters_match_exact(&filters, "name", "x"));
    CHECK(filters_match_any(&filters, "other", "x"));
    CHECK(filters_match_prefix(&filters, "name", NULL));
}

TEST(matching)
{
    AUTO_FILTERS struct filters filters = parsed("{\"name\":[\"web\",\"^/db[0-9]+$\"],\"id\":[\"3f\"],\"odd\":[\"a[\"]}");
    CHECK(filters_match_any(&filters, "name", "/myweb1"));
    CHECK(filters_match_any(&filters, "name", "/db12"));
    CHECK(!filters_match_any(&filters, "name", "/db12x"));
    CHECK(!filters_match_any(&filters, "name", NULL));
    CHECK(filters_match_exact(&filters, "name", "web"));
    CHECK(!filters_match_exact(&filters, "name", "web1"));
    CHECK(!filters_match_exact(&filters, "name", NULL));
    CHECK(filters_match_prefix(&filters, "id", "3f9c"));
    CHECK(!filters_match_prefix(&filters, "id", "a3f9c"));
    CHECK(!filters_match_any(&filters, "odd", "abc")); /* not an expression */
    CHECK(filters_match_any(&filters, "odd", "xa[y")); /* but a text */
}

TEST(labels)
{
    struct str_map labels = { 0 };
    str_map_set(&labels, "a", "1");
    str_map_set(&labels, "empty", "");
    str_map_set(&labels, "e", "x=y");
    static const struct {
        const char *filters;
        bool matches, excludes;
    } cases[] = {
        { "{}", true, false },
        { "{\"label\":[\"a\"]}", true, true },
        { "{\"label\":[\"a=1\",\"e=x=y\"]}", true, true },
        { "{\"label\":[\"a=1\",\"b\"]}", false, false },
        { "{\"label\":[\"a=2\"]}", false, false },
        { "{\"label\":[\"a=\"]}", false, false },
        { "{\"label\":[\"empty\"]}", true, true },
        { "{\"label\":[\"empty=\"]}", true, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FILTERS struct filters filters = parsed(cases[i].filters);
        CHECK_INT(filters_match_labels(&filters, "label", &labels), cases[i].matches);
        CHECK_INT(filters_excludes_labels(&filters, "label", &labels), cases[i].excludes);
    }
    str_map_clear(&labels);
}

static void boolean(const char *text, int want, bool value, const char *sentence)
{
    AUTO_FILTERS struct filters filters = parsed(text);
    struct err err = { 0 };
    bool got = false;
    CHECK_INT(filters_get_bool(&filters, "dangling", true, &got, &err), want);
    CHECK_STR(err.text, sentence);
    if (want == 0)
        CHECK_INT(got, value);
}

TEST(booleans)
{
    boolean("{}", 0, true, "");
    boolean("{\"dangling\":[\"0\"]}", 0, false, "");
    boolean("{\"dangling\":{\"false\":true}}", 0, false, "");
    boolean("{\"dangling\":[\"1\",\"true\"]}", 0, true, "");
    boolean("{\"dangling\":[]}", -1, false, "invalid filter 'dangling'");
    boolean("{\"dangling\":[\"x\"]}", -1, false, "invalid filter 'dangling=[x]'");
    boolean("{\"dangling\":[\"true\",\"0\"]}", -1, false, "invalid filter 'dangling=[true 0]'");
}

TEST(unknown_keys_are_named)
{
    static const char *const allowed[] = { "a", "b", NULL };
    struct err err = { 0 };
    AUTO_FILTERS struct filters good = parsed("{\"b\":[\"x\"],\"a\":[]}");
    CHECK_INT(filters_check(&good, allowed, &err), 0);
    AUTO_FILTERS struct filters bad = parsed("{\"a\":[\"x\"],\"c\":[],\"d\":[]}");
    CHECK_INT(filters_check(&bad, allowed, &err), -1);
    CHECK_STR(err.text, "invalid filter 'c'");
    CHECK_INT(err.kind, ERR_INVALID);
}

TESTS(T(both_dialects), T(anything_else_is_refused), T(adding_and_removing), T(a_key_without_values_matches_all), T(matching), T(labels),
      T(booleans), T(unknown_keys_are_named))
