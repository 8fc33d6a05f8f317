/* SHA-256 as bytes stream by, and digests as text. */
#pragma once
#include "lib/oci/digest.h"

#include <stddef.h>

struct sha256 {
    void *context; /* EVP_MD_CTX */
};
#define SHA256_TEXT_SIZE (DIGEST_SHA256_TEXT_LENGTH + 1)
void sha256_init(struct sha256 *sha); /* also begins anew */
void sha256_add(struct sha256 *sha, const void *bytes, size_t length);
void sha256_text(struct sha256 *sha, char ret[SHA256_TEXT_SIZE]); /* ends it; init begins anew */
void sha256_done(struct sha256 *sha);
void sha256_bytes(const void *bytes, size_t length, char ret[SHA256_TEXT_SIZE]);
