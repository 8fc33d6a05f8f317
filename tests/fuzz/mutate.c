#include "tests/fuzz/mutate.h"

#include "lib/base/mem.h"

#include <stdbool.h>

uint32_t random_below(struct random *random, uint32_t limit)
{
    random->state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return limit ? (uint32_t)(z % limit) : 0;
}

static void insert(unsigned char *bytes, size_t *length, size_t size, size_t at, const void *more, size_t count)
{
    count = MIN(count, size - *length);
    memmove(bytes + at + count, bytes + at, *length - at);
    memcpy(bytes + at, more, count);
    *length += count;
}

static void erase(unsigned char *bytes, size_t *length, size_t at, size_t count)
{
    count = MIN(count, *length - at);
    memmove(bytes + at, bytes + at + count, *length - at - count);
    *length -= count;
}

static void put_number(struct random *random, unsigned char *bytes, size_t length, size_t at)
{
    static const uint64_t odd[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffffULL, UINT64_MAX };
    uint64_t value = odd[random_below(random, ARRAY_SIZE(odd))];
    size_t width = (size_t)1 << random_below(random, 4);
    memcpy(bytes + at, &value, MIN(width, length - at));
}

static void insert_word(struct random *random, unsigned char *bytes, size_t *length, size_t size, size_t at, const char *const *words)
{
    size_t count = 0;
    while (words && words[count])
        count++;
    if (count) {
        const char *word = words[random_below(random, (uint32_t)count)];
        insert(bytes, length, size, at, word, strlen(word));
    }
}

static void splice(struct random *random, unsigned char *bytes, size_t *length, size_t size, size_t at, const unsigned char *other, size_t other_length)
{
    if (!other_length)
        return;
    size_t from = random_below(random, (uint32_t)other_length);
    insert(bytes, length, size, at, other + from, 1 + random_below(random, (uint32_t)(other_length - from)));
}

static void once(struct random *random, unsigned char *bytes, size_t *length, size_t size, const unsigned char *other, size_t other_length, const char *const *words)
{
    size_t at = random_below(random, (uint32_t)*length + 1);
    unsigned char byte = (unsigned char)random_below(random, 256);
    bool inside = at < *length;
    switch (random_below(random, 10)) {
    case 0:
        if (inside)
            bytes[at] ^= (unsigned char)(1u << random_below(random, 8));
        break;
    case 1:
        if (inside)
            bytes[at] = byte;
        break;
    case 2:
        insert(bytes, length, size, at, &byte, 1);
        break;
    case 3:
        erase(bytes, length, at, 1 + random_below(random, 16));
        break;
    case 4:
        *length = at;
        break;
    case 5:
        if (inside)
            put_number(random, bytes, *length, at);
        break;
    case 6:
        splice(random, bytes, length, size, at, other, other_length);
        break;
    case 7:
        if (inside) { /* the same again, many times */
            unsigned char piece[64];
            size_t count = MIN(MIN(sizeof piece, *length - at), (size_t)1 + random_below(random, 64));
            memcpy(piece, bytes + at, count);
            for (uint32_t n = random_below(random, 40); n > 0; n--)
                insert(bytes, length, size, at, piece, count);
        }
        break;
    default:
        insert_word(random, bytes, length, size, at, words);
        break;
    }
}

void mutate(struct random *random, unsigned char *bytes, size_t *inout_length, size_t size, const unsigned char *other, size_t other_length,
            const char *const *words)
{
    for (uint32_t n = 1 + random_below(random, 6); n > 0; n--)
        once(random, bytes, inout_length, size, other, other_length, words);
}
