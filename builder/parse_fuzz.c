/* The parser on anybody's bytes. With libFuzzer: -fsanitize=fuzzer and -DFUZZING. Alone: replays the files that are
 * named, each also with thousands of small changes whose order is always the same. */
#include "builder/dockerfile.h"
#include "builder/expand.h"
#include "lib/base/io.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char *some_value(const void *arg, const char *name)
{
    (void)arg;
    return name[0] == 'N' ? NULL : "value*with?marks";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct err err = { 0 };
    struct dockerfile file;
    if (dockerfile_parse((const char *)bytes, length, &file, &err) < 0)
        return 0;
    const struct expand_scope scope = { some_value, NULL, file.escape, false };
    for (size_t i = 0; i < file.count; i++) {
        for (char **arg = file.instructions[i].args; arg && *arg; arg++) {
            char *word = NULL, **words = NULL;
            if (expand_word(&scope, *arg, &word, &err) == 0)
                free(word);
            if (expand_words(&scope, *arg, &words, &err) == 0)
                strv_free(words);
        }
        for (size_t h = 0; h < file.instructions[i].heredoc_count; h++)
            free(heredoc_text(&file.instructions[i].heredocs[h]));
    }
    dockerfile_done(&file);
    return 0;
}

#ifndef FUZZING
#define CHANGES 2000

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void change(uint8_t *bytes, size_t *length, uint32_t *state)
{
    static const char telling[] = "\n\\`\"'$<>{}#%/:=-[], \t\r\xef\xbb\xbf";
    size_t at = *length ? next(state) % *length : 0;
    switch (next(state) % 4) {
    case 0:
        if (*length)
            bytes[at] = (uint8_t)next(state);
        break;
    case 1: /* without some bytes */
        if (*length > 4) {
            memmove(bytes + at, bytes + at + 1, *length - at - 1);
            (*length)--;
        }
        break;
    case 2: /* with one that means something */
        memmove(bytes + at + 1, bytes + at, *length - at);
        bytes[at] = (uint8_t)telling[next(state) % (sizeof telling - 1)];
        (*length)++;
        break;
    default: /* cut short */
        if (next(state) % 8 == 0)
            *length = at;
    }
}

static int replay(const char *path)
{
    char *text;
    size_t length;
    uint32_t state = 2463534242U;
    if (io_read_file_at(AT_FDCWD, path, (size_t)1 << 20, &text, &length) < 0) {
        fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text, length);
    for (int i = 0; i < CHANGES; i++) {
        uint8_t *bytes = xmalloc(length + 64);
        size_t changed = length;
        memcpy(bytes, text, length);
        for (uint32_t times = next(&state) % 32; times > 0; times--)
            change(bytes, &changed, &state);
        LLVMFuzzerTestOneInput(bytes, changed);
        free(bytes);
    }
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    return failed;
}
#endif
