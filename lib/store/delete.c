/* `docker rmi`. Theory of operation: a name is given -> the name goes, and the image with it when that was its last
 * name. An id is given -> all names go when they belong to one repository. Then the image itself is deleted unless
 * something stands on it (children, containers, other names); with prune its untagged parents follow quietly. */
#include "lib/base/str.h"
#include "lib/oci/digest.h"
#include "lib/store/internal.h"
#include <stdio.h>

enum { CONFLICT_CHILD = 1, CONFLICT_RUNNING = 2, CONFLICT_STOPPED = 4, CONFLICT_NAMED = 8 };
#define CONFLICT_HARD (CONFLICT_CHILD | CONFLICT_RUNNING)
#define CONFLICT_SOFT (CONFLICT_STOPPED | CONFLICT_NAMED)

struct deletion_run {
    struct store *store;
    const struct store_delete *request;
    struct store_deletions *list;
};

void store_deletions_done(struct store_deletions *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].untagged);
        free(list->items[i].deleted);
        free(list->items[i].image);
    }
    free(list->items);
    *list = (struct store_deletions){ 0 };
}

static void report(struct deletion_run *run, char *untagged, char *deleted, const char *image)
{
    struct store_deletions *list = run->list;
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct store_deletion){ .untagged = untagged, .deleted = deleted, .image = xstrdup(image) };
}

static bool is_digest_ref(const char *canonical)
{
    return strchr(canonical, '@') != NULL;
}

/* Length of the name: the digest, or the tag after the last slash, left out. */
static size_t name_length(const char *canonical)
{
    const char *at = strchr(canonical, '@');
    if (at)
        return (size_t)(at - canonical);
    const char *colon = strrchr(canonical, ':'), *slash = strrchr(canonical, '/');
    return colon && (!slash || colon > slash) ? (size_t)(colon - canonical) : strlen(canonical);
}

static bool same_name(const char *a, const char *b)
{
    size_t length = name_length(a);
    return length == name_length(b) && memcmp(a, b, length) == 0;
}

/* At most one tag, and every digest of the same repository. */
static bool is_single_name(const struct store_image *image)
{
    const char *tag = NULL;
    size_t count = strv_length(image->refs);
    for (size_t i = 0; i < count; i++) {
        if (is_digest_ref(image->refs[i]))
            continue;
        if (tag)
            return false;
        tag = image->refs[i];
    }
    for (size_t i = 0; count > 1 && i < count; i++) {
        if (!same_name(tag ? tag : image->refs[0], image->refs[i]))
            return false;
    }
    return true;
}

static void untag_one(struct deletion_run *run, struct store_image *image, const char *canonical)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    struct err ignored = { 0 };
    char *familiar = reference_parse(canonical, &ref, &ignored) == 0 ? reference_familiar_string(&ref) : xstrdup(canonical);
    report(run, familiar, NULL, image->id);
    ref_take_away(run->store, image, canonical);
}

static void untag_all(struct deletion_run *run, struct store_image *image)
{
    while (image->refs && image->refs[0])
        untag_one(run, image, image->refs[0]);
}

static void short_id(const char *id, char ret[13])
{
    const char *hex = str_after(id, "sha256:");
    snprintf(ret, 13, "%.12s", hex ? hex : id);
}

static const char *container_of_image(const struct deletion_run *run, const struct store_image *image, bool running)
{
    return run->request->used_by ? run->request->used_by(run->request->arg, image->id, running) : NULL;
}

/* *ret_used: a container is what stands in the way. */
static int check_conflict(const struct deletion_run *run, const struct store_image *image, unsigned mask, bool *ret_used, struct err *err)
{
    char id[13], user[13];
    const char *container = NULL;
    short_id(image->id, id);
    *ret_used = false;
    if ((mask & CONFLICT_CHILD) && image->child_count)
        return err_set(err, ERR_CONFLICT, "conflict: unable to delete %s (cannot be forced) - image has dependent child images", id);
    if ((mask & CONFLICT_RUNNING) && (container = container_of_image(run, image, true))) {
        short_id(container, user);
        *ret_used = true;
        return err_set(err, ERR_CONFLICT, "conflict: unable to delete %s (cannot be forced) - image is being used by running container %s", id,
                       user);
    }
    if ((mask & CONFLICT_NAMED) && image->refs && image->refs[0])
        return err_set(err, ERR_CONFLICT, "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories", id);
    if ((mask & CONFLICT_STOPPED) && (container = container_of_image(run, image, false))) {
        short_id(container, user);
        *ret_used = true;
        return err_set(err, ERR_CONFLICT, "conflict: unable to delete %s (must be forced) - image is being used by stopped container %s", id,
                       user);
    }
    return 0;
}

char **store_chain_ids(char *const *diff_ids)
{
    char **chain = strv_split("", ',', true);
    char last[72] = "";
    for (; diff_ids && *diff_ids; diff_ids++) {
        AUTO_FREE char *text = str_format("%s %s", last, *diff_ids);
        if (*last)
            store_digest(text, strlen(text), last);
        else
            str_copy(last, sizeof last, *diff_ids);
        strv_append(&chain, last);
    }
    return chain;
}

/* Is the chain of the first `length` layers part of another image, or held by a job or container? */
static bool chain_in_use(const struct store *store, char *const *diff_ids, size_t length)
{
    size_t pinned = 0;
    while (pinned < length && store_pinned(store, diff_ids[pinned]))
        pinned++;
    if (pinned == length)
        return true;
    for (size_t i = 0; i < store->image_count; i++) {
        char **other = store->order[i]->diff_ids;
        size_t same = 0;
        while (same < length && other[same] && str_eq(other[same], diff_ids[same]))
            same++;
        if (same == length)
            return true;
    }
    return false;
}

static void delete_record(struct deletion_run *run, struct store_image *image)
{
    char id[72];
    char **diff_ids = take_ptr(&image->diff_ids);
    str_copy(id, sizeof id, image->id);
    report(run, NULL, xstrdup(id), id);
    image->diff_ids = strv_dup(diff_ids);
    image_remove(run->store, image);
    char **chain = store_chain_ids(diff_ids);
    for (size_t length = strv_length(chain); length > 0 && !chain_in_use(run->store, diff_ids, length); length--)
        report(run, NULL, xstrdup(chain[length - 1]), id);
    strv_free(chain);
    strv_free(diff_ids);
}

/* quiet: a name went already (or a parent is pruned), so that a conflict is no failure, unless the image would be left
 * without a name and no container is to blame. */
static int delete_image(struct deletion_run *run, struct store_image *image, bool force, bool prune, bool quiet, struct err *err)
{
    bool used;
    while (image) {
        struct err conflict = { 0 };
        if (check_conflict(run, image, force ? CONFLICT_HARD : CONFLICT_HARD | CONFLICT_SOFT, &used, &conflict) < 0) {
            if (quiet && (!store_image_is_dangling(image) || used))
                return 0;
            *err = conflict;
            return -1;
        }
        AUTO_FREE char *parent = xstrdup(image->parent);
        untag_all(run, image);
        delete_record(run, image);
        image = prune && parent ? store_image_get(run->store, parent) : NULL;
        force = false;
        quiet = true;
        if (image && (image->child_count || strv_length(image->refs)))
            return 0;
    }
    return 0;
}

/* Digests of a repository go with its last tag. */
static void untag_left_digests(struct deletion_run *run, struct store_image *image, const char *canonical)
{
    size_t count = strv_length(image->refs);
    for (size_t i = 0; i < count; i++) {
        if (!is_digest_ref(image->refs[i]) && same_name(image->refs[i], canonical))
            return;
    }
    for (size_t i = 0; image->refs && image->refs[i];) {
        if (is_digest_ref(image->refs[i]) && same_name(image->refs[i], canonical))
            untag_one(run, image, image->refs[i]);
        else
            i++;
    }
}

static int canonical_of(const char *text, char **ret, struct err *err)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    if (reference_parse(text, &ref, err) < 0)
        return -1;
    if (ref.digest) {
        free(ref.tag);
        ref.tag = NULL;
    }
    reference_tag_default(&ref);
    *ret = reference_string(&ref);
    return 0;
}

static int delete_by_name(struct deletion_run *run, struct store_image *image, struct err *err)
{
    const struct store_delete *request = run->request;
    AUTO_FREE char *canonical = NULL;
    if (canonical_of(request->text, &canonical, err) < 0)
        return -1;
    const char *user = container_of_image(run, image, true);
    if (!user)
        user = container_of_image(run, image, false);
    if (!request->force && user && is_single_name(image)) {
        char id[13], container[13];
        short_id(image->id, id);
        short_id(user, container);
        return err_set(err, ERR_CONFLICT,
                       "conflict: unable to remove repository reference \"%s\" (must force) - container %s is using its referenced image %s",
                       request->text, container, id);
    }
    untag_one(run, image, canonical);
    if (!is_digest_ref(canonical))
        untag_left_digests(run, image, canonical);
    if (image->refs && image->refs[0])
        return 0;
    return delete_image(run, image, request->force, request->prune, true, err);
}

static int delete_by_id(struct deletion_run *run, struct store_image *image, struct err *err)
{
    const struct store_delete *request = run->request;
    bool used;
    if (is_single_name(image)) {
        if (check_conflict(run, image, request->force ? CONFLICT_HARD : CONFLICT_HARD | CONFLICT_STOPPED, &used, err) < 0)
            return -1;
        untag_all(run, image);
    }
    return delete_image(run, image, request->force, request->prune, false, err);
}

int store_image_delete(struct store *store, const struct store_delete *request, struct store_deletions *ret, uint64_t *ret_ticket,
                       struct err *err)
{
    struct store_image *image = NULL;
    *ret = (struct store_deletions){ 0 };
    *ret_ticket = 0;
    if (store_image_find(store, request->text, &image, err) < 0)
        return -1;
    struct deletion_run run = { .store = store, .request = request, .list = ret };
    db_group_begin(store->db);
    int result = store_text_is_id_prefix(image, request->text) ? delete_by_id(&run, image, err) : delete_by_name(&run, image, err);
    *ret_ticket = db_group_end(store->db, DB_FULL);
    return result;
}
