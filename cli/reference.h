/* Names of images as people type them: "busybox", "localhost:5000/a/b:tag", "name@sha256:...". Only what the client
 * needs: is it well formed, which registry is it for, its full and its short form. */
#pragma once
#include "lib/base/err.h"

#include <stdbool.h>

struct reference {
    char *domain; /* "docker.io" */
    char *path;   /* "library/busybox" */
    char *tag;    /* NULL: none */
    char *digest; /* "sha256:...", NULL: none */
};
/* ERR_INVALID "invalid reference format..." as Docker words it. *ret is overwritten; reference_done. */
int reference_parse(const char *text, struct reference *ret, struct err *err);
void reference_done(struct reference *reference);
#define AUTO_REFERENCE __attribute__((cleanup(reference_done)))
void reference_default_tag(struct reference *reference);          /* "latest" when neither tag nor digest */
char *reference_familiar_name(const struct reference *reference); /* "busybox", "localhost:5000/a" */
char *reference_familiar(const struct reference *reference);      /* with tag and digest */
char *reference_full(const struct reference *reference);          /* "docker.io/library/busybox:latest" */
