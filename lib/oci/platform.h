/* Platforms "os[/arch[/variant]]": parsing, normalising to Go's names, and choosing the best of an index.
 * Order of preference on a 64-bit ARM v8 host: arm64/v8 then arm v8, v7, v6, v5; amd64 takes its own
 * micro-architecture level and those below (v3 v2 v1), then 386. Text is kept in fixed arrays: a platform is
 * plain data. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct platform {
    char os[32], arch[32], variant[16], os_version[64];
};
/* ERR_INVALID in containerd's words for empty or unknown parts. "linux", "arm64", "linux/arm/v7" are complete;
 * a lone part is an OS or an architecture, the rest is this host's. */
int platform_parse(const char *text, struct platform *ret, struct err *err);
/* From the three members of a JSON object; NULL = "". Normalised. */
void platform_from(const char *os, const char *arch, const char *variant, struct platform *ret);
void platform_normalize(struct platform *platform); /* x86_64 -> amd64, aarch64 -> arm64, arm -> arm/v7, arm64/v8 -> arm64 */
void platform_host(struct platform *ret);           /* "linux", uname's machine */
void platform_format(const struct platform *platform, char *ret, size_t size); /* linux/arm/v7 */
bool platform_equal(const struct platform *a, const struct platform *b);
/* Can `candidate` run where `wanted` was asked for? */
bool platform_match(const struct platform *wanted, const struct platform *candidate);
/* <0 when a fits better than b, 0 alike, >0. Only matching candidates compare before others. */
int platform_compare(const struct platform *wanted, const struct platform *a, const struct platform *b);
/* Index of the best fitting candidate, -1 when none matches. The first wins among equals. */
int platform_best(const struct platform *wanted, const struct platform *candidates, size_t count);
