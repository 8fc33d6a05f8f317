#include "lib/unpack/ring.h"

#include "lib/base/mem.h"

void ring_init(struct ring *ring)
{
    *ring = (struct ring){ .filled = 0 };
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->moved, NULL);
    for (size_t i = 0; i < RING_SLOTS; i++)
        ring->slots[i] = xmalloc(RING_SLOT_SIZE);
}

void ring_done(struct ring *ring)
{
    for (size_t i = 0; i < RING_SLOTS; i++)
        free(ring->slots[i]);
    pthread_cond_destroy(&ring->moved);
    pthread_mutex_destroy(&ring->lock);
}

unsigned char *ring_slot(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->filled - ring->drained == RING_SLOTS && !ring->stopped)
        pthread_cond_wait(&ring->moved, &ring->lock);
    unsigned char *slot = ring->stopped ? NULL : ring->slots[ring->filled % RING_SLOTS];
    pthread_mutex_unlock(&ring->lock);
    return slot;
}

void ring_fill(struct ring *ring, size_t length)
{
    pthread_mutex_lock(&ring->lock);
    ring->lengths[ring->filled % RING_SLOTS] = length;
    ring->filled++;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}

void ring_end(struct ring *ring, const struct err *failure)
{
    pthread_mutex_lock(&ring->lock);
    if (failure)
        ring->failure = *failure;
    ring->ended = true;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}

int ring_next(void *arg, const unsigned char **ret_bytes, size_t *ret_length, struct err *err)
{
    struct ring *ring = arg;
    int result = 0;
    pthread_mutex_lock(&ring->lock);
    if (ring->holding) {
        ring->drained++;
        ring->holding = false;
        pthread_cond_broadcast(&ring->moved);
    }
    while (ring->filled == ring->drained && !ring->ended)
        pthread_cond_wait(&ring->moved, &ring->lock);
    if (ring->filled != ring->drained) {
        *ret_bytes = ring->slots[ring->drained % RING_SLOTS];
        *ret_length = ring->lengths[ring->drained % RING_SLOTS];
        ring->holding = true;
        result = 1;
    } else if (ring->failure.kind != ERR_NONE) {
        *err = ring->failure;
        result = -1;
    }
    pthread_mutex_unlock(&ring->lock);
    return result;
}

void ring_stop(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->stopped = true;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}
