/* Reading json-file logs: lines {"log":"...","stream":"stdout","attrs":{...},"time":"..."} over the rotated files name.N ... name.1, name.
 * Pure file work: knows no container. A torn last line (no newline yet) is left for later. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct log_line {
    const char *text; /* unescaped, borrowed until the next line */
    size_t length;
    bool is_stderr;
    int64_t time_unix_ns;
    const char *time; /* as written, not NUL-ended */
    size_t time_length;
    const char *attrs; /* raw JSON object or NULL */
    size_t attrs_length;
};
struct log_file;
/* path: the current file; older ones are path.1, path.2, ... A missing file is an empty log. */
int log_file_open(const char *path, struct log_file **ret, struct err *err);
void log_file_close(struct log_file *file);
CLEANUP_FN(struct log_file, log_file_close)
/* Moves to the start of the last `count` lines (by newline) of all files. */
int log_file_seek_tail(struct log_file *file, int64_t count, struct err *err);
/* Stops reading at this byte of the file with this inode (attach replay). */
void log_file_limit(struct log_file *file, uint64_t inode, uint64_t size);
/* 1: a line; 0: nothing more now (call again later: it follows rotation); -1. Lines that are not JSON are skipped. */
int log_file_next(struct log_file *file, struct log_line *ret, struct err *err);
/* Parses one line of JSON (exposed for tests). scratch holds the unescaped text. */
bool log_line_parse(const char *json, size_t length, struct buf *scratch, struct log_line *ret);
