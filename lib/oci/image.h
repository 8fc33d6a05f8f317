/* The image specification as structs and tables: manifest, index, image config, descriptor, for Docker's and
 * OCI's media types alike, and the classification of media types. oci_ marks names that lib/api has too:
 * the two rooms stand on one floor and do not know each other. Unknown members are dropped on decode, so
 * whoever must keep a blob's digest keeps its bytes, not its struct. */
#pragma once
#include "lib/json/codec.h"

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST_V1 "application/vnd.docker.distribution.manifest.v1+json"
#define MEDIA_DOCKER_MANIFEST_V1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"
#define MEDIA_DOCKER_LAYER_FOREIGN_GZIP "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

enum media_kind {
    MEDIA_OTHER = 0,
    MEDIA_MANIFEST,    /* one image, schema 2 or OCI */
    MEDIA_INDEX,       /* OCI index or Docker manifest list */
    MEDIA_MANIFEST_V1, /* schema 1: recognised to be refused by name */
    MEDIA_CONFIG,
    MEDIA_LAYER,
    MEDIA_LAYER_FOREIGN, /* bytes not in the registry */
};
enum media_compression { COMPRESSION_NONE = 0, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* Parameters ("; charset=utf-8") and case are ignored. NULL is MEDIA_OTHER. */
enum media_kind media_kind_of(const char *media_type);
enum media_compression media_compression_of(const char *media_type);
bool media_is_docker(const char *media_type);
/* The Accept header of a manifest request, all kinds we read, best first. */
const char *media_manifest_accept(void);
/* The other family's name for the same thing (OCI layer+gzip -> Docker's); NULL when it has none. Static text. */
const char *media_to_docker(const char *media_type);
const char *media_to_oci(const char *media_type);

struct oci_platform {
    char *architecture, *os, *os_version;
    char **os_features;
    char *variant;
};
struct oci_descriptor {
    char *media_type, *digest;
    int64_t size;
    char **urls;
    struct str_map annotations;
    char *data; /* base64 */
    struct oci_platform *platform;
    char *artifact_type;
};
struct oci_manifest {
    int64_t schema_version; /* 2 */
    char *media_type;       /* may be absent in OCI manifests */
    char *artifact_type;
    struct oci_descriptor config;
    CODEC_LIST(struct oci_descriptor) layers;
    struct oci_descriptor *subject;
    struct str_map annotations;
};
struct oci_index {
    int64_t schema_version;
    char *media_type, *artifact_type;
    CODEC_LIST(struct oci_descriptor) manifests;
    struct oci_descriptor *subject;
    struct str_map annotations;
};

struct oci_health_config {
    char **test;
    int64_t interval, timeout, start_period, start_interval;
    int64_t retries;
};
/* The "config" member: what a container of this image runs with. */
struct image_config_config {
    char *hostname, *domainname, *user;
    bool attach_stdin, attach_stdout, attach_stderr;
    char **exposed_ports;
    bool tty, open_stdin, stdin_once;
    char **env, **cmd;
    struct oci_health_config *healthcheck;
    bool args_escaped;
    char *image;
    char **volumes;
    char *working_dir;
    char **entrypoint;
    char **on_build;
    struct str_map labels;
    char *stop_signal;
    char **shell;
};
struct oci_rootfs {
    char *type; /* "layers" */
    char **diff_ids;
};
struct oci_history {
    char *created; /* RFC 3339 text as found */
    char *created_by, *author, *comment;
    bool empty_layer;
};
struct oci_image {
    char *architecture, *variant, *os, *os_version;
    char **os_features;
    char *created; /* RFC 3339 text as found; NULL = none */
    char *author, *comment;
    char *docker_version;
    char *container;                              /* legacy, read only by image inspect */
    struct image_config_config *config;           /* NULL = absent */
    struct image_config_config *container_config; /* legacy */
    struct oci_rootfs rootfs;
    CODEC_LIST(struct oci_history) history;
};

/* ERR_INVALID for what an engine cannot use: wrong schemaVersion, schema 1, a manifest without config, a descriptor
 * with a bad digest or a negative size, both "manifests" and "layers" in one document. */
int oci_manifest_decode(const char *text, size_t length, struct oci_manifest *ret, struct err *err);
int oci_index_decode(const char *text, size_t length, struct oci_index *ret, struct err *err);
/* Also checks rootfs.type, the diff ids, and that the history has as many non-empty layers as rootfs has (when there is
 * any history). */
int oci_image_decode(const char *text, size_t length, struct oci_image *ret, struct err *err);
/* The kind of a manifest document from its own members, for registries that lie about Content-Type. */
enum media_kind oci_document_kind(const char *text, size_t length);

CODEC_DECLARE(oci_platform);
CODEC_DECLARE(oci_descriptor);
CODEC_DECLARE(oci_manifest);
CODEC_DECLARE(oci_index);
CODEC_DECLARE(oci_health_config);
CODEC_DECLARE(image_config_config);
CODEC_DECLARE(oci_rootfs);
CODEC_DECLARE(oci_history);
CODEC_DECLARE(oci_image);
