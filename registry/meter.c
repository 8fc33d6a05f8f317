#include "registry/meter.h"

#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "lib/base/timefmt.h"

#include <pthread.h>
#include <stdbool.h>

#define TICK_NS (NANOS_PER_SECOND / 10)

struct word {
    size_t index;
    char *status;
    int64_t current, total;
};
struct count {
    int64_t current, total, told_ns;
    bool fresh;
};
struct meter {
    struct mutex lock;
    struct cond moved;
    pthread_t thread;
    const char *verb;
    void (*emit)(void *arg, size_t index, const char *status, int64_t current, int64_t total);
    void *arg;
    struct word *words; /* waiting to be told */
    size_t word_count, count;
    uint64_t added, told; /* words, ever */
    struct count *counts;
    bool ending;
};

static void add_word(struct meter *meter, size_t index, const char *status, int64_t current, int64_t total)
{
    meter->words = xreallocarray(meter->words, meter->word_count + 1, sizeof *meter->words);
    meter->added++;
    meter->words[meter->word_count++] = (struct word){ index, xstrdup(status), current, total };
}

/* Counts become words when their time has come, or when all is to be told. The time of the next one. */
static int64_t ripen(struct meter *meter, bool all)
{
    int64_t now = time_monotonic_ns(), next = now + 10 * NANOS_PER_SECOND;
    for (size_t i = 0; i < meter->count; i++) {
        struct count *count = &meter->counts[i];
        if (!count->fresh)
            continue;
        if (!all && count->told_ns + TICK_NS > now) {
            next = MIN(next, count->told_ns + TICK_NS);
            continue;
        }
        add_word(meter, i, meter->verb, count->current, count->total);
        count->fresh = false;
        count->told_ns = now;
    }
    return next;
}

static void *tell(void *arg)
{
    struct meter *meter = arg;
    mutex_lock(&meter->lock);
    for (;;) {
        int64_t next = ripen(meter, meter->ending);
        if (!meter->word_count && meter->ending)
            break;
        if (!meter->word_count) {
            cond_wait_until(&meter->moved, &meter->lock, next);
            continue;
        }
        struct word *words = take_ptr(&meter->words);
        size_t word_count = meter->word_count;
        meter->word_count = 0;
        mutex_unlock(&meter->lock);
        for (size_t i = 0; i < word_count; i++) {
            meter->emit(meter->arg, words[i].index, words[i].status, words[i].current, words[i].total);
            free(words[i].status);
        }
        free(words);
        mutex_lock(&meter->lock);
        meter->told += word_count;
        cond_broadcast(&meter->moved);
    }
    mutex_unlock(&meter->lock);
    return NULL;
}

struct meter *meter_new(size_t count, const char *verb,
                        void (*emit)(void *arg, size_t index, const char *status, int64_t current, int64_t total),
                        void *arg)
{
    struct meter *meter = xcalloc(1, sizeof *meter);
    *meter = (struct meter){
        .verb = verb, .emit = emit, .arg = arg, .count = count, .counts = xcalloc(count + 1, sizeof *meter->counts)
    };
    mutex_init(&meter->lock);
    cond_init(&meter->moved);
    if (pthread_create(&meter->thread, NULL, tell, meter) == 0)
        return meter;
    cond_done(&meter->moved);
    mutex_done(&meter->lock);
    free(meter->counts);
    free(meter);
    return NULL;
}

void meter_status(struct meter *meter, size_t index, const char *status)
{
    mutex_lock(&meter->lock);
    struct count *count = &meter->counts[index];
    if (count->fresh)
        add_word(meter, index, meter->verb, count->current, count->total);
    count->fresh = false;
    add_word(meter, index, status, 0, 0);
    cond_broadcast(&meter->moved);
    mutex_unlock(&meter->lock);
}

void meter_bytes(struct meter *meter, size_t index, int64_t current, int64_t total)
{
    mutex_lock(&meter->lock);
    struct count *count = &meter->counts[index];
    bool wake = !count->fresh;
    count->current = current;
    count->total = total;
    count->fresh = true;
    if (wake)
        cond_broadcast(&meter->moved);
    mutex_unlock(&meter->lock);
}

void meter_sync(struct meter *meter)
{
    mutex_lock(&meter->lock);
    uint64_t until = meter->added;
    while (meter->told < until)
        cond_wait(&meter->moved, &meter->lock);
    mutex_unlock(&meter->lock);
}

void meter_free(struct meter *meter)
{
    mutex_lock(&meter->lock);
    meter->ending = true;
    cond_broadcast(&meter->moved);
    mutex_unlock(&meter->lock);
    pthread_join(meter->thread, NULL);
    cond_done(&meter->moved);
    mutex_done(&meter->lock);
    free(meter->words);
    free(meter->counts);
    free(meter);
}
