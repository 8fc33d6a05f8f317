#include "lib/oci/reference.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/oci/digest.h"
#include "lib/oci/pattern.h"
#include <ctype.h>
#include <string.h>

#define LEGACY_DEFAULT_DOMAIN "index.docker.io"
#define OFFICIAL_PREFIX "library/"
#define PATH_MAX_LENGTH 255
#define TAG_MAX_LENGTH 128
#define DIGEST_MIN_DIGITS 32

static bool ascii_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || ascii_digit(c);
}

static bool has_upper(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            return true;
    return false;
}

/* ":123" up to the end of the text. */
static bool port_valid(const char *text)
{
    if (*text++ != ':' || !*text)
        return false;
    while (ascii_digit(*text))
        text++;
    return !*text;
}

static bool ipv6_domain_valid(const char *text)
{
    const char *p = text + 1;
    while (isxdigit((unsigned char)*p) || *p == ':')
        p++;
    return p > text + 1 && *p == ']' && (!p[1] || port_valid(p + 1));
}

/* Labels of letters, digits and inner dashes, joined by points; then perhaps a port. */
static bool domain_valid(const char *text)
{
    if (*text == '[')
        return ipv6_domain_valid(text);
    char previous = '.';
    for (; *text && *text != ':'; previous = *text++) {
        bool inner = ascii_alnum(previous) || previous == '-';
        if (ascii_alnum(*text) || (*text == '-' && inner) || (*text == '.' && ascii_alnum(previous)))
            continue;
        return false;
    }
    return ascii_alnum(previous) && (!*text || port_valid(text));
}

/* The length of one separator within a path component ("." "_" "__" or dashes), 0 for none. */
static size_t separator_length(const char *text)
{
    if (*text == '.')
        return 1;
    if (*text == '_')
        return text[1] == '_' ? 2 : 1;
    return strspn(text, "-");
}

static bool path_valid(const char *text)
{
    for (;;) {
        if (!lower_alnum(*text))
            return false;
        while (lower_alnum(*text))
            text++;
        if (!*text)
            return true;
        size_t separator = *text == '/' ? 1 : separator_length(text);
        if (!separator)
            return false;
        text += separator;
    }
}

bool reference_tag_valid(const char *tag)
{
    if (!tag || !(ascii_alnum(*tag) || *tag == '_') || strlen(tag) > TAG_MAX_LENGTH)
        return false;
    while (ascii_alnum(*tag) || *tag == '_' || *tag == '.' || *tag == '-')
        tag++;
    return !*tag;
}

/* The looser grammar of a digest inside a reference: what fails here is no reference at all; what passes may
 * still be a wrong digest, which gets its own sentence. */
static bool digest_shaped(const char *text)
{
    char previous = '.';
    for (; *text && *text != ':'; previous = *text++) {
        bool starts = !ascii_alnum(previous);
        bool letter = ascii_alnum(*text) && !ascii_digit(*text);
        if (letter || (ascii_digit(*text) && !starts) || (!starts && strchr("-_+.", *text)))
            continue;
        return false;
    }
    if (*text != ':' || !ascii_alnum(previous))
        return false;
    size_t digits = strspn(text + 1, "0123456789abcdefABCDEF");
    return digits >= DIGEST_MIN_DIGITS && !text[1 + digits];
}

void reference_clear(struct reference *ref)
{
    free(ref->domain);
    free(ref->path);
    free(ref->tag);
    free(ref->digest);
    *ref = (struct reference){0};
}

/* The first component is a domain when it looks like a host: a point, a colon, an upper-case letter, "localhost". */
static void split_domain(const char *text, char **ret_domain, char **ret_rest)
{
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : 0;
    AUTO_FREE char *first = xstrndup(text, length);
    if (slash && (strpbrk(first, ".:") || str_eq(first, "localhost") || has_upper(first, length))) {
        *ret_domain = take_ptr(&first);
        *ret_rest = xstrdup(slash + 1);
    } else {
        *ret_domain = xstrdup(REFERENCE_DEFAULT_DOMAIN);
        *ret_rest = xstrdup(text);
    }
    if (str_eq(*ret_domain, LEGACY_DEFAULT_DOMAIN)) {
        free(*ret_domain);
        *ret_domain = xstrdup(REFERENCE_DEFAULT_DOMAIN);
    }
    if (str_eq(*ret_domain, REFERENCE_DEFAULT_DOMAIN) && !strchr(*ret_rest, '/')) {
        char *official = str_format(OFFICIAL_PREFIX "%s", *ret_rest);
        free(*ret_rest);
        *ret_rest = official;
    }
}

/* rest is "path[:tag][@digest]" and is cut up in place. */
static int parse_rest(char *rest, struct reference *ret, struct err *err)
{
    char *at = strchr(rest, '@');
    if (at)
        *at++ = '\0';
    char *colon = strchr(rest, ':');
    if (colon)
        *colon++ = '\0';
    if (!domain_valid(ret->domain) || !path_valid(rest) || (colon && !reference_tag_valid(colon)) ||
        (at && !digest_shaped(at)))
        return err_set(err, ERR_INVALID, "invalid reference format");
    if (strlen(rest) > PATH_MAX_LENGTH)
        return err_set(err, ERR_INVALID, "repository name must not be more than %d characters", PATH_MAX_LENGTH);
    if (at && digest_validate(at, err) < 0)
        return -1;
    ret->path = xstrdup(rest);
    ret->tag = xstrdup(colon);
    ret->digest = xstrdup(at);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
    *ret = (struct reference){0};
    if (!text)
        text = "";
    if (str_is_hex(text, 64))
        return err_set(err, ERR_INVALID,
            "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
    AUTO_FREE char *rest = NULL;
    split_domain(text, &ret->domain, &rest);
    size_t name_length = strcspn(rest, ":");
    int result;
    if (has_upper(rest, name_length))
        result = err_set(err, ERR_INVALID, "invalid reference format: repository name (%.*s) must be lowercase",
            (int)MIN(name_length, (size_t)512), rest);
    else
        result = parse_rest(rest, ret, err);
    if (result < 0)
        reference_clear(ret);
    return result;
}

int reference_parse_any(const char *text, struct reference *ret, char **ret_id, struct err *err)
{
    *ret = (struct reference){0};
    *ret_id = NULL;
    if (text && str_is_hex(text, 64)) {
        *ret_id = str_format("sha256:%s", text);
        return 0;
    }
    if (text && digest_valid(text)) {
        *ret_id = xstrdup(text);
        return 0;
    }
    return reference_parse(text, ret, err);
}

int reference_with_tag(struct reference *ref, const char *tag, struct err *err)
{
    if (tag && !reference_tag_valid(tag))
        return err_set(err, ERR_INVALID, "invalid tag format");
    char *copy = xstrdup(tag);
    free(ref->tag);
    ref->tag = copy;
    return 0;
}

int reference_with_digest(struct reference *ref, const char *digest, struct err *err)
{
    if (digest && !digest_valid(digest))
        return err_set(err, ERR_INVALID, "invalid digest format");
    char *copy = xstrdup(digest);
    free(ref->digest);
    ref->digest = copy;
    return 0;
}

void reference_tag_default(struct reference *ref)
{
    if (!ref->tag && !ref->digest)
        ref->tag = xstrdup(REFERENCE_DEFAULT_TAG);
}

void reference_copy(struct reference *dst, const struct reference *src)
{
    *dst = (struct reference){.domain = xstrdup(src->domain), .path = xstrdup(src->path), .tag = xstrdup(src->tag),
        .digest = xstrdup(src->digest)};
}

bool reference_equal(const struct reference *a, const struct reference *b)
{
    return str_eq(a->domain, b->domain) && str_eq(a->path, b->path) && str_eq(a->tag, b->tag) &&
           str_eq(a->digest, b->digest);
}

static char *with_suffixes(char *name, const struct reference *ref)
{
    char *text = str_format("%s%s%s%s%s", name, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
        ref->digest ? "@" : "", ref->digest ? ref->digest : "");
    free(name);
    return text;
}

char *reference_name(const struct reference *ref)
{
    return str_format("%s/%s", ref->domain, ref->path);
}

char *reference_familiar_name(const struct reference *ref)
{
    if (!str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN))
        return reference_name(ref);
    const char *official = str_after(ref->path, OFFICIAL_PREFIX);
    return xstrdup(official && !strchr(official, '/') ? official : ref->path);
}

char *reference_string(const struct reference *ref)
{
    return with_suffixes(reference_name(ref), ref);
}

char *reference_familiar_string(const struct reference *ref)
{
    return with_suffixes(reference_familiar_name(ref), ref);
}

int reference_familiar_match(const char *pattern, const struct reference *ref, bool *ret, struct err *err)
{
    AUTO_FREE char *full = reference_familiar_string(ref);
    if (pattern_match(pattern, full, ret, err) < 0)
        return -1;
    if (*ret)
        return 0;
    AUTO_FREE char *name = reference_familiar_name(ref);
    return pattern_match(pattern, name, ret, err);
}
