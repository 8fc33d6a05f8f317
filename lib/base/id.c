#include "lib/base/id.h"

#include "lib/base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void id_random_hex(char *ret, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[64];
    for (size_t done = 0; done < digits;) {
        size_t wanted = digits - done < sizeof bytes * 2 ? digits - done : sizeof bytes * 2;
        if (getrandom(bytes, (wanted + 1) / 2, 0) < 0)
            abort(); /* a kernel without randomness cannot name containers */
        for (size_t i = 0; i < wanted; i++)
            ret[done++] = hex[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
    }
    ret[digits] = '\0';
}

void id_new(char ret[ID_LENGTH + 1])
{
    do {
        id_random_hex(ret, ID_LENGTH);
    } while (strspn(ret, "0123456789") >= ID_SHORT_LENGTH);
}

bool id_valid(const char *text)
{
    return str_is_hex(text, ID_LENGTH);
}
