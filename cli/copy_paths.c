#include "cli/copy_paths.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include <errno.h>
#include <limits.h>
#include <unistd.h>

void copy_end_done(struct copy_end *end)
{
    free(end->path);
    free(end->rebase_name);
    *end = (struct copy_end){ 0 };
}

void copy_plan_done(struct copy_plan *plan)
{
    free(plan->dir);
    free(plan->from);
    free(plan->to);
    *plan = (struct copy_plan){ 0 };
}

bool copy_means_content(const char *path)
{
    return str_eq(path, ".") || str_ends(path, "/.");
}

bool copy_means_dir(const char *path)
{
    return copy_means_content(path) || str_ends(path, "/");
}

static char *parent_of(const char *clean)
{
    const char *slash = strrchr(clean, '/');
    if (!slash)
        return xstrdup(".");
    return slash == clean ? xstrdup("/") : xstrndup(clean, (size_t)(slash - clean));
}

void copy_split(const char *path, char **ret_dir, char **ret_base)
{
    char *clean = path_clean(path);
    if (copy_means_content(path)) {
        *ret_dir = clean;
        *ret_base = xstrdup(".");
        return;
    }
    bool root = str_eq(clean, "/");
    *ret_dir = parent_of(clean);
    *ret_base = xstrdup(root ? "/" : path_base(clean));
    free(clean);
}

static char *keep_ending(const char *clean, const char *original)
{
    bool slash = str_ends(clean, "/");
    if (copy_means_content(original))
        return str_format("%s%s.", clean, slash ? "" : "/");
    return str_format("%s%s", clean, !slash && str_ends(original, "/") ? "/" : "");
}

char *copy_local_path(const char *path)
{
    char here[PATH_MAX];
    AUTO_FREE char *whole = path[0] == '/' || !getcwd(here, sizeof here) ? xstrdup(path) : path_join(here, path);
    AUTO_FREE char *clean = path_clean(whole);
    return keep_ending(clean, path);
}

char *copy_link_target(const char *path, const char *target)
{
    AUTO_FREE char *dir = NULL, *base = NULL;
    if (target[0] == '/')
        return xstrdup(target);
    copy_split(path, &dir, &base);
    AUTO_FREE char *joined = path_join(dir, target);
    return path_clean(joined);
}

static char *base_of(const char *path)
{
    AUTO_FREE char *clean = path_clean(path);
    return xstrdup(str_eq(clean, "/") ? "/" : path_base(clean));
}

char *copy_followed(const char *path, const char *resolved, char **ret_rebase)
{
    AUTO_FREE char *asked = base_of(path), *found = base_of(resolved);
    *ret_rebase = str_eq(asked, found) || copy_means_content(path) ? NULL : take_ptr(&asked);
    return keep_ending(resolved, path);
}

int copy_plan_make(const struct copy_end *source, const struct copy_end *destination, struct copy_plan *ret, struct err *err)
{
    AUTO_FREE char *source_dir = NULL, *source_base = NULL, *dir = NULL, *base = NULL;
    copy_split(source->path, &source_dir, &source_base);
    copy_split(destination->path, &dir, &base);
    if (destination->exists && destination->is_dir) {
        *ret = (struct copy_plan){ .dir = xstrdup(destination->path), .from = take_ptr(&source_base), .to = xstrdup(source->rebase_name) };
        return 0;
    }
    if (destination->exists && source->is_dir)
        return err_set(err, ERR_INVALID, "cannot copy directory");
    if (!destination->exists && !source->is_dir && copy_means_dir(destination->path))
        return err_set(err, ERR_INVALID, "no such directory");
    *ret = (struct copy_plan){ .dir = take_ptr(&dir), .from = take_ptr(&source_base), .to = take_ptr(&base) };
    return 0;
}

void copy_argument(const char *text, char **ret_container, char **ret_path)
{
    const char *colon = strchr(text, ':');
    bool local = text[0] == '/' || text[0] == '.' || !colon;
    *ret_container = local ? NULL : xstrndup(text, (size_t)(colon - text));
    *ret_path = xstrdup(local ? text : colon + 1);
}

char *copy_entry_name(const struct copy_plan *plan, const char *name)
{
    const char *from = str_eq(plan->from, "/") ? "" : plan->from;
    const char *rest = plan->to ? str_after(name, from) : NULL;
    if (!rest || (*from && *rest && *rest != '/'))
        return xstrdup(name);
    return str_format("%s%s", plan->to, rest);
}
