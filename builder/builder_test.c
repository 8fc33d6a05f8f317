#include "builder/fake_backend.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/oci/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char base_config[] =
    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/"
    "bin\"],\"Cmd\":[\"sh\"],\"Hostname\":\"x\"},"
    "\"created\":\"2001-02-03T04:05:06Z\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
    "0000000000000000000000000000000000000000000000000000000000000001\"]},"
    "\"history\":[{\"created\":\"2001-02-03T04:05:06Z\",\"created_by\":\"made\"}]}";

struct bench {
    struct fake_backend fake;
    struct job_build params;
    char dir[64];
    int job_fd;
    char *image_id;
    struct err err;
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){ .job_fd = -1 };
    fake_backend_init(&bench->fake);
    map_set(bench->fake.images, "base", base_config);
    str_copy(bench->dir, sizeof bench->dir, "/tmp/builder-test-XXXXXX");
    CHECK(mkdtemp(bench->dir) != NULL);
    bench->job_fd = open(bench->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(mkdirat(bench->job_fd, "context", 0755), 0);
    bench->params.job_dir = xstrdup(bench->dir);
    bench->params.remove = true;
    bench->params.tags = NULL;
    strv_append(&bench->params.tags, "x:y");
}

static void bench_done(struct bench *bench)
{
    fake_backend_done(&bench->fake);
    codec_clear(&job_build_type, &bench->params);
    fd_close(bench->job_fd);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, bench->dir), 0);
    free(bench->image_id);
}
#define BENCH(name)                                                                                                    \
    __attribute__((cleanup(bench_done))) struct bench name;                                                            \
    bench_init(&name)

static int build(struct bench *bench, const char *text)
{
    err_clear(&bench->err);
    buf_clear(&bench->fake.log);
    buf_clear(&bench->fake.output);
    free(take_ptr(&bench->image_id));
    return builder_run(&bench->fake.backend, &bench->params, text, strlen(text), bench->job_fd, &bench->image_id,
                       &bench->err);
}

#define CHECK_BUILT(bench, dockerfile)                                                                                 \
    do {                                                                                                               \
        CHECK_INT(build(bench, dockerfile), 0);                                                                        \
        CHECK_STR((bench)->err.text, "");                                                                              \
    } while (0)
#define CHECK_FAILS(bench, dockerfile, message)                                                                        \
    do {                                                                                                               \
        CHECK_INT(build(bench, dockerfile), -1);                                                                       \
        CHECK_STR((bench)->err.text, message);                                                                         \
    } while (0)

static void read_config(struct bench *bench, struct oci_image *ret)
{
    struct err err = { 0 };
    CHECK(bench->fake.config != NULL);
    CHECK_INT(codec_decode(&oci_image_type, bench->fake.config, strlen(bench->fake.config), ret, &err), 0);
}

static bool has(const struct buf *buf, const char *text)
{
    bool found = buf->data && strstr(buf->data, text);
    if (!found)
        printf("# not in: %s\n", buf->data ? buf->data : "");
    return found;
}

TEST(metadata_and_history)
{
    BENCH(bench);
    struct oci_image image;
    CHECK_BUILT(&bench, "FROM base\nARG X=1\nENV A=b C=\"d $X\"\nLABEL l=m\nWORKDIR /w\nWORKDIR sub\nUSER 5:6\nEXPOSE "
                        "80 53/udp\nVOLUME /v\n"
                        "STOPSIGNAL INT\nSHELL [\"/bin/ash\", \"-c\"]\nHEALTHCHECK --interval=90s CMD echo "
                        "hi\nENTRYPOINT [\"e\"]\nMAINTAINER me\n"
                        "ONBUILD RUN x\n");
    read_config(&bench, &image);
    CHECK_STR(image.config->env[2], "C=d 1");
    CHECK_STR(image.config->working_dir, "/w/sub");
    CHECK_STR(image.config->user, "5:6");
    CHECK_STR(image.config->exposed_ports[0], "53/udp");
    CHECK_STR(image.config->stop_signal, "INT");
    CHECK_STR(image.config->on_build[0], "RUN x");
    CHECK_STR(image.author, "me");
    CHECK(image.config->cmd == NULL);
    CHECK(image.config->hostname == NULL);
    CHECK_INT(image.config->healthcheck->interval, 90000000000LL);
    static const char *const want[] = {
        "made",
        "ARG X=1",
        "ENV A=b C=d 1",
        "LABEL l=m",
        "WORKDIR /w",
        "WORKDIR /w/sub",
        "USER 5:6",
        "EXPOSE [53/udp 80/tcp]",
        "VOLUME [/v]",
        "STOPSIGNAL INT",
        "SHELL [/bin/ash -c]",
        "HEALTHCHECK &{[\"CMD-SHELL\" \"echo hi\"] \"1m30s\" \"0s\" \"0s\" \"0s\" '\\x00'}",
        "ENTRYPOINT [\"e\"]",
        "MAINTAINER me",
    };
    CHECK_INT(image.history.count, ARRAY_SIZE(want));
    for (size_t i = 0; i < MIN(image.history.count, ARRAY_SIZE(want)); i++)
        CHECK_STR(image.history.items[i].created_by, want[i]);
    CHECK_INT(strv_length(image.rootfs.diff_ids), 3);
    CHECK(image.history.items[1].empty_layer && !image.history.items[4].empty_layer);
    CHECK_STR(image.history.items[4].comment, "buildkit.dockerfile.v0");
    CHECK_STR(image.history.items[1].created, image.history.items[4].created);
    CHECK_STR(image.created, image.history.items[13].created);
    codec_clear(&oci_image_type, &image);
}

TEST(output_of_the_classic_kind)
{
    BENCH(bench);
    fake_backend_file(&bench.fake, "f", "content");
    CHECK_BUILT(&bench, "ARG G\nFROM base\nRUN echo hi\nCOPY f /f\nCMD x\n");
    CHECK(has(&bench.fake.output, "Step 1/5 : ARG G\n"));
    CHECK(has(&bench.fake.output, "Step 2/5 : FROM base\n ---> 000000000000\n"));
    CHECK(has(&bench.fake.output, "Step 3/5 : RUN echo hi\n ---> Running in 000000000000\noutput\n ---> Removed "
                                  "intermediate container 000000000000\n ---> "));
    CHECK(has(&bench.fake.output, "Step 5/5 : CMD x\n ---> "));
    CHECK(has(&bench.fake.output, "Successfully built "));
    CHECK(has(&bench.fake.output, "Successfully tagged x:y\n"));
    CHECK_STR(bench.fake.tags, "x:y");
    bench.params.quiet = true;
    CHECK_BUILT(&bench, "FROM base\nRUN echo hi\n");
    AUTO_FREE char *line = str_format("%s\n", bench.image_id);
    CHECK_STR(bench.fake.output.data, line);
}

TEST(cache)
{
    BENCH(bench);
    static const char text[] = "FROM base\nARG V\nARG HTTP_PROXY\nLABEL l=1\nRUN one\nCOPY f /f\nRUN two\n";
    fake_backend_file(&bench.fake, "f", "content");
    CHECK_BUILT(&bench, text);
    AUTO_FREE char *first = xstrdup(bench.image_id);
    CHECK_BUILT(&bench, text);
    CHECK_STR(bench.fake.log.data, "resolve base \n");
    CHECK(has(&bench.fake.output, " ---> Using cache\n"));
    CHECK_STR(bench.image_id, first);
    /* a label, a comment, a proxy do not count */
    str_map_set(&bench.params.build_args, "https_proxy", "http://p");
    CHECK_BUILT(&bench, "# more\nFROM base\nARG V\nLABEL l=2\nRUN one\nCOPY f /f\nRUN two\n");
    CHECK_STR(bench.fake.log.data, "resolve base \n");
    /* content does, from there on */
    fake_backend_file(&bench.fake, "f", "other");
    CHECK_BUILT(&bench, text);
    CHECK(!strstr(bench.fake.log.data, "one") && strstr(bench.fake.log.data, "copy f") &&
          strstr(bench.fake.log.data, "two"));
    /* a declared argument does */
    str_map_set(&bench.params.build_args, "V", "1");
    CHECK_BUILT(&bench, text);
    CHECK(strstr(bench.fake.log.data, "one"));
    bench.params.no_cache = true;
    CHECK_BUILT(&bench, text);
    CHECK(strstr(bench.fake.log.data, "one") && strstr(bench.fake.log.data, "two"));
}

TEST(stages)
{
    BENCH(bench);
    static const char text[] = "FROM base AS one\nRUN first\nFROM base AS unneeded\nRUN never\nFROM one AS two\nENV "
                               "A=1\nFROM scratch\nCOPY --from=two /x /y\n";
    fake_backend_file(&bench.fake, "/x", "content");
    CHECK_BUILT(&bench, text);
    CHECK(!strstr(bench.fake.log.data, "never"));
    CHECK(has(&bench.fake.log, "copy /x to /y by \n"));
    CHECK(has(&bench.fake.output, "Step 6/6 : COPY"));
    bench.params.target = xstrdup("ONE");
    CHECK_BUILT(&bench, text);
    CHECK(!strstr(bench.fake.log.data, "copy"));
    CHECK(has(&bench.fake.output, "Step 2/2 : RUN first"));
    free(bench.params.target);
    bench.params.target = xstrdup("1");
    CHECK_BUILT(&bench, text);
    CHECK(has(&bench.fake.log, "never"));
    free(bench.params.target);
    bench.params.target = xstrdup("none");
    CHECK_FAILS(&bench, text, "target stage \"none\" could not be found");
}

TEST(equal_content_of_a_stage_keeps_the_cache)
{
    BENCH(bench);
    static const char text[] = "FROM base AS s\nARG V\nRUN work\nFROM base\nCOPY --from=s /f /f\nRUN after\n";
    fake_backend_file(&bench.fake, "/f", "same");
    str_map_set(&bench.params.build_args, "V", "1");
    CHECK_BUILT(&bench, text);
    str_map_set(&bench.params.build_args, "V", "2");
    CHECK_BUILT(&bench, text);
    CHECK(strstr(bench.fake.log.data, "work") && !strstr(bench.fake.log.data, "copy") &&
          !strstr(bench.fake.log.data, "after"));
}

TEST(stages_side_by_side)
{
    BENCH(bench);
    struct buf text = BUF_INIT(BUF_TEXT_MAX);
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "FROM base AS s%d\nRUN work %d\n", i, i);
    buf_puts(&text, "FROM base\n");
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "COPY --from=s%d /f /f%d\n", i, i);
    fake_backend_file(&bench.fake, "/f", "content");
    for (int times = 0; times < 5; times++) {
        bench.params.no_cache = true;
        CHECK_BUILT(&bench, text.data);
        /* the answer is in the order of the file */
        const char *at = bench.fake.output.data;
        for (int step = 1; step <= 61 && at; step++) {
            AUTO_FREE char *line = str_format("Step %d/61 : ", step);
            at = strstr(at, line);
            CHECK(at != NULL);
        }
    }
    bench.fake.exit_code = 4;
    buf_clear(&text);
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "FROM base AS s%d\nRUN %s %d\n", i, i == 11 ? "exit" : "go", i);
    buf_puts(&text, "FROM s11\nCOPY --from=s19 /f /f\n");
    CHECK_FAILS(&bench, text.data, "The command '/bin/sh -c exit 11' returned a non-zero code: 4");
    CHECK_INT(bench.fake.exit_code_shown, 4);
    CHECK(has(&bench.fake.output, ": RUN exit 11\n"));
    buf_done(&text);
}

TEST(equal_steps_of_two_stages_are_made_once)
{
    BENCH(bench);
    fake_backend_file(&bench.fake, "/f", "content");
    bench.params.no_cache = true;
    CHECK_BUILT(
        &bench,
        "FROM base AS a\nRUN work\nFROM base AS b\nRUN work\nFROM base\nCOPY --from=a /f /1\nCOPY --from=b /f /2\n");
    const char *first = strstr(bench.fake.log.data, "|work");
    CHECK(first != NULL && strstr(first + 1, "|work") == NULL);
}

TEST(triggers)
{
    BENCH(bench);
    fake_backend_file(&bench.fake, ".", "all");
    CHECK_BUILT(&bench, "FROM base AS b\nONBUILD COPY . /src\nONBUILD RUN <<E\nx $V\nE\nFROM b\nRUN own\n");
    CHECK(has(&bench.fake.log, "copy . to /src by \nrun /bin/sh|-c|x $V\n in / as \nrun /bin/sh|-c|own in / as \n"));
    CHECK(has(&bench.fake.output, "# Executing 2 build triggers\n"));
    CHECK(!strstr(bench.fake.config, "OnBuild"));
}

TEST(commands)
{
    BENCH(bench);
    CHECK_BUILT(
        &bench,
        "FROM base\nUSER u\nWORKDIR /w\nSHELL [\"/bin/ash\", \"-ec\"]\nRUN [\"a\", \"b\"]\nRUN cat <<A && y\nt\nA\n"
        "RUN --mount=type=tmpfs,target=t --mount=type=cache,target=/c,id=i --mount=type=secret,id=s --network=none "
        "z\n");
    CHECK(has(&bench.fake.log, "run a|b in /w as u\n"));
    CHECK(has(&bench.fake.log, "run /bin/ash|-ec|cat <<A && y\nt\nA in /w as u\n"));
    CHECK(has(&bench.fake.log, "run /bin/ash|-ec|z in /w as u\n  mount tmpfs /w/t\n  mount bind /c\n"));
    CHECK_BUILT(&bench, "FROM base\nRUN << EOF\nalone\nEOF\nRUN <<EOF not alone\nx\nEOF\n");
    CHECK(has(&bench.fake.log, "run /bin/sh|-c|alone\n in / as \nrun /bin/sh|-c|<<EOF not alone\nx\nEOF in / as \n"));
    CHECK_BUILT(&bench, "FROM base\nRUN <<EOF\n#!/bin/awk -f\nx\nEOF\n");
    CHECK(has(&bench.fake.log, "run /bin/sh|-c|/dev/pipes/EOF in / as \n  mount bind /dev/pipes/EOF ro\n"));
}

TEST(mistakes)
{
    BENCH(bench);
    bench.fake.exit_code = 3;
    CHECK_FAILS(&bench, "FROM base\nRUN exit now\n", "The command '/bin/sh -c exit now' returned a non-zero code: 3");
    CHECK_INT(bench.fake.exit_code_shown, 3);
    CHECK(has(&bench.fake.log, "drop\n"));
    CHECK_FAILS(&bench, "FROM base\nCOPY nosuch /x\n", "COPY failed: \"/nosuch\": not found");
    CHECK_FAILS(&bench, "FROM nosuch\n", "nosuch: pull access denied for nosuch");
    CHECK_FAILS(&bench, "FROM scratch AS s\nFROM base\nCOPY --from=s /a /b\n", "COPY failed: \"/a\": not found");
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "ARG A\n", "dockerfile contains no stages to build" },
        { "RUN x\n", "no build stage in current context" },
        { "FROM ${N}\n", "base name (${N}) should not be blank" },
        { "FROM --platform=$N base\n", "empty platform value from expression $N" },
        { "FROM a/B:c:d\n", "failed to parse stage name \"a/B:c:d\": invalid reference format" },
        { "FROM base AS me\nCOPY --from=me a b\n", "circular dependency detected on stage: me" },
        { "FROM base\nCOPY --from=0 a b\n", "circular dependency detected on stage: stage-0" },
        { "FROM base AS a\nCOPY --from=b x x\nFROM base AS b\nCOPY --from=a x x\n",
          "circular dependency detected on stage: a" },
        { "FROM base AS a\nCOPY --from=b x x\nFROM a AS b\n",
          "cannot copy from stage \"b\", it needs to be defined before current stage \"a\"" },
        { "FROM base\nCOPY --from=7 a b\n", "invalid stage index 7" },
        { "FROM base\nCOPY --from=$X a b\n", "variable expansion is not supported for --from, define a new stage with "
                                             "FROM using ARG from global scope as a workaround" },
        { "FROM base\nEXPOSE 80/xyz\n", "invalid port: \"80/xyz\": invalid proto: xyz" },
        { "FROM base\nEXPOSE 70000\n", "invalid containerPort: 70000" },
        { "FROM base\nSTOPSIGNAL FOO\n", "invalid signal: FOO" },
        { "FROM base\nRUN --mount=type=cache,target=/x,colour=red true\n", "unexpected key 'colour' in 'colour=red'" },
        { "FROM base\nRUN --mount=type=cache,target=/x,sharing=often true\n", "unsupported sharing value \"often\"" },
        { "FROM base\nRUN --mount=type=bind true\n", "invalid mount target \"/\"" },
        { "FROM base\nRUN --mount=foo true\n", "invalid field 'foo' must be a key=value pair" },
        { "FROM base\nRUN --mount=type=cache,target=/x,size=1 true\n", "unexpected key 'size' for mount type 'cache'" },
        { "FROM base\nRUN --mount=type=ssh,required true\n", "unset ssh forward key default" },
        { "FROM base\nRUN --mount=type=secret,id=a,required true\n", "secret a: not found" },
        { "FROM base\nRUN --security=insecure true\n",
          "RUN --security=insecure is not supported: security.insecure is not allowed" },
        { "FROM base\nADD https://h/r.git /x\n",
          "ADD of the git repository https://h/r.git is not supported: clone it in a RUN, or copy a local directory" },
        { "FROM base\nLABEL a=${V?m}\n", "failed to process \"${V?m}\": V: m" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK_INT(build(&bench, rows[i].text), -1);
        if (!str_starts(bench.err.text, rows[i].message))
            CHECK_STR(bench.err.text, rows[i].message);
    }
}

TEST(arguments)
{
    BENCH(bench);
    struct oci_image image;
    str_map_set(&bench.params.build_args, "A", "cli");
    str_map_set(&bench.params.build_args, "TARGETARCH", "my");
    str_map_set(&bench.params.build_args, "NOBODY", "x");
    str_map_set(&bench.params.labels, "l", "v");
    CHECK_BUILT(&bench, "ARG A=a B=$A-b\nFROM base AS p\nARG A\nARG B\nARG C=c$B D\nARG TARGETARCH\nFROM p\nENV "
                        "D=env\nRUN x\nLABEL t=\"$A $B $C $D $TARGETARCH\"\n");
    read_config(&bench, &image);
    CHECK_STR(str_map_get(&image.config->labels, "t"), "cli cli-b ccli-b env my");
    CHECK_STR(str_map_get(&image.config->labels, "l"), "v");
    CHECK_STR(image.history.items[6].created_by,
              "RUN |5 A=cli B=cli-b C=ccli-b D=env TARGETARCH=my /bin/sh -c x # buildkit");
    CHECK(has(&bench.fake.output, "[Warning] One or more build-args [NOBODY] were not consumed\n"));
    codec_clear(&oci_image_type, &image);
    str_map_set(&bench.params.build_args, "SOURCE_DATE_EPOCH", "1500000000");
    CHECK_BUILT(&bench, "FROM base\nRUN x\nCMD y\n");
    read_config(&bench, &image);
    CHECK_STR(image.created, "2017-07-14T02:40:00Z");
    CHECK_STR(image.history.items[1].created, "2017-07-14T02:40:00Z");
    codec_clear(&oci_image_type, &image);
}

TEST(files_of_the_context)
{
    BENCH(bench);
    CLEANUP(strv_free) char **patterns = NULL;
    AUTO_FREE char *text = NULL;
    size_t length;
    AUTO_FD int context_fd = openat(bench.job_fd, "context", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(builder_read_dockerfile(context_fd, "", &text, &length, &bench.err), -1);
    CHECK_STR(bench.err.text, "Cannot locate specified Dockerfile: Dockerfile");
    CHECK_INT(builder_read_ignore(context_fd, "", &patterns, &bench.err), 0);
    CHECK(patterns == NULL);
    static const char *const files[] = { "dockerfile", ".dockerignore", "Dockerfile.dockerignore" };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        AUTO_FD int fd = openat(context_fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        CHECK_INT(write(fd, files[i], strlen(files[i])), (long long)strlen(files[i]));
    }
    CHECK_INT(builder_read_dockerfile(context_fd, "", &text, &length, &bench.err), 0);
    CHECK_STR(text, "dockerfile");
    CHECK_INT(builder_read_ignore(context_fd, "", &patterns, &bench.err), 0);
    CHECK_STR(patterns[0], "Dockerfile.dockerignore");
    CHECK_INT(symlinkat("/etc/passwd", context_fd, "away"), 0);
    AUTO_FREE char *away = NULL;
    CHECK_INT(builder_read_dockerfile(context_fd, "away", &away, &length, &bench.err), -1);
}

TESTS(T(metadata_and_history), T(output_of_the_classic_kind), T(cache), T(stages), T(stages_side_by_side),
      T(equal_steps_of_two_stages_are_made_once), T(equal_content_of_a_stage_keeps_the_cache), T(triggers), T(commands),
      T(mistakes), T(arguments), T(files_of_the_context))
