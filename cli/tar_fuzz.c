/* Archives that a container sends, and JSON that a daemon sends to inspect. Checksums are made right before each try, or
 * nothing behind them would ever be reached. */
#include "cli/fuzz_replay.h"
#include "cli/inspect.h"
#include "cli/tar.h"
#include "cli/tar_read.h"

#define CHECKSUM_AT 148
#define CHECKSUM_SIZE 8

static void seal_blocks(uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at + TAR_BLOCK <= length; at += TAR_BLOCK) {
        unsigned sum = 0;
        char digits[CHECKSUM_SIZE + 1];
        if (!bytes[at])
            continue;
        memset(bytes + at + CHECKSUM_AT, ' ', CHECKSUM_SIZE);
        for (size_t i = 0; i < TAR_BLOCK; i++)
            sum += bytes[at + i];
        snprintf(digits, sizeof digits, "%07o", sum);
        memcpy(bytes + at + CHECKSUM_AT, digits, CHECKSUM_SIZE);
    }
}

struct input {
    const uint8_t *bytes;
    size_t left;
};

static ssize_t input_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct input *input = arg;
    size_t length = MIN(MIN(size, input->left), (size_t)100);
    (void)err;
    memcpy(bytes, input->bytes, length);
    input->bytes += length;
    input->left -= length;
    return (ssize_t)length;
}

static void try_archive(const uint8_t *bytes, size_t length)
{
    struct input input = { bytes, length };
    AUTO_TAR_READER struct tar_reader reader = { .read = input_read, .arg = &input };
    const struct tar_member *member;
    struct err err = { 0 };
    char piece[64];
    for (size_t count = 0; tar_next(&reader, &member, &err) == 1; count++) {
        if (!member->name || !member->link || strlen(member->name) > length)
            abort();
        while (count % 2 && tar_content(&reader, piece, sizeof piece, &err) > 0)
            continue;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_FREE uint8_t *sealed = xmalloc(length + 1);
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    memcpy(sealed, bytes, length);
    try_archive(bytes, length);
    seal_blocks(sealed, length);
    try_archive(sealed, length);
    json_indent((const char *)bytes, length, "", "  ", &out);
    return 0;
}

#ifndef FUZZING
static void add(struct buf *tar, char type, const char *name, const char *link, const char *text)
{
    tar_put_header(tar, &(struct tar_entry){ .name = name, .link = link, .type = type, .mode = 0644, .size = strlen(text) });
    buf_puts(tar, text);
    tar_put_padding(tar, strlen(text));
}

int main(void)
{
    static const char json[] = "{\"a\":[1,{\"b\":\"x\\\"y\"}],\"c\":{},\"d\":[]}";
    AUTO_BUF struct buf tar = BUF_INIT(BUF_TEXT_MAX);
    char long_name[301];
    memset(long_name, 'n', 300);
    long_name[300] = 0;
    add(&tar, '5', "d", NULL, "");
    add(&tar, '0', long_name, NULL, "content");
    add(&tar, '2', "d/soft", "../target", "");
    add(&tar, 'x', "pax", NULL, "14 path=named\n20 size=700000000000\n");
    add(&tar, '0', "d/file", NULL, "more content");
    add(&tar, 'L', "long", NULL, "a-gnu-name");
    add(&tar, '1', "d/hard", "d/file", "");
    tar_put_end(&tar);
    fuzz_replay(tar.data, tar.length, "0123456 =\n\\xgLKS", 4000);
    fuzz_replay(json, sizeof json - 1, "{}[]\",:\\ ", 4000);
    return 0;
}
#endif
