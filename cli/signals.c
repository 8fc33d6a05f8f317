#include "cli/signals.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define FORCE_AFTER 3 /* interrupts, and the client ends whatever the container does */

struct signals {
    struct cli cli; /* a copy: the thread's own connection */
    char *target;
    bool proxy, resize;
    struct terminal *terminal;
    int signal_fd, stop[2];
    pthread_t thread;
    int interrupts;
};

static void send_size(struct signals *signals)
{
    AUTO_TARGET(target);
    struct err err = { 0 };
    int64_t height, width;
    terminal_size(STDOUT_FILENO, &height, &width);
    if (!height && !width)
        return;
    buf_printf(&target, "%s/resize", signals->target);
    api_query_i64(&target, "h", height);
    api_query_i64(&target, "w", width);
    (void)api_post(&signals->cli, target.data, &err);
}

static void forward(struct signals *signals, int number)
{
    AUTO_TARGET(target);
    struct err err = { 0 };
    const char *name = sigabbrev_np(number);
    if (number == SIGINT || number == SIGTERM)
        signals->interrupts++;
    if (signals->interrupts >= FORCE_AFTER) {
        if (signals->terminal)
            terminal_restore(signals->terminal);
        fprintf(stderr, "\ngot %d SIGTERM/SIGINTs, forcefully exiting\n", FORCE_AFTER);
        _exit(1);
    }
    buf_printf(&target, "%s/kill", signals->target);
    AUTO_FREE char *numbered = str_format("%d", number);
    http_query_add(&target, "signal", name ? name : numbered);
    (void)api_post(&signals->cli, target.data, &err); /* a container that has just exited */
}

static void *signals_thread(void *arg)
{
    struct signals *signals = arg;
    struct pollfd fds[2] = { { .fd = signals->signal_fd, .events = POLLIN }, { .fd = signals->stop[0], .events = POLLIN } };
    struct signalfd_siginfo info;
    while (!fds[1].revents) {
        if (poll(fds, 2, -1) < 0 || !fds[0].revents || read(signals->signal_fd, &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo == SIGWINCH)
            send_size(signals);
        else
            forward(signals, (int)info.ssi_signo);
    }
    return NULL;
}

static void choose(const struct signals *signals, sigset_t *ret)
{
    static const int proxied[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGTSTP, SIGCONT,
                                   SIGIO, SIGPWR, SIGXCPU, SIGXFSZ };
    sigemptyset(ret);
    if (signals->resize)
        sigaddset(ret, SIGWINCH);
    for (size_t i = 0; signals->proxy && i < ARRAY_SIZE(proxied); i++)
        sigaddset(ret, proxied[i]);
}

struct signals *signals_start(const struct cli *cli, const char *target, bool proxy, bool resize, struct terminal *terminal)
{
    struct signals *signals = xcalloc(1, sizeof *signals);
    signals->cli = *cli;
    signals->cli.http = NULL;
    signals->cli.http_busy = false;
    signals->target = xstrdup(target);
    signals->proxy = proxy;
    signals->resize = resize;
    signals->terminal = terminal;
    sigset_t set;
    choose(signals, &set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals->signal_fd < 0 || fd_pipe(signals->stop) < 0 || pthread_create(&signals->thread, NULL, signals_thread, signals) != 0)
        abort();
    return signals;
}

void signals_resize_now(struct signals *signals)
{
    if (signals->resize)
        (void)kill(getpid(), SIGWINCH); /* blocked in every thread: only the descriptor takes it */
}

void signals_stop(struct signals *signals)
{
    if (!signals)
        return;
    fd_close(signals->stop[1]);
    (void)pthread_join(signals->thread, NULL);
    fd_close(signals->stop[0]);
    fd_close(signals->signal_fd);
    http_close(signals->cli.http);
    free(signals->target);
    free(signals);
}
