/* A mutex that knows its owner, and a condition. Not for libc-only single-threaded programs to need, but builds on musl. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
struct mutex {
    pthread_mutex_t raw;
    pthread_t owner;
    bool held;
};
void mutex_init(struct mutex *mutex);
void mutex_done(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
void mutex_assert_held(const struct mutex *mutex);
struct cond {
    pthread_cond_t raw; /* CLOCK_MONOTONIC */
};
void cond_init(struct cond *cond);
void cond_done(struct cond *cond);
void cond_wait(struct cond *cond, struct mutex *mutex);
/* false on timeout; deadline in time_monotonic_ns() units */
bool cond_wait_until(struct cond *cond, struct mutex *mutex, int64_t deadline_ns);
void cond_broadcast(struct cond *cond);
/* A detached thread with a bounded stack (512 KiB). 0 or -errno. */
int thread_spawn(void *(*run)(void *), void *arg);
