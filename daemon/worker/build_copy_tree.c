/* One source put into the destination. What BuildKit does, in order: the directory of the target is made; a file goes to the target, or into
 * it when that is a directory; of a directory the contents go into the target. Directories that are there keep their own metadata if they
 * are the target itself, and take the source's below it. */
#include "daemon/worker/build_copy.h"

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct level {
    struct view_dir *dir; /* NULL: a directory that was not picked; made when something in it is */
    char *name;
    int from_fd;          /* borrowed from the walk */
    struct stat stat;
    bool picked, made;
};
struct tree {
    struct copying *copying;
    struct view_dir *top;
    struct level *levels;
    size_t depth, capacity;
    struct link_table links;
};

void copying_done(struct copying *copying)
{
    pattern_set_free(copying->exclude);
    map_free(copying->hidden);
    contents_free(copying->contents);
    strv_free(copying->made_dirs);
    free(copying->buffer);
}

struct view_new_dir copy_new_dir(struct copying *copying)
{
    int octal = mode_change_octal(&copying->chmod);
    return (struct view_new_dir){ .mode = octal >= 0 ? (mode_t)octal & 0777 : 0755, .uid = copying->has_owner ? copying->uid : 0,
                                  .gid = copying->has_owner ? copying->gid : 0, .made = &copying->made_dirs };
}

char *copy_target(const struct job_build_copy *params)
{
    const char *target = params->target ? params->target : "";
    bool slash = params->target_is_dir || !*target || str_ends(target, "/") || str_eq(target, ".") || str_ends(target, "/.");
    AUTO_FREE char *joined = *target == '/' ? xstrdup(target) : str_format("/%s/%s", params->workdir ? params->workdir : "", target);
    AUTO_FREE char *clean = path_clean(joined);
    return slash && !str_ends(clean, "/") ? str_format("%s/", clean) : take_ptr(&clean);
}

/* ---- the directories of the tree ---- */

static struct level *push(struct tree *tree, const struct walk_entry *entry, bool picked)
{
    if (tree->depth == tree->capacity) {
        tree->capacity = tree->capacity ? tree->capacity * 2 : 16;
        tree->levels = xreallocarray(tree->levels, tree->capacity, sizeof *tree->levels);
    }
    struct level *level = &tree->levels[tree->depth++];
    *level = (struct level){ .name = xstrdup(entry->name), .from_fd = entry->fd, .stat = entry->stat, .picked = picked };
    return level;
}

static void pop(struct tree *tree)
{
    struct level *level = &tree->levels[--tree->depth];
    if (level->dir)
        view_leave(level->dir, level->dir->parent);
    free(level->name);
}

static struct view_dir *dir_above(const struct tree *tree, size_t at)
{
    return at == 0 ? tree->top : tree->levels[at - 1].dir;
}

static int open_level(struct tree *tree, size_t at, struct err *err)
{
    struct level *level = &tree->levels[at];
    struct view_dir *parent = dir_above(tree, at);
    struct stat st;
    int found = view_lookup(&tree->copying->dest, parent, level->name, &st, NULL, err);
    if (found < 0)
        return -1;
    if (found && !S_ISDIR(st.st_mode)) {
        AUTO_FREE char *path = view_path(parent, level->name);
        return err_set(err, ERR_INVALID, "cannot copy to non-directory: %s", path);
    }
    level->made = !found;
    return found ? view_enter(parent, level->name, &level->dir, err) : view_make_dir(parent, level->name, 0700, &level->dir, err);
}

/* The directories down to the innermost, which were only names so far. */
static int open_levels(struct tree *tree, struct err *err)
{
    for (size_t i = 0; i < tree->depth; i++)
        if (!tree->levels[i].dir && open_level(tree, i, err) < 0)
            return -1;
    return 0;
}

static int visit(void *arg, const struct pick_entry *pick, struct err *err)
{
    struct tree *tree = arg;
    const struct walk_entry *entry = pick->entry;
    if (S_ISDIR(entry->stat.st_mode)) {
        push(tree, entry, pick->picked);
        if (pick->picked)
            tree->copying->files++;
        return pick->picked ? open_levels(tree, err) : 0;
    }
    if (open_levels(tree, err) < 0)
        return -1;
    return copy_node(tree->copying, entry, dir_above(tree, tree->depth), entry->name, &tree->links, err);
}

/* Behind the contents, which would change its time. */
static int leave(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct tree *tree = arg;
    struct level *level = &tree->levels[tree->depth - 1];
    int r = 0;
    if (level->dir && (level->picked || level->made)) {
        r = view_copy_up(level->dir, err);
        if (r == 0)
            r = copy_dress_dir(tree->copying, level->from_fd, &level->stat, level->dir->upper_fd, err);
    }
    if (r < 0)
        err_wrap(err, "copy %.300s", entry->path);
    pop(tree);
    return r;
}

static int copy_contents(struct copying *copying, const struct found *found, struct view_dir *to, struct err *err)
{
    struct tree tree = { .copying = copying, .top = to };
    const struct picker picker = { .visit = visit, .leave = leave, .arg = &tree };
    int r = pick_tree(copying, found, &picker, err);
    while (tree.depth)
        pop(&tree);
    free(tree.levels);
    link_table_done(&tree.links);
    return r;
}

/* ---- one source ---- */

/* Makes the directory that the target names with its slash, or the one that the target is in. */
static int make_target_dir(struct copying *copying, const char *target, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    AUTO_FREE char *dir = xstrndup(target, (size_t)(path_base(target) - target));
    struct view_new_dir like = copy_new_dir(copying);
    return view_resolve(&copying->dest, dir, true, &at, err) < 0 ? -1 : view_make_dirs(&at, &like, err);
}

static int copy_directory(struct copying *copying, const struct found *found, struct view_at *at, struct err *err)
{
    struct view_new_dir like = copy_new_dir(copying);
    if (view_at_found(at) && !view_at_is_dir(at)) {
        AUTO_FREE char *path = view_path(at->dir, at->rest[0]);
        return err_set(err, ERR_INVALID, "cannot copy to non-directory: %s", path);
    }
    if (view_make_dirs(at, &like, err) < 0)
        return -1;
    return copy_contents(copying, found, at->dir, err);
}

/* The last name of at->rest is the file's; what is before it is made. */
static int split_name(struct copying *copying, struct view_at *at, char **ret_name, struct err *err)
{
    struct view_new_dir like = copy_new_dir(copying);
    size_t count = strv_length(at->rest);
    *ret_name = at->rest[count - 1];
    at->rest[count - 1] = NULL;
    if (count == 1)
        at->exists = false;
    if (view_make_dirs(at, &like, err) == 0)
        return 0;
    free(*ret_name);
    *ret_name = NULL;
    return -1;
}

static int copy_single(struct copying *copying, const struct found *found, struct view_at *at, struct err *err)
{
    struct walk_entry entry = { .path = found->path, .fd = -1, .name = found->at.rest[0], .stat = found->at.stat };
    struct link_table links = { 0 };
    AUTO_FREE char *name = NULL;
    int ready = 0;
    if (view_lookup(&copying->source, found->at.dir, entry.name, &entry.stat, &entry.dir_fd, err) < 0)
        return -1;
    if (view_at_is_dir(at))
        name = xstrdup(path_base(found->path));
    else
        ready = split_name(copying, at, &name, err);
    int r = ready < 0 ? -1 : copy_node(copying, &entry, at->dir, name, &links, err);
    link_table_done(&links);
    return r;
}

int copy_found(struct copying *copying, const struct found *found, void *arg, struct err *err)
{
    const char *target = arg;
    AUTO_VIEW_AT struct view_at at = { 0 };
    if (make_target_dir(copying, target, err) < 0 || view_resolve(&copying->dest, target, true, &at, err) < 0)
        return -1;
    if (view_at_is_dir(&found->at))
        return copy_directory(copying, found, &at, err);
    return copy_single(copying, found, &at, err);
}

int copy_inline(struct copying *copying, const char *name, const char *content, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    AUTO_FREE char *target = copy_target(copying->params), *last = NULL;
    if (make_target_dir(copying, target, err) < 0 || view_resolve(&copying->dest, target, true, &at, err) < 0)
        return -1;
    if (view_at_is_dir(&at))
        last = xstrdup(path_base(name));
    else if (split_name(copying, &at, &last, err) < 0)
        return -1;
    return copy_text(copying, content, at.dir, last, err);
}

int copy_finish(struct copying *copying, struct err *err)
{
    const struct timespec times[2] = { { .tv_sec = copying->params->mtime_unix }, { .tv_sec = copying->params->mtime_unix } };
    if (copying->params->mtime_unix < 0)
        return 0;
    for (size_t i = strv_length(copying->made_dirs); i > 0; i--) {
        AUTO_VIEW_AT struct view_at at = { 0 };
        if (view_resolve(&copying->dest, copying->made_dirs[i - 1], false, &at, err) < 0)
            return -1;
        if (view_at_is_dir(&at) && futimens(at.dir->upper_fd, times) < 0)
            return err_sys(err, errno, "set the time of %s", copying->made_dirs[i - 1]);
    }
    return 0;
}
