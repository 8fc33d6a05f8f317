/* RFC 9110's grammar: challenges separated by commas, each a scheme and then either one token68 or parameters
 * name=value that are separated by commas too. So "a token with '=' behind it" is a parameter of the scheme before
 * it, and any other token begins a new scheme. */
#include "registry/challenge.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <strings.h>

#define VALUE_MAX ((size_t)4096)

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t");
}

static const char *skip_token(const char *p)
{
    while (is_token_char(*p))
        p++;
    return p;
}

static const char *skip_token68(const char *p)
{
    while (is_token_char(*p) || *p == '/' || *p == '=')
        p++;
    return p;
}

/* A quoted string from its first quote on; NULL when it does not end or has bytes that no header may have. */
static char *take_quoted(const char **at)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MAX);
    const char *p = *at + 1;
    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return NULL;
        buf_putc(&value, *p);
    }
    if (*p != '"' || buf_failed(&value))
        return NULL;
    *at = p + 1;
    return buf_take(&value);
}

static char *take_value(const char **at)
{
    if (**at == '"')
        return take_quoted(at);
    const char *end = skip_token68(*at); /* a bare URL with ':' is not in the grammar, yet seen */
    while (*end && !strchr(" \t,\"", *end) && (unsigned char)*end > 0x20 && *end != 0x7f)
        end++;
    char *value = xstrndup(*at, (size_t)(end - *at));
    *at = end;
    return value;
}

static void store_param(struct challenge *challenge, const char *name, size_t length, char *value)
{
    const struct {
        const char *name;
        char **slot;
    } rows[] = {
        { "realm", &challenge->realm },
        { "service", &challenge->service },
        { "scope", &challenge->scope },
        { "error", &challenge->error },
        { "error_description", &challenge->error_description },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strlen(rows[i].name) == length && strncasecmp(rows[i].name, name, length) == 0 && !*rows[i].slot) {
            *rows[i].slot = value;
            return;
        }
    }
    free(value);
}

static enum challenge_kind kind_of(const char *name, size_t length)
{
    if (length == 5 && strncasecmp(name, "basic", 5) == 0)
        return CHALLENGE_BASIC;
    return length == 6 && strncasecmp(name, "bearer", 6) == 0 ? CHALLENGE_BEARER : CHALLENGE_OTHER;
}

static struct challenge *add_challenge(struct challenges *challenges, const char *name, size_t length)
{
    if (challenges->count >= CHALLENGES_MAX)
        return NULL;
    challenges->items = xreallocarray(challenges->items, challenges->count + 1, sizeof *challenges->items);
    struct challenge *challenge = &challenges->items[challenges->count++];
    *challenge = (struct challenge){ .kind = kind_of(name, length) };
    return challenge;
}

/* Behind a scheme's name: a token68 is passed over, parameters are left for the caller. */
static const char *skip_credentials(const char *p)
{
    const char *start = skip_space(p), *end = skip_token68(start);
    const char *name_end = skip_token(start);
    bool is_param =
        *skip_space(name_end) == '=' && skip_space(name_end)[1] && !strchr(" \t,=", skip_space(name_end)[1]);
    bool ends = !*skip_space(end) || *skip_space(end) == ',';
    return start > p && end > start && !is_param && ends ? end : p;
}

void challenges_parse(const char *header, struct challenges *challenges)
{
    struct challenge *current = NULL;
    if (strnlen(header, CHALLENGE_HEADER_MAX + 1) > CHALLENGE_HEADER_MAX)
        return;
    for (const char *p = header;;) {
        p += strspn(p, " \t,");
        const char *name = p, *end = skip_token(p);
        if (end == name)
            return;
        p = skip_space(end);
        if (current && *p == '=') {
            p = skip_space(p + 1);
            char *value = take_value(&p);
            if (!value)
                return;
            store_param(current, name, (size_t)(end - name), value);
            continue;
        }
        current = add_challenge(challenges, name, (size_t)(end - name));
        if (!current)
            return;
        p = skip_credentials(end);
    }
}

void challenges_done(struct challenges *challenges)
{
    for (size_t i = 0; i < challenges->count; i++) {
        struct challenge *challenge = &challenges->items[i];
        free(challenge->realm);
        free(challenge->service);
        free(challenge->scope);
        free(challenge->error);
        free(challenge->error_description);
    }
    free(challenges->items);
    *challenges = (struct challenges){ .count = 0 };
}

const struct challenge *challenges_find(const struct challenges *challenges, enum challenge_kind kind)
{
    for (size_t i = 0; i < challenges->count; i++)
        if (challenges->items[i].kind == kind)
            return &challenges->items[i];
    return NULL;
}
