/* Readers of fixed layouts: plans, monitor packets and facts, job frames, the frames of attach streams. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/http/http.h"
#include "lib/jobs/jobs.h"
#include "lib/plan/monitor.h"
#include "lib/plan/plan.h"
#include "tests/fuzz/targets.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static bool put_seed(const void *bytes, size_t length, unsigned char *room, size_t size, size_t *ret_length)
{
    *ret_length = MIN(length, size);
    memcpy(room, bytes, *ret_length);
    return true;
}

/* ---- plans ---- */

static const char *const argv[] = { "/bin/sh", "-c", "", NULL }, *const env[] = { "A=b", "PATH=/bin", NULL }, *const paths[] = { "/proc/kcore", "/sys/firmware", NULL };
static const struct plan_mount mounts[] = { { .kind = PLAN_MOUNT_PROC, .target = "/proc", .source = "proc", .flags = 7 },
                                            { .kind = PLAN_MOUNT_BIND, .target = "/x", .source = "/y", .data = "" } };
static const struct plan_device_rule rules[] = { { 1, 'c', -1, 3, 7 }, { 0, 'a', -1, -1, 7 } };
static const struct plan_device devices[] = { { .path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .mode = 0666 } };
static const struct plan_rlimit rlimits[] = { { 7, 1024, UINT64_MAX } };
static const struct plan_sysctl sysctls[] = { { "net.ipv4.ip_forward", "0" } };
static const struct plan_cgroup_write writes[] = { { "memory", "memory.max", "5", 1 } };

static struct plan sample(void)
{
    return (struct plan){
        .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .name = "web", .hostname = "web", .container_dir = "/d", .cgroup_path = "/holk/x",
        .lowers = paths, .upper = "/u", .work = "/w", .ns_mode = { [PLAN_NS_PID] = PLAN_NS_NEW, [PLAN_NS_NET] = PLAN_NS_JOIN }, .mounts = mounts, .mount_count = 2,
        .device_rules = rules, .device_rule_count = 2, .devices = devices, .device_count = 1, .masked_paths = paths, .readonly_paths = paths, .sysctls = sysctls,
        .sysctl_count = 1, .cgroup_writes = writes, .cgroup_write_count = 1, .log_path = "/l", .log_attrs = "{}", .log_max_files = 3,
        .process = { .argv = argv, .env = env, .cwd = "/", .user = "0:0", .rlimits = rlimits, .rlimit_count = 1, .seccomp = (const uint8_t *)"12345678", .seccomp_length = 8 },
    };
}

static size_t length_of(const char *const *list)
{
    size_t total = 0;
    for (size_t i = 0; list && list[i]; i++)
        total += strlen(list[i]);
    return total;
}

/* Touches what a reader would touch. */
static size_t touch(const struct plan *plan)
{
    const char *const texts[] = { plan->id, plan->name, plan->hostname, plan->domainname, plan->container_dir, plan->upper, plan->work, plan->rootfs,
                                  plan->cgroup_path, plan->log_path, plan->log_attrs, plan->process.cwd, plan->process.user, plan->process.apparmor };
    size_t total = length_of(plan->lowers) + length_of(plan->masked_paths) + length_of(plan->readonly_paths) + length_of(plan->process.argv) +
                   length_of(plan->process.env) + length_of(plan->process.group_add);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        total += texts[i] ? strlen(texts[i]) : 0;
    for (size_t i = 0; i < plan->mount_count; i++)
        total += (plan->mounts[i].source ? strlen(plan->mounts[i].source) : 0) + (plan->mounts[i].target ? strlen(plan->mounts[i].target) : 0);
    for (size_t i = 0; i < plan->device_count; i++)
        total += plan->devices[i].path ? strlen(plan->devices[i].path) : 0;
    for (size_t i = 0; i < plan->sysctl_count; i++)
        total += (plan->sysctls[i].key ? strlen(plan->sysctls[i].key) : 0) + (plan->sysctls[i].value ? strlen(plan->sysctls[i].value) : 0);
    for (size_t i = 0; i < plan->cgroup_write_count; i++)
        total += plan->cgroup_writes[i].file ? strlen(plan->cgroup_writes[i].file) : 0;
    for (size_t i = 0; i < plan->process.seccomp_length; i++)
        total += plan->process.seccomp[i];
    return total;
}

static void run_plan(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *exact = xmemdup(bytes, length ? length : 1);
    AUTO_BUF struct buf out = BUF_INIT(PLAN_MAX);
    struct plan_view view, again;
    struct err err = { 0 };
    if (plan_decode(exact, length, &view, &err) < 0) {
        PROMISE(err.text[0]);
        return;
    }
    size_t touched = touch(&view.plan);
    plan_encode(&view.plan, &out);
    PROMISE(plan_decode(out.data, out.length, &again, &err) == 0);
    PROMISE(touch(&again.plan) == touched);
    plan_done(&again);
    plan_done(&view);
}

static bool seed_plan(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    AUTO_BUF struct buf out = BUF_INIT(PLAN_MAX);
    struct plan plan = sample();
    if (n == 0)
        plan_encode(&plan, &out);
    else if (n == 1)
        plan_encode(&(struct plan){ .id = "x" }, &out);
    return n < 2 && put_seed(out.data, out.length, room, size, ret_length);
}

static void run_process(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *exact = xmemdup(bytes, length ? length : 1);
    struct plan_process_view view;
    struct err err = { 0 };
    if (plan_process_decode(exact, length, &view, &err) < 0)
        return;
    PROMISE(touch(&(struct plan){ .process = view.process }) < (size_t)1 << 40);
    plan_process_done(&view);
}

static bool seed_process(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    AUTO_BUF struct buf out = BUF_INIT(PLAN_MAX);
    struct plan plan = sample();
    plan_process_encode(&plan.process, &out);
    return n == 0 && put_seed(out.data, out.length, room, size, ret_length);
}

/* ---- what comes over sockets ---- */

static void run_packet(const unsigned char *bytes, size_t length)
{
    int pair[2];
    static char packet[MON_PACKET_MAX];
    struct mon_header header;
    const void *body;
    int fds[4];
    size_t fd_count = ARRAY_SIZE(fds);
    PROMISE(fd_socketpair(SOCK_SEQPACKET, pair) == 0);
    if (length && send(pair[0], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        length = 0;
    close(pair[0]);
    ssize_t got = mon_recv(pair[1], packet, &header, &body, fds, &fd_count);
    if (got >= 0) {
        PROMISE(header.magic == MON_MAGIC && (size_t)got == header.length && (size_t)got + sizeof header == length && fd_count == 0);
        struct mon_err failure = { 0 };
        struct err err;
        memcpy(&failure, body, MIN((size_t)got, sizeof failure));
        mon_err_unpack(&failure, &err);
        PROMISE(memchr(err.text, 0, sizeof err.text) != NULL);
    }
    close(pair[1]);
}

static bool seed_packet(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    struct {
        struct mon_header header;
        struct mon_err failure;
    } packet = { { MON_MAGIC, MON_REPLY, 0, 7, sizeof(struct mon_err) }, { 0 } };
    struct err err = { .kind = ERR_CONFLICT, .text = "no" };
    mon_err_pack(&err, &packet.failure);
    return n == 0 && put_seed(&packet, sizeof packet, room, size, ret_length);
}

static void on_fact(const struct mon_fact *fact, void *arg)
{
    PROMISE(fact->magic == MON_MAGIC && fact->sum == mon_fact_sum(fact));
    ++*(size_t *)arg;
}

static void run_facts(const unsigned char *bytes, size_t length)
{
    int fd = memfd_create("facts", MFD_CLOEXEC);
    size_t count = 0;
    PROMISE(fd >= 0 && io_write_all(fd, bytes, length) == 0);
    int64_t got = mon_facts_read(fd, 0, on_fact, &count);
    PROMISE(got < 0 || (size_t)got == count);
    (void)mon_facts_read(fd, 1, on_fact, &count);
    close(fd);
}

static bool seed_facts(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    struct mon_fact facts[3];
    memset(facts, 0, sizeof facts);
    for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
        facts[i].magic = MON_MAGIC;
        facts[i].kind = (uint32_t)(MON_FACT_START + i);
        facts[i].number = i;
        facts[i].sum = mon_fact_sum(&facts[i]);
    }
    return n == 0 && put_seed(facts, sizeof facts, room, size, ret_length);
}

static void run_job(const unsigned char *bytes, size_t length)
{
    int pair[2];
    struct err err = { 0 };
    PROMISE(fd_socketpair(SOCK_STREAM, pair) == 0);
    PROMISE(send(pair[0], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length);
    close(pair[0]);
    for (;;) {
        AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
        if (job_recv(pair[1], &message, &err) < 0)
            break;
        PROMISE(message.json && strlen(message.json) <= message.json_length);
        if (message.type == JOB_FAILED || message.type == JOB_REPLY_ERR)
            (void)job_message_err(&message, &err);
    }
    close(pair[1]);
}

static bool seed_job(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    int pair[2];
    struct err err = { 0 }, failure = { .kind = ERR_NOT_FOUND, .text = "no" };
    if (n > 0 || fd_socketpair(SOCK_STREAM, pair) < 0)
        return false;
    PROMISE(job_send(pair[0], JOB_PROGRESS, 0, NULL, NULL, NULL, 0, &err) == 0 && job_send_err(pair[0], JOB_FAILED, 3, &failure, &err) == 0);
    close(pair[0]);
    *ret_length = (size_t)io_read_full(pair[1], room, size);
    close(pair[1]);
    return true;
}

static void run_frames(const unsigned char *bytes, size_t length)
{
    struct stream_frames frames = { 0 };
    struct err err = { 0 };
    const char *at = (const char *)bytes, *piece;
    size_t left = length, piece_length, total = 0;
    int stream, got;
    while ((got = stream_frames_next(&frames, &at, &left, &stream, &piece, &piece_length, &err)) == 1) {
        PROMISE(stream >= 0 && stream <= 3 && piece >= (const char *)bytes && piece + piece_length <= (const char *)bytes + length);
        total += piece_length;
    }
    PROMISE(got < 0 || left == 0);
    PROMISE(total <= length);
}

static bool seed_frames(size_t n, unsigned char *room, size_t size, size_t *ret_length)
{
    unsigned char bytes[32] = { 0 };
    stream_frame_head(bytes, 1, 5);
    memcpy(bytes + 8, "hello", 5);
    stream_frame_head(bytes + 13, 2, 3);
    memcpy(bytes + 21, "err", 3);
    return n == 0 && put_seed(bytes, 24, room, size, ret_length);
}

const struct fuzz_target fuzz_binary_targets[] = {
    { "plan", run_plan, NULL, seed_plan, NULL },
    { "process", run_process, NULL, seed_process, NULL },
    { "monitor_packet", run_packet, NULL, seed_packet, NULL },
    { "monitor_facts", run_facts, NULL, seed_facts, NULL },
    { "job_frames", run_job, NULL, seed_job, NULL },
    { "stream_frames", run_frames, NULL, seed_frames, NULL },
    { NULL, NULL, NULL, NULL, NULL },
};
