/* A fuzz target's own driver, for builds without libFuzzer: replays its seeds and the files that are named, each also
 * with many small changes whose order is always the same. With libFuzzer: -fsanitize=fuzzer and -DFUZZING. */
#pragma once
#include "lib/base/io.h"
#include "lib/base/mem.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

#define FUZZ_FILE_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#ifndef FUZZING
static uint32_t fuzz_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Changes one place: another byte, one less, one more of those that mean something, or a cut. */
static size_t fuzz_change(uint8_t *bytes, size_t length, const char *telling, uint32_t *state)
{
    size_t at = length ? fuzz_next(state) % length : 0;
    switch (fuzz_next(state) % 4) {
    case 0:
        if (length)
            bytes[at] = (uint8_t)fuzz_next(state);
        return length;
    case 1:
        if (!length)
            return 0;
        memmove(bytes + at, bytes + at + 1, length - at - 1);
        return length - 1;
    case 2:
        memmove(bytes + at + 1, bytes + at, length - at);
        bytes[at] = (uint8_t)telling[fuzz_next(state) % strlen(telling)];
        return length + 1;
    default:
        return fuzz_next(state) % 8 ? length : at;
    }
}

static void fuzz_replay(const char *text, size_t length, const char *telling, int changes)
{
    uint32_t state = 2463534242U;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)text, length);
    for (int i = 0; i < changes; i++) {
        uint8_t *bytes = xmalloc(length + 16);
        size_t changed = length;
        memcpy(bytes, text, length);
        for (uint32_t n = 1 + fuzz_next(&state) % 8; n > 0; n--)
            changed = fuzz_change(bytes, changed, telling, &state);
        (void)LLVMFuzzerTestOneInput(bytes, changed);
        free(bytes);
    }
}

static int __attribute__((unused)) fuzz_main(int argc, char **argv, const char *const *seeds, size_t count, const char *telling, int changes)
{
    for (size_t i = 0; i < count; i++)
        fuzz_replay(seeds[i], strlen(seeds[i]), telling, changes);
    for (int i = 1; i < argc; i++) {
        AUTO_FREE char *text = NULL;
        size_t length;
        if (io_read_file_at(AT_FDCWD, argv[i], FUZZ_FILE_MAX, &text, &length) < 0) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        fuzz_replay(text, length, telling, changes);
    }
    return 0;
}
#define FUZZ_MAIN(telling, changes)                                                                                    \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        return fuzz_main(argc, argv, seeds, sizeof seeds / sizeof *seeds, telling, changes);                           \
    }
#else
#define FUZZ_MAIN(telling, changes)
#endif
