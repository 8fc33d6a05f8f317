#include "daemon/engine/internal.h"
#include "lib/base/id.h"
#include "lib/base/timefmt.h"

#include <stdio.h>

struct network_record *network_find_locked(struct engine *engine, const char *ref, struct err *err)
{
    struct network_record *found = map_get(engine->networks, ref);
    void *value;
    size_t matches = 0;
    if (found)
        return found;
    for (size_t cursor = 0; map_next(engine->networks, &cursor, NULL, &value);)
        if (str_eq(((struct network_record *)value)->record.name, ref))
            return value;
    for (size_t cursor = 0; !str_empty(ref) && map_next(engine->networks, &cursor, NULL, &value);) {
        struct network_record *network = value;
        if (str_starts(network->record.id, ref)) {
            found = network;
            matches++;
        }
    }
    if (matches > 1) {
        err_set(err, ERR_INVALID, "network %s is ambiguous (%zu matches found on ID prefix)", ref, matches);
        return NULL;
    }
    if (!found)
        err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
    return found;
}

const char *network_of_mode(const char *mode)
{
    if (str_empty(mode) || str_eq(mode, "default"))
        return "bridge";
    return str_starts(mode, "container:") ? NULL : mode;
}

static void network_record_free(struct network_record *network)
{
    codec_clear(&network_inspect_type, &network->record);
    free(network);
}

static uint64_t save_locked(struct engine *engine, const struct network_record *network)
{
    AUTO_FREE char *json = codec_encode_dup(&network_inspect_type, &network->record);
    return db_queue(engine->db, DB_FULL, "INSERT OR REPLACE INTO networks(id, record) VALUES(?, ?)", "ss", network->record.id, json);
}

/* "key=value" texts of a map, NULL-ended; caller frees. */
static char **pairs_of(const struct str_map *map)
{
    char **pairs = NULL;
    for (size_t i = 0; i < str_map_count(map); i++)
        strv_append_take(&pairs, str_format("%s=%s", map->keys[i], map->values[i]));
    return pairs;
}

static int bring_up(struct engine *engine, struct network_record *network, struct err *err)
{
    char **options = pairs_of(&network->record.options), **aux = NULL;
    const struct ipam_config *config = network->record.ipam.config.count ? &network->record.ipam.config.items[0] : NULL;
    for (size_t i = 0; config && i < str_map_count(&config->aux_addresses); i++)
        strv_append(&aux, config->aux_addresses.values[i]);
    bool is_default = str_eq(network->record.name, "bridge");
    struct network_spec spec = {
        .id = network->record.id, .name = network->record.name, .driver = str_eq(network->record.driver, "null") ? "none" : network->record.driver,
        .subnet = config ? config->subnet : NULL, .gateway = config ? config->gateway : NULL,
        .ip_range = config ? config->ip_range : NULL, .aux_addresses = (const char *const *)aux,
        .options = is_default ? NULL : (const char *const *)options, .internal = network->record.internal,
        .enable_ipv6 = network->record.enable_ipv6, .is_default = is_default,
    };
    int result = network_create(engine->net, &spec, &network->net, err);
    strv_free(options);
    strv_free(aux);
    return result;
}

/* What the room chose (subnet, gateway) goes into the record. */
static void note_choice(struct network_record *network)
{
    const struct network *net = network->net;
    if (!net->subnet[0] || network->record.ipam.config.count)
        return;
    struct ipam_config *config = list_add(&network->record.ipam.config);
    config->subnet = xstrdup(net->subnet);
    config->gateway = net->gateway[0] ? xstrdup(net->gateway) : NULL;
}

static int load_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    struct network_record *network = xcalloc(1, sizeof *network);
    const char *json = db_row_text(row, 0);
    if (!json || codec_decode(&network_inspect_type, json, strlen(json), &network->record, err) < 0) {
        free(network);
        return err_wrap(err, "load a network");
    }
    map_set(engine->networks, network->record.id, network);
    return 0;
}

static const struct builtin {
    const char *name, *driver;
} builtins[] = { { "bridge", "bridge" }, { "host", "host" }, { "none", "null" } };

static struct network_record *make_builtin(const struct builtin *builtin)
{
    struct network_record *network = xcalloc(1, sizeof *network);
    char id[ID_LENGTH + 1];
    id_new(id);
    network->record = (struct network_inspect){ .name = xstrdup(builtin->name), .id = xstrdup(id), .created = time_now_unix_ns(),
                                                .scope = xstrdup("local"), .driver = xstrdup(builtin->driver), .enable_ipv4 = true };
    network->record.ipam.driver = xstrdup("default");
    return network;
}

static struct network_record *find_named(struct engine *engine, const char *name)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->networks, &cursor, NULL, &value);)
        if (str_eq(((struct network_record *)value)->record.name, name))
            return value;
    return NULL;
}

int networks_load(struct engine *engine, struct err *err)
{
    void *value;
    if (db_each(engine->db, "SELECT record FROM networks ORDER BY rowid", load_row, engine, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        struct network_record *network = find_named(engine, builtins[i].name);
        if (str_eq(builtins[i].name, "bridge") && str_eq(engine->options.bridge, "none"))
            continue;
        if (!network) {
            network = make_builtin(&builtins[i]);
            map_set(engine->networks, network->record.id, network);
        }
        if (str_eq(builtins[i].name, "bridge") && engine->options.bip && network->record.ipam.config.count) {
            codec_clear(&ipam_type, &network->record.ipam); /* --bip decides anew */
            network->record.ipam.driver = xstrdup("default");
        }
        if (bring_up(engine, network, err) < 0)
            return err_wrap(err, "network %s", builtins[i].name);
        note_choice(network);
        if (str_eq(builtins[i].name, "bridge")) {
            char **options = network_default_options(network->net);
            str_map_clear(&network->record.options);
            for (size_t n = 0; options && options[n]; n++) {
                AUTO_FREE char *pair = xstrdup(options[n]);
                char *equals = strchr(pair, '=');
                if (equals)
                    *equals = '\0';
                str_map_set(&network->record.options, pair, equals ? equals + 1 : "");
            }
            strv_free(options);
        }
        (void)save_locked(engine, network);
    }
    for (size_t cursor = 0; map_next(engine->networks, &cursor, NULL, &value);) {
        struct network_record *network = value;
        struct err failure = { 0 };
        if (!network->net && bring_up(engine, network, &failure) < 0)
            log_error("network=%s cannot be brought up error=%s", network->record.name, failure.text);
    }
    return 0;
}

void networks_free(struct engine *engine)
{
    void *value;
    for (size_t cursor = 0; engine->networks && map_next(engine->networks, &cursor, NULL, &value);)
        network_record_free(value);
}

static void network_event_locked(struct engine *engine, const struct network_record *network, const char *action, const char *container)
{
    struct str_map attributes = { 0 };
    if (container)
        str_map_set(&attributes, "container", container);
    str_map_set(&attributes, "name", network->record.name);
    str_map_set(&attributes, "type", network->record.driver);
    event_publish_locked(engine, "network", action, network->record.id, &attributes, NULL, 0);
    str_map_clear(&attributes);
}

static int check_create(const struct network_create_request *request, struct err *err)
{
    if (str_empty(request->name))
        return err_set(err, ERR_INVALID, "network name is required");
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
        if (str_eq(request->name, builtins[i].name))
            return err_set(err, ERR_FORBIDDEN, "operation is not permitted on predefined %s network ", request->name);
    if (request->ingress)
        return err_set(err, ERR_FORBIDDEN, "Ingress network can only be global scope network");
    if (str_eq(request->scope, "swarm"))
        return err_set(err, ERR_FORBIDDEN, "cannot create a swarm scoped network when swarm is not active");
    if (str_eq(request->driver, "host") || str_eq(request->driver, "null"))
        return err_set(err, ERR_FORBIDDEN, "only one instance of \"%s\" network is allowed", request->driver);
    if (str_eq(request->driver, "overlay"))
        return err_set(err, ERR_UNAVAILABLE, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
    if (request->config_only || (request->config_from && !str_empty(request->config_from->network)))
        return err_set(err, ERR_UNSUPPORTED, "ConfigOnly and ConfigFrom networks are not supported");
    if (request->enable_ipv6.present && request->enable_ipv6.value)
        return err_set(err, ERR_UNSUPPORTED, "EnableIPv6: IPv6 networks are not supported yet");
    if (request->enable_ipv4.present && !request->enable_ipv4.value)
        return err_set(err, ERR_UNSUPPORTED, "EnableIPv4=false is not supported yet");
    if (request->ipam && !str_empty(request->ipam->driver) && !str_eq(request->ipam->driver, "default"))
        return err_set(err, ERR_UNSUPPORTED, "IPAM driver %s is not supported", request->ipam->driver);
    if (request->ipam && request->ipam->config.count > 1)
        return err_set(err, ERR_UNSUPPORTED, "IPAM: more than one address pool is not supported yet");
    return 0;
}

int engine_network_create(struct engine *engine, const struct network_create_request *request, struct network_create_response *ret, struct err *err)
{
    if (check_create(request, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    bool taken = find_named(engine, request->name) != NULL;
    mutex_unlock(&engine->lock);
    if (taken)
        return err_set(err, ERR_CONFLICT, "network with name %s already exists", request->name);
    struct builtin shape = { request->name, str_empty(request->driver) ? "bridge" : request->driver };
    struct network_record *network = make_builtin(&shape);
    network->record.internal = request->internal;
    network->record.attachable = request->attachable;
    str_map_copy(&network->record.options, &request->options);
    str_map_copy(&network->record.labels, &request->labels);
    if (request->ipam) {
        codec_clear(&ipam_type, &network->record.ipam);
        codec_copy(&ipam_type, &network->record.ipam, request->ipam);
        if (str_empty(network->record.ipam.driver)) {
            free(network->record.ipam.driver);
            network->record.ipam.driver = xstrdup("default");
        }
    }
    if (bring_up(engine, network, err) < 0) {
        network_record_free(network);
        return -1;
    }
    if (network->record.ipam.config.count == 1 && str_empty(network->record.ipam.config.items[0].gateway) && network->net->gateway[0]) {
        free(network->record.ipam.config.items[0].gateway);
        network->record.ipam.config.items[0].gateway = xstrdup(network->net->gateway);
    }
    note_choice(network);
    mutex_lock(&engine->lock);
    map_set(engine->networks, network->record.id, network);
    uint64_t ticket = save_locked(engine, network);
    network_event_locked(engine, network, "create", NULL);
    *ret = (struct network_create_response){ .id = xstrdup(network->record.id), .warning = xstrdup("") };
    mutex_unlock(&engine->lock);
    return db_wait(engine->db, ticket, err);
}

/* Endpoints of running containers, as inspect lists them. */
static void fill_containers(struct engine *engine, const struct network_record *network, struct network_inspect *ret)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        struct container *container = value;
        struct endpoint_settings *endpoint = obj_map_get(&container->record.networks, network->record.name);
        if (!endpoint || !container_is_running(container))
            continue;
        struct network_container *entry = obj_map_add(&ret->containers, container->record.id, sizeof *entry);
        *entry = (struct network_container){ .name = xstrdup(container->record.name), .endpoint_id = xstrdup(endpoint->endpoint_id ? endpoint->endpoint_id : ""),
                                             .mac_address = xstrdup(endpoint->mac_address ? endpoint->mac_address : ""), .ipv6_address = xstrdup("") };
        entry->ipv4_address = str_empty(endpoint->ip_address) ? xstrdup("") : str_format("%s/%lld", endpoint->ip_address, (long long)endpoint->ip_prefix_len);
    }
}

int engine_network_inspect(struct engine *engine, const char *ref, const char *scope, bool verbose, struct network_inspect *ret, struct err *err)
{
    (void)verbose; /* only swarm networks have more to tell */
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, ref, err);
    if (network && !str_empty(scope) && !str_eq(scope, network->record.scope)) {
        err_set(err, ERR_NOT_FOUND, "network %s not found", ref);
        network = NULL;
    }
    if (network) {
        codec_copy(&network_inspect_type, ret, &network->record);
        fill_containers(engine, network, ret);
    }
    mutex_unlock(&engine->lock);
    return network ? 0 : -1;
}

static bool list_matches(struct engine *engine, const struct filters *filters, const struct network_record *network, bool has_dangling, bool dangling)
{
    const struct network_inspect *record = &network->record;
    bool is_builtin = str_eq(record->name, "bridge") || str_eq(record->name, "host") || str_eq(record->name, "none");
    char *const *types = filters_get(filters, "type");
    for (size_t i = 0; types && types[i]; i++)
        if (str_eq(types[i], "builtin") != is_builtin)
            return false;
    if (has_dangling) {
        bool used = false;
        void *value;
        for (size_t cursor = 0; !used && map_next(engine->containers, &cursor, NULL, &value);)
            used = obj_map_get(&((struct container *)value)->record.networks, record->name) != NULL;
        if ((!used && !is_builtin) != dangling)
            return false;
    }
    return filters_match_any(filters, "name", record->name) && filters_match_any(filters, "id", record->id) &&
           filters_match_exact(filters, "driver", record->driver) && filters_match_exact(filters, "scope", record->scope) &&
           filters_match_labels(filters, "label", &record->labels);
}

int engine_network_list(struct engine *engine, const struct filters *filters, struct buf *out, struct err *err)
{
    static const char *const allowed[] = { "dangling", "driver", "id", "label", "name", "scope", "type", NULL };
    bool dangling = false;
    void *value;
    bool first = true;
    if (filters_check(filters, allowed, err) < 0 || filters_get_bool(filters, "dangling", false, &dangling, err) < 0)
        return -1;
    char *const *types = filters_get(filters, "type");
    for (size_t i = 0; types && types[i]; i++)
        if (!str_eq(types[i], "builtin") && !str_eq(types[i], "custom"))
            return err_set(err, ERR_INVALID, "invalid filter: 'type'='%s'", types[i]);
    buf_putc(out, '[');
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->networks, &cursor, NULL, &value);) {
        struct network_record *network = value;
        if (!list_matches(engine, filters, network, filters_has(filters, "dangling"), dangling))
            continue;
        if (!first)
            buf_putc(out, ',');
        first = false;
        codec_encode(&network_inspect_type, &network->record, out);
    }
    mutex_unlock(&engine->lock);
    buf_putc(out, ']');
    return 0;
}

static int remove_network(struct engine *engine, struct network_record *network, struct err *err)
{
    if (network->net && network_remove(network->net, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    map_remove(engine->networks, network->record.id);
    uint64_t ticket = db_queue(engine->db, DB_FULL, "DELETE FROM networks WHERE id = ?", "s", network->record.id);
    network_event_locked(engine, network, "destroy", NULL);
    mutex_unlock(&engine->lock);
    network_record_free(network);
    return db_wait(engine->db, ticket, err);
}

int engine_network_remove(struct engine *engine, const char *ref, struct err *err)
{
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, ref, err);
    if (network && (find_named(engine, "bridge") == network || str_eq(network->record.driver, "host") || str_eq(network->record.driver, "null"))) {
        err_set(err, ERR_FORBIDDEN, "%s is a pre-defined network and cannot be removed", network->record.name);
        network = NULL;
    }
    struct network_inspect users = { 0 };
    if (network)
        fill_containers(engine, network, &users);
    if (network && obj_map_count(&users.containers) > 0) {
        const struct network_container *one = users.containers.values[0];
        err_set(err, ERR_FORBIDDEN, "error while removing network: network %s has active endpoints (name:\"%s\" id:\"%.12s\")",
                network->record.name, one->name, one->endpoint_id);
        network = NULL;
    }
    codec_clear(&network_inspect_type, &users);
    mutex_unlock(&engine->lock);
    return network ? remove_network(engine, network, err) : -1;
}

int engine_network_prune(struct engine *engine, const struct filters *filters, struct buf *out, struct err *err)
{
    static const char *const allowed[] = { "label", "label!", "until", NULL };
    struct network_prune_response response = { 0 };
    char **names = NULL;
    void *value;
    int64_t until = INT64_MAX;
    char *const *limits = filters_get(filters, "until");
    if (filters_check(filters, allowed, err) < 0)
        return -1;
    if (limits && time_parse_docker(limits[0], time_now_unix_ns(), &until) < 0)
        return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", limits[0]);
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->networks, &cursor, NULL, &value);) {
        struct network_record *network = value;
        if (list_matches(engine, &(struct filters){ 0 }, network, true, true) && network->record.created < until &&
            filters_match_labels(filters, "label", &network->record.labels) && !filters_excludes_labels(filters, "label!", &network->record.labels))
            strv_append(&names, network->record.name);
    }
    mutex_unlock(&engine->lock);
    for (size_t i = 0; names && names[i]; i++) {
        struct err failure = { 0 };
        if (engine_network_remove(engine, names[i], &failure) == 0)
            strv_append(&response.networks_deleted, names[i]);
    }
    strv_free(names);
    codec_encode(&network_prune_response_type, &response, out);
    codec_clear(&network_prune_response_type, &response);
    return 0;
}
