#include "daemon/worker/build_copy.h"

#include "lib/base/path.h"
#include "lib/base/str.h"

struct level { /* what the patterns said of a directory, for what is in it */
    bool *include, *exclude;
};
struct picking {
    struct copying *copying;
    const struct found *found;
    const struct picker *picker;
    char *top; /* real path of the directory, for the hidden ones */
    struct level *levels;
    size_t depth, capacity;
};

static struct level *push(struct picking *picking)
{
    if (picking->depth == picking->capacity) {
        picking->capacity = picking->capacity ? picking->capacity * 2 : 16;
        picking->levels = xreallocarray(picking->levels, picking->capacity, sizeof *picking->levels);
    }
    struct level *level = &picking->levels[picking->depth++];
    *level = (struct level){ 0 };
    return level;
}

static void pop(struct picking *picking)
{
    struct level *level = &picking->levels[--picking->depth];
    free(level->include);
    free(level->exclude);
}

static bool judge(const struct pattern_set *set, const char *path, const bool *parent, bool **ret)
{
    *ret = xcalloc(pattern_set_count(set) + 1, sizeof **ret);
    return pattern_set_match(set, path, parent, *ret);
}

/* Could anything below dir match "prefix/..."? */
static bool on_the_way(const char *dir, const char *prefix)
{
    size_t length = strlen(dir), wanted = strlen(prefix), common = MIN(length, wanted);
    if (strncmp(dir, prefix, common) != 0)
        return false;
    return length == wanted || wanted == 0 || (length < wanted ? prefix[length] : dir[wanted]) == '/';
}

static bool is_left_out(const struct picking *picking, const struct walk_entry *entry)
{
    if (S_ISSOCK(entry->stat.st_mode) || (S_ISCHR(entry->stat.st_mode) && entry->stat.st_rdev == 0))
        return true;
    if (!picking->copying->hidden)
        return false;
    AUTO_FREE char *path = *picking->top ? path_join(picking->top, entry->path) : xstrdup(entry->path);
    return map_get(picking->copying->hidden, path) != NULL;
}

/* Is it picked, and (for a directory) may something in it be, though it is not itself? */
static bool pick(struct picking *picking, const char *path, struct level *level, bool *ret_may_hold)
{
    const struct level *parent = picking->depth > 1 ? level - 1 : NULL;
    const struct found *found = picking->found;
    const struct pattern_set *exclude = picking->copying->exclude;
    bool picked = true, hold = true;
    if (found->include) {
        picked = judge(found->include, path, parent ? parent->include : NULL, &level->include);
        hold = picked || on_the_way(path, found->include_prefix);
    }
    if (exclude && judge(exclude, path, parent ? parent->exclude : NULL, &level->exclude)) {
        picked = false;
        hold = hold && pattern_set_may_except(exclude, path);
    }
    *ret_may_hold = hold;
    return picked;
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct picking *picking = arg;
    struct pick_entry out = { .entry = entry, .picked = true };
    bool hold = true;
    if (is_left_out(picking, entry))
        return 1;
    if (picking->found->include || picking->copying->exclude)
        out.picked = pick(picking, entry->path, push(picking), &hold);
    else
        push(picking);
    bool enter = S_ISDIR(entry->stat.st_mode) && (out.picked || hold);
    int r = out.picked || enter ? picking->picker->visit(picking->picker->arg, &out, err) : 0;
    if (r < 0 || !enter)
        pop(picking);
    return r < 0 ? -1 : !enter;
}

static int leave(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct picking *picking = arg;
    pop(picking);
    return picking->picker->leave ? picking->picker->leave(picking->picker->arg, entry, err) : 0;
}

int pick_tree(struct copying *copying, const struct found *found, const struct picker *picker, struct err *err)
{
    AUTO_FREE char *real = view_path(found->at.dir, NULL);
    struct picking picking = { .copying = copying, .found = found, .picker = picker, .top = real + 1 };
    struct walk_options walk = { .visit = visit, .leave = leave, .arg = &picking };
    int r = found->at.dir->lower_fd < 0 ? 0 : walk_tree(found->at.dir->lower_fd, &walk, err);
    while (picking.depth)
        pop(&picking);
    free(picking.levels);
    return r;
}
