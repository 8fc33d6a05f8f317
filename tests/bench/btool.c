/* btool.c: the small static helper of the benchmark; it goes into the test image and also runs here.
 *   gen BYTES                     write BYTES to stdout as 100-byte lines, 40 lines a write
 *   term                          wait, exit 0 at once on SIGTERM
 *   recv PORT                     accept, read to EOF, answer one byte; for ever
 *   send HOST PORT BYTES          connect (retries 10 s), send, wait for the byte; prints MB/s
 *   get SOCKET PATH               GET over a unix socket, read to EOF; prints bytes and seconds
 *   load SOCKET PATH CONNS SECS   keep-alive GETs over CONNS connections; prints JSON
 * Build: cc -O2 -static -pthread -o btool btool.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
static void bye(int s)
{
    (void)s;
    _exit(0);
}
static void put(int fd, const char *b, size_t n)
{
    for (ssize_t r; n; b += r, n -= r)
        if ((r = write(fd, b, n)) <= 0)
            err(1, "write");
}
static int dial(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (connect(s, (void *)&a, sizeof a))
        err(1, "%s", path);
    return s;
}
static struct sockaddr_in in4(const char *ip, const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((int)strtol(port, NULL, 10)) };
    if (ip)
        inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}
static void gen(long n)
{
    char b[4000];
    for (int i = 0; i < 4000; i++)
        b[i] = i % 100 == 99 ? '\n' : 'a' + i % 100 % 26;
    for (; n > 0; n -= 4000)
        put(1, b, n < 4000 ? n : 4000);
}
static void receive(const char *port)
{
    static char b[1 << 18];
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = in4(0, port);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (void *)&a, sizeof a) || listen(s, 8))
        err(1, "port %s", port);
    for (int c; (c = accept(s, 0, 0)) >= 0; close(c)) {
        while (read(c, b, sizeof b) > 0)
            ;
        if (write(c, "x", 1) < 0)
            warn("ack");
    }
}
static void send_to(const char *ip, const char *port, long n)
{
    static char b[1 << 18];
    struct sockaddr_in a = in4(ip, port);
    int s;
    double t = now(), t0 = t;
    while (s = socket(AF_INET, SOCK_STREAM, 0), connect(s, (void *)&a, sizeof a)) {
        if (now() - t0 > 10)
            err(1, "%s:%s", ip, port);
        close(s);
        usleep(20000);
    }
    t = now();
    for (long l = n; l > 0; l -= sizeof b)
        put(s, b, l < (long)sizeof b ? (size_t)l : sizeof b);
    shutdown(s, SHUT_WR);
    if (read(s, b, 1) != 1)
        errx(1, "no answer");
    printf("%.1f\n", n / 1e6 / (now() - t));
}
static void get(const char *sock, const char *path)
{
    static char b[1 << 18];
    int s = dial(sock), n = snprintf(b, sizeof b, "GET %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", path);
    double t = now();
    long sum = 0, status = 0;
    put(s, b, n);
    for (ssize_t r; (r = read(s, b, sizeof b)) > 0; sum += r)
        if (!sum)
            status = strtol(b + 9, NULL, 10);
    if (status != 200)
        errx(1, "status %ld", status);
    printf("%ld %.6f\n", sum, now() - t);
}

/* ---- load: each thread has one connection and asks again as soon as the answer is complete ---- */
static const char *lsock, *lpath;
static double deadline;
struct th {
    pthread_t t;
    long n, cap, bad;
    float *ms;
};
static char *find(char *b, size_t n, const char *s)
{
    return memmem(b, n, s, strlen(s));
}
static size_t answer(int s, char **buf, size_t *cap, int *status)
{ /* reads one whole answer */
    size_t have = 0, want = 0;
    int chunked = 0;
    for (;;) {
        if (have + 65536 > *cap)
            *buf = realloc(*buf, *cap = have * 2 + 131072);
        ssize_t r = read(s, *buf + have, *cap - have - 1);
        if (r <= 0)
            return 0;
        have += r;
        (*buf)[have] = 0;
        char *e = find(*buf, have, "\r\n\r\n"), *h;
        if (!e)
            continue;
        if (!want) {
            *status = (int)strtol(*buf + 9, NULL, 10);
            want = e - *buf + 4;
            if ((h = strcasestr(*buf, "\r\nContent-Length:")) && h < e)
                want += strtol(h + 17, NULL, 10);
            else if ((h = strcasestr(*buf, "\r\nTransfer-Encoding:")) && h < e)
                chunked = 1;
        }
        if (chunked ? !memcmp(*buf + have - 5, "0\r\n\r\n", 5) : have >= want)
            return have;
    }
}
static void *worker(void *p)
{
    struct th *t = p;
    char q[4096], *b = 0;
    size_t cap = 0;
    int s = dial(lsock), st;
    int n = snprintf(q, sizeof q, "GET %s HTTP/1.1\r\nHost: d\r\n\r\n", lpath);
    for (double a = now(), z; a < deadline; a = z) {
        put(s, q, n);
        if (!answer(s, &b, &cap, &st)) {
            t->bad++;
            close(s);
            s = dial(lsock);
            z = now();
            continue;
        }
        t->bad += st != 200;
        z = now();
        if (t->n == t->cap)
            t->ms = realloc(t->ms, (t->cap = t->cap * 2 + 1024) * sizeof *t->ms);
        t->ms[t->n++] = (z - a) * 1e3;
    }
    return 0;
}
static int cmp(const void *a, const void *b)
{
    float x = *(float *)a, y = *(float *)b;
    return (x > y) - (x < y);
}
static void load(int conns, double secs)
{
    struct th *t = calloc(conns, sizeof *t);
    double a = now();
    deadline = a + secs;
    for (int i = 0; i < conns; i++)
        pthread_create(&t[i].t, 0, worker, &t[i]);
    long n = 0, bad = 0;
    for (int i = 0; i < conns; i++) {
        pthread_join(t[i].t, 0);
        n += t[i].n;
        bad += t[i].bad;
    }
    double took = now() - a;
    float *all = malloc((n + 1) * sizeof *all);
    long k = 0;
    for (int i = 0; i < conns; i++)
        for (long j = 0; j < t[i].n; j++)
            all[k++] = t[i].ms[j];
    qsort(all, n, sizeof *all, cmp);
    printf("{\"n\": %ld, \"bad\": %ld, \"rps\": %.1f, \"p50\": %.4f, \"p99\": %.4f}\n", n, bad, n / took,
           n ? all[n / 2] : -1, n ? all[n * 99 / 100] : -1);
}

int main(int c, char **v)
{
    const char *m = c > 1 ? v[1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(m, "gen") && c == 3)
        gen(strtol(v[2], NULL, 10));
    else if (!strcmp(m, "term")) {
        signal(SIGTERM, bye);
        for (;;)
            pause();
    } else if (!strcmp(m, "recv") && c == 3)
        receive(v[2]);
    else if (!strcmp(m, "send") && c == 5)
        send_to(v[2], v[3], strtol(v[4], NULL, 10));
    else if (!strcmp(m, "get") && c == 4)
        get(v[2], v[3]);
    else if (!strcmp(m, "load") && c == 6) {
        lsock = v[2];
        lpath = v[3];
        load((int)strtol(v[4], NULL, 10), atof(v[5]));
    } else
        errx(2, "usage: see the head of btool.c");
    return 0;
}
