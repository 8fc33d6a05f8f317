/* The job kind "fetch-url": ADD of a URL. The file is named as BuildKit names it, by the URL alone. */
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/unpack/hash.h"
#include "registry/download.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FETCH_BYTES_MAX ((uint64_t)64 << 30)
#define NAME_BYTES_MAX 255
#define UNNAMED "__unnamed__"

struct fetching {
    int fd;
    struct hash hash;
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %41 -> A; what is malformed stays as it is. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        int high = *text == '%' ? hex_digit(text[1]) : -1, low = high >= 0 ? hex_digit(text[2]) : -1;
        if (low < 0) {
            *to++ = *text;
            continue;
        }
        *to++ = (char)(high << 4 | low);
        text += 2;
    }
    *to = '\0';
}

/* The last segment of the URL's path. */
static char *name_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    AUTO_FREE char *copy = xstrndup(path ? path : "", path ? strcspn(path, "?#") : 0);
    unescape(copy);
    while (str_ends(copy, "/"))
        copy[strlen(copy) - 1] = '\0';
    const char *slash = strrchr(copy, '/'), *name = slash ? slash + 1 : copy;
    bool usable = *name && !str_eq(name, ".") && !str_eq(name, "..") && strlen(name) <= NAME_BYTES_MAX;
    return xstrdup(usable ? name : UNNAMED);
}

static int on_data(void *arg, const void *bytes, size_t length, struct err *err)
{
    struct fetching *fetching = arg;
    int r = io_write_all(fetching->fd, bytes, length);
    hash_add(&fetching->hash, bytes, length);
    return r < 0 ? err_sys(err, r, "write what is fetched") : 0;
}

static int check(const struct job_fetch_url *params, const char *digest, struct err *err)
{
    if (str_empty(params->checksum) || str_eq(params->checksum, digest))
        return 0;
    return err_set(err, ERR_INVALID, "digest mismatch for %.400s: %s (expected: %s)", params->url, digest, params->checksum);
}

static int fetch(struct worker *worker, const struct job_fetch_url *params, int dir_fd, struct err *err)
{
    char digest[HASH_TEXT_SIZE];
    AUTO_FREE char *name = name_of(params->url);
    struct fetching fetching = { .fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) };
    struct download request = { .url = params->url, .max_bytes = FETCH_BYTES_MAX, .on_data = on_data, .arg = &fetching };
    struct download_result result;
    if (fetching.fd < 0)
        return err_sys(err, errno, "make %s", name);
    hash_init(&fetching.hash);
    int r = download_run(&request, &result, err);
    if (r == 0)
        hash_text(&fetching.hash, digest);
    hash_done(&fetching.hash);
    fd_close(fetching.fd);
    if (r < 0 || check(params, digest, err) < 0)
        return err_wrap(err, "failed to load cache key");
    struct job_fetch_url_result answer = { .digest = digest, .file = name, .size = (int64_t)result.size, .mtime_unix = result.mtime_unix };
    return worker_done(worker, &job_fetch_url_result_type, &answer, err);
}

int kind_fetch_url(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_fetch_url params;
    int dir_fd = worker_fd(run, 0, err);
    if (dir_fd < 0 || job_decode(run, &job_fetch_url_type, &params, err) < 0)
        return -1;
    int r = fetch(worker, &params, dir_fd, err);
    codec_clear(&job_fetch_url_type, &params);
    return r;
}
