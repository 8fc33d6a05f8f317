#include "daemon/worker/save.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/archive/tar.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/oci/digest.h"
#include "lib/unpack/inflate.h"
#include "lib/unpack/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)256 << 10)
#define PIPE_SIZE (1 << 20)
#define FILES_WANTED 8192
#define LAYOUT "{\"imageLayoutVersion\": \"1.0.0\"}"

const struct save_layer *save_find_layer(const struct save *save, const char *diff_id)
{
    for (size_t i = 0; i < save->layer_count; i++)
        if (str_eq(save->layers[i].diff_id, diff_id))
            return &save->layers[i];
    return NULL;
}

static void save_done(struct save *save)
{
    for (size_t i = 0; i < save->layer_count; i++) {
        fd_close(save->layers[i].fd);
        fd_close(save->layers[i].recipe_fd);
        strv_free(save->layers[i].opaque);
    }
    for (size_t i = 0; i < save->document_count; i++)
        free(save->documents[i].owned);
    free(save->layers);
    free(save->documents);
}

/* ---- before the sandbox closes ---- */

static int open_layer(const struct job_message *run, const struct job_save *params, size_t index, struct save_layer *layer, struct err *err)
{
    const char *path = index < strv_length(params->layer_dirs) ? params->layer_dirs[index] : NULL;
    const char *recipe = index < strv_length(params->layer_recipes) ? params->layer_recipes[index] : NULL;
    struct stat st;
    if (path)
        layer->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    else if (worker_fd(run, 1 + index, err) >= 0)
        layer->fd = fd_dup(run->fds[1 + index]);
    else
        return -1;
    if (layer->fd < 0 || fstat(layer->fd, &st) < 0)
        return err_sys(err, errno, "open layer %s", layer->diff_id);
    layer->is_blob = S_ISREG(st.st_mode);
    if (!S_ISDIR(st.st_mode) && !layer->is_blob)
        return err_set(err, ERR_INTERNAL, "layer %s is neither a tree nor a blob", layer->diff_id);
    if (layer->is_blob)
        return 0;
    if (!str_empty(recipe))
        layer->recipe_fd = open(recipe, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (!str_empty(recipe) && layer->recipe_fd < 0)
        return err_sys(err, errno, "open the recipe of layer %s", layer->diff_id);
    return layer->recipe_fd >= 0 ? 0 : opaque_find(layer->fd, &layer->opaque, err);
}

static int open_layers(struct save *save, const struct job_message *run, struct err *err)
{
    struct rlimit files;
    char **ids = save->params->layer_diff_ids;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES_WANTED);
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    save->layers = xcalloc(strv_length(ids) + 1, sizeof *save->layers);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct save_layer *layer = &save->layers[save->layer_count++];
        *layer = (struct save_layer){ .diff_id = ids[i], .fd = -1, .recipe_fd = -1 };
        if (!digest_is_sha256(ids[i]))
            return err_set(err, ERR_INTERNAL, "invalid layer id %s", ids[i]);
        if (open_layer(run, save->params, i, layer, err) < 0)
            return -1;
    }
    return 0;
}

static int seal(struct worker *worker, const struct save *save, struct err *err)
{
    int *dirs = xcalloc(save->layer_count + 1, sizeof *dirs);
    size_t count = 0;
    for (size_t i = 0; i < save->layer_count; i++)
        if (!save->layers[i].is_blob)
            dirs[count++] = save->layers[i].fd;
    int r = worker_seal(worker, dirs, count, err);
    free(dirs);
    return r;
}

/* ---- layers as plain tars ---- */

static int inflate_blob(const struct save_layer *layer, struct writer to, struct err *err)
{
    struct inflater *inflater = NULL;
    int fd = layer->fd;
    ssize_t n;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, errno, "read the blob of layer %s", layer->diff_id);
    if (inflater_open((struct reader){ reader_fd, &fd }, false, &inflater, err) < 0)
        return -1;
    unsigned char *piece = xmalloc(PIECE_SIZE);
    while ((n = inflater_read(inflater, piece, PIECE_SIZE, err)) > 0) {
        if (to.write(to.arg, piece, (size_t)n, err) < 0) {
            n = -1;
            break;
        }
    }
    free(piece);
    inflater_close(inflater);
    return n < 0 ? -1 : 0;
}

static int count_bytes(void *arg, const void *bytes, size_t length, struct err *err)
{
    uint64_t *total = arg;
    *total += length;
    return 0;
}

static int measure_layer(struct save_layer *layer, struct err *err)
{
    struct pack_source source = { .dir_fd = layer->fd, .opaque = layer->opaque, .recipe_fd = layer->recipe_fd };
    if (layer->is_blob)
        return inflate_blob(layer, (struct writer){ count_bytes, &layer->size }, err);
    return pack_tar_size(&source, &layer->size, err);
}

/* An entry's data on its way into the archive, hashed. */
struct entry_writer {
    struct tar_writer *tar;
    struct hash hash;
    uint64_t left;
};

static int put_entry_data(void *arg, const void *bytes, size_t length, struct err *err)
{
    struct entry_writer *entry = arg;
    if (length > entry->left)
        return err_set(err, ERR_INTERNAL, "it became larger while it was read");
    entry->left -= length;
    hash_add(&entry->hash, bytes, length);
    return tar_writer_data(entry->tar, bytes, length, err);
}

static int write_layer(struct tar_writer *tar, const struct save_layer *layer, struct err *err)
{
    char got[HASH_TEXT_SIZE];
    struct entry_writer entry = { .tar = tar, .left = layer->size };
    struct pack_source source = { .dir_fd = layer->fd, .opaque = layer->opaque, .recipe_fd = layer->recipe_fd };
    struct writer to = { put_entry_data, &entry };
    hash_init(&entry.hash);
    int r = layer->is_blob ? inflate_blob(layer, to, err) : pack_tar(&source, to, NULL, err);
    if (r == 0) {
        hash_text(&entry.hash, got);
        if (entry.left || !str_eq(got, layer->diff_id))
            r = err_set(err, ERR_INTERNAL, "it has changed on disk: its bytes are %s", got);
    }
    hash_done(&entry.hash);
    return r < 0 && err->kind != ERR_CANCELLED ? err_wrap(err, "save layer %s", layer->diff_id) : r;
}

/* ---- the archive ---- */

static int begin_file(struct tar_writer *tar, const char *path, uint64_t size, struct err *err)
{
    AUTO_FREE char *name = xstrdup(path);
    const struct tar_entry entry = { .type = TAR_FILE, .path = name, .mode = 0644, .size = size };
    return tar_writer_entry(tar, &entry, err);
}

static int write_text(struct tar_writer *tar, const char *path, const char *text, size_t length, struct err *err)
{
    return begin_file(tar, path, length, err) < 0 ? -1 : tar_writer_data(tar, text, length, err);
}

static int write_dir(struct tar_writer *tar, const char *path, struct err *err)
{
    AUTO_FREE char *name = xstrdup(path);
    const struct tar_entry entry = { .type = TAR_DIR, .path = name, .mode = 0755 };
    return tar_writer_entry(tar, &entry, err);
}

struct blob { /* one of the two */
    const char *digest;
    const struct save_layer *layer;
    const struct save_document *document;
};

static int compare_blobs(const void *a, const void *b)
{
    const struct blob *first = a, *second = b;
    return strcmp(first->digest, second->digest);
}

static int write_blob(struct tar_writer *tar, const struct blob *blob, struct err *err)
{
    AUTO_FREE char *path = str_format("blobs/sha256/%s", digest_hex(blob->digest));
    if (blob->document)
        return write_text(tar, path, blob->document->text, blob->document->length, err);
    return begin_file(tar, path, blob->layer->size, err) < 0 ? -1 : write_layer(tar, blob->layer, err);
}

/* Sorted by digest, each once. */
static int write_blobs(struct tar_writer *tar, const struct save *save, struct err *err)
{
    size_t count = 0;
    struct blob *blobs = xcalloc(save->layer_count + save->document_count + 1, sizeof *blobs);
    for (size_t i = 0; i < save->layer_count; i++)
        blobs[count++] = (struct blob){ .digest = save->layers[i].diff_id, .layer = &save->layers[i] };
    for (size_t i = 0; i < save->document_count; i++)
        blobs[count++] = (struct blob){ .digest = save->documents[i].digest, .document = &save->documents[i] };
    qsort(blobs, count, sizeof *blobs, compare_blobs);
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++)
        if (i == 0 || !str_eq(blobs[i].digest, blobs[i - 1].digest))
            r = write_blob(tar, &blobs[i], err);
    free(blobs);
    return r;
}

static int write_index(struct tar_writer *tar, const struct save *save, struct err *err)
{
    struct save_index text = { BUF_INIT(SAVE_TEXT_MAX), BUF_INIT(SAVE_TEXT_MAX), BUF_INIT(SAVE_TEXT_MAX) };
    save_make_index(save, &text);
    int r = buf_failed(&text.index) || buf_failed(&text.manifest) || buf_failed(&text.repositories) ?
                err_set(err, ERR_INTERNAL, "the archive's index is too large") : 0;
    if (r == 0)
        r = write_text(tar, "index.json", text.index.data, text.index.length, err);
    if (r == 0)
        r = write_text(tar, "manifest.json", text.manifest.data, text.manifest.length, err);
    if (r == 0)
        r = write_text(tar, "oci-layout", LAYOUT, strlen(LAYOUT), err);
    if (r == 0 && text.repositories.length)
        r = write_text(tar, "repositories", text.repositories.data, text.repositories.length, err);
    buf_done(&text.index);
    buf_done(&text.manifest);
    buf_done(&text.repositories);
    return r;
}

static int write_archive(const struct save *save, int out_fd, struct err *err)
{
    (void)fcntl(out_fd, F_SETPIPE_SZ, PIPE_SIZE);
    struct tar_writer *tar = tar_writer_new((struct writer){ writer_fd, &out_fd });
    int r = write_dir(tar, "blobs", err);
    if (r == 0)
        r = write_dir(tar, "blobs/sha256", err);
    if (r == 0)
        r = write_blobs(tar, save, err);
    if (r == 0)
        r = write_index(tar, save, err);
    if (r == 0)
        r = tar_writer_end(tar, err);
    tar_writer_free(tar);
    return r;
}

static int save_images(struct worker *worker, const struct job_message *run, const struct job_save *params, struct err *err)
{
    __attribute__((cleanup(save_done))) struct save save = { .params = params };
    int out_fd = worker_fd(run, 0, err);
    if (out_fd < 0 || open_layers(&save, run, err) < 0 || seal(worker, &save, err) < 0)
        return -1;
    for (size_t i = 0; i < save.layer_count; i++)
        if (measure_layer(&save.layers[i], err) < 0)
            return err_wrap(err, "save layer %s", save.layers[i].diff_id);
    if (save_make_documents(&save, err) < 0 || write_archive(&save, out_fd, err) < 0)
        return -1;
    return worker_done(worker, NULL, NULL, err);
}

int kind_save(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_save params;
    if (job_decode(run, &job_save_type, &params, err) < 0)
        return -1;
    int r = save_images(worker, run, &params, err);
    codec_clear(&job_save_type, &params);
    return r;
}
