#include "daemon/worker/load.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/oci/digest.h"
#include "lib/oci/image.h"
#include "lib/unpack/inflate.h"
#include "lib/unpack/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_SIZE 512
#define LINK_DEPTH 16

/* The data of the archive's current entry as a stream of its own; its first block has been looked at. */
struct entry_stream {
    struct tar_reader *reader;
    unsigned char head[HEAD_SIZE];
    size_t head_length, head_given;
    const unsigned char *chunk;
    size_t chunk_left;
};

static ssize_t read_entry(void *arg, void *bytes, size_t size, struct err *err)
{
    struct entry_stream *stream = arg;
    uint64_t offset;
    if (stream->head_given < stream->head_length) {
        size_t n = MIN(size, stream->head_length - stream->head_given);
        memcpy(bytes, stream->head + stream->head_given, n);
        stream->head_given += n;
        return (ssize_t)n;
    }
    if (!stream->chunk_left) {
        int more = tar_reader_data(stream->reader, &stream->chunk, &stream->chunk_left, &offset, err);
        if (more <= 0)
            return more;
    }
    size_t n = MIN(size, stream->chunk_left);
    memcpy(bytes, stream->chunk, n);
    stream->chunk += n;
    stream->chunk_left -= n;
    return (ssize_t)n;
}

static int read_head(struct entry_stream *stream, struct err *err)
{
    while (stream->head_length < HEAD_SIZE) {
        uint64_t offset;
        if (!stream->chunk_left) {
            int more = tar_reader_data(stream->reader, &stream->chunk, &stream->chunk_left, &offset, err);
            if (more <= 0)
                return more;
        }
        size_t n = MIN(HEAD_SIZE - stream->head_length, stream->chunk_left);
        memcpy(stream->head + stream->head_length, stream->chunk, n);
        stream->head_length += n;
        stream->chunk += n;
        stream->chunk_left -= n;
    }
    return 0;
}

static void layer_free(struct load_layer *layer)
{
    if (!layer)
        return;
    free(layer->dir);
    free(layer->blob_file);
    free(layer->recipe_file);
    free(layer->failure);
    extract_result_done(&layer->result.tree);
    free(layer);
}

static void item_free(struct load_item *item)
{
    if (!item)
        return;
    free(item->text);
    free(item->link);
    layer_free(item->layer);
    free(item);
}

static void put_item(struct load *load, const char *name, struct load_item *item)
{
    item_free(map_set(load->items, name, item));
}

void load_done(struct load *load)
{
    size_t cursor = 0;
    const char *name;
    void *item;
    while (load->items && map_next(load->items, &cursor, &name, &item))
        item_free(item);
    if (load->items)
        map_free(load->items);
}

const struct load_item *load_find(const struct load *load, const char *name)
{
    AUTO_FREE char *clean = path_clean(*name == '/' ? name + 1 : name);
    const struct load_item *item = map_get(load->items, clean);
    for (int depth = 0; item && item->link; depth++)
        item = depth < LINK_DEPTH ? map_get(load->items, item->link) : NULL;
    return item;
}

/* "sha256:<hex>" when the name says so. */
static const char *digest_of_name(const char *name, char ret[DIGEST_SHA256_TEXT_LENGTH + 1])
{
    const char *hex = str_after(name, "blobs/sha256/");
    return hex && digest_from_hex(hex, ret) ? ret : NULL;
}

static int store_has(struct load *load, const char *diff_id, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    char request[] = "have";
    CLEANUP(strv_free) char **ids = NULL;
    struct job_pull_have have;
    strv_append(&ids, diff_id);
    struct job_load_have ask = { .request = request, .diff_ids = ids };
    if (worker_request(load->worker, &job_load_have_type, &ask, &reply, err) < 0 ||
        job_decode(&reply, &job_pull_have_type, &have, err) < 0)
        return -1;
    bool found = strv_contains(have.have, diff_id);
    codec_clear(&job_pull_have_type, &have);
    return found;
}

struct layer_files {
    int dir_fd, blob_fd, recipe_fd;
};
static void layer_files_done(struct layer_files *files)
{
    fd_close(files->dir_fd);
    fd_close(files->blob_fd);
    fd_close(files->recipe_fd);
}

static int spool_file(const struct load *load, const char *name, int *ret_fd, struct err *err)
{
    *ret_fd = openat(load->spool_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *ret_fd < 0 ? err_sys(err, errno, "create %s in the spool", name) : 0;
}

/* A compressed blob is kept as it is; of a plain tar the recipe is enough. */
static int make_layer_files(struct load *load, struct load_layer *layer, bool compressed, struct layer_files *ret, struct err *err)
{
    if (load->layer_count == LOAD_LAYERS_MAX)
        return err_set(err, ERR_INVALID, "the archive has more than %d layers", LOAD_LAYERS_MAX);
    layer->dir = str_format("%u", load->layer_count++);
    AUTO_FREE char *diff = str_format("%s/diff", layer->dir);
    if (mkdirat(load->spool_fd, layer->dir, 0700) < 0 || mkdirat(load->spool_fd, diff, 0755) < 0)
        return err_sys(err, errno, "create %s in the spool", diff);
    ret->dir_fd = openat(load->spool_fd, diff, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->dir_fd < 0)
        return err_sys(err, errno, "open %s in the spool", diff);
    if (compressed) {
        layer->blob_file = str_format("%s.blob", layer->dir);
        return spool_file(load, layer->blob_file, &ret->blob_fd, err);
    }
    layer->recipe_file = str_format("%s.recipe", layer->dir);
    return spool_file(load, layer->recipe_file, &ret->recipe_fd, err);
}

struct layer_progress {
    struct load *load;
    char id[13];
    int64_t total;
};

static void on_layer_progress(void *arg, uint64_t bytes)
{
    struct layer_progress *progress = arg;
    char status[] = "Loading layer", none[] = "";
    struct job_progress line = { .id = progress->id, .status = status, .stream = none, .current = (int64_t)bytes, .total = progress->total };
    struct err ignored = { 0 };
    (void)worker_progress(progress->load->worker, &line, &ignored);
}

static void give_up_layer(struct load *load, struct load_layer *layer, const struct err *why)
{
    layer->failure = xstrdup(why->text);
    if (layer->dir)
        (void)!path_remove_tree_at(load->spool_fd, layer->dir);
    if (layer->blob_file)
        (void)!unlinkat(load->spool_fd, layer->blob_file, 0);
    if (layer->recipe_file)
        (void)!unlinkat(load->spool_fd, layer->recipe_file, 0);
}

static int unpack_entry(struct load *load, struct entry_stream *stream, struct load_layer *layer, const char *name, uint64_t size, struct err *err)
{
    char digest[DIGEST_SHA256_TEXT_LENGTH + 1];
    const char *expected = digest_of_name(name, digest);
    enum stream_kind kind = stream_kind_of(stream->head, stream->head_length);
    struct layer_progress progress = { .load = load, .total = (int64_t)size };
    __attribute__((cleanup(layer_files_done))) struct layer_files files = { -1, -1, -1 };
    str_copy(progress.id, sizeof progress.id, expected ? expected + 7 : name);
    if (make_layer_files(load, layer, kind != STREAM_PLAIN, &files, err) < 0)
        return -1;
    struct unpack_request request = {
        .from = { read_entry, stream }, .dir_fd = files.dir_fd, .digest = expected, .keep_fd = files.blob_fd, .recipe_fd = files.recipe_fd,
        .layer = true, .on_progress = load->quiet ? NULL : on_layer_progress, .arg = &progress,
    };
    if (unpack_layer(&request, &layer->result, err) < 0)
        return -1;
    layer->media_type = kind == STREAM_GZIP ? MEDIA_OCI_LAYER_GZIP : kind == STREAM_ZSTD ? MEDIA_OCI_LAYER_ZSTD : MEDIA_OCI_LAYER;
    return 0;
}

static int take_layer(struct load *load, struct entry_stream *stream, const char *name, uint64_t size, struct err *err)
{
    char digest[DIGEST_SHA256_TEXT_LENGTH + 1];
    const char *expected = digest_of_name(name, digest);
    struct load_item *item = xcalloc(1, sizeof *item);
    struct err failure = { 0 };
    item->layer = xcalloc(1, sizeof *item->layer);
    put_item(load, name, item);
    if (expected && stream_kind_of(stream->head, stream->head_length) == STREAM_PLAIN) {
        int has = store_has(load, expected, err);
        if (has < 0)
            return -1;
        if (has) {
            str_copy(item->layer->result.diff_id, sizeof item->layer->result.diff_id, expected);
            return 0;
        }
    }
    if (unpack_entry(load, stream, item->layer, name, size, &failure) == 0)
        return 0;
    if (failure.kind == ERR_CANCELLED) {
        *err = failure;
        return -1;
    }
    give_up_layer(load, item->layer, &failure);
    return 0;
}

static int take_text(struct load *load, struct entry_stream *stream, const char *name, uint64_t size, struct err *err)
{
    if (size > LOAD_TEXT_MAX || load->text_bytes + size > LOAD_TEXTS_MAX)
        return 0; /* nothing that an image is made of; wanted after all, it is missing by name */
    struct load_item *item = xcalloc(1, sizeof *item);
    item->text = xmalloc((size_t)size + 1);
    load->text_bytes += size;
    put_item(load, name, item);
    ssize_t n = 1;
    while (item->length < size && (n = read_entry(stream, item->text + item->length, (size_t)size - item->length, err)) > 0)
        item->length += (size_t)n;
    item->text[item->length] = '\0';
    return n < 0 ? -1 : 0;
}

static int take_link(struct load *load, const char *name, const struct tar_entry *entry)
{
    const char *slash = strrchr(name, '/');
    bool relative = entry->type == TAR_SYMLINK && *entry->link != '/';
    AUTO_FREE char *joined = str_format("%.*s%s", relative && slash ? (int)(slash - name + 1) : 0, name, entry->link);
    struct load_item *item = xcalloc(1, sizeof *item);
    item->link = path_clean(*joined == '/' ? joined + 1 : joined);
    put_item(load, name, item);
    return 0;
}

static int take_entry(struct load *load, struct tar_reader *reader, const struct tar_entry *entry, struct err *err)
{
    char name[TAR_PATH_MAX + 1];
    struct entry_stream stream = { .reader = reader };
    if (extract_normalize(entry->path, name, err) < 0)
        return err_wrap(err, "invalid entry \"%.200s\"", entry->path);
    if (entry->type == TAR_SYMLINK || entry->type == TAR_HARDLINK)
        return take_link(load, name, entry);
    if (entry->type != TAR_FILE || entry->sparse)
        return 0;
    if (map_count(load->items) > 100000)
        return err_set(err, ERR_INVALID, "the archive has too many entries for an image archive");
    if (read_head(&stream, err) < 0)
        return -1;
    bool layer = stream_kind_of(stream.head, stream.head_length) != STREAM_PLAIN || tar_looks_like(stream.head, stream.head_length);
    return layer ? take_layer(load, &stream, name, entry->size, err) : take_text(load, &stream, name, entry->size, err);
}

int load_read_archive(struct load *load, int archive_fd, struct err *err)
{
    struct inflater *inflater = NULL;
    struct tar_entry entry;
    load->items = map_new();
    if (inflater_open((struct reader){ reader_fd, &archive_fd }, true, &inflater, err) < 0)
        return -1;
    struct chunk_buffer *buffer = chunk_buffer_new((struct reader){ inflater_read, inflater });
    struct tar_reader *reader = tar_reader_new(chunk_buffer_chunker(buffer));
    int more;
    while ((more = tar_reader_next(reader, &entry, err)) > 0) {
        if (take_entry(load, reader, &entry, err) < 0) {
            more = -1;
            break;
        }
    }
    if (more == 0)
        more = tar_reader_drain(reader, err);
    tar_reader_free(reader);
    chunk_buffer_free(buffer);
    inflater_close(inflater);
    return more;
}
