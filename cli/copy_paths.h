/* The rules of `cp`: which directory an archive goes into and what its first name becomes. Pure text; who asks has looked at
 * the disk or the container. "/." at the end means the content of a directory, a slash insists on one. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>

struct copy_end {
    char *path;        /* as far as links were followed */
    bool exists, is_dir;
    char *rebase_name; /* of a source whose link was followed: the name it was asked for; NULL = its own */
};
void copy_end_done(struct copy_end *end);
#define AUTO_COPY_END __attribute__((cleanup(copy_end_done)))

/* What is to be done with the archive of a source: unpack it in dir with the first name `from` replaced by `to` (to NULL:
 * names stay). */
struct copy_plan {
    char *dir, *from, *to;
};
void copy_plan_done(struct copy_plan *plan);
#define AUTO_COPY_PLAN __attribute__((cleanup(copy_plan_done)))
/* ERR_INVALID "cannot copy directory", "no such directory". */
int copy_plan_make(const struct copy_end *source, const struct copy_end *destination, struct copy_plan *ret, struct err *err);

/* "/a/b/." -> "/a/b", "."; "/a/b/" -> "/a", "b". Caller frees both. */
void copy_split(const char *path, char **ret_dir, char **ret_base);
bool copy_means_content(const char *path);  /* ends in "/." or is "." */
bool copy_means_dir(const char *path);      /* that, or ends in a slash */
/* Absolute and clean, but with the "/." or "/" that the text ends with. Caller frees. */
char *copy_local_path(const char *path);
/* The target of a link in path's directory. Caller frees. */
char *copy_link_target(const char *path, const char *target);
/* A followed link keeps the ending of the path it was reached by; *ret_rebase is the name asked for when it differs, else NULL. */
char *copy_followed(const char *path, const char *resolved, char **ret_rebase);

/* "container:/path" -> both parts; a path with a slash or point before the colon is local (container NULL). Caller frees. */
void copy_argument(const char *text, char **ret_container, char **ret_path);
/* The name of an entry by the plan. Caller frees. */
char *copy_entry_name(const struct copy_plan *plan, const char *name);
