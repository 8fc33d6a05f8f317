/* The documents of a saved archive: OCI manifests and index.json, manifest.json, repositories. */
#include "daemon/worker/save.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/oci/digest.h"
#include "lib/oci/image.h"
#include "lib/oci/reference.h"

static void set_text(struct json *map, const char *key, const char *text)
{
    json_set_take(map, key, json_new_text(text));
}

static struct json *descriptor(const char *media_type, const char *digest, uint64_t size)
{
    struct json *map = json_new_map();
    set_text(map, "mediaType", media_type);
    set_text(map, "digest", digest);
    json_set_take(map, "size", json_new_int((int64_t)size));
    return map;
}

static struct json *layer_descriptor(const struct save *save, const char *diff_id)
{
    const struct save_layer *layer = save_find_layer(save, diff_id);
    return descriptor(MEDIA_OCI_LAYER, diff_id, layer ? layer->size : 0);
}

static struct json *oci_manifest(const struct save *save, const struct job_save_image *image)
{
    struct json *map = json_new_map(), *layers = json_new_list();
    json_set_take(map, "schemaVersion", json_new_int(2));
    set_text(map, "mediaType", MEDIA_OCI_MANIFEST);
    json_set_take(map, "config", descriptor(MEDIA_OCI_CONFIG, image->config_digest, strlen(image->config)));
    for (char **id = image->diff_ids; id && *id; id++)
        json_add_take(layers, layer_descriptor(save, *id));
    json_set_take(map, "layers", layers);
    return map;
}

static void add_document(struct save *save, const char *text, char *owned)
{
    struct save_document *document = &save->documents[save->document_count++];
    *document = (struct save_document){ .text = text, .length = strlen(text), .owned = owned };
    hash_bytes(text, document->length, document->digest);
}

/* Config i is document 2i, its manifest the one behind. */
int save_make_documents(struct save *save, struct err *err)
{
    const struct job_save *params = save->params;
    save->documents = xcalloc(2 * params->images.count + 1, sizeof *save->documents);
    for (size_t i = 0; i < params->images.count; i++) {
        const struct job_save_image *image = &params->images.items[i];
        struct buf text = BUF_INIT(SAVE_TEXT_MAX);
        if (str_empty(image->config) || !digest_is_sha256(image->config_digest))
            return err_set(err, ERR_INTERNAL, "an image without its config");
        for (char **id = image->diff_ids; id && *id; id++)
            if (!save_find_layer(save, *id))
                return err_set(err, ERR_INTERNAL, "layer %s of image %s is not at hand", *id, image->config_digest);
        CLEANUP(json_free) struct json *manifest = oci_manifest(save, image);
        json_write(manifest, &text);
        add_document(save, image->config, NULL);
        if (!str_eq(save->documents[save->document_count - 1].digest, image->config_digest))
            return err_set(err, ERR_INTERNAL, "the config of image %s has changed on disk", image->config_digest);
        char *made = buf_take(&text);
        if (!made)
            return err_set(err, ERR_INTERNAL, "the manifest of image %s is too large", image->config_digest);
        add_document(save, made, made);
    }
    return 0;
}

static void put_index_entry(struct json *list, const struct save_document *manifest, const char *tag)
{
    struct json *entry = descriptor(MEDIA_OCI_MANIFEST, manifest->digest, manifest->length);
    AUTO_REFERENCE struct reference name = { .domain = NULL };
    struct err ignored = { 0 };
    if (tag && reference_parse(tag, &name, &ignored) == 0) {
        struct json *annotations = json_new_map();
        AUTO_FREE char *full = reference_string(&name);
        set_text(annotations, "io.containerd.image.name", full);
        set_text(annotations, "org.opencontainers.image.ref.name", name.tag ? name.tag : REFERENCE_DEFAULT_TAG);
        json_set_take(entry, "annotations", annotations);
    }
    json_add_take(list, entry);
}

static void make_oci_index(const struct save *save, struct buf *out)
{
    CLEANUP(json_free) struct json *map = json_new_map();
    struct json *list = json_new_list();
    for (size_t i = 0; i < save->params->images.count; i++) {
        char **tags = save->params->images.items[i].repo_tags;
        const struct save_document *manifest = &save->documents[2 * i + 1];
        for (char **tag = tags; tag && *tag; tag++)
            put_index_entry(list, manifest, *tag);
        if (!tags || !*tags)
            put_index_entry(list, manifest, NULL);
    }
    json_set_take(map, "schemaVersion", json_new_int(2));
    set_text(map, "mediaType", MEDIA_OCI_INDEX);
    json_set_take(map, "manifests", list);
    json_write(map, out);
}

static struct json *blob_name(const char *digest)
{
    AUTO_FREE char *name = str_format("blobs/sha256/%s", digest_hex(digest));
    return json_new_text(name);
}

static struct json *layer_sources(const struct save *save, const struct job_save_image *image)
{
    struct json *map = json_new_map();
    CLEANUP(strv_free) char **sorted = strv_dup(image->diff_ids);
    strv_sort(sorted);
    for (char **id = sorted; id && *id; id++)
        json_set_take(map, *id, layer_descriptor(save, *id));
    return map;
}

static void put_docker_image(struct json *list, const struct save *save, const struct job_save_image *image)
{
    struct json *map = json_new_map(), *tags = json_new_list(), *layers = json_new_list();
    json_set_take(map, "Config", blob_name(image->config_digest));
    for (char **tag = image->repo_tags; tag && *tag; tag++)
        json_add_take(tags, json_new_text(*tag));
    for (char **id = image->diff_ids; id && *id; id++)
        json_add_take(layers, blob_name(*id));
    json_set_take(map, "RepoTags", tags);
    json_set_take(map, "Layers", layers);
    if (!str_empty(image->parent))
        set_text(map, "Parent", image->parent);
    json_set_take(map, "LayerSources", layer_sources(save, image));
    json_add_take(list, map);
}

static void make_docker_manifest(const struct save *save, struct buf *out)
{
    CLEANUP(json_free) struct json *list = json_new_list();
    for (size_t i = 0; i < save->params->images.count; i++)
        put_docker_image(list, save, &save->params->images.items[i]);
    json_write(list, out);
}

/* {"name": {"tag": hex of the top layer}} */
static void make_repositories(const struct save *save, struct buf *out)
{
    CLEANUP(json_free) struct json *map = json_new_map();
    CLEANUP(strv_free) char **names = NULL;
    struct json **tags = NULL;
    for (size_t i = 0; i < save->params->images.count; i++) {
        const struct job_save_image *image = &save->params->images.items[i];
        size_t layers = strv_length(image->diff_ids);
        for (char **tag = image->repo_tags; layers && tag && *tag; tag++) {
            const char *colon = strrchr(*tag, ':');
            if (!colon)
                continue;
            AUTO_FREE char *name = xstrndup(*tag, (size_t)(colon - *tag));
            size_t at = 0, count = strv_length(names);
            while (at < count && !str_eq(names[at], name))
                at++;
            if (at == count) {
                strv_append(&names, name);
                tags = xreallocarray(tags, count + 1, sizeof(struct json *));
                tags[count] = json_new_map();
            }
            set_text(tags[at], colon + 1, digest_hex(image->diff_ids[layers - 1]));
        }
    }
    for (size_t i = 0; names && names[i]; i++)
        json_set_take(map, names[i], tags[i]);
    if (names)
        json_write(map, out);
    free((void *)tags);
}

void save_make_index(const struct save *save, struct save_index *ret)
{
    make_oci_index(save, &ret->index);
    make_docker_manifest(save, &ret->manifest);
    make_repositories(save, &ret->repositories);
}
