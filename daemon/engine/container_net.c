/* A running container's networks: endpoints, namespace, published ports. The monitor keeps the namespace; addresses and ports are ours. */
#include "daemon/engine/internal.h"
#include "daemon/engine/monitor_link.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"

#include <arpa/inet.h>
#include <stdio.h>

static void net_free(struct container_net *net)
{
    if (!net)
        return;
    net_ports_release(net->publication);
    for (size_t i = 0; i < net->count; i++)
        net_endpoint_release(&net->endpoints[i]);
    free(net->endpoints);
    strv_free(net->names);
    free(net);
}

/* Forgets what an earlier run was given and keeps what was asked for. */
static void forget_given(struct endpoint_settings *settings)
{
    free(take_ptr(&settings->endpoint_id));
    free(take_ptr(&settings->gateway));
    free(take_ptr(&settings->ip_address));
    settings->ip_prefix_len = 0;
}

void container_network_down(struct container *container)
{
    struct engine *engine = container->engine;
    mutex_lock(&engine->lock);
    struct container_net *net = take_ptr(&container->net);
    for (size_t i = 0; net && i < net->count; i++) {
        struct endpoint_settings *settings = obj_map_get(&container->record.networks, net->names[i]);
        struct network_record *network = NULL;
        void *value;
        if (settings)
            forget_given(settings);
        for (size_t cursor = 0; !network && map_next(engine->networks, &cursor, NULL, &value);)
            if (((struct network_record *)value)->net == net->endpoints[i].network)
                network = value;
        if (network && !container->record.hidden) {
            struct str_map attributes = { 0 };
            str_map_set(&attributes, "container", container->record.id);
            str_map_set(&attributes, "name", network->record.name);
            str_map_set(&attributes, "type", network->record.driver);
            event_publish_locked(engine, "network", "disconnect", network->record.id, &attributes, NULL, 0);
            str_map_clear(&attributes);
        }
    }
    mutex_unlock(&engine->lock);
    net_free(net);
}

static void note_given(struct container *container, const char *name, const struct network_record *network, const struct net_endpoint *endpoint)
{
    struct endpoint_settings *settings = obj_map_add(&container->record.networks, name, sizeof *settings);
    char *const fresh[] = { xstrdup(network->record.id), xstrdup(endpoint->id), xstrdup(endpoint->gateway), xstrdup(endpoint->address), xstrdup(endpoint->mac) };
    char **const slots[] = { &settings->network_id, &settings->endpoint_id, &settings->gateway, &settings->ip_address, &settings->mac_address };
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
        free(*slots[i]);
        *slots[i] = fresh[i];
    }
    settings->ip_prefix_len = endpoint->prefix;
    str_map_set(&container->status.host_ifs, name, endpoint->host_if);
}

static void connect_event_locked(struct container *container, const struct network_record *network)
{
    struct str_map attributes = { 0 };
    if (container->record.hidden)
        return;
    str_map_set(&attributes, "container", container->record.id);
    str_map_set(&attributes, "name", network->record.name);
    str_map_set(&attributes, "type", network->record.driver);
    event_publish_locked(container->engine, "network", "connect", network->record.id, &attributes, NULL, 0);
    str_map_clear(&attributes);
}

/* One endpoint, new or restored. The engine's lock is not held. */
static int make_endpoint(struct container *container, const char *name, int number, bool restore, struct net_endpoint *ret, struct err *err)
{
    struct engine *engine = container->engine;
    char id[ID_LENGTH + 1];
    id_new(id);
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, name, err);
    struct endpoint_settings *settings = network ? obj_map_get(&container->record.networks, name) : NULL;
    struct network *net = network ? network->net : NULL;
    const char *asked = settings && settings->ipam_config ? settings->ipam_config->ipv4_address : NULL;
    AUTO_FREE char *address = xstrdup(restore && settings ? settings->ip_address : asked);
    AUTO_FREE char *mac = xstrdup(settings && (restore || !str_empty(settings->mac_address)) ? settings->mac_address : NULL);
    AUTO_FREE char *old_id = xstrdup(restore && settings ? settings->endpoint_id : NULL);
    AUTO_FREE char *host_if = xstrdup(restore ? str_map_get(&container->status.host_ifs, name) : NULL);
    mutex_unlock(&engine->lock);
    if (!network)
        return -1;
    if (!net)
        return err_set(err, ERR_INTERNAL, "network %s is not up", name);
    struct net_endpoint_spec spec = { .id = str_empty(old_id) ? id : old_id, .address = str_empty(address) ? NULL : address,
                                      .mac = str_empty(mac) ? NULL : mac, .host_if = host_if, .if_number = number };
    int made = restore ? net_endpoint_restore(net, &spec, ret, err) : net_endpoint_create(net, &spec, ret, err);
    if (made < 0)
        return -1;
    mutex_lock(&engine->lock);
    network = network_find_locked(engine, name, err);
    if (network) {
        note_given(container, name, network, ret);
        if (!restore)
            connect_event_locked(container, network);
    }
    mutex_unlock(&engine->lock);
    return 0;
}

/* PortBindings (and -P) as the wanted list. */
static int wanted_ports(const struct container_record *record, struct net_port **ret, size_t *ret_count, struct err *err)
{
    const struct host_config *host = &record->host_config;
    size_t count = 0;
    struct net_port *ports = NULL;
    for (size_t i = 0; i < obj_map_count(&host->port_bindings); i++) {
        const struct port_binding_list *list = host->port_bindings.values[i];
        for (size_t n = 0; list && n < list->count; n++) {
            struct net_port port = { 0 };
            if (net_port_parse(host->port_bindings.keys[i], &port.proto, &port.container_port, err) < 0 ||
                net_port_parse_host(list->items[n].host_ip, list->items[n].host_port, &port, err) < 0) {
                free(ports);
                return -1;
            }
            ports = xreallocarray(ports, count + 1, sizeof *ports);
            ports[count++] = port;
        }
    }
    for (size_t i = 0; host->publish_all_ports && record->config.exposed_ports && record->config.exposed_ports[i]; i++) {
        struct net_port port = { 0 };
        if (obj_map_get(&host->port_bindings, record->config.exposed_ports[i]) ||
            net_port_parse(record->config.exposed_ports[i], &port.proto, &port.container_port, err) < 0)
            continue;
        ports = xreallocarray(ports, count + 1, sizeof *ports);
        ports[count++] = port;
    }
    *ret = ports;
    *ret_count = count;
    return 0;
}

int container_check_ports(const struct container_record *record, struct err *err)
{
    struct net_port *ports;
    size_t count;
    if (wanted_ports(record, &ports, &count, err) < 0)
        return -1;
    free(ports);
    return 0;
}

static void note_ports_locked(struct container *container, const struct net_publication *publication)
{
    size_t count;
    const struct net_port *bound = net_publication_ports(publication, &count);
    obj_map_clear_ports(&container->status.ports);
    for (size_t i = 0; i < count; i++) {
        char key[16], number[8];
        net_port_key(&bound[i], key);
        snprintf(number, sizeof number, "%u", bound[i].host_port);
        struct port_binding_list *list = obj_map_add(&container->status.ports, key, sizeof *list);
        list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
        list->items[list->count++] = (struct port_binding){ xstrdup(bound[i].host_ip), xstrdup(number) };
    }
}

/* A restored publication asks for exactly what was bound before. */
static int bound_ports(const struct container *container, struct net_port **ret, size_t *ret_count, struct err *err)
{
    struct container_record as_before = { .host_config.port_bindings = container->status.ports };
    return wanted_ports(&as_before, ret, ret_count, err);
}

static int publish(struct container *container, struct container_net *net, bool restore, struct err *err)
{
    struct engine *engine = container->engine;
    AUTO_FREE struct net_port *ports = NULL;
    size_t count = 0, which = 0;
    int parsed = restore ? bound_ports(container, &ports, &count, err) : wanted_ports(&container->record, &ports, &count, err);
    if (parsed < 0 || count == 0)
        return parsed;
    while (which < net->count && (!net->endpoints[which].address[0] || net->endpoints[which].network->internal))
        which++;
    if (which == net->count)
        return 0; /* host and none: Docker ignores published ports there too */
    struct net_publish_owner owner = { container->record.id, container->record.name };
    if (net_ports_publish(&net->endpoints[which], &owner, ports, count, &net->publication, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    note_ports_locked(container, net->publication);
    mutex_unlock(&engine->lock);
    return 0;
}

static int make_endpoints(struct container *container, struct container_net *net, bool restore, struct err *err)
{
    mutex_lock(&container->engine->lock);
    net->names = strv_dup(container->record.networks.keys);
    mutex_unlock(&container->engine->lock);
    size_t wanted = strv_length(net->names);
    net->endpoints = xcalloc(wanted + 1, sizeof *net->endpoints);
    for (size_t i = 0; i < wanted; i++, net->count++)
        if (make_endpoint(container, net->names[i], (int)i, restore, &net->endpoints[i], err) < 0)
            return -1;
    return 0;
}

int container_network_up(struct container *container, int *ret_netns_fd, struct err *err)
{
    struct engine *engine = container->engine;
    const char *mode = container->record.host_config.network_mode;
    *ret_netns_fd = -1;
    container_network_down(container);
    if (str_starts(mode ? mode : "", "container:"))
        return 0;
    struct container_net *net = xcalloc(1, sizeof *net);
    int netns_fd = -1;
    int result = make_endpoints(container, net, false, err);
    struct net_endpoint *with_address[16];
    size_t count = 0;
    for (size_t i = 0; i < net->count && count < ARRAY_SIZE(with_address); i++)
        if (net->endpoints[i].address[0])
            with_address[count++] = &net->endpoints[i];
    if (result == 0 && count > 0)
        result = net_sandbox_create(engine->net, with_address, count, NULL, &netns_fd, err);
    if (result == 0)
        result = publish(container, net, false, err);
    if (result < 0) {
        fd_close(netns_fd);
        net_free(net);
        return -1;
    }
    mutex_lock(&engine->lock);
    container->net = net;
    mutex_unlock(&engine->lock);
    *ret_netns_fd = netns_fd;
    return 0;
}

void container_network_restore(struct container *container)
{
    struct err err = { 0 };
    const char *mode = container->record.host_config.network_mode;
    if (str_starts(mode ? mode : "", "container:"))
        return;
    struct container_net *net = xcalloc(1, sizeof *net);
    if (make_endpoints(container, net, true, &err) < 0 || publish(container, net, true, &err) < 0)
        log_warn("container=%.12s network cannot be restored error=%s", container->record.id, err.text);
    mutex_lock(&container->engine->lock);
    container->net = net;
    mutex_unlock(&container->engine->lock);
}

/* ---- connect and disconnect ---- */

static int check_connect(struct container *container, const struct network_record *network, struct err *err)
{
    const char *mode = container->record.host_config.network_mode;
    if (str_eq(network->record.driver, "host"))
        return err_set(err, ERR_INVALID, "cannot connect container to host network - container must be created in host network mode");
    if (str_eq(mode, "host"))
        return err_set(err, ERR_FORBIDDEN, "container cannot be connected to network '%s': conflicts with the host network", network->record.name);
    if (str_starts(mode ? mode : "", "container:"))
        return err_set(err, ERR_INVALID, "container sharing network namespace with another container or host cannot be connected to any other network");
    if (obj_map_get(&container->record.networks, network->record.name))
        return err_set(err, ERR_FORBIDDEN, "endpoint with name %s already exists in network %s", container->record.name, network->record.name);
    return 0;
}

static int attach_running(struct container *container, const char *name, struct err *err)
{
    struct engine *engine = container->engine;
    struct net_endpoint endpoint;
    struct mon_get_fds wanted = { .bits = MON_FDS_NS_NET };
    struct monitor_reply reply;
    mutex_lock(&engine->lock);
    size_t number = container->net ? container->net->count : 0;
    mutex_unlock(&engine->lock);
    if (make_endpoint(container, name, (int)number, false, &endpoint, err) < 0)
        return -1;
    int result = monitor_request(engine->options.exec_root, container->record.id, MON_GET_FDS, &wanted, sizeof wanted, NULL, 0, &reply, err);
    if (result == 0 && reply.fd_count > 0)
        result = net_sandbox_attach(engine->net, reply.fds[0], &endpoint, number == 0, err);
    monitor_reply_done(&reply);
    if (result < 0) {
        net_endpoint_release(&endpoint);
        return -1;
    }
    mutex_lock(&engine->lock);
    if (!container->net)
        container->net = xcalloc(1, sizeof *container->net);
    struct container_net *net = container->net;
    net->endpoints = xreallocarray(net->endpoints, net->count + 1, sizeof *net->endpoints);
    net->endpoints[net->count++] = endpoint;
    strv_append(&net->names, name);
    mutex_unlock(&engine->lock);
    return 0;
}

int engine_network_connect(struct engine *engine, const char *ref, const char *container_ref, const struct endpoint_settings *settings, struct err *err)
{
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, ref, err);
    struct container *found = network ? container_find_locked(engine, container_ref, err) : NULL;
    AUTO_FREE char *name = network ? xstrdup(network->record.name) : NULL;
    if (found && check_connect(found, network, err) < 0)
        found = NULL;
    if (found) {
        found->refs++;
        struct endpoint_settings *mine = obj_map_add(&found->record.networks, name, sizeof *mine);
        if (settings)
            codec_copy(&endpoint_settings_type, mine, settings);
    }
    mutex_unlock(&engine->lock);
    CLEANUP(container_unref) struct container *container = found;
    if (!container)
        return -1;
    int result = container_is_running(container) ? attach_running(container, name, err) : 0;
    mutex_lock(&engine->lock);
    if (result < 0)
        record_drop_network(&container->record, name);
    uint64_t ticket;
    container_save_record_locked(container, &ticket);
    mutex_unlock(&engine->lock);
    return result < 0 ? -1 : db_wait(engine->db, ticket, err);
}

static void detach_running(struct container *container, const char *name)
{
    struct engine *engine = container->engine;
    struct net_endpoint gone;
    struct err err = { 0 };
    bool found = false;
    mutex_lock(&engine->lock);
    struct container_net *net = container->net;
    for (size_t i = 0; net && i < net->count && !found; i++) {
        if (!str_eq(net->names[i], name))
            continue;
        gone = net->endpoints[i];
        memmove(&net->endpoints[i], &net->endpoints[i + 1], (net->count - i - 1) * sizeof gone);
        strv_remove(net->names, name);
        net->count--;
        found = true;
    }
    mutex_unlock(&engine->lock);
    if (!found)
        return;
    if (gone.address[0] && net_sandbox_detach(engine->net, &gone, &err) < 0)
        log_warn("container=%.12s network=%s detach error=%s", container->record.id, name, err.text);
    net_endpoint_release(&gone);
}

int engine_network_disconnect(struct engine *engine, const char *ref, const char *container_ref, bool force, struct err *err)
{
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, ref, err);
    struct container *found = network ? container_find_locked(engine, container_ref, err) : NULL;
    AUTO_FREE char *name = network ? xstrdup(network->record.name) : NULL;
    if (found && !obj_map_get(&found->record.networks, name)) {
        err_set(err, ERR_FORBIDDEN, "container %s is not connected to network %s", found->record.id, name);
        found = NULL;
    }
    if (found)
        found->refs++;
    mutex_unlock(&engine->lock);
    CLEANUP(container_unref) struct container *container = found;
    (void)force; /* our endpoints are never stale: nothing is left to force */
    if (!container)
        return -1;
    if (container_is_running(container))
        detach_running(container, name);
    mutex_lock(&engine->lock);
    record_drop_network(&container->record, name);
    struct str_map attributes = { 0 };
    str_map_set(&attributes, "container", container->record.id);
    str_map_set(&attributes, "name", name);
    event_publish_locked(engine, "network", "disconnect", network->record.id, &attributes, NULL, 0);
    str_map_clear(&attributes);
    uint64_t ticket;
    container_save_record_locked(container, &ticket);
    mutex_unlock(&engine->lock);
    return db_wait(engine->db, ticket, err);
}
