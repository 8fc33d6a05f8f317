/* Lists, columns and units. */
#include "cli/format.h"
#include "cli/table.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

static const struct format_member members[] = {
    { "ID", "IMAGE ID" }, { "Tag", "TAG" }, { "Inside", NULL }, { NULL, NULL }
};
static const struct format_kind kind = {
    .go_type = "*formatter.imageContext",
    .members = members,
    .table = "{{.Tag}}\t{{.ID}}",
    .raw = "tag: {{.Tag}}\n",
    .quiet = "{{.ID}}",
    .quiet_raw = "id: {{.ID}}",
};
static char result[4096];

static const char *list(const char *template, bool quiet)
{
    AUTO_RECORDS struct records records = RECORDS_INIT;
    AUTO_BUF struct buf out = BUF_INIT(1 << 16);
    struct err err = { 0 };
    for (int i = 0; i < 2; i++) {
        struct record *record = records_add(&records);
        record_text(record, "ID", i ? "0123456789ab" : "a");
        record_text(record, "Tag", i ? "v1" : "<none>");
        record_text(record, "Inside", "x");
    }
    if (format_write(&kind, template, quiet, &records, &out, &err) < 0)
        snprintf(result, sizeof result, "! %s", err.text);
    else
        snprintf(result, sizeof result, "%s", out.data);
    return result;
}

TEST(lists)
{
    CHECK_STR(list(NULL, false), "TAG       IMAGE ID\n<none>    a\nv1        0123456789ab\n");
    CHECK_STR(list("table", true), "a\n0123456789ab\n");
    CHECK_STR(list("table {{.ID}}\\t{{.Inside}}", false),
              "IMAGE ID       <no value>\na              x\n0123456789ab   x\n");
    CHECK_STR(list("json", true), "{\"ID\":\"a\",\"Inside\":\"x\",\"Tag\":\"\\u003cnone\\u003e\"}\n"
                                  "{\"ID\":\"0123456789ab\",\"Inside\":\"x\",\"Tag\":\"v1\"}\n");
    CHECK_STR(list("raw", false), "tag: <none>\n\ntag: v1\n\n");
    CHECK_STR(list("raw", true), "id: a\nid: 0123456789ab\n");
    CHECK_STR(list("  {{.ID}}\\n", false), "a\n\n0123456789ab\n\n");
    CHECK_STR(list("{{.Nope}}", false), "! template parsing error: template: :1:2: executing \"\" at <.Nope>: "
                                        "can't evaluate field Nope in type *formatter.imageContext");
    CHECK_STR(list("{{.Label \"x\"}}", false), "! template parsing error: template: :1:2: executing \"\" at <.Label>: "
                                               "can't evaluate field Label in type *formatter.imageContext");
}

static const char *laid_out(const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 16);
    table_layout(text, strlen(text), 4, 1, &out);
    snprintf(result, sizeof result, "%s", out.data ? out.data : "");
    return result;
}

TEST(columns)
{
    CHECK_STR(laid_out("a\tb\nlonger\tc\n"), "a      b\nlonger c\n");
    CHECK_STR(laid_out("a\tb\n\nlonger\tc"), "a   b\n\nlonger c");
    CHECK_STR(laid_out("a\tb\tc\nlonger\tc\nx\ty\tz\n"), "a      b   c\nlonger c\nx      y   z\n");
    CHECK_STR(laid_out("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\tb\nx\ty\n"), "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 b\nx    y\n");
    CHECK_STR(laid_out("a\t\n"), "a   \n");
    CHECK_STR(laid_out(""), "");
}

static void check_text(char *got, const char *want)
{
    CHECK_STR(got, want);
    free(got);
}

TEST(sizes)
{
    check_text(units_size(0, 4), "0B");
    check_text(units_size(999, 4), "999B");
    check_text(units_size(1984263, 3), "1.98MB");
    check_text(units_size(1984263, 4), "1.984MB");
    check_text(units_size(999999, 3), "1e+03kB");
    check_text(units_size(2.5e12, 4), "2.5TB");
    check_text(units_bytes(25275449344.0, 4), "23.54GiB");
}

TEST(durations)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = { { 0, "Less than a second" },
                  { 1, "1 second" },
                  { 59, "59 seconds" },
                  { 60, "About a minute" },
                  { 119, "About a minute" },
                  { 120, "2 minutes" },
                  { 3599, "59 minutes" },
                  { 3600, "About an hour" },
                  { 5399, "About an hour" },
                  { 5400, "2 hours" },
                  { 86400 * 2 - 1800 - 1, "47 hours" },
                  { 86400 * 2, "2 days" },
                  { 86400 * 13, "13 days" },
                  { 86400 * 14, "2 weeks" },
                  { 86400 * 59, "8 weeks" },
                  { 86400 * 60, "2 months" },
                  { 86400LL * 729, "24 months" },
                  { 86400LL * 731, "2 years" } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        check_text(units_duration(cases[i].seconds * 1000000000), cases[i].text);
    check_text(units_go_duration(0), "0s");
    check_text(units_go_duration(90 * 1000000000LL), "1m30s");
    check_text(units_go_duration(3600 * 1000000000LL), "1h0m0s");
    check_text(units_go_duration(1500000000), "1.5s");
    check_text(units_go_duration(1500000), "1.5ms");
    check_text(units_go_duration(-1), "-1ns");
    check_text(units_go_time(1764095284325841822), "2025-11-25 18:28:04.325841822 +0000 UTC");
    check_text(units_go_time(0), "1970-01-01 00:00:00 +0000 UTC");
}

TEST(short_texts)
{
    check_text(units_short_id("sha256:0123456789abcdef"), "0123456789ab");
    check_text(units_short_id("abc"), "abc");
    check_text(units_ellipsis("12345", 5), "12345");
    check_text(units_ellipsis("123456", 5), "1234\xe2\x80\xa6");
    check_text(units_ellipsis("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xe2\x80\xa6");
    check_text(units_ellipsis("\xe6\xbc\xa2\xe5\xad\x97", 3), "\xe6\xbc\xa2\xe2\x80\xa6");
}

TESTS(T(lists), T(columns), T(sizes), T(durations), T(short_texts))
