/* A compressed stream as a plain one: what it is is decided by its first bytes. gzip (all members, each with its checksum), zstd (windows up
 * to 128 MiB), plain; xz and bzip2 only where foreign is allowed. A stream that ends early, carries bytes behind its last member, or
 * grows more than 1000-fold after 64 MiB is ERR_INVALID. */
#pragma once
#include "lib/archive/stream.h"
#include <stdbool.h>

enum stream_kind { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD, STREAM_XZ, STREAM_BZIP2 };
struct inflater;
int inflater_open(struct reader from, bool foreign, struct inflater **ret, struct err *err);
void inflater_close(struct inflater *inflater);
enum stream_kind inflater_kind(const struct inflater *inflater);
ssize_t inflater_read(void *inflater, void *bytes, size_t size, struct err *err);
const char *stream_kind_name(enum stream_kind kind);
enum stream_kind stream_kind_of(const unsigned char *bytes, size_t length);
