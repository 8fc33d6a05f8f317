#include "builder/expand.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

static char **variables;

static struct expand_scope scope(char escape)
{
    return (struct expand_scope){ expand_env_get, &variables, escape, false };
}

static void set(const char *const *list)
{
    strv_free(variables);
    variables = NULL;
    for (; *list; list++)
        strv_append(&variables, *list);
}

struct row {
    const char *word, *want; /* want "!..." = part of the error */
};

static void check_rows(const struct row *rows, size_t count)
{
    struct expand_scope with = scope('\\');
    for (size_t i = 0; i < count; i++) {
        struct err err = { 0 };
        char *got = NULL;
        int r = expand_word(&with, rows[i].word, &got, &err);
        bool fails = rows[i].want[0] == '!';
        bool good = fails ? r < 0 && strstr(err.text, rows[i].want + 1) : r == 0 && str_eq(got, rows[i].want);
        if (!good)
            printf("# %s gives %s\n", rows[i].word, r < 0 ? err.text : got);
        CHECK(good);
        free(got);
    }
}

TEST(names_and_quotes)
{
    static const char *const env[] = { "V=v", "E=", "S=a b", "X1=x", NULL };
    static const struct row rows[] = {
        { "plain", "plain" },
        { "$V", "v" },
        { "${V}x$V-y", "vxv-y" },
        { "$Vx", "" },
        { "$NOPE|${NOPE}", "|" },
        { "\\$V", "$V" },
        { "'$V'", "$V" },
        { "\"$V\"", "v" },
        { "a\"b c\"d", "ab cd" },
        { "\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d" },
        { "a\\ b", "a b" },
        { "$", "$" },
        { "a$", "a$" },
        { "$ V", "$ V" },
        { "$1x$10y", "xy" },
        { "$$z", "z" },
        { "\\", "" },
        { "'it'\"'\"'s'", "it's" },
        { "$S", "a b" },
        { "\xc3\xa9$V", "\xc3\xa9v" },
    };
    set(env);
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(modifiers)
{
    static const char *const env[] = {
        "S=s", "E=", "V=foobarfoobaz", "P=/usr/local/bin/tool.tar.gz", "U=\xc3\xa9\xc3\xa8", NULL
    };
    static const struct row rows[] = {
        { "${N:-w}${E:-w}${S:-w}", "wws" },
        { "${N-w}${E-w}${S-w}", "ws" },
        { "${N:+w}${E:+w}${S:+w}", "w" },
        { "${N+w}${E+w}${S+w}", "ww" },
        { "${S:?m}${S?m}[${E?m}]", "ss[]" },
        { "${N?gone}", "!N: gone" },
        { "${N:?}", "!N: is not allowed to be unset" },
        { "${E:?}", "!E: is not allowed to be empty" },
        { "${N:-${E:-$S}}", "s" },
        { "${N:-\"a } b\"}", "a } b" },
        { "${V#f*o}", "obarfoobaz" },
        { "${V##f*o}", "baz" },
        { "${V#?}", "oobarfoobaz" },
        { "${V#zzz}", "foobarfoobaz" },
        { "${P##*/}", "tool.tar.gz" },
        { "${P%.*}", "/usr/local/bin/tool.tar" },
        { "${P%%.*}", "/usr/local/bin/tool" },
        { "${P%/*}", "/usr/local/bin" },
        { "${P%x}", "/usr/local/bin/tool.tar.gz" },
        { "${U#?}", "\xc3\xa8" },
        { "${V/o/0}", "f0obarfoobaz" },
        { "${V//o/0}", "f00barf00baz" },
        { "${V//oo*/-}", "f-" },
        { "${V//\\*/-}", "foobarfoobaz" },
        { "${V/x}", "!missing '/'" },
        { "${V/x/y", "!missing '}'" },
    };
    set(env);
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(mistakes)
{
    static const struct row rows[] = {
        { "${", "!missing '}'" },
        { "${}", "!bad substitution" },
        { "${:x}", "!bad substitution" },
        { "${V^^}", "!unsupported modifier (^) in substitution" },
        { "${V:#x}", "!unsupported modifier (:#) in substitution" },
        { "\"${V\"", "!failed to process \"\\\"${V\\\"\": unsupported modifier (\")" },
        { "'x", "!looking for matching single-quote" },
        { "\"x", "!looking for matching double-quote" },
        { "${V:-x", "!missing '}'" },
    };
    static const char *const none[] = { NULL };
    set(none);
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(words_split_outside_of_quotes)
{
    static const char *const env[] = { "P=80 90", NULL };
    struct expand_scope with = scope('\\');
    struct err err = { 0 };
    char **words = NULL;
    set(env);
    CHECK_INT(expand_words(&with, "1 $P \"a $P\" ''", &words, &err), 0);
    CHECK_INT(strv_length(words), 5);
    CHECK_STR(words[2], "90");
    CHECK_STR(words[3], "a 80 90");
    CHECK_STR(words[4], "");
    strv_free(words);
}

TEST(backtick_escapes)
{
    static const char *const env[] = { "V=v", NULL };
    struct expand_scope with = scope('`');
    struct err err = { 0 };
    char *got = NULL;
    set(env);
    CHECK_INT(expand_word(&with, "c:\\x\\$V`$V", &got, &err), 0);
    CHECK_STR(got, "c:\\x\\v$V");
    free(got);
}

TEST(heredoc_text_keeps_its_quotes)
{
    static const char *const env[] = { "V=v", NULL };
    struct expand_scope with = scope('\\');
    struct err err = { 0 };
    char *got = NULL;
    with.keep_quotes = true;
    set(env);
    CHECK_INT(expand_word(&with, "\"$V\" '$V' \\$V \\n", &got, &err), 0);
    CHECK_STR(got, "\"v\" 'v' $V n");
    free(got);
}

static char *repeated(const char *text, size_t count)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    while (count--)
        buf_puts(&out, text);
    return buf_take(&out);
}

TEST(limits)
{
    struct expand_scope with = scope('\\');
    struct err err = { 0 };
    char *got = NULL;
    AUTO_FREE char *deep = repeated("${A:-", 2000);
    CHECK_INT(expand_word(&with, deep, &got, &err), -1);
    CHECK(strstr(err.text, "nested more than"));
    AUTO_FREE char *value = repeated("x", 100000), *assignment = str_format("L=%s", value);
    const char *env[] = { assignment, NULL };
    set(env);
    AUTO_FREE char *large = repeated("$L", 20);
    CHECK_INT(expand_word(&with, large, &got, &err), -1);
    CHECK(strstr(err.text, "larger than"));
    AUTO_FREE char *slow = repeated("*x", 2000), *word = str_format("${L//%sy/}", slow);
    CHECK_INT(expand_word(&with, word, &got, &err), -1);
    CHECK(strstr(err.text, "too many steps"));
    strv_free(variables);
    variables = NULL;
}

TESTS(T(names_and_quotes), T(modifiers), T(mistakes), T(words_split_outside_of_quotes), T(backtick_escapes),
      T(heredoc_text_keeps_its_quotes), T(limits))
