/* File: magic, tar size (both plain, 16 bytes), then one zstd frame of records:
 *   'L' u32 length, bytes          literal tar bytes
 *   'F' u64 size, u16 length, path the data of a file of the tree */
#include "lib/unpack/recipe.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define RECIPE_MAGIC "holkrcp1"
#define PIECE_MAX ((size_t)64 << 10)
#define PATH_LIMIT 4096

struct recipe_header {
    char magic[8];
    uint64_t tar_size;
};

struct recipe_writer {
    int fd;
    ZSTD_CCtx *zstd;
    struct buf literal; /* joined until a file comes or it is large */
    bool spoiled;
    struct err failure;
    unsigned char out[PIECE_MAX];
};

struct recipe_writer *recipe_writer_new(int fd)
{
    struct recipe_writer *writer = xcalloc(1, sizeof *writer);
    const struct recipe_header header = { .tar_size = 0 };
    writer->fd = fd;
    writer->zstd = ZSTD_createCCtx();
    writer->literal = (struct buf)BUF_INIT(4 * PIECE_MAX);
    ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, 1);
    int r = io_write_all(fd, &header, sizeof header);
    if (r < 0)
        err_sys(&writer->failure, r, "write a recipe");
    return writer;
}

void recipe_writer_free(struct recipe_writer *writer)
{
    if (!writer)
        return;
    ZSTD_freeCCtx(writer->zstd);
    buf_done(&writer->literal);
    free(writer);
}

static void compress(struct recipe_writer *writer, const void *bytes, size_t length, bool end)
{
    ZSTD_inBuffer in = { bytes, length, 0 };
    size_t left = 1;
    while (writer->failure.kind == ERR_NONE && (in.pos < in.size || (end && left))) {
        ZSTD_outBuffer out = { writer->out, sizeof writer->out, 0 };
        left = ZSTD_compressStream2(writer->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        int r = ZSTD_isError(left) ? -EIO : io_write_all(writer->fd, writer->out, out.pos);
        if (r < 0)
            err_sys(&writer->failure, r, "write a recipe");
    }
}

static void flush_literal(struct recipe_writer *writer)
{
    unsigned char head[5] = { 'L' };
    uint32_t length = (uint32_t)writer->literal.length;
    if (!length)
        return;
    memcpy(head + 1, &length, sizeof length);
    compress(writer, head, sizeof head, false);
    compress(writer, writer->literal.data, length, false);
    buf_clear(&writer->literal);
}

void recipe_literal(void *arg, const void *bytes, size_t length)
{
    struct recipe_writer *writer = arg;
    const char *from = bytes;
    while (length > 0 && !writer->spoiled) {
        size_t n = MIN(length, PIECE_MAX);
        if (writer->literal.length + n > PIECE_MAX)
            flush_literal(writer);
        buf_append(&writer->literal, from, n);
        from += n;
        length -= n;
    }
}

void recipe_file(struct recipe_writer *writer, const char *path, uint64_t size)
{
    unsigned char head[11] = { 'F' };
    uint16_t length = (uint16_t)strlen(path); /* paths end at 4095 */
    if (writer->spoiled)
        return;
    flush_literal(writer);
    memcpy(head + 1, &size, sizeof size);
    memcpy(head + 9, &length, sizeof length);
    compress(writer, head, sizeof head, false);
    compress(writer, path, length, false);
}

void recipe_spoil(struct recipe_writer *writer)
{
    writer->spoiled = true;
}

int recipe_writer_end(struct recipe_writer *writer, uint64_t tar_size, struct err *err)
{
    struct recipe_header header = { .tar_size = tar_size };
    memcpy(header.magic, RECIPE_MAGIC, sizeof header.magic);
    if (writer->spoiled)
        return 0;
    flush_literal(writer);
    compress(writer, NULL, 0, true);
    if (writer->failure.kind != ERR_NONE) {
        *err = writer->failure;
        return -1;
    }
    if (pwrite(writer->fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return err_sys(err, errno, "write a recipe");
    return 1;
}

struct recipe {
    int recipe_fd, dir_fd, file_fd;
    ZSTD_DCtx *zstd;
    struct recipe_header header;
    uint64_t left; /* of the current record */
    size_t in_used, in_length;
    bool ended;
    unsigned char in[PIECE_MAX];
    char path[PATH_LIMIT];
};

int recipe_open(int recipe_fd, int dir_fd, struct recipe **ret, struct err *err)
{
    struct recipe *recipe = xcalloc(1, sizeof *recipe);
    recipe->recipe_fd = recipe_fd;
    recipe->dir_fd = dir_fd;
    recipe->file_fd = -1;
    recipe->zstd = ZSTD_createDCtx();
    if (lseek(recipe_fd, 0, SEEK_SET) < 0 || io_read_full(recipe_fd, &recipe->header, sizeof recipe->header) != sizeof recipe->header ||
        memcmp(recipe->header.magic, RECIPE_MAGIC, sizeof recipe->header.magic) != 0) {
        recipe_close(recipe);
        return err_set(err, ERR_INTERNAL, "a layer's recipe is damaged");
    }
    *ret = recipe;
    return 0;
}

void recipe_close(struct recipe *recipe)
{
    if (!recipe)
        return;
    fd_close(recipe->file_fd);
    ZSTD_freeDCtx(recipe->zstd);
    free(recipe);
}

uint64_t recipe_tar_size(const struct recipe *recipe)
{
    return recipe->header.tar_size;
}

/* Bytes of the records; short only at their end. */
static ssize_t plain(struct recipe *recipe, void *bytes, size_t size, struct err *err)
{
    ZSTD_outBuffer out = { bytes, size, 0 };
    while (out.pos < size && !recipe->ended) {
        if (recipe->in_used == recipe->in_length) {
            ssize_t n = io_read_full(recipe->recipe_fd, recipe->in, sizeof recipe->in);
            if (n < 0)
                return err_sys(err, (int)n, "read a recipe");
            recipe->in_used = 0;
            recipe->in_length = (size_t)n;
        }
        bool last = recipe->in_length == 0;
        ZSTD_inBuffer in = { recipe->in, recipe->in_length, recipe->in_used };
        size_t before = out.pos, r = ZSTD_decompressStream(recipe->zstd, &out, &in);
        recipe->in_used = in.pos;
        recipe->ended = r == 0;
        if (ZSTD_isError(r) || (last && r != 0 && out.pos == before))
            return err_set(err, ERR_INTERNAL, "a layer's recipe is damaged");
    }
    return (ssize_t)out.pos;
}

static int whole(struct recipe *recipe, void *bytes, size_t size, struct err *err)
{
    ssize_t n = plain(recipe, bytes, size, err);
    if (n < 0)
        return -1;
    return (size_t)n == size ? 0 : err_set(err, ERR_INTERNAL, "a layer's recipe is damaged");
}

static int open_file(struct recipe *recipe, struct err *err)
{
    uint16_t length;
    struct stat st;
    if (whole(recipe, &recipe->left, sizeof recipe->left, err) < 0 || whole(recipe, &length, sizeof length, err) < 0)
        return -1;
    if (length >= sizeof recipe->path)
        return err_set(err, ERR_INTERNAL, "a layer's recipe is damaged");
    if (whole(recipe, recipe->path, length, err) < 0)
        return -1;
    recipe->path[length] = '\0';
    recipe->file_fd = root_open(recipe->dir_fd, recipe->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (recipe->file_fd < 0)
        return err_sys(err, recipe->file_fd, "open /%s of the layer", recipe->path);
    if (fstat(recipe->file_fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != recipe->left)
        return err_set(err, ERR_INTERNAL, "/%s of the layer is not what was unpacked", recipe->path);
    return 0;
}

/* 1 a record is open, 0 the end */
static int next_record(struct recipe *recipe, struct err *err)
{
    unsigned char tag;
    uint32_t length;
    ssize_t n = plain(recipe, &tag, 1, err);
    if (n <= 0)
        return (int)n;
    if (tag == 'F')
        return open_file(recipe, err) < 0 ? -1 : 1;
    if (tag != 'L' || whole(recipe, &length, sizeof length, err) < 0)
        return err_set(err, ERR_INTERNAL, "a layer's recipe is damaged");
    recipe->left = length;
    return 1;
}

static ssize_t read_file(struct recipe *recipe, void *bytes, size_t size, struct err *err)
{
    ssize_t n;
    do {
        n = read(recipe->file_fd, bytes, (size_t)MIN((uint64_t)size, recipe->left));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, errno, "read /%s of the layer", recipe->path);
    return n ? n : err_set(err, ERR_INTERNAL, "/%s of the layer is not what was unpacked", recipe->path);
}

ssize_t recipe_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct recipe *recipe = arg;
    while (recipe->left == 0) {
        fd_close(recipe->file_fd);
        recipe->file_fd = -1;
        int more = next_record(recipe, err);
        if (more <= 0)
            return more;
    }
    ssize_t n = recipe->file_fd >= 0 ? read_file(recipe, bytes, size, err) :
                                       plain(recipe, bytes, (size_t)MIN((uint64_t)size, recipe->left), err);
    if (n > 0)
        recipe->left -= (uint64_t)n;
    return n == 0 ? err_set(err, ERR_INTERNAL, "a layer's recipe is damaged") : n;
}
