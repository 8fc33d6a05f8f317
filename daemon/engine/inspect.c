/* inspect and list: the record and the status as Docker shows them. */
#include "daemon/engine/internal.h"
#include "lib/base/id.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"

#include <fcntl.h>
#include <stdio.h>

static void fill_state(const struct container *container, struct container_state *ret)
{
    const struct container_status *status = &container->status;
    *ret = (struct container_state){
        .status = xstrdup(container_status_name((enum container_status_code)status->code)), .running = container_is_running(container),
        .paused = status->code == STATUS_PAUSED, .restarting = status->code == STATUS_RESTARTING, .oom_killed = status->oom_killed,
        .dead = status->code == STATUS_DEAD, .pid = status->pid, .exit_code = status->exit_code, .error = xstrdup(status->error ? status->error : ""),
        .started_at = status->started_unix_ns, .finished_at = status->finished_unix_ns,
    };
}

static void copy_ports(const struct container *container, struct obj_map *ret)
{
    struct container_status copy;
    codec_copy(&container_status_type, &copy, &container->status);
    *ret = copy.ports;
    copy.ports = (struct obj_map){ 0 };
    codec_clear(&container_status_type, &copy);
    char *const *exposed = container->record.config.exposed_ports;
    for (size_t i = 0; container_is_running(container) && exposed && exposed[i]; i++) {
        AUTO_FREE char *key = strchr(exposed[i], '/') ? xstrdup(exposed[i]) : str_format("%s/tcp", exposed[i]);
        obj_map_add_null(ret, key);
    }
}

static void copy_endpoint(const struct container *container, const struct endpoint_settings *from, struct endpoint_settings *to)
{
    codec_copy(&endpoint_settings_type, to, from);
    if (!container->net && !container_is_running(container)) {
        free(take_ptr(&to->mac_address));
        to->mac_address = xstrdup("");
    }
}

static void add_name(char ***list, const char *name)
{
    if (!str_empty(name) && !strv_contains(*list, name))
        strv_append(list, name);
}

/* What the network's own name service answers to; the built-in networks have none. */
static void fill_dns_names(const struct container *container, const char *network, struct endpoint_settings *ret)
{
    AUTO_FREE char *short_id = xstrndup(container->record.id, ID_SHORT_LENGTH);
    if (str_eq(network, "bridge") || str_eq(network, "host") || str_eq(network, "none"))
        return;
    add_name(&ret->dns_names, container->record.name);
    for (size_t i = 0; ret->aliases && ret->aliases[i]; i++)
        add_name(&ret->dns_names, ret->aliases[i]);
    add_name(&ret->dns_names, short_id);
    add_name(&ret->dns_names, container->record.config.hostname);
}

static void fill_network(const struct container *container, struct network_settings *ret)
{
    *ret = (struct network_settings){ .sandbox_id = xstrdup(container_is_running(container) ? container->record.id : "") };
    ret->sandbox_key = container_is_running(container) ? str_format("/var/run/docker/netns/%.12s", container->record.id) : xstrdup("");
    copy_ports(container, &ret->ports);
    for (size_t i = 0; i < obj_map_count(&container->record.networks); i++) {
        const struct endpoint_settings *settings = container->record.networks.values[i];
        struct endpoint_settings *mine = obj_map_add(&ret->networks, container->record.networks.keys[i], sizeof *mine);
        copy_endpoint(container, settings, mine);
        fill_dns_names(container, container->record.networks.keys[i], mine);
        if (!str_eq(container->record.networks.keys[i], "bridge"))
            continue;
        ret->endpoint_id = xstrdup(mine->endpoint_id);
        ret->gateway = xstrdup(mine->gateway);
        ret->ip_address = xstrdup(mine->ip_address);
        ret->mac_address = xstrdup(mine->mac_address);
        ret->ip_prefix_len = mine->ip_prefix_len;
    }
}

static void fill_mount(const struct mount_record *from, struct mount_point *to)
{
    *to = (struct mount_point){ .type = xstrdup(from->type), .name = xstrdup(from->name), .source = xstrdup(from->source), .destination = xstrdup(from->destination),
                                .driver = xstrdup(from->driver), .mode = xstrdup(from->mode ? from->mode : ""), .rw = from->rw,
                                .propagation = xstrdup(from->propagation ? from->propagation : "") };
}

static void fill_graph(struct engine *engine, const struct container *container, struct graph_driver_data *ret)
{
    char **lowers = container_lowers(engine, container->record.diff_ids);
    AUTO_FREE char *dir = container_dir(engine, container->record.id);
    AUTO_FREE char *upper = path_join(dir, "diff");
    AUTO_FREE char *work = path_join(dir, "work");
    AUTO_FREE char *lower = strv_join(lowers, ":");
    ret->name = xstrdup("overlay2");
    str_map_set(&ret->data, "ID", container->record.id);
    str_map_set(&ret->data, "LowerDir", lower);
    str_map_set(&ret->data, "UpperDir", upper);
    str_map_set(&ret->data, "WorkDir", work);
    strv_free(lowers);
}

static void fill_paths(const struct container *container, const char *dir, struct container_inspect *ret)
{
    bool none = str_eq(container->record.host_config.log_config.type, "none");
    ret->resolv_conf_path = path_join(dir, "resolv.conf");
    ret->hostname_path = path_join(dir, "hostname");
    ret->hosts_path = path_join(dir, "hosts");
    ret->log_path = none ? xstrdup("") : str_format("%s/%s-json.log", dir, container->record.id);
}

static int64_t image_size_locked(struct container *container)
{
    const struct store_image *image = store_image_get(container->engine->store, container->record.image_id);
    return image ? image->size : 0;
}

static int64_t rw_size(struct container *container)
{
    unsigned long long bytes = 0, entries = 0;
    AUTO_FREE char *diff = str_format("containers/%s/diff", container->record.id);
    if (path_disk_usage_at(container->engine->data_fd, diff, &bytes, &entries) < 0)
        return 0;
    return (int64_t)bytes - (int64_t)MIN(bytes, 4096ULL); /* the directory itself is not content */
}

int engine_container_inspect(struct engine *engine, const char *ref, bool size, struct container_inspect *ret, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    int64_t used = size ? rw_size(container) : 0;
    AUTO_FREE char *dir = container_dir(engine, container->record.id);
    const struct container_record *record = &container->record;
    memset(ret, 0, sizeof *ret);
    mutex_lock(&engine->lock);
    ret->id = xstrdup(record->id);
    ret->created = record->created_unix_ns;
    ret->path = xstrdup(record->path);
    ret->args = strv_dup(record->args);
    fill_state(container, &ret->state);
    ret->image = xstrdup(record->image_id);
    fill_paths(container, dir, ret);
    ret->name = str_format("/%s", record->name);
    ret->restart_count = container->status.restart_count;
    ret->driver = xstrdup("overlay2");
    ret->platform = xstrdup("linux");
    ret->mount_label = xstrdup("");
    ret->process_label = xstrdup("");
    ret->app_armor_profile = xstrdup("");
    for (const struct exec *exec = container->execs; exec; exec = exec->next)
        if (!exec->has_exit)
            strv_append(&ret->exec_ids, exec->id);
    codec_copy(&host_config_type, &ret->host_config, &record->host_config);
    fill_graph(engine, container, &ret->graph_driver);
    if (size) {
        ret->size_rw = (struct opt_i64){ true, used };
        ret->size_root_fs = (struct opt_i64){ true, used + image_size_locked(container) };
    }
    for (size_t i = 0; i < record->mounts.count; i++)
        if (!str_eq(record->mounts.items[i].type, "tmpfs") || record->mounts.items[i].from_mounts)
            fill_mount(&record->mounts.items[i], list_add(&ret->mounts));
    codec_copy(&container_config_type, &ret->config, &record->config);
    fill_network(container, &ret->network_settings);
    mutex_unlock(&engine->lock);
    return 0;
}

/* ---- list ---- */

static void human_duration(int64_t seconds, char *ret, size_t size)
{
    static const struct {
        int64_t below, unit;
        const char *one, *many;
    } steps[] = { { 60, 1, NULL, "%lld seconds" }, { 120, 60, "About a minute", NULL }, { 3600, 60, NULL, "%lld minutes" }, { 5400, 3600, "About an hour", NULL },
                  { 172800, 3600, NULL, "%lld hours" }, { 1209600, 86400, NULL, "%lld days" }, { 5184000, 604800, NULL, "%lld weeks" }, { 63072000, 2592000, NULL, "%lld months" } };
    if (seconds < 1) {
        str_copy(ret, size, "Less than a second");
        return;
    }
    if (seconds == 1) {
        str_copy(ret, size, "1 second");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (seconds >= steps[i].below)
            continue;
        if (steps[i].one) {
            str_copy(ret, size, steps[i].one);
        } else {
            long long count = (long long)((seconds + (steps[i].unit == 3600 ? steps[i].unit / 2 : 0)) / steps[i].unit);
            snprintf(ret, size, "%lld%s", count, strchr(steps[i].many, ' '));
        }
        return;
    }
    snprintf(ret, size, "%lld years", (long long)(seconds / 31536000));
}

char *container_status_text(const struct container *container)
{
    const struct container_status *status = &container->status;
    char ago[64];
    int64_t now = time_now_unix_ns();
    switch ((enum container_status_code)status->code) {
    case STATUS_RUNNING:
    case STATUS_PAUSED:
        human_duration((now - status->started_unix_ns) / NANOS_PER_SECOND, ago, sizeof ago);
        return str_format(status->code == STATUS_PAUSED ? "Up %s (Paused)" : "Up %s", ago);
    case STATUS_RESTARTING:
        human_duration((now - status->finished_unix_ns) / NANOS_PER_SECOND, ago, sizeof ago);
        return str_format("Restarting (%lld) %s ago", (long long)status->exit_code, ago);
    case STATUS_CREATED:
        return xstrdup("Created");
    case STATUS_REMOVING:
        return xstrdup("Removal In Progress");
    case STATUS_DEAD:
        return xstrdup("Dead");
    case STATUS_EXITED:
        break;
    }
    if (!status->finished_unix_ns)
        return xstrdup("Created");
    human_duration((now - status->finished_unix_ns) / NANOS_PER_SECOND, ago, sizeof ago);
    return str_format("Exited (%lld) %s ago", (long long)status->exit_code, ago);
}

static void add_ports(const struct container *container, struct container_summary *ret)
{
    struct obj_map ports;
    const char *mode = container->record.host_config.network_mode;
    if (!container_is_running(container) || str_eq(mode, "none") || str_eq(mode, "host") || str_starts(mode, "container:"))
        return; /* no network of its own now */
    copy_ports(container, &ports);
    for (size_t i = 0; i < obj_map_count(&ports); i++) {
        const struct port_binding_list *list = ports.values[i];
        int64_t number = 0;
        AUTO_FREE char *digits = xstrndup(ports.keys[i], strcspn(ports.keys[i], "/"));
        (void)str_to_i64(digits, &number);
        const char *proto = strchr(ports.keys[i], '/');
        for (size_t n = 0; n < (list ? list->count : 1); n++) {
            struct port_summary *port = list_add(&ret->ports);
            *port = (struct port_summary){ .private_port = number, .type = xstrdup(proto ? proto + 1 : "tcp") };
            if (!list)
                continue;
            port->ip = xstrdup(list->items[n].host_ip);
            (void)str_to_i64(list->items[n].host_port, &port->public_port);
        }
    }
    obj_map_clear_ports(&ports);
}

/* Arguments with blanks in them are quoted, as Docker shows them; the program never is. */
static char *command_text(const struct container_record *record)
{
    char **words = NULL;
    strv_append(&words, record->path);
    for (size_t i = 0; record->args && record->args[i]; i++)
        strv_append_take(&words, str_format(strchr(record->args[i], ' ') ? "'%s'" : "%s", record->args[i]));
    char *text = strv_join(words, " ");
    strv_free(words);
    return text;
}

static void fill_summary(struct container *container, struct container_summary *ret)
{
    const struct container_record *record = &container->record;
    *ret = (struct container_summary){
        .id = xstrdup(record->id), .image_id = xstrdup(record->image_id), .command = command_text(record), .created = record->created_unix_ns / NANOS_PER_SECOND,
        .state = xstrdup(container_status_name((enum container_status_code)container->status.code)), .status = container_status_text(container),
    };
    AUTO_FREE char *name = str_format("/%s", record->name);
    strv_append(&ret->names, name);
    struct store_image *image;
    struct err ignored = { 0 };
    bool still = store_image_find(container->engine->store, record->image_ref, &image, &ignored) == 0 && str_eq(image->id, record->image_id);
    ret->image = xstrdup(still ? record->image_ref : record->image_id);
    add_ports(container, ret);
    str_map_copy(&ret->labels, &record->config.labels);
    ret->host_config.network_mode = xstrdup(record->host_config.network_mode);
    str_map_copy(&ret->host_config.annotations, &record->host_config.annotations);
    for (size_t i = 0; i < obj_map_count(&record->networks); i++)
        copy_endpoint(container, record->networks.values[i], obj_map_add(&ret->network_settings.networks, record->networks.keys[i], sizeof(struct endpoint_settings)));
    for (size_t i = 0; i < record->mounts.count; i++)
        if (!str_eq(record->mounts.items[i].type, "tmpfs") || record->mounts.items[i].from_mounts)
            fill_mount(&record->mounts.items[i], list_add(&ret->mounts));
}

struct listing {
    struct engine *engine;
    const struct filters *filters;
    bool all, tasks_only; /* of a swarm: there are none */
    int64_t before_ns, since_ns; /* creation times of the containers named */
};

static bool matches_volume(const struct listing *listing, const struct container_record *record)
{
    if (!filters_has(listing->filters, "volume"))
        return true;
    for (size_t i = 0; i < record->mounts.count; i++)
        if (filters_match_exact(listing->filters, "volume", record->mounts.items[i].destination) ||
            (record->mounts.items[i].name && filters_match_exact(listing->filters, "volume", record->mounts.items[i].name)))
            return true;
    return false;
}

static bool matches_network(const struct listing *listing, const struct container_record *record)
{
    if (!filters_has(listing->filters, "network"))
        return true;
    for (size_t i = 0; i < obj_map_count(&record->networks); i++) {
        const struct endpoint_settings *settings = record->networks.values[i];
        if (filters_match_exact(listing->filters, "network", record->networks.keys[i]) ||
            (settings->network_id && filters_match_prefix(listing->filters, "network", settings->network_id)))
            return true;
    }
    return false;
}

/* "80", "80/udp", "80-90/tcp" */
static bool parse_port_range(const char *text, int64_t *ret_first, int64_t *ret_last, const char **ret_proto)
{
    const char *slash = strchr(text, '/');
    AUTO_FREE char *first = xstrndup(text, strcspn(text, "-/"));
    size_t length = strlen(first);
    AUTO_FREE char *last = text[length] == '-' ? xstrndup(text + length + 1, strcspn(text + length + 1, "/")) : xstrdup(first);
    *ret_proto = slash ? slash + 1 : "tcp";
    return str_to_i64(first, ret_first) == 0 && str_to_i64(last, ret_last) == 0 && *ret_first >= 0 && *ret_last >= *ret_first && *ret_last <= 65535;
}

static bool any_range_has(const struct filters *filters, const char *key, int64_t number, const char *type)
{
    char *const *values = filters_get(filters, key);
    for (size_t i = 0; values && values[i]; i++) {
        int64_t first, last;
        const char *proto;
        if (parse_port_range(values[i], &first, &last, &proto) && first <= number && number <= last && str_eq(proto, type))
            return true;
    }
    return false;
}

/* publish looks at the host's ports, expose at the container's; what ps does not show is not there. */
static bool matches_ports(const struct listing *listing, const struct container *container)
{
    if (!filters_has(listing->filters, "publish") && !filters_has(listing->filters, "expose"))
        return true;
    struct container_summary shown = { .id = NULL };
    bool found = false;
    add_ports(container, &shown);
    for (size_t i = 0; i < shown.ports.count && !found; i++)
        found = any_range_has(listing->filters, "publish", shown.ports.items[i].public_port, shown.ports.items[i].type) ||
                any_range_has(listing->filters, "expose", shown.ports.items[i].private_port, shown.ports.items[i].type);
    codec_clear(&container_summary_type, &shown);
    return found;
}

static bool matches_ancestor(const struct listing *listing, const struct container_record *record)
{
    char *const *values = filters_get(listing->filters, "ancestor");
    for (size_t i = 0; values && values[i]; i++) {
        struct store_image *image;
        struct err ignored = { 0 };
        if (str_eq(values[i], record->image_ref))
            return true;
        if (store_image_find(listing->engine->store, values[i], &image, &ignored) < 0)
            continue;
        const struct store_image *own = store_image_get(listing->engine->store, record->image_id);
        size_t depth = strv_length(image->diff_ids);
        bool below = own && strv_length(own->diff_ids) >= depth && depth > 0;
        for (size_t n = 0; below && n < depth; n++)
            below = str_eq(own->diff_ids[n], image->diff_ids[n]);
        if (str_eq(image->id, record->image_id) || below)
            return true;
    }
    return !values;
}

static bool matches(const struct listing *listing, const struct container *container)
{
    const struct container_record *record = &container->record;
    const struct filters *filters = listing->filters;
    char code[24];
    AUTO_FREE char *slashed = str_format("/%s", record->name);
    const char *state = container_status_name((enum container_status_code)container->status.code);
    snprintf(code, sizeof code, "%lld", (long long)container->status.exit_code);
    if (record->hidden || listing->tasks_only || (!listing->all && !container_is_running(container)))
        return false;
    bool was_run = container->status.has_started && !container_is_running(container);
    if (filters_has(filters, "exited") && !(was_run && filters_match_exact(filters, "exited", code)))
        return false;
    if (filters_has(filters, "health") && !filters_match_exact(filters, "health", "none"))
        return false;
    if ((listing->before_ns && record->created_unix_ns >= listing->before_ns) || (listing->since_ns && record->created_unix_ns <= listing->since_ns))
        return false;
    return filters_match_exact(filters, "status", state) && (filters_match_any(filters, "name", slashed) || filters_match_any(filters, "name", record->name)) &&
           filters_match_prefix(filters, "id", record->id) && filters_match_labels(filters, "label", &record->config.labels) && matches_volume(listing, record) &&
           matches_network(listing, record) && matches_ancestor(listing, record) && matches_ports(listing, container);
}

static int check_words(const struct filters *filters, const char *key, const char *what, const char *const *words, struct err *err)
{
    char *const *values = filters_get(filters, key);
    for (size_t i = 0; values && values[i]; i++) {
        size_t n = 0;
        while (words[n] && !str_eq(words[n], values[i]))
            n++;
        if (!words[n]) {
            AUTO_BUF struct buf list = BUF_INIT(1024);
            for (n = 0; words[n]; n++)
                buf_printf(&list, "%s%s", n ? ", " : "", words[n]);
            return err_set(err, ERR_INVALID, "invalid filter '%s=%s': invalid value for %s (%s): must be one of %s", key, values[i], what, values[i], list.data);
        }
    }
    return 0;
}

static int check_values(const struct filters *filters, struct err *err)
{
    static const char *const states[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead", NULL };
    static const char *const healths[] = { "none", "starting", "healthy", "unhealthy", NULL };
    static const char *const port_keys[] = { "publish", "expose" };
    char *const *codes = filters_get(filters, "exited");
    int64_t first, last;
    const char *proto;
    for (size_t i = 0; codes && codes[i]; i++)
        if (str_to_i64(codes[i], &first) < 0)
            return err_set(err, ERR_INVALID, "invalid filter 'exited=%s': strconv.Atoi: parsing \"%s\": invalid syntax", codes[i], codes[i]);
    if (check_words(filters, "status", "state", states, err) < 0 || check_words(filters, "health", "health", healths, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(port_keys); i++) {
        char *const *ports = filters_get(filters, port_keys[i]);
        for (size_t n = 0; ports && ports[n]; n++)
            if (!parse_port_range(ports[n], &first, &last, &proto))
                return err_set(err, ERR_INVALID, "error while looking up for %s %s: not a port or a range of ports", port_keys[i], ports[n]);
    }
    return 0;
}

static int prepare_listing(struct listing *listing, struct err *err)
{
    static const char *const allowed[] = { "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network", "publish", "since", "status", "volume", NULL };
    static const char *const keys[] = { "before", "since" };
    int64_t *const bounds[] = { &listing->before_ns, &listing->since_ns };
    if (filters_check(listing->filters, allowed, err) < 0 || check_values(listing->filters, err) < 0 ||
        filters_get_bool(listing->filters, "is-task", false, &listing->tasks_only, err) < 0)
        return -1;
    if (filters_has(listing->filters, "status") || filters_has(listing->filters, "exited"))
        listing->all = true;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        char *const *named = filters_get(listing->filters, keys[i]);
        struct container *container = named ? container_find_locked(listing->engine, named[0], err) : NULL;
        if (named && !container)
            return -1;
        if (container)
            *bounds[i] = container->record.created_unix_ns;
    }
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct container *left = *(struct container *const *)a, *right = *(struct container *const *)b;
    return left->record.created_unix_ns < right->record.created_unix_ns ? 1 : left->record.created_unix_ns > right->record.created_unix_ns ? -1 : 0;
}

/* Walks the disk: with the lock dropped, the containers held by references. */
static int64_t *rw_sizes_unlocked(struct engine *engine, struct container **list, size_t count)
{
    int64_t *sizes = xcalloc(count + 1, sizeof *sizes);
    for (size_t i = 0; i < count; i++)
        container_ref_locked(list[i]);
    mutex_unlock(&engine->lock);
    for (size_t i = 0; i < count; i++)
        sizes[i] = rw_size(list[i]);
    mutex_lock(&engine->lock);
    return sizes;
}

/* Found, newest first, at most limit; the lock is held. Caller frees. */
static struct container **find_listed(const struct listing *listing, int64_t limit, size_t *ret_count)
{
    struct engine *engine = listing->engine;
    struct container **found = xcalloc(map_count(engine->containers) + 1, sizeof *found);
    size_t count = 0;
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);)
        if (matches(listing, value))
            found[count++] = value;
    qsort(found, count, sizeof *found, newest_first);
    *ret_count = limit > 0 && (size_t)limit < count ? (size_t)limit : count;
    return found;
}

int engine_container_list(struct engine *engine, bool all, int64_t limit, bool size, const struct filters *filters, struct buf *out, struct err *err)
{
    struct listing listing = { .engine = engine, .filters = filters, .all = all || limit > 0 };
    size_t count;
    mutex_lock(&engine->lock);
    if (prepare_listing(&listing, err) < 0) {
        mutex_unlock(&engine->lock);
        return -1;
    }
    AUTO_FREE struct container **found = find_listed(&listing, limit, &count);
    AUTO_FREE int64_t *sizes = size ? rw_sizes_unlocked(engine, found, count) : NULL;
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        struct container_summary summary;
        fill_summary(found[i], &summary);
        if (size) {
            summary.size_rw = sizes[i];
            summary.size_root_fs = sizes[i] + image_size_locked(found[i]);
            container_unref_locked(found[i]);
        }
        if (i)
            buf_putc(out, ',');
        codec_encode(&container_summary_type, &summary, out);
        codec_clear(&container_summary_type, &summary);
    }
    mutex_unlock(&engine->lock);
    buf_putc(out, ']');
    return 0;
}
