#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/oci/digest.h"
#include "lib/oci/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

TEST(normal_and_familiar_forms)
{
    static const struct {
        const char *text, *full, *familiar, *name;
    } cases[] = {
        { "alpine", "docker.io/library/alpine", "alpine", "alpine" },
        { "alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20", "alpine" },
        { "library/alpine", "docker.io/library/alpine", "alpine", "alpine" },
        { "docker.io/alpine", "docker.io/library/alpine", "alpine", "alpine" },
        { "index.docker.io/library/alpine", "docker.io/library/alpine", "alpine", "alpine" },
        { "user/app", "docker.io/user/app", "user/app", "user/app" },
        { "docker.io/user/app:v1", "docker.io/user/app:v1", "user/app:v1", "user/app" },
        { "localhost/app", "localhost/app", "localhost/app", "localhost/app" },
        { "localhost:5000/app", "localhost:5000/app", "localhost:5000/app", "localhost:5000/app" },
        { "127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c" },
        { "[::1]:5000/app:v", "[::1]:5000/app:v", "[::1]:5000/app:v", "[::1]:5000/app" },
        { "example.com/app@" DIGEST, "example.com/app@" DIGEST, "example.com/app@" DIGEST, "example.com/app" },
        { "alpine:3@" DIGEST, "docker.io/library/alpine:3@" DIGEST, "alpine:3@" DIGEST, "alpine" },
        { "a.b/c", "a.b/c", "a.b/c", "a.b/c" },
        { "a_b/c__d-e--f.g", "docker.io/a_b/c__d-e--f.g", "a_b/c__d-e--f.g", "a_b/c__d-e--f.g" },
        { "UPPER/app", "UPPER/app", "UPPER/app", "UPPER/app" }, /* upper case can only be a host */
        { "app:Tag_1.2-X", "docker.io/library/app:Tag_1.2-X", "app:Tag_1.2-X", "app" },
        { "foo:5000", "docker.io/library/foo:5000", "foo:5000", "foo" },
        { "xn--n3h.com/app", "xn--n3h.com/app", "xn--n3h.com/app", "xn--n3h.com/app" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        struct err err = { 0 };
        CHECK_INT(reference_parse(cases[i].text, &ref, &err), 0);
        CHECK_STR(err.text, "");
        AUTO_FREE char *full = reference_string(&ref), *familiar = reference_familiar_string(&ref), *name = reference_familiar_name(&ref);
        CHECK_STR(full, cases[i].full);
        CHECK_STR(familiar, cases[i].familiar);
        CHECK_STR(name, cases[i].name);
        AUTO_REFERENCE struct reference again = { 0 };
        CHECK_INT(reference_parse(familiar, &again, &err), 0);
        CHECK(reference_equal(&ref, &again));
    }
}

TEST(refusals_in_known_words)
{
    static const char plain[] = "invalid reference format";
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "", plain },
        { ":tag", plain },
        { "app:", plain },
        { "app@", plain },
        { "/app", plain },
        { "app/", plain },
        { "a//b", plain },
        { "-app", plain },
        { "app-", plain },
        { "a..b/c:", plain },
        { "app tag", plain },
        { "app:tag:tag", plain },
        { "app:.tag", plain },
        { "app@sha256:12", plain },
        { "app@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm" },
        { "a___b", plain },
        { "app\n", plain },
        { "\xc3\xa9", plain },
        { "Alpine", "invalid reference format: repository name (library/Alpine) must be lowercase" },
        { "user/App:v1", "invalid reference format: repository name (user/App) must be lowercase" },
        { "docker.io/App", "invalid reference format: repository name (library/App) must be lowercase" },
        { HEX, "invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings" },
        { "localhost/" A50 A50 A50 A50 A50 "aaaaaa", "repository name must not be more than 255 characters" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        struct err err = { 0 };
        if (reference_parse(cases[i].text, &ref, &err) == 0)
            printf("# accepted: %s\n", cases[i].text);
        CHECK_STR(err.text, cases[i].sentence);
        CHECK_INT(err.kind, ERR_INVALID);
        CHECK(!ref.path && !ref.domain);
    }
}

TEST(image_ids_beside_names)
{
    static const struct {
        const char *text, *id;
    } cases[] = { { HEX, DIGEST }, { DIGEST, DIGEST }, { "alpine", NULL }, { "alpine@" DIGEST, NULL }, { "0123456789ab", NULL } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_REFERENCE struct reference ref = { 0 };
        AUTO_FREE char *id = NULL;
        struct err err = { 0 };
        CHECK_INT(reference_parse_any(cases[i].text, &ref, &id, &err), 0);
        if (cases[i].id)
            CHECK(id && (str_eq(id, cases[i].id) || str_eq(id, digest_hex(cases[i].id))));
        else
            CHECK_STR(id, NULL);
        CHECK((ref.path == NULL) == (id != NULL));
    }
}

TEST(tags_and_digests_change)
{
    AUTO_REFERENCE struct reference ref = { 0 }, copy = { 0 };
    struct err err = { 0 };
    CHECK_INT(reference_parse("alpine", &ref, &err), 0);
    reference_tag_default(&ref);
    CHECK_STR(ref.tag, "latest");
    reference_copy(&copy, &ref);
    CHECK_INT(reference_with_tag(&ref, "3.20", &err), 0);
    CHECK_INT(reference_with_tag(&ref, "-x", &err), -1);
    CHECK_STR(err.text, "invalid tag format");
    CHECK_INT(reference_with_digest(&ref, "sha256:12", &err), -1);
    CHECK_STR(err.text, "invalid digest format");
    AUTO_FREE char *text = reference_familiar_string(&ref), *other = reference_familiar_string(&copy);
    CHECK_STR(text, "alpine:3.20");
    CHECK_STR(other, "alpine:latest");
    CHECK(!reference_equal(&ref, &copy));
    CHECK_INT(reference_with_digest(&copy, DIGEST, &err), 0);
    CHECK_STR(copy.digest, DIGEST);
    AUTO_REFERENCE struct reference digested = { 0 };
    CHECK_INT(reference_parse("alpine@" DIGEST, &digested, &err), 0);
    reference_tag_default(&digested);
    CHECK(!digested.tag);
}

TEST(tags)
{
    CHECK(reference_tag_valid("a"));
    CHECK(reference_tag_valid("_a.b-c"));
    CHECK(!reference_tag_valid(""));
    CHECK(!reference_tag_valid(".a"));
    CHECK(!reference_tag_valid("a b"));
    CHECK(reference_tag_valid(A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    CHECK(!reference_tag_valid(A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void matches(const char *pattern, const char *text, bool want)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    struct err err = { 0 };
    bool got = !want;
    CHECK_INT(reference_parse(text, &ref, &err), 0);
    CHECK_INT(reference_familiar_match(pattern, &ref, &got, &err), 0);
    if (got != want)
        printf("# %s against %s\n", pattern, text);
    CHECK_INT(got, want);
}

TEST(patterns)
{
    matches("alpine", "alpine:3.20", true);
    matches("alpine:3.20", "alpine:3.20", true);
    matches("alpine:3.21", "alpine:3.20", false);
    matches("alp*", "alpine:3.20", true);
    matches("*", "alpine:3.20", true);
    matches("*", "user/app:1", false);
    matches("*/*", "user/app:1", true);
    matches("user/a?p:[0-9]", "user/app:1", true);
    matches("user/a[^p]p", "user/app:1", false);
    matches("docker.io/library/alpine", "alpine:3.20", false);
    AUTO_REFERENCE struct reference ref = { 0 };
    struct err err = { 0 };
    bool got;
    CHECK_INT(reference_parse("alpine", &ref, &err), 0);
    CHECK_INT(reference_familiar_match("a[", &ref, &got, &err), -1);
    CHECK_STR(err.text, "syntax error in pattern");
}

TEST(digests)
{
    static const struct {
        const char *text, *sentence;
    } bad[] = {
        { "", "invalid checksum digest format" },
        { "sha256", "invalid checksum digest format" },
        { "sha256:", "invalid checksum digest format" },
        { ":" HEX, "invalid checksum digest format" },
        { "sha256:1234", "invalid checksum digest length" },
        { "md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm" },
        { "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "invalid checksum digest format" },
        { DIGEST "0", "invalid checksum digest length" },
    };
    struct err err = { 0 };
    char made[DIGEST_SHA256_TEXT_LENGTH + 1];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_INT(digest_validate(bad[i].text, &err), -1);
        CHECK_STR(err.text, bad[i].sentence);
        CHECK(!digest_valid(bad[i].text));
    }
    CHECK(digest_valid(DIGEST));
    CHECK(digest_valid("sha512:" HEX HEX));
    CHECK(digest_is_sha256(DIGEST));
    CHECK(!digest_is_sha256("sha512:" HEX HEX));
    CHECK_STR(digest_hex(DIGEST), HEX);
    CHECK_STR(digest_hex("x:y"), NULL);
    CHECK(digest_from_hex(HEX, made));
    CHECK_STR(made, DIGEST);
    CHECK(!digest_from_hex("12", made));
}

TESTS(T(normal_and_familiar_forms), T(refusals_in_known_words), T(image_ids_beside_names), T(tags_and_digests_change), T(tags), T(patterns), T(digests))
