#include "lib/api/rows.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

TEST(rows_are_added)
{
    AUTO_FREE char *raw = NULL;
    char x[] = "x", empty[] = "", quoted[] = "\"q\"";
    char *three[] = { x, empty, quoted, NULL }, *none[] = { NULL };
    rows_add_pair(&raw, "a", "b");
    CHECK_STR(raw, "[[\"a\",\"b\"]]");
    rows_add(&raw, three);
    rows_add(&raw, none);
    CHECK_STR(raw, "[[\"a\",\"b\"],[\"x\",\"\",\"\\\"q\\\"\"],[]]");
    free(raw);
    raw = xstrdup("null");
    rows_add_pair(&raw, "a", "b");
    CHECK_STR(raw, "[[\"a\",\"b\"]]");
    free(raw);
    raw = xstrdup("[]");
    rows_add_pair(&raw, "a", "b");
    CHECK_STR(raw, "[[\"a\",\"b\"]]");
}

TEST(rows_are_read)
{
    struct string_rows rows = { 0 };
    struct err err = { 0 };
    CHECK_INT(rows_decode("[[\"a\",\"b\"], [], null, [\"\\u00e9\"]]", &rows, &err), 0);
    CHECK_INT(rows.count, 4);
    CHECK_STR(rows.rows[0][1], "b");
    CHECK(!rows.rows[0][2]);
    CHECK(!rows.rows[1][0]);
    CHECK(!rows.rows[2][0]);
    CHECK_STR(rows.rows[3][0], "é");
    rows_clear(&rows);
    CHECK_INT(rows.count, 0);
    static const char *const empty[] = { NULL, "null", "[]" };
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        CHECK_INT(rows_decode(empty[i], &rows, &err), 0);
        CHECK_INT(rows.count, 0);
    }
}

TEST(other_shapes_are_refused)
{
    static const char *const bad[] = { "", "x", "{}", "1", "[1]", "[\"a\"]", "[[1]]", "[[\"a\"],[null]]", "[[\"a\"]" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct string_rows rows = { 0 };
        struct err err = { 0 };
        CHECK_INT(rows_decode(bad[i], &rows, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
        CHECK(!rows.rows);
    }
}

TESTS(T(rows_are_added), T(rows_are_read), T(other_shapes_are_refused))
