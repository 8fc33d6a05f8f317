#include "lib/plan/plan.h"

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/test.h"
#include <stddef.h>
#include "lib/plan/monitor.h"

#include <sys/socket.h>
#include <unistd.h>

static const char *const argv[] = { "/bin/sh", "-c", "", NULL }, *const env[] = { "A=b", NULL };
static const struct plan_mount mounts[] = { { .kind = PLAN_MOUNT_PROC, .target = "/proc", .source = "proc", .flags = 7 },
                                            { .kind = PLAN_MOUNT_BIND, .target = "/x", .source = "/y", .data = "" } };
static const struct plan_device_rule rules[] = { { 1, 'c', -1, 3, 7 } };
static const struct plan_rlimit rlimits[] = { { 7, 1024, UINT64_MAX } };

static struct plan sample(void)
{
    return (struct plan){
        .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .name = "web", .container_dir = "/d", .cgroup_path = "/holk/x",
        .ns_mode = { [PLAN_NS_PID] = PLAN_NS_NEW, [PLAN_NS_NET] = PLAN_NS_JOIN }, .ns_slot = { [PLAN_NS_NET] = 2 },
        .mounts = mounts, .mount_count = 2, .device_rules = rules, .device_rule_count = 1, .log_max_size = 1ULL << 40,
        .process = { .argv = argv, .env = env, .caps_bounding = 0xa80425fb, .rlimits = rlimits, .rlimit_count = 1, .oom_score_adj = -5,
                     .seccomp = (const uint8_t *)"12345678", .seccomp_length = 8 },
    };
}

TEST(round_trip)
{
    struct plan plan = sample();
    AUTO_BUF struct buf bytes = BUF_INIT(PLAN_MAX), again = BUF_INIT(PLAN_MAX);
    struct plan_view view;
    struct err err = { 0 };
    plan_encode(&plan, &bytes);
    CHECK_INT(plan_decode(bytes.data, bytes.length, &view, &err), 0);
    CHECK_STR(view.plan.process.argv[2], "");
    CHECK(view.plan.process.argv[3] == NULL);
    CHECK_STR(view.plan.mounts[1].source, "/y");
    CHECK_INT(view.plan.device_rules[0].major, -1);
    CHECK_INT(view.plan.process.oom_score_adj, -5);
    CHECK_INT(view.plan.ns_slot[PLAN_NS_NET], 2);
    plan_encode(&view.plan, &again);
    CHECK(again.length == bytes.length && !memcmp(again.data, bytes.data, bytes.length));
    plan_done(&view);
}

TEST(cut_at_every_byte)
{
    struct plan plan = sample();
    AUTO_BUF struct buf bytes = BUF_INIT(PLAN_MAX);
    plan_encode(&plan, &bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        struct plan_view view;
        struct err err = { 0 };
        AUTO_FREE char *copy = xmemdup(bytes.data, length);
        CHECK_INT(plan_decode(copy, length, &view, &err), -1);
        CHECK(err.text[0]);
    }
}

TEST(mutations_never_read_outside)
{
    struct plan plan = sample();
    AUTO_BUF struct buf bytes = BUF_INIT(PLAN_MAX);
    unsigned seed = 1;
    plan_encode(&plan, &bytes);
    for (int round = 0; round < 20000; round++) {
        struct plan_view view;
        struct err err = { 0 };
        AUTO_FREE char *copy = xmemdup(bytes.data, bytes.length);
        for (int i = 0; i < 3; i++) {
            seed = seed * 1103515245u + 12345u;
            copy[16 + (seed >> 8) % (bytes.length - 16)] = (char)(seed >> 24);
        }
        if (plan_decode(copy, bytes.length, &view, &err) == 0)
            plan_done(&view);
    }
    CHECK(true);
}

TEST(packets_and_facts)
{
    int pair[2], fds[4];
    size_t count = 4;
    struct mon_header header;
    const void *body;
    AUTO_FREE char *packet = xmalloc(MON_PACKET_MAX);
    struct mon_stop stop = { .signal = 15, .timeout_ms = 100 };
    CHECK_INT(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    CHECK_INT(mon_send(pair[0], MON_STOP, 7, &stop, sizeof stop, "x", 1, &pair[0], 1), 0);
    CHECK_INT(mon_recv(pair[1], packet, &header, &body, fds, &count), (int)sizeof stop + 1);
    CHECK_INT(header.seq, 7);
    CHECK_INT(count, 1);
    fd_close(fds[0]);
    CHECK_INT(write(pair[0], "junk", 4), 4);
    count = 4;
    CHECK_INT(mon_recv(pair[1], packet, &header, &body, fds, &count), -74);
    fd_close(pair[0]);
    fd_close(pair[1]);
}

/* Released layouts never change: sizes and offsets as protocol 1 has them. */
TEST(protocol_1_layout)
{
    CHECK_INT(sizeof(struct mon_header), 16);
    CHECK_INT(sizeof(struct mon_hello), 40);
    CHECK_INT(sizeof(struct mon_reply), 8);
    CHECK_INT(sizeof(struct mon_err), 1032);
    CHECK_INT(sizeof(struct mon_started), 16);
    CHECK_INT(sizeof(struct mon_stop), 8);
    CHECK_INT(sizeof(struct mon_resize), 76);
    CHECK_INT(sizeof(struct mon_attach), 44);
    CHECK_INT(sizeof(struct mon_attached), 24);
    CHECK_INT(sizeof(struct mon_exec), 116);
    CHECK_INT(offsetof(struct mon_fact, exec_id), 68);
    CHECK_INT(offsetof(struct mon_fact, text), 136);
    CHECK_INT(offsetof(struct mon_fact, sum), 508);
    CHECK_INT(MON_LISTENER_TAKE, 17);
    CHECK_INT(MON_FACT_END, 11);
}

TESTS(T(round_trip), T(cut_at_every_byte), T(mutations_never_read_outside), T(packets_and_facts), T(protocol_1_layout))
