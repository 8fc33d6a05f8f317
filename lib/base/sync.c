#include "lib/base/sync.h"

#include "lib/base/timefmt.h"

#include <assert.h>
#include <signal.h>
#include <time.h>

#define THREAD_STACK ((size_t)512 * 1024)

void mutex_init(struct mutex *mutex)
{
    pthread_mutex_init(&mutex->raw, NULL);
    mutex->held = false;
}

void mutex_done(struct mutex *mutex)
{
    pthread_mutex_destroy(&mutex->raw);
}

void mutex_lock(struct mutex *mutex)
{
    pthread_mutex_lock(&mutex->raw);
    mutex->owner = pthread_self();
    mutex->held = true;
}

void mutex_unlock(struct mutex *mutex)
{
    mutex->held = false;
    pthread_mutex_unlock(&mutex->raw);
}

void mutex_assert_held(const struct mutex *mutex)
{
    assert(mutex->held && pthread_equal(mutex->owner, pthread_self()));
}

void cond_init(struct cond *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cond->raw, &attributes);
    pthread_condattr_destroy(&attributes);
}

void cond_done(struct cond *cond)
{
    pthread_cond_destroy(&cond->raw);
}

void cond_wait(struct cond *cond, struct mutex *mutex)
{
    mutex->held = false;
    pthread_cond_wait(&cond->raw, &mutex->raw);
    mutex->owner = pthread_self();
    mutex->held = true;
}

bool cond_wait_until(struct cond *cond, struct mutex *mutex, int64_t deadline_ns)
{
    struct timespec deadline = { .tv_sec = (time_t)(deadline_ns / NANOS_PER_SECOND), .tv_nsec = (long)(deadline_ns % NANOS_PER_SECOND) };
    mutex->held = false;
    int failed = pthread_cond_timedwait(&cond->raw, &mutex->raw, &deadline);
    mutex->owner = pthread_self();
    mutex->held = true;
    return failed == 0;
}

void cond_broadcast(struct cond *cond)
{
    pthread_cond_broadcast(&cond->raw);
}

int thread_spawn(void *(*run)(void *), void *arg)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    return -failed;
}
