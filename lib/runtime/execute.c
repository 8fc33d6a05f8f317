#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* A command that is there but cannot be run: the kernel says so only when the container counts as started, so the sentence goes to
 * its stderr, as with Docker. */
#define EXIT_EXEC_FAILED 255

/* 0, or the errno that Go's exec.LookPath would name. *ret_stat_failed: stat itself failed. */
static int check_executable(const char *path, bool *ret_stat_failed)
{
    struct stat st;
    *ret_stat_failed = stat(path, &st) < 0;
    if (*ret_stat_failed)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    if (syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
        return 0;
    return errno == ENOSYS ? ((st.st_mode & 0111) ? 0 : EACCES) : errno;
}

/* The kernel's errors as Go words them: clients compare the whole sentence. */
static const char *error_words(int error)
{
    switch (error) {
    case ENOENT:
        return "no such file or directory";
    case ENOTDIR:
        return "not a directory";
    case EISDIR:
        return "is a directory: permission denied";
    case EACCES:
        return "permission denied";
    case ENAMETOOLONG:
        return "file name too long";
    case ELOOP:
        return "too many levels of symbolic links";
    default:
        return err_strerror(error);
    }
}

static int fail(struct child *child, struct err *err, int error, const char *detail)
{
    child->exit_code = error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    err_set(err, ERR_INVALID, "exec: \"%s\": %s", child->process->argv[0], detail);
    err->sys_errno = error;
    return -1;
}

static int find_by_path(struct child *child, const char *name, struct err *err)
{
    bool stat_failed;
    int error = check_executable(name, &stat_failed);
    char detail[512];
    if (error == 0 && str_copy(child->executable, sizeof child->executable, name))
        return 0;
    if (stat_failed)
        snprintf(detail, sizeof detail, "stat %.400s: %s", name, error_words(error));
    else
        snprintf(detail, sizeof detail, "%s", error_words(error ? error : ENAMETOOLONG));
    return fail(child, err, error, detail);
}

int execute_find(struct child *child, struct err *err)
{
    const char *name = child->process->argv[0], *path = DEFAULT_PATH;
    if (strchr(name, '/'))
        return find_by_path(child, name, err);
    for (size_t i = 0; child->env[i]; i++)
        if (str_starts(child->env[i], "PATH="))
            path = child->env[i] + 5;
    while (*name && *path) {
        size_t length = strcspn(path, ":");
        bool stat_failed;
        int n = snprintf(child->executable, sizeof child->executable, "%.*s%s%s", (int)length, path, length ? "/" : "./", name);
        if (n > 0 && (size_t)n < sizeof child->executable && check_executable(child->executable, &stat_failed) == 0)
            return 0;
        path += length + (path[length] == ':');
    }
    return fail(child, err, ENOENT, "executable file not found in $PATH");
}

static _Noreturn void exec_now(struct child *child)
{
    /* raw, because libc's prototype lacks the const that the kernel honours */
    syscall(SYS_execve, child->executable, child->process->argv, child->env);
    dprintf(2, "exec %s: %s\n", child->executable, err_strerror(errno));
    _exit(EXIT_EXEC_FAILED);
}

_Noreturn void execute(struct child *child)
{
    if (sys_close_range_cloexec(3) < 0)
        _exit(EXIT_ENGINE);
    if (child->is_exec || !child->plan->init)
        exec_now(child);
    int title_fd = child->proc_fd;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL); /* no signal may be lost between here and the loop */
    pid_t payload = fork(); /* not clone3: the filter that is loaded by now refuses it */
    if (payload != 0)
        init_loop(payload, child->process->argv, title_fd);
    (void)setpgid(0, 0);
    (void)tcsetpgrp(0, getpid()); /* SIGTTOU is blocked; without a terminal it does nothing */
    sigprocmask(SIG_SETMASK, &none, NULL);
    exec_now(child);
}
