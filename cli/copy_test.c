/* cp: the rules of paths, archives in and out, and what a hostile archive may not do. */
#include "cli/copy_files.h"
#include "cli/tar.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err err;

/* ---- paths ---- */

static void split(const char *path, const char *want_dir, const char *want_base)
{
    AUTO_FREE char *dir = NULL, *base = NULL;
    copy_split(path, &dir, &base);
    CHECK_STR(dir, want_dir);
    CHECK_STR(base, want_base);
}

TEST(splitting)
{
    split("/a/b", "/a", "b");
    split("/a/b/", "/a", "b");
    split("/a/b/.", "/a/b", ".");
    split("/a", "/", "a");
    split("/", "/", "/");
    split("/.", "/", ".");
    split("a", ".", "a");
    split("a/../b", ".", "b");
}

static void argument(const char *text, const char *want_container, const char *want_path)
{
    AUTO_FREE char *container = NULL, *path = NULL;
    copy_argument(text, &container, &path);
    CHECK_STR(container, want_container);
    CHECK_STR(path, want_path);
}

TEST(arguments)
{
    argument("c:/x", "c", "/x");
    argument("c:x:y", "c", "x:y");
    argument("/c:x", NULL, "/c:x");
    argument("./c:x", NULL, "./c:x");
    argument("plain", NULL, "plain");
    argument("-", NULL, "-");
}

/* "dir from to" or the refusal. */
static void plan(const struct copy_end *source, const struct copy_end *destination, const char *want)
{
    AUTO_COPY_PLAN struct copy_plan made = { 0 };
    err_clear(&err);
    int ret = copy_plan_make(source, destination, &made, &err);
    AUTO_FREE char *got = ret < 0 ? xstrdup(err.text) : str_format("%s %s %s", made.dir, made.from, made.to ? made.to : "=");
    CHECK_STR(got, want);
}

#define END(p, e, d) (&(const struct copy_end){ .path = (char[]){ p }, .exists = (e), .is_dir = (d) })

TEST(plans)
{
    plan(END("/s/f", true, false), END("/d", true, true), "/d f =");
    plan(END("/s/f", true, false), END("/d/x", true, false), "/d f x");
    plan(END("/s/f", true, false), END("/d/new", false, false), "/d f new");
    plan(END("/s/f", true, false), END("/d/new/", false, false), "no such directory");
    plan(END("/s/d", true, true), END("/d/new/", false, false), "/d d new");
    plan(END("/s/d/.", true, true), END("/d/new", false, false), "/d . new");
    plan(END("/s/d/.", true, true), END("/d", true, true), "/d . =");
    plan(END("/s/d", true, true), END("/d/f", true, false), "cannot copy directory");
    struct copy_end followed = { .path = (char[]){ "/s/target" }, .rebase_name = (char[]){ "link" }, .exists = true };
    plan(&followed, END("/d", true, true), "/d target link");
    plan(&followed, END("/d/new", false, false), "/d target new");
}

static void entry(const char *from, const char *to, const char *name, const char *want)
{
    struct copy_plan made = { .from = xstrdup(from), .to = xstrdup(to) };
    AUTO_FREE char *got = copy_entry_name(&made, name);
    CHECK_STR(got, want);
    copy_plan_done(&made);
}

TEST(entry_names)
{
    entry("d", "new", "d/", "new/");
    entry("d", "new", "d/a/d", "new/a/d");
    entry("d", "new", "dd/x", "dd/x");
    entry(".", "new", "./a", "new/a");
    entry("/", "new", "/bin", "new/bin");
    entry("d", NULL, "d/a", "d/a");
}

/* ---- archives ---- */

struct source {
    const char *bytes;
    size_t left, piece; /* at most so many at once: entries come in any pieces */
};

static ssize_t source_read(void *arg, void *bytes, size_t size, struct err *error)
{
    struct source *source = arg;
    size_t length = MIN(MIN(size, source->left), source->piece);
    (void)error;
    memcpy(bytes, source->bytes, length);
    source->bytes += length;
    source->left -= length;
    return (ssize_t)length;
}

static char *scratch(void)
{
    char *path = xstrdup("/tmp/holk-copy-test-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    return path;
}

static int unpack_into(const char *dir, const struct buf *tar, size_t piece)
{
    struct source source = { tar->data, tar->length, piece };
    AUTO_TAR_READER struct tar_reader reader = { .read = source_read, .arg = &source };
    struct copy_plan made = { .dir = xstrdup(dir), .from = xstrdup("d") };
    err_clear(&err);
    int ret = copy_unpack(&reader, &made, &err);
    copy_plan_done(&made);
    return ret;
}

static void remove_scratch(char *path)
{
    CHECK_INT(path_remove_tree_at(AT_FDCWD, path), 0);
    free(path);
}

static void check_file(const char *dir, const char *name, const char *want)
{
    AUTO_FREE char *path = path_join(dir, name), *text = NULL;
    size_t length;
    if (io_read_file_at(AT_FDCWD, path, 1 << 20, &text, &length) < 0)
        text = xstrdup("(missing)");
    CHECK_STR(text, want);
}

static void make(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(dir, name);
    CHECK_INT(io_replace_file_at(AT_FDCWD, path, text, strlen(text), 0640, false), 0);
}

/* A tree through the archive and back: files, links of both kinds, long names, modes, times. */
TEST(round_trip)
{
    char long_name[201];
    memset(long_name, 'n', 200);
    long_name[200] = 0;
    char *from = scratch(), *to = scratch();
    AUTO_FREE char *tree = path_join(from, "d"), *sub = path_join(from, "d/sub"), *a = path_join(from, "d/a");
    AUTO_FREE char *hard = path_join(from, "d/sub/hard"), *soft = path_join(from, "d/soft");
    struct stat status;
    CHECK(mkdir(tree, 0750) == 0 && mkdir(sub, 0711) == 0);
    make(tree, "a", "text of a");
    make(tree, "empty", "");
    make(sub, long_name, "long");
    CHECK(link(a, hard) == 0 && symlink("/etc/passwd", soft) == 0);
    CLEANUP(copy_source_close) struct copy_source *source = NULL;
    CHECK_INT(copy_source_open(tree, "d", &source, &err), 0);
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    ssize_t got;
    while ((got = copy_source_read(source, buf_reserve(&tar, 700), 700, &err)) > 0)
        buf_grew(&tar, (size_t)got);
    CHECK_INT(got, 0);
    CHECK_INT(copy_source_count(source), tar.length);
    CHECK_INT(unpack_into(to, &tar, 33), 0);
    check_file(to, "d/a", "text of a");
    check_file(to, "d/sub/hard", "text of a");
    check_file(to, "d/empty", "");
    AUTO_FREE char *deep = str_format("d/sub/%s", long_name), *made = path_join(to, "d/soft"), *made_sub = path_join(to, "d/sub");
    check_file(to, deep, "long");
    CHECK(lstat(made, &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat(made_sub, &status) == 0 && (status.st_mode & 07777) == 0711);
    AUTO_FREE char *made_a = path_join(to, "d/a");
    CHECK(stat(made_a, &status) == 0 && (status.st_mode & 07777) == 0640 && status.st_nlink == 2);
    remove_scratch(from);
    remove_scratch(to);
}

static void add(struct buf *tar, char type, const char *name, const char *link, const char *text)
{
    tar_put_header(tar, &(struct tar_entry){ .name = name, .link = link, .type = type, .mode = 0755, .size = strlen(text) });
    buf_puts(tar, text);
    tar_put_padding(tar, strlen(text));
}

static void hostile(const struct buf *tar, const char *want)
{
    char *base = scratch();
    AUTO_FREE char *dir = path_join(base, "in");
    AUTO_BUF struct buf whole = BUF_INIT(1 << 20);
    buf_append(&whole, tar->data, tar->length);
    tar_put_end(&whole);
    CHECK_INT(mkdir(dir, 0755), 0);
    make(base, "outside", "untouched");
    CHECK_INT(unpack_into(dir, &whole, 4096), -1);
    CHECK(strstr(err.text, want) != NULL);
    check_file(base, "outside", "untouched");
    AUTO_FREE char *planted = path_join(base, "planted");
    CHECK(access(planted, F_OK) < 0);
    remove_scratch(base);
}

TEST(nothing_leaves)
{
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    add(&tar, '0', "../planted", NULL, "x");
    hostile(&tar, "leads out of the destination");
    buf_clear(&tar);
    add(&tar, '2', "d", "..", "");
    add(&tar, '0', "d/planted", NULL, "x");
    hostile(&tar, "leads out of the destination");
    buf_clear(&tar);
    add(&tar, '2', "d", "/tmp", "");
    add(&tar, '5', "d/x", NULL, "");
    hostile(&tar, "leads out of the destination");
    buf_clear(&tar);
    add(&tar, '1', "d", "../outside", "");
    hostile(&tar, "leads out of the destination");
    buf_clear(&tar);
    add(&tar, '5', "d/x", NULL, "");
    add(&tar, '0', "d/x", NULL, "text");
    hostile(&tar, "cannot overwrite directory \"d/x\" with non-directory");
    buf_clear(&tar);
    add(&tar, '0', "d/x", NULL, "text");
    add(&tar, '5', "d/x", NULL, "");
    hostile(&tar, "cannot overwrite non-directory \"d/x\" with directory");
    buf_clear(&tar);
    add(&tar, 'S', "d/x", NULL, "");
    hostile(&tar, "unknown type 'S'");
}

TEST(damaged)
{
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    char *dir = scratch();
    add(&tar, '0', "d", NULL, "some text");
    for (size_t cut = 1; cut < tar.length; cut += 101) { /* never a crash; a cut inside is told */
        struct buf part = { .data = tar.data, .length = cut, .max = cut };
        CHECK_INT(unpack_into(dir, &part, 4096), -1);
        CHECK_STR(err.text, "archive is cut short");
    }
    tar.data[0] ^= 1;
    CHECK_INT(unpack_into(dir, &tar, 4096), -1);
    CHECK_STR(err.text, "archive is damaged: wrong checksum of a header");
    remove_scratch(dir);
}

static void pax(const char *records, const char *want)
{
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    char *dir = scratch();
    add(&tar, 'x', "pax", NULL, records);
    add(&tar, '0', "d", NULL, "abc");
    tar_put_end(&tar);
    int ret = unpack_into(dir, &tar, 4096);
    if (want)
        CHECK(ret < 0 && strstr(err.text, want));
    else
        check_file(dir, "named", "abc");
    remove_scratch(dir);
}

TEST(pax_records)
{
    pax("14 path=named\n", NULL);
    pax("14 path=named\n19 mtime=-1.500000\n", NULL);
    pax("99 path=named\n", "malformed pax record");
    pax("14 path=namedX", "malformed pax record");
    pax("3 \n", "malformed pax record");
    pax("x path=named\n", "malformed pax record");
    pax("22 GNU.sparse.major=1\n", "sparse");
    pax("29 size=99999999999999999999\n", "malformed pax record");
    pax("14 size=60000\n", "cut short");
}

TESTS(T(splitting), T(arguments), T(plans), T(entry_names), T(round_trip), T(nothing_leaves), T(damaged), T(pax_records))
