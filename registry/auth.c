#include "registry/auth.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include "registry/challenge.h"
#include "registry/refusal.h"

#include <stdio.h>

#define TOKEN_LIFE_SECONDS 60 /* when the server says nothing */
#define TOKEN_MARGIN_SECONDS 10
#define TOKEN_ANSWER_MAX ((size_t)1 << 20)
#define CLIENT_ID "docker" /* what token servers of Docker registries expect */

struct token {
    char *base, *scope, *text;
    int64_t expires_ns; /* monotonic */
};
struct auth {
    struct http *http;
    struct job_auth given;
    char *basic_base; /* the endpoint that has asked for Basic */
    struct token *tokens;
    size_t token_count;
};

struct token_answer {
    char *token, *access_token, *refresh_token;
    int64_t expires_in;
};
static const struct codec_field token_answer_fields[] = {
    F_STR(struct token_answer, token, "token", 0),
    F_STR(struct token_answer, access_token, "access_token", 0),
    F_STR(struct token_answer, refresh_token, "refresh_token", 0),
    F_I64(struct token_answer, expires_in, "expires_in", 0),
    F_END,
};
static const struct codec_type token_answer_type = {
    .name = "token_answer",
    .size = sizeof(struct token_answer),
    .fields = token_answer_fields,
};

struct auth *auth_new(struct http *http, const struct job_auth *given)
{
    struct auth *auth = xcalloc(1, sizeof *auth);
    auth->http = http;
    codec_copy(&job_auth_type, &auth->given, given);
    return auth;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void token_done(struct token *token)
{
    free(token->base);
    free(token->scope);
    wipe(token->text);
}

void auth_free(struct auth *auth)
{
    for (size_t i = 0; i < auth->token_count; i++)
        token_done(&auth->tokens[i]);
    free(auth->tokens);
    free(auth->basic_base);
    char *const secrets[] = { auth->given.password, auth->given.identity_token, auth->given.registry_token };
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
        if (secrets[i])
            explicit_bzero(secrets[i], strlen(secrets[i]));
    codec_clear(&job_auth_type, &auth->given);
    free(auth);
}

bool auth_has_user(const struct auth *auth)
{
    return !str_empty(auth->given.username);
}

static char *basic_value(const struct auth *auth)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    char *pair = str_format("%s:%s", auth->given.username, auth->given.password ? auth->given.password : "");
    size_t length = strlen(pair);
    buf_puts(&out, "Basic ");
    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = 0, have = (unsigned)MIN(length - i, 3);
        for (unsigned k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (unsigned char)pair[i + k] : 0);
        for (unsigned k = 0; k < 4; k++)
            buf_putc(&out, k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
    wipe(pair);
    return buf_take(&out);
}

static struct token *find_token(struct auth *auth, const char *base, const char *scope)
{
    for (size_t i = 0; i < auth->token_count; i++)
        if (str_eq(auth->tokens[i].base, base) && str_eq(auth->tokens[i].scope, scope))
            return &auth->tokens[i];
    return NULL;
}

static char *auth_header(void *arg, const struct endpoint *endpoint, const char *scope)
{
    struct auth *auth = arg;
    if (endpoint->mirror && !find_token(auth, endpoint->base, scope))
        return NULL;
    if (!endpoint->mirror && !str_empty(auth->given.registry_token))
        return str_format("Bearer %s", auth->given.registry_token);
    const struct token *token = find_token(auth, endpoint->base, scope);
    if (token && token->expires_ns > time_monotonic_ns())
        return str_format("Bearer %s", token->text);
    if (str_eq(auth->basic_base, endpoint->base) && auth_has_user(auth))
        return basic_value(auth);
    return NULL;
}

/* ---- bearer tokens ---- */

int auth_check_realm(const struct endpoint *endpoint, const struct url *realm, struct err *err)
{
    AUTO_URL struct url home = URL_INIT;
    if (url_is_https(realm))
        return 0;
    if (endpoint->https)
        return err_set(err, ERR_FORBIDDEN,
                       "refused to ask %s for a token: the registry speaks https, its token server only http",
                       realm->host);
    if (url_parse(endpoint->base, &home, err) < 0)
        return -1;
    if (!url_same_host(&home, realm))
        return err_set(err, ERR_FORBIDDEN,
                       "refused to ask %s for a token: it speaks only http and is not the registry's own host",
                       realm->host);
    return 0;
}

/* One "scope" per blank-separated word. */
static void put_scopes(struct buf *out, const char *scope)
{
    CLEANUP(strv_free) char **scopes = strv_split(scope, ' ', true);
    for (size_t i = 0; scopes[i]; i++) {
        AUTO_FREE char *escaped = url_escape(scopes[i]);
        buf_printf(out, "&scope=%s", escaped);
    }
}

static void put_field(struct buf *out, const char *name, const char *value)
{
    char *escaped = url_escape(value);
    buf_printf(out, "%s%s=%s", out->length ? "&" : "", name, escaped);
    wipe(escaped);
}

/* OAuth2 by an identity token: everything in the form, nothing in the URL. */
static int ask_by_identity(struct auth *auth, struct exchange *exchange, const struct url *realm,
                           const struct challenge *challenge, const char *scope, struct err *err)
{
    AUTO_BUF struct buf form = BUF_INIT(BUF_TEXT_MAX);
    put_field(&form, "grant_type", "refresh_token");
    put_field(&form, "service", challenge->service ? challenge->service : "");
    put_field(&form, "client_id", CLIENT_ID);
    put_field(&form, "refresh_token", auth->given.identity_token);
    put_scopes(&form, scope);
    exchange->method = "POST";
    exchange->url = xstrdup(realm->text);
    strv_append(&exchange->headers, "Content-Type: application/x-www-form-urlencoded");
    exchange->body = form.data;
    exchange->body_length = form.length;
    int r = http_do_alone(auth->http, exchange, err);
    explicit_bzero(form.data, form.length);
    return r;
}

static int ask_by_name(struct auth *auth, struct exchange *exchange, const struct endpoint *endpoint,
                       const struct url *realm, const struct challenge *challenge, const char *scope, bool offline,
                       struct err *err)
{
    AUTO_BUF struct buf query = BUF_INIT(BUF_TEXT_MAX);
    bool named = auth_has_user(auth) && !endpoint->mirror;
    if (named)
        put_field(&query, "account", auth->given.username);
    if (offline) {
        put_field(&query, "client_id", CLIENT_ID);
        put_field(&query, "offline_token", "true");
    }
    if (challenge->service)
        put_field(&query, "service", challenge->service);
    put_scopes(&query, scope);
    const char *text = query.length ? query.data + (*query.data == '&') : "";
    exchange->method = "GET";
    exchange->url = str_format("%s%s%s", realm->text, *text ? strchr(realm->text, '?') ? "&" : "?" : "", text);
    if (named) {
        char *value = basic_value(auth);
        strv_append_take(&exchange->headers, str_format("Authorization: %s", value));
        wipe(value);
    }
    return http_do_alone(auth->http, exchange, err);
}

static void keep_token(struct auth *auth, const struct endpoint *endpoint, const char *scope, char *text,
                       int64_t seconds)
{
    struct token *token = find_token(auth, endpoint->base, scope);
    if (token) {
        token_done(token);
    } else {
        auth->tokens = xreallocarray(auth->tokens, auth->token_count + 1, sizeof *auth->tokens);
        token = &auth->tokens[auth->token_count++];
    }
    int64_t life = seconds > 0 && seconds < 366 * 86400 ? seconds : TOKEN_LIFE_SECONDS;
    life = life > 2 * TOKEN_MARGIN_SECONDS ? life - TOKEN_MARGIN_SECONDS : life;
    *token = (struct token){ .base = xstrdup(endpoint->base),
                             .scope = xstrdup(scope),
                             .text = text,
                             .expires_ns = time_monotonic_ns() + life * NANOS_PER_SECOND };
}

/* A header value: no control characters, or it would become another header. */
static bool is_sendable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static int take_answer(struct auth *auth, const struct endpoint *endpoint, const char *scope,
                       const struct exchange *exchange, char **ret_identity, struct err *err)
{
    struct token_answer answer;
    if (exchange->status < 200 || exchange->status >= 300)
        return refusal_err(exchange, NULL, err);
    if (codec_decode(&token_answer_type, exchange->kept.length ? exchange->kept.data : "", exchange->kept.length,
                     &answer, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "unable to decode token response");
    }
    char **slot = str_empty(answer.token) ? &answer.access_token : &answer.token;
    int r = 0;
    if (str_empty(*slot) || !is_sendable(*slot))
        r = err_set(err, ERR_INTERNAL, "authorization server did not include a token in the response");
    else
        keep_token(auth, endpoint, scope, take_ptr(slot), answer.expires_in);
    if (r == 0 && ret_identity)
        *ret_identity = take_ptr(&answer.refresh_token);
    codec_clear(&token_answer_type, &answer);
    return r;
}

static int fetch_token(struct auth *auth, const struct endpoint *endpoint, const struct challenge *challenge,
                       const char *scope, char **ret_identity, struct err *err)
{
    AUTO_URL struct url realm = URL_INIT;
    AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
    if (!challenge->realm)
        return err_set(err, ERR_INTERNAL, "no realm specified for token auth challenge");
    if (url_parse(challenge->realm, &realm, err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "invalid token auth challenge realm");
    }
    if (auth_check_realm(endpoint, &realm, err) < 0)
        return -1;
    exchange.endpoint = endpoint; /* its rules of TLS; no scope, so none of its credentials */
    exchange.keep_max = TOKEN_ANSWER_MAX;
    bool by_identity = !str_empty(auth->given.identity_token) && !endpoint->mirror;
    int r = by_identity ? ask_by_identity(auth, &exchange, &realm, challenge, scope, err)
                        : ask_by_name(auth, &exchange, endpoint, &realm, challenge, scope, ret_identity != NULL, err);
    return r < 0 ? -1 : take_answer(auth, endpoint, scope, &exchange, ret_identity, err);
}

/* ---- what a 401 leads to ---- */

static int meet(struct auth *auth, const struct endpoint *endpoint, const char *scope, const struct exchange *answer,
                char **ret_identity, struct err *err)
{
    struct challenges challenges = { .count = 0 };
    if (answer->authenticate)
        challenges_parse(answer->authenticate, &challenges);
    const struct challenge *bearer = challenges_find(&challenges, CHALLENGE_BEARER);
    const struct challenge *basic = challenges_find(&challenges, CHALLENGE_BASIC);
    int r = 0;
    if (!endpoint->mirror && !str_empty(auth->given.registry_token)) {
        r = 0; /* it was sent and was not enough */
    } else if (bearer) {
        const struct token *had = find_token(auth, endpoint->base, scope);
        bool fresh = had && had->expires_ns > time_monotonic_ns();
        if (fresh && !answer->authorized)
            r = 1; /* another exchange has fetched it meanwhile */
        else if (!fresh || answer->challenges <= 1)
            r = fetch_token(auth, endpoint, bearer, scope, ret_identity, err) < 0 ? -1 : 1;
    } else if (basic) {
        if (!auth_has_user(auth) || endpoint->mirror)
            r = err_set(err, ERR_INTERNAL, "no basic auth credentials");
        else if (!answer->authorized) {
            free(auth->basic_base);
            auth->basic_base = xstrdup(endpoint->base);
            r = 1;
        }
    }
    challenges_done(&challenges);
    return r;
}

static int auth_challenged(void *arg, const struct endpoint *endpoint, const char *scope, const struct exchange *answer,
                           struct err *err)
{
    return meet(arg, endpoint, scope, answer, NULL, err);
}

struct http_auth auth_handler(struct auth *auth)
{
    return (struct http_auth){ .arg = auth, .header = auth_header, .challenged = auth_challenged };
}

int auth_login(struct auth *auth, const struct endpoint *endpoint, const struct exchange *answer, char **ret_identity,
               struct err *err)
{
    *ret_identity = NULL;
    return meet(auth, endpoint, "", answer, ret_identity, err) < 0 ? -1 : 0;
}
