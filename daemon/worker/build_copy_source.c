#include "daemon/worker/build_copy.h"

#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>

struct searching {
    struct copying *copying;
    const char *missing;
    found_fn fn;
    void *arg;
    const char *base;        /* the part of the source before its first wildcard */
    const char *pattern;     /* behind it */
    char **parts;            /* of the pattern, NULL when a class might match a slash */
    struct pattern_set *include;
    char *include_prefix;
};

static int report(const struct searching *search, const char *path, struct err *err)
{
    AUTO_FREE char *absolute = str_format("/%s", path);
    const char *mark = strstr(search->missing, "%s");
    return err_set(err, ERR_NOT_FOUND, "%.*s%s%s", (int)(mark - search->missing), search->missing, absolute, mark + 2);
}

static int found_one(struct searching *search, const char *path, struct err *err)
{
    struct found found = { .path = xstrdup(path), .include = search->include, .include_prefix = search->include_prefix };
    int r = view_resolve(&search->copying->source, path, true, &found.at, err);
    if (r == 0 && !view_at_found(&found.at))
        r = report(search, path, err);
    if (r == 0)
        r = search->fn(search->copying, &found, search->arg, err);
    view_at_done(&found.at);
    free(found.path);
    return r;
}

/* ---- wildcards ---- */

static int matches_at(const struct searching *search, const struct walk_entry *entry, bool *ret_last, struct err *err)
{
    bool matched = false;
    if (!search->parts) {
        *ret_last = true;
        return pattern_match(search->pattern, entry->path, &matched, err) < 0 ? -1 : matched;
    }
    size_t depth = 0;
    for (const char *p = entry->path; (p = strchr(p, '/')); p++)
        depth++;
    *ret_last = !search->parts[depth + 1];
    return pattern_match(search->parts[depth], entry->name, &matched, err) < 0 ? -1 : matched;
}

struct matching {
    struct searching *search;
    char **paths;
};

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct matching *matching = arg;
    const struct searching *search = matching->search;
    bool last = false;
    AUTO_FREE char *path = *search->base ? path_join(search->base, entry->path) : xstrdup(entry->path);
    if (search->copying->hidden && map_get(search->copying->hidden, path))
        return 1;
    if (S_ISCHR(entry->stat.st_mode) && entry->stat.st_rdev == 0)
        return 1;
    int matched = matches_at(search, entry, &last, err);
    if (matched < 0)
        return -1;
    if (matched && last)
        strv_append_take(&matching->paths, take_ptr(&path));
    return matched ? last : search->parts != NULL;
}

static int match_all(struct searching *search, struct err *err)
{
    struct matching matching = { .search = search };
    struct walk_options walk = { .visit = visit, .arg = &matching };
    AUTO_VIEW_AT struct view_at at = { 0 };
    if (view_resolve(&search->copying->source, search->base, true, &at, err) < 0)
        return -1;
    if (!view_at_found(&at))
        return report(search, search->base, err);
    if (!view_at_is_dir(&at) || at.dir->lower_fd < 0)
        return 0;
    AUTO_FREE char *real = view_path(at.dir, NULL);
    search->base = real + 1;
    int r = walk_tree(at.dir->lower_fd, &walk, err);
    for (size_t i = 0; r == 0 && matching.paths && matching.paths[i]; i++)
        r = found_one(search, matching.paths[i], err);
    strv_free(matching.paths);
    return r;
}

/* path: clean, relative */
static int search_path(struct searching *search, const char *path, struct err *err)
{
    bool ignored;
    if (!pattern_has_wildcards(path))
        return found_one(search, path, err);
    if (pattern_match(path, "", &ignored, err) < 0)
        return err_wrap(err, "invalid source %s", path);
    CLEANUP(strv_free) char **all = strv_split(path, '/', true);
    size_t plain = 0;
    while (!pattern_has_wildcards(all[plain]))
        plain++;
    AUTO_FREE char *pattern = strv_join(all + plain, "/");
    CLEANUP(strv_free) char **parts = strchr(pattern, '[') ? NULL : strv_dup(all + plain);
    for (size_t i = plain; all[i]; i++) {
        free(all[i]);
        all[i] = NULL;
    }
    AUTO_FREE char *base = strv_join(all, "/");
    search->base = base;
    search->pattern = pattern;
    search->parts = parts;
    return match_all(search, err);
}

/* ---- sources ---- */

static char *clean_relative(const char *text)
{
    AUTO_FREE char *rooted = str_format("/%s", text), *clean = path_clean(rooted);
    return xstrdup(clean + 1);
}

static char *plain_prefix(const char *pattern)
{
    CLEANUP(strv_free) char **parts = strv_split(pattern, '/', true);
    for (size_t i = 0; parts[i]; i++) {
        if (pattern_has_wildcards(parts[i]) || strchr(parts[i], '\\')) {
            for (size_t drop = i; parts[drop]; drop++) {
                free(parts[drop]);
                parts[drop] = NULL;
            }
        }
    }
    return strv_join(parts, "/");
}

/* "dir/./what": what is taken of dir, and what of its path stays. Without wildcards it has to be there. */
static int search_parents(struct searching *search, const char *source, struct err *err)
{
    const char *pivot = strstr(source, "/./");
    AUTO_FREE char *before = pivot ? xstrndup(source, (size_t)(pivot - source)) : xstrdup("");
    AUTO_FREE char *base = clean_relative(before), *pattern = clean_relative(pivot ? pivot + 3 : source);
    char *const patterns[] = { pattern, NULL };
    if (!pattern_has_wildcards(base) && !pattern_has_wildcards(pattern)) {
        AUTO_VIEW_AT struct view_at at = { 0 };
        AUTO_FREE char *whole = str_format("%s%s%s", base, *base ? "/" : "", pattern);
        if (view_resolve(&search->copying->source, whole, false, &at, err) < 0)
            return -1;
        if (!view_at_found(&at))
            return report(search, whole, err);
    }
    if (*pattern && pattern_set_new(patterns, &search->include, err) < 0)
        return err_wrap(err, "invalid source %s", source);
    search->include_prefix = plain_prefix(pattern);
    int r = search_path(search, base, err);
    pattern_set_free(search->include);
    free(search->include_prefix);
    search->include = NULL;
    search->include_prefix = NULL;
    return r;
}

int sources_each(struct copying *copying, const char *missing, found_fn fn, void *arg, struct err *err)
{
    struct searching search = { .copying = copying, .missing = missing, .fn = fn, .arg = arg };
    const struct job_build_copy *params = copying->params;
    for (size_t i = 0; params->sources && params->sources[i]; i++) {
        AUTO_FREE char *clean = clean_relative(params->sources[i]);
        int r = params->parents ? search_parents(&search, params->sources[i], err) : search_path(&search, clean, err);
        if (r < 0)
            return -1;
    }
    return 0;
}
