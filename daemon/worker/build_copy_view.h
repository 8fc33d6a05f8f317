/* A tree seen from its root, one name at a time: no path is ever resolved by the kernel, so no link leads out and every place knows its
 * real path. A view is one directory, or two where the upper hides what the lower has (as overlay shows them); what is made goes
 * to the upper alone, and directories of the lower are made there first ("copied up"). Overlay's 0:0 devices read as "not there". */
#pragma once
#include "lib/base/err.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include <stdbool.h>
#include <sys/stat.h>

struct view_dir {
    struct view_dir *parent; /* NULL: the root */
    char *name;
    int upper_fd, lower_fd; /* -1: not there; the root's are the caller's */
};
struct view {
    struct view_dir root;
    const struct map *hidden; /* NULL, or real paths that read as "not there" */
};
struct view_at {
    struct view_dir *dir; /* the deepest directory of the path that exists */
    char **rest;          /* what the path names below dir: empty when it names dir itself */
    bool exists;          /* rest[0] is there, and no directory */
    struct stat stat;     /* of rest[0] if it exists, of dir if rest is empty */
};
#define AUTO_VIEW_AT __attribute__((cleanup(view_at_done)))
void view_at_done(struct view_at *at);
static inline bool view_at_is_dir(const struct view_at *at)
{
    return !at->rest || !at->rest[0];
}
/* Is the whole path there? */
static inline bool view_at_found(const struct view_at *at)
{
    return view_at_is_dir(at) || (at->exists && !at->rest[1]);
}

/* "" and "/" are the root. Links of parents are followed inside the view, the last one with follow_last. ERR_INVALID "too many links". */
int view_resolve(struct view *view, const char *path, bool follow_last, struct view_at *ret, struct err *err);
/* What dir has under a name: 1 and *ret, 0, -1. ret_dir_fd (may be NULL): the directory that has it. */
int view_lookup(const struct view *view, const struct view_dir *dir, const char *name, struct stat *ret, int *ret_dir_fd, struct err *err);
/* A directory below dir, which must be there. Free with view_leave. */
int view_enter(struct view_dir *dir, const char *name, struct view_dir **ret, struct err *err);
/* Frees dir and, up to but without `until`, its parents (NULL: up to the root). */
void view_leave(struct view_dir *dir, const struct view_dir *until);
/* Absolute path of a name (may be NULL) in dir; caller frees. */
char *view_path(const struct view_dir *dir, const char *name);
/* Opens for reading what at has found: a file or a directory. Links and devices are refused. fd or -1. */
int view_open(const struct view *view, const struct view_at *at, struct err *err);
/* The directory exists in the upper afterwards. */
int view_copy_up(struct view_dir *dir, struct err *err);

struct view_new_dir { /* what directories made on the way are like */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    char ***made; /* NULL, or gets their paths */
};
/* Makes all of at->rest, and at->dir becomes the last. "mkdir /e: not a directory" when something else is in the way. */
int view_make_dirs(struct view_at *at, const struct view_new_dir *like, struct err *err);
/* Makes one directory below dir, where nothing, or nothing but a directory of the lower that was looked up before, may be. */
int view_make_dir(struct view_dir *dir, const char *name, mode_t mode, struct view_dir **ret, struct err *err);
