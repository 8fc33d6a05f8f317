/* Memory and ownership. x... helpers abort on exhaustion: for small growing allocations only; sizes
 * chosen by a peer are checked by the caller first. CLEANUP(f) runs f on the variable's value at
 * scope end; every x_free/x_close accepts NULL and half-built objects. */
#pragma once
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text); /* NULL stays NULL */
char *xstrndup(const char *text, size_t max);
void *xmemdup(const void *bytes, size_t size);

#define CLEANUP_FN(type, fn)                     \
    static inline void cleanup_##fn(type **slot) \
    {                                            \
        if (*slot)                               \
            fn(*slot);                           \
    }
/* Declare once per type beside its free function: CLEANUP_FN(struct layer, layer_close);
 * use: CLEANUP(layer_close) struct layer *layer = NULL; */
#define CLEANUP(fn) __attribute__((cleanup(cleanup_##fn)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
static inline void cleanup_free(void *slot)
{
    free(*(void **)slot);
}

/* Moves a pointer out of its variable: return take_ptr(&layer); */
#define take_ptr(slot)                \
    ({                                \
        __auto_type taken_ = *(slot); \
        *(slot) = NULL;               \
        taken_;                       \
    })
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
