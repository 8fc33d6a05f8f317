#include "daemon/engine/log_file.h"

#include "lib/base/fd.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)256 * 1024)
#define LINE_MAX_BYTES ((size_t)4 << 20)

struct log_file {
    char *path;
    int fd;          /* the file being read, -1: not opened yet */
    unsigned number; /* 0: the current file, n: path.n at the time it was opened */
    bool opened_any;
    struct buf bytes;  /* read and not yet given out */
    size_t consumed;   /* of bytes: the line given out last */
    struct buf scratch;
    uint64_t limit_inode, limit_size, offset;
    bool limited;
};

static char *name_of(const struct log_file *file, unsigned number)
{
    return number == 0 ? xstrdup(file->path) : str_format("%s.%u", file->path, number);
}

static int open_number(const struct log_file *file, unsigned number)
{
    AUTO_FREE char *name = name_of(file, number);
    return open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static unsigned oldest_number(const struct log_file *file)
{
    unsigned number = 0;
    for (;; number++) {
        AUTO_FREE char *name = name_of(file, number + 1);
        if (access(name, F_OK) < 0)
            return number;
    }
}

int log_file_open(const char *path, struct log_file **ret, struct err *err)
{
    struct log_file *file = xcalloc(1, sizeof *file);
    (void)err;
    file->path = xstrdup(path);
    file->bytes = (struct buf)BUF_INIT(LINE_MAX_BYTES + READ_SIZE);
    file->scratch = (struct buf)BUF_INIT(LINE_MAX_BYTES);
    file->number = oldest_number(file);
    file->fd = open_number(file, file->number);
    *ret = file;
    return 0;
}

void log_file_close(struct log_file *file)
{
    if (!file)
        return;
    fd_close(file->fd);
    buf_done(&file->bytes);
    buf_done(&file->scratch);
    free(file->path);
    free(file);
}

void log_file_limit(struct log_file *file, uint64_t inode, uint64_t size)
{
    file->limited = true;
    file->limit_inode = inode;
    file->limit_size = size;
}

/* Counts newlines backwards from the end of one file. Returns how many are still missing; *ret_offset is where the wanted lines begin. */
static int64_t scan_back(int fd, int64_t wanted, off_t *ret_offset)
{
    AUTO_FREE char *chunk = xmalloc(READ_SIZE);
    struct stat info;
    *ret_offset = 0;
    if (fstat(fd, &info) < 0)
        return wanted;
    off_t end = info.st_size;
    int64_t seen = -1; /* the newline that ends the last line does not start one */
    while (end > 0) {
        size_t size = (size_t)MIN((off_t)READ_SIZE, end);
        end -= (off_t)size;
        if (pread(fd, chunk, size, end) != (ssize_t)size)
            return wanted;
        const char *newline = chunk + size;
        while ((newline = memrchr(chunk, '\n', (size_t)(newline - chunk)))) {
            if (++seen == wanted) {
                *ret_offset = end + (newline - chunk) + 1;
                return 0;
            }
        }
    }
    return wanted - (seen < 0 ? 0 : seen + 1);
}

int log_file_seek_tail(struct log_file *file, int64_t count, struct err *err)
{
    unsigned oldest = oldest_number(file);
    int64_t missing = count;
    for (unsigned number = 0; number <= oldest; number++) {
        AUTO_FD int fd = open_number(file, number);
        if (fd < 0)
            continue;
        off_t offset;
        missing = scan_back(fd, missing, &offset);
        if (missing > 0 && number < oldest)
            continue;
        if (lseek(fd, offset, SEEK_SET) < 0)
            return err_sys(err, errno, "seek in %s", file->path);
        fd_close(file->fd);
        file->fd = take_fd(&fd);
        file->number = number;
        file->offset = (uint64_t)offset;
        return 0;
    }
    return 0;
}

/* The file we hold may have been renamed since: its number is found again by inode. */
static bool find_number(struct log_file *file)
{
    struct stat held, named;
    unsigned oldest = oldest_number(file);
    if (fstat(file->fd, &held) < 0)
        return false;
    for (unsigned number = 0; number <= oldest; number++) {
        AUTO_FREE char *name = name_of(file, number);
        if (stat(name, &named) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev) {
            file->number = number;
            return true;
        }
    }
    return false;
}

/* At the end of one file: is there a newer one? */
static bool next_file(struct log_file *file)
{
    if (file->fd < 0) {
        file->fd = open_number(file, 0);
        return file->fd >= 0;
    }
    bool found = find_number(file);
    if (found && file->number == 0)
        return false;
    unsigned next = found ? file->number - 1 : oldest_number(file);
    int fd = open_number(file, next);
    if (fd < 0)
        return false;
    fd_close(file->fd);
    file->fd = fd;
    file->number = next;
    file->offset = 0;
    return true;
}

static size_t allowed(const struct log_file *file)
{
    struct stat info;
    if (!file->limited || fstat(file->fd, &info) < 0 || info.st_ino != file->limit_inode)
        return READ_SIZE;
    return file->offset >= file->limit_size ? 0 : (size_t)MIN((uint64_t)READ_SIZE, file->limit_size - file->offset);
}

/* 1: got bytes, 0: nothing now */
static int fill(struct log_file *file, struct err *err)
{
    for (;;) {
        size_t size = file->fd >= 0 ? allowed(file) : 0;
        char *room = size ? buf_reserve(&file->bytes, size) : NULL;
        if (size && !room)
            return err_set(err, ERR_INTERNAL, "log line in %s is longer than %zu bytes", file->path, LINE_MAX_BYTES);
        ssize_t got = size ? read(file->fd, room, size) : 0;
        if (got < 0)
            return err_sys(err, errno, "read %s", file->path);
        if (got > 0) {
            buf_grew(&file->bytes, (size_t)got);
            file->offset += (uint64_t)got;
            return 1;
        }
        if ((file->limited && size == 0 && file->fd >= 0) || !next_file(file))
            return 0;
    }
}

int log_file_next(struct log_file *file, struct log_line *ret, struct err *err)
{
    for (;;) {
        const char *start = file->bytes.data ? file->bytes.data + file->consumed : "";
        size_t rest = file->bytes.length - file->consumed;
        const char *newline = rest ? memchr(start, '\n', rest) : NULL;
        if (newline) {
            file->consumed += (size_t)(newline - start) + 1;
            if (log_line_parse(start, (size_t)(newline - start), &file->scratch, ret))
                return 1;
            continue;
        }
        buf_consume(&file->bytes, file->consumed);
        file->consumed = 0;
        int filled = fill(file, err);
        if (filled <= 0)
            return filled;
    }
}
