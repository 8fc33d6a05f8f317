#include "lib/unpack/hash.h"

#include "lib/base/io.h"
#include "lib/base/mem.h"

#include <openssl/evp.h>
#include <pthread.h>

static EVP_MD *sha256;
/* Opens no file, so that it may come first inside a sandbox. */
static void fetch_digest(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256)
        abort();
}

void hash_init(struct hash *hash)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fetch_digest);
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, sha256, NULL) != 1)
        abort(); /* out of memory */
}

void hash_add(struct hash *hash, const void *bytes, size_t length)
{
    EVP_DigestUpdate(hash->context, bytes, length);
}

void hash_done(struct hash *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

void hash_raw(struct hash *hash, unsigned char ret[HASH_RAW_SIZE])
{
    EVP_DigestFinal_ex(hash->context, ret, NULL);
}

void hash_text(struct hash *hash, char ret[HASH_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[HASH_RAW_SIZE];
    hash_raw(hash, bytes);
    memcpy(ret, "sha256:", 7);
    for (size_t i = 0; i < sizeof bytes; i++) {
        ret[7 + 2 * i] = digits[bytes[i] >> 4];
        ret[8 + 2 * i] = digits[bytes[i] & 15];
    }
    ret[71] = '\0';
}

void hash_bytes(const void *bytes, size_t length, char ret[HASH_TEXT_SIZE])
{
    AUTO_HASH struct hash hash;
    hash_init(&hash);
    hash_add(&hash, bytes, length);
    hash_text(&hash, ret);
}

#define PROGRESS_STEP ((uint64_t)2 << 20)

ssize_t hashing_reader_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct hashing_reader *reader = arg;
    ssize_t n = reader->from.read(reader->from.arg, bytes, size, err);
    if (n <= 0)
        return n;
    reader->total += (uint64_t)n;
    if (reader->hashing)
        hash_add(&reader->hash, bytes, (size_t)n);
    if (reader->keep_fd >= 0) {
        int r = io_write_all(reader->keep_fd, bytes, (size_t)n);
        if (r < 0)
            return err_sys(err, r, "keep the blob");
    }
    if (reader->on_progress && reader->total >= reader->next_progress) {
        reader->next_progress = reader->total + PROGRESS_STEP;
        reader->on_progress(reader->progress_arg, reader->total);
    }
    return n;
}
