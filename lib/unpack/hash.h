/* SHA-256 by OpenSSL, and a reader that hashes and counts what passes. */
#pragma once
#include "lib/archive/stream.h"
#include <stdbool.h>
#include <stdint.h>

#define HASH_TEXT_SIZE 72 /* "sha256:" + 64 digits + NUL */
struct hash {
    void *context; /* EVP_MD_CTX */
};
void hash_init(struct hash *hash);
void hash_add(struct hash *hash, const void *bytes, size_t length);
void hash_text(struct hash *hash, char ret[HASH_TEXT_SIZE]); /* ends the hash */
#define HASH_RAW_SIZE 32
void hash_raw(struct hash *hash, unsigned char ret[HASH_RAW_SIZE]); /* the same as bytes */
void hash_done(struct hash *hash);
#define AUTO_HASH __attribute__((cleanup(hash_done)))
void hash_bytes(const void *bytes, size_t length, char ret[HASH_TEXT_SIZE]);

struct hashing_reader {
    struct reader from;
    struct hash hash;
    bool hashing; /* else only counts */
    int keep_fd;  /* -1, or where the bytes are also written */
    uint64_t total;
    void (*on_progress)(void *arg, uint64_t total); /* NULL, or called every few MiB */
    void *progress_arg;
    uint64_t next_progress;
};
ssize_t hashing_reader_read(void *arg, void *bytes, size_t size, struct err *err);
