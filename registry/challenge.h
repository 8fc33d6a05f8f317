/* WWW-Authenticate headers of registries: the schemes Basic and Bearer with what we use of their parameters. The
 * text is a stranger's: whatever is not understood is left out, nothing is an error. */
#pragma once
#include <stddef.h>

enum challenge_kind { CHALLENGE_OTHER = 0, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
    enum challenge_kind kind;
    char *realm, *service, *scope, *error, *error_description; /* NULL = not given */
};
struct challenges {
    struct challenge *items;
    size_t count;
};
#define CHALLENGE_HEADER_MAX ((size_t)8192) /* longer headers are not looked at */
#define CHALLENGES_MAX 16

/* Appends what one header line says. */
void challenges_parse(const char *header, struct challenges *challenges);
void challenges_done(struct challenges *challenges);
/* The first of a kind or NULL. */
const struct challenge *challenges_find(const struct challenges *challenges, enum challenge_kind kind);
