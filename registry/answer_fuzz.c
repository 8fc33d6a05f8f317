/* What a registry may answer, mangled: challenges, locations, documents, refusals. With libFuzzer: -fsanitize=fuzzer
 * and -DFUZZING; without, the seeds and the files that are named are replayed with many small changes, always the same.
 */
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "registry/challenge.h"
#include "registry/internal.h"
#include "registry/refusal.h"

#include <fcntl.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void try_challenges(const char *text)
{
    struct challenges found = { .count = 0 };
    challenges_parse(text, &found);
    challenges_done(&found);
}

static void try_location(const char *text)
{
    struct err err = { 0 };
    AUTO_URL struct url base = URL_INIT;
    AUTO_URL struct url to = URL_INIT;
    if (url_parse("https://registry.example:5000/v2/a/blobs/x", &base, &err) == 0 &&
        url_resolve(&base, text, &to, &err) == 0 && url_is_https(&to) != str_starts(to.text, "https://"))
        abort();
}

static void try_document(const char *text, size_t length)
{
    struct err err = { 0 };
    AUTO_DOCUMENT struct document document;
    struct oci_manifest manifest;
    struct oci_index index;
    struct oci_image image;
    const struct oci_descriptor *chosen;
    struct platform wanted = { .os = "linux", .arch = "amd64" };
    if (document_check(text, length, NULL, NULL, NULL, &document, &err) == 0) {
        if (document.kind == MEDIA_MANIFEST && oci_manifest_decode(text, length, &manifest, &err) == 0)
            codec_clear(&oci_manifest_type, &manifest);
        if (document.kind == MEDIA_INDEX && oci_index_decode(text, length, &index, &err) == 0) {
            (void)document_choose(&index, &wanted, &chosen, &err);
            codec_clear(&oci_index_type, &index);
        }
    }
    if (oci_image_decode(text, length, &image, &err) == 0)
        codec_clear(&oci_image_type, &image);
}

static void try_refusal(const char *text, size_t length)
{
    AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
    struct refusal refusal;
    struct err err = { 0 };
    exchange.status = 401;
    exchange.authenticate = xstrdup(text);
    exchange.kept = (struct buf)BUF_INIT((size_t)1 << 20);
    buf_append(&exchange.kept, text, length);
    (void)refusal_err(&exchange, &refusal, &err);
    (void)refusal_pull_err(&refusal, "name", "name:tag", &err);
    if (!err.text[0] || err.kind == ERR_NONE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_FREE char *text = xstrndup((const char *)bytes, length);
    try_challenges(text);
    try_location(text);
    try_document((const char *)bytes, length);
    try_refusal(text, strlen(text));
    return 0;
}

#ifndef FUZZING
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DESCRIPTOR(type) "{\"mediaType\":\"" type "\",\"size\":7,\"digest\":\"sha256:" HEX64 "\""
static const char *const seeds[] = {
    "Bearer "
    "realm=\"https://auth.example/token\",service=\"x\",scope=\"repository:a/b:pull\",error=\"insufficient_scope\"",
    "Negotiate YII=, Digest qop=\"auth,auth-int\", Basic realm=\"a\\\"b\", Bearer",
    "https://u:p@host:99/../a?b=c#d",
    "//[::1]:80/x%2f..;y",
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
    "\",\"config\":" DESCRIPTOR(MEDIA_OCI_CONFIG) "},\"layers\":[" DESCRIPTOR(MEDIA_OCI_LAYER_GZIP) "}]}",
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_LIST "\",\"manifests\":[" DESCRIPTOR(
        MEDIA_DOCKER_MANIFEST) ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
    "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":{}}],\"details\":\"x\"}",
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX64
    "\"]},\"history\":[{\"created_by\":\"x\"}]}",
};

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void replay(const char *text, size_t length, int changes)
{
    static const char telling[] = "{}[]\":,\\=/ \t@?#%.-0";
    uint32_t state = 88172645U;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)text, length);
    for (int i = 0; i < changes && length; i++) {
        AUTO_FREE char *copy = xmemdup(text, length);
        size_t end = next(&state) % 8 ? length : next(&state) % length;
        for (uint32_t n = next(&state) % 6; n; n--)
            copy[next(&state) % length] =
                next(&state) % 2 ? telling[next(&state) % (sizeof telling - 1)] : (char)next(&state);
        (void)LLVMFuzzerTestOneInput((const uint8_t *)copy, end);
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_SIZE(seeds); i++)
        replay(seeds[i], strlen(seeds[i]), 2000);
    for (int i = 1; i < argc; i++) {
        AUTO_FREE char *text = NULL;
        size_t length;
        if (io_read_file_at(AT_FDCWD, argv[i], MANIFEST_MAX, &text, &length) < 0) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        replay(text, length, 2000);
    }
    return 0;
}
#endif
