/* Four buffers of 1 MiB between one thread that fills and one that drains them. */
#pragma once
#include "lib/archive/stream.h"
#include <pthread.h>
#include <stdbool.h>

#define RING_SLOTS 4
#define RING_SLOT_SIZE ((size_t)1 << 20)

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned char *slots[RING_SLOTS];
    size_t lengths[RING_SLOTS];
    unsigned long filled, drained; /* counts */
    bool ended, stopped, holding;
    struct err failure; /* of the filling side */
};
void ring_init(struct ring *ring);
void ring_done(struct ring *ring);
/* Filling side: NULL when the draining side has stopped. */
unsigned char *ring_slot(struct ring *ring);
void ring_fill(struct ring *ring, size_t length);
void ring_end(struct ring *ring, const struct err *failure); /* failure NULL: a good end */
/* Draining side. */
int ring_next(void *ring, const unsigned char **ret_bytes, size_t *ret_length, struct err *err); /* a struct chunker's */
void ring_stop(struct ring *ring);
