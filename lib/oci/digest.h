/* Content digests as text, "sha256:<hex>": taking them apart and refusing what is not one. Nothing here
 * hashes; the workers do. Grammar: algorithm parts of [a-z0-9] joined by one of + . _ -, then ':' and the
 * encoded part; a registered algorithm (sha256 sha384 sha512) wants exactly its length in lower-case hex,
 * any other is refused. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>

#define DIGEST_SHA256_TEXT_LENGTH 71 /* "sha256:" and 64 digits */

/* ERR_INVALID "invalid checksum digest format", "... length" or "unsupported digest algorithm". */
int digest_validate(const char *text, struct err *err);
bool digest_valid(const char *text);
bool digest_is_sha256(const char *text);
/* The hex after the colon; NULL when the text is not a valid digest. Borrowed. */
const char *digest_hex(const char *text);
/* "sha256:" + 64 hex digits, in the caller's storage; false when hex is not 64 lower-case hex digits. */
bool digest_from_hex(const char *hex, char ret[DIGEST_SHA256_TEXT_LENGTH + 1]);
