/* Golden files of the client's unit tests: cli/golden/<name>, in the source tree (GOLDEN_DIR names the directory).
 * UPDATE_GOLDEN=1 writes them anew. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/test.h"
#include <fcntl.h>
#include <stdlib.h>

static inline void golden_difference(const char *name, const char *got, const char *want)
{
    size_t line = 1, start = 0, i = 0;
    for (; got[i] && got[i] == want[i]; i++) {
        if (got[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    test_failures++;
    printf("# %s:%zu differs\n#   %.*s\n# was\n#   %.*s\n", name, line, (int)strcspn(got + start, "\n"), got + start,
           (int)strcspn(want + start, "\n"), want + start);
}

static inline void golden_check(const char *name, const struct buf *got)
{
    const char *dir = getenv("GOLDEN_DIR");
    AUTO_FREE char *path = path_join(dir ? dir : "cli/golden", name);
    AUTO_FREE char *want = NULL;
    size_t length = 0;
    if (getenv("UPDATE_GOLDEN")) {
        CHECK(io_replace_file_at(AT_FDCWD, path, got->data, got->length, 0644, false) == 0);
        return;
    }
    if (io_read_file_at(AT_FDCWD, path, BUF_TEXT_MAX, &want, &length) < 0)
        want = xstrdup("");
    if (strcmp(got->data ? got->data : "", want) != 0)
        golden_difference(path, got->data ? got->data : "", want);
}
