/* What strangers send: progress lines of a daemon, ignore files and names of images of a user. */
#include "cli/fuzz_replay.h"
#include "cli/ignore.h"
#include "cli/progress.h"
#include "cli/reference.h"
#include "cli/table.h"
#include "lib/base/strv.h"

#ifndef FUZZING
static const char *const seeds[] = {
    "{\"status\":\"Pulling from "
    "x\",\"id\":\"latest\"}\r\n{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":10,\"start\":3},"
    "\"id\":\"a\"}\n",
    "{\"stream\":\"Step "
    "1\\n\"}\n{\"aux\":{\"ID\":\"sha256:1\"}}\n{\"errorDetail\":{\"code\":3,\"message\":\"m\"},\"error\":\"m\"}\n",
    "# comment\n*\n!a/b\n**/*.c\n[a-z]x?\n/x/../y\n\\*\n",
    "registry.example:5000/a/b_c--d.e:tag@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "a\tb\tc\nlonger\tx\n\ny\t\n",
};
#endif

static void try_ignore(const char *text, size_t length)
{
    CLEANUP(strv_free) char **patterns = ignore_read(text, length);
    CLEANUP(ignore_free) struct ignore *ignore = NULL;
    struct err err = { 0 };
    if (ignore_compile(patterns, &ignore, &err) == 0) {
        (void)ignore_match_path(ignore, "a/b/some.c");
        (void)ignore_may_return(ignore, "a");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    AUTO_FREE char *text = xstrndup((const char *)bytes, length);
    for (int columns = 0; columns <= 120; columns += 60) {
        AUTO_BUF struct buf out = BUF_INIT(1 << 20);
        AUTO_PROGRESS struct progress progress;
        struct err err = { 0 };
        progress_init(&progress, columns, &out);
        if (progress_feed(&progress, (const char *)bytes, length, &err) == 0)
            (void)progress_end(&progress, &err);
    }
    struct reference reference;
    struct err err = { 0 };
    if (reference_parse(text, &reference, &err) == 0) {
        AUTO_FREE char *full = reference_full(&reference), *familiar = reference_familiar(&reference);
        reference_done(&reference);
    }
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    table_layout(text, strlen(text), TABLE_MIN_WIDTH, TABLE_PADDING, &out);
    try_ignore(text, strlen(text));
    return 0;
}

FUZZ_MAIN("{}[]\":,\n*!/?\\@.-9\t", 1500)
