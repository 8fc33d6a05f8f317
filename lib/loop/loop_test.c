#include "lib/loop/loop.h"

#include "lib/base/fd.h"
#include "lib/base/test.h"
#include "lib/base/timefmt.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

static int fired, got_signal;

static void on_timer(struct loop *loop, struct watch *timer, void *arg)
{
    (void)arg;
    if (++fired == 3)
        loop_stop(loop);
    else
        timer_arm(timer, 5);
}

static void on_signal(struct loop *loop, int number, void *arg)
{
    (void)arg;
    got_signal = number;
    loop_stop(loop);
}

static void on_readable(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    char byte;
    CHECK(events & EPOLLIN);
    CHECK_INT(read(*(int *)arg, &byte, 1), 1);
    watch_remove(watch);
    loop_stop(loop);
}

TEST(timers_and_rearming)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    int64_t start = time_monotonic_ns();
    loop_timer(loop, 5, on_timer, NULL);
    CHECK_INT(loop_run(loop), 0);
    CHECK_INT(fired, 3);
    CHECK(time_monotonic_ns() - start >= 14000000);
}

TEST(signals_arrive_in_the_loop)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    CHECK_INT(loop_watch_signal(loop, SIGUSR1, on_signal, NULL), 0);
    kill(getpid(), SIGUSR1);
    CHECK_INT(loop_run(loop), 0);
    CHECK_INT(got_signal, SIGUSR1);
}

TEST(fds_and_removal_inside_the_callback)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    int pair[2];
    CHECK_INT(fd_pipe(pair), 0);
    loop_watch_fd(loop, pair[0], EPOLLIN, on_readable, &pair[0]);
    CHECK_INT(write(pair[1], "xy", 2), 2);
    CHECK_INT(loop_run(loop), 0);
    CHECK_INT(loop_step(loop, 0), 0);
    fd_close(pair[0]);
    fd_close(pair[1]);
}

static int order[64];
static size_t rung;

static void on_ring(struct loop *loop, struct watch *timer, void *arg)
{
    order[rung++] = *(int *)arg;
    watch_remove(timer);
    if (rung == 32)
        loop_stop(loop);
}

TEST(timers_ring_in_order)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    struct watch *timers[64];
    static int delays[64];
    for (int i = 0; i < 64; i++) {
        delays[i] = (i * 37) % 64;
        timers[i] = loop_timer(loop, delays[i] * 10, on_ring, &delays[i]);
    }
    timer_arm(timers[0], INT64_MAX);
    for (int i = 0; i < 64; i++)
        if (delays[i] % 2)
            i % 3 ? watch_remove(timers[i]) : timer_arm(timers[i], -1);
    timer_arm(timers[0], 0);
    CHECK_INT(loop_run(loop), 0);
    for (size_t i = 0; i < 32; i++)
        CHECK_INT(order[i], 2 * (int)i);
}

static void never(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    (void)loop, (void)watch, (void)events, (void)arg;
    CHECK(!"called after its removal");
}

static void remove_other(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    (void)loop, (void)events;
    watch_remove(*(struct watch **)arg);
    watch_remove(watch);
    watch_remove(watch);
}

TEST(removal_of_a_ready_neighbour)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    int pair[2], other[2];
    struct watch *victim = NULL;
    CHECK_INT(fd_pipe(pair), 0);
    CHECK_INT(fd_pipe(other), 0);
    CHECK_INT(write(pair[1], "x", 1), 1);
    loop_watch_fd(loop, pair[0], EPOLLIN, remove_other, &victim);
    victim = loop_watch_fd(loop, other[0], EPOLLIN, never, NULL);
    CHECK_INT(write(other[1], "x", 1), 1); /* ready later than its remover */
    CHECK_INT(loop_step(loop, 0), 0);
    CHECK_INT(loop_step(loop, 0), 0);
    for (int i = 0; i < 2; i++) {
        fd_close(pair[i]);
        fd_close(other[i]);
    }
}

static void *wake(void *loop)
{
    loop_wake(loop);
    return NULL;
}

TEST(woken_from_a_thread)
{
    CLEANUP(loop_free) struct loop *loop = loop_new();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, wake, loop), 0);
    CHECK_INT(loop_step(loop, -1), 0);
    pthread_join(thread, NULL);
}

TESTS(T(timers_ring_in_order), T(removal_of_a_ready_neighbour), T(woken_from_a_thread), T(timers_and_rearming), T(signals_arrive_in_the_loop), T(fds_and_removal_inside_the_callback))
