#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"
#include "lib/oci/pattern.h"

#include <time.h>

static int matches(const char *pattern, const char *text)
{
    struct err err = { 0 };
    bool ret = false;
    return pattern_match(pattern, text, &ret, &err) < 0 ? -1 : ret;
}

TEST(shell_patterns)
{
    static const struct {
        const char *pattern, *text;
        int want;
    } cases[] = {
        { "abc", "abc", 1 },         { "*", "abc", 1 },         { "*c", "abc", 1 },          { "a*", "a", 1 },
        { "a*", "ab/c", 0 },         { "a*/b", "abc/b", 1 },    { "a*/b", "a/c/b", 0 },      { "a*b*c*d*e*/f", "axbxcxdxe/f", 1 },
        { "a*b*c*d*e*/f", "axbxcxdxexxx/fff", 0 },              { "a*b?c*x", "abxbbxdbxebxczzx", 1 },
        { "a*b?c*x", "abxbbxdbxebxczzy", 0 },                   { "ab[c]", "abc", 1 },       { "ab[b-d]", "abc", 1 },
        { "ab[e-g]", "abc", 0 },     { "ab[^c]", "abc", 0 },    { "ab[^b-d]", "abc", 0 },    { "ab[^e-g]", "abc", 1 },
        { "a\\*b", "a*b", 1 },       { "a\\*b", "ab", 0 },      { "a?b", "a\xe2\x98\xba" "b", 1 }, { "a[^a]b", "a\xe2\x98\xba" "b", 1 },
        { "a???b", "a\xe2\x98\xba" "b", 0 },                    { "[a-\xce\xb6]*", "\xce\xb1", 1 },    { "*[a-\xce\xb6]", "A", 0 },
        { "a?b", "a/b", 0 },         { "a*b", "a/b", 0 },       { "a[^x]b", "a/b", 1 },      { "[\\]a]", "]", 1 },
        { "[\\-x]", "-", 1 },        { "[x\\-]", "-", 1 },      { "[x\\-]", "z", 0 },        { "[!a]", "!", 1 },
        { "[!a]", "b", 0 },          { "", "", 1 },             { "", "a", 0 },              { "*x", "xxx", 1 },
        { "*/*/g?", "d1/s/g1", 1 },  { "*/*/g?", "d1/g1", 0 },  { "a**b", "axxb", 1 },       { "**", "a/b", 0 },
        { "[]a]", "]", -1 },         { "[-]", "-", -1 },        { "[x-]", "x", -1 },         { "[-x]", "x", -1 },
        { "\\", "a", -1 },           { "[a-b-c]", "a", -1 },    { "[", "a", -1 },            { "[^", "a", -1 },
        { "[^bc", "a", -1 },         { "a[", "a", -1 },         { "a[", "b", -1 },           { "[a-\\", "a", -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int got = matches(cases[i].pattern, cases[i].text);
        if (got != cases[i].want)
            printf("# pattern %s text %s\n", cases[i].pattern, cases[i].text);
        CHECK_INT(got, cases[i].want);
    }
}

TEST(wildcards_and_quoting)
{
    CHECK(pattern_has_wildcards("a*") && pattern_has_wildcards("a/b?") && pattern_has_wildcards("[a"));
    CHECK(!pattern_has_wildcards("a\\*b") && !pattern_has_wildcards("plain") && !pattern_has_wildcards("end\\"));
    AUTO_FREE char *plain = pattern_unquote("a\\*b\\\\c\\");
    CHECK_STR(plain, "a*b\\c\\");
}

/* patterns are separated by blanks here */
static int in_set(const char *patterns, const char *path)
{
    struct err err = { 0 };
    CLEANUP(pattern_set_free) struct pattern_set *set = NULL;
    CLEANUP(strv_free) char **list = strv_split(patterns, ' ', true);
    if (pattern_set_new(list, &set, &err) < 0)
        return -1;
    return pattern_set_match(set, path, NULL, NULL);
}

TEST(lists)
{
    static const struct {
        const char *patterns, *path;
        int want;
    } cases[] = {
        { "**", "file", 1 },           { "**", "dir/file", 1 },          { "**/", "dir/file", 1 },         { "**/**", "dir/file", 1 },
        { "dir/**", "dir/file", 1 },   { "dir/**", "dir/a/b", 1 },       { "dir/**", "dir", 0 },           { "dir/**/", "dir/a/b", 1 },
        { "**/dir", "dir", 1 },        { "**/dir", "a/b/dir", 1 },       { "**/dir", "a/xdir", 0 },        { "**dir", "a/xdir", 1 },
        { "**/dir2/*", "dir/dir2/file", 1 }, { "**/dir2/*", "dir2/file", 1 }, { "**/dir2/*", "dir2", 0 },  { "**/f?", "a/b/f1", 1 },
        { "a/**/b", "a/b", 1 },        { "a/**/b", "a/x/y/b", 1 },       { "a/**/b", "ab", 0 },            { "a/**/b", "a/xb", 0 },
        { "abc.def", "abcdef", 0 },    { "abc.def", "abcZdef", 0 },      { "abc.def", "abc.def", 1 },      { "abc?def", "abcZdef", 1 },
        { "abc?def", "abc/def", 0 },   { "a\\*b", "a*b", 1 },            { "a\\*b", "axb", 0 },            { "a\\b", "ab", 1 },
        { "**/foo/bar", "foo/bar", 1 },{ "**/foo/bar", "a/b/foo/bar", 1 },{ "*.go", "a.go", 1 },           { "*.go", "d/a.go", 0 },
        { "a(b)c/def", "a(b)c/def", 1 },{ "a(b)c/def", "a(b)c/xyz", 0 }, { "a.|)$(}+{bc", "a.|)$(}+{bc", 1 },
        { "dir", "dir/sub/file", 1 },  { "d*", "dir/sub/file", 1 },      { "di", "dir/file", 0 },          { "dir/", "dir/file", 1 },
        { "./dir/../x", "x", 1 },      { "/dir", "dir", 0 },             { "f[0-9]", "f1", 1 },            { "f[^0-9]", "f1", 0 },
        { "* !a", "a", 0 },            { "* !a", "b", 1 },               { "!a *", "a", 1 },               { "a !a/b", "a/b", 0 },
        { "a !a/b", "a/c", 1 },        { "a !a/b", "a/b/c", 0 },         { "a !a/b a/b/c", "a/b/c", 1 },   { "** !**/*.md", "d/r.md", 0 },
        { "** !**/*.md", "d/r.txt", 1 },{ "docs/** !docs/keep", "docs/keep/x", 0 },                        { "!x", "y", 0 },
        { "!", "x", -1 },              { "a[", "a", -1 },                { "![", "a", -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int got = in_set(cases[i].patterns, cases[i].path);
        if (got != cases[i].want)
            printf("# patterns %s path %s\n", cases[i].patterns, cases[i].path);
        CHECK_INT(got, cases[i].want);
    }
}

/* A walk that hands the directory's answers on gives the same as the whole path. */
TEST(walks)
{
    struct err err = { 0 };
    CLEANUP(pattern_set_free) struct pattern_set *set = NULL;
    char *const patterns[] = { (char[]){ "a" }, (char[]){ "!a/b" }, (char[]){ "**/x" }, (char[]){ "  " }, NULL };
    CHECK_INT(pattern_set_new(patterns, &set, &err), 0);
    CHECK_INT(pattern_set_count(set), 3);
    bool top[3], dir[3];
    CHECK(pattern_set_match(set, "a", NULL, top));
    CHECK(!pattern_set_match(set, "a/b", top, dir));
    CHECK(!pattern_set_match(set, "a/b/c", dir, NULL));
    CHECK(pattern_set_match(set, "a/b/x", dir, NULL));
    CHECK(pattern_set_match(set, "a/c", top, NULL));
    CHECK(pattern_set_may_except(set, "a") && !pattern_set_may_except(set, "b") && !pattern_set_may_except(set, "a/b"));
}

/* What takes a backtracking matcher for ever. */
TEST(patience)
{
    char pattern[256] = "", path[256] = "";
    for (size_t i = 0; i < 40; i++)
        memcpy(pattern + 3 * i, "**/", 4);
    memcpy(pattern + 120, "*a*a*a*a*a*a*a*a*b", 19);
    memset(path, 'a', 200);
    clock_t begun = clock();
    CHECK_INT(in_set(pattern, path), 0);
    CHECK_INT(matches("*a*a*a*a*a*a*a*a*a*a*b", path), 0);
    CHECK(clock() - begun < CLOCKS_PER_SEC);
}

TEST(ignore_files)
{
    static const char text[] = "\xef\xbb\xbf# comment\n\n  a/  \n /b//c\n!  ./d \r\n!/e\n #f\n/\nsub/../g";
    struct err err = { 0 };
    CLEANUP(strv_free) char **list = NULL;
    CHECK_INT(ignore_file_parse(text, sizeof text - 1, &list, &err), 0);
    AUTO_FREE char *joined = strv_join(list, "|");
    CHECK_STR(joined, "a|b/c|!d|!e|#f|/|g");
    char **none = NULL;
    CHECK_INT(ignore_file_parse("a\0b", 3, &none, &err), -1);
    CHECK_INT(ignore_file_parse("", 0, &none, &err), 0);
    CHECK(none == NULL);
}

TESTS(T(shell_patterns), T(wildcards_and_quoting), T(lists), T(walks), T(patience), T(ignore_files))
