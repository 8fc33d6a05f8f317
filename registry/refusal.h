/* Answers that are refusals: {"errors":[{"code":...,"message":...}]} of the Distribution API, or less. */
#pragma once
#include "registry/http.h"

struct refusal {
    char code[48]; /* "MANIFEST_UNKNOWN"; "" when the registry said nothing of the kind (5xx) */
    char message[512];
};
/* Fills err, and *ret when not NULL, from an answer that is not a 2xx; always -1. Texts as Docker prints them:
 * "manifest unknown: manifest unknown", "received unexpected HTTP status: 500 Internal Server Error". */
int refusal_err(const struct exchange *exchange, struct refusal *ret, struct err *err);
/* What a pull says instead, when it knows better what is missing: "manifest for X not found: ...", "pull access denied
 * for X, ..."; always -1. name: familiar, without tag; full: with it. */
int refusal_pull_err(const struct refusal *refusal, const char *name, const char *full, struct err *err);
