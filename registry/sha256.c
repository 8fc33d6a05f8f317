#include "registry/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

void sha256_init(struct sha256 *sha)
{
    if (!sha->context)
        sha->context = EVP_MD_CTX_new();
    if (!sha->context || EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL) != 1)
        abort(); /* out of memory */
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t length)
{
    EVP_DigestUpdate(sha->context, bytes, length);
}

void sha256_text(struct sha256 *sha, char ret[SHA256_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[32];
    EVP_DigestFinal_ex(sha->context, bytes, NULL);
    memcpy(ret, "sha256:", 7);
    for (size_t i = 0; i < sizeof bytes; i++) {
        ret[7 + 2 * i] = digits[bytes[i] >> 4];
        ret[8 + 2 * i] = digits[bytes[i] & 15];
    }
    ret[DIGEST_SHA256_TEXT_LENGTH] = '\0';
}

void sha256_done(struct sha256 *sha)
{
    EVP_MD_CTX_free(sha->context);
    sha->context = NULL;
}

void sha256_bytes(const void *bytes, size_t length, char ret[SHA256_TEXT_SIZE])
{
    struct sha256 sha = { .context = NULL };
    sha256_init(&sha);
    sha256_add(&sha, bytes, length);
    sha256_text(&sha, ret);
    sha256_done(&sha);
}
