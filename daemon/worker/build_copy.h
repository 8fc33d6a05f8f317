/* COPY, ADD, WORKDIR and the mount points of RUN: the file work of one build step, in BuildKit's manner. The parts:
 *
 *   view      a tree by names, source or destination (build_copy_view.h)
 *   source    which sources a step names: wildcards, links, "/./" of --parents; then what of a directory its patterns pick
 *   tree      puts one source into the destination
 *   unpack    an archive that ADD finds
 *   digest    what would be copied, as one hash
 *   stubs     directories of WORKDIR, mount points of RUN
 *
 * The destination is written in one of two ways. A layer that has nothing in it yet and gets no archive is written directly: the view
 * shows the layers below, and what is made goes into the layer's own directory, as overlay would put it. So a file of the context
 * whose mode and owner are right already is linked, not copied. All else goes through a mounted overlay. */
#pragma once
#include "daemon/worker/build_copy_mode.h"
#include "daemon/worker/build_copy_view.h"
#include "lib/jobs/kinds.h"
#include "lib/oci/pattern.h"
#include "lib/unpack/contents.h"
#include "lib/unpack/nodes.h"
#include "lib/unpack/walk.h"

struct copying {
    const struct job_build_copy *params;
    struct view source, dest;
    bool context;   /* the source is a build context: owned by root, without attributes */
    bool may_link;  /* the destination is written directly, on the context's own file system */
    bool has_owner; /* --chown */
    uid_t uid;
    gid_t gid;
    struct mode_change chmod;
    struct pattern_set *exclude;
    struct map *hidden;
    struct contents *contents; /* of the context as it was unpacked, or NULL */
    char **made_dirs;         /* on the way to the target */
    char *buffer;             /* COPY_BUFFER bytes */
    int64_t files, bytes;
};
#define COPY_BUFFER ((size_t)1 << 20)
#define CONTEXT_DIGESTS ".digests" /* behind the name of the context's directory: a struct contents */
void copying_done(struct copying *copying);

/* ---- build_copy_source.c ---- */
struct found { /* one source, its pattern looked up */
    char *path;                   /* relative; its base names a copied file */
    struct view_at at;            /* where it is, links followed */
    struct pattern_set *include;  /* of --parents: what to take of the directory; NULL: all */
    char *include_prefix;         /* the part of the include pattern that is plain */
};
/* Calls fn for each source in order. missing says how a source that is not there is reported: format with one %s, its absolute path. */
typedef int (*found_fn)(struct copying *copying, const struct found *found, void *arg, struct err *err);
int sources_each(struct copying *copying, const char *missing, found_fn fn, void *arg, struct err *err);

/* ---- build_copy_pick.c ---- */
struct pick_entry {
    const struct walk_entry *entry;
    bool picked; /* a directory that is not may still hold something that is */
};
struct picker {
    int (*visit)(void *arg, const struct pick_entry *pick, struct err *err);
    int (*leave)(void *arg, const struct walk_entry *entry, struct err *err); /* of directories */
    void *arg;
};
/* Walks the directory that was found, past what is excluded, hidden, or not included. */
int pick_tree(struct copying *copying, const struct found *found, const struct picker *picker, struct err *err);

/* ---- build_copy_tree.c ---- */
/* The target as the step gives it: absolute, lexically clean, "/" at the end when it has to be a directory. Caller frees. */
char *copy_target(const struct job_build_copy *params);
int copy_found(struct copying *copying, const struct found *found, void *arg, struct err *err);
/* A here-document becomes a file. */
int copy_inline(struct copying *copying, const char *name, const char *content, struct err *err);
/* --chown's owner, or root, and the mode for directories on the way. */
struct view_new_dir copy_new_dir(struct copying *copying);
int copy_finish(struct copying *copying, struct err *err); /* times of made_dirs */

/* ---- build_copy_file.c ---- */
struct file_like { /* what a copied node shall be */
    uid_t uid;
    gid_t gid;
    mode_t mode;
    struct timespec mtime;
};
struct file_like copy_like(const struct copying *copying, const struct stat *st);
/* Copies one node that is no directory to name in dir, over what is there. links: of its source tree. */
int copy_node(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct link_table *links, struct err *err);
int copy_text(struct copying *copying, const char *text, struct view_dir *dir, const char *name, struct err *err);
int copy_dress_dir(const struct copying *copying, int from_fd, const struct stat *st, int to_fd, struct err *err);

/* ---- build_copy_unpack.c ---- */
int archive_is(struct copying *copying, const struct found *found, struct err *err); /* 1, 0, -1 */
int archive_unpack(struct copying *copying, const struct found *found, struct err *err);

/* ---- build_copy_digest.c ---- */
int copy_digest(struct copying *copying, char ret[65], struct err *err);

/* ---- build_copy_user.c ---- */
/* "user[:group]" by the destination's /etc/passwd and /etc/group; "" is root. */
int copy_owner(struct view *root, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err);

/* ---- build_copy_stubs.c ---- */
int copy_mkdir(struct copying *copying, struct err *err);
int copy_probe(struct copying *copying, char ***ret_missing, struct err *err);
/* Touches names of the layer alone; needs CAP_SYS_ADMIN to know opaque directories. */
int copy_unstub(struct copying *copying, struct err *err);
bool copy_dir_is_empty(int dir_fd);
