/* Sizes, durations and times in the words that Docker's clients print. All returned text is the caller's to free. */
#pragma once
#include <stddef.h>
#include <stdint.h>

char *units_size(double bytes, int digits);   /* powers of 1000: "1.98MB" with 3 digits, "1.984MB" with 4 */
char *units_bytes(double bytes, int digits);  /* powers of 1024: "23.54GiB" with 4 digits */
char *units_duration(int64_t ns);             /* "About a minute", "3 days" */
char *units_ago(int64_t unix_seconds);        /* "3 minutes ago", counted from now */
char *units_go_duration(int64_t ns);          /* Go's Duration: "1m30s", "1.5s", "0s" */
char *units_go_time(int64_t unix_ns);         /* Go's Time: "2026-11-25 18:28:04.325841822 +0000 UTC" */
char *units_local_time(int64_t unix_seconds); /* "2026-11-25 18:28:22 +0000 UTC" in the local zone */
/* The first 12 characters behind an optional "sha256:". */
char *units_short_id(const char *id);
/* At most width characters (East Asian ones count two); what is cut ends with an ellipsis character. */
char *units_ellipsis(const char *text, size_t width);
