/* The terminal a command was started on: raw while a container has it, as it was before afterwards. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
    int fd;
    bool raw;
    struct termios before;
};
#define TERMINAL_INIT { .fd = -1 }
bool terminal_is(int fd);
/* Does nothing when fd is no terminal. */
void terminal_make_raw(struct terminal *terminal, int fd);
/* Safe to call twice, and from another thread that is about to exit. */
void terminal_restore(struct terminal *terminal);
#define AUTO_TERMINAL __attribute__((cleanup(terminal_restore)))
/* 0,0 when fd is no terminal. */
void terminal_size(int fd, int64_t *ret_height, int64_t *ret_width);
