#include "lib/oci/digest.h"
#include "lib/base/str.h"
#include <string.h>

static const struct {
    const char *name;
    size_t digits;
} algorithms[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Parts of [a-z0-9]+ joined by single + . _ - */
static bool algorithm_well_formed(const char *text, size_t length)
{
    bool part = false;
    for (size_t i = 0; i < length; i++) {
        if (is_lower_alnum(text[i]))
            part = true;
        else if (part && strchr("+._-", text[i]))
            part = false;
        else
            return false;
    }
    return part;
}

int digest_validate(const char *text, struct err *err)
{
    const char *colon = text ? strchr(text, ':') : NULL;
    if (!colon || !colon[1] || !algorithm_well_formed(text, (size_t)(colon - text)))
        return err_set(err, ERR_INVALID, "invalid checksum digest format");
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (strlen(algorithms[i].name) != (size_t)(colon - text) ||
            strncmp(text, algorithms[i].name, (size_t)(colon - text)) != 0)
            continue;
        if (strlen(colon + 1) != algorithms[i].digits)
            return err_set(err, ERR_INVALID, "invalid checksum digest length");
        if (!str_is_hex(colon + 1, algorithms[i].digits))
            return err_set(err, ERR_INVALID, "invalid checksum digest format");
        return 0;
    }
    return err_set(err, ERR_INVALID, "unsupported digest algorithm");
}

bool digest_valid(const char *text)
{
    struct err ignored = {0};
    return digest_validate(text, &ignored) == 0;
}

bool digest_is_sha256(const char *text)
{
    const char *hex = text ? str_after(text, "sha256:") : NULL;
    return hex && str_is_hex(hex, 64);
}

const char *digest_hex(const char *text)
{
    return digest_valid(text) ? strchr(text, ':') + 1 : NULL;
}

bool digest_from_hex(const char *hex, char ret[DIGEST_SHA256_TEXT_LENGTH + 1])
{
    ret[0] = '\0';
    if (!hex || !str_is_hex(hex, 64))
        return false;
    memcpy(ret, "sha256:", 7);
    memcpy(ret + 7, hex, 65);
    return true;
}
