#include "cli/base64.h"

#include "lib/base/mem.h"

#include <stdint.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64_encode(const void *bytes, size_t length, bool url)
{
    const unsigned char *in = bytes;
    const char *letters = url ? for_url : plain;
    char *text = xmalloc(length / 3 * 4 + 5), *at = text;
    for (size_t i = 0; i < length; i += 3) {
        size_t have = MIN(length - i, 3);
        uint32_t group = (uint32_t)in[i] << 16 | (have > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (have > 2 ? in[i + 2] : 0);
        *at++ = letters[group >> 18];
        *at++ = letters[group >> 12 & 63];
        *at++ = have > 1 ? letters[group >> 6 & 63] : '=';
        *at++ = have > 2 ? letters[group & 63] : '=';
    }
    *at = '\0';
    return text;
}

static int value_of(char letter)
{
    const char *found = letter ? strchr(plain, letter) : NULL;
    if (!found && letter == '-')
        return 62;
    if (!found && letter == '_')
        return 63;
    return found ? (int)(found - plain) : -1;
}

char *base64_decode(const char *text, size_t *ret_length)
{
    size_t length = strlen(text), count = 0, bits = 0;
    uint32_t group = 0;
    while (length && text[length - 1] == '=')
        length--;
    char *bytes = xmalloc(length / 4 * 3 + 4);
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);
        if (value < 0 || length % 4 == 1) {
            free(bytes);
            return NULL;
        }
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[count++] = (char)(group >> bits);
        }
    }
    bytes[count] = '\0';
    *ret_length = count;
    return bytes;
}
