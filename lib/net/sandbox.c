/* Theory of operation: a thread of its own makes or enters the namespace, does everything there, and ends; no other thread ever
 * changes its namespace, so a failure cannot leave one in a foreign place. The veth is made from the host's socket with the peer born
 * inside; deleting links is slow, so an abandoned namespace is just closed and the kernel's worker removes both ends. */
#include "lib/net/sandbox.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include "lib/sys/rtnl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define THREAD_STACK (256 << 10)
#define LOOPBACK_INDEX 1
#define V6_DEFAULT "/proc/sys/net/ipv6/conf/default/disable_ipv6"

struct job {
    struct net *net;
    struct net_endpoint *const *endpoints;
    size_t count;
    size_t gateway; /* index of the endpoint with the default route; count: none */
    int netns_fd;   /* -1: make one */
    bool make;
    int result;
    struct err *err;
};

static int veth_make(struct net *net, struct net_endpoint *endpoint, int netns_fd, struct err *err)
{
    const struct network *network = endpoint->network;
    uint8_t mac[6];
    if (endpoint_mac_parse(endpoint->mac, mac) < 0)
        return err_set(err, ERR_INVALID, "%s is not a valid mac address", endpoint->mac);
    int failed = -EEXIST;
    mutex_lock(&net->rtnl_lock);
    for (int attempt = 0; attempt < 16 && failed == -EEXIST; attempt++) {
        if (attempt > 0)
            endpoint_name_veth(net, endpoint);
        failed = rtnl_veth_create(net->rtnl, endpoint->host_if, network->bridge_index, endpoint->container_if, mac, netns_fd, network->mtu);
        if (failed == -EEXIST && rtnl_link_index(net->rtnl, endpoint->host_if) < 0)
            break; /* it is the name inside that exists */
    }
    mutex_unlock(&net->rtnl_lock);
    return failed ? err_sys(err, failed, "create veth %s on bridge %s", endpoint->host_if, network->bridge) : 0;
}

static int endpoint_plug(struct job *job, struct net_endpoint *endpoint, int inside, bool default_route)
{
    if (!endpoint->network || !endpoint->network->driver->has_addresses)
        return 0;
    if (veth_make(job->net, endpoint, job->netns_fd, job->err) < 0)
        return -1;
    int index = rtnl_link_index(inside, endpoint->container_if);
    if (index < 0)
        return err_sys(job->err, index, "find %s in the container's network", endpoint->container_if);
    struct in_addr address, gateway;
    inet_pton(AF_INET, endpoint->address, &address);
    int failed = rtnl_addr_add(inside, index, AF_INET, &address, endpoint->prefix);
    if (failed == 0)
        failed = rtnl_link_up(inside, index);
    if (failed)
        return err_sys(job->err, failed, "give %s the address %s", endpoint->container_if, endpoint->address);
    if (!default_route || inet_pton(AF_INET, endpoint->gateway, &gateway) != 1)
        return 0;
    failed = rtnl_route_add_default(inside, index, AF_INET, &gateway);
    return failed ? err_sys(job->err, failed, "set the default route to %s", endpoint->gateway) : 0;
}

static int namespace_enter(struct job *job)
{
    if (!job->make)
        return setns(job->netns_fd, CLONE_NEWNET) < 0 ? err_sys(job->err, errno, "enter the container's network") : 0;
    if (unshare(CLONE_NEWNET) < 0)
        return err_sys(job->err, errno, "create a network namespace");
    job->netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return job->netns_fd < 0 ? err_sys(job->err, errno, "open the network namespace") : 0;
}

static int sandbox_build(struct job *job)
{
    if (namespace_enter(job) < 0)
        return -1;
    AUTO_FD int inside = rtnl_open();
    if (inside < 0)
        return err_sys(job->err, inside, "open a netlink socket in the container's network");
    int failed = job->make ? rtnl_link_up(inside, LOOPBACK_INDEX) : 0;
    if (failed)
        return err_sys(job->err, failed, "bring up the loopback interface");
    /* Our networks are IPv4: their interfaces are born without IPv6 (no link-local address, no router advertisements heard). */
    char before[8] = "0";
    bool v6 = net_sysctl_read(V6_DEFAULT, before, sizeof(before)) == 0;
    if (v6 && job->count)
        net_sysctl_write(V6_DEFAULT, "1");
    for (size_t i = 0; i < job->count && failed == 0; i++)
        failed = endpoint_plug(job, job->endpoints[i], inside, i == job->gateway);
    if (v6 && job->count)
        net_sysctl_write(V6_DEFAULT, before);
    return failed;
}

static void *sandbox_thread(void *arg)
{
    struct job *job = arg;
    job->result = sandbox_build(job);
    return NULL;
}

static int job_run(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    int failed = pthread_create(&thread, &attr, sandbox_thread, job);
    pthread_attr_destroy(&attr);
    if (failed)
        return err_sys(job->err, failed, "start a thread for the container's network");
    pthread_join(thread, NULL);
    return job->result;
}

int net_sandbox_create(struct net *net, struct net_endpoint *const *endpoints, size_t count, const struct net_sandbox_options *options,
                       int *ret_netns_fd, struct err *err)
{
    struct job job = { .net = net, .endpoints = endpoints, .count = count, .gateway = options ? options->gateway_endpoint : 0,
                       .netns_fd = -1, .make = true, .err = err };
    if (job_run(&job) < 0) {
        fd_close(job.netns_fd);
        return -1;
    }
    *ret_netns_fd = job.netns_fd;
    return 0;
}

int net_sandbox_attach(struct net *net, int netns_fd, struct net_endpoint *endpoint, bool default_route, struct err *err)
{
    struct net_endpoint *one[] = { endpoint };
    struct job job = { .net = net, .endpoints = one, .count = 1, .gateway = default_route ? 0 : 1, .netns_fd = netns_fd, .err = err };
    if (job_run(&job) == 0)
        return 0;
    struct err ignored = { 0 };
    net_sandbox_detach(net, endpoint, &ignored); /* half plugged in */
    return -1;
}

int net_sandbox_detach(struct net *net, struct net_endpoint *endpoint, struct err *err)
{
    if (!endpoint->host_if[0])
        return 0;
    mutex_lock(&net->rtnl_lock);
    int index = rtnl_link_index(net->rtnl, endpoint->host_if);
    int failed = index == -ENODEV ? 0 : index < 0 ? index : rtnl_link_delete(net->rtnl, index);
    mutex_unlock(&net->rtnl_lock);
    return failed && failed != -ENODEV ? err_sys(err, failed, "remove interface %s", endpoint->host_if) : 0;
}
