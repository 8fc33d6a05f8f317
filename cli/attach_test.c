#include "cli/attach_io.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/test.h"
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct detach_keys keys;
static struct err err;

TEST(key_names)
{
    CHECK_INT(detach_keys_parse(NULL, &keys, &err), 0);
    CHECK_INT(keys.count, 2);
    CHECK(keys.keys[0] == 16 && keys.keys[1] == 17);
    CHECK_INT(detach_keys_parse("a,ctrl-@,ctrl-_,ctrl-[", &keys, &err), 0);
    CHECK(keys.count == 4 && keys.keys[0] == 'a' && keys.keys[1] == 0 && keys.keys[2] == 31 && keys.keys[3] == 27);
    CHECK_INT(detach_keys_parse("ctrl-", &keys, &err), -1);
    CHECK_INT(detach_keys_parse("ctrl-1", &keys, &err), -1);
    CHECK_INT(detach_keys_parse("ab", &keys, &err), -1);
    CHECK_STR(err.text, "invalid detach keys (ab): Unknown character: 'ab'");
    CHECK_INT(detach_keys_parse("a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", &keys, &err), -1);
}

static void scan(const char *sequence, const char *pieces, const char *sent, bool found)
{
    AUTO_BUF struct buf out = BUF_INIT(1024);
    struct detach_scan state = { .keys = &keys };
    bool seen = false;
    CHECK_INT(detach_keys_parse(sequence, &keys, &err), 0);
    while (*pieces && !seen) { /* '|' parts what is read at once */
        size_t length = strcspn(pieces, "|");
        seen = detach_scan_feed(&state, pieces, length, &out);
        pieces += length + (pieces[length] == '|');
    }
    CHECK_STR(out.data ? out.data : "", sent);
    CHECK_INT(seen, found);
}

TEST(scanning)
{
    scan("a,b", "xyz", "xyz", false);
    scan("a,b", "xab", "x", true);
    scan("a,b", "xa|b", "x", true);
    scan("a,b", "xa|c", "xac", false);
    scan("a,b", "aab", "a", true);
    scan("a,b", "a|a|c", "aac", false);
    scan("q", "helloq", "hello", true);
    scan("a,b", "a", "", false); /* held back */
}

/* The far side of a connection: echoes frames of what it reads until its end. */
static void *echo_frames(void *arg)
{
    int fd = *(int *)arg;
    char bytes[4096];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        unsigned char head[8];
        stream_frame_head(head, 1, (uint32_t)got);
        (void)io_write_all(fd, head, sizeof head);
        (void)io_write_all(fd, bytes, (size_t)got);
    }
    unsigned char head[8];
    stream_frame_head(head, 2, 3);
    (void)io_write_all(fd, head, sizeof head);
    (void)io_write_all(fd, "end", 3);
    (void)close(fd);
    return NULL;
}

static void *fill_pipe(void *arg)
{
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 1024; i++)
        (void)io_write_all(*(int *)arg, bytes, sizeof bytes);
    (void)close(*(int *)arg);
    return NULL;
}

static void *count_pipe(void *arg)
{
    static size_t total;
    char bytes[4096];
    ssize_t got;
    total = 0;
    while ((got = read(*(int *)arg, bytes, sizeof bytes)) > 0)
        total += (size_t)got;
    return &total;
}

/* 4 MiB through and back, more than all buffers on the way hold: input and output must not wait for each other. */
TEST(through_and_back)
{
    int pair[2], in[2], out[2], error[2];
    pthread_t threads[3];
    enum attach_end end;
    void *total;
    char text[16] = "";
    CHECK_INT(fd_socketpair(SOCK_STREAM, pair), 0);
    CHECK(fd_pipe(in) == 0 && fd_pipe(out) == 0 && fd_pipe(error) == 0);
    CHECK_INT(pthread_create(&threads[0], NULL, echo_frames, &pair[1]), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, fill_pipe, &in[1]), 0);
    CHECK_INT(pthread_create(&threads[2], NULL, count_pipe, &out[0]), 0);
    struct api_hijack hijack = API_HIJACK_INIT;
    hijack.fd = pair[0];
    hijack.multiplexed = true;
    buf_append(&hijack.early, "\2\0\0\0\0\0\0\2hi", 10);
    struct attach_io io = { .hijack = &hijack, .in_fd = in[0], .out_fd = out[1], .err_fd = error[1] };
    CHECK_INT(attach_io_run(&io, &end, &err), 0);
    CHECK_INT(end, ATTACH_CLOSED);
    (void)close(out[1]);
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], &total), 0);
    CHECK_INT(*(size_t *)total, 4 << 20);
    CHECK_INT(read(error[0], text, sizeof text), 5);
    CHECK_STR(text, "hiend");
    api_hijack_close(&hijack);
    (void)close(in[0]);
    (void)close(out[0]);
    (void)close(error[0]);
    (void)close(error[1]);
}

TEST(bad_frame)
{
    int pair[2];
    enum attach_end end;
    CHECK_INT(fd_socketpair(SOCK_STREAM, pair), 0);
    struct api_hijack hijack = API_HIJACK_INIT;
    hijack.fd = pair[0];
    hijack.multiplexed = true;
    CHECK_INT(io_write_all(pair[1], "HTTP/1.1 nonsense", 17), 0);
    (void)close(pair[1]);
    struct attach_io io = { .hijack = &hijack, .in_fd = -1, .out_fd = STDOUT_FILENO, .err_fd = -1 };
    err_clear(&err);
    CHECK_INT(attach_io_run(&io, &end, &err), -1);
    CHECK_STR(err.text, "Unrecognized input header: 72");
    api_hijack_close(&hijack);
}

TESTS(T(key_names), T(scanning), T(through_and_back), T(bad_frame))
