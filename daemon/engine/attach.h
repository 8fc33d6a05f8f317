/* Between attach (streams.c) and exec (execs.c). */
#pragma once
#include "daemon/engine/internal.h"
#include "daemon/engine/monitor_link.h"

struct attach {
    struct engine *engine;
    struct container *container; /* holds a ref */
    struct mon_attach message;
    bool replay, stream;
    struct exec *exec; /* of its container, or NULL */
};
/* "ctrl-p,ctrl-q": at most 32 bytes. NULL and "" are none. */
int attach_keys(const char *text, uint8_t ret[32], uint32_t *ret_count, struct err *err);
uint32_t attach_flags(bool in, bool out, bool error, bool raw);
/* Starts the exec of the attach with the client's socket; fd stays the caller's. A failure is told on it. */
void exec_connect(struct attach *attach, int fd, const void *early, size_t early_length);
