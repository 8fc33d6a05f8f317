/* What comes back: documents, refusals, retries; and certificates, progress, digests. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "lib/base/test.h"
#include "registry/internal.h"
#include "registry/meter.h"
#include "registry/refusal.h"
#include "registry/sha256.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- documents ---- */

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG "\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":1,\"digest\":\"sha256:" HEX64 "\"}"
#define MANIFEST(type) "{\"schemaVersion\":2,\"mediaType\":\"" type "\"," CONFIG ",\"layers\":[]}"
#define INDEX(type) "{\"schemaVersion\":2,\"mediaType\":\"" type "\",\"manifests\":[]}"

static char *checked(const char *text, const char *type, const char *header, const char *wanted)
{
    struct err err = { 0 };
    AUTO_DOCUMENT struct document document;
    if (document_check(text, strlen(text), type, header, wanted, &document, &err) < 0)
        return str_format("%s: %s", err_kind_name(err.kind), err.text);
    CHECK_INT(document.length, strlen(text));
    CHECK_STR(document.bytes, text);
    return str_format("%s %s", document.kind == MEDIA_INDEX ? "index" : "manifest", document.media_type);
}

TEST(documents)
{
    static const char *const rows[][3] = {
        { MANIFEST(MEDIA_DOCKER_MANIFEST), MEDIA_DOCKER_MANIFEST, "manifest " MEDIA_DOCKER_MANIFEST },
        { MANIFEST(MEDIA_DOCKER_MANIFEST), MEDIA_DOCKER_MANIFEST "; charset=utf-8", "manifest " MEDIA_DOCKER_MANIFEST },
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", MEDIA_OCI_MANIFEST, "manifest " MEDIA_OCI_MANIFEST },
        { MANIFEST(MEDIA_OCI_MANIFEST), "application/json", "manifest " MEDIA_OCI_MANIFEST },
        { MANIFEST(MEDIA_OCI_MANIFEST), NULL, "manifest " MEDIA_OCI_MANIFEST },
        { INDEX(MEDIA_DOCKER_LIST), MEDIA_DOCKER_LIST, "index " MEDIA_DOCKER_LIST },
        { INDEX(MEDIA_OCI_INDEX), MEDIA_OCI_INDEX, "index " MEDIA_OCI_INDEX },
        { MANIFEST(MEDIA_DOCKER_MANIFEST), MEDIA_OCI_MANIFEST,
          "invalid: if present, mediaType in manifest should be '" MEDIA_OCI_MANIFEST "' not '" MEDIA_DOCKER_MANIFEST
          "'" },
        { INDEX(MEDIA_OCI_INDEX), MEDIA_OCI_MANIFEST,
          "invalid: if present, mediaType in manifest should be '" MEDIA_OCI_MANIFEST "' not '" MEDIA_OCI_INDEX "'" },
        { "{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_OCI_MANIFEST,
          "invalid: the manifest is not what its media type " MEDIA_OCI_MANIFEST " says" },
        { "{\"schemaVersion\":2,\"layers\":[]," CONFIG "}", MEDIA_OCI_INDEX,
          "invalid: the manifest is not what its media type " MEDIA_OCI_INDEX " says" },
        { "{\"schemaVersion\":2}", MEDIA_OCI_INDEX,
          "invalid: the manifest is not what its media type " MEDIA_OCI_INDEX " says" },
        { "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}", MEDIA_OCI_INDEX,
          "invalid: ambiguous manifest: it has both layers and manifests" },
        { MANIFEST("application/vnd.example"), "application/vnd.example",
          "invalid: unsupported manifest media type application/vnd.example" },
        { MANIFEST(MEDIA_OCI_MANIFEST), "text/html", "invalid: unsupported manifest media type text/html" },
        { "{\"schemaVersion\":2,\"layers\":[],\"layers\":[]," CONFIG "}", MEDIA_OCI_MANIFEST,
          "internal: error unmarshalling content: invalid JSON: duplicate object key near '\"layers\"' at line 1 "
          "column 39" },
        { "[]", MEDIA_OCI_INDEX, "internal: error unmarshalling content: a manifest is a JSON object" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = checked(rows[i][0], rows[i][1], NULL, NULL);
        CHECK_STR(got, rows[i][2]);
    }
    static const char *const schema1[][2] = {
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", MEDIA_DOCKER_MANIFEST_V1_SIGNED },
        { "{\"schemaVersion\":1}", "application/json" },
        { "{\"schemaVersion\":2,\"fsLayers\":[],\"layers\":[]," CONFIG "}", MEDIA_DOCKER_MANIFEST },
    };
    for (size_t i = 0; i < ARRAY_SIZE(schema1); i++) {
        AUTO_FREE char *got = checked(schema1[i][0], schema1[i][1], NULL, NULL);
        CHECK(strstr(got, "invalid: the registry has an image manifest of version 2, schema 1") == got);
    }
}

TEST(document_digests)
{
    static const char text[] = MANIFEST(MEDIA_OCI_MANIFEST), other[] = "sha256:" HEX64;
    char right[SHA256_TEXT_SIZE];
    sha256_bytes(text, strlen(text), right);
    AUTO_FREE char *good = checked(text, MEDIA_OCI_MANIFEST, right, right);
    AUTO_FREE char *by_header = checked(text, MEDIA_OCI_MANIFEST, other, NULL);
    AUTO_FREE char *by_name = checked(text, MEDIA_OCI_MANIFEST, right, other);
    AUTO_FREE char *algorithm = checked(text, MEDIA_OCI_MANIFEST, "sha512:" HEX64 HEX64, NULL);
    CHECK_STR(good, "manifest " MEDIA_OCI_MANIFEST);
    CHECK_STR(by_header, "internal: manifest verification failed for digest sha256:" HEX64);
    CHECK_STR(by_name, "internal: manifest verification failed for digest sha256:" HEX64);
    CHECK(strstr(algorithm, "unsupported: unsupported digest algorithm") == algorithm);
}

static void add_member(struct oci_index *index, const char *type, const char *os, const char *arch, const char *variant)
{
    struct oci_descriptor *descriptor = list_add(&index->manifests);
    *descriptor = (struct oci_descriptor){ .media_type = xstrdup(type),
                                           .digest = xstrdup("sha256:" HEX64),
                                           .size = (int64_t)index->manifests.count };
    if (!os)
        return;
    descriptor->platform = xcalloc(1, sizeof *descriptor->platform);
    *descriptor->platform =
        (struct oci_platform){ .os = xstrdup(os), .architecture = xstrdup(arch), .variant = xstrdup(variant) };
}

TEST(members)
{
    struct oci_index index = { .schema_version = 2 };
    add_member(&index, MEDIA_OCI_MANIFEST, "unknown", "unknown", NULL);
    add_member(&index, MEDIA_OCI_MANIFEST, "linux", "arm", "v6");
    add_member(&index, MEDIA_OCI_MANIFEST, "linux", "arm", "v7");
    add_member(&index, MEDIA_OCI_MANIFEST, "windows", "amd64", NULL);
    add_member(&index, MEDIA_OCI_INDEX, "linux", "amd64", NULL);
    add_member(&index, MEDIA_OCI_MANIFEST, "linux", "amd64", NULL);
    static const struct {
        const char *platform;
        int64_t want;
    } rows[] = { { "linux/amd64", 6 }, { "linux/arm/v7", 3 }, { "linux/arm/v6", 2 }, { "linux/s390x", 0 } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct platform wanted;
        struct err err = { 0 };
        const struct oci_descriptor *chosen = NULL;
        CHECK_INT(platform_parse(rows[i].platform, &wanted, &err), 0);
        int r = document_choose(&index, &wanted, &chosen, &err);
        CHECK_INT(r == 0 ? chosen->size : 0, rows[i].want);
        if (r < 0)
            CHECK_STR(err.text, "no matching manifest for linux/s390x in the manifest list entries");
        CHECK_INT(err.kind, r < 0 ? ERR_NOT_FOUND : ERR_NONE);
    }
    codec_clear(&oci_index_type, &index);
}

/* ---- refusals ---- */

static char *refusal_of(int status, const char *reason, const char *type, const char *body, const char *authenticate,
                        bool pull)
{
    AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
    struct refusal refusal;
    struct err err = { 0 };
    exchange.status = status;
    str_copy(exchange.reason, sizeof exchange.reason, reason);
    exchange.content_type = xstrdup(type);
    exchange.authenticate = xstrdup(authenticate);
    exchange.kept = (struct buf)BUF_INIT(1 << 20);
    buf_puts(&exchange.kept, body);
    CHECK_INT(refusal_err(&exchange, &refusal, &err), -1);
    if (pull)
        CHECK_INT(refusal_pull_err(&refusal, "r/x", "r/x:t", &err), -1);
    return str_format("%s: %s", err_kind_name(err.kind), err.text);
}

#define ERRORS(code, message) "{\"errors\":[{\"code\":\"" code "\",\"message\":\"" message "\",\"detail\":{}}]}"

TEST(refusals)
{
    static const struct {
        int status;
        const char *reason, *type, *body, *authenticate;
        bool pull;
        const char *want;
    } rows[] = {
        { 404, "404 Not Found", "application/json", ERRORS("MANIFEST_UNKNOWN", "manifest unknown"), NULL, true,
          "not-found: manifest for r/x:t not found: manifest unknown: manifest unknown" },
        { 404, "404 Not Found", "application/json", ERRORS("MANIFEST_UNKNOWN", "manifest unknown"), NULL, false,
          "not-found: manifest unknown: manifest unknown" },
        { 404, "404 Not Found", "application/json", ERRORS("NAME_UNKNOWN", "repository name not known to registry"),
          NULL, true, "not-found: repository r/x not found: name unknown: repository name not known to registry" },
        { 403, "403 Forbidden", "application/json", ERRORS("DENIED", "requested access to the resource is denied"),
          NULL, true,
          "not-found: pull access denied for r/x, repository does not exist or may require 'docker login': denied: "
          "requested access to the resource is denied" },
        { 401, "401 Unauthorized", "application/json", ERRORS("UNAUTHORIZED", "authentication required"),
          "Bearer realm=\"x\",error=\"insufficient_scope\"", true,
          "not-found: pull access denied for r/x, repository does not exist or may require 'docker login': denied: "
          "requested access to the resource is denied" },
        { 401, "401 Unauthorized", "application/json", ERRORS("UNAUTHORIZED", "authentication required"),
          "Basic realm=x", true, "unauthorized: unauthorized: authentication required" },
        { 401, "401 Unauthorized", NULL, "", NULL, false, "unauthorized: unauthorized: authentication required" },
        { 429, "429 Too Many Requests", "application/json", ERRORS("TOOMANYREQUESTS", "slow down"), NULL, true,
          "unavailable: toomanyrequests: slow down" },
        { 404, "404 Not Found", "text/plain", "boom\n", NULL, true, "internal: unknown: boom" },
        { 400, "400 Bad Request", "application/json", "{\"errors\":[]}", NULL, true, "internal: unknown" },
        { 400, "400 Bad Request", "application/json", "{\"errors\":\"x\"", NULL, true, "internal: unknown" },
        { 500, "500 Internal Server Error", "text/plain", "boom", NULL, true,
          "internal: received unexpected HTTP status: 500 Internal Server Error" },
        { 302, "302 Found", NULL, "", NULL, true, "internal: received unexpected HTTP status: 302 Found" },
        { 400, "400 Bad Request", "application/json", ERRORS("A_B", "c\\u0007d\\ne"), NULL, true,
          "internal: a b: c d e" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got =
            refusal_of(rows[i].status, rows[i].reason, rows[i].type, rows[i].body, rows[i].authenticate, rows[i].pull);
        CHECK_STR(got, rows[i].want);
    }
}

TEST(retries)
{
    static const struct {
        int status;
        int64_t after;
        enum http_trouble trouble;
        bool want;
    } rows[] = {
        { 200, -1, TROUBLE_NONE, false },      { 404, -1, TROUBLE_NONE, false },    { 500, -1, TROUBLE_NONE, true },
        { 503, -1, TROUBLE_NONE, true },       { 501, -1, TROUBLE_NONE, false },    { 429, 3, TROUBLE_NONE, true },
        { 429, -1, TROUBLE_NONE, false },      { 0, -1, TROUBLE_BROKEN, true },     { 0, -1, TROUBLE_CONNECT, false },
        { 0, -1, TROUBLE_CERTIFICATE, false }, { 307, -1, TROUBLE_REFUSED, false }, { 200, -1, TROUBLE_CALLER, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct exchange exchange = EXCHANGE_INIT;
        exchange.status = rows[i].status;
        exchange.retry_after_s = rows[i].after;
        exchange.trouble = rows[i].trouble;
        CHECK_INT(http_worth_retry(&exchange), rows[i].want);
    }
    struct exchange exchange = EXCHANGE_INIT;
    int64_t before = 0;
    for (int attempt = 0; attempt < HTTP_ATTEMPTS; attempt++) {
        int64_t pause = http_pause_ms(&exchange, attempt);
        CHECK(pause > before && pause <= 10000);
        before = pause;
    }
    exchange.retry_after_s = 7;
    CHECK_INT(http_pause_ms(&exchange, 0), 7000);
    exchange.retry_after_s = 1000000;
    CHECK_INT(http_pause_ms(&exchange, 0), 60000);
}

/* ---- certificates ---- */

static void put(int dir_fd, const char *name, const char *text)
{
    CHECK_INT(io_replace_file_at(dir_fd, name, text, strlen(text), 0600, false), 0);
}

TEST(certificates)
{
    char dir[] = "/tmp/registry-test-XXXXXX";
    struct certs certs;
    struct err err = { 0 };
    CHECK(mkdtemp(dir) != NULL);
    AUTO_FREE char *host_dir = path_join(dir, "h:5000");
    CHECK_INT(mkdir(host_dir, 0700), 0);
    AUTO_FD int fd = open(host_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(fd, "a.crt", "A");
    put(fd, "b.crt", "B");
    put(fd, "README", "no");
    CHECK_INT(certs_load(dir, "h:5000", &certs, &err), 0);
    CHECK_STR(certs.authorities, "A\nB\n");
    CHECK(!certs.certificate && !certs.key);
    certs_done(&certs);
    put(fd, "c.cert", "C");
    CHECK_INT(certs_load(dir, "h:5000", &certs, &err), -1);
    CHECK_STR(err.text, "missing key c.key for client certificate c.cert. CA certificates must use the extension .crt");
    put(fd, "c.key", "K");
    err_clear(&err);
    CHECK_INT(certs_load(dir, "h:5000", &certs, &err), 0);
    CHECK_STR(certs.certificate, "C");
    CHECK_STR(certs.key, "K");
    certs_done(&certs);
    CHECK_INT(unlinkat(fd, "c.cert", 0), 0);
    CHECK_INT(certs_load(dir, "h:5000", &certs, &err), -1);
    CHECK_STR(err.text, "missing client certificate c.cert for key c.key");
    CHECK_INT(certs_load(dir, "other", &certs, &err), 0);
    CHECK_STR(certs.authorities, "");
    certs_done(&certs);
    CHECK_INT(certs_load(dir, "../etc", &certs, &err), 0);
    CHECK_STR(certs.authorities, "");
    certs_done(&certs);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, dir), 0);
}

/* ---- the meter ---- */

struct heard {
    struct mutex lock;
    struct buf text;
};

static void hear(void *arg, size_t index, const char *status, int64_t current, int64_t total)
{
    struct heard *heard = arg;
    mutex_lock(&heard->lock);
    if (total)
        buf_printf(&heard->text, "%zu %s %lld/%lld\n", index, status, (long long)current, (long long)total);
    else
        buf_printf(&heard->text, "%zu %s\n", index, status);
    mutex_unlock(&heard->lock);
}

TEST(meter_order)
{
    struct heard heard = { .text = BUF_INIT(BUF_TEXT_MAX) };
    mutex_init(&heard.lock);
    struct meter *meter = meter_new(2, "Downloading", hear, &heard);
    CHECK(meter != NULL);
    meter_status(meter, 0, "Waiting");
    for (int64_t i = 1; i <= 100000; i++)
        meter_bytes(meter, 1, i, 100000);
    meter_status(meter, 1, "Done");
    meter_sync(meter);
    mutex_lock(&heard.lock);
    CHECK(str_ends(heard.text.data, "\n1 Done\n"));
    mutex_unlock(&heard.lock);
    meter_bytes(meter, 0, 5, 5);
    meter_free(meter);
    /* The newest count stands in front of the word that follows it, and hardly any other count was told. */
    size_t lines = 0;
    for (const char *c = heard.text.data; *c; c++)
        lines += *c == '\n';
    CHECK(lines >= 4 && lines < 40);
    CHECK(str_starts(heard.text.data, "0 Waiting\n"));
    CHECK(strstr(heard.text.data, "1 Downloading 100000/100000\n1 Done\n") != NULL);
    CHECK(str_ends(heard.text.data, "0 Downloading 5/5\n"));
    buf_done(&heard.text);
    mutex_done(&heard.lock);
}

TEST(sha256)
{
    char text[SHA256_TEXT_SIZE];
    struct sha256 sha = { .context = NULL };
    sha256_bytes("abc", 3, text);
    CHECK_STR(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_init(&sha);
    sha256_add(&sha, "zzz", 3);
    sha256_init(&sha); /* anew */
    sha256_add(&sha, "a", 1);
    sha256_add(&sha, "bc", 2);
    sha256_text(&sha, text);
    CHECK_STR(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_done(&sha);
}

TESTS(T(documents), T(document_digests), T(members), T(refusals), T(retries), T(certificates), T(meter_order),
      T(sha256))
