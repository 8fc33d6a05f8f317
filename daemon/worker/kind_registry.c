/* "registry-auth" and "distribution", and what they share with pull and push. */
#include "daemon/worker/registry_job.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/str.h"
#include "registry/endpoint.h"

void registry_job_short_id(const char *digest, char ret[SHORT_ID_SIZE])
{
    const char *hex = strchr(digest, ':');
    str_copy(ret, SHORT_ID_SIZE, hex ? hex + 1 : digest);
}

void registry_job_line(struct worker *worker, const char *id, const char *status, const char *aux)
{
    struct err gone = { 0 };
    AUTO_FREE char *owned_id = xstrdup(id);
    AUTO_FREE char *owned_status = xstrdup(status);
    AUTO_FREE char *owned_aux = xstrdup(aux);
    struct job_progress line = { .id = owned_id, .status = owned_status, .aux = owned_aux };
    (void)worker_progress(worker, &line, &gone);
}

void registry_job_bytes(struct worker *worker, const char *id, const char *status, int64_t current, int64_t total)
{
    struct err gone = { 0 };
    AUTO_FREE char *owned_id = xstrdup(id);
    AUTO_FREE char *owned_status = xstrdup(status);
    struct job_progress line = { .id = owned_id, .status = owned_status, .current = current, .total = total };
    (void)worker_progress(worker, &line, &gone);
}

static bool is_image_config(const char *media_type)
{
    return media_kind_of(media_type) == MEDIA_CONFIG || str_empty(media_type) ||
           str_eq(media_type, "application/octet-stream");
}

int registry_job_config(struct registry *registry, const struct oci_manifest *manifest, char **ret_config,
                        struct oci_image *ret, struct err *err)
{
    size_t length;
    AUTO_FREE char *config = NULL;
    if (!is_image_config(manifest->config.media_type))
        return err_set(err, ERR_UNSUPPORTED,
                       "unsupported image configuration %.100s: this is an artifact, not a container image",
                       manifest->config.media_type);
    if (registry_config(registry, &manifest->config, &config, &length, err) < 0)
        return -1;
    if (!utf8_valid(config, length) || strlen(config) != length)
        return err_set(err, ERR_INTERNAL, "error pulling image configuration: it is not UTF-8 text");
    if (oci_image_decode(config, length, ret, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "error pulling image configuration");
    }
    *ret_config = take_ptr(&config);
    return 0;
}

/* ---- registry-auth ---- */

static int login(struct worker *worker, const struct job_registry_auth *params, struct job_registry_auth_result *ret,
                 struct err *err)
{
    AUTO_FREE char *domain = endpoint_domain(params->auth.server_address);
    struct registry_options options = { .domain = domain,
                                        .insecure_registries = params->insecure_registries,
                                        .certs_dir = params->certs_dir,
                                        .auth = &params->auth };
    CLEANUP(registry_free) struct registry *registry = registry_new(&options, err);
    if (!registry || worker_seal(worker, NULL, 0, err) < 0)
        return -1;
    if (registry_login(registry, &ret->identity_token, err) < 0)
        return -1;
    ret->status = xstrdup("Login Succeeded");
    return 0;
}

int kind_registry_auth(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_registry_auth params;
    struct job_registry_auth_result result = { 0 };
    if (job_decode(run, &job_registry_auth_type, &params, err) < 0)
        return -1;
    int r = login(worker, &params, &result, err);
    if (r == 0)
        r = worker_done(worker, &job_registry_auth_result_type, &result, err);
    codec_clear(&job_registry_auth_type, &params);
    codec_clear(&job_registry_auth_result_type, &result);
    return r;
}

/* ---- distribution ---- */

struct distribution {
    struct oci_descriptor descriptor;
    CODEC_LIST(struct oci_platform) platforms;
};
static const struct codec_field distribution_fields[] = {
    F_OBJ(struct distribution, descriptor, "Descriptor", 0, oci_descriptor),
    F_LIST(struct distribution, platforms, "Platforms", 0, oci_platform),
    F_END,
};
static const struct codec_type distribution_type = { .name = "distribution",
                                                     .size = sizeof(struct distribution),
                                                     .fields = distribution_fields };

static int platforms_of_index(const struct document *document, struct distribution *ret, struct err *err)
{
    struct oci_index index;
    if (oci_index_decode(document->bytes, document->length, &index, err) < 0)
        return -1;
    for (size_t i = 0; i < index.manifests.count; i++)
        if (index.manifests.items[i].platform)
            codec_copy(&oci_platform_type, list_add(&ret->platforms), index.manifests.items[i].platform);
    codec_clear(&oci_index_type, &index);
    return 0;
}

static int platform_of_manifest(struct registry *registry, const struct document *document, struct distribution *ret,
                                struct err *err)
{
    struct oci_manifest manifest;
    struct oci_image image;
    AUTO_FREE char *config = NULL;
    if (oci_manifest_decode(document->bytes, document->length, &manifest, err) < 0)
        return -1;
    int r = registry_job_config(registry, &manifest, &config, &image, err);
    if (r == 0) {
        struct oci_platform *platform = list_add(&ret->platforms);
        *platform = (struct oci_platform){ .architecture = xstrdup(image.architecture),
                                           .os = xstrdup(image.os),
                                           .os_version = xstrdup(image.os_version),
                                           .os_features = strv_dup(image.os_features),
                                           .variant = xstrdup(image.variant) };
        codec_clear(&oci_image_type, &image);
    }
    codec_clear(&oci_manifest_type, &manifest);
    return r;
}

static int look_up(struct registry *registry, const struct reference *ref, struct distribution *ret, struct err *err)
{
    AUTO_DOCUMENT struct document document;
    if (registry_document(registry, ref->digest ? ref->digest : ref->tag, false, &document, err) < 0)
        return -1;
    ret->descriptor = (struct oci_descriptor){ .media_type = xstrdup(document.media_type),
                                               .digest = xstrdup(document.digest),
                                               .size = (int64_t)document.length };
    return document.kind == MEDIA_INDEX ? platforms_of_index(&document, ret, err)
                                        : platform_of_manifest(registry, &document, ret, err);
}

static int distribution(struct worker *worker, const struct job_pull *params, struct job_raw_result *ret,
                        struct err *err)
{
    AUTO_REFERENCE struct reference ref;
    struct distribution found = { .descriptor = { 0 } };
    if (reference_parse(params->reference, &ref, err) < 0)
        return -1;
    reference_tag_default(&ref);
    struct registry_options options = { .domain = ref.domain,
                                        .repository = ref.path,
                                        .mirrors = params->mirrors,
                                        .insecure_registries = params->insecure_registries,
                                        .insecure = params->insecure,
                                        .certs_dir = params->certs_dir,
                                        .auth = &params->auth };
    CLEANUP(registry_free) struct registry *registry = registry_new(&options, err);
    if (!registry || worker_seal(worker, NULL, 0, err) < 0)
        return -1;
    int r = look_up(registry, &ref, &found, err);
    if (r == 0)
        ret->json = codec_encode_dup(&distribution_type, &found);
    codec_clear(&distribution_type, &found);
    return r;
}

int kind_distribution(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_pull params;
    struct job_raw_result result = { 0 };
    if (job_decode(run, &job_pull_type, &params, err) < 0)
        return -1;
    int r = distribution(worker, &params, &result, err);
    if (r == 0)
        r = worker_done(worker, &job_raw_result_type, &result, err);
    codec_clear(&job_pull_type, &params);
    codec_clear(&job_raw_result_type, &result);
    return r;
}
