/* unpack, import, pack, commit-layer, copyup: bytes to tree, tree to bytes, tree to tree. */
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/oci/image.h"
#include "lib/unpack/copytree.h"
#include "lib/unpack/pack.h"
#include "lib/unpack/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct progress {
    struct worker *worker;
    int64_t total;
};

static void on_progress(void *arg, uint64_t bytes)
{
    const struct progress *progress = arg;
    struct err ignored = { 0 };
    char empty[] = "", status[] = "Extracting";
    struct job_progress line = { .id = empty, .status = status, .stream = empty, .current = (int64_t)bytes, .total = progress->total };
    (void)worker_progress(progress->worker, &line, &ignored);
}

/* What a media type promises must be what the bytes are. */
static int check_media(const char *media_type, enum stream_kind kind, struct err *err)
{
    if (str_empty(media_type) || media_kind_of(media_type) == MEDIA_OTHER)
        return 0;
    enum media_compression said = media_compression_of(media_type);
    enum media_compression is = kind == STREAM_GZIP ? COMPRESSION_GZIP : kind == STREAM_ZSTD ? COMPRESSION_ZSTD : COMPRESSION_NONE;
    if (said == is)
        return 0;
    return err_set(err, ERR_INVALID, "the layer is %s, but its media type is %s", stream_kind_name(kind), media_type);
}

static int send_unpacked(struct worker *worker, struct unpack_result *result, struct err *err)
{
    struct job_unpack_result answer = {
        .digest = result->digest, .diff_id = result->diff_id, .size = (int64_t)result->tree.content_size,
        .tar_size = (int64_t)result->tar_size, .entries = (int64_t)result->tree.entries, .opaque = result->tree.opaque,
        .has_recipe = result->has_recipe,
    };
    int r = worker_done(worker, &job_unpack_result_type, &answer, err);
    extract_result_done(&result->tree);
    return r;
}

static int unpack_with(struct worker *worker, const struct job_message *run, const struct job_unpack *params, bool foreign, struct err *err)
{
    struct progress progress = { worker, params->size };
    struct unpack_result result;
    int blob_fd = worker_fd(run, 0, err), dir_fd = worker_fd(run, 1, err);
    if (blob_fd < 0 || dir_fd < 0)
        return -1;
    struct unpack_request request = {
        .from = { reader_fd, &blob_fd }, .dir_fd = dir_fd, .digest = params->digest, .diff_id = params->diff_id,
        .size = (uint64_t)params->size, .keep_fd = -1, .recipe_fd = run->fd_count > 2 ? run->fds[2] : -1, .foreign = foreign, .layer = true, .on_progress = on_progress, .arg = &progress,
    };
    if (unpack_layer(&request, &result, err) < 0)
        return -1;
    if (check_media(params->media_type, result.kind, err) < 0) {
        extract_result_done(&result.tree);
        return -1;
    }
    return send_unpacked(worker, &result, err);
}

int kind_unpack(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_unpack params;
    if (job_decode(run, &job_unpack_type, &params, err) < 0)
        return -1;
    int r = unpack_with(worker, run, &params, false, err);
    codec_clear(&job_unpack_type, &params);
    return r;
}

int kind_import(struct worker *worker, const struct job_message *run, struct err *err)
{
    const struct job_unpack params = { .size = 0 };
    return unpack_with(worker, run, &params, true, err);
}

static int compression_of(const char *name, enum pack_compression *ret, struct err *err)
{
    static const struct {
        const char *name;
        enum pack_compression compression;
    } names[] = { { "none", PACK_NONE }, { "gzip", PACK_GZIP }, { "zstd", PACK_ZSTD } };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_eq(names[i].name, str_empty(name) ? "none" : name)) {
            *ret = names[i].compression;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "unknown compression %s", name);
}

static int pack_with(struct worker *worker, const struct job_message *run, const struct job_pack *params, struct err *err)
{
    enum pack_compression compression = PACK_NONE;
    struct pack_result result;
    CLEANUP(strv_free) char **opaque = NULL;
    int dir_fd = worker_fd(run, 0, err), out_fd = params->hash_only ? -1 : worker_fd(run, 1, err);
    int recipe_fd = params->has_recipe ? worker_fd(run, params->hash_only ? 1 : 2, err) : -1;
    if (params->has_recipe && recipe_fd < 0)
        return -1;
    if (dir_fd < 0 || (!params->hash_only && out_fd < 0) || compression_of(params->compression, &compression, err) < 0)
        return -1;
    if ((recipe_fd < 0 && opaque_find(dir_fd, &opaque, err) < 0) || worker_seal(worker, &dir_fd, 1, err) < 0)
        return -1;
    struct pack_source source = { .dir_fd = dir_fd, .opaque = opaque, .recipe_fd = recipe_fd };
    if (pack_layer(&source, compression, out_fd, &result, err) < 0)
        return err_wrap(err, "pack the layer");
    struct job_pack_result answer = {
        .digest = result.digest, .diff_id = result.diff_id, .size = (int64_t)result.size, .tar_size = (int64_t)result.tar_size,
        .content_size = (int64_t)result.content_size,
    };
    return worker_done(worker, &job_pack_result_type, &answer, err);
}

int kind_pack(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_pack params;
    if (job_decode(run, &job_pack_type, &params, err) < 0)
        return -1;
    int r = pack_with(worker, run, &params, err);
    codec_clear(&job_pack_type, &params);
    return r;
}

int kind_commit_layer(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct copy_options copy = { .keep_marks = true, .living = true };
    struct pack_result packed;
    CLEANUP(strv_free) char **opaque = NULL;
    int fds[2] = { worker_fd(run, 0, err), worker_fd(run, 1, err) };
    char none[] = "";
    if (fds[0] < 0 || fds[1] < 0)
        return -1;
    if (opaque_find(fds[0], &opaque, err) < 0 || worker_seal(worker, fds, 2, err) < 0)
        return -1;
    struct pack_source source = { .dir_fd = fds[1], .opaque = opaque, .recipe_fd = -1 };
    if (copy_tree(fds[0], fds[1], &copy, err) < 0 || pack_layer(&source, PACK_NONE, -1, &packed, err) < 0)
        return err_wrap(err, "commit the layer");
    struct job_unpack_result answer = {
        .digest = none, .diff_id = packed.diff_id, .size = (int64_t)packed.content_size, .tar_size = (int64_t)packed.tar_size,
        .entries = (int64_t)copy.entries, .opaque = opaque,
    };
    return worker_done(worker, &job_unpack_result_type, &answer, err);
}

static int is_empty_dir(int dir_fd, struct err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int count = 0;
    if (!dir) {
        fd_close(fd);
        return err_sys(err, errno, "read the volume");
    }
    while (count < 3 && readdir(dir))
        count++;
    closedir(dir);
    return count < 3;
}

static int copyup_into(struct worker *worker, const struct job_copyup *params, int volume_fd, struct err *err)
{
    AUTO_FD int root_fd = -1;
    struct copy_options copy = { .keep_marks = false };
    if (worker_mount_tree(&params->root, false, &root_fd, err) < 0)
        return -1;
    AUTO_FD int from_fd = root_open(root_fd, params->path, O_RDONLY | O_DIRECTORY, 0);
    if (from_fd < 0 && from_fd != -ENOENT && from_fd != -ENOTDIR)
        return err_sys(err, from_fd, "open %s in the image", params->path);
    int dirs[2] = { volume_fd, from_fd };
    if (worker_seal(worker, dirs, from_fd < 0 ? 1 : 2, err) < 0)
        return -1;
    int empty = is_empty_dir(volume_fd, err);
    if (empty < 0)
        return -1;
    /* an image without the path, or a volume in use already: nothing to bring */
    if (from_fd >= 0 && empty &&
        (copy_tree(from_fd, volume_fd, &copy, err) < 0 || copy_dir_metadata(from_fd, volume_fd, err) < 0))
        return err_wrap(err, "copy %s into the volume", params->path);
    return worker_done(worker, NULL, NULL, err);
}

int kind_copyup(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_copyup params;
    int volume_fd = worker_fd(run, 0, err);
    if (volume_fd < 0 || job_decode(run, &job_copyup_type, &params, err) < 0)
        return -1;
    int r = copyup_into(worker, &params, volume_fd, err);
    codec_clear(&job_copyup_type, &params);
    return r;
}
