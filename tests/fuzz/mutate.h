/* Deterministic mutations: the same seed and number give the same bytes on every machine. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};
uint32_t random_below(struct random *random, uint32_t limit); /* 0 <= x < limit; 0 for limit 0 */
/* Changes bytes[0..*inout_length) in place, a few times over; never grows beyond size. other: another input of the same kind, for
 * splicing; words: NULL-ended texts that mean something to the target, or NULL. */
void mutate(struct random *random, unsigned char *bytes, size_t *inout_length, size_t size, const unsigned char *other, size_t other_length,
            const char *const *words);
