/* cp-out, cp-in, export: files of a container as a tar, and a tar as files of a container. The root is that of the running container, or is
 * mounted here. Every path is resolved inside it by the kernel; what was looked at is what is read. */
#include "daemon/worker/user_lookup.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/unpack/extract.h"
#include "lib/unpack/inflate.h"
#include "lib/unpack/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 255
#define PIPE_SIZE (1 << 20)
#define GO_MODE(bit) ((int64_t)1 << (bit))

/* Go's os.FileMode of a file: clients test its bits. */
static int64_t go_mode(mode_t mode)
{
    static const struct {
        mode_t kind;
        int64_t bits;
    } kinds[] = {
        { S_IFDIR, GO_MODE(31) },  { S_IFLNK, GO_MODE(27) },  { S_IFBLK, GO_MODE(26) }, { S_IFCHR, GO_MODE(26) | GO_MODE(21) },
        { S_IFIFO, GO_MODE(25) },  { S_IFSOCK, GO_MODE(24) },
    };
    int64_t bits = mode & 0777;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((mode & S_IFMT) == kinds[i].kind)
            bits |= kinds[i].bits;
    return bits | (mode & S_ISUID ? GO_MODE(23) : 0) | (mode & S_ISGID ? GO_MODE(22) : 0) | (mode & S_ISVTX ? GO_MODE(20) : 0);
}

static bool ends_with_dot(const char *path)
{
    return str_eq(path_base(path), ".");
}

/* "a/../b/." -> "/b/.": absolute and clean, but a last slash or dot, which says "what the link points to", stays. */
static char *absolute(const char *path)
{
    AUTO_FREE char *rooted = str_format("/%s", path);
    AUTO_FREE char *clean = path_clean(rooted);
    const char *slash = str_ends(clean, "/") ? "" : "/";
    if (ends_with_dot(path))
        return str_format("%s%s.", clean, slash);
    return str_format("%s%s", clean, str_ends(path, "/") ? slash : "");
}

/* The last name as Go's filepath.Base sees it. */
static char *base_of(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    AUTO_FREE char *cut = xstrndup(path, length);
    return xstrdup(length == 1 && *cut == '/' ? "/" : path_base(cut));
}

static char *read_link(int root_fd, const char *path)
{
    char target[PATH_MAX];
    AUTO_FD int fd = root_open(root_fd, path, O_PATH | O_NOFOLLOW, 0);
    ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof target - 1);
    return n < 0 ? NULL : xstrndup(target, (size_t)n);
}

static void replace(char **slot, char *text)
{
    free(*slot);
    *slot = text;
}

/* Where a link leads in the end, as text; as far as it exists. NULL for a circle. */
static char *follow(int root_fd, const char *path)
{
    AUTO_FREE char *done = xstrdup("/");
    AUTO_FREE char *rest = xstrdup(path);
    int links = 0;
    while (*rest && links <= LINKS_MAX) {
        const char *from = rest + strspn(rest, "/");
        size_t length = strcspn(from, "/");
        AUTO_FREE char *joined = str_format("%s/%.*s", done, (int)length, from);
        AUTO_FREE char *next = path_clean(joined);
        AUTO_FREE char *target = read_link(root_fd, next);
        replace(&rest, str_format("%s%s", target ? target : "", from + length));
        if (!target)
            replace(&done, take_ptr(&next));
        else if (*target == '/')
            replace(&done, xstrdup("/"));
        links += target != NULL;
    }
    return *rest ? NULL : take_ptr(&done);
}

/* ret is cleared by the caller (codec_clear). */
static int fill_stat(int root_fd, const char *path, const struct stat *st, struct job_path_stat *ret, struct err *err)
{
    char *target = S_ISLNK(st->st_mode) ? follow(root_fd, path) : xstrdup("");
    if (!target)
        return err_sys(err, ELOOP, "lstat %s", path);
    *ret = (struct job_path_stat){
        .name = base_of(path), .size = st->st_size, .mode = go_mode(st->st_mode), .link_target = target,
        .mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
    return 0;
}

static int no_file(int error, const char *path, struct err *err)
{
    if (error == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "Could not find the file %s in the container", path);
    return err_sys(err, error, "lstat %s", path);
}

static struct tar_writer *open_output(int *fd)
{
    (void)fcntl(*fd, F_SETPIPE_SZ, PIPE_SIZE);
    return tar_writer_new((struct writer){ writer_fd, fd });
}

/* A directory and all below it under the name that the client will see. */
static int send_dir(struct tar_writer *writer, int dir_fd, const char *base, struct err *err)
{
    AUTO_FREE char *prefix = str_format("%s%s", base, str_ends(base, "/") ? "" : "/");
    struct tree_options options = { .living = true, .disks_only = true, .prefix = prefix };
    if (node_to_tar(writer, dir_fd, ".", base, true, err) < 0)
        return -1;
    return tree_to_tar(writer, dir_fd, &options, err);
}

static int send_file(struct tar_writer *writer, int root_fd, const char *path, const char *base, struct err *err)
{
    const char *name;
    AUTO_FD int dir_fd = root_open_parent(root_fd, path, false, &name);
    if (dir_fd < 0)
        return no_file(dir_fd, path, err);
    return node_to_tar(writer, dir_fd, name, base, true, err);
}

static int send_path(int root_fd, int node_fd, const struct stat *st, const char *path, int out_fd, struct err *err)
{
    struct tar_writer *writer = open_output(&out_fd);
    AUTO_FREE char *base = base_of(path);
    AUTO_FD int dir_fd = -1;
    int r;
    if (S_ISDIR(st->st_mode)) {
        dir_fd = openat(node_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = dir_fd < 0 ? err_sys(err, errno, "open %s", path) : send_dir(writer, dir_fd, base, err);
    } else {
        r = send_file(writer, root_fd, path, base, err);
    }
    if (r == 0)
        r = tar_writer_end(writer, err);
    tar_writer_free(writer);
    return r;
}

/* Borrowed of the job, or mounted into *owned. */
static int open_root(const struct job_message *run, const struct job_cp *params, bool writable, size_t index, int *owned, struct err *err)
{
    if (params->has_root_fd)
        return worker_fd(run, index, err);
    return worker_mount_tree(&params->root, writable, owned, err) < 0 ? -1 : *owned;
}

/* The daemon puts it into the answer's head, which goes before the first byte. */
static int tell_stat(struct worker *worker, const struct job_path_stat *stat, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    return worker_request(worker, &job_path_stat_type, stat, &reply, err);
}

static int cp_out(struct worker *worker, const struct job_message *run, const struct job_cp *params, struct err *err)
{
    AUTO_FD int mounted = -1;
    int out_fd = params->stat_only ? -1 : worker_fd(run, 0, err);
    int root_fd = open_root(run, params, false, params->stat_only ? 0 : 1, &mounted, err);
    if ((!params->stat_only && out_fd < 0) || root_fd < 0 || worker_seal(worker, &root_fd, 1, err) < 0)
        return -1;
    AUTO_FREE char *path = absolute(params->path);
    AUTO_FD int node_fd = root_open(root_fd, path, O_PATH | O_NOFOLLOW, 0);
    struct job_path_stat answer;
    struct stat st;
    if (node_fd < 0)
        return no_file(node_fd, params->path, err);
    if (fstat(node_fd, &st) < 0)
        return err_sys(err, errno, "lstat %s", path);
    if (fill_stat(root_fd, path, &st, &answer, err) < 0)
        return -1;
    int r = params->stat_only ? 0 : tell_stat(worker, &answer, err);
    if (r == 0 && !params->stat_only)
        r = send_path(root_fd, node_fd, &st, path, out_fd, err);
    if (r == 0)
        r = worker_done(worker, &job_path_stat_type, &answer, err);
    codec_clear(&job_path_stat_type, &answer);
    return r;
}

int kind_cp_out(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_cp params;
    if (job_decode(run, &job_cp_type, &params, err) < 0)
        return -1;
    int r = cp_out(worker, run, &params, err);
    codec_clear(&job_cp_type, &params);
    return r;
}

/* The directory to extract into, which is then the archive's whole world: its links lead nowhere else. */
static int open_extraction_point(int root_fd, const char *path, const char *said, struct err *err)
{
    struct stat st;
    AUTO_FD int fd = root_open(root_fd, path, O_PATH, 0);
    if (fd < 0)
        return no_file(fd, said, err);
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "lstat %s", path);
    return S_ISDIR(st.st_mode) ? take_fd(&fd) : err_set(err, ERR_INVALID, "extraction point is not a directory");
}

static int extract_stream(int in_fd, int root_fd, struct extract_options *options, struct err *err)
{
    struct inflater *inflater = NULL;
    struct extract_result result = { .entries = 0 };
    bool is_pipe = fcntl(in_fd, F_SETPIPE_SZ, PIPE_SIZE) > 0;
    if (inflater_open((struct reader){ reader_fd, &in_fd }, true, &inflater, err) < 0)
        return -1;
    /* What was looked at ahead is in the first piece that the reader gets: both buffers are of one size. */
    options->from_pipe = is_pipe && inflater_kind(inflater) == STREAM_PLAIN;
    options->pipe_fd = in_fd;
    struct chunk_buffer *buffer = chunk_buffer_new((struct reader){ inflater_read, inflater });
    struct tar_reader *reader = tar_reader_new(chunk_buffer_chunker(buffer));
    int r = extract_tar(reader, root_fd, options, &result, err);
    if (r == 0)
        r = tar_reader_drain(reader, err);
    extract_result_done(&result);
    tar_reader_free(reader);
    chunk_buffer_free(buffer);
    inflater_close(inflater);
    return r;
}

static int cp_in(struct worker *worker, const struct job_message *run, const struct job_cp *params, struct err *err)
{
    AUTO_FD int mounted = -1;
    int in_fd = worker_fd(run, 0, err);
    int root_fd = in_fd < 0 ? -1 : open_root(run, params, true, 1, &mounted, err);
    if (root_fd < 0 || worker_seal(worker, &root_fd, 1, err) < 0)
        return -1;
    AUTO_FREE char *rooted = str_format("/%s", params->path);
    AUTO_FREE char *path = path_clean(rooted);
    struct extract_options options = {
        .dest_name = path, .no_overwrite_dir_non_dir = params->no_overwrite_dir_non_dir,
        .force_owner = params->copy_uid_gid && !str_empty(params->uid_gid_user),
    };
    AUTO_FD int dest_fd = open_extraction_point(root_fd, path, params->path, err);
    if (dest_fd < 0)
        return -1;
    if (options.force_owner && user_lookup(root_fd, params->uid_gid_user, &options.uid, &options.gid, err) < 0)
        return -1;
    return extract_stream(in_fd, dest_fd, &options, err) < 0 ? -1 : worker_done(worker, NULL, NULL, err);
}

int kind_cp_in(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_cp params;
    if (job_decode(run, &job_cp_type, &params, err) < 0)
        return -1;
    int r = cp_in(worker, run, &params, err);
    codec_clear(&job_cp_type, &params);
    return r;
}

static int export_root(struct worker *worker, const struct job_export *params, int out_fd, struct err *err)
{
    AUTO_FD int root_fd = -1;
    struct tree_options options = { .living = true };
    if (worker_mount_tree(&params->root, false, &root_fd, err) < 0 || worker_seal(worker, &root_fd, 1, err) < 0)
        return -1;
    struct tar_writer *writer = open_output(&out_fd);
    int r = tree_to_tar(writer, root_fd, &options, err);
    if (r == 0)
        r = tar_writer_end(writer, err);
    tar_writer_free(writer);
    return r < 0 ? -1 : worker_done(worker, NULL, NULL, err);
}

int kind_export(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_export params;
    int out_fd = worker_fd(run, 0, err);
    if (out_fd < 0 || job_decode(run, &job_export_type, &params, err) < 0)
        return -1;
    int r = export_root(worker, &params, out_fd, err);
    codec_clear(&job_export_type, &params);
    return r;
}
