/* Manifests and indexes: which of the two a document is, and whether it is what was asked for. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/value.h"
#include "lib/oci/digest.h"
#include "registry/internal.h"
#include "registry/sha256.h"

void document_done(struct document *document)
{
    free(document->digest);
    free(document->media_type);
    free(document->bytes);
    *document = (struct document){ .kind = MEDIA_OTHER };
}

static char *bare_type(const char *content_type)
{
    char *type = xstrndup(content_type, strcspn(content_type, "; \t"));
    return str_lower(type);
}

static int check_digest(const char *bytes, size_t length, const char *header_digest, const char *wanted,
                        char computed[SHA256_TEXT_SIZE], struct err *err)
{
    const char *const others[] = { wanted, header_digest };
    sha256_bytes(bytes, length, computed);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!others[i])
            continue;
        if (!digest_is_sha256(others[i]))
            return err_set(err, ERR_UNSUPPORTED, "unsupported digest algorithm in %.80s: only sha256 is", others[i]);
        if (!str_eq(others[i], computed))
            return err_set(err, ERR_INTERNAL, "manifest verification failed for digest %s", others[i]);
    }
    return 0;
}

static int check_kind(const struct json *json, const char *content_type, struct document *ret, struct err *err)
{
    const char *inside = json_text(json_get(json, "mediaType"));
    bool layers = json_get(json, "layers") != NULL, manifests = json_get(json, "manifests") != NULL;
    enum media_kind by_shape = manifests ? MEDIA_INDEX : MEDIA_MANIFEST;
    AUTO_FREE char *type = content_type ? bare_type(content_type) : NULL;
    enum media_kind by_type = media_kind_of(type);
    if (by_type == MEDIA_MANIFEST_V1 || json_get(json, "fsLayers") || json_int(json_get(json, "schemaVersion")) == 1)
        return err_set(
            err, ERR_INVALID,
            "the registry has an image manifest of version 2, schema 1 under this name, a format that is not supported "
            "any more: the image must be pushed again as schema 2 or OCI");
    if (layers && manifests)
        return err_set(err, ERR_INVALID, "ambiguous manifest: it has both layers and manifests");
    if (inside && type && by_type != MEDIA_OTHER && !str_eq(inside, type))
        return err_set(err, ERR_INVALID, "if present, mediaType in manifest should be '%s' not '%.100s'", type, inside);
    /* A registry of files alone says text/plain or application/json: then the document itself says what it is. */
    bool generic = !type || str_eq(type, "application/json") || str_eq(type, "text/plain") ||
                   str_eq(type, "application/octet-stream");
    const char *named = by_type != MEDIA_OTHER ? type : generic ? inside : NULL;
    enum media_kind kind = media_kind_of(named);
    if (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX)
        return err_set(err, ERR_INVALID, "unsupported manifest media type %.100s",
                       named  ? named
                       : type ? type
                              : "(none)");
    if ((!layers && !manifests) || kind != by_shape)
        return err_set(err, ERR_INVALID, "the manifest is not what its media type %s says", named);
    ret->kind = kind;
    ret->media_type = xstrdup(named);
    return 0;
}

int document_check(const char *bytes, size_t length, const char *content_type, const char *header_digest,
                   const char *wanted, struct document *ret, struct err *err)
{
    CLEANUP(json_free) struct json *json = NULL;
    char computed[SHA256_TEXT_SIZE];
    *ret = (struct document){ .kind = MEDIA_OTHER };
    if (check_digest(bytes, length, header_digest, wanted, computed, err) < 0)
        return -1;
    if (json_parse(bytes, length, &json, err) < 0 || json_check_unique(bytes, length, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "error unmarshalling content");
    }
    if (json_kind_of(json) != JSON_MAP)
        return err_set(err, ERR_INTERNAL, "error unmarshalling content: a manifest is a JSON object");
    if (check_kind(json, content_type, ret, err) < 0)
        return -1;
    ret->digest = xstrdup(computed);
    ret->bytes = xstrndup(bytes, length);
    ret->length = length;
    if (strlen(ret->bytes) == length)
        return 0;
    document_done(ret);
    return err_set(err, ERR_INTERNAL, "error unmarshalling content: a manifest with a NUL byte");
}

static bool is_candidate(const struct oci_descriptor *descriptor)
{
    const struct oci_platform *platform = descriptor->platform;
    bool unknown =
        platform && (str_eq(platform->os, "unknown") || str_eq(platform->architecture, "unknown")); /* attestations */
    return !unknown && media_kind_of(descriptor->media_type) == MEDIA_MANIFEST && digest_is_sha256(descriptor->digest);
}

int document_choose(const struct oci_index *index, const struct platform *wanted, const struct oci_descriptor **ret,
                    struct err *err)
{
    AUTO_FREE struct platform *platforms = xcalloc(index->manifests.count + 1, sizeof *platforms);
    AUTO_FREE size_t *where = xcalloc(index->manifests.count + 1, sizeof *where);
    size_t count = 0;
    for (size_t i = 0; i < index->manifests.count; i++) {
        const struct oci_descriptor *descriptor = &index->manifests.items[i];
        if (!is_candidate(descriptor))
            continue;
        const struct oci_platform *platform = descriptor->platform;
        if (platform)
            platform_from(platform->os, platform->architecture, platform->variant, &platforms[count]);
        else
            platforms[count] = *wanted; /* an index that does not say takes part */
        where[count++] = i;
    }
    int best = platform_best(wanted, platforms, count);
    if (best >= 0) {
        *ret = &index->manifests.items[where[best]];
        return 0;
    }
    char text[128];
    platform_format(wanted, text, sizeof text);
    return err_set(err, ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries", text);
}
