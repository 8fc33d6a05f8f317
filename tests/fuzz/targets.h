/* What can be fuzzed: one row per reader of strangers' bytes. A target gets bytes of any kind; it must come back, and what it
 * accepts must survive being written and read again (PROMISE). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct fuzz_target {
    const char *name;
    void (*run)(const unsigned char *bytes, size_t length);
    const char *const *seeds; /* NULL-ended texts; binary targets make theirs */
    /* Fills room with the n-th seed; false when there is none. NULL: from seeds. */
    bool (*make_seed)(size_t n, unsigned char *room, size_t size, size_t *ret_length);
    const char *const *words; /* NULL-ended, or NULL */
};
extern const struct fuzz_target fuzz_text_targets[], fuzz_binary_targets[]; /* end with name NULL */

#define PROMISE(expr)                                                             \
    do {                                                                          \
        if (!(expr)) {                                                            \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #expr); \
            abort();                                                              \
        }                                                                         \
    } while (0)
