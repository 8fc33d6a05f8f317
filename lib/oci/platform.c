#include "lib/oci/platform.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <stdio.h>
#include <sys/utsname.h>

static const char *const known_os[] = {"aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js",
    "linux", "nacl", "netbsd", "openbsd", "plan9", "solaris", "windows", "zos", NULL};
static const char *const known_arch[] = {"386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "loong64", "mips",
    "mipsle", "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390",
    "s390x", "sparc", "sparc64", "wasm", NULL};

/* Spelling of an architecture -> Go's name and the variant it implies. */
static const struct {
    const char *from, *arch, *variant;
} arch_names[] = {
    {"i386", "386", ""},       {"i486", "386", ""},         {"i586", "386", ""},        {"i686", "386", ""},
    {"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL},   {"aarch64", "arm64", NULL}, {"armhf", "arm", "v7"},
    {"armel", "arm", "v6"},    {"armv8l", "arm", "v8"},     {"armv7l", "arm", "v7"},    {"armv6l", "arm", "v6"},
    {"armv5tel", "arm", "v5"}, {"loongarch64", "loong64", NULL},
};
/* Variants that are spelled otherwise, or go without saying. */
static const struct {
    const char *arch, *from, *to;
} variant_names[] = {
    {"amd64", "v1", ""}, {"arm64", "8", ""}, {"arm64", "v8", ""}, {"arm64", "v8.0", ""}, {"arm64", "9", "v9"},
    {"arm64", "9.0", "v9"}, {"arm64", "v9.0", "v9"}, {"arm", "", "v7"}, {"arm", "5", "v5"}, {"arm", "6", "v6"},
    {"arm", "7", "v7"}, {"arm", "8", "v8"},
};

static bool is_known(const char *const *list, const char *text)
{
    for (; *list; list++)
        if (str_eq(*list, text))
            return true;
    return false;
}

void platform_normalize(struct platform *platform)
{
    str_lower(platform->os);
    str_lower(platform->arch);
    str_lower(platform->variant);
    if (str_eq(platform->os, "macos"))
        str_copy(platform->os, sizeof(platform->os), "darwin");
    for (size_t i = 0; i < ARRAY_SIZE(arch_names); i++) {
        if (!str_eq(platform->arch, arch_names[i].from))
            continue;
        str_copy(platform->arch, sizeof(platform->arch), arch_names[i].arch);
        if (arch_names[i].variant)
            str_copy(platform->variant, sizeof(platform->variant), arch_names[i].variant);
        break;
    }
    for (size_t i = 0; i < ARRAY_SIZE(variant_names); i++) {
        if (!str_eq(platform->arch, variant_names[i].arch) || !str_eq(platform->variant, variant_names[i].from))
            continue;
        str_copy(platform->variant, sizeof(platform->variant), variant_names[i].to);
        break;
    }
}

void platform_host(struct platform *ret)
{
    struct utsname name;
    *ret = (struct platform){.os = "linux"};
    if (uname(&name) == 0)
        str_copy(ret->arch, sizeof(ret->arch), name.machine);
    platform_normalize(ret);
}

void platform_from(const char *os, const char *arch, const char *variant, struct platform *ret)
{
    *ret = (struct platform){0};
    str_copy(ret->os, sizeof(ret->os), os ? os : "");
    str_copy(ret->arch, sizeof(ret->arch), arch ? arch : "");
    str_copy(ret->variant, sizeof(ret->variant), variant ? variant : "");
    platform_normalize(ret);
}

static bool component_valid(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return length && !text[length];
}

static int parse_lone(const char *text, const char *part, struct platform *ret, struct err *err)
{
    struct platform host, candidate;
    platform_host(&host);
    platform_from(part, "", "", &candidate);
    if (is_known(known_os, candidate.os)) {
        *ret = host;
        memcpy(ret->os, candidate.os, sizeof(ret->os));
        return 0;
    }
    platform_from(host.os, part, "", &candidate);
    if (is_known(known_arch, candidate.arch)) {
        *ret = candidate;
        return 0;
    }
    return err_set(err, ERR_INVALID, "\"%s\": unknown operating system or architecture: invalid argument", text);
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
    *ret = (struct platform){0};
    if (strchr(text, '*'))
        return err_set(err, ERR_INVALID, "\"%s\": wildcards not yet supported: invalid argument", text);
    CLEANUP(strv_free) char **parts = strv_split(text, '/', false);
    for (char **part = parts; *part; part++) {
        if (!component_valid(*part))
            return err_set(err, ERR_INVALID, "\"%s\" is an invalid component of \"%s\": platform specifier component must "
                "match \"^[A-Za-z0-9_.-]+$\": invalid argument", *part, text);
        if (strlen(*part) >= sizeof(ret->variant) && strlen(*part) >= sizeof(ret->os))
            return err_set(err, ERR_INVALID, "\"%s\": cannot parse platform specifier: invalid argument", text);
    }
    size_t count = strv_length(parts);
    if (count == 1)
        return parse_lone(text, parts[0], ret, err);
    if (count > 3)
        return err_set(err, ERR_INVALID, "\"%s\": cannot parse platform specifier: invalid argument", text);
    platform_from(parts[0], parts[1], count == 3 ? parts[2] : "", ret);
    return 0;
}

void platform_format(const struct platform *platform, char *ret, size_t size)
{
    if (!platform->os[0])
        str_copy(ret, size, "unknown");
    else if (platform->variant[0])
        (void)snprintf(ret, size, "%s/%s/%s", platform->os, platform->arch, platform->variant);
    else if (platform->arch[0])
        (void)snprintf(ret, size, "%s/%s", platform->os, platform->arch);
    else
        str_copy(ret, size, platform->os);
}

bool platform_equal(const struct platform *a, const struct platform *b)
{
    return str_eq(a->os, b->os) && str_eq(a->arch, b->arch) && str_eq(a->variant, b->variant);
}

/* What runs where `wanted` was asked for, best first. */
struct preference {
    struct platform list[16];
    size_t count;
};

static void prefer(struct preference *preference, const struct platform *wanted, const char *arch, const char *variant)
{
    if (preference->count == ARRAY_SIZE(preference->list))
        return;
    platform_from(wanted->os, arch, variant, &preference->list[preference->count++]);
}

static void prefer_arm_below(struct preference *preference, const struct platform *wanted, char from)
{
    for (char level = from; level >= '5'; level--)
        prefer(preference, wanted, "arm", (char[]){'v', level, '\0'});
}

static void preference_make(const struct platform *asked, struct preference *ret)
{
    struct platform wanted = *asked;
    platform_normalize(&wanted);
    *ret = (struct preference){.list = {wanted}, .count = 1};
    char level = wanted.variant[0] == 'v' && wanted.variant[1] && !wanted.variant[2] ? wanted.variant[1] : 0;
    if (str_eq(wanted.arch, "amd64")) {
        for (char lower = level; lower > '2'; lower--)
            prefer(ret, &wanted, "amd64", (char[]){'v', (char)(lower - 1), '\0'});
        if (wanted.variant[0])
            prefer(ret, &wanted, "amd64", "");
        prefer(ret, &wanted, "386", "");
    } else if (str_eq(wanted.arch, "arm64")) {
        if (wanted.variant[0])
            prefer(ret, &wanted, "arm64", "");
        prefer_arm_below(ret, &wanted, '8');
    } else if (str_eq(wanted.arch, "arm") && level > '5') {
        prefer_arm_below(ret, &wanted, (char)(level - 1));
    }
}

static int rank(const struct preference *preference, const struct platform *candidate)
{
    struct platform normal = *candidate;
    platform_normalize(&normal);
    for (size_t i = 0; i < preference->count; i++)
        if (platform_equal(&preference->list[i], &normal))
            return (int)i;
    return (int)preference->count;
}

bool platform_match(const struct platform *wanted, const struct platform *candidate)
{
    struct preference preference;
    preference_make(wanted, &preference);
    return rank(&preference, candidate) < (int)preference.count;
}

int platform_compare(const struct platform *wanted, const struct platform *a, const struct platform *b)
{
    struct preference preference;
    preference_make(wanted, &preference);
    return rank(&preference, a) - rank(&preference, b);
}

int platform_best(const struct platform *wanted, const struct platform *candidates, size_t count)
{
    struct preference preference;
    preference_make(wanted, &preference);
    int best = -1, best_rank = (int)preference.count;
    for (size_t i = 0; i < count; i++) {
        int this_rank = rank(&preference, &candidates[i]);
        if (this_rank < best_rank) {
            best = (int)i;
            best_rank = this_rank;
        }
    }
    return best;
}
