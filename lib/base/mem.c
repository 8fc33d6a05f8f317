#include "lib/base/mem.h"

static void *checked(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        abort();
    return xrealloc(old, total);
}

char *xstrdup(const char *text)
{
    return text ? checked(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t max)
{
    return text ? checked(strndup(text, max)) : NULL;
}

void *xmemdup(const void *bytes, size_t size)
{
    return memcpy(xmalloc(size), bytes, size);
}
