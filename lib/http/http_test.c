/* The client against a scripted server on a unix socket: the server reads one request per reply, keeps its text, and
 * sends what the case says, cut into small pieces so that no boundary is where one would like it. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"
#include "lib/http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct server {
    char dir[32], address[64];
    int listen_fd;
    const char *const *replies; /* NULL-ended; then the connection is closed */
    bool hold;                  /* stays silent after the last reply until the client leaves */
    size_t read_max;            /* stops reading a request after so many bytes; 0 = reads it whole */
    struct buf requests;
    pthread_t thread;
};

static bool request_complete(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "Content-Length: ");
    if (!end)
        return false;
    if (length && length < end)
        return strlen(end + 4) >= strtoul(length + 16, NULL, 10);
    return !strcasestr(text, "Transfer-Encoding: chunked") || strstr(end + 2, "\r\n0\r\n\r\n");
}

static bool read_request(struct server *server, int fd)
{
    size_t from = server->requests.length;
    do {
        char *room = buf_reserve(&server->requests, 4096);
        ssize_t got = read(fd, room, server->read_max ? MIN(server->read_max, (size_t)4096) : 4096);
        if (got <= 0)
            return false;
        buf_grew(&server->requests, (size_t)got);
        if (server->read_max && server->requests.length - from >= server->read_max)
            return true;
    } while (!request_complete(server->requests.data + from));
    return true;
}

static void *serve(void *arg)
{
    struct server *server = arg;
    AUTO_FD int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    for (const char *const *reply = server->replies; *reply && read_request(server, fd); reply++) {
        size_t length = strlen(*reply);
        for (size_t at = 0; at < length; at += 7)
            if (io_write_all(fd, *reply + at, MIN((size_t)7, length - at)) < 0)
                return NULL;
    }
    char byte;
    while (server->hold && read(fd, &byte, 1) > 0)
        ;
    return NULL;
}

static struct http *start(struct server *server, const char *const *replies)
{
    struct err err = { 0 };
    struct http *http = NULL;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    signal(SIGPIPE, SIG_IGN); /* some cases leave the server in the middle of its sentence */
    server->replies = replies;
    server->requests = (struct buf)BUF_INIT(8 << 20);
    snprintf(server->dir, sizeof server->dir, "/tmp/http-test-XXXXXX");
    CHECK(mkdtemp(server->dir) != NULL);
    snprintf(server->address, sizeof server->address, "unix://%s/s", server->dir);
    str_copy(address.sun_path, sizeof address.sun_path, server->address + 7);
    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(server->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(server->listen_fd, 1), 0);
    CHECK_INT(pthread_create(&server->thread, NULL, serve, server), 0);
    CHECK_INT(http_connect(server->address, &http, &err), 0);
    CHECK_STR(err.text, "");
    http_set_timeout(http, 10000);
    return http;
}

static void stop(struct server *server, struct http *http)
{
    http_close(http);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    unlink(server->address + 7);
    rmdir(server->dir);
    buf_done(&server->requests);
}

/* Status and body of one exchange; -1 and the sentence in *body when it failed. */
static int get(struct http *http, const struct http_request *request, char **body)
{
    struct err err = { 0 };
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    if (http_call(http, request, &response, &err) < 0 || http_read_all(http, &out, &err) < 0) {
        *body = xstrdup(err.text);
        return -1;
    }
    *body = buf_take(&out);
    return response.status;
}

static const struct http_request simple = { .method = "GET", .target = "/x" };

TEST(one_connection_serves_many_requests)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello",
                                           "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
                                           "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nConnection: close\r\n\r\nto the end", NULL };
    struct server server = { 0 };
    struct http *http = start(&server, replies);
    static const struct {
        int status;
        const char *body;
    } want[] = { { 200, "hello" }, { 404, "abc0123456789" }, { 204, "" }, { 200, "to the end" } };
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        AUTO_FREE char *body = NULL;
        CHECK_INT(get(http, &simple, &body), want[i].status);
        CHECK_STR(body, want[i].body);
        CHECK_INT(http_can_reuse(http), i < 3);
    }
    AUTO_FREE char *body = NULL;
    CHECK_INT(get(http, &simple, &body), -1);
    CHECK_STR(body, "connection is closed");
    CHECK_STR(server.requests.data, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                    "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stop(&server, http);
}

TEST(headers_are_found)
{
    static const char *const replies[] = { "HTTP/1.1 200 Very Well\r\ncontent-length: 0\r\nX-A:  b \r\nX-Empty:\r\n\r\n", NULL };
    struct server server = { 0 };
    struct err err = { 0 };
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http *http = start(&server, replies);
    CHECK_INT(http_call(http, &simple, &response, &err), 0);
    CHECK_STR(response.reason, "Very Well");
    CHECK_STR(http_response_header(&response, "x-a"), "b");
    CHECK_STR(http_response_header(&response, "X-EMPTY"), "");
    CHECK_STR(http_response_header(&response, "X"), NULL);
    CHECK_INT(response.length, 0);
    stop(&server, http);
}

TEST(an_unread_body_is_dropped)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL };
    struct server server = { 0 };
    struct err err = { 0 };
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    struct http *http = start(&server, replies);
    AUTO_FREE char *body = NULL;
    CHECK_INT(http_call(http, &simple, &response, &err), 0);
    CHECK_INT(get(http, &simple, &body), 200);
    CHECK_STR(body, "ok");
    stop(&server, http);
}

TEST(head_has_no_body)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", NULL };
    struct server server = { 0 };
    struct http *http = start(&server, replies);
    AUTO_FREE char *body = NULL, *other = NULL;
    CHECK_INT(get(http, &(struct http_request){ .method = "HEAD", .target = "/" }, &body), 200);
    CHECK_STR(body, "");
    CHECK_INT(get(http, &simple, &other), 304);
    stop(&server, http);
}

TEST(what_a_server_must_not_send)
{
    static const struct {
        const char *reply, *sentence;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "bad Content-Length \"6\"" },
        { "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "bad Content-Length \"-5\"" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "bad Content-Length \"99999999999999999999\"" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "response has both Transfer-Encoding and Content-Length" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unsupported transfer encoding \"gzip\"" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed chunked encoding" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "malformed chunked encoding" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "malformed chunked encoding" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "unexpected EOF" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "unexpected EOF" },
        { "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "malformed MIME header line: no colon here" },
        { "HTTP/1.1 200 OK\r\nName : x\r\n\r\n", "malformed MIME header line: Name : x" },
        { "HTTP/2 200 OK\r\n\r\n", "malformed HTTP response \"HTTP/2 200 OK\"" },
        { "HTTP/1.1 2x0 OK\r\n\r\n", "malformed HTTP status code \"2x0 OK\"" },
        { "SSH-2.0-OpenSSH\r\n\r\n", "malformed HTTP response \"SSH-2.0-OpenSSH\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const replies[] = { cases[i].reply, NULL };
        struct server server = { 0 };
        struct http *http = start(&server, replies);
        AUTO_FREE char *body = NULL, *again = NULL;
        CHECK_INT(get(http, &simple, &body), -1);
        CHECK_STR(body, cases[i].sentence);
        CHECK(!http_can_reuse(http));
        CHECK_INT(get(http, &simple, &again), -1);
        stop(&server, http);
    }
}

TEST(heads_are_bounded)
{
    AUTO_BUF struct buf many = BUF_INIT(1 << 20), wide = BUF_INIT(1 << 20);
    buf_puts(&many, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i <= HTTP_HEADERS_MAX; i++)
        buf_printf(&many, "A%zu: b\r\n", i);
    buf_puts(&many, "Content-Length: 0\r\n\r\n");
    buf_puts(&wide, "HTTP/1.1 200 OK\r\nA: ");
    while (wide.length < HTTP_HEAD_MAX + 100)
        buf_puts(&wide, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    buf_puts(&wide, "\r\n\r\n");
    const char *const texts[] = { many.data, wide.data };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *const replies[] = { texts[i], NULL };
        struct server server = { 0 };
        struct http *http = start(&server, replies);
        AUTO_FREE char *body = NULL;
        CHECK_INT(get(http, &simple, &body), -1);
        CHECK(strstr(body, "too long") != NULL);
        stop(&server, http);
    }
}

TEST(bodies_go_out)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL };
    static char content_type[] = "Content-Type: text/plain";
    char *headers[] = { content_type, NULL };
    struct server server = { 0 };
    struct http *http = start(&server, replies);
    int pipe_fds[2];
    CHECK_INT(pipe2(pipe_fds, O_CLOEXEC), 0);
    CHECK_INT(write(pipe_fds[1], "piped", 5), 5);
    close(pipe_fds[1]);
    const struct http_request requests[] = {
        { .method = "POST", .target = "/a" },
        { .method = "PUT", .target = "/b", .headers = headers, .body = "body", .body_length = 4 },
        { .method = "POST", .target = "/c", .has_body_fd = true, .body_fd = pipe_fds[0], .body_fd_size = -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        AUTO_FREE char *body = NULL;
        CHECK_INT(get(http, &requests[i], &body), 200);
    }
    close(pipe_fds[0]);
    CHECK_STR(server.requests.data, "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                                    "PUT /b HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
                                    "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npiped\r\n0\r\n\r\n");
    stop(&server, http);
}

static ssize_t endless(void *arg, void *bytes, size_t size, struct err *err)
{
    (void)arg;
    (void)err;
    memset(bytes, 'x', size);
    return (ssize_t)size;
}

static ssize_t gives_up(void *arg, void *bytes, size_t size, struct err *err)
{
    (void)arg;
    (void)bytes;
    (void)size;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

TEST(an_early_refusal_ends_the_sending)
{
    static const char *const replies[] = { "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno", NULL };
    struct server server = { .read_max = 64, .hold = true };
    struct http *http = start(&server, replies);
    AUTO_FREE char *body = NULL;
    CHECK_INT(get(http, &(struct http_request){ .method = "POST", .target = "/", .body_read = endless }, &body), 413);
    CHECK_STR(body, "no");
    CHECK(!http_can_reuse(http));
    stop(&server, http);
}

TEST(a_source_may_fail)
{
    static const char *const replies[] = { NULL };
    struct server server = { 0 };
    struct http *http = start(&server, replies);
    AUTO_FREE char *body = NULL;
    CHECK_INT(get(http, &(struct http_request){ .method = "POST", .target = "/", .body_read = gives_up }, &body), -1);
    CHECK_STR(body, "no such file");
    stop(&server, http);
}

TEST(text_that_would_split_a_request_is_refused)
{
    static const char *const replies[] = { NULL };
    static char good[] = "A: b", bad[] = "A: b\r\nC: d";
    char *headers[] = { good, bad, NULL };
    const struct http_request requests[] = { { .method = "GET", .target = "/a b" }, { .method = "GET", .target = "/a\r\nX: y" },
                                             { .method = "GET", .target = "/", .headers = headers } };
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct server server = { 0 };
        struct http *http = start(&server, replies);
        AUTO_FREE char *body = NULL;
        CHECK_INT(get(http, &requests[i], &body), -1);
        CHECK(server.requests.length == 0);
        stop(&server, http);
    }
}

TEST(a_silent_server_times_out)
{
    static const char *const replies[] = { "", NULL };
    struct server server = { .hold = true };
    struct http *http = start(&server, replies);
    AUTO_FREE char *body = NULL;
    http_set_timeout(http, 30);
    CHECK_INT(get(http, &simple, &body), -1);
    CHECK(body && *body);
    stop(&server, http);
}

TEST(upgrades_give_the_socket_away)
{
    static const char *const replies[] = { "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly bytes", NULL };
    static char upgrade[] = "Upgrade: tcp", connection[] = "Connection: Upgrade";
    char *headers[] = { upgrade, connection, NULL };
    struct server server = { .hold = true };
    struct err err = { 0 };
    AUTO_HTTP_RESPONSE struct http_response response = HTTP_RESPONSE_INIT;
    AUTO_BUF struct buf early = BUF_INIT(4096);
    AUTO_FD int fd = -1;
    struct http *http = start(&server, replies);
    CHECK_INT(http_call(http, &(struct http_request){ .method = "POST", .target = "/attach", .headers = headers }, &response, &err), 0);
    CHECK(response.upgraded);
    CHECK_INT(http_hijack(http, &early, &fd, &err), 0);
    while (fd >= 0 && early.length < 11) {
        char *room = buf_reserve(&early, 64);
        ssize_t got = read(fd, room, 64);
        if (got <= 0)
            break;
        buf_grew(&early, (size_t)got);
    }
    CHECK_STR(early.data, "early bytes");
    CHECK_INT(http_fd(http), -1);
    fd_close(take_fd(&fd));
    stop(&server, http);
}

TEST(addresses)
{
    static const char *const bad[] = { "", "name", "ftp://x:1", "tcp://host", "tcp://host:" };
    struct http *http = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err err = { 0 };
        CHECK_INT(http_connect(bad[i], &http, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
    }
    struct err err = { 0 };
    CHECK_INT(http_connect("unix:///nonexistent/socket", &http, &err), -1);
    CHECK_INT(err.kind, ERR_UNAVAILABLE);
    CHECK_INT(err.sys_errno, ENOENT);
    CHECK(!http);
}

TEST(escaping)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    http_escape_path(&out, "/a b/c:d?e");
    http_query_add(&out, "k&", "v=\xc3\xa9/");
    http_query_add(&out, "none", NULL);
    http_query_add(&out, "t", "~-_.");
    CHECK_STR(out.data, "/a%20b/c:d%3Fe?k%26=v%3D%C3%A9%2F&t=~-_.");
}

TEST(frames_in_any_pieces)
{
    unsigned char stream[64];
    size_t length = 0;
    stream_frame_head(stream, 1, 5);
    memcpy(stream + 8, "hello", 5);
    stream_frame_head(stream + 13, 2, 0);
    stream_frame_head(stream + 21, 2, 3);
    memcpy(stream + 29, "err", 3);
    length = 32;
    for (size_t step = 1; step <= length; step++) {
        struct stream_frames frames = { 0 };
        struct err err = { 0 };
        struct buf texts[4] = { BUF_INIT(64), BUF_INIT(64), BUF_INIT(64), BUF_INIT(64) };
        for (size_t at = 0; at < length; at += step) {
            const char *bytes = (const char *)stream + at, *piece;
            size_t left = MIN(step, length - at), piece_length;
            int which, got;
            while ((got = stream_frames_next(&frames, &bytes, &left, &which, &piece, &piece_length, &err)) == 1)
                buf_append(&texts[which], piece, piece_length);
            CHECK_INT(got, 0);
        }
        CHECK_STR(texts[1].data, "hello");
        CHECK_STR(texts[2].data, "err");
        for (size_t i = 0; i < 4; i++)
            buf_done(&texts[i]);
    }
    const char *bytes = "HTTP/1.1 200", *piece;
    size_t left = 12, piece_length;
    int which;
    struct stream_frames frames = { 0 };
    struct err err = { 0 };
    CHECK_INT(stream_frames_next(&frames, &bytes, &left, &which, &piece, &piece_length, &err), -1);
    CHECK_STR(err.text, "Unrecognized input header: 72");
}

TESTS(T(one_connection_serves_many_requests), T(headers_are_found), T(an_unread_body_is_dropped), T(head_has_no_body), T(what_a_server_must_not_send),
      T(heads_are_bounded), T(bodies_go_out), T(an_early_refusal_ends_the_sending), T(a_source_may_fail), T(text_that_would_split_a_request_is_refused),
      T(a_silent_server_times_out), T(upgrades_give_the_socket_away), T(addresses), T(escaping), T(frames_in_any_pieces))
