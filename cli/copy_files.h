/* The host's side of `cp`: files as a tar stream, and a tar stream as files. */
#pragma once
#include "cli/copy_paths.h"
#include "cli/tar_read.h"

/* ---- files to a stream ---- */
struct copy_source;
/* path: a file or directory ("/." for its content); root_name: what its first entry is called. Hard links inside stay links,
 * symbolic links are never followed, sockets are left out. */
int copy_source_open(const char *path, const char *root_name, struct copy_source **ret, struct err *err);
void copy_source_close(struct copy_source *source);
CLEANUP_FN(struct copy_source, copy_source_close)
/* A body_read of http.h. */
ssize_t copy_source_read(void *arg, void *bytes, size_t size, struct err *err);
uint64_t copy_source_count(const struct copy_source *source); /* bytes given so far */

/* ---- a stream to files ---- */
/* Unpacks below plan->dir. Nothing is written outside of it, whatever the names and links of the stream say; owners stay the
 * user's. A file does not replace a directory, nor the other way round. */
int copy_unpack(struct tar_reader *reader, const struct copy_plan *plan, struct err *err);

/* ---- looking ---- */
/* Where a destination leads: links are followed, the parent must exist. */
int copy_look_destination(const char *path, struct copy_end *ret, struct err *err);
/* A source: links in front of the last name are followed; the last one too with follow. */
int copy_look_source(const char *path, bool follow, struct copy_end *ret, struct err *err);
/* "invalid output path: ..." */
int copy_check_output(const char *path, struct err *err);
