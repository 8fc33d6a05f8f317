/* Talking to one container's monitor. Every request uses a short connection of its own (connect, HELLO, request, replies): no
 * correlation, no lock, nothing to repair. The long-lived connection that hears notices belongs to housekeeping (facts.c). */
#pragma once
#include "lib/base/err.h"
#include "lib/plan/monitor.h"
#include <stddef.h>
#include <stdint.h>

struct monitor_reply {
    int32_t exit_code;      /* of a failed start or exec */
    size_t length;          /* of body */
    int fds[16];            /* the caller's; count in fd_count */
    size_t fd_count;
    _Alignas(8) uint8_t body[4096];
};
/* Connects to EXEC_ROOT/<id>/sock and says HELLO. fd or -1; ERR_NOT_FOUND when nobody listens. */
int monitor_connect(const char *exec_root, const char *id, struct err *err);
/* One request on a connection that has said HELLO. more: bytes behind the body. The reply's fds are the caller's (monitor_reply_done). */
int monitor_request_on(int sock, uint16_t verb, const void *body, size_t length, const void *more, size_t more_length, const int *fds,
                       size_t fd_count, struct monitor_reply *ret, struct err *err);
/* connect + request + close */
int monitor_request(const char *exec_root, const char *id, uint16_t verb, const void *body, size_t length, const int *fds, size_t fd_count,
                    struct monitor_reply *ret, struct err *err);
void monitor_reply_done(struct monitor_reply *reply);
