/* Clocks and RFC 3339 text. Times are int64_t nanoseconds since the epoch, UTC. */
#pragma once
#include <stdint.h>
#define NANOS_PER_SECOND 1000000000LL
int64_t time_now_unix_ns(void);
int64_t time_monotonic_ns(void);
/* "2026-11-24T15:04:05.123456789Z", trailing zeros of the fraction dropped as Go's RFC3339Nano. 0 -> "0001-01-01T00:00:00Z". */
#define TIME_TEXT_SIZE 40
void time_format_rfc3339nano(int64_t unix_ns, char ret[TIME_TEXT_SIZE]);
/* Always nine digits (docker logs --timestamps, json-file logs use RFC3339Nano with trailing zeros dropped). */
void time_format_rfc3339nano_fixed(int64_t unix_ns, char ret[TIME_TEXT_SIZE]);
/* RFC 3339 with optional fraction and zone. 0 or -EINVAL. "0001-01-01T00:00:00Z" -> 0. */
int time_parse_rfc3339(const char *text, int64_t *ret_unix_ns);
/* since/until of the API: "1699999999", "1699999999.123456789", or RFC 3339 (also without seconds, zone or time as Docker
 * takes them), or a Go duration "10m" meaning now minus it. 0 or -EINVAL. */
int time_parse_docker(const char *text, int64_t now_unix_ns, int64_t *ret_unix_ns);
/* Go durations "1h2m3.5s" "100ms". 0 or -EINVAL. */
int time_parse_duration(const char *text, int64_t *ret_ns);
