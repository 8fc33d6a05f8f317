/* Theory of operation. One epoll set; each fd has a watch. Armed timers stand in a binary heap by due time. A watch that is
 * removed inside a callback is only marked; it is freed at the end of the round, so that no event of the same round finds freed memory. */
#include "lib/loop/loop.h"

#include "lib/base/fd.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum watch_kind { WATCH_FD, WATCH_TIMER, WATCH_SIGNALS, WATCH_WAKE };
struct watch {
    struct loop *loop;
    enum watch_kind kind;
    int fd;
    watch_fn on_fd;
    timer_fn on_timer;
    void *arg;
    int64_t due_ns;
    size_t place; /* in the heap, from 1; 0: disarmed */
    bool dead;
    struct watch *previous, *next;
    struct watch *next_dead;
};
struct signal_watch {
    signal_fn fn;
    void *arg;
};
struct loop {
    int epoll_fd, wake_fd, signal_fd;
    struct watch *watches, *dead;
    struct watch **heap; /* [1..armed] */
    size_t armed, heap_capacity;
    struct watch *signal_watch, *wake_watch;
    struct signal_watch signals[65];
    sigset_t mask;
    bool stopped;
};

#define DELAY_MAX_MS ((int64_t)1000 * 86400 * 365 * 100)

static struct watch *add_watch(struct loop *loop, enum watch_kind kind, int fd, uint32_t events)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    *watch = (struct watch){ .loop = loop, .kind = kind, .fd = fd, .next = loop->watches };
    struct epoll_event event = { .events = events, .data.ptr = watch };
    if (fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(watch);
        return NULL;
    }
    if (watch->next)
        watch->next->previous = watch;
    loop->watches = watch;
    return watch;
}

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->signal_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigemptyset(&loop->mask);
    if (loop->epoll_fd >= 0 && loop->wake_fd >= 0)
        loop->wake_watch = add_watch(loop, WATCH_WAKE, loop->wake_fd, EPOLLIN);
    if (!loop->wake_watch) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

static void bury(struct loop *loop)
{
    while (loop->dead) {
        struct watch *watch = loop->dead;
        loop->dead = watch->next_dead;
        if (watch->previous)
            watch->previous->next = watch->next;
        else
            loop->watches = watch->next;
        if (watch->next)
            watch->next->previous = watch->previous;
        free(watch);
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    bury(loop);
    while (loop->watches) {
        struct watch *watch = loop->watches;
        loop->watches = watch->next;
        free(watch);
    }
    free(loop->heap);
    fd_close(loop->epoll_fd);
    fd_close(loop->wake_fd);
    fd_close(loop->signal_fd);
    free(loop);
}

struct watch *loop_watch_fd(struct loop *loop, int fd, uint32_t epoll_events, watch_fn fn, void *arg)
{
    struct watch *watch = add_watch(loop, WATCH_FD, fd, epoll_events);
    if (watch) {
        watch->on_fd = fn;
        watch->arg = arg;
    }
    return watch;
}

int watch_modify(struct watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = { .events = epoll_events, .data.ptr = watch };
    return epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

static void put(struct loop *loop, size_t place, struct watch *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

/* Finds the right place for a timer, starting from a free one. */
static void settle(struct loop *loop, size_t place, struct watch *timer)
{
    for (; place > 1 && loop->heap[place / 2]->due_ns > timer->due_ns; place /= 2)
        put(loop, place, loop->heap[place / 2]);
    for (;;) {
        size_t child = place * 2;
        if (child < loop->armed && loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
            child++;
        if (child > loop->armed || loop->heap[child]->due_ns >= timer->due_ns)
            break;
        put(loop, place, loop->heap[child]);
        place = child;
    }
    put(loop, place, timer);
}

static void disarm(struct watch *timer)
{
    struct loop *loop = timer->loop;
    size_t place = timer->place;
    if (!place)
        return;
    timer->place = 0;
    struct watch *last = loop->heap[loop->armed--];
    if (last != timer)
        settle(loop, place, last);
}

struct watch *loop_timer(struct loop *loop, int64_t delay_ms, timer_fn fn, void *arg)
{
    struct watch *timer = add_watch(loop, WATCH_TIMER, -1, 0);
    timer->on_timer = fn;
    timer->arg = arg;
    timer_arm(timer, delay_ms);
    return timer;
}

void timer_arm(struct watch *timer, int64_t delay_ms)
{
    struct loop *loop = timer->loop;
    disarm(timer);
    if (delay_ms < 0 || timer->dead)
        return;
    timer->due_ns = time_monotonic_ns() + MIN(delay_ms, DELAY_MAX_MS) * 1000000;
    if (loop->armed + 1 >= loop->heap_capacity) {
        loop->heap_capacity = loop->heap_capacity ? loop->heap_capacity * 2 : 8;
        loop->heap = xreallocarray(loop->heap, loop->heap_capacity, sizeof(struct watch *));
    }
    loop->armed++;
    settle(loop, loop->armed, timer);
}

int loop_watch_signal(struct loop *loop, int signal, signal_fn fn, void *arg)
{
    if (signal < 1 || signal > 64)
        return -EINVAL;
    loop->signals[signal] = (struct signal_watch){ fn, arg };
    sigaddset(&loop->mask, signal);
    if (sigprocmask(SIG_BLOCK, &loop->mask, NULL) < 0)
        return -errno;
    int fd = signalfd(loop->signal_fd, &loop->mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    loop->signal_fd = fd;
    if (!loop->signal_watch)
        loop->signal_watch = add_watch(loop, WATCH_SIGNALS, fd, EPOLLIN);
    return loop->signal_watch ? 0 : -ENOMEM;
}

void watch_remove(struct watch *watch)
{
    if (!watch || watch->dead)
        return;
    if (watch->fd >= 0)
        (void)epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    disarm(watch);
    watch->dead = true;
    watch->next_dead = watch->loop->dead;
    watch->loop->dead = watch;
}

static void read_signals(struct loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        struct signal_watch *watch = info.ssi_signo <= 64 ? &loop->signals[info.ssi_signo] : NULL;
        if (watch && watch->fn)
            watch->fn(loop, (int)info.ssi_signo, watch->arg);
    }
}

static void dispatch(struct loop *loop, struct watch *watch, uint32_t events)
{
    uint64_t drained;
    if (watch->dead)
        return;
    switch (watch->kind) {
    case WATCH_FD:
        watch->on_fd(loop, watch, events, watch->arg);
        break;
    case WATCH_SIGNALS:
        read_signals(loop);
        break;
    case WATCH_WAKE:
        while (read(loop->wake_fd, &drained, sizeof drained) > 0) {
        }
        break;
    case WATCH_TIMER:
        break;
    }
}

static int next_timeout(const struct loop *loop, int timeout_ms)
{
    if (!loop->armed)
        return timeout_ms;
    int64_t left = loop->heap[1]->due_ns - time_monotonic_ns();
    left = left <= 0 ? 0 : MIN((left + 999999) / 1000000, (int64_t)INT_MAX);
    return timeout_ms < 0 || left < timeout_ms ? (int)left : timeout_ms;
}

static void fire_timers(struct loop *loop)
{
    int64_t now = time_monotonic_ns();
    while (loop->armed && loop->heap[1]->due_ns <= now) {
        struct watch *timer = loop->heap[1];
        disarm(timer);
        timer->on_timer(loop, timer, timer->arg);
    }
}

int loop_step(struct loop *loop, int timeout_ms)
{
    struct epoll_event events[32];
    int count = epoll_wait(loop->epoll_fd, events, (int)ARRAY_SIZE(events), next_timeout(loop, timeout_ms));
    if (count < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; i < count; i++)
        dispatch(loop, events[i].data.ptr, events[i].events);
    fire_timers(loop);
    bury(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    int failed = 0;
    loop->stopped = false;
    while (!loop->stopped && failed == 0)
        failed = loop_step(loop, -1);
    return failed;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    if (write(loop->wake_fd, &one, sizeof one) < 0) {
        /* the counter is full: the loop is awake anyway */
    }
}
