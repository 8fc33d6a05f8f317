/* manifest.json (docker save) or index.json (OCI layout) -> images. */
#include "daemon/worker/load.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"
#include "lib/oci/digest.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"
#include "lib/unpack/hash.h"

#define MANIFEST_MAX ((size_t)4 << 20)
#define INDEX_DEPTH 4

/* One image as either layout tells it; layers are names in the archive. */
struct found_image {
    const char *config_name;
    char **layers, **tags;
    const char *parent;
};

static const struct load_item *find_text(const struct load *load, const char *name, struct err *err)
{
    const struct load_item *item = load_find(load, name);
    if (!item || !item->text) {
        err_set(err, ERR_INVALID, "%.200s is not in the archive", name);
        return NULL;
    }
    return item;
}

static char *blob_name(const char *digest)
{
    const char *hex = digest_is_sha256(digest) ? digest_hex(digest) : NULL;
    return hex ? str_format("blobs/sha256/%s", hex) : NULL;
}

/* A document under a digest is that digest's document. */
static const struct load_item *find_blob(const struct load *load, const char *digest, struct err *err)
{
    char got[HASH_TEXT_SIZE];
    AUTO_FREE char *name = digest ? blob_name(digest) : NULL;
    if (!name) {
        err_set(err, ERR_INVALID, "invalid digest \"%.100s\" in the archive", digest ? digest : "");
        return NULL;
    }
    const struct load_item *item = find_text(load, name, err);
    if (!item)
        return NULL;
    hash_bytes(item->text, item->length, got);
    if (str_eq(got, digest))
        return item;
    err_set(err, ERR_INVALID, "digest mismatch: expected %s, got %s", digest, got);
    return NULL;
}

static int ask_have(struct load *load, char **diff_ids, struct job_pull_have *ret, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    char request[] = "have";
    struct job_load_have ask = { .request = request, .diff_ids = diff_ids };
    if (worker_request(load->worker, &job_load_have_type, &ask, &reply, err) < 0)
        return -1;
    return job_decode(&reply, &job_pull_have_type, ret, err);
}

static int send_layer(struct load *load, struct load_layer *layer, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    char request[] = "layer", none[] = "", media[128];
    str_copy(media, sizeof media, layer->media_type);
    struct job_load_layer message = {
        .request = request, .dir = layer->dir, .diff_id = layer->result.diff_id, .size = (int64_t)layer->result.tree.content_size,
        .opaque = layer->result.tree.opaque, .blob_file = layer->blob_file ? layer->blob_file : none,
        .blob_digest = layer->blob_file ? layer->result.digest : none, .media_type = layer->blob_file ? media : none,
        .blob_size = layer->blob_file ? (int64_t)layer->result.blob_size : 0,
        .recipe_file = layer->result.has_recipe ? layer->recipe_file : none,
    };
    if (worker_request(load->worker, &job_load_layer_type, &message, &reply, err) < 0)
        return -1;
    layer->sent = true;
    return 0;
}

static int offer_layer(struct load *load, const char *name, size_t index, const char *diff_id, bool in_store, struct err *err)
{
    const struct load_item *item = load_find(load, name);
    if (!item || !item->layer)
        return in_store ? 0 : err_set(err, ERR_INVALID, "layer %.200s is not in the archive", name);
    struct load_layer *layer = item->layer;
    if (layer->failure)
        return in_store ? 0 : err_set(err, ERR_INVALID, "layer %.200s: %s", name, layer->failure);
    if (!str_eq(layer->result.diff_id, diff_id))
        return err_set(err, ERR_INVALID, "invalid diffID for layer %zu: expected \"%s\", got \"%s\"", index, diff_id, layer->result.diff_id);
    return in_store || layer->sent || !layer->dir ? 0 : send_layer(load, layer, err);
}

static int offer_layers(struct load *load, const struct found_image *found, char **diff_ids, struct err *err)
{
    struct job_pull_have have;
    size_t count = strv_length(diff_ids);
    if (strv_length(found->layers) != count)
        return err_set(err, ERR_INVALID, "invalid manifest, layers length mismatch: expected %zu, got %zu", count, strv_length(found->layers));
    if (ask_have(load, diff_ids, &have, err) < 0)
        return -1;
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++)
        r = offer_layer(load, found->layers[i], i, diff_ids[i], strv_contains(have.have, diff_ids[i]), err);
    codec_clear(&job_pull_have_type, &have);
    return r;
}

static int send_image(struct load *load, const struct found_image *found, const struct load_item *config, char **diff_ids, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    char request[] = "image", digest[HASH_TEXT_SIZE];
    AUTO_FREE char *parent = xstrdup(found->parent ? found->parent : "");
    hash_bytes(config->text, config->length, digest);
    struct job_load_image message = {
        .request = request, .config = config->text, .config_digest = digest, .tags = found->tags, .diff_ids = diff_ids, .parent = parent,
    };
    load->image_count++;
    return worker_request(load->worker, &job_load_image_type, &message, &reply, err);
}

static int load_image(struct load *load, const struct found_image *found, const struct load_item *config, struct err *err)
{
    struct oci_image image;
    if (memchr(config->text, '\0', config->length))
        return err_set(err, ERR_INVALID, "a NUL in the image config %.200s", found->config_name);
    if (oci_image_decode(config->text, config->length, &image, err) < 0)
        return err_wrap(err, "image config %.200s", found->config_name);
    int r = offer_layers(load, found, image.rootfs.diff_ids, err);
    if (r == 0)
        r = send_image(load, found, config, image.rootfs.diff_ids, err);
    codec_clear(&oci_image_type, &image);
    return r;
}

static char **text_list(const struct json *list)
{
    char **ret = NULL;
    for (size_t i = 0; i < json_count(list); i++)
        strv_append(&ret, json_text(json_at(list, i)) ? json_text(json_at(list, i)) : "");
    return ret;
}

static int load_docker_image(struct load *load, const struct json *manifest, struct err *err)
{
    const char *config_name = json_text(json_get(manifest, "Config"));
    CLEANUP(strv_free) char **layers = text_list(json_get(manifest, "Layers"));
    CLEANUP(strv_free) char **tags = text_list(json_get(manifest, "RepoTags"));
    if (str_empty(config_name))
        return err_set(err, ERR_INVALID, "manifest.json names no config");
    struct found_image found = { config_name, layers, tags, json_text(json_get(manifest, "Parent")) };
    const struct load_item *config = find_text(load, config_name, err);
    char digest[DIGEST_SHA256_TEXT_LENGTH + 1];
    const char *hex = str_after(config_name, "blobs/sha256/");
    if (config && hex && digest_from_hex(hex, digest))
        config = find_blob(load, digest, err);
    return config ? load_image(load, &found, config, err) : -1;
}

static int load_docker(struct load *load, const struct load_item *item, struct err *err)
{
    CLEANUP(json_free) struct json *list = NULL;
    if (json_parse(item->text, item->length, &list, err) < 0)
        return err_wrap(err, "manifest.json");
    if (json_kind_of(list) != JSON_LIST)
        return err_set(err, ERR_INVALID, "manifest.json is not a list");
    for (size_t i = 0; i < json_count(list); i++)
        if (load_docker_image(load, json_at(list, i), err) < 0)
            return -1;
    return 0;
}

static const char *annotated_name(const struct oci_descriptor *descriptor)
{
    const char *name = str_map_get(&descriptor->annotations, "io.containerd.image.name");
    if (name)
        return name;
    name = str_map_get(&descriptor->annotations, "org.opencontainers.image.ref.name");
    return name && strpbrk(name, ":/") ? name : NULL; /* a bare tag names no repository */
}

static int load_oci_manifest(struct load *load, const struct oci_descriptor *descriptor, const char *name, struct err *err)
{
    struct oci_manifest manifest;
    CLEANUP(strv_free) char **layers = NULL;
    CLEANUP(strv_free) char **tags = NULL;
    const struct load_item *item = find_blob(load, descriptor->digest, err);
    if (!item || oci_manifest_decode(item->text, item->length, &manifest, err) < 0)
        return -1;
    if (name)
        strv_append(&tags, name);
    for (size_t i = 0; i < manifest.layers.count; i++) {
        char *layer = blob_name(manifest.layers.items[i].digest);
        strv_append_take(&layers, layer ? layer : xstrdup(""));
    }
    struct found_image found = { manifest.config.digest, layers, tags, NULL };
    const struct load_item *config = find_blob(load, manifest.config.digest, err);
    int r = config ? load_image(load, &found, config, err) : -1;
    codec_clear(&oci_manifest_type, &manifest);
    return r;
}

static bool platform_fits(const struct oci_descriptor *descriptor)
{
    struct platform host, candidate;
    if (!descriptor->platform)
        return true;
    platform_host(&host);
    platform_from(descriptor->platform->os, descriptor->platform->architecture, descriptor->platform->variant, &candidate);
    return platform_match(&host, &candidate);
}

/* Inside a multi-platform index one manifest is the image. */
static ssize_t best_of(const struct oci_index *index)
{
    struct platform host, *candidates = xcalloc(index->manifests.count + 1, sizeof *candidates);
    platform_host(&host);
    for (size_t i = 0; i < index->manifests.count; i++) {
        const struct oci_platform *platform = index->manifests.items[i].platform;
        if (platform)
            platform_from(platform->os, platform->architecture, platform->variant, &candidates[i]);
    }
    ssize_t best = platform_best(&host, candidates, index->manifests.count);
    free(candidates);
    return best;
}

static int load_oci_index(struct load *load, const struct load_item *item, const char *name, int depth, struct err *err);

static int load_oci_descriptor(struct load *load, const struct oci_descriptor *descriptor, const char *name, int depth, struct err *err)
{
    const char *own = annotated_name(descriptor);
    if (own)
        name = own;
    if (media_kind_of(descriptor->media_type) == MEDIA_INDEX) {
        const struct load_item *item = find_blob(load, descriptor->digest, err);
        return item ? load_oci_index(load, item, name, depth + 1, err) : -1;
    }
    return platform_fits(descriptor) ? load_oci_manifest(load, descriptor, name, err) : 0;
}

static int load_oci_index(struct load *load, const struct load_item *item, const char *name, int depth, struct err *err)
{
    struct oci_index index;
    if (depth > INDEX_DEPTH)
        return err_set(err, ERR_INVALID, "image indexes are nested too deep");
    if (oci_index_decode(item->text, item->length, &index, err) < 0)
        return err_wrap(err, "index.json");
    int r = 0;
    ssize_t only = depth ? best_of(&index) : -1;
    for (size_t i = 0; i < index.manifests.count && r == 0; i++)
        if (only < 0 || only == (ssize_t)i)
            r = load_oci_descriptor(load, &index.manifests.items[i], name, depth, err);
    codec_clear(&oci_index_type, &index);
    return r;
}

int load_images(struct load *load, struct err *err)
{
    const struct load_item *manifest = load_find(load, "manifest.json"), *index = load_find(load, "index.json");
    const struct load_item *first = manifest ? manifest : index;
    if (!first || !first->text)
        return err_set(err, ERR_INVALID, "the archive has neither manifest.json nor index.json: not an image archive");
    if (first->length > MANIFEST_MAX)
        return err_set(err, ERR_INVALID, "the archive's manifest is larger than %zu bytes", MANIFEST_MAX);
    int r = manifest ? load_docker(load, manifest, err) : load_oci_index(load, index, NULL, 0, err);
    if (r == 0 && load->image_count == 0)
        return err_set(err, ERR_INVALID, "the archive has no image for this machine");
    return r;
}
