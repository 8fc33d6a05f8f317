/* A repository on a registry, spoken to by the Distribution API v2: resolve a tag or digest, fetch blobs, push. Nothing
 * here knows where bytes are kept: blobs go to a struct blob_sink and come from file descriptors.
 *
 * Refused by name: manifests of schema 1, documents that are image and index at once, foreign layers, digests other
 * than sha256. Every manifest, config and blob is checked against its digest and size before anybody sees it.
 *
 * Endpoints (mirrors, https, http) are tried in order by the first request; the one that answers serves the rest. */
#pragma once
#include "lib/base/err.h"
#include "lib/jobs/kinds.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"

#include <stdbool.h>
#include <stdint.h>

struct registry_options {   /* all borrowed while registry_new runs */
    const char *domain;     /* "docker.io", "localhost:5000" */
    const char *repository; /* "library/alpine"; NULL for a login */
    char *const *mirrors, *const *insecure_registries;
    bool insecure; /* as if the domain were listed */
    bool push;     /* tokens must allow pushing */
    const char *certs_dir;
    const struct job_auth *auth;
};
struct registry;
/* Reads certificates and no more: call it while root's files may still be read. Everything else happens in later calls.
 */
struct registry *registry_new(const struct registry_options *options, struct err *err);
void registry_free(struct registry *registry);
CLEANUP_FN(struct registry, registry_free)

/* ---- resolve ---- */
#define MANIFEST_MAX ((size_t)4 << 20)
#define CONFIG_MAX ((size_t)8 << 20)

struct document {         /* a manifest or an index, as received */
    enum media_kind kind; /* MEDIA_MANIFEST or MEDIA_INDEX */
    char *digest, *media_type;
    char *bytes; /* ends with a NUL that length does not count */
    size_t length;
};
void document_done(struct document *document);
#define AUTO_DOCUMENT __attribute__((cleanup(document_done)))

/* what: a tag or a digest. Errors as a pull prints them when named, else bare. ERR_NOT_FOUND, ERR_UNAUTHORIZED, ... */
int registry_document(struct registry *registry, const char *what, bool named, struct document *ret, struct err *err);
/* The member of an index that suits best, fetched and checked. ERR_NOT_FOUND "no matching manifest for linux/..." */
int registry_member(struct registry *registry, const struct document *index, const struct platform *wanted,
                    struct document *ret, struct err *err);
/* The config of a manifest; *ret ends with a NUL. */
int registry_config(struct registry *registry, const struct oci_descriptor *config, char **ret, size_t *ret_length,
                    struct err *err);
/* All tags of the repository, sorted as the registry gives them. */
int registry_tags(struct registry *registry, char ***ret, struct err *err);

/* ---- blobs down ---- */
struct blob_sink {
    void *arg;
    /* Called on the fetching thread. start: a blob's bytes come (again) from its first byte on. done: they are whole
     * and right. Each -1 ends the fetch with err. */
    int (*start)(void *arg, size_t index, struct err *err);
    int (*write)(void *arg, size_t index, const void *bytes, size_t length, uint64_t offset, struct err *err);
    int (*done)(void *arg, size_t index, struct err *err);
    /* Told for progress; status is one of Docker's words, static or copied by whoever keeps it. May be NULL. */
    void (*bytes)(void *arg, size_t index, int64_t current, int64_t total);
    void (*status)(void *arg, size_t index, const char *status);
    /* Asked now and then and after registry_wake(): -1 with err ends the fetch. May be NULL. */
    int (*check)(void *arg, struct err *err);
};
struct blob_want {
    const char *digest; /* sha256:... */
    int64_t size;       /* exactly */
};
int registry_fetch(struct registry *registry, const struct blob_want *wants, size_t count, const struct blob_sink *sink,
                   struct err *err);
void registry_wake(struct registry *registry); /* from any thread */

/* ---- blobs up ---- */
struct push_blob {
    char *digest, *media_type; /* owned; digest "" or NULL = not known until supplied */
    int64_t size;
    const char *mount_from; /* borrowed: a repository of the same registry to try, or "" */
    const void *bytes;      /* borrowed: the blob itself when it is small (a config) */
};
struct push_source {
    void *arg;
    /* Blob `index` is needed: give it by registry_supply(), from any thread, now or later. */
    void (*want)(void *arg, size_t index);
    void (*bytes)(void *arg, size_t index, int64_t current, int64_t total);
    void (*status)(void *arg, size_t index, const char *status); /* may be NULL, as bytes */
    int (*check)(void *arg, struct err *err);
};
/* Uploads what the registry does not have yet. Fills digests, types and sizes. */
int registry_push_blobs(struct registry *registry, struct push_blob *blobs, size_t count,
                        const struct push_source *source, struct err *err);
/* Takes the strings; fd stays the caller's and open until the push ends. From any thread; too late is no harm. */
void registry_supply(struct registry *registry, size_t index, char *digest, char *media_type, int64_t size, int fd);
int registry_push_manifest(struct registry *registry, const char *tag, const char *media_type, const char *bytes,
                           size_t length, struct err *err);

/* ---- login ---- */
/* *ret_identity: an identity token or NULL, the caller's. */
int registry_login(struct registry *registry, char **ret_identity, struct err *err);
