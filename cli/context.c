#include "cli/context.h"

#include "cli/ignore.h"
#include "cli/tar.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define IGNORE_FILE ".dockerignore"
#define TEXT_MAX ((size_t)16 << 20)

struct level {
    int dir_fd;
    char *path; /* from the top; "" there */
    char **names;
    size_t next;
    bool *matched; /* patterns that the directory matched */
};
struct context {
    struct level *levels;
    size_t level_count;
    struct ignore *ignore;
    char *dockerfile;
    char *extra; /* text of a Dockerfile that is not in the directory; NULL: it is */
    size_t extra_length;
    char *ignore_text;
    mode_t ignore_mode;
    struct map *inodes; /* "dev:ino" -> path of files with several names */
    struct buf out;
    size_t out_pos;
    int file_fd;
    char *file_name;
    uint64_t file_left, file_size;
    bool ended;
};

/* ---- opening ---- */

/* Errors of the system in Go's words: lower case. */
static int sys_fail(struct err *err, int error, const char *what, const char *path)
{
    AUTO_FREE char *text = xstrdup(err_strerror(error));
    text[0] = (char)tolower((unsigned char)text[0]);
    err_set(err, error == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "%s %s: %s", what, path, text);
    err->sys_errno = error;
    return -1;
}

static char *real_path(const char *path, struct err *err)
{
    char *real = realpath(path, NULL);
    if (!real) {
        AUTO_FREE char *cwd = path[0] == '/' ? NULL : realpath(".", NULL);
        AUTO_FREE char *full = cwd ? path_join(cwd, path) : xstrdup(path);
        AUTO_FREE char *clean = path_clean(full);
        sys_fail(err, errno, "lstat", clean);
    }
    return real;
}

static int check_directory(const char *directory, char **ret_real, struct err *err)
{
    struct stat st;
    AUTO_FREE char *real = realpath(directory, NULL);
    if (!real && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "unable to prepare context: path \"%s\" not found", directory);
    if (!real || stat(real, &st) < 0)
        return sys_fail(err, errno, "unable to prepare context: stat", directory);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "unable to prepare context: context must be a directory: %s", real);
    *ret_real = take_ptr(&real);
    return 0;
}

/* Where the Dockerfile really is; *ret_inside: its name from the top of the context, NULL when it is elsewhere. */
static int find_dockerfile(const char *real_dir, const char *given, char **ret_real, char **ret_inside, struct err *err)
{
    AUTO_FREE char *standard = path_join(real_dir, "Dockerfile"), *lower = path_join(real_dir, "dockerfile");
    struct stat st;
    const char *path = given;
    if (!path)
        path = lstat(standard, &st) < 0 && lstat(lower, &st) == 0 ? lower : standard;
    AUTO_FREE char *real = real_path(path, err);
    if (!real)
        return err_wrap(err, "unable to prepare context: unable to evaluate symlinks in Dockerfile path");
    AUTO_FREE char *top = str_format("%s%s", real_dir, str_ends(real_dir, "/") ? "" : "/");
    *ret_inside = xstrdup(str_after(real, top));
    *ret_real = take_ptr(&real);
    return 0;
}

static int read_text(const char *path, const char *what, char **ret, size_t *ret_length, struct err *err)
{
    int got = io_read_file_at(AT_FDCWD, path, TEXT_MAX, ret, ret_length);
    return got < 0 ? sys_fail(err, -got, what, path) : 0;
}

/* The ignore file of the Dockerfile's own wins over the directory's. */
static int load_ignore(struct context *context, const char *real_dir, const char *real_dockerfile, struct err *err)
{
    CLEANUP(strv_free) char **patterns = NULL;
    AUTO_FREE char *general = path_join(real_dir, IGNORE_FILE), *text = NULL;
    AUTO_FREE char *own = real_dockerfile ? str_format("%s%s", real_dockerfile, IGNORE_FILE) : NULL;
    size_t length = 0;
    const char *path = own && access(own, F_OK) == 0 ? own : general;
    struct stat st;
    context->ignore_mode = 0600;
    if (stat(path, &st) == 0) {
        if (read_text(path, "error reading .dockerignore: open", &text, &length, err) < 0)
            return -1;
        patterns = ignore_read(text, length);
        context->ignore_text = path == general ? take_ptr(&text) : NULL;
        context->ignore_mode = st.st_mode & 0777;
    }
    if (ignore_compile(patterns, &context->ignore, err) < 0)
        return err_wrap(err, "error checking context");
    /* what the daemon itself must read goes along whatever the patterns say */
    const char *needed[] = { IGNORE_FILE, context->extra ? NULL : context->dockerfile };
    bool more = false;
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (needed[i] && ignore_match_path(context->ignore, needed[i])) {
            strv_append_take(&patterns, str_format("!%s", needed[i]));
            more = true;
        }
    if (!more)
        return 0;
    ignore_free(take_ptr(&context->ignore));
    return ignore_compile(patterns, &context->ignore, err);
}

static struct context *new_context(void)
{
    struct context *context = xcalloc(1, sizeof *context);
    context->out = (struct buf)BUF_INIT(TEXT_MAX * 4);
    context->file_fd = -1;
    context->inodes = map_new();
    return context;
}

static void set_extra(struct context *context, const char *text, size_t length)
{
    char id[21];
    id_random_hex(id, sizeof id - 1);
    context->dockerfile = str_format(".dockerfile.%s", id);
    context->extra = xmemdup(text, length + 1);
    context->extra_length = length;
}

static int push_level(struct context *context, int dir_fd, char *path, bool *matched, struct err *err);

int context_open(const char *directory, const char *dockerfile, const char *text, size_t length, struct context **ret,
                 struct err *err)
{
    CLEANUP(context_close) struct context *context = new_context();
    AUTO_FREE char *real_dir = NULL, *real_file = NULL, *inside = NULL, *outer = NULL;
    if (check_directory(directory, &real_dir, err) < 0)
        return -1;
    if (!text && find_dockerfile(real_dir, dockerfile, &real_file, &inside, err) < 0)
        return -1;
    if (!text && !inside) {
        if (read_text(real_file, "unable to open Dockerfile: open", &outer, &length, err) < 0)
            return -1;
        text = outer;
    }
    if (text)
        set_extra(context, text, length);
    else
        context->dockerfile = take_ptr(&inside);
    if (load_ignore(context, real_dir, real_file, err) < 0)
        return -1;
    int dir_fd = open(real_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return sys_fail(err, errno, "unable to prepare context: open", real_dir);
    if (push_level(context, dir_fd, xstrdup(""), NULL, err) < 0)
        return -1;
    *ret = take_ptr(&context);
    return 0;
}

void context_open_text(const char *text, size_t length, struct context **ret)
{
    struct context *context = new_context();
    context->dockerfile = xstrdup("Dockerfile");
    context->extra = xmemdup(text, length + 1);
    context->extra_length = length;
    *ret = context;
}

static void pop_level(struct context *context)
{
    struct level *level = &context->levels[--context->level_count];
    fd_close(level->dir_fd);
    free(level->path);
    free(level->matched);
    strv_free(level->names);
}

void context_close(struct context *context)
{
    size_t cursor = 0;
    const char *key;
    void *path;
    if (!context)
        return;
    while (context->level_count)
        pop_level(context);
    while (map_next(context->inodes, &cursor, &key, &path))
        free(path);
    map_free(context->inodes);
    free(context->levels);
    ignore_free(context->ignore);
    free(context->dockerfile);
    free(context->extra);
    free(context->ignore_text);
    free(context->file_name);
    fd_close(context->file_fd);
    buf_done(&context->out);
    free(context);
}

const char *context_dockerfile(const struct context *context)
{
    return context->dockerfile;
}

/* ---- walking ---- */

/* Takes dir_fd, path and matched, also when it fails. */
static int push_level(struct context *context, int dir_fd, char *path, bool *matched, struct err *err)
{
    context->levels = xreallocarray(context->levels, context->level_count + 1, sizeof *context->levels);
    struct level *level = &context->levels[context->level_count++];
    *level = (struct level){ .dir_fd = dir_fd, .path = path, .matched = matched };
    if (context->level_count > CONTEXT_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "error checking context: %s: more than %d directories inside each other", path,
                       CONTEXT_DEPTH_MAX);
    int copy = fd_dup(dir_fd);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        fd_close(copy);
        return sys_fail(err, errno, "error checking context: open", path);
    }
    struct dirent *entry;
    size_t count = 0, capacity = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
            continue;
        if (count + 2 > capacity) {
            capacity = capacity ? capacity * 2 : 32;
            level->names = xreallocarray(level->names, capacity, sizeof *level->names);
        }
        level->names[count++] = xstrdup(entry->d_name);
        level->names[count] = NULL;
    }
    closedir(dir);
    strv_sort(level->names);
    return 0;
}

static int enter(struct context *context, int dir_fd, const char *name, const char *path, bool *matched,
                 struct err *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        free(matched);
        return sys_fail(err, errno, "error checking context: open", path);
    }
    return push_level(context, fd, xstrdup(path), matched, err);
}

static int open_file(struct context *context, int dir_fd, const char *name, const char *path, struct stat *st,
                     struct err *err)
{
    context->file_fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (context->file_fd < 0 && (errno == EACCES || errno == EPERM))
        return err_set(err, ERR_INVALID, "error checking context: no permission to read from '%s'", path);
    if (context->file_fd < 0 || fstat(context->file_fd, st) < 0)
        return sys_fail(err, errno, "error checking context: open", path);
    context->file_left = context->file_size = (uint64_t)st->st_size;
    free(context->file_name);
    context->file_name = xstrdup(path);
    return 0;
}

/* The name under which a file with several names has been sent already; else remembers this one. */
static const char *earlier_name(struct context *context, const struct stat *st, const char *path)
{
    AUTO_FREE char *key = str_format("%llx:%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
    const char *earlier = map_get(context->inodes, key);
    if (!earlier)
        map_set(context->inodes, key, xstrdup(path));
    return earlier;
}

static int put_entry(struct context *context, int dir_fd, const char *name, const char *path, struct stat *st,
                     struct err *err)
{
    char link[PATH_MAX];
    struct tar_entry entry = { .name = path, .mode = st->st_mode & 07777, .mtime = st->st_mtime };
    if (S_ISREG(st->st_mode)) {
        entry.type = '0';
        entry.link = st->st_nlink > 1 ? earlier_name(context, st, path) : NULL;
        if (entry.link)
            entry.type = '1';
        else if (open_file(context, dir_fd, name, path, st, err) < 0)
            return -1;
        entry.size = entry.link ? 0 : context->file_left;
    } else if (S_ISLNK(st->st_mode)) {
        ssize_t length = readlinkat(dir_fd, name, link, sizeof link - 1);
        if (length < 0)
            return sys_fail(err, errno, "error checking context: readlink", path);
        link[length] = '\0';
        entry.type = '2';
        entry.link = link;
    } else if (S_ISDIR(st->st_mode)) {
        entry.type = '5';
    } else if (S_ISFIFO(st->st_mode)) {
        entry.type = '6';
    } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        entry.type = S_ISCHR(st->st_mode) ? '3' : '4';
        entry.major = major(st->st_rdev);
        entry.minor = minor(st->st_rdev);
    } else {
        return 0; /* a socket */
    }
    tar_put_header(&context->out, &entry);
    return 0;
}

/* The next name of the innermost directory. */
static int walk_one(struct context *context, struct err *err)
{
    struct level *level = &context->levels[context->level_count - 1];
    const char *name = level->names ? level->names[level->next] : NULL;
    struct stat st;
    if (!name) {
        pop_level(context);
        return 0;
    }
    level->next++;
    AUTO_FREE char *path = *level->path ? str_format("%s/%s", level->path, name) : xstrdup(name);
    AUTO_FREE bool *matched = xcalloc(ignore_count(context->ignore) + 1, sizeof *matched);
    if (context->extra && str_eq(path, IGNORE_FILE))
        return 0; /* another one is sent at the end */
    bool stays = ignore_match(context->ignore, path, level->matched, matched);
    int dir_fd = level->dir_fd;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : sys_fail(err, errno, "error checking context: lstat", path);
    if (stays && !(S_ISDIR(st.st_mode) && ignore_may_return(context->ignore, path)))
        return 0;
    if (!stays && put_entry(context, dir_fd, name, path, &st, err) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? enter(context, dir_fd, name, path, take_ptr(&matched), err) : 0;
}

/* Behind the walk: a Dockerfile from elsewhere and the ignore file that hides it. */
static void finish(struct context *context)
{
    bool alone = str_eq(context->dockerfile, "Dockerfile");
    if (context->extra) {
        tar_put_file(&context->out, context->dockerfile, context->extra, context->extra_length, 0600,
                     (int64_t)time(NULL));
        AUTO_FREE char *text =
            str_format("%s\n%s\n", context->ignore_text ? context->ignore_text : IGNORE_FILE, context->dockerfile);
        if (!alone)
            tar_put_file(&context->out, IGNORE_FILE, text, strlen(text), context->ignore_mode, (int64_t)time(NULL));
    }
    tar_put_end(&context->out);
    context->ended = true;
}

static ssize_t read_file(struct context *context, char *bytes, size_t size, struct err *err)
{
    ssize_t got;
    do
        got = context->file_left ? read(context->file_fd, bytes, (size_t)MIN(size, context->file_left)) : 0;
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return sys_fail(err, errno, "error checking context: read", context->file_name);
    if (got == 0 && context->file_left)
        return err_set(err, ERR_INVALID, "error checking context: %s became shorter while it was read",
                       context->file_name);
    context->file_left -= (uint64_t)got;
    if (!context->file_left) {
        fd_close(take_fd(&context->file_fd));
        tar_put_padding(&context->out, context->file_size);
    }
    return got;
}

ssize_t context_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct context *context = arg;
    size_t filled = 0;
    while (filled < size) {
        char *room = (char *)bytes + filled;
        size_t ready = MIN(context->out.length - context->out_pos, size - filled);
        if (ready) {
            memcpy(room, context->out.data + context->out_pos, ready);
            context->out_pos += ready;
            filled += ready;
        } else if (context->file_fd >= 0) {
            ssize_t got = read_file(context, room, size - filled, err);
            if (got < 0)
                return -1;
            filled += (size_t)got;
        } else if (context->level_count) {
            buf_clear(&context->out);
            context->out_pos = 0;
            if (walk_one(context, err) < 0)
                return -1;
        } else if (!context->ended) {
            finish(context);
        } else {
            break;
        }
        if (buf_failed(&context->out))
            return err_set(err, ERR_INVALID, "error checking context: a Dockerfile larger than %zu bytes", TEXT_MAX);
    }
    return (ssize_t)filled;
}
