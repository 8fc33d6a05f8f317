#include "lib/base/fd.h"
#include "lib/base/root.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static bool on_devpts(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == SYS_MAGIC_DEVPTS;
}

/* The directory of the container's devpts: at the start we hold its mount; an exec finds it by name and verifies it. */
static int open_pts(struct child *child, struct err *err)
{
    if (child->pts_fd < 0 && child->is_exec)
        child->pts_fd = root_open(child->root_fd, "/dev/pts", O_PATH | O_DIRECTORY, 0);
    if (child->pts_fd < 0 || !on_devpts(child->pts_fd))
        return err_set(err, ERR_INVALID, "a terminal needs a devpts at /dev/pts");
    return 0;
}

int tty_open(struct child *child, struct err *err)
{
    if (open_pts(child, err) < 0)
        return -1;
    AUTO_FD int master = openat(child->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    int unlock = 0;
    if (master < 0 || fstat(master, &st) < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return err_sys(err, errno, "open a pseudo terminal");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || !on_devpts(master))
        return err_set(err, ERR_INVALID, "/dev/pts/ptmx is no pseudo terminal");
    child->tty_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (child->tty_slave < 0)
        return err_sys(err, errno, "open the terminal");
    if (!on_devpts(child->tty_slave) || fstat(child->tty_slave, &st) < 0 || !S_ISCHR(st.st_mode))
        return err_set(err, ERR_INVALID, "the terminal is not on devpts");
    if (child->process->tty_cols && child->process->tty_rows) {
        struct winsize size = { .ws_col = (unsigned short)child->process->tty_cols,
                                .ws_row = (unsigned short)child->process->tty_rows };
        (void)ioctl(master, TIOCSWINSZ, &size);
    }
    int r = sync_send(child->sync_fd, SYNC_TTY, 0, NULL, master);
    return r < 0 ? err_sys(err, r, "hand over the terminal") : 0;
}

static int open_null(struct child *child)
{
    int fd = child->scratch_fd >= 0 ? openat(child->scratch_fd, "null", O_RDWR | O_CLOEXEC)
                                    : root_open(child->root_fd, "/dev/null", O_RDWR | O_NOCTTY, 0);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))) {
        fd_close(fd);
        errno = ENODEV;
        return -1;
    }
    return fd;
}

int tty_and_stdio(struct child *child, struct err *err)
{
    if (setsid() < 0 && errno != EPERM)
        return err_sys(err, errno, "make a session");
    if (child->process->tty && child->tty_slave < 0 && tty_open(child, err) < 0)
        return -1;
    if (child->process->tty && ioctl(child->tty_slave, TIOCSCTTY, 0) < 0)
        return err_sys(err, errno, "take the terminal");
    const int from[3] = { child->stdio.stdin_fd, child->stdio.stdout_fd, child->stdio.stderr_fd };
    for (int i = 0; i < 3; i++) {
        AUTO_FD int null_fd = -1;
        int fd = child->process->tty ? child->tty_slave : from[i];
        if (fd < 0)
            fd = null_fd = open_null(child);
        if (fd < 0 || (fd == i ? fd_set_cloexec(fd, false) < 0 : dup2(fd, i) < 0))
            return err_sys(err, errno, "set up standard stream %d", i);
    }
    return 0;
}
