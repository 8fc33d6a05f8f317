/* Image references, as Docker reads and prints them. The canonical form is domain/path[:tag][@digest]; the
 * familiar form leaves out docker.io/ and library/. Parsing normalises: "alpine" becomes
 * docker.io/library/alpine with no tag (reference_tag_default adds "latest").
 *
 * The grammar and its limits (name of at most 255 bytes, tag of at most 128) and the sentences of the errors
 * are those clients know: "invalid reference format", "invalid reference format: repository name (x) must be
 * lowercase", "invalid repository name (<64 hex>), cannot specify 64-byte hexadecimal strings". */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>

struct reference {
    char *domain; /* "docker.io", "localhost:5000", "[::1]:5000" */
    char *path;   /* "library/alpine" */
    char *tag;    /* NULL = none */
    char *digest; /* NULL = none */
};
#define REFERENCE_DEFAULT_DOMAIN "docker.io"
#define REFERENCE_DEFAULT_TAG "latest"
#define AUTO_REFERENCE __attribute__((cleanup(reference_clear)))

/* Normalising. *ret is overwritten; on failure it is cleared. */
int reference_parse(const char *text, struct reference *ret, struct err *err);
/* Also takes a bare image id: when text is 64 hex digits or a "sha256:..." digest alone, *ret_id is set (owned)
 * and ret stays empty; otherwise *ret_id is NULL. */
int reference_parse_any(const char *text, struct reference *ret, char **ret_id, struct err *err);
/* Replace the tag or digest; ERR_INVALID "invalid tag format", "invalid digest format", and ref stays as it was. */
int reference_with_tag(struct reference *ref, const char *tag, struct err *err);
int reference_with_digest(struct reference *ref, const char *digest, struct err *err);
void reference_tag_default(struct reference *ref); /* adds :latest when there is neither tag nor digest */
void reference_clear(struct reference *ref);
void reference_copy(struct reference *dst, const struct reference *src); /* dst overwritten without clearing */
bool reference_equal(const struct reference *a, const struct reference *b);

bool reference_tag_valid(const char *tag);
/* All owned by the caller. */
char *reference_string(const struct reference *ref);          /* docker.io/library/alpine:3.20 */
char *reference_name(const struct reference *ref);            /* docker.io/library/alpine */
char *reference_familiar_string(const struct reference *ref); /* alpine:3.20 */
char *reference_familiar_name(const struct reference *ref);   /* alpine */
/* Does a pattern of `docker images` ("alp*", "repo/al?ine:tag") match the familiar name or string? As path.Match.
 * ERR_INVALID "syntax error in pattern". */
int reference_familiar_match(const char *pattern, const struct reference *ref, bool *ret, struct err *err);
