/* Build contexts and their ignore files. */
#include "cli/context.h"
#include "cli/ignore.h"
#include "cli/tar.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- patterns ---- */

static bool stays(const char *file, const char *path)
{
    CLEANUP(strv_free) char **patterns = ignore_read(file, strlen(file));
    CLEANUP(ignore_free) struct ignore *ignore = NULL;
    struct err err = { 0 };
    if (ignore_compile(patterns, &ignore, &err) < 0) {
        printf("# %s\n", err.text);
        return false;
    }
    return ignore_match_path(ignore, path);
}

TEST(patterns)
{
    static const struct {
        const char *file, *path;
        bool stays;
    } cases[] = {
        { "a", "a", true },
        { "a", "b", false },
        { "a", "a/b/c", true },
        { "a", "b/a", false },
        { "/a", "a", true },
        { "a/", "a/b", true },
        { "./a//b", "a/b", true },
        { "*", "x", true },
        { "*", "x/y", true },
        { "*.c", "x.c", true },
        { "*.c", "d/x.c", false },
        { "**/*.c", "x.c", true },
        { "**/*.c", "d/e/x.c", true },
        { "**/*.c", "xc", false },
        { "**", "any/thing", true },
        { "a/**", "a/b/c", true },
        { "a/**", "a", false },
        { "a/**/b", "a/b", true },
        { "a/**/b", "a/x/y/b", true },
        { "a/**/b", "a/xb", false },
        { "**/b", "ab", false },
        { "?.c", "x.c", true },
        { "?.c", "/.c", false },
        { "[a-c]x", "bx", true },
        { "[a-c]x", "dx", false },
        { "[^a-c]x", "dx", true },
        { "a\\*b", "a*b", true },
        { "a\\*b", "axb", false },
        { "# c\n\na", "a", true },
        { "*\n!keep", "keep", false },
        { "*\n!keep", "keep/x", false },
        { "*\n!d/keep", "d/keep", false },
        { "*\n!d/keep", "d/other", true },
        { "!a\na", "a", true },
        { "a.b", "axb", false },
        { "a*b*c*d", "aXbYcZd", true },
        { "a*b*c*d", "aXbYcZ", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (stays(cases[i].file, cases[i].path) != cases[i].stays) {
            printf("# pattern %s path %s\n", cases[i].file, cases[i].path);
            test_failures++;
        }
}

TEST(bad_patterns)
{
    static const char *const bad[] = { "[a", "!", "[z-a]", "a[" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CLEANUP(strv_free) char **patterns = ignore_read(bad[i], strlen(bad[i]));
        struct ignore *ignore = NULL;
        struct err err = { 0 };
        CHECK_INT(ignore_compile(patterns, &ignore, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
    }
}

TEST(hard_patterns_end)
{
    AUTO_FREE char *path = xcalloc(1, 4001);
    memset(path, 'a', 4000);
    CHECK(!stays("a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
    CHECK(!stays("**/**/**/**/**/**/**/**/**/b", path));
}

/* ---- contexts ---- */

static char dir[64];
static char listing[8192];

static void begin(void)
{
    snprintf(dir, sizeof dir, "/tmp/holk-context-XXXXXX");
    CHECK(mkdtemp(dir));
}

static void put(const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(dir, name), *parent = xstrdup(path);
    *strrchr(parent, '/') = '\0';
    CHECK_INT(path_mkdirs_at(AT_FDCWD, parent, 0755), 0);
    CHECK_INT(io_replace_file_at(AT_FDCWD, path, text, strlen(text), 0640, false), 0);
}

static void end(void)
{
    CHECK_INT(path_remove_tree_at(AT_FDCWD, dir), 0);
}

static uint64_t octal(const char *field, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        number = number * 8 + (uint64_t)(field[i] - '0');
    return number;
}

/* "name type size; name type size; " of a tar; pax headers show as their records. */
static const char *list(const struct buf *tar)
{
    AUTO_BUF struct buf out = BUF_INIT(sizeof listing);
    size_t at = 0;
    while (at + TAR_BLOCK <= tar->length && tar->data[at]) {
        const char *header = tar->data + at;
        uint64_t size = octal(header + 124, 11);
        CHECK(header[156] == 'x' || tar_looks_like(header, TAR_BLOCK));
        if (header[156] == 'x')
            buf_printf(&out, "(%.*s) ", (int)size, header + TAR_BLOCK);
        else if (header[157])
            buf_printf(&out, "%.100s>%.100s; ", header, header + 157);
        else
            buf_printf(&out, "%.100s %llu; ", header, (unsigned long long)size);
        at += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    }
    CHECK_INT(tar->length, at + 2 * TAR_BLOCK);
    snprintf(listing, sizeof listing, "%s", out.data ? out.data : "");
    return listing;
}

/* The tar of dir, read in pieces of that size. */
static int read_all(const char *dockerfile, const char *text, size_t piece, struct buf *tar, char **ret_name,
                    struct err *err)
{
    CLEANUP(context_close) struct context *context = NULL;
    ssize_t got;
    if (context_open(dir, dockerfile, text, text ? strlen(text) : 0, &context, err) < 0)
        return -1;
    while ((got = context_read(context, buf_reserve(tar, piece), piece, err)) > 0)
        buf_grew(tar, (size_t)got);
    *ret_name = xstrdup(context_dockerfile(context));
    return got < 0 ? -1 : 0;
}

static const char *context_of(const char *dockerfile, const char *text, size_t piece)
{
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    AUTO_FREE char *name = NULL;
    struct err err = { 0 };
    if (read_all(dockerfile, text, piece, &tar, &name, &err) < 0)
        snprintf(listing, sizeof listing, "! %s", err.text);
    else
        list(&tar);
    return listing;
}

TEST(walks_in_order)
{
    begin();
    put("Dockerfile", "FROM x\n");
    put("b/y", "12345");
    put("b/x", "");
    put("a", "1");
    AUTO_FREE char *from = path_join(dir, "a"), *hard = path_join(dir, "z"), *soft = path_join(dir, "l");
    CHECK_INT(link(from, hard), 0);
    CHECK_INT(symlink("b/../nowhere", soft), 0);
    const char *want = "Dockerfile 7; a 1; b/ 0; b/x 0; b/y 5; l>b/../nowhere; z>a; ";
    CHECK_STR(context_of(NULL, NULL, 65536), want);
    CHECK_STR(context_of(NULL, NULL, 7), want);
    end();
}

TEST(long_names)
{
    char name[200];
    memset(name, 'n', 150);
    name[150] = '\0';
    begin();
    put("Dockerfile", "");
    put("\xc3\xa9", "");
    put(name, "");
    AUTO_FREE char *want =
        str_format("Dockerfile 0; (160 path=%s\n) %.100s 0; (11 path=\xc3\xa9\n) \xc3\xa9 0; ", name, name);
    CHECK_STR(context_of(NULL, NULL, 4096), want);
    end();
}

TEST(ignore_files)
{
    begin();
    put("Dockerfile", "");
    put(".dockerignore", "*\n!d/keep\n");
    put("a", "");
    put("d/keep", "");
    put("d/other", "");
    put("e/f", "");
    put("other.Dockerfile", "");
    put("other.Dockerfile.dockerignore", "d\n");
    CHECK_STR(context_of(NULL, NULL, 4096), ".dockerignore 10; Dockerfile 0; d/keep 0; ");
    AUTO_FREE char *other = path_join(dir, "other.Dockerfile");
    CHECK_STR(
        context_of(other, NULL, 4096),
        ".dockerignore 10; Dockerfile 0; a 0; e/ 0; e/f 0; other.Dockerfile 0; other.Dockerfile.dockerignore 2; ");
    end();
}

TEST(dockerfile_from_elsewhere)
{
    begin();
    put("a", "");
    put(".dockerignore", "b");
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    AUTO_FREE char *name = NULL;
    struct err err = { 0 };
    CHECK_INT(read_all(NULL, "FROM x\n", 4096, &tar, &name, &err), 0);
    CHECK(str_starts(name, ".dockerfile."));
    CHECK_INT(strlen(name), 32);
    AUTO_FREE char *want = str_format("a 0; %s 7; .dockerignore 35; ", name);
    CHECK_STR(list(&tar), want);
    end();
}

TEST(refusals)
{
    begin();
    put("a/b", "");
    AUTO_FREE char *missing =
        str_format("! unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat %s/Dockerfile: "
                   "no such file or directory",
                   dir);
    CHECK_STR(context_of(NULL, NULL, 4096), missing);
    put("Dockerfile", "");
    put(".dockerignore", "[");
    CHECK_STR(context_of(NULL, NULL, 4096), "! error checking context: syntax error in pattern: [");
    struct context *context = NULL;
    struct err err = { 0 };
    CHECK_INT(context_open("/nonexistent/x", NULL, NULL, 0, &context, &err), -1);
    CHECK_STR(err.text, "unable to prepare context: path \"/nonexistent/x\" not found");
    end();
}

TEST(one_dockerfile)
{
    CLEANUP(context_close) struct context *context = NULL;
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    struct err err = { 0 };
    ssize_t got;
    context_open_text("FROM x\n", 7, &context);
    while ((got = context_read(context, buf_reserve(&tar, 100), 100, &err)) > 0)
        buf_grew(&tar, (size_t)got);
    CHECK_STR(list(&tar), "Dockerfile 7; ");
    CHECK_STR(context_dockerfile(context), "Dockerfile");
}

TEST(sniffing)
{
    CHECK(tar_looks_like("\x1f\x8b\x08\x00", 4));
    CHECK(!tar_looks_like("FROM x\n", 7));
    char zeros[TAR_BLOCK] = "";
    CHECK(!tar_looks_like(zeros, sizeof zeros));
}

TESTS(T(patterns), T(bad_patterns), T(hard_patterns_end), T(walks_in_order), T(long_names), T(ignore_files),
      T(dockerfile_from_elsewhere), T(refusals), T(one_dockerfile), T(sniffing))
