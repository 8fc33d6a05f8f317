/* Names of images, base64. */
#include "cli/base64.h"
#include "cli/reference.h"
#include "lib/base/mem.h"
#include "lib/base/test.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char result[2048];

/* "familiar full", or "! " and the message. */
static const char *parsed(const char *text)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    struct err err = { 0 };
    if (reference_parse(text, &reference, &err) < 0) {
        snprintf(result, sizeof result, "! %s", err.text);
        return result;
    }
    AUTO_FREE char *familiar = reference_familiar(&reference), *full = reference_full(&reference);
    snprintf(result, sizeof result, "%s %s", familiar, full);
    return result;
}

TEST(names)
{
    CHECK_STR(parsed("busybox"), "busybox docker.io/library/busybox");
    CHECK_STR(parsed("docker.io/library/busybox:1"), "busybox:1 docker.io/library/busybox:1");
    CHECK_STR(parsed("index.docker.io/busybox"), "busybox docker.io/library/busybox");
    CHECK_STR(parsed("a/b"), "a/b docker.io/a/b");
    CHECK_STR(parsed("localhost/a"), "localhost/a localhost/a");
    CHECK_STR(parsed("127.0.0.1:5000/a/b_c__d-e--f.g:Tag_1.x-y"),
              "127.0.0.1:5000/a/b_c__d-e--f.g:Tag_1.x-y 127.0.0.1:5000/a/b_c__d-e--f.g:Tag_1.x-y");
    CHECK_STR(parsed("[::1]:5000/a"), "[::1]:5000/a [::1]:5000/a");
    CHECK_STR(parsed("a:t@sha256:" HEX64), "a:t@sha256:" HEX64 " docker.io/library/a:t@sha256:" HEX64);
}

TEST(refusals)
{
    static const char *const bad[] = { "",     ":tag",        "a:",          "a b",   "a//b",    "a/",
                                       "/a",   "-a",          "a-",          "a..b",  "a___b",   "a:.t",
                                       "a@x",  "a@sha256:zz", "host:port/a", "a:b:c", "host:/a", "a@sha256:" HEX64 "0x",
                                       "-.x/a" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_STR(parsed(bad[i]), "! invalid reference format");
    CHECK_STR(parsed("BAD"), "! invalid reference format: repository name (library/BAD) must be lowercase");
    CHECK_STR(parsed(HEX64), "! invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings");
    CHECK_STR(parsed("a@md5:" HEX64), "! unsupported digest algorithm");
    CHECK_STR(parsed("a@sha256:0123456789abcdef0123456789abcdef"), "! invalid checksum digest length");
}

TEST(base64)
{
    static const char *const pairs[][2] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "\xff\xef\xfe", "/+/+" }
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        size_t length;
        AUTO_FREE char *coded = base64_encode(pairs[i][0], strlen(pairs[i][0]), false),
                       *back = base64_decode(pairs[i][1], &length);
        CHECK_STR(coded, pairs[i][1]);
        CHECK_STR(back, pairs[i][0]);
        CHECK_INT(length, strlen(pairs[i][0]));
    }
    size_t length;
    AUTO_FREE char *url = base64_encode("\xff\xef\xfe", 3, true), *bare = base64_decode("Zg", &length);
    CHECK_STR(url, "_-_-");
    CHECK_STR(bare, "f");
    CHECK(!base64_decode("Z", &length));
    CHECK(!base64_decode("Zm9v!", &length));
}

TESTS(T(names), T(refusals), T(base64))
