/* A single-threaded epoll loop: fds, timers, signals, pidfds. Used by the monitor, holkd's housekeeping
 * and dns. No thread-safety but loop_wake(). Callbacks may add and remove watches, also their own. */
#pragma once
#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
struct loop;
struct watch; /* owned by the loop until watch_remove() */
typedef void (*watch_fn)(struct loop *loop, struct watch *watch, uint32_t epoll_events, void *arg);
typedef void (*timer_fn)(struct loop *loop, struct watch *timer, void *arg);
typedef void (*signal_fn)(struct loop *loop, int signal, void *arg);
struct loop *loop_new(void);
void loop_free(struct loop *loop);
CLEANUP_FN(struct loop, loop_free)
/* fd stays the caller's. NULL on failure (errno set). */
struct watch *loop_watch_fd(struct loop *loop, int fd, uint32_t epoll_events, watch_fn fn, void *arg);
int watch_modify(struct watch *watch, uint32_t epoll_events); /* 0 or -errno; 0 events = muted but HUP/ERR still told */
/* One shot after delay_ms; re-arm from the callback with timer_arm. delay -1 creates it disarmed. */
struct watch *loop_timer(struct loop *loop, int64_t delay_ms, timer_fn fn, void *arg);
void timer_arm(struct watch *timer, int64_t delay_ms); /* -1 disarms */
/* Blocks the signal and delivers it here. */
int loop_watch_signal(struct loop *loop, int signal, signal_fn fn, void *arg);
void watch_remove(struct watch *watch); /* NULL is fine; safe inside callbacks */
int loop_run(struct loop *loop);        /* until loop_stop; 0 or -errno */
int loop_step(struct loop *loop, int timeout_ms); /* one round */
void loop_stop(struct loop *loop);
void loop_wake(struct loop *loop); /* from any thread: the round returns */
