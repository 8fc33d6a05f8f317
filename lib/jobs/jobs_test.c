#include "lib/jobs/jobs.h"

#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/jobs/kinds.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(params_and_fds_cross)
{
    struct err err = { 0 };
    int pair[2];
    CHECK_INT(fd_socketpair(SOCK_STREAM, pair), 0);
    struct job_unpack sent = { .digest = xstrdup("sha256:00"), .size = 42 }, got;
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_INT(job_send(pair[0], JOB_RUN, 7, &job_unpack_type, &sent, &null_fd, 1, &err), 0);
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    CHECK_INT(job_recv(pair[1], &message, &err), 0);
    CHECK_INT(message.type, JOB_RUN);
    CHECK_INT(message.id, 7);
    CHECK_INT(message.fd_count, 1);
    CHECK(message.fds[0] >= 0 && message.fds[1] == -1);
    CHECK_INT(job_decode(&message, &job_unpack_type, &got, &err), 0);
    CHECK_STR(got.digest, "sha256:00");
    CHECK_INT(got.size, 42);
    codec_clear(&job_unpack_type, &got);
    codec_clear(&job_unpack_type, &sent);
    close(null_fd);
    close(pair[0]);
    close(pair[1]);
}

TEST(errors_cross_with_their_kind)
{
    struct err err = { 0 }, failure = { 0 };
    int pair[2];
    CHECK_INT(fd_socketpair(SOCK_STREAM, pair), 0);
    err_set(&failure, ERR_NOT_FOUND, "no such \"thing\"");
    CHECK_INT(job_send_err(pair[0], JOB_FAILED, 0, &failure, &err), 0);
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    CHECK_INT(job_recv(pair[1], &message, &err), 0);
    CHECK_INT(job_message_err(&message, &err), -1);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    CHECK_STR(err.text, "no such \"thing\"");
    close(pair[0]);
    AUTO_JOB_MESSAGE struct job_message none = JOB_MESSAGE_INIT;
    CHECK_INT(job_recv(pair[1], &none, &err), -1);
    CHECK_INT(err.kind, ERR_CANCELLED);
    close(pair[1]);
}

TEST(garbage_is_refused)
{
    struct err err = { 0 };
    int pair[2];
    CHECK_INT(fd_socketpair(SOCK_STREAM, pair), 0);
    static const char garbage[64] = "GET / HTTP/1.1\r\n";
    CHECK(write(pair[0], garbage, sizeof garbage) == (ssize_t)sizeof garbage);
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    CHECK_INT(job_recv(pair[1], &message, &err), -1);
    CHECK_INT(err.kind, ERR_INTERNAL);
    close(pair[0]);
    close(pair[1]);
}

TEST(every_kind_is_found)
{
    static const char *const names[] = { "pull", "push", "registry-auth", "distribution", "unpack", "pack", "load", "save", "import",
                                         "export", "cp-out", "cp-in", "diff", "commit-layer", "copyup", "seccomp", "config-changes", "build", "build-copy",
                                         "fetch-url" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        CHECK(job_kind_find(names[i]));
    CHECK(!job_kind_find("nothing"));
    CHECK(str_starts(job_build_id(), HOLK_VERSION "+"));
}

TESTS(T(params_and_fds_cross), T(errors_cross_with_their_kind), T(garbage_is_refused), T(every_kind_is_found))
