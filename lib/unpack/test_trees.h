/* What the tests of this room share: a place to work in below /tmp and archives in memory. What needs root (owners, devices) is looked at
 * only as root. */
#pragma once
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"
#include "lib/unpack/gzip.h"
#include "lib/unpack/pack.h"
#include "lib/unpack/recipe.h"
#include "lib/unpack/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zstd.h>

#define UNUSED_IN_SOME __attribute__((unused))

/* ---- a place to work in: root/ is unpacked into, canary lies beside it ---- */

struct place_dirs {
    char name[32];
    int top, root;
};

UNUSED_IN_SOME static void dirs_open(struct place_dirs *dirs)
{
    str_copy(dirs->name, sizeof dirs->name, "/tmp/holk-unpack-XXXXXX");
    CHECK(mkdtemp(dirs->name) != NULL);
    dirs->top = open(dirs->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dirs->root = path_mkdir_open_at(dirs->top, "root", 0755);
    CHECK(dirs->top >= 0 && dirs->root >= 0);
    CHECK_INT(io_replace_file_at(dirs->top, "canary", "alive", 5, 0600, false), 0);
    CHECK_INT(mkdirat(dirs->top, "canary-dir", 0700), 0);
    umask(0);
}

UNUSED_IN_SOME static void dirs_close(struct place_dirs *dirs)
{
    char text[8] = "";
    struct stat st;
    AUTO_FD int fd = openat(dirs->top, "canary", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, text, 5) == 5 && fstat(fd, &st) == 0);
    CHECK_STR(text, "alive");
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_INT(st.st_nlink, 1);
    CHECK(unlinkat(dirs->top, "canary-dir", AT_REMOVEDIR) == 0); /* nothing came into it */
    close(dirs->root);
    close(dirs->top);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, dirs->name), 0);
}
#define AUTO_DIRS __attribute__((cleanup(dirs_close)))

UNUSED_IN_SOME static bool is_root(void)
{
    return geteuid() == 0;
}

static char *text_of(int dir_fd, const char *path)
{
    char *text = NULL;
    size_t length;
    return io_read_file_at(dir_fd, path, 1 << 20, &text, &length) < 0 ? NULL : text;
}

UNUSED_IN_SOME static void has_text(int dir_fd, const char *path, const char *want)
{
    AUTO_FREE char *got = text_of(dir_fd, path);
    CHECK_STR(got, want);
}

UNUSED_IN_SOME static bool exists(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- archives in memory ---- */

struct made { /* an entry in short */
    enum tar_type type;
    const char *path, *link; /* link: text of a FILE, target of a link */
    mode_t mode;
    unsigned major, minor;
    const char *xattr;
};

UNUSED_IN_SOME static int collect(void *arg, const void *bytes, size_t length, struct err *err)
{
    buf_append(arg, bytes, length);
    return 0;
}

UNUSED_IN_SOME static void put_entry(struct tar_writer *writer, const struct made *made)
{
    struct err err = { 0 };
    AUTO_FREE char *path = xstrdup(made->path);
    AUTO_FREE char *link = xstrdup(made->link);
    AUTO_FREE char *name = xstrdup(made->xattr);
    char value[] = "v";
    struct tar_xattr xattr = { name, value, 1 };
    struct tar_entry entry = {
        .type = made->type, .path = path, .mode = made->mode ? made->mode : made->type == TAR_DIR ? 0755 : 0644, .uid = geteuid(),
        .gid = getegid(), .mtime_s = 1700000000, .dev_major = made->major, .dev_minor = made->minor,
        .xattrs = made->xattr ? &xattr : NULL, .xattr_count = made->xattr != NULL,
    };
    if (made->type == TAR_FILE)
        entry.size = link ? strlen(link) : 0;
    else
        entry.link = link;
    CHECK_INT(tar_writer_entry(writer, &entry, &err), 0);
    if (entry.size)
        CHECK_INT(tar_writer_data(writer, link, entry.size, &err), 0);
}

UNUSED_IN_SOME static void make_tar(struct buf *out, const struct made *entries, size_t count)
{
    struct err err = { 0 };
    struct tar_writer *writer = tar_writer_new((struct writer){ collect, out });
    for (size_t i = 0; i < count; i++)
        put_entry(writer, &entries[i]);
    CHECK_INT(tar_writer_end(writer, &err), 0);
    tar_writer_free(writer);
}

struct memory {
    const char *data;
    size_t left;
};

UNUSED_IN_SOME static ssize_t read_memory(void *arg, void *bytes, size_t size, struct err *err)
{
    struct memory *memory = arg;
    size_t n = MIN(MIN(size, memory->left), (size_t)3000);
    memcpy(bytes, memory->data, n);
    memory->data += n;
    memory->left -= n;
    return (ssize_t)n;
}

UNUSED_IN_SOME static int unpack(const struct buf *blob, int dir_fd, struct unpack_request request, struct unpack_result *ret, struct err *err)
{
    struct memory memory = { blob->data, blob->length };
    request.from = (struct reader){ read_memory, &memory };
    request.dir_fd = dir_fd;
    request.keep_fd = -1;
    return unpack_layer(&request, ret, err);
}

UNUSED_IN_SOME static int extract_with(const struct made *entries, size_t count, int root_fd, const struct extract_options *options,
                        struct extract_result *ret, struct err *err)
{
    AUTO_BUF struct buf tar = BUF_INIT(64 << 20);
    make_tar(&tar, entries, count);
    struct memory memory = { tar.data, tar.length };
    struct chunk_buffer *buffer = chunk_buffer_new((struct reader){ read_memory, &memory });
    struct tar_reader *reader = tar_reader_new(chunk_buffer_chunker(buffer));
    int r = extract_tar(reader, root_fd, options, ret, err);
    tar_reader_free(reader);
    chunk_buffer_free(buffer);
    return r;
}

UNUSED_IN_SOME static int extract_plain(const struct made *entries, size_t count, int root_fd, struct err *err)
{
    const struct extract_options options = { .layer = false };
    struct extract_result result;
    int r = extract_with(entries, count, root_fd, &options, &result, err);
    if (r == 0)
        extract_result_done(&result);
    return r;
}

UNUSED_IN_SOME static int extract_as_layer(const struct made *entries, size_t count, int root_fd, struct extract_result *ret, struct err *err)
{
    const struct extract_options options = { .layer = true };
    return extract_with(entries, count, root_fd, &options, ret, err);
}

UNUSED_IN_SOME static void refuses(const struct made *entries, size_t count, int root_fd, const char *words)
{
    struct err err = { 0 };
    CHECK_INT(extract_plain(entries, count, root_fd, &err), -1);
    if (!strstr(err.text, words))
        CHECK_STR(err.text, words);
}

UNUSED_IN_SOME static void gzip_bytes(struct buf *out, const char *bytes, size_t length)
{
    unsigned char piece[4096];
    struct gzip *gzip = gzip_new();
    struct gzip_io io = { .in = (const unsigned char *)bytes, .in_length = length };
    struct err err = { 0 };
    int state = 0;
    while (state == 0) {
        io.out = piece;
        io.out_length = sizeof piece;
        state = gzip_run(gzip, &io, true, &err);
        buf_append(out, piece, sizeof piece - io.out_length);
    }
    CHECK_INT(state, 1);
    gzip_free(gzip);
}

UNUSED_IN_SOME static void zstd_bytes(struct buf *out, const char *bytes, size_t length)
{
    size_t room = ZSTD_compressBound(length);
    AUTO_FREE char *piece = xmalloc(room);
    size_t n = ZSTD_compress(piece, room, bytes, length, 1);
    CHECK(!ZSTD_isError(n));
    buf_append(out, piece, n);
}

