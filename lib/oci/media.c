/* What media types mean. One row per type; `other` is the same thing in the other family. */
#include "lib/oci/image.h"
#include "lib/base/mem.h"
#include <strings.h>

static const struct media_row {
    const char *type;
    enum media_kind kind;
    enum media_compression compression;
    bool docker;
    const char *other;
} rows[] = {
    {MEDIA_OCI_MANIFEST, MEDIA_MANIFEST, COMPRESSION_NONE, false, MEDIA_DOCKER_MANIFEST},
    {MEDIA_OCI_INDEX, MEDIA_INDEX, COMPRESSION_NONE, false, MEDIA_DOCKER_LIST},
    {MEDIA_OCI_CONFIG, MEDIA_CONFIG, COMPRESSION_NONE, false, MEDIA_DOCKER_CONFIG},
    {MEDIA_OCI_LAYER, MEDIA_LAYER, COMPRESSION_NONE, false, MEDIA_DOCKER_LAYER},
    {MEDIA_OCI_LAYER_GZIP, MEDIA_LAYER, COMPRESSION_GZIP, false, MEDIA_DOCKER_LAYER_GZIP},
    {MEDIA_OCI_LAYER_ZSTD, MEDIA_LAYER, COMPRESSION_ZSTD, false, MEDIA_DOCKER_LAYER_ZSTD},
    {MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST, COMPRESSION_NONE, true, MEDIA_OCI_MANIFEST},
    {MEDIA_DOCKER_LIST, MEDIA_INDEX, COMPRESSION_NONE, true, MEDIA_OCI_INDEX},
    {MEDIA_DOCKER_CONFIG, MEDIA_CONFIG, COMPRESSION_NONE, true, MEDIA_OCI_CONFIG},
    {MEDIA_DOCKER_LAYER, MEDIA_LAYER, COMPRESSION_NONE, true, MEDIA_OCI_LAYER},
    {MEDIA_DOCKER_LAYER_GZIP, MEDIA_LAYER, COMPRESSION_GZIP, true, MEDIA_OCI_LAYER_GZIP},
    {MEDIA_DOCKER_LAYER_ZSTD, MEDIA_LAYER, COMPRESSION_ZSTD, true, MEDIA_OCI_LAYER_ZSTD},
    {MEDIA_DOCKER_LAYER_FOREIGN_GZIP, MEDIA_LAYER_FOREIGN, COMPRESSION_GZIP, true, NULL},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_LAYER_FOREIGN, COMPRESSION_NONE, true, NULL},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_LAYER_FOREIGN, COMPRESSION_NONE, false, NULL},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_LAYER_FOREIGN, COMPRESSION_GZIP, false, NULL},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_LAYER_FOREIGN, COMPRESSION_ZSTD, false, NULL},
    {MEDIA_DOCKER_MANIFEST_V1, MEDIA_MANIFEST_V1, COMPRESSION_NONE, true, NULL},
    {MEDIA_DOCKER_MANIFEST_V1_SIGNED, MEDIA_MANIFEST_V1, COMPRESSION_NONE, true, NULL},
};

static const struct media_row *find(const char *media_type)
{
    size_t length = media_type ? strcspn(media_type, "; \t") : 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (strlen(rows[i].type) == length && strncasecmp(rows[i].type, media_type, length) == 0)
            return &rows[i];
    return NULL;
}

enum media_kind media_kind_of(const char *media_type)
{
    const struct media_row *row = find(media_type);
    return row ? row->kind : MEDIA_OTHER;
}

enum media_compression media_compression_of(const char *media_type)
{
    const struct media_row *row = find(media_type);
    return row ? row->compression : COMPRESSION_NONE;
}

bool media_is_docker(const char *media_type)
{
    const struct media_row *row = find(media_type);
    return row && row->docker;
}

const char *media_manifest_accept(void)
{
    return MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST ", "
        MEDIA_DOCKER_MANIFEST_V1_SIGNED ";q=0.1, */*;q=0.1";
}

const char *media_to_docker(const char *media_type)
{
    const struct media_row *row = find(media_type);
    return !row ? NULL : row->docker ? row->type : row->other;
}

const char *media_to_oci(const char *media_type)
{
    const struct media_row *row = find(media_type);
    return !row ? NULL : row->docker ? row->other : row->type;
}
