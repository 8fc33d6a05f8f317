/* The one error value: a kind, an errno, a sentence with its chain of context. Plain data of fixed
 * size: it needs no freeing, crosses a pipe as bytes, and can be made after a failed malloc.
 *
 * Functions return 0 or -1 and fill the caller's struct err (last parameter, never NULL). A zeroed
 * value means "no error". Helpers over single syscalls (fd.h, io.h, lib/sys) return -errno instead.
 * errno never chooses the kind: only the place that knows a thing is a 404 says ERR_NOT_FOUND. */
#pragma once
#include <stdarg.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_INTERNAL,     /* 500 */
    ERR_INVALID,      /* 400 */
    ERR_UNAUTHORIZED, /* 401 */
    ERR_FORBIDDEN,    /* 403 */
    ERR_NOT_FOUND,    /* 404 */
    ERR_CONFLICT,     /* 409 */
    ERR_NOT_MODIFIED, /* 304 */
    ERR_UNSUPPORTED,  /* 501 */
    ERR_UNAVAILABLE,  /* 503 */
    ERR_CANCELLED,    /* the client left or the daemon stops; nobody reads the answer */
};

struct err {
    enum err_kind kind;
    int sys_errno; /* 0 when no syscall failed */
    char text[1024];
};

#define ERR_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Each returns -1, so that `return err_set(...)` reads well. Text longer than the field is cut. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...) ERR_PRINTF(3, 4);
/* kind INTERNAL, text "<formatted>: <strerror(sys_errno)>". sys_errno may be negative. */
int err_sys(struct err *err, int sys_errno, const char *format, ...) ERR_PRINTF(3, 4);
/* Puts "<formatted>: " in front of the text; keeps kind and errno. */
int err_wrap(struct err *err, const char *format, ...) ERR_PRINTF(2, 3);
void err_clear(struct err *err);
/* "internal", "invalid", ... for logs. */
const char *err_kind_name(enum err_kind kind);
/* Thread-safe strerror; never NULL. Same words on glibc and musl for the errnos that a user meets, in lower case like the words that
 * Docker's clients look for ("permission denied", "no such file or directory"). */
const char *err_strerror(int sys_errno);
