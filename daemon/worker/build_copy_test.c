#include "daemon/worker/build_copy.h"
#include "daemon/worker/context_ignore.h"
#include "lib/archive/tar.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"
#include "lib/unpack/hash.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- a place to work in: "from", "lower", "upper" below a temporary directory ---- */

struct bench {
    char root[64];
    int top_fd, from_fd, lower_fd, upper_fd;
    struct job_build_copy params;
    struct copying copying;
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){ .root = "/tmp/holk-build-copy-XXXXXX", .params = { .mtime_unix = -1, .file_mode = -1 } };
    if (!mkdtemp(bench->root))
        abort();
    bench->top_fd = open(bench->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bench->from_fd = path_mkdir_open_at(bench->top_fd, "from", 0755);
    bench->lower_fd = path_mkdir_open_at(bench->top_fd, "lower", 0755);
    bench->upper_fd = path_mkdir_open_at(bench->top_fd, "upper", 0755);
    struct copying *copying = &bench->copying;
    *copying = (struct copying){ .params = &bench->params, .context = true, .has_owner = true, .uid = geteuid(), .gid = getegid(), .may_link = true };
    copying->source.root = (struct view_dir){ .upper_fd = -1, .lower_fd = bench->from_fd };
    copying->dest.root = (struct view_dir){ .upper_fd = bench->upper_fd, .lower_fd = bench->lower_fd };
    copying->buffer = xmalloc(COPY_BUFFER);
}

static void bench_done(struct bench *bench)
{
    copying_done(&bench->copying);
    fd_close(bench->from_fd);
    fd_close(bench->lower_fd);
    fd_close(bench->upper_fd);
    fd_close(bench->top_fd);
    path_remove_tree_at(AT_FDCWD, bench->root);
}
#define BENCH(name) __attribute__((cleanup(bench_done))) struct bench name; bench_init(&name)

/* "a/b/" a directory, "a/l -> target" a link, else a file with its own path as text. */
static void plant(int dir_fd, const char *what)
{
    AUTO_FREE char *path = xstrdup(what);
    char *arrow = strstr(path, " -> ");
    if (arrow)
        *arrow = '\0';
    bool dir = str_ends(path, "/");
    AUTO_FREE char *parent = xstrndup(path, (size_t)(path_base(path) - path));
    if (*parent) {
        parent[strlen(parent) - 1] = '\0';
        path_mkdirs_at(dir_fd, parent, 0755);
    }
    if (dir)
        return;
    unlinkat(dir_fd, path, 0);
    if (arrow)
        CHECK_INT(symlinkat(arrow + 4, dir_fd, path), 0);
    else
        CHECK_INT(io_replace_file_at(dir_fd, path, path, strlen(path), 0644, false), 0);
}

#define PLANT(fd, ...)                                                            \
    do {                                                                          \
        static const char *const plants_[] = { __VA_ARGS__ };                     \
        for (size_t p_ = 0; p_ < sizeof plants_ / sizeof *plants_; p_++)          \
            plant(fd, plants_[p_]);                                               \
    } while (0)

static int list_visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    char target[256];
    (void)err;
    if (S_ISLNK(entry->stat.st_mode)) {
        ssize_t n = readlinkat(entry->dir_fd, entry->name, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        strv_append_take(arg, str_format("%s->%s", entry->path, target));
    } else {
        strv_append_take(arg, str_format("%s%s", entry->path, S_ISDIR(entry->stat.st_mode) ? "/" : ""));
    }
    return 0;
}

/* Everything below a directory in one line; caller frees. */
static char *listing(int dir_fd)
{
    CLEANUP(strv_free) char **names = NULL;
    struct err err = { 0 };
    struct walk_options walk = { .visit = list_visit, .arg = &names };
    if (walk_tree(dir_fd, &walk, &err) < 0)
        return xstrdup(err.text);
    return strv_join(names, " ");
}

static mode_t mode_of(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 07777 : 0;
}

#define MISSING "lstat %s: no such file or directory"

/* Copies sources (separated by blanks) to target; the error's text, "" for none. Caller frees. */
static char *copy(struct bench *bench, const char *sources, const char *target)
{
    struct err err = { 0 };
    CLEANUP(strv_free) char **list = strv_split(sources, ' ', true);
    AUTO_FREE char *to = xstrdup(target);
    bench->params.sources = list;
    bench->params.target = to;
    AUTO_FREE char *clean = copy_target(&bench->params);
    if (sources_each(&bench->copying, MISSING, copy_found, clean, &err) == 0)
        copy_finish(&bench->copying, &err);
    bench->params.sources = NULL;
    bench->params.target = NULL;
    return xstrdup(err.text);
}

#define CHECK_COPY(bench, sources, target, want)                      \
    do {                                                              \
        AUTO_FREE char *said_ = copy(bench, sources, target);         \
        CHECK_STR(said_, want);                                       \
    } while (0)
#define CHECK_LIST(fd, want)                    \
    do {                                        \
        AUTO_FREE char *list_ = listing(fd);    \
        CHECK_STR(list_, want);                 \
    } while (0)

/* ---- modes ---- */

static int changed(const char *text, mode_t mode)
{
    struct mode_change change;
    struct err err = { 0 };
    return mode_change_parse(text, &change, &err) < 0 ? -1 : (int)mode_change_apply(&change, mode);
}

TEST(modes)
{
    static const struct {
        const char *text;
        mode_t mode;
        int want;
    } cases[] = {
        { "", S_IFREG | 0644, 0644 },        { "755", S_IFREG | 0644, 0755 },     { "04711", S_IFREG | 0644, 04711 },   { "0", S_IFREG | 0644, 0 },
        { "u=rwX,go=rX", S_IFDIR | 0700, 0755 }, { "u=rwX,go=rX", S_IFREG | 0640, 0644 }, { "u=rwX,go=rX", S_IFREG | 0750, 0755 },
        { "a+x", S_IFREG | 0640, 0751 },     { "+x", S_IFREG | 0640, 0751 },      { "go-rwx,u+s", S_IFREG | 0750, 04700 }, { "g=u", S_IFREG | 0750, 0770 },
        { "u-s", S_IFREG | 04755, 0755 },    { "+t", S_IFDIR | 0755, 01755 },     { "g+s", S_IFDIR | 0755, 02755 },     { "u=r+w-r", S_IFREG | 0777, 0277 },
        { "o=", S_IFREG | 0777, 0770 },      { "a=rx", S_IFREG | 0777, 0555 },    { "10000", 0, -1 },                   { "8", 0, -1 },
        { "u", 0, -1 },                      { "u+q", 0, -1 },                    { "u+x,", S_IFREG | 0, -1 },          { "rwx", 0, -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (changed(cases[i].text, cases[i].mode) != cases[i].want)
            printf("# %s\n", cases[i].text);
        CHECK_INT(changed(cases[i].text, cases[i].mode), cases[i].want);
    }
    struct mode_change change;
    struct err err = { 0 };
    CHECK_INT(mode_change_parse("99", &change, &err), -1);
    CHECK_STR(err.text, "invalid chmod parameter: '99'. it should be octal string and between 0 and 07777");
}

/* ---- owners ---- */

static char *owner(struct view *root, const char *text)
{
    uid_t uid = 0;
    gid_t gid = 0;
    struct err err = { 0 };
    return copy_owner(root, text, &uid, &gid, &err) < 0 ? xstrdup(err.text) : str_format("%u:%u", uid, gid);
}

TEST(owners)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "app", "1001:1002" },  { "app:staff", "1001:50" }, { "1001", "1001:1001" }, { "77:staff", "77:50" }, { "app:99", "1001:99" },
        { ":staff", "0:50" },    { "", "0:0" },              { "nosuch", "0:0" },     { "root:nosuch", "0:0" },
        { "4294967296", "uids and gids must be in range 0-2147483647" },
    };
    BENCH(bench);
    static const char passwd[] = "root:x:0:0::/:/bin/sh\nbroken\napp:x:1001:1002:a,b:/:/bin/sh\n", group[] = "root:x:0:\nstaff:x:50:app\n";
    CHECK_INT(mkdirat(bench.lower_fd, "etc", 0755), 0);
    CHECK_INT(symlinkat("../real", bench.lower_fd, "etc/passwd"), 0); /* inside the root */
    CHECK_INT(io_replace_file_at(bench.lower_fd, "real", passwd, sizeof passwd - 1, 0644, false), 0);
    CHECK_INT(io_replace_file_at(bench.lower_fd, "etc/group", group, sizeof group - 1, 0644, false), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *got = owner(&bench.copying.dest, cases[i].text);
        CHECK_STR(got, cases[i].want);
    }
    struct view nothing = { .root = { .upper_fd = bench.upper_fd, .lower_fd = -1 } };
    AUTO_FREE char *got = owner(&nothing, "app");
    CHECK_STR(got, "invalid user index: -1");
}

/* ---- targets and sources ---- */

TEST(targets)
{
    static const struct {
        const char *workdir, *target, *want;
    } cases[] = {
        { "/w", "x", "/w/x" },   { "/w", "x/", "/w/x/" },   { "/w", ".", "/w/" },   { "/w", "./", "/w/" },    { "/w", "", "/w/" },
        { "/w", "..", "/" },     { "/w", "/a//b/../c", "/a/c" }, { "/w", "/", "/" }, { "/w", "../../..", "/" }, { NULL, "x/.", "/x/" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *workdir = xstrdup(cases[i].workdir), *target = xstrdup(cases[i].target);
        const struct job_build_copy params = { .workdir = workdir, .target = target };
        AUTO_FREE char *got = copy_target(&params);
        CHECK_STR(got, cases[i].want);
    }
}

TEST(files_and_directories)
{
    BENCH(bench);
    PLANT(bench.from_fd, "f", "d/g", "d/s/h", "d/empty/", "l -> f", "dl -> d", "out -> ../../../../../../etc/passwd", "abs -> /d/g");
    CHECK_COPY(&bench, "f", "/a", "");
    CHECK_COPY(&bench, "f", "/b/", "");
    CHECK_COPY(&bench, "d", "/c", "");
    CHECK_COPY(&bench, "dl l abs", "/e/", "");
    CHECK_LIST(bench.upper_fd, "a b/ b/f c/ c/empty/ c/g c/s/ c/s/h e/ e/abs e/empty/ e/g e/l e/s/ e/s/h");
    CHECK_COPY(&bench, "out", "/x", "lstat /out: no such file or directory");
    CHECK_COPY(&bench, "f nosuch", "/x/", "lstat /nosuch: no such file or directory");
    CHECK_COPY(&bench, "../../f", "/y", "");
    CHECK_INT(faccessat(bench.upper_fd, "y", F_OK, 0), 0);
}

TEST(wildcards)
{
    BENCH(bench);
    PLANT(bench.from_fd, "f1", "f2", "fx", "d1/s/g1", "d2/t/g2", "d2/t/u/g3", "[x]", "fl -> f1");
    CHECK_COPY(&bench, "f[0-9] nomatch*", "/a/", "");
    CHECK_COPY(&bench, "d*/*/g?", "/b/", "");
    CHECK_COPY(&bench, "d2/*", "/c/", "");
    CHECK_COPY(&bench, "[[]x] *l", "/d/", "");
    CHECK_COPY(&bench, "no*", "/never/", "");
    CHECK_LIST(bench.upper_fd, "a/ a/f1 a/f2 b/ b/g1 b/g2 c/ c/g2 c/u/ c/u/g3 d/ d/[x] d/fl");
    CHECK_COPY(&bench, "a[", "/e", "invalid source a[: syntax error in pattern");
    CHECK_COPY(&bench, "nodir/*", "/e", "lstat /nodir: no such file or directory");
}

TEST(parents)
{
    BENCH(bench);
    bench.params.parents = true;
    PLANT(bench.from_fd, "a/b/f", "a/b/e/h.txt", "a/c/g", "a/c/f2", "top.txt");
    CHECK_COPY(&bench, "a/b/f", "/1/", "");
    CHECK_COPY(&bench, "a/./b", "/2", "");
    CHECK_COPY(&bench, "a/*/f*", "/3/", "");
    CHECK_COPY(&bench, "**/*.txt", "/4/", "");
    CHECK_COPY(&bench, "./a/./**/g", "/5/", "");
    CHECK_LIST(bench.upper_fd, "1/ 1/a/ 1/a/b/ 1/a/b/f 2/ 2/b/ 2/b/e/ 2/b/e/h.txt 2/b/f 3/ 3/a/ 3/a/b/ 3/a/b/f 3/a/c/ 3/a/c/f2 "
                               "4/ 4/a/ 4/a/b/ 4/a/b/e/ 4/a/b/e/h.txt 4/top.txt 5/ 5/c/ 5/c/g");
    CHECK_COPY(&bench, "a/nosuch", "/6/", "lstat /a/nosuch: no such file or directory");
}

TEST(excluded)
{
    struct err err = { 0 };
    BENCH(bench);
    char *const patterns[] = { (char[]){ "**/*.txt" }, (char[]){ "b" }, (char[]){ "!b/keep/k" }, NULL };
    CHECK_INT(pattern_set_new(patterns, &bench.copying.exclude, &err), 0);
    PLANT(bench.from_fd, "d/x.txt", "d/y", "d/b/z", "d/b/keep/k", "d/b/keep/l", "d/c/x.txt", "single.txt");
    CHECK_COPY(&bench, "d single.txt", "/o/", "");
    CHECK_LIST(bench.upper_fd, "o/ o/b/ o/b/keep/ o/b/keep/k o/c/ o/single.txt o/y");
}

/* ---- what is there already ---- */

TEST(into_what_is_there)
{
    BENCH(bench);
    PLANT(bench.from_fd, "f", "d/name", "d/s/x", "link/t -> new");
    PLANT(bench.lower_fd, "file", "real/old", "l -> /real", "dangling -> gone/far", "t/name/inner", "u/s/", "v/s -> ../real", "w/t", "loop -> loop");
    CHECK_INT(fchmodat(bench.lower_fd, "u/s", 0700, 0), 0);
    CHECK_INT(fchmodat(bench.from_fd, "d/s", 0771, 0), 0);
    CHECK_COPY(&bench, "f", "/l/", "");
    CHECK_COPY(&bench, "f", "/dangling", "");
    CHECK_COPY(&bench, "d", "/u", "");
    CHECK_COPY(&bench, "link", "/w", "");
    CHECK_COPY(&bench, "f", "/real", "");
    CHECK_LIST(bench.upper_fd, "gone/ gone/far real/ real/f u/ u/name u/s/ u/s/x w/ w/t->new");
    CHECK_INT(mode_of(bench.upper_fd, "u/s"), 0771);
    CHECK_COPY(&bench, "f", "/file/", "mkdir /file: not a directory");
    CHECK_COPY(&bench, "f", "/file/x/y", "mkdir /file: not a directory");
    CHECK_COPY(&bench, "d", "/file", "cannot copy to non-directory: /file");
    CHECK_COPY(&bench, "d", "/t", "cannot replace to directory /t/name with file");
    CHECK_COPY(&bench, "d", "/v", "cannot copy to non-directory: /v/s");
    CHECK_COPY(&bench, "f", "/loop", "too many links");
    CHECK_LIST(bench.lower_fd, "dangling->gone/far file l->/real loop->loop real/ real/old t/ t/name/ t/name/inner u/ u/s/ v/ v/s->../real w/ w/t");
}

TEST(modes_of_made_directories)
{
    struct err err = { 0 };
    BENCH(bench);
    PLANT(bench.from_fd, "d/s/x", "f");
    CHECK_INT(mode_change_parse("2640", &bench.copying.chmod, &err), 0);
    CHECK_COPY(&bench, "f", "/p/q/f", "");
    CHECK_COPY(&bench, "d", "/r", "");
    CHECK_INT(mode_of(bench.upper_fd, "p"), 0640);
    CHECK_INT(mode_of(bench.upper_fd, "p/q/f"), 02640);
    CHECK_INT(mode_of(bench.upper_fd, "r"), 0640);
    CHECK_INT(mode_of(bench.upper_fd, "r/s"), 02640);
}

static ino_t inode_of(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

TEST(hard_links)
{
    BENCH(bench);
    PLANT(bench.from_fd, "d/1", "other");
    CHECK_INT(linkat(bench.from_fd, "d/1", bench.from_fd, "d/2", 0), 0);
    CHECK_COPY(&bench, "d", "/a", "");
    CHECK_COPY(&bench, "d/1 d/2", "/b/", "");
    CHECK_COPY(&bench, "other other", "/c/", "");
    CHECK(inode_of(bench.upper_fd, "a/1") == inode_of(bench.upper_fd, "a/2"));
    CHECK(inode_of(bench.upper_fd, "b/1") != inode_of(bench.upper_fd, "b/2"));
    CHECK(inode_of(bench.upper_fd, "a/1") != inode_of(bench.from_fd, "d/1")); /* has another name already */
    CHECK(inode_of(bench.upper_fd, "c/other") != 0);
    PLANT(bench.from_fd, "single");
    CHECK_COPY(&bench, "single", "/f", "");
    CHECK_COPY(&bench, "single", "/g", "");
    CHECK(inode_of(bench.upper_fd, "f") == inode_of(bench.from_fd, "single")); /* the context's own file */
    CHECK(inode_of(bench.upper_fd, "g") != inode_of(bench.from_fd, "single"));
    bench.copying.may_link = false;
    CHECK_COPY(&bench, "other", "/e", "");
    CHECK(inode_of(bench.upper_fd, "e") != inode_of(bench.from_fd, "other"));
}

TEST(times)
{
    BENCH(bench);
    struct stat st;
    const struct timespec then[2] = { { 1000000000, 5 }, { 1000000000, 5 } };
    PLANT(bench.from_fd, "d/s/x");
    CHECK_INT(utimensat(bench.from_fd, "d/s/x", then, 0), 0);
    CHECK_INT(utimensat(bench.from_fd, "d/s", then, 0), 0);
    CHECK_COPY(&bench, "d", "/a", "");
    CHECK_INT(fstatat(bench.upper_fd, "a/s", &st, 0), 0);
    CHECK_INT(st.st_mtim.tv_sec, 1000000000);
    CHECK_INT(fstatat(bench.upper_fd, "a/s/x", &st, 0), 0);
    CHECK_INT(st.st_mtim.tv_nsec, 5);
    bench.params.mtime_unix = 7;
    CHECK_COPY(&bench, "d", "/p/b", "");
    static const char *const all[] = { "p", "p/b", "p/b/s", "p/b/s/x" };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        CHECK_INT(fstatat(bench.upper_fd, all[i], &st, 0), 0);
        CHECK_INT(st.st_mtim.tv_sec, 7);
    }
}

/* ---- digests ---- */

static void digest(struct bench *bench, const char *sources, char ret[65])
{
    struct err err = { 0 };
    CLEANUP(strv_free) char **list = strv_split(sources, ' ', true);
    bench->params.sources = list;
    ret[0] = '\0';
    if (copy_digest(&bench->copying, ret, &err) < 0)
        str_copy(ret, 65, err.text + (strlen(err.text) > 60 ? strlen(err.text) - 30 : 0));
    bench->params.sources = NULL;
}

TEST(digests)
{
    BENCH(bench);
    char first[65], second[65];
    const struct timespec then[2] = { { 5, 0 }, { 5, 0 } };
    PLANT(bench.from_fd, "d/x", "d/y", "e/x", "e/y", "d/l -> x", "e/l -> x");
    digest(&bench, "d", first);
    CHECK_INT(strlen(first), 64);
    CHECK_INT(utimensat(bench.from_fd, "d/x", then, 0), 0);
    digest(&bench, "d", second);
    CHECK_STR(second, first);
    digest(&bench, "e", second);
    CHECK(!str_eq(first, second)); /* contents are the paths here */
    digest(&bench, "d/x d/y", second);
    CHECK(!str_eq(first, second));
    digest(&bench, "d/* ", second);
    CHECK(!str_eq(first, second));
    digest(&bench, "d", first);
    CHECK_INT(fchmodat(bench.from_fd, "d/y", 0600, 0), 0);
    digest(&bench, "d", second);
    CHECK(!str_eq(first, second));
    PLANT(bench.from_fd, "d/l -> y");
    digest(&bench, "d", first);
    CHECK(!str_eq(first, second));
    digest(&bench, "d/nosuch", first);
    CHECK(str_ends(first, "source: \"/d/nosuch\": not found"));
}

/* What was remembered of a file counts, as long as the file is of that size. */
TEST(known_contents)
{
    BENCH(bench);
    char first[65], second[HASH_TEXT_SIZE];
    struct stat st;
    unsigned char wrong[CONTENT_DIGEST_SIZE] = { 1 };
    PLANT(bench.from_fd, "d/x");
    digest(&bench, "d", first);
    CHECK_INT(fstatat(bench.from_fd, "d/x", &st, 0), 0);
    bench.copying.contents = contents_new();
    contents_put(bench.copying.contents, st.st_ino, (uint64_t)st.st_size + 1, wrong);
    digest(&bench, "d", second);
    CHECK_STR(second, first);
    contents_put(bench.copying.contents, st.st_ino, (uint64_t)st.st_size, wrong);
    digest(&bench, "d", second);
    CHECK(!str_eq(second, first));
    hash_bytes("d/x", 3, second); /* what the file holds */
    for (size_t i = 0; i < sizeof wrong; i++) {
        const char hex[3] = { second[7 + 2 * i], second[8 + 2 * i] };
        wrong[i] = (unsigned char)strtoul(hex, NULL, 16);
    }
    contents_put(bench.copying.contents, st.st_ino, (uint64_t)st.st_size, wrong);
    digest(&bench, "d", second);
    CHECK_STR(second, first);
}

/* ---- archives ---- */

static int write_fd(void *arg, const void *bytes, size_t length, struct err *err)
{
    return writer_fd(arg, bytes, length, err);
}

static void plant_tar(int dir_fd, const char *name, const char *entry_path)
{
    struct err err = { 0 };
    AUTO_FREE char *path = xstrdup(entry_path);
    AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct tar_writer *writer = tar_writer_new((struct writer){ write_fd, &fd });
    struct tar_entry entry = { .type = TAR_FILE, .path = path, .mode = 0640, .uid = geteuid(), .gid = getegid(), .size = 2 };
    CHECK_INT(tar_writer_entry(writer, &entry, &err), 0);
    CHECK_INT(tar_writer_data(writer, "x\n", 2, &err), 0);
    CHECK_INT(tar_writer_end(writer, &err), 0);
    tar_writer_free(writer);
}

static int unpack(struct copying *copying, const struct found *found, void *arg, struct err *err)
{
    (void)arg;
    int is = archive_is(copying, found, err);
    return is > 0 ? archive_unpack(copying, found, err) : err_set(err, ERR_INVALID, "no archive");
}

static char *add(struct bench *bench, const char *source, const char *target)
{
    struct err err = { 0 };
    char *name = xstrdup(source), *list[] = { name, NULL }, *to = xstrdup(target);
    bench->params.sources = list;
    bench->params.target = to;
    if (sources_each(&bench->copying, MISSING, unpack, NULL, &err) < 0 && !err.text[0])
        err_set(&err, ERR_INTERNAL, "?");
    bench->params.sources = NULL;
    bench->params.target = NULL;
    free(name);
    free(to);
    return xstrdup(err.text);
}

TEST(archives)
{
    BENCH(bench);
    bench.copying.dest.root.lower_fd = -1; /* as behind a mount */
    plant_tar(bench.from_fd, "a.tar", "d/f");
    plant_tar(bench.from_fd, "up.tar", "../up");
    PLANT(bench.from_fd, "plain", "l -> a.tar");
    CHECK_INT(openat(bench.from_fd, "empty", O_CREAT | O_CLOEXEC, 0644) >= 0, 1);
    AUTO_FREE char *good = add(&bench, "l", "/o"), *bad = add(&bench, "up.tar", "/o/"), *plain = add(&bench, "plain", "/p"), *empty = add(&bench, "empty", "/p");
    CHECK_STR(good, "");
    CHECK_STR(bad, "invalid entry \"../up\": escapes the root");
    CHECK_STR(plain, "no archive");
    CHECK_STR(empty, "no archive");
    CHECK_LIST(bench.upper_fd, "o/ o/d/ o/d/f");
    CHECK_INT(mode_of(bench.upper_fd, "o/d/f"), 0640);
}

/* ---- mount points, ignore files ---- */

TEST(stubs)
{
    BENCH(bench);
    struct err err = { 0 };
    CLEANUP(strv_free) char **missing = NULL;
    char *targets[] = { (char[]){ "/a/b/c" }, (char[]){ "/l/x" }, (char[]){ "/there" }, (char[]){ "/etc/conf" }, NULL };
    PLANT(bench.lower_fd, "a/keep", "real/", "l -> real", "there", "etc/old");
    bench.params.sources = targets;
    CHECK_INT(copy_probe(&bench.copying, &missing, &err), 0);
    AUTO_FREE char *joined = strv_join(missing, " ");
    CHECK_STR(joined, "/a/b /a/b/c /real/x /etc/conf");
    PLANT(bench.upper_fd, "a/b/c/", "real/x/", "etc/more"); /* what the run did */
    AUTO_FD int stub = openat(bench.upper_fd, "etc/conf", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bench.params.sources = missing;
    CHECK_INT(copy_unstub(&bench.copying, &err), 0);
    CHECK_LIST(bench.upper_fd, "etc/ etc/more");
    PLANT(bench.upper_fd, "a/b/c/used");
    CHECK_INT(copy_unstub(&bench.copying, &err), 0);
    CHECK_LIST(bench.upper_fd, "a/ a/b/ a/b/c/ a/b/c/used etc/ etc/more");
    CHECK_INT(path_remove_tree_at(bench.upper_fd, "a"), 0);
    PLANT(bench.upper_fd, "a/b -> ../etc", "etc/c/"); /* what the command put in their place is not ours */
    CHECK_INT(copy_unstub(&bench.copying, &err), 0);
    CHECK_LIST(bench.upper_fd, "a/ a/b->../etc etc/ etc/c/ etc/more");
    bench.params.sources = NULL;
}

TEST(working_directories)
{
    BENCH(bench);
    struct err err = { 0 };
    char target[] = "x/y", workdir[] = "/w", file[] = "/file/x";
    PLANT(bench.lower_fd, "w/old", "file");
    bench.params.target = target;
    bench.params.workdir = workdir;
    CHECK_INT(copy_mkdir(&bench.copying, &err), 0);
    CHECK_LIST(bench.upper_fd, "w/ w/x/ w/x/y/");
    CHECK_INT(mode_of(bench.upper_fd, "w/x/y"), 0755);
    bench.params.target = file;
    CHECK_INT(copy_mkdir(&bench.copying, &err), -1);
    CHECK_STR(err.text, "mkdir /file: not a directory");
}

TEST(ignored)
{
    BENCH(bench);
    struct err err = { 0 };
    CLEANUP(pattern_set_free) struct pattern_set *set = NULL;
    char *const patterns[] = { (char[]){ "a" }, (char[]){ "!a/b" }, (char[]){ "x/*" }, (char[]){ "gone" }, NULL };
    PLANT(bench.from_fd, "a/b/c/g", "a/b/f", "a/e/h", "x/y/", "gone/deep/", "stay", "empty/");
    CHECK_INT(pattern_set_new(patterns, &set, &err), 0);
    bench.copying.hidden = map_new();
    bench.copying.source.hidden = bench.copying.hidden;
    CHECK_INT(context_ignore_list(bench.from_fd, set, bench.copying.hidden, &err), 0);
    CHECK_COPY(&bench, ".", "/o", "");
    CHECK_LIST(bench.upper_fd, "o/ o/a/ o/a/b/ o/a/b/c/ o/a/b/c/g o/a/b/f o/empty/ o/stay o/x/");
    CHECK_COPY(&bench, "a/e/h", "/p", "lstat /a/e/h: no such file or directory");
    CHECK_COPY(&bench, "gone", "/p", "lstat /gone: no such file or directory");
    CHECK_COPY(&bench, "a/*/h*", "/q/", "");
    CHECK_INT(faccessat(bench.upper_fd, "q", F_OK, 0), -1);
    CHECK_INT(context_ignore_remove(bench.from_fd, set, &err), 0);
    CHECK_LIST(bench.from_fd, "a/ a/b/ a/b/c/ a/b/c/g a/b/f empty/ stay x/");
}

TESTS(T(modes), T(owners), T(targets), T(files_and_directories), T(wildcards), T(parents), T(excluded), T(into_what_is_there),
      T(modes_of_made_directories), T(hard_links), T(times), T(digests), T(known_contents), T(archives), T(stubs), T(working_directories), T(ignored))
