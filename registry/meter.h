/* Progress of several transfers, told by a thread of its own: whoever moves bytes never waits for whoever listens.
 * Words come in order and are never lost; counts of bytes at most ten times a second each, the newest one only. */
#pragma once
#include "lib/base/mem.h"

#include <stddef.h>
#include <stdint.h>

struct meter;
/* emit is called on the meter's thread; total 0 = a word alone. verb: "Downloading", "Pushing" (static). NULL when no
 * thread could be started. */
struct meter *meter_new(size_t count, const char *verb,
                        void (*emit)(void *arg, size_t index, const char *status, int64_t current, int64_t total),
                        void *arg);
void meter_status(struct meter *meter, size_t index, const char *status); /* copied */
void meter_bytes(struct meter *meter, size_t index, int64_t current, int64_t total);
void meter_sync(struct meter *meter); /* waits until every word so far has been told; not from emit */
void meter_free(struct meter *meter); /* tells what is left first */
CLEANUP_FN(struct meter, meter_free)
