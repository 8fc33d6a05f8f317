#include "cli/natural.h"

#include <ctype.h>
#include <string.h>

static size_t digits_of(const char *text)
{
    return strspn(text, "0123456789");
}

int natural_compare(const char *a, const char *b)
{
    while (*a && *b) {
        size_t in_a = digits_of(a), in_b = digits_of(b);
        if (!in_a || !in_b) {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
            continue;
        }
        size_t zeros_a = strspn(a, "0"), zeros_b = strspn(b, "0");
        zeros_a = zeros_a < in_a ? zeros_a : in_a;
        zeros_b = zeros_b < in_b ? zeros_b : in_b;
        size_t left_a = in_a - zeros_a, left_b = in_b - zeros_b;
        int order = left_a != left_b ? (left_a < left_b ? -1 : 1) : strncmp(a + zeros_a, b + zeros_b, left_a);
        if (!order && zeros_a != zeros_b)
            order = zeros_a < zeros_b ? -1 : 1;
        if (order)
            return order;
        a += in_a;
        b += in_b;
    }
    return *a ? 1 : *b ? -1 : 0;
}
