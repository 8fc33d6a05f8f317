/* An engine of a hundred lines for tests: it answers the verbs of backend.h from memory and writes down what was asked.
 */
#pragma once
#include "builder/builder.h"
#include "lib/base/map.h"
#include "lib/base/sync.h"

struct fake_backend {
    struct build_backend backend;
    struct mutex lock;
    struct buf log;     /* a line per verb that does something */
    struct buf output;  /* what the client sees */
    struct map *images; /* reference -> config text; "missing" images are not there */
    struct map *files;  /* path of the context -> content, for digests; a source without one is an error */
    struct map *cache;  /* key -> struct build_cache_value * */
    struct buf layer;   /* what was done to the layer in the making */
    char *config;       /* of the image that was made */
    char *tags;
    int64_t exit_code; /* of the next run that says "exit" */
    int64_t exit_code_shown;
    int scratches;
};
void fake_backend_init(struct fake_backend *fake);
void fake_backend_file(struct fake_backend *fake, const char *path, const char *content);
void fake_backend_done(struct fake_backend *fake);
#define AUTO_FAKE __attribute__((cleanup(fake_backend_done)))
