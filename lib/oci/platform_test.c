#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/oci/platform.h"

static struct platform parsed(const char *text)
{
    struct platform platform = { 0 };
    struct err err = { 0 };
    CHECK_INT(platform_parse(text, &platform, &err), 0);
    CHECK_STR(err.text, "");
    return platform;
}

static void formats(const char *text, const char *want)
{
    struct platform platform = parsed(text);
    char got[128];
    platform_format(&platform, got, sizeof got);
    CHECK_STR(got, want);
}

TEST(parsing_normalises)
{
    formats("linux/amd64", "linux/amd64");
    formats("Linux/x86_64", "linux/amd64");
    formats("linux/x86-64", "linux/amd64");
    formats("linux/aarch64", "linux/arm64");
    formats("linux/arm64/v8", "linux/arm64");
    formats("linux/arm64/8", "linux/arm64");
    formats("linux/arm64/v9", "linux/arm64/v9");
    formats("linux/arm", "linux/arm/v7");
    formats("linux/armhf", "linux/arm/v7");
    formats("linux/armel", "linux/arm/v6");
    formats("linux/arm/6", "linux/arm/v6");
    formats("linux/i386", "linux/386");
    formats("linux/amd64/v1", "linux/amd64");
    formats("linux/amd64/v3", "linux/amd64/v3");
    formats("macos/arm64", "darwin/arm64");
    formats("windows/amd64", "windows/amd64");
    formats("linux/riscv64", "linux/riscv64");
}

TEST(a_lone_part_is_completed)
{
    struct platform host, os = parsed("linux"), arch = parsed("arm64");
    platform_host(&host);
    CHECK_STR(host.os, "linux");
    CHECK(host.arch[0]);
    CHECK_STR(os.arch, host.arch);
    CHECK_STR(arch.os, "linux");
    CHECK_STR(arch.arch, "arm64");
}

TEST(bad_platforms_are_named)
{
    static const struct {
        const char *text, *part;
    } cases[] = { { "", "invalid" }, { "*", "wildcards" }, { "linux/*", "wildcards" }, { "nonsense", "unknown operating system or architecture" },
                  { "linux//v7", "invalid component" }, { "a/b/c/d", "cannot parse platform specifier" }, { "lin ux/amd64", "invalid component" },
                  { "linux/amd64/", "invalid component" } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct platform platform = { 0 };
        struct err err = { 0 };
        CHECK_INT(platform_parse(cases[i].text, &platform, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
        if (!strstr(err.text, cases[i].part))
            CHECK_STR(err.text, cases[i].part);
    }
}

TEST(long_text_does_not_overflow)
{
    char text[400];
    struct platform platform = { 0 };
    struct err err = { 0 };
    memset(text, 'a', sizeof text);
    memcpy(text, "linux/", 6);
    text[sizeof text - 1] = 0;
    (void)platform_parse(text, &platform, &err);
    CHECK(strlen(platform.arch) < sizeof platform.arch);
    platform_from(text, text, text, &platform);
    CHECK(strlen(platform.os) < sizeof platform.os);
    platform_from(NULL, NULL, NULL, &platform);
    CHECK_STR(platform.variant, "");
}

static void runs(const char *wanted, const char *candidate, bool want)
{
    struct platform a = parsed(wanted), b = parsed(candidate);
    if (platform_match(&a, &b) != want)
        printf("# %s on %s\n", candidate, wanted);
    CHECK_INT(platform_match(&a, &b), want);
}

TEST(matching)
{
    runs("linux/amd64", "linux/amd64", true);
    runs("linux/amd64", "linux/386", true);
    runs("linux/amd64", "linux/arm64", false);
    runs("linux/amd64", "windows/amd64", false);
    runs("linux/amd64/v3", "linux/amd64/v2", true);
    runs("linux/amd64/v2", "linux/amd64/v3", false);
    runs("linux/arm64", "linux/arm/v7", true);
    runs("linux/arm64", "linux/arm/v5", true);
    runs("linux/arm/v6", "linux/arm/v7", false);
    runs("linux/arm/v7", "linux/arm/v6", true);
    runs("linux/386", "linux/amd64", false);
}

static void chooses(const char *wanted, const char *const *names, size_t count, int want)
{
    struct platform a = parsed(wanted), candidates[8];
    for (size_t i = 0; i < count; i++)
        candidates[i] = parsed(names[i]);
    CHECK_INT(platform_best(&a, candidates, count), want);
}

TEST(the_best_of_an_index)
{
    static const char *const mixed[] = { "linux/386", "linux/arm/v6", "linux/amd64", "linux/arm/v7", "linux/amd64/v2", "linux/arm64", "linux/amd64" };
    chooses("linux/amd64", mixed, ARRAY_SIZE(mixed), 2);
    chooses("linux/amd64/v2", mixed, ARRAY_SIZE(mixed), 4);
    chooses("linux/amd64/v3", mixed, ARRAY_SIZE(mixed), 4);
    chooses("linux/arm64", mixed, ARRAY_SIZE(mixed), 5);
    chooses("linux/arm64", mixed, 5, 3);
    chooses("linux/arm/v6", mixed, ARRAY_SIZE(mixed), 1);
    chooses("linux/386", mixed, ARRAY_SIZE(mixed), 0);
    chooses("linux/amd64", mixed, 2, 0);
    chooses("linux/s390x", mixed, ARRAY_SIZE(mixed), -1);
    chooses("linux/amd64", mixed, 0, -1);
}

TEST(comparing_prefers_the_closer)
{
    struct platform wanted = parsed("linux/amd64"), own = parsed("linux/amd64"), old = parsed("linux/386"), other = parsed("linux/arm64");
    CHECK(platform_compare(&wanted, &own, &old) < 0);
    CHECK(platform_compare(&wanted, &old, &own) > 0);
    CHECK(platform_compare(&wanted, &old, &other) < 0);
    CHECK_INT(platform_compare(&wanted, &own, &own), 0);
    CHECK(platform_equal(&own, &wanted));
    CHECK(!platform_equal(&own, &old));
}

TESTS(T(parsing_normalises), T(a_lone_part_is_completed), T(bad_platforms_are_named), T(long_text_does_not_overflow), T(matching), T(the_best_of_an_index),
      T(comparing_prefers_the_closer))
