#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/oci/image.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define CONFIG "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" DIGEST "\",\"size\":7}"
#define LAYER "{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP "\",\"digest\":\"" DIGEST "\",\"size\":9}"

TEST(media_types)
{
    CHECK_INT(media_kind_of(MEDIA_OCI_MANIFEST), MEDIA_MANIFEST);
    CHECK_INT(media_kind_of(MEDIA_DOCKER_LIST), MEDIA_INDEX);
    CHECK_INT(media_kind_of(MEDIA_DOCKER_MANIFEST_V1_SIGNED), MEDIA_MANIFEST_V1);
    CHECK_INT(media_kind_of("Application/VND.oci.image.index.v1+json; charset=utf-8"), MEDIA_INDEX);
    CHECK_INT(media_kind_of("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"), MEDIA_LAYER_FOREIGN);
    CHECK_INT(media_kind_of("text/html"), MEDIA_OTHER);
    CHECK_INT(media_kind_of(""), MEDIA_OTHER);
    CHECK_INT(media_kind_of(NULL), MEDIA_OTHER);
    CHECK_INT(media_compression_of(MEDIA_OCI_LAYER_ZSTD), COMPRESSION_ZSTD);
    CHECK_INT(media_compression_of(MEDIA_DOCKER_LAYER_GZIP), COMPRESSION_GZIP);
    CHECK_INT(media_compression_of(MEDIA_OCI_LAYER), COMPRESSION_NONE);
    CHECK(media_is_docker(MEDIA_DOCKER_CONFIG));
    CHECK(!media_is_docker(MEDIA_OCI_CONFIG));
}

TEST(both_families_have_the_same_things)
{
    static const char *const oci[] = { MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX, MEDIA_OCI_CONFIG, MEDIA_OCI_LAYER, MEDIA_OCI_LAYER_GZIP, MEDIA_OCI_LAYER_ZSTD };
    for (size_t i = 0; i < ARRAY_SIZE(oci); i++) {
        const char *docker = media_to_docker(oci[i]);
        CHECK(docker && media_is_docker(docker));
        CHECK_STR(media_to_oci(docker), oci[i]);
        CHECK_INT(media_kind_of(docker), media_kind_of(oci[i]));
        CHECK_INT(media_compression_of(docker), media_compression_of(oci[i]));
        CHECK(strstr(media_manifest_accept(), oci[i]) == NULL || i < 2);
    }
    CHECK(strstr(media_manifest_accept(), MEDIA_OCI_INDEX) && strstr(media_manifest_accept(), MEDIA_DOCKER_MANIFEST));
    CHECK(!media_to_oci(MEDIA_DOCKER_LAYER_FOREIGN_GZIP));
    CHECK(!media_to_docker("text/html"));
}

static void document(const char *text, enum media_kind want)
{
    if (oci_document_kind(text, strlen(text)) != want)
        printf("# %s\n", text);
    CHECK_INT(oci_document_kind(text, strlen(text)), want);
}

TEST(documents_tell_their_kind)
{
    document("{\"schemaVersion\":2,\"layers\":[]}", MEDIA_MANIFEST);
    document("{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_INDEX);
    document("{\"schemaVersion\":1,\"fsLayers\":[]}", MEDIA_MANIFEST_V1);
    document("{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", MEDIA_OTHER);
    document("{\"schemaVersion\":2}", MEDIA_OTHER);
    document("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"layers\":[]}", MEDIA_OTHER);
    document("[]", MEDIA_OTHER);
    document("", MEDIA_OTHER);
}

static void refuses(int (*decode)(const char *, size_t, void *, struct err *), const char *text, enum err_kind kind, const char *sentence)
{
    AUTO_FREE void *value = xcalloc(1, 4096);
    struct err err = { 0 };
    CHECK_INT(decode(text, strlen(text), value, &err), -1);
    CHECK_INT(err.kind, kind);
    CHECK_STR(err.text, sentence);
}

static int manifest(const char *text, size_t length, void *ret, struct err *err)
{
    return oci_manifest_decode(text, length, ret, err);
}
static int image_index(const char *text, size_t length, void *ret, struct err *err)
{
    return oci_index_decode(text, length, ret, err);
}
static int image(const char *text, size_t length, void *ret, struct err *err)
{
    return oci_image_decode(text, length, ret, err);
}

TEST(manifests)
{
    static const char good[] = "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"," CONFIG ",\"layers\":[" LAYER "," LAYER "],\"annotations\":{\"a\":\"b\"}}";
    struct oci_manifest got;
    struct err err = { 0 };
    CHECK_INT(oci_manifest_decode(good, strlen(good), &got, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_INT(got.layers.count, 2);
    CHECK_INT(got.layers.items[1].size, 9);
    CHECK_STR(got.config.digest, DIGEST);
    AUTO_FREE char *again = codec_encode_dup(&oci_manifest_type, &got);
    CHECK_STR(again, good);
    codec_clear(&oci_manifest_type, &got);
    refuses(manifest, "{\"schemaVersion\":1,\"fsLayers\":[]}", ERR_UNSUPPORTED, "image manifests of schema version 1 are not supported");
    refuses(manifest, "{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", ERR_INVALID, "image manifest: schemaVersion is not 2");
    refuses(manifest, "{\"schemaVersion\":2,\"layers\":[]}", ERR_INVALID, "image manifest: config descriptor: invalid checksum digest format");
    refuses(manifest, "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:1\"}]}", ERR_INVALID, "image manifest: layer descriptor: invalid checksum digest length");
    refuses(manifest, "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" DIGEST "\",\"size\":-1}]}", ERR_INVALID, "image manifest: layer descriptor: negative size");
    refuses(manifest, "{\"schemaVersion\":2,\"manifests\":[]}", ERR_INVALID, "document is not an image manifest");
    refuses(manifest, "{\"schemaVersion\":2," CONFIG ",\"layers\":3}", ERR_INVALID, "layers: expected array, got integer");
}

TEST(indexes)
{
    static const char good[] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" DIGEST "\",\"size\":3,"
                               "\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"os.version\":\"10\",\"variant\":\"v7\"}}]}";
    struct oci_index got;
    struct err err = { 0 };
    CHECK_INT(oci_index_decode(good, strlen(good), &got, &err), 0);
    CHECK_INT(got.manifests.count, 1);
    CHECK_STR(got.manifests.items[0].platform->variant, "v7");
    CHECK_STR(got.manifests.items[0].platform->os_version, "10");
    codec_clear(&oci_index_type, &got);
    refuses(image_index, "{\"schemaVersion\":2,\"layers\":[]}", ERR_INVALID, "document is not an image index");
    refuses(image_index, "{\"schemaVersion\":2,\"manifests\":[{}]}", ERR_INVALID, "image index: manifest descriptor: invalid checksum digest format");
    refuses(image_index, "{}", ERR_INVALID, "document is not an image index");
}

#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]}"

TEST(image_configs)
{
    static const char good[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2024-01-01T00:00:00Z\",\"config\":{\"Env\":[\"A=b\"],\"Cmd\":\"sh\","
                               "\"ExposedPorts\":{\"80/tcp\":{}},\"Healthcheck\":{\"Test\":[\"NONE\"]},\"Labels\":null,\"Unknown\":1}," ROOTFS
                               ",\"history\":[{\"created_by\":\"x\",\"empty_layer\":true},{\"created_by\":\"y\"}]}";
    struct oci_image got;
    struct err err = { 0 };
    CHECK_INT(oci_image_decode(good, strlen(good), &got, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_STR(got.config->cmd[0], "sh");
    CHECK_STR(got.config->exposed_ports[0], "80/tcp");
    CHECK_STR(got.rootfs.diff_ids[0], DIGEST);
    CHECK_INT(got.history.count, 2);
    CHECK(got.history.items[0].empty_layer && !got.history.items[1].empty_layer);
    codec_clear(&oci_image_type, &got);
    static const char bare[] = "{}";
    CHECK_INT(oci_image_decode(bare, strlen(bare), &got, &err), 0);
    CHECK(!got.config);
    codec_clear(&oci_image_type, &got);
    refuses(image, "{\"rootfs\":{\"type\":\"windows\"}}", ERR_INVALID, "image config: unknown rootfs type \"windows\"");
    refuses(image, "{\"rootfs\":{\"diff_ids\":[\"x\"]}}", ERR_INVALID, "image config: diff id: invalid checksum digest format");
    refuses(image, "{" ROOTFS ",\"history\":[{},{}]}", ERR_INVALID, "image config: history tells of 2 layers, rootfs of 1");
    refuses(image, "{\"config\":{\"Env\":[1]}}", ERR_INVALID, "config.Env: expected string, got integer");
}

TESTS(T(media_types), T(both_families_have_the_same_things), T(documents_tell_their_kind), T(manifests), T(indexes), T(image_configs))
