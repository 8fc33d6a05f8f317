/* Events: publish under the engine's lock, filter per listener, keep the last 256 for `since`. */
#pragma once
#include "daemon/engine/engine.h"

#define EVENTS_KEPT 256
struct event_ring {
    struct event_message kept[EVENTS_KEPT];
    size_t count, next;
    struct event_listener *listeners;
    size_t listener_count;
};
/* attributes are copied. from: image reference for containers, else NULL. */
void event_publish_locked(struct engine *engine, const char *type, const char *action, const char *actor_id,
                          const struct str_map *attributes, const char *from, int64_t time_unix_ns /* 0: now */);
void event_ring_done(struct event_ring *ring);
bool event_matches(const struct filters *filters, const struct event_message *event);
