#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/oci/digest.h"
#include "lib/oci/image.h"
#include "lib/store/internal.h"

void image_free(struct store_image *image)
{
    if (!image)
        return;
    char *texts[] = { image->parent, image->os, image->architecture, image->variant, image->labels, image->manifest, image->manifest_type };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    strv_free(image->diff_ids);
    strv_free(image->refs);
    free(image);
}

/* Newest first; equal times keep the order of their arrival. */
void image_insert(struct store *store, struct store_image *image)
{
    if (store->image_count == store->image_room) {
        store->image_room = store->image_room ? store->image_room * 2 : 16;
        store->order = xreallocarray(store->order, store->image_room, sizeof *store->order);
    }
    size_t low = 0, high = store->image_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (store->order[middle]->created_ns > image->created_ns)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(store->order + low + 1, store->order + low, (store->image_count - low) * sizeof *store->order);
    store->order[low] = image;
    store->image_count++;
    map_set(store->images, image->id, image);
}

static void count_children(struct store *store, struct store_image *image)
{
    image->child_count = 0;
    for (size_t i = 0; i < store->image_count; i++)
        image->child_count += str_eq(store->order[i]->parent, image->id);
}

void image_link(struct store *store, struct store_image *image)
{
    for (char **id = image->diff_ids; id && *id; id++) {
        struct layer *layer = layer_of(store, *id);
        if (layer)
            layer->base.image_count++;
    }
    count_children(store, image);
}

void image_remove(struct store *store, struct store_image *image)
{
    size_t at = 0;
    while (store->order[at] != image)
        at++;
    store->image_count--;
    memmove(store->order + at, store->order + at + 1, (store->image_count - at) * sizeof *store->order);
    map_remove(store->images, image->id);
    while (image->refs && image->refs[0])
        ref_take_away(store, image, image->refs[0]);
    for (char **id = image->diff_ids; id && *id; id++) {
        struct layer *layer = layer_of(store, *id);
        if (layer)
            layer->base.image_count--;
    }
    struct store_image *parent = image->parent ? store_image_get(store, image->parent) : NULL;
    if (parent)
        count_children(store, parent);
    blob_maybe_unused(store, image->id);
    blob_maybe_unused(store, image->manifest);
    db_queue(store->db, DB_FULL, "DELETE FROM images WHERE id = ?", "s", image->id);
    image_free(image);
}

struct store_image *store_image_get(struct store *store, const char *id)
{
    return id ? map_get(store->images, id) : NULL;
}

struct store_image *store_image_by_ref(struct store *store, const char *canonical)
{
    return map_get(store->refs, canonical);
}

struct store_image *const *store_images(const struct store *store, size_t *ret_count)
{
    *ret_count = store->image_count;
    return store->order;
}

bool store_text_is_id_prefix(const struct store_image *image, const char *text)
{
    return str_starts(image->id, text) || str_starts(image->id + strlen("sha256:"), text);
}

static struct store_image *find_prefix(struct store *store, const char *text)
{
    struct store_image *found = NULL;
    const char *hex = str_after(text, "sha256:");
    if (!hex)
        hex = text;
    size_t length = strlen(hex);
    if (!length || !str_is_hex(hex, length))
        return NULL;
    for (size_t i = 0; i < store->image_count; i++) {
        if (strncmp(store->order[i]->id + strlen("sha256:"), hex, length) != 0)
            continue;
        if (found)
            return NULL;
        found = store->order[i];
    }
    return found;
}

static struct store_image *find_reference(struct store *store, struct reference *ref)
{
    if (ref->digest) {
        free(ref->tag);
        ref->tag = NULL;
    }
    reference_tag_default(ref);
    AUTO_FREE char *canonical = reference_string(ref);
    return store_image_by_ref(store, canonical);
}

int store_image_find(struct store *store, const char *text, struct store_image **ret, struct err *err)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    AUTO_FREE char *id = NULL;
    if (reference_parse_any(text, &ref, &id, err) < 0)
        return -1;
    AUTO_FREE char *full = id ? str_starts(id, "sha256:") ? xstrdup(id) : str_format("sha256:%s", id) : NULL;
    struct store_image *image = full ? store_image_get(store, full) : NULL;
    if (!id) {
        AUTO_REFERENCE struct reference asked = { 0 };
        reference_copy(&asked, &ref);
        image = find_reference(store, &ref);
        if (!image)
            image = find_prefix(store, text);
        reference_tag_default(&asked);
        full = reference_familiar_string(&asked);
    }
    if (!image)
        return err_set(err, ERR_NOT_FOUND, "No such image: %s", full);
    *ret = image;
    return 0;
}

static char **refs_of_kind(const struct store_image *image, bool digests)
{
    char **list = NULL;
    for (char **canonical = image->refs; canonical && *canonical; canonical++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        struct err ignored = { 0 };
        if ((strchr(*canonical, '@') != NULL) == digests && reference_parse(*canonical, &ref, &ignored) == 0)
            strv_append_take(&list, reference_familiar_string(&ref));
    }
    return list;
}

char **store_image_repo_tags(const struct store_image *image)
{
    return refs_of_kind(image, false);
}

char **store_image_repo_digests(const struct store_image *image)
{
    return refs_of_kind(image, true);
}

/* ---- adding ---- */

void store_image_info_done(struct store_image_info *info)
{
    char *texts[] = { info->parent, info->os, info->architecture, info->variant, info->labels, info->manifest, info->manifest_type };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    strv_free(info->diff_ids);
    strv_free(info->refs);
    *info = (struct store_image_info){ .parent = NULL };
}

static char *labels_text(const struct str_map *labels)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t count = str_map_count(labels);
    if (!count)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        buf_putc(&out, i ? ',' : '{');
        json_put_string(&out, labels->keys[i], strlen(labels->keys[i]));
        buf_putc(&out, ':');
        json_put_string(&out, labels->values[i], strlen(labels->values[i]));
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}

static char *non_empty_dup(const char *text)
{
    return str_empty(text) ? NULL : xstrdup(text);
}

int store_image_info_decode(const char *config, size_t length, struct store_image_info *ret, struct err *err)
{
    struct oci_image image;
    if (oci_image_decode(config, length, &image, err) < 0)
        return -1;
    AUTO_STORE_IMAGE_INFO struct store_image_info info = { .parent = NULL };
    store_digest(config, length, info.id);
    info.os = non_empty_dup(image.os);
    info.architecture = non_empty_dup(image.architecture);
    info.variant = non_empty_dup(image.variant);
    info.labels = image.config ? labels_text(&image.config->labels) : NULL;
    info.diff_ids = strv_dup(image.rootfs.diff_ids);
    int failure = str_empty(image.created) ? 0 : time_parse_rfc3339(image.created, &info.created_ns);
    codec_clear(&oci_image_type, &image);
    for (char **id = info.diff_ids; id && *id; id++) {
        if (!digest_is_sha256(*id))
            return err_set(err, ERR_INVALID, "unsupported layer id %s", *id);
    }
    if (failure)
        return err_set(err, ERR_INVALID, "image config has a bad creation time");
    *ret = info;
    info = (struct store_image_info){ .parent = NULL };
    return 0;
}

static void queue_image_row(struct store *store, const struct store_image *image)
{
    AUTO_FREE char *diff_ids = strv_join(image->diff_ids, ",");
    db_queue(store->db, DB_FULL, "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "ssiiiisssssss", image->id,
             image->parent, image->created_ns, image->size, image->tagged_ns, (int64_t)image->local, image->os, image->architecture,
             image->variant, image->labels, image->manifest, image->manifest_type, diff_ids);
}

/* `create`: a new image takes the info's fields; an old one only what it had not. */
static struct store_image *image_make(struct store *store, const struct store_image_info *info)
{
    struct store_image *image = xcalloc(1, sizeof *image);
    str_copy(image->id, sizeof image->id, info->id);
    image->parent = non_empty_dup(info->parent);
    image->created_ns = info->created_ns;
    image->local = info->local;
    image->os = non_empty_dup(info->os);
    image->architecture = non_empty_dup(info->architecture);
    image->variant = non_empty_dup(info->variant);
    image->labels = non_empty_dup(info->labels);
    image->diff_ids = info->diff_ids ? strv_dup(info->diff_ids) : strv_split("", ',', true);
    for (char **id = image->diff_ids; *id; id++)
        image->size += layer_of(store, *id)->base.size;
    image_insert(store, image);
    image_link(store, image);
    struct store_image *parent = store_image_get(store, image->parent);
    if (parent)
        count_children(store, parent);
    return image;
}

static void image_take_manifest(struct store *store, struct store_image *image, const char *digest, const char *media_type)
{
    if (str_empty(digest) || str_eq(image->manifest, digest))
        return;
    blob_maybe_unused(store, image->manifest);
    free(image->manifest);
    free(image->manifest_type);
    image->manifest = xstrdup(digest);
    image->manifest_type = non_empty_dup(media_type);
}

void store_image_set_manifest(struct store *store, struct store_image *image, const char *digest, const char *media_type)
{
    image_take_manifest(store, image, digest, media_type);
    queue_image_row(store, image);
}

void store_image_set_parent(struct store *store, struct store_image *image, const char *parent)
{
    struct store_image *old = store_image_get(store, image->parent), *new_parent = store_image_get(store, parent);
    free(image->parent);
    image->parent = non_empty_dup(parent);
    if (old)
        count_children(store, old);
    if (new_parent)
        count_children(store, new_parent);
    queue_image_row(store, image);
}

int store_image_add(struct store *store, const struct store_image_info *info, struct store_image **ret_image, uint64_t *ret_ticket,
                    struct err *err)
{
    for (char **id = info->diff_ids; id && *id; id++) {
        if (!layer_of(store, *id))
            return err_set(err, ERR_INTERNAL, "layer %s is not in the store", *id);
    }
    db_group_begin(store->db);
    struct store_image *image = store_image_get(store, info->id);
    if (!image)
        image = image_make(store, info);
    image->local |= info->local;
    image_take_manifest(store, image, info->manifest, info->manifest_type);
    for (char **id = image->diff_ids; *id; id++)
        layer_rows_queue(store, layer_of(store, *id));
    for (char **ref = info->refs; ref && *ref; ref++)
        ref_point(store, image, *ref);
    if (!image->parent && !str_empty(info->parent))
        store_image_set_parent(store, image, info->parent);
    queue_image_row(store, image);
    *ret_ticket = db_group_end(store->db, DB_FULL);
    if (ret_image)
        *ret_image = image;
    return 0;
}

/* ---- names ---- */

void ref_take_away(struct store *store, struct store_image *image, const char *canonical)
{
    AUTO_FREE char *name = xstrdup(canonical); /* it may live in the list it leaves */
    db_queue(store->db, DB_FULL, "DELETE FROM image_refs WHERE ref = ?", "s", name);
    map_remove(store->refs, name);
    strv_remove(image->refs, name);
}

void ref_point(struct store *store, struct store_image *image, const char *canonical)
{
    struct store_image *old = map_get(store->refs, canonical);
    if (!strchr(canonical, '@'))
        image->tagged_ns = time_now_unix_ns();
    if (old == image)
        return;
    if (old)
        strv_remove(old->refs, canonical);
    map_set(store->refs, canonical, image);
    strv_append(&image->refs, canonical);
    strv_sort(image->refs);
    db_queue(store->db, DB_FULL, "INSERT OR REPLACE INTO image_refs VALUES (?, ?)", "ss", canonical, image->id);
}

int store_tag(struct store *store, const struct reference *ref, const char *image_id, uint64_t *ret_ticket, struct err *err)
{
    struct store_image *image = store_image_get(store, image_id);
    AUTO_FREE char *familiar = reference_familiar_name(ref);
    if (!image)
        return err_set(err, ERR_NOT_FOUND, "No such image: %s", image_id);
    if (str_eq(familiar, "sha256"))
        return err_set(err, ERR_INVALID, "refusing to create an ambiguous tag using digest algorithm as name");
    if (ref->tag && ref->digest)
        return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    AUTO_REFERENCE struct reference full = { 0 };
    reference_copy(&full, ref);
    reference_tag_default(&full);
    AUTO_FREE char *canonical = reference_string(&full);
    db_group_begin(store->db);
    ref_point(store, image, canonical);
    queue_image_row(store, image);
    *ret_ticket = db_group_end(store->db, DB_FULL);
    return 0;
}

int store_untag(struct store *store, const char *canonical, uint64_t *ret_ticket, struct err *err)
{
    struct store_image *image = map_get(store->refs, canonical);
    if (!image)
        return err_set(err, ERR_NOT_FOUND, "reference does not exist");
    db_group_begin(store->db);
    ref_take_away(store, image, canonical);
    *ret_ticket = db_group_end(store->db, DB_FULL);
    return 0;
}
