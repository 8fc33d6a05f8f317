#include "registry/refusal.h"

#include "lib/base/str.h"
#include "lib/json/value.h"
#include "registry/challenge.h"

#include <stdio.h>

static const struct refusal_row {
    const char *code;
    enum err_kind kind;
    const char *message; /* when the registry gives none */
} rows[] = {
    { "UNAUTHORIZED", ERR_UNAUTHORIZED, "authentication required" },
    { "DENIED", ERR_FORBIDDEN, "requested access to the resource is denied" },
    { "TOOMANYREQUESTS", ERR_UNAVAILABLE, "too many requests" },
    { "MANIFEST_UNKNOWN", ERR_NOT_FOUND, "manifest unknown" },
    { "NAME_UNKNOWN", ERR_NOT_FOUND, "repository name not known to registry" },
    { "BLOB_UNKNOWN", ERR_NOT_FOUND, "blob unknown to registry" },
    { "NAME_INVALID", ERR_INVALID, "invalid repository name" },
    { "TAG_INVALID", ERR_INVALID, "manifest tag did not match URI" },
    { "MANIFEST_INVALID", ERR_INVALID, "manifest invalid" },
    { "UNAVAILABLE", ERR_UNAVAILABLE, "service unavailable" },
};

static const struct refusal_row *row_of(const char *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_eq(rows[i].code, code))
            return &rows[i];
    return NULL;
}

static void set_text(char *dst, size_t size, const char *text)
{
    str_copy(dst, size, text ? text : "");
    for (char *c = dst; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

/* RFC 6750: the challenge of a bearer token may say why. */
static bool from_challenge(const struct exchange *exchange, struct refusal *ret)
{
    struct challenges challenges = { .count = 0 };
    if (exchange->authenticate)
        challenges_parse(exchange->authenticate, &challenges);
    const struct challenge *bearer = challenges_find(&challenges, CHALLENGE_BEARER);
    const char *why = bearer ? bearer->error : NULL;
    bool known = str_eq(why, "invalid_token") || str_eq(why, "insufficient_scope");
    if (known) {
        str_copy(ret->code, sizeof ret->code, str_eq(why, "invalid_token") ? "UNAUTHORIZED" : "DENIED");
        set_text(ret->message, sizeof ret->message, bearer->error_description);
    }
    challenges_done(&challenges);
    return known;
}

static bool from_json(const struct exchange *exchange, struct refusal *ret)
{
    CLEANUP(json_free) struct json *json = NULL;
    struct err ignored = { 0 };
    if (!exchange->kept.length || json_parse(exchange->kept.data, exchange->kept.length, &json, &ignored) < 0)
        return false;
    const struct json *first = json_at(json_get(json, "errors"), 0);
    const char *code = json_text(json_get(first, "code"));
    const char *details = json_text(json_get(json, "details"));
    if (code) {
        set_text(ret->code, sizeof ret->code, code);
        set_text(ret->message, sizeof ret->message, json_text(json_get(first, "message")));
        return true;
    }
    set_text(ret->message, sizeof ret->message, details);
    return false;
}

static void from_status(const struct exchange *exchange, struct refusal *ret)
{
    char text[sizeof ret->message] = "";
    bool is_json = exchange->content_type && strstr(exchange->content_type, "json");
    if (!ret->message[0] && !is_json && exchange->kept.length)
        set_text(text, MIN(sizeof text, exchange->kept.length + 1), exchange->kept.data);
    if (!ret->message[0])
        str_copy(ret->message, sizeof ret->message, str_trim(text));
    const char *code = exchange->status == 401   ? "UNAUTHORIZED"
                       : exchange->status == 403 ? "DENIED"
                       : exchange->status == 429 ? "TOOMANYREQUESTS"
                                                 : "UNKNOWN";
    str_copy(ret->code, sizeof ret->code, code);
}

/* "MANIFEST_UNKNOWN" -> "manifest unknown" */
static void code_words(const char *code, char ret[48])
{
    str_copy(ret, 48, code);
    str_lower(ret);
    for (char *c = ret; *c; c++)
        if (*c == '_')
            *c = ' ';
}

static void refusal_text(const struct refusal *refusal, char *ret, size_t size)
{
    char words[48];
    code_words(refusal->code, words);
    (void)snprintf(ret, size, refusal->message[0] ? "%s: %s" : "%s%s", words, refusal->message);
}

int refusal_err(const struct exchange *exchange, struct refusal *ret, struct err *err)
{
    struct refusal refusal = { .code = "" };
    char text[sizeof refusal.code + sizeof refusal.message + 2];
    if (exchange->status < 400 || exchange->status >= 500) {
        if (ret)
            *ret = refusal;
        return err_set(err, ERR_INTERNAL, "received unexpected HTTP status: %s", exchange->reason);
    }
    if (!from_challenge(exchange, &refusal) && !from_json(exchange, &refusal))
        from_status(exchange, &refusal);
    const struct refusal_row *row = row_of(refusal.code);
    if (row && !refusal.message[0])
        str_copy(refusal.message, sizeof refusal.message, row->message);
    if (ret)
        *ret = refusal;
    refusal_text(&refusal, text, sizeof text);
    return err_set(err, row ? row->kind : ERR_INTERNAL, "%s", text);
}

int refusal_pull_err(const struct refusal *refusal, const char *name, const char *full, struct err *err)
{
    char text[sizeof refusal->code + sizeof refusal->message + 2];
    refusal_text(refusal, text, sizeof text);
    if (str_eq(refusal->code, "DENIED"))
        return err_set(err, ERR_NOT_FOUND,
                       "pull access denied for %s, repository does not exist or may require 'docker login': %s", name,
                       text);
    if (str_eq(refusal->code, "MANIFEST_UNKNOWN"))
        return err_set(err, ERR_NOT_FOUND, "manifest for %s not found: %s", full, text);
    if (str_eq(refusal->code, "NAME_UNKNOWN"))
        return err_set(err, ERR_NOT_FOUND, "repository %s not found: %s", name, text);
    return -1; /* err stays as refusal_err left it */
}
