#include "cli/terminal.h"
#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is(int fd)
{
    return fd >= 0 && isatty(fd);
}

void terminal_make_raw(struct terminal *terminal, int fd)
{
    if (!terminal_is(fd) || tcgetattr(fd, &terminal->before) < 0)
        return;
    struct termios raw = terminal->before;
    cfmakeraw(&raw);
    terminal->fd = fd;
    terminal->raw = tcsetattr(fd, TCSANOW, &raw) == 0;
}

void terminal_restore(struct terminal *terminal)
{
    if (terminal->raw)
        (void)tcsetattr(terminal->fd, TCSANOW, &terminal->before);
    terminal->raw = false;
}

void terminal_size(int fd, int64_t *ret_height, int64_t *ret_width)
{
    struct winsize size = { 0 };
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){ 0 };
    *ret_height = size.ws_row;
    *ret_width = size.ws_col;
}
