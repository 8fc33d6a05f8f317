#include "cli/reference.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <ctype.h>

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH 128

static const char invalid[] = "invalid reference format";

void reference_done(struct reference *reference)
{
    free(reference->domain);
    free(reference->path);
    free(reference->tag);
    free(reference->digest);
    *reference = (struct reference){ 0 };
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* a-z0-9 words, joined by one '.', one or two '_', or any number of '-'. */
static bool is_component(const char *text)
{
    if (!is_lower_alnum(*text))
        return false;
    while (*text) {
        if (is_lower_alnum(*text)) {
            text++;
            continue;
        }
        size_t dashes = strspn(text, "-");
        size_t step = dashes ? dashes : *text == '.' ? 1 : str_starts(text, "__") ? 2 : *text == '_' ? 1 : 0;
        if (!step || !is_lower_alnum(text[step]))
            return false;
        text += step;
    }
    return true;
}

static bool is_tag(const char *tag)
{
    size_t length = strlen(tag);
    if (!length || length > TAG_MAX_LENGTH || *tag == '.' || *tag == '-')
        return false;
    for (; *tag; tag++)
        if (!isalnum((unsigned char)*tag) && *tag != '_' && *tag != '.' && *tag != '-')
            return false;
    return true;
}

static int check_digest(const char *digest, struct err *err)
{
    const char *colon = strchr(digest, ':');
    const char *hex = colon ? colon + 1 : "";
    if (!colon || colon == digest || strlen(hex) < 32)
        return err_set(err, ERR_INVALID, invalid);
    for (const char *c = hex; *c; c++)
        if (!isxdigit((unsigned char)*c))
            return err_set(err, ERR_INVALID, invalid);
    if (!str_starts(digest, "sha256:") && !str_starts(digest, "sha512:") && !str_starts(digest, "sha384:"))
        return err_set(err, ERR_INVALID, "unsupported digest algorithm");
    size_t want = digest[3] == '2' ? 64 : digest[3] == '5' ? 128 : 96;
    return str_is_hex(hex, want) && !hex[want] ? 0 : err_set(err, ERR_INVALID, "invalid checksum digest length");
}

static bool is_domain(const char *domain)
{
    const char *port = strrchr(domain, ':'), *end = domain + strlen(domain);
    if (*domain == '[') {
        const char *bracket = strchr(domain, ']');
        return bracket &&
               (!bracket[1] || (bracket[1] == ':' && bracket[2] && !bracket[2 + strspn(bracket + 2, "0123456789")]));
    }
    if (port) {
        if (!port[1] || port[1 + strspn(port + 1, "0123456789")])
            return false;
        end = port;
    }
    for (const char *c = domain; c < end; c++) {
        bool edge = c == domain || c[-1] == '.' || c + 1 == end || c[1] == '.';
        if (*c == '.' ? c == domain || c[-1] == '.' : !isalnum((unsigned char)*c) && (*c != '-' || edge))
            return false;
    }
    return end > domain && end[-1] != '.';
}

/* Splits "localhost:5000/a" and gives names without a registry theirs. */
static void split_domain(const char *name, struct reference *ret)
{
    const char *slash = strchr(name, '/');
    AUTO_FREE char *first = slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup("");
    bool upper = false;
    for (const char *c = first; *c; c++)
        upper |= isupper((unsigned char)*c) != 0;
    bool is_registry = slash && (strpbrk(first, ".:") || str_eq(first, "localhost") || upper);
    const char *rest = is_registry ? slash + 1 : name;
    ret->domain = xstrdup(!is_registry || str_eq(first, "index.docker.io") ? "docker.io" : first);
    bool official = str_eq(ret->domain, "docker.io") && !strchr(rest, '/');
    ret->path = official ? str_format("library/%s", rest) : xstrdup(rest);
}

static int check_path(const struct reference *reference, struct err *err)
{
    CLEANUP(strv_free) char **parts = strv_split(reference->path, '/', false);
    for (const char *c = reference->path; *c; c++)
        if (isupper((unsigned char)*c))
            return err_set(err, ERR_INVALID, "%s: repository name (%s) must be lowercase", invalid, reference->path);
    for (char **part = parts; *part; part++)
        if (!is_component(*part))
            return err_set(err, ERR_INVALID, invalid);
    if (strlen(reference->path) > NAME_MAX_LENGTH)
        return err_set(err, ERR_INVALID, "repository name must not be more than %d characters", NAME_MAX_LENGTH);
    return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    AUTO_FREE char *name = xstrdup(text);
    char *at = strchr(name, '@');
    if (str_is_hex(text, 64) && !text[64])
        return err_set(err, ERR_INVALID, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                       text);
    if (at) {
        *at = '\0';
        reference.digest = xstrdup(at + 1);
    }
    char *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
    if (colon) {
        *colon = '\0';
        reference.tag = xstrdup(colon + 1);
    }
    if (!*name || (reference.digest && check_digest(reference.digest, err) < 0))
        return err->kind ? -1 : err_set(err, ERR_INVALID, invalid);
    split_domain(name, &reference);
    if (check_path(&reference, err) < 0)
        return -1;
    if (!is_domain(reference.domain) || (reference.tag && !is_tag(reference.tag)))
        return err_set(err, ERR_INVALID, invalid);
    *ret = reference;
    reference = (struct reference){ 0 };
    return 0;
}

void reference_default_tag(struct reference *reference)
{
    if (!reference->tag && !reference->digest)
        reference->tag = xstrdup("latest");
}

static char *with_rest(const struct reference *reference, const char *name)
{
    return str_format("%s%s%s%s%s", name, reference->tag ? ":" : "", reference->tag ? reference->tag : "",
                      reference->digest ? "@" : "", reference->digest ? reference->digest : "");
}

char *reference_familiar_name(const struct reference *reference)
{
    if (!str_eq(reference->domain, "docker.io"))
        return str_format("%s/%s", reference->domain, reference->path);
    const char *official = str_after(reference->path, "library/");
    return xstrdup(official && !strchr(official, '/') ? official : reference->path);
}

char *reference_familiar(const struct reference *reference)
{
    AUTO_FREE char *name = reference_familiar_name(reference);
    return with_rest(reference, name);
}

char *reference_full(const struct reference *reference)
{
    AUTO_FREE char *name = str_format("%s/%s", reference->domain, reference->path);
    return with_rest(reference, name);
}
