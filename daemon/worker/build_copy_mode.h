/* What --chmod does: "0755", or chmod(1)'s symbolic form "u=rwX,go=rX" (without a umask). */
#pragma once
#include "lib/base/err.h"
#include <stddef.h>
#include <sys/stat.h>

#define MODE_CLAUSES_MAX 32
struct mode_clause {
    mode_t who;         /* 07000 | 0777 of those who are meant */
    char how;           /* '+' '-' '=' */
    mode_t bits;        /* for everybody, cut to who later */
    char copy_from;     /* 'u' 'g' 'o', or 0 */
    unsigned execute_if_any : 1; /* X */
};
struct mode_change {
    size_t count; /* 0: nothing changes */
    struct mode_clause clauses[MODE_CLAUSES_MAX];
};
/* "" changes nothing. ERR_INVALID in Docker's words. */
int mode_change_parse(const char *text, struct mode_change *ret, struct err *err);
/* st_mode in, permission bits out. */
mode_t mode_change_apply(const struct mode_change *change, mode_t mode);
/* The permission bits of an octal text, else -1. */
int mode_change_octal(const struct mode_change *change);
