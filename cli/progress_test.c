#include "cli/progress.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

static char result[8192];
static char aux[256];

static void on_aux(void *arg, const char *json)
{
    (void)arg;
    snprintf(aux, sizeof aux, "%s", json);
}

/* Fed in pieces of that size, so that lines are cut anywhere. */
static const char *shown(const char *stream, int columns, size_t piece)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 16);
    AUTO_PROGRESS struct progress progress;
    struct err err = { 0 };
    int status = 0;
    progress_init(&progress, columns, &out);
    progress.on_aux = on_aux;
    for (size_t i = 0; i < strlen(stream) && !status; i += piece)
        status = progress_feed(&progress, stream + i, MIN(piece, strlen(stream) - i), &err);
    if (!status)
        (void)progress_end(&progress, &err);
    snprintf(result, sizeof result, "%s%s%s", out.data ? out.data : "", err.kind ? "! " : "", err.text);
    if (progress.code)
        snprintf(aux, sizeof aux, "code %lld", (long long)progress.code);
    return result;
}

static const char pull[] = "{\"status\":\"Pulling from library/busybox\",\"id\":\"latest\"}\r\n"
                           "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaa\"}\r\n"
                           "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":500,\"total\":1000},"
                           "\"progress\":\"[=> ]\",\"id\":\"aaa\"}\r\n"
                           "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"bbb\"}\r\n"
                           "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"aaa\"}\r\n"
                           "{\"status\":\"Digest: sha256:1\"}\r\n";

TEST(plain_lines)
{
    CHECK_STR(shown(pull, 0, 7), "latest: Pulling from library/busybox\naaa: Pulling fs layer\nbbb: Pulling fs layer\n"
                                 "aaa: Pull complete\nDigest: sha256:1\n");
    CHECK_STR(shown("{\"stream\":\"Step 1/1 : FROM x\\n\"}\r\n{\"stream\":\"no newline\"}", 0, 1000),
              "Step 1/1 : FROM x\nno newline");
}

TEST(terminal)
{
    CHECK_STR(
        shown(pull, 120, 1000),
        "latest: Pulling from library/busybox\n"
        "\n\x1b[1A\x1b[2K\raaa: Pulling fs layer \r\x1b[1B"
        "\x1b[1A\x1b[2K\raaa: Downloading [=========================>                         ]     500B/1kB\r\x1b[1B"
        "\n\x1b[1A\x1b[2K\rbbb: Pulling fs layer \r\x1b[1B"
        "\x1b[2A\x1b[2K\raaa: Pull complete \r\x1b[2B"
        "Digest: sha256:1\n");
}

TEST(results_and_errors)
{
    shown("{\"aux\":{\"ID\":\"sha256:1\"}}\n", 0, 1000);
    CHECK_STR(aux, "{\"ID\":\"sha256:1\"}");
    CHECK_STR(shown("{\"stream\":\"a\\n\"}\n{\"errorDetail\":{\"code\":3,\"message\":\"step "
                    "failed\"},\"error\":\"x\"}\n{\"stream\":\"b\"}\n",
                    0, 1000),
              "a\n! step failed");
    CHECK_STR(aux, "code 3");
    CHECK_STR(shown("{\"errorDetail\":{\"code\":401,\"message\":\"no\"},\"error\":\"no\"}\n", 0, 1000),
              "! authentication is required");
    CHECK_STR(shown("<html>\n", 0, 1000),
              "! unexpected progress line: invalid JSON: invalid token near '<' at line 1 column 1");
}

static const char *bar(struct progress_detail detail, int columns, int64_t now)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 10);
    progress_bar(&detail, columns, now, &out);
    snprintf(result, sizeof result, "%s", out.data ? out.data : "");
    return result;
}

TEST(bars)
{
    char units[] = "files";
    CHECK_STR(bar((struct progress_detail){ 0 }, 120, 0), "");
    CHECK_STR(bar((struct progress_detail){ .current = 2048 }, 80, 0), " 2.048kB");
    CHECK_STR(bar((struct progress_detail){ .current = 1, .total = 100 }, 80, 0), "      1B/100B");
    CHECK_STR(bar((struct progress_detail){ .current = 200, .total = 100 }, 120, 0),
              "[==================================================>]     200B");
    CHECK_STR(bar((struct progress_detail){ .current = 20, .total = 100, .start = 1000 }, 80, 1010),
              "     20B/100B 40s");
    CHECK_STR(bar((struct progress_detail){ .current = 2, .total = 4, .units = units }, 80, 0), "2/4 files");
    CHECK_STR(bar((struct progress_detail){ .current = 2, .total = 4, .hide_counts = true }, 111, 0),
              "[=========================>                         ] ");
}

TESTS(T(plain_lines), T(terminal), T(results_and_errors), T(bars))
