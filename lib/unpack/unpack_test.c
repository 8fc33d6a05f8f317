#include "lib/unpack/test_trees.h"
#include "lib/unpack/changes.h"
#include "lib/unpack/copytree.h"

#define GOLDEN_DIFF_ID "sha256:726d46e5d4aacac20eba9fc7d057f02f47d18315ad9d6d8d8f125d26627366c6"
#define GOLDEN_SIZE 8192

/* ---- streams ---- */

static struct err inflate_error(const struct buf *blob)
{
    struct memory memory = { blob->data, blob->length };
    struct inflater *inflater = NULL;
    struct err err = { 0 };
    ssize_t n = -1;
    AUTO_FREE char *piece = xmalloc(1 << 20);
    if (inflater_open((struct reader){ read_memory, &memory }, false, &inflater, &err) == 0)
        while ((n = inflater_read(inflater, piece, 1 << 20, &err)) > 0)
            ;
    CHECK((n < 0) == (err.kind != ERR_NONE));
    inflater_close(inflater);
    return err;
}

static void refuses_stream(const struct buf *blob, const char *words)
{
    struct err err = inflate_error(blob);
    CHECK_INT(err.kind, ERR_INVALID);
    if (!strstr(err.text, words))
        CHECK_STR(err.text, words);
}

TEST(broken_streams) /* I15 */
{
    static const char text[] = "some text that is compressed, some text that is compressed";
    static void (*const compressors[])(struct buf *, const char *, size_t) = { gzip_bytes, zstd_bytes };
    for (size_t i = 0; i < ARRAY_SIZE(compressors); i++) {
        AUTO_BUF struct buf blob = BUF_INIT(1 << 20);
        compressors[i](&blob, text, sizeof text);
        compressors[i](&blob, text, sizeof text); /* a second member */
        size_t whole = blob.length;
        CHECK_INT(inflate_error(&blob).kind, ERR_NONE);
        for (size_t cut = 6; cut < whole; cut += 3) {
            struct buf part = blob;
            part.length = cut;
            if (cut != whole / 2)
                refuses_stream(&part, "");
        }
        buf_append(&blob, "trailing garbage", 16);
        refuses_stream(&blob, "garbage behind the end");
    }
    AUTO_BUF struct buf gzip = BUF_INIT(1 << 20);
    gzip_bytes(&gzip, text, sizeof text);
    gzip.data[gzip.length - 8] ^= 1; /* its checksum */
    refuses_stream(&gzip, "");
    AUTO_BUF struct buf bzip = BUF_INIT(100);
    buf_puts(&bzip, "BZh91AY&SY and more");
    refuses_stream(&bzip, "bzip2 is not supported");
}

TEST(bombs) /* I8 */
{
    AUTO_BUF struct buf blob = BUF_INIT(8 << 20);
    size_t megabytes = 80;
    AUTO_FREE char *zeros = xcalloc(megabytes, 1 << 20);
    zstd_bytes(&blob, zeros, megabytes << 20);
    CHECK(blob.length < 100000);
    refuses_stream(&blob, "inflates more than 1000-fold");
}

TEST(huge_sparse_file) /* I8 */
{
    AUTO_DIRS struct place_dirs dirs;
    AUTO_BUF struct buf tar = BUF_INIT(1 << 16);
    struct unpack_result result;
    struct err err = { 0 };
    dirs_open(&dirs);
    const struct made nothing[] = { { TAR_FILE, "x" } };
    make_tar(&tar, nothing, 1);
    static const char records[] = "39 GNU.sparse.size=9223372036854775807\n22 GNU.sparse.map=0,0\n";
    AUTO_BUF struct buf whole = BUF_INIT(1 << 16);
    unsigned char *header = xcalloc(2, 512);
    memcpy(header, tar.data, 512);
    header[156] = 'x';
    (void)snprintf((char *)header + 124, 12, "%011zo", sizeof records - 1);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    (void)snprintf((char *)header + 148, 7, "%06o", sum);
    memcpy(header + 512, records, sizeof records - 1);
    buf_append(&whole, header, 1024);
    free(header);
    buf_append(&whole, tar.data, tar.length);
    CHECK_INT(unpack(&whole, dirs.root, (struct unpack_request){ .recipe_fd = -1, .layer = true }, &result, &err), -1);
    CHECK(strstr(err.text, "larger than 64 GiB"));
}

TEST(digests) /* I9, I10 */
{
    AUTO_DIRS struct place_dirs dirs;
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    AUTO_BUF struct buf blob = BUF_INIT(1 << 20);
    char tar_digest[HASH_TEXT_SIZE], blob_digest[HASH_TEXT_SIZE];
    struct unpack_result result;
    struct err err = { 0 };
    dirs_open(&dirs);
    const struct made entries[] = { { TAR_FILE, "x", "text" } };
    make_tar(&tar, entries, 1);
    gzip_bytes(&blob, tar.data, tar.length);
    hash_bytes(tar.data, tar.length, tar_digest);
    hash_bytes(blob.data, blob.length, blob_digest);
    const struct unpack_request good = { .digest = blob_digest, .diff_id = tar_digest, .size = blob.length, .recipe_fd = -1, .layer = true };
    CHECK_INT(unpack(&blob, dirs.root, good, &result, &err), 0);
    CHECK_STR(result.diff_id, tar_digest);
    CHECK_STR(result.digest, blob_digest);
    CHECK_INT(result.kind, STREAM_GZIP);
    CHECK_INT(result.tar_size, tar.length);
    CHECK_INT(result.tree.content_size, 4);
    extract_result_done(&result.tree);
    struct unpack_request bad = good;
    bad.digest = tar_digest;
    CHECK_INT(unpack(&blob, dirs.root, bad, &result, &err), -1);
    CHECK(str_starts(err.text, "digest mismatch: expected sha256:"));
    bad = good;
    bad.diff_id = blob_digest;
    CHECK_INT(unpack(&blob, dirs.root, bad, &result, &err), -1);
    CHECK(str_starts(err.text, "diffID mismatch: expected sha256:"));
    bad = good;
    bad.size = 7;
    CHECK_INT(unpack(&blob, dirs.root, bad, &result, &err), -1);
    CHECK(str_starts(err.text, "size mismatch: expected 7 bytes"));
}

/* ---- packing ---- */

static void pack_tree(int dir_fd, char *const *opaque, struct pack_result *ret)
{
    struct pack_source source = { .dir_fd = dir_fd, .opaque = opaque, .recipe_fd = -1 };
    struct err err = { 0 };
    uint64_t size = 0;
    CHECK_INT(pack_layer(&source, PACK_NONE, -1, ret, &err), 0);
    CHECK_INT(pack_tar_size(&source, &size, &err), 0);
    CHECK_INT(size, ret->tar_size);
}

/* The diff id of a small tree, for ever: see TAR_CANONICAL_VERSION. */
TEST(canonical_tar_of_a_tree)
{
    AUTO_DIRS struct place_dirs dirs;
    struct extract_result result;
    struct pack_result packed;
    struct err err = { 0 };
    dirs_open(&dirs);
    if (!is_root())
        return;
    const struct made entries[] = {
        { TAR_DIR, "usr", .mode = 0755 }, { TAR_DIR, "usr/bin" }, { TAR_FILE, "usr/bin/tool", "#!/bin/sh\n", 04755 },
        { TAR_HARDLINK, "usr/bin/alias", "usr/bin/tool" }, { TAR_SYMLINK, "bin", "usr/bin" }, { TAR_FILE, "usr/.wh.old" },
        { TAR_DIR, "etc", .mode = 01777 }, { TAR_FILE, "etc/.wh..wh..opq" }, { TAR_FIFO, "etc/pipe", .mode = 0600 },
        { TAR_CHAR, "etc/null", .mode = 0666, .major = 1, .minor = 3 }, { TAR_FILE, "a", "" }, { TAR_FILE, "Z", "zed" },
    };
    CHECK_INT(extract_as_layer(entries, ARRAY_SIZE(entries), dirs.root, &result, &err), 0);
    pack_tree(dirs.root, result.opaque, &packed);
    CHECK_STR(packed.diff_id, GOLDEN_DIFF_ID);
    CHECK_INT(packed.tar_size, GOLDEN_SIZE);
    extract_result_done(&result);
}

TEST(pack_and_unpack_again)
{
    static const enum pack_compression compressions[] = { PACK_NONE, PACK_GZIP, PACK_ZSTD };
    static const enum stream_kind kinds[] = { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD };
    AUTO_DIRS struct place_dirs dirs;
    struct err err = { 0 };
    dirs_open(&dirs);
    AUTO_FREE char *big = xcalloc(1, 300001);
    memset(big, 'b', 300000);
    const struct made entries[] = { { TAR_DIR, "d" }, { TAR_FILE, "d/big", big }, { TAR_SYMLINK, "l", "d/big" }, { TAR_HARDLINK, "z", "d/big" } };
    CHECK_INT(extract_plain(entries, ARRAY_SIZE(entries), dirs.root, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
        struct pack_source source = { .dir_fd = dirs.root, .recipe_fd = -1 };
        struct pack_result packed, again;
        struct unpack_result unpacked;
        AUTO_FREE char *name = str_format("again%zu", i);
        AUTO_FD int file = openat(dirs.top, "packed", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        AUTO_FD int other = path_mkdir_open_at(dirs.top, name, 0755);
        CHECK_INT(pack_layer(&source, compressions[i], file, &packed, &err), 0);
        CHECK_INT(lseek(file, 0, SEEK_SET), 0);
        int from = file;
        struct unpack_request request = { .from = { reader_fd, &from }, .dir_fd = other, .digest = packed.digest, .diff_id = packed.diff_id,
                                          .size = packed.size, .keep_fd = -1, .recipe_fd = -1, .layer = true };
        CHECK_INT(unpack_layer(&request, &unpacked, &err), 0);
        CHECK_INT(unpacked.kind, kinds[i]);
        CHECK_INT(unpacked.tree.content_size, packed.content_size);
        extract_result_done(&unpacked.tree);
        pack_tree(other, NULL, &again);
        CHECK_STR(again.diff_id, packed.diff_id);
    }
}

/* A tar of another maker: its bytes come back from the tree and the recipe. */
TEST(recipes)
{
    AUTO_DIRS struct place_dirs dirs;
    AUTO_BUF struct buf tar = BUF_INIT(1 << 20);
    struct unpack_result result;
    struct pack_result packed;
    struct err err = { 0 };
    dirs_open(&dirs);
    const struct made entries[] = { { TAR_FILE, "./z", "unsorted" }, { TAR_FILE, "./a", "" }, { TAR_DIR, "./d//" }, { TAR_FILE, "d/f", "text" } };
    make_tar(&tar, entries, ARRAY_SIZE(entries));
    buf_append(&tar, "trailing", 8);
    AUTO_FD int recipe = openat(dirs.top, "recipe", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(unpack(&tar, dirs.root, (struct unpack_request){ .recipe_fd = recipe, .layer = true }, &result, &err), 0);
    CHECK(result.has_recipe);
    struct pack_source source = { .dir_fd = dirs.root, .recipe_fd = recipe };
    CHECK_INT(pack_layer(&source, PACK_NONE, -1, &packed, &err), 0);
    CHECK_STR(packed.diff_id, result.diff_id);
    CHECK_INT(packed.tar_size, tar.length);
    extract_result_done(&result.tree);
    /* a file that changed since is found out */
    CHECK_INT(io_replace_file_at(dirs.root, "z", "longer than it was", 18, 0644, false), 0);
    CHECK_INT(pack_layer(&source, PACK_NONE, -1, &packed, &err), -1);
    CHECK(strstr(err.text, "is not what was unpacked"));
    const struct made twice[] = { { TAR_FILE, "t", "first" }, { TAR_FILE, "t", "second" } };
    AUTO_BUF struct buf again = BUF_INIT(1 << 20);
    make_tar(&again, twice, 2);
    AUTO_FD int other = openat(dirs.top, "recipe2", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(unpack(&again, dirs.root, (struct unpack_request){ .recipe_fd = other, .layer = true }, &result, &err), 0);
    CHECK(!result.has_recipe);
    extract_result_done(&result.tree);
}

/* ---- copies and changes ---- */

TEST(copies)
{
    AUTO_DIRS struct place_dirs dirs;
    struct err err = { 0 };
    struct pack_result before, after;
    dirs_open(&dirs);
    const struct made entries[] = { { TAR_DIR, "d", .mode = 0711 }, { TAR_FILE, "d/f", "text", 04711 }, { TAR_HARDLINK, "h", "d/f" },
                                    { TAR_SYMLINK, "l", "/etc/passwd" }, { TAR_FIFO, "p", .mode = 0622 } };
    CHECK_INT(extract_plain(entries, ARRAY_SIZE(entries), dirs.root, &err), 0);
    AUTO_FD int copy = path_mkdir_open_at(dirs.top, "copy", 0755);
    struct copy_options options = { .keep_marks = true };
    CHECK_INT(copy_tree(dirs.root, copy, &options, &err), 0);
    CHECK_INT(options.content_size, 4 + 11);
    CHECK_INT(options.entries, 5);
    pack_tree(dirs.root, NULL, &before);
    pack_tree(copy, NULL, &after);
    CHECK_STR(after.diff_id, before.diff_id);
    CHECK_INT(before.content_size, options.content_size);
}

TEST(changes)
{
    AUTO_DIRS struct place_dirs dirs;
    struct extract_result result;
    struct err err = { 0 };
    dirs_open(&dirs);
    if (!is_root())
        return;
    AUTO_FD int lower = path_mkdir_open_at(dirs.top, "lower", 0755);
    const struct made below[] = { { TAR_DIR, "a" }, { TAR_FILE, "a/same", "1" }, { TAR_FILE, "a/new", "1" }, { TAR_FILE, "a/gone", "1" },
                                  { TAR_DIR, "b/c" }, { TAR_FILE, "b/c/x", "1" }, { TAR_DIR, "o" }, { TAR_FILE, "o/old", "1" },
                                  { TAR_DIR, "mode" }, { TAR_SYMLINK, "turned", "x" } };
    const struct made above[] = { { TAR_DIR, "a" }, { TAR_FILE, "a/same", "1" }, { TAR_FILE, "a/new", "other" }, { TAR_FILE, "a/.wh.gone" },
                                  { TAR_DIR, "b" }, { TAR_DIR, "b/c" }, { TAR_FILE, "b/c/added", "1" }, { TAR_DIR, "o" },
                                  { TAR_FILE, "o/.wh..wh..opq" }, { TAR_FILE, "o/fresh", "1" }, { TAR_DIR, "mode", .mode = 0700 },
                                  { TAR_DIR, "turned" }, { TAR_DIR, "added" }, { TAR_FILE, "added/y", "1" }, { TAR_FILE, ".wh.never" } };
    CHECK_INT(extract_plain(below, ARRAY_SIZE(below), lower, &err), 0);
    CHECK_INT(extract_as_layer(above, ARRAY_SIZE(above), dirs.root, &result, &err), 0);
    struct change_list list;
    CHECK_INT(changes_find(dirs.root, lower, result.opaque, &list, &err), 0);
    AUTO_BUF struct buf text = BUF_INIT(1 << 16);
    for (size_t i = 0; i < list.count; i++)
        buf_printf(&text, "%c%s ", "CAD"[list.items[i].kind], list.items[i].path);
    CHECK_STR(text.data, "C/a D/a/gone C/a/new A/added A/added/y C/b C/b/c A/b/c/added C/mode C/o A/o/fresh D/o/old C/turned ");
    change_list_done(&list);
    extract_result_done(&result);
}

TESTS(T(broken_streams), T(bombs), T(huge_sparse_file), T(digests), T(canonical_tar_of_a_tree),
      T(pack_and_unpack_again), T(recipes), T(copies), T(changes))
