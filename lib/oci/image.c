#include "lib/oci/image.h"
#include "lib/base/str.h"
#include "lib/json/value.h"
#include "lib/oci/digest.h"

#define OMIT OMIT_EMPTY

static const struct codec_field oci_platform_fields[] = {
    F_STR(struct oci_platform, architecture, "architecture", 0),
    F_STR(struct oci_platform, os, "os", 0),
    F_STR(struct oci_platform, os_version, "os.version", OMIT),
    F_STRV(struct oci_platform, os_features, "os.features", OMIT),
    F_STR(struct oci_platform, variant, "variant", OMIT),
    F_END,
};
CODEC_DEFINE(oci_platform);

static const struct codec_field oci_descriptor_fields[] = {
    F_STR(struct oci_descriptor, media_type, "mediaType", 0),
    F_STR(struct oci_descriptor, digest, "digest", 0),
    F_I64(struct oci_descriptor, size, "size", 0),
    F_STRV(struct oci_descriptor, urls, "urls", OMIT),
    F_STRMAP(struct oci_descriptor, annotations, "annotations", OMIT),
    F_STR(struct oci_descriptor, data, "data", OMIT),
    F_OBJP(struct oci_descriptor, platform, "platform", OMIT, oci_platform),
    F_STR(struct oci_descriptor, artifact_type, "artifactType", OMIT),
    F_END,
};
CODEC_DEFINE(oci_descriptor);

static const struct codec_field oci_manifest_fields[] = {
    F_I64(struct oci_manifest, schema_version, "schemaVersion", 0),
    F_STR(struct oci_manifest, media_type, "mediaType", OMIT),
    F_STR(struct oci_manifest, artifact_type, "artifactType", OMIT),
    F_OBJ(struct oci_manifest, config, "config", 0, oci_descriptor),
    F_LIST(struct oci_manifest, layers, "layers", 0, oci_descriptor),
    F_OBJP(struct oci_manifest, subject, "subject", OMIT, oci_descriptor),
    F_STRMAP(struct oci_manifest, annotations, "annotations", OMIT),
    F_END,
};
CODEC_DEFINE(oci_manifest);

static const struct codec_field oci_index_fields[] = {
    F_I64(struct oci_index, schema_version, "schemaVersion", 0),
    F_STR(struct oci_index, media_type, "mediaType", OMIT),
    F_STR(struct oci_index, artifact_type, "artifactType", OMIT),
    F_LIST(struct oci_index, manifests, "manifests", 0, oci_descriptor),
    F_OBJP(struct oci_index, subject, "subject", OMIT, oci_descriptor),
    F_STRMAP(struct oci_index, annotations, "annotations", OMIT),
    F_END,
};
CODEC_DEFINE(oci_index);

static const struct codec_field oci_health_config_fields[] = {
    F_CMD(struct oci_health_config, test, "Test", OMIT),
    F_I64(struct oci_health_config, interval, "Interval", OMIT),
    F_I64(struct oci_health_config, timeout, "Timeout", OMIT),
    F_I64(struct oci_health_config, start_period, "StartPeriod", OMIT),
    F_I64(struct oci_health_config, start_interval, "StartInterval", OMIT),
    F_I64(struct oci_health_config, retries, "Retries", OMIT),
    F_END,
};
CODEC_DEFINE(oci_health_config);

static const struct codec_field image_config_config_fields[] = {
    F_STR(struct image_config_config, hostname, "Hostname", OMIT),
    F_STR(struct image_config_config, domainname, "Domainname", OMIT),
    F_STR(struct image_config_config, user, "User", OMIT),
    F_BOOL(struct image_config_config, attach_stdin, "AttachStdin", OMIT),
    F_BOOL(struct image_config_config, attach_stdout, "AttachStdout", OMIT),
    F_BOOL(struct image_config_config, attach_stderr, "AttachStderr", OMIT),
    F_STRSET(struct image_config_config, exposed_ports, "ExposedPorts", OMIT),
    F_BOOL(struct image_config_config, tty, "Tty", OMIT),
    F_BOOL(struct image_config_config, open_stdin, "OpenStdin", OMIT),
    F_BOOL(struct image_config_config, stdin_once, "StdinOnce", OMIT),
    F_STRV(struct image_config_config, env, "Env", OMIT),
    F_CMD(struct image_config_config, cmd, "Cmd", OMIT),
    F_OBJP(struct image_config_config, healthcheck, "Healthcheck", OMIT, oci_health_config),
    F_BOOL(struct image_config_config, args_escaped, "ArgsEscaped", OMIT),
    F_STR(struct image_config_config, image, "Image", OMIT),
    F_STRSET(struct image_config_config, volumes, "Volumes", OMIT),
    F_STR(struct image_config_config, working_dir, "WorkingDir", OMIT),
    F_CMD(struct image_config_config, entrypoint, "Entrypoint", OMIT),
    F_STRV(struct image_config_config, on_build, "OnBuild", OMIT),
    F_STRMAP(struct image_config_config, labels, "Labels", OMIT),
    F_STR(struct image_config_config, stop_signal, "StopSignal", OMIT),
    F_CMD(struct image_config_config, shell, "Shell", OMIT),
    F_END,
};
CODEC_DEFINE(image_config_config);

static const struct codec_field oci_rootfs_fields[] = {
    F_STR(struct oci_rootfs, type, "type", 0),
    F_STRV(struct oci_rootfs, diff_ids, "diff_ids", 0),
    F_END,
};
CODEC_DEFINE(oci_rootfs);

static const struct codec_field oci_history_fields[] = {
    F_STR(struct oci_history, created, "created", OMIT),
    F_STR(struct oci_history, created_by, "created_by", OMIT),
    F_STR(struct oci_history, author, "author", OMIT),
    F_STR(struct oci_history, comment, "comment", OMIT),
    F_BOOL(struct oci_history, empty_layer, "empty_layer", OMIT),
    F_END,
};
CODEC_DEFINE(oci_history);

static const struct codec_field oci_image_fields[] = {
    F_STR(struct oci_image, architecture, "architecture", 0),
    F_STR(struct oci_image, os, "os", 0),
    F_STR(struct oci_image, os_version, "os.version", OMIT),
    F_STRV(struct oci_image, os_features, "os.features", OMIT),
    F_STR(struct oci_image, variant, "variant", OMIT),
    F_STR(struct oci_image, created, "created", OMIT),
    F_STR(struct oci_image, author, "author", OMIT),
    F_STR(struct oci_image, comment, "comment", OMIT),
    F_STR(struct oci_image, container, "container", OMIT),
    F_OBJP(struct oci_image, container_config, "container_config", OMIT, image_config_config),
    F_STR(struct oci_image, docker_version, "docker_version", OMIT),
    F_OBJP(struct oci_image, config, "config", OMIT, image_config_config),
    F_OBJ(struct oci_image, rootfs, "rootfs", 0, oci_rootfs),
    F_LIST(struct oci_image, history, "history", OMIT, oci_history),
    F_END,
};
CODEC_DEFINE(oci_image);


static int descriptor_check(const struct oci_descriptor *descriptor, const char *what, struct err *err)
{
    if (digest_validate(descriptor->digest, err) < 0)
        return err_wrap(err, "%s descriptor", what);
    if (descriptor->size < 0)
        return err_set(err, ERR_INVALID, "%s descriptor: negative size", what);
    return 0;
}

static int descriptors_check(const struct oci_descriptor *items, size_t count, const char *what, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (descriptor_check(&items[i], what, err) < 0)
            return -1;
    return 0;
}

enum media_kind oci_document_kind(const char *text, size_t length)
{
    CLEANUP(json_free) struct json *json = NULL;
    struct err ignored = {0};
    if (json_parse(text, length, &json, &ignored) < 0 || json_kind_of(json) != JSON_MAP)
        return MEDIA_OTHER;
    bool manifests = json_get(json, "manifests") != NULL;
    bool layers = json_get(json, "layers") != NULL;
    if (json_int(json_get(json, "schemaVersion")) == 1 || json_get(json, "fsLayers"))
        return MEDIA_MANIFEST_V1;
    if (manifests == layers)
        return MEDIA_OTHER;
    enum media_kind found = manifests ? MEDIA_INDEX : MEDIA_MANIFEST;
    enum media_kind declared = media_kind_of(json_text(json_get(json, "mediaType")));
    return declared == MEDIA_OTHER || declared == found ? found : MEDIA_OTHER;
}

/* Decoding trusts the document's own shape: one that could be read as two kinds is refused. */
static int kind_check(const char *text, size_t length, enum media_kind wanted, struct err *err)
{
    enum media_kind kind = oci_document_kind(text, length);
    if (kind == wanted)
        return json_check_unique(text, length, err);
    if (kind == MEDIA_MANIFEST_V1)
        return err_set(err, ERR_UNSUPPORTED, "image manifests of schema version 1 are not supported");
    return err_set(err, ERR_INVALID, "document is not an image %s", wanted == MEDIA_INDEX ? "index" : "manifest");
}

int oci_manifest_decode(const char *text, size_t length, struct oci_manifest *ret, struct err *err)
{
    *ret = (struct oci_manifest){0};
    if (kind_check(text, length, MEDIA_MANIFEST, err) < 0 ||
        codec_decode(&oci_manifest_type, text, length, ret, err) < 0)
        return -1;
    if (ret->schema_version != 2)
        err_set(err, ERR_INVALID, "image manifest: schemaVersion is not 2");
    else if (descriptor_check(&ret->config, "image manifest: config", err) == 0 &&
             descriptors_check(ret->layers.items, ret->layers.count, "image manifest: layer", err) == 0)
        return 0;
    codec_clear(&oci_manifest_type, ret);
    return -1;
}

int oci_index_decode(const char *text, size_t length, struct oci_index *ret, struct err *err)
{
    *ret = (struct oci_index){0};
    if (kind_check(text, length, MEDIA_INDEX, err) < 0 || codec_decode(&oci_index_type, text, length, ret, err) < 0)
        return -1;
    if (ret->schema_version != 2)
        err_set(err, ERR_INVALID, "image index: schemaVersion is not 2");
    else if (descriptors_check(ret->manifests.items, ret->manifests.count, "image index: manifest", err) == 0)
        return 0;
    codec_clear(&oci_index_type, ret);
    return -1;
}

static int image_check(const struct oci_image *image, struct err *err)
{
    if (!str_empty(image->rootfs.type) && !str_eq(image->rootfs.type, "layers"))
        return err_set(err, ERR_INVALID, "image config: unknown rootfs type \"%s\"", image->rootfs.type);
    size_t layers = strv_length(image->rootfs.diff_ids);
    for (size_t i = 0; i < layers; i++)
        if (digest_validate(image->rootfs.diff_ids[i], err) < 0)
            return err_wrap(err, "image config: diff id");
    size_t in_history = 0;
    for (size_t i = 0; i < image->history.count; i++)
        in_history += !image->history.items[i].empty_layer;
    if (image->history.count && in_history != layers)
        return err_set(err, ERR_INVALID, "image config: history tells of %zu layers, rootfs of %zu", in_history, layers);
    return 0;
}

int oci_image_decode(const char *text, size_t length, struct oci_image *ret, struct err *err)
{
    if (codec_decode(&oci_image_type, text, length, ret, err) < 0)
        return -1;
    if (image_check(ret, err) == 0 && json_check_unique(text, length, err) == 0)
        return 0;
    codec_clear(&oci_image_type, ret);
    return -1;
}
