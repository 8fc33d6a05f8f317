/* The job kind "build": unpacks the context, drops what .dockerignore names, and lets the builder work. What the
 * builder asks for goes to holkd as requests; this process itself writes below the job's directory and nowhere else. */
#include "builder/builder.h"
#include "daemon/worker/build_copy.h"
#include "daemon/worker/context_ignore.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/oci/pattern.h"
#include "lib/unpack/extract.h"
#include "lib/unpack/inflate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- the backend ---- */

static int call(void *arg, enum build_verb verb, const void *request, int fd, void *reply, int *ret_fd, struct err *err)
{
    struct worker *worker = arg;
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    const struct build_verb_row *row = build_verb_get(verb);
    if (worker_request_fds(worker, row->request, request, &fd, fd >= 0 ? 1 : 0, &message, err) < 0)
        return -1;
    if (job_decode(&message, row->reply, reply, err) < 0)
        return err_wrap(err, "the answer to %s", row->name);
    if (ret_fd)
        *ret_fd = message.fd_count ? fd_dup(message.fds[0]) : -1;
    return 0;
}

static int progress(void *arg, const struct job_progress *line, struct err *err)
{
    return worker_progress(arg, line, err);
}

/* ---- the context ---- */

#define CONTEXT "context"
#define TAR_BLOCK 512
#define TEXT_MAX ((size_t)1 << 20)

struct building {
    struct build_backend backend;
    struct job_build params;
    int job_fd, context_fd;
    char *text; /* the Dockerfile */
    size_t length;
};

/* What a URL gave may be a Dockerfile alone. */
static int keep_text(struct chunk_buffer *chunks, int context_fd, struct err *err)
{
    AUTO_FREE char *text = xmalloc(TEXT_MAX);
    AUTO_FD int fd = openat(context_fd, "Dockerfile", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, errno, "make the Dockerfile");
    for (size_t total = 0;;) {
        ssize_t n = chunk_buffer_read(chunks, text, TEXT_MAX, err);
        if (n <= 0)
            return (int)n;
        total += (size_t)n;
        int r = total > TEXT_MAX ? -EFBIG : io_write_all(fd, text, (size_t)n);
        if (r < 0)
            return err_sys(err, r, "write the Dockerfile");
    }
}

static int unpack_tar(struct chunk_buffer *chunks, int context_fd, struct contents *contents, struct err *err)
{
    struct extract_result result = { 0 };
    const struct extract_options options = { .force_owner = true, .bounded = true, .drop_xattrs = true, .contents = contents };
    struct tar_reader *reader = tar_reader_new(chunk_buffer_chunker(chunks));
    int r = extract_tar(reader, context_fd, &options, &result, err);
    if (r == 0)
        r = tar_reader_drain(reader, err);
    extract_result_done(&result);
    tar_reader_free(reader);
    return r;
}

static int unpack_stream(const struct building *building, int stream_fd, struct contents *contents, struct err *err)
{
    struct inflater *inflater = NULL;
    const unsigned char *first;
    if (inflater_open((struct reader){ reader_fd, &stream_fd }, true, &inflater, err) < 0)
        return -1;
    struct chunk_buffer *chunks = chunk_buffer_new((struct reader){ inflater_read, inflater });
    ssize_t length = chunk_buffer_peek(chunks, &first, TAR_BLOCK, err);
    bool text = length > 0 && !str_empty(building->params.remote) && !tar_looks_like(first, (size_t)length);
    int r = length < 0 ? -1 : text ? keep_text(chunks, building->context_fd, err) : unpack_tar(chunks, building->context_fd, contents, err);
    chunk_buffer_free(chunks);
    inflater_close(inflater);
    return r < 0 ? err_wrap(err, "unpack the build context") : 0;
}

/* Unpacks, and leaves what the files hold beside them for the digests of COPY. */
static int unpack_context(const struct building *building, int stream_fd, struct err *err)
{
    CLEANUP(contents_free) struct contents *contents = contents_new();
    if (unpack_stream(building, stream_fd, contents, err) < 0)
        return -1;
    AUTO_FD int fd = openat(building->job_fd, CONTEXT CONTEXT_DIGESTS, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(err, errno, "keep the digests of the context") : contents_save(contents, fd, err);
}

static int drop_ignored(int context_fd, const char *dockerfile, struct err *err)
{
    CLEANUP(strv_free) char **patterns = NULL;
    CLEANUP(pattern_set_free) struct pattern_set *set = NULL;
    if (builder_read_ignore(context_fd, dockerfile, &patterns, err) < 0)
        return -1;
    if (!patterns)
        return 0;
    if (pattern_set_new(patterns, &set, err) < 0)
        return err_wrap(err, "invalid .dockerignore");
    return context_ignore_remove(context_fd, set, err);
}

/* After a failure threads of other stages may still read this, until the process ends. */
static int open_job(struct building *building, struct err *err)
{
    building->job_fd = open(building->params.job_dir, DIR_FLAGS);
    if (building->job_fd < 0)
        return err_sys(err, errno, "open the job's directory");
    if (mkdirat(building->job_fd, CONTEXT, 0755) < 0)
        return err_sys(err, errno, "make the directory of the build context");
    building->context_fd = openat(building->job_fd, CONTEXT, DIR_FLAGS);
    return building->context_fd < 0 ? err_sys(err, errno, "open the directory of the build context") : 0;
}

static int prepare(struct building *building, int stream_fd, struct err *err)
{
    AUTO_FREE char *name = path_clean(building->params.dockerfile ? building->params.dockerfile : "");
    const char *dockerfile = str_eq(name, ".") || str_eq(name, "/") ? "" : name;
    if (unpack_context(building, stream_fd, err) < 0)
        return -1;
    if (builder_read_dockerfile(building->context_fd, dockerfile, &building->text, &building->length, err) < 0)
        return -1;
    return drop_ignored(building->context_fd, dockerfile, err);
}

static int build(struct worker *worker, struct building *building, int stream_fd, char **ret_image_id, struct err *err)
{
    building->backend = (struct build_backend){ .arg = worker, .call = call, .progress = progress, .impatient = true };
    if (open_job(building, err) < 0 || worker_seal(worker, &building->job_fd, 1, err) < 0 ||
        prepare(building, stream_fd, err) < 0)
        return -1;
    return builder_run(&building->backend, &building->params, building->text, building->length, building->job_fd,
                       ret_image_id, err);
}

int kind_build(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct building *building = xcalloc(1, sizeof *building);
    struct job_build_result result = { 0 };
    int stream_fd = worker_fd(run, 0, err);
    if (stream_fd < 0 || job_decode(run, &job_build_type, &building->params, err) < 0 ||
        build(worker, building, stream_fd, &result.image_id, err) < 0)
        return -1;
    int r = worker_done(worker, &job_build_result_type, &result, err);
    free(building->text);
    fd_close(building->context_fd);
    fd_close(building->job_fd);
    codec_clear(&job_build_result_type, &result);
    codec_clear(&job_build_type, &building->params);
    free(building);
    return r;
}
