#include "daemon/worker/context_ignore.h"

#include "lib/base/path.h"
#include "lib/unpack/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct level {
    bool *matched; /* what each pattern said of the directory */
    bool ignored, keeps; /* keeps: something inside stays */
};
struct ignoring {
    const struct pattern_set *set;
    struct map *hidden; /* NULL: remove */
    struct level *levels;
    size_t depth, capacity;
};

static int drop(struct ignoring *ignoring, const struct walk_entry *entry, struct err *err)
{
    if (ignoring->hidden) {
        map_set(ignoring->hidden, entry->path, ignoring->hidden);
        return 0;
    }
    int r = S_ISDIR(entry->stat.st_mode) ? path_remove_tree_at(entry->dir_fd, entry->name) :
            unlinkat(entry->dir_fd, entry->name, 0) < 0 ? -errno : 0;
    return r < 0 ? err_sys(err, r, "drop the ignored %s", entry->path) : 0;
}

static struct level *push(struct ignoring *ignoring)
{
    if (ignoring->depth == ignoring->capacity) {
        ignoring->capacity = ignoring->capacity ? ignoring->capacity * 2 : 16;
        ignoring->levels = xreallocarray(ignoring->levels, ignoring->capacity, sizeof *ignoring->levels);
    }
    struct level *level = &ignoring->levels[ignoring->depth++];
    *level = (struct level){ .matched = xcalloc(pattern_set_count(ignoring->set) + 1, sizeof(bool)) };
    return level;
}

static void pop(struct ignoring *ignoring)
{
    struct level *level = &ignoring->levels[--ignoring->depth];
    if (ignoring->depth && (level->keeps || !level->ignored))
        level[-1].keeps = true;
    free(level->matched);
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct ignoring *ignoring = arg;
    bool dir = S_ISDIR(entry->stat.st_mode);
    struct level *level = push(ignoring);
    const bool *parent = ignoring->depth > 1 ? level[-1].matched : NULL;
    level->ignored = pattern_set_match(ignoring->set, entry->path, parent, level->matched);
    if (dir && (!level->ignored || pattern_set_may_except(ignoring->set, entry->path)))
        return 0; /* entered; popped behind it */
    int r = level->ignored ? drop(ignoring, entry, err) : 0;
    pop(ignoring);
    return r < 0 ? -1 : dir;
}

static int leave(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct ignoring *ignoring = arg;
    const struct level *level = &ignoring->levels[ignoring->depth - 1];
    int r = level->ignored && !level->keeps ? drop(ignoring, entry, err) : 0;
    pop(ignoring);
    return r;
}

static int run(int dir_fd, const struct pattern_set *set, struct map *hidden, struct err *err)
{
    struct ignoring ignoring = { .set = set, .hidden = hidden };
    struct walk_options walk = { .visit = visit, .leave = leave, .arg = &ignoring };
    if (pattern_set_count(set) == 0)
        return 0;
    int r = walk_tree(dir_fd, &walk, err);
    while (ignoring.depth)
        pop(&ignoring);
    free(ignoring.levels);
    return r < 0 ? err_wrap(err, "apply the ignore file") : 0;
}

int context_ignore_remove(int dir_fd, const struct pattern_set *set, struct err *err)
{
    return run(dir_fd, set, NULL, err);
}

int context_ignore_list(int dir_fd, const struct pattern_set *set, struct map *hidden, struct err *err)
{
    return run(dir_fd, set, hidden, err);
}
