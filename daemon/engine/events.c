#include "daemon/engine/events.h"

#include "daemon/engine/internal.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A client that reads this slowly loses events; it hears no lie, and the daemon keeps its memory. */
#define LISTENER_MAX ((size_t)1 << 20)

struct event_listener {
    const struct filters *filters;
    struct buf pending;
    int wake_fd;
    struct event_listener *next;
};

/* "health_status: healthy" answers to "health_status", "exec_start: ls" to "exec_start". */
static bool matches_action(const struct filters *filters, const char *action)
{
    if (filters_match_exact(filters, "event", action))
        return true;
    const char *colon = strchr(action, ':');
    if (!colon)
        return false;
    AUTO_FREE char *head = xstrndup(action, (size_t)(colon - action));
    return filters_match_exact(filters, "event", head);
}

static bool matches_actor(const struct filters *filters, const struct event_message *event, const char *type)
{
    if (!filters_has(filters, type))
        return true;
    const char *name = str_map_get(&event->actor.attributes, "name");
    return str_eq(event->type, type) &&
           (filters_match_prefix(filters, type, event->actor.id) || (name && filters_match_prefix(filters, type, name)));
}

static bool matches_image(const struct filters *filters, const struct event_message *event)
{
    if (!filters_has(filters, "image"))
        return true;
    const char *name = str_map_get(&event->actor.attributes, str_eq(event->type, "image") ? "name" : "image");
    if (str_eq(event->type, "image") && filters_match_exact(filters, "image", event->actor.id))
        return true;
    if (!name)
        return false;
    AUTO_FREE char *bare = xstrndup(name, strcspn(name, "@"));
    char *colon = strrchr(bare, ':');
    if (filters_match_exact(filters, "image", name))
        return true;
    if (!colon || strchr(colon, '/'))
        return false;
    *colon = '\0';
    return filters_match_exact(filters, "image", bare);
}

bool event_matches(const struct filters *filters, const struct event_message *event)
{
    static const char *const by_actor[] = { "container", "volume", "network", "plugin", "daemon" };
    for (size_t i = 0; i < ARRAY_SIZE(by_actor); i++)
        if (!matches_actor(filters, event, by_actor[i]))
            return false;
    return matches_action(filters, event->action) && filters_match_exact(filters, "type", event->type) &&
           filters_match_exact(filters, "scope", event->scope) && matches_image(filters, event) &&
           filters_match_labels(filters, "label", &event->actor.attributes);
}

static void tell(struct event_listener *listener, const struct event_message *event)
{
    uint64_t one = 1;
    if (!event_matches(listener->filters, event) || listener->pending.length > LISTENER_MAX)
        return;
    codec_encode(&event_message_type, event, &listener->pending);
    buf_putc(&listener->pending, '\n');
    if (write(listener->wake_fd, &one, sizeof one) < 0)
        log_debug("event listener cannot be woken errno=%d", errno);
}

void event_publish_locked(struct engine *engine, const char *type, const char *action, const char *actor_id,
                          const struct str_map *attributes, const char *from, int64_t time_unix_ns)
{
    mutex_assert_held(&engine->lock);
    struct event_ring *ring = &engine->events;
    struct event_message *event = &ring->kept[ring->next];
    if (ring->count == EVENTS_KEPT)
        codec_clear(&event_message_type, event);
    else
        ring->count++;
    ring->next = (ring->next + 1) % EVENTS_KEPT;
    int64_t now = time_unix_ns ? time_unix_ns : time_now_unix_ns();
    *event = (struct event_message){ .type = xstrdup(type), .action = xstrdup(action), .scope = xstrdup("local"),
                                     .time = now / NANOS_PER_SECOND, .time_nano = now };
    event->actor.id = xstrdup(actor_id);
    if (attributes)
        str_map_copy(&event->actor.attributes, attributes);
    if (str_eq(type, "container") || str_eq(type, "image")) {
        event->status = xstrdup(action);
        event->id = xstrdup(actor_id);
        event->from = xstrdup(from);
    }
    for (struct event_listener *listener = ring->listeners; listener; listener = listener->next)
        tell(listener, event);
}

void event_ring_done(struct event_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        codec_clear(&event_message_type, &ring->kept[i]);
    ring->count = 0;
}

static void listener_add(struct engine *engine, struct event_listener *listener, int64_t since_ns, int64_t until_ns, bool has_since)
{
    struct event_ring *ring = &engine->events;
    mutex_lock(&engine->lock);
    size_t first = (ring->next + EVENTS_KEPT - ring->count) % EVENTS_KEPT;
    for (size_t i = 0; has_since && i < ring->count; i++) {
        const struct event_message *event = &ring->kept[(first + i) % EVENTS_KEPT];
        if (event->time_nano >= since_ns && (until_ns == 0 || event->time_nano <= until_ns))
            tell(listener, event);
    }
    listener->next = ring->listeners;
    ring->listeners = listener;
    ring->listener_count++;
    mutex_unlock(&engine->lock);
}

static void listener_remove(struct engine *engine, struct event_listener *listener)
{
    mutex_lock(&engine->lock);
    struct event_listener **link = &engine->events.listeners;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    engine->events.listener_count--;
    mutex_unlock(&engine->lock);
}

static char *take_pending(struct engine *engine, struct event_listener *listener, size_t *ret_length)
{
    uint64_t drained;
    mutex_lock(&engine->lock);
    if (read(listener->wake_fd, &drained, sizeof drained) < 0)
        drained = 0;
    *ret_length = listener->pending.length;
    char *text = buf_take(&listener->pending);
    listener->pending = (struct buf)BUF_INIT(LISTENER_MAX + 65536);
    mutex_unlock(&engine->lock);
    return text;
}

static int events_follow(struct engine *engine, struct event_listener *listener, int64_t until_ns, bool has_until, struct sink *sink)
{
    for (;;) {
        size_t length;
        AUTO_FREE char *text = take_pending(engine, listener, &length);
        if (length && sink->write(sink, text, length) < 0)
            return 0;
        int64_t left_ms = has_until ? (until_ns - time_now_unix_ns()) / 1000000 : 3600000;
        if (left_ms <= 0 && has_until)
            return 0;
        short ready = 0, client = 0;
        int mask = io_poll2(listener->wake_fd, POLLIN, sink->client_fd, 0, (int)MIN(left_ms, 3600000), &ready, &client);
        if (mask < 0 || (client & (POLLHUP | POLLERR)) || engine->stopping)
            return 0;
    }
}

int engine_events(struct engine *engine, const struct filters *filters, int64_t since_ns, int64_t until_ns, bool has_since, bool has_until,
                  struct sink *sink, struct err *err)
{
    static const char *const allowed[] = { "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin",
                                           "scope", "secret", "service", "type", "volume", NULL };
    if (filters_check(filters, allowed, err) < 0)
        return -1;
    if (has_since && has_until && since_ns > until_ns)
        return err_set(err, ERR_INVALID, "`since` time (%lld) cannot be after `until` time (%lld)",
                       (long long)(since_ns / NANOS_PER_SECOND), (long long)(until_ns / NANOS_PER_SECOND));
    struct event_listener listener = { .filters = filters, .pending = BUF_INIT(LISTENER_MAX + 65536),
                                       .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    if (listener.wake_fd < 0)
        return err_sys(err, errno, "listen for events");
    listener_add(engine, &listener, since_ns, has_until ? until_ns : 0, has_since);
    int result = sink->begin ? sink->begin(sink) : 0;
    if (result == 0)
        result = events_follow(engine, &listener, until_ns, has_until, sink);
    listener_remove(engine, &listener);
    fd_close(listener.wake_fd);
    buf_done(&listener.pending);
    return result;
}
