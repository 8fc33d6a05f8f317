/* Our programs and libseccomp's say the same, in an interpreter of the machine that runs both. */
#include "daemon/worker/seccomp_policy.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define X32 0x40000000
#define FAIL(error) (SECCOMP_RET_ERRNO | (error))
#define KNOWN_MAX 450 /* newest call that the oldest libseccomp knows on every ABI */
#define POLICIES 60
#define INPUTS 2000

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
    uint32_t value;
    memcpy(&value, (const char *)data + offset, sizeof value);
    return value;
}

static bool jumps(const struct sock_filter *code, uint32_t value)
{
    switch (BPF_OP(code->code)) {
    case BPF_JEQ:
        return value == code->k;
    case BPF_JGT:
        return value > code->k;
    case BPF_JGE:
        return value >= code->k;
    default:
        return value & code->k;
    }
}

static uint32_t run(const struct seccomp_program *program, uint32_t arch, uint32_t number, const uint64_t *args)
{
    struct seccomp_data data = { .nr = (int)number, .arch = arch };
    uint32_t value = 0;
    if (args)
        memcpy(data.args, args, sizeof data.args);
    for (size_t at = 0; at < program->length; at++) {
        const struct sock_filter *code = &program->code[at];
        switch (BPF_CLASS(code->code)) {
        case BPF_LD:
            value = load(&data, code->k);
            break;
        case BPF_ALU:
            value &= code->k;
            break;
        case BPF_RET:
            return code->k;
        default:
            at += BPF_OP(code->code) == BPF_JA ? code->k : jumps(code, value) ? code->jt : code->jf;
        }
    }
    return 0xdead; /* ran off its end */
}

static struct seccomp_program *compile(const struct seccomp_policy *policy)
{
    struct seccomp_program *program = xcalloc(1, sizeof *program);
    struct err err = { 0 };
    CHECK_INT(seccomp_compile(policy, program, &err), 0);
    return program;
}

static struct seccomp_program *builtin(const char *caps)
{
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    CLEANUP(strv_free) char **list = strv_split(caps, ' ', true);
    seccomp_policy_builtin(list, &policy);
    return compile(&policy);
}

static uint32_t call(const struct seccomp_program *program, const char *name, uint64_t first)
{
    const uint64_t args[6] = { first };
    return run(program, AUDIT_ARCH_X86_64, (uint32_t)seccomp_number(ABI_X86_64, name), args);
}

TEST(default_policy)
{
    AUTO_FREE struct seccomp_program *program = builtin("CAP_CHOWN CAP_SYS_CHROOT");
    static const char *const allowed[] = { "read", "openat", "execve", "futex", "ptrace", "chroot", "seccomp", "mseal", "uretprobe" };
    static const char *const refused[] = {
        "mount", "umount2", "unshare", "setns", "keyctl", "add_key", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "kexec_load", "reboot", "init_module", "open_by_handle_at", "settimeofday", "acct",
        "fsopen", "move_mount", "mbind", "vhangup", "iopl", "kcmp", "swapon", "quotactl", "lsm_list_modules",
    };
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        CHECK_INT(call(program, allowed[i], 0), SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        CHECK_INT(call(program, refused[i], 0), FAIL(EPERM));
    CHECK_INT(call(program, "clone", CLONE_VM | CLONE_THREAD), SECCOMP_RET_ALLOW);
    CHECK_INT(call(program, "clone", CLONE_NEWUSER), FAIL(EPERM));
    CHECK_INT(call(program, "clone", CLONE_NEWCGROUP | SIGCHLD), FAIL(EPERM));
    CHECK_INT(call(program, "clone3", 0), FAIL(ENOSYS));
    CHECK_INT(call(program, "socket", 2), SECCOMP_RET_ALLOW);
    CHECK_INT(call(program, "socket", 40), FAIL(EPERM));
    CHECK_INT(call(program, "personality", 0x20008), SECCOMP_RET_ALLOW);
    CHECK_INT(call(program, "personality", 0xffffffff), SECCOMP_RET_ALLOW);
    CHECK_INT(call(program, "personality", 0x40000), FAIL(EPERM));
    CHECK(program->length < 800);
}

TEST(default_policy_other_abis)
{
    AUTO_FREE struct seccomp_program *program = builtin("");
    const uint64_t vsock[6] = { 40 };
    CHECK_INT(run(program, AUDIT_ARCH_I386, 102, NULL), SECCOMP_RET_ALLOW);     /* socketcall */
    CHECK_INT(run(program, AUDIT_ARCH_I386, 359, vsock), FAIL(EPERM));          /* socket */
    CHECK_INT(run(program, AUDIT_ARCH_I386, 21, NULL), FAIL(EPERM));            /* mount */
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, X32 | 0, NULL), SECCOMP_RET_ALLOW);
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, X32 | 165, NULL), FAIL(EPERM));
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, X32 | 520, NULL), SECCOMP_RET_ALLOW); /* its own execve */
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, 467, NULL), FAIL(ENOSYS));
    CHECK_INT(run(program, AUDIT_ARCH_I386, 467, NULL), FAIL(ENOSYS));
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, X32 | 548, NULL), FAIL(ENOSYS));
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, 0xffffffff, NULL), FAIL(ENOSYS));
    CHECK_INT(run(program, AUDIT_ARCH_AARCH64, 0, NULL), SECCOMP_RET_KILL_THREAD);
}

TEST(capabilities_open_calls)
{
    static const struct {
        const char *cap, *calls;
    } rows[] = {
        { "CAP_SYS_ADMIN", "mount umount2 unshare setns clone3 bpf perf_event_open syslog fsopen lsm_get_self_attr" },
        { "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
        { "CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise" },
        { "CAP_SYS_TIME", "settimeofday clock_settime" },
        { "CAP_SYS_NICE", "mbind set_mempolicy_home_node" },
        { "CAP_BPF", "bpf" },
        { "CAP_PERFMON", "perf_event_open" },
        { "CAP_SYSLOG", "syslog" },
        { "CAP_SYS_MODULE", "init_module" },
    };
    AUTO_FREE struct seccomp_program *without = builtin("");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE struct seccomp_program *with = builtin(rows[i].cap);
        CLEANUP(strv_free) char **names = strv_split(rows[i].calls, ' ', true);
        for (char **name = names; *name; name++) {
            CHECK_INT(call(with, *name, 0), SECCOMP_RET_ALLOW);
            CHECK(call(without, *name, 0) != SECCOMP_RET_ALLOW);
        }
    }
    AUTO_FREE struct seccomp_program *admin = builtin("CAP_SYS_ADMIN");
    CHECK_INT(call(admin, "clone", CLONE_NEWUSER), SECCOMP_RET_ALLOW);
}

/* ---- the oracle ---- */

static const uint32_t scmp_arches[ABI_COUNT] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 };

static enum scmp_compare scmp_op(enum seccomp_op op)
{
    static const enum scmp_compare ops[] = {
        [CHECK_NE] = SCMP_CMP_NE, [CHECK_LT] = SCMP_CMP_LT, [CHECK_LE] = SCMP_CMP_LE, [CHECK_EQ] = SCMP_CMP_EQ,
        [CHECK_GE] = SCMP_CMP_GE, [CHECK_GT] = SCMP_CMP_GT, [CHECK_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
    };
    return ops[op];
}

static void add_to_oracle(scmp_filter_ctx oracle, const struct seccomp_rule *rule)
{
    struct scmp_arg_cmp args[SECCOMP_CHECKS_MAX];
    for (size_t i = 0; i < rule->check_count; i++) {
        const struct seccomp_check *check = &rule->checks[i];
        bool masked = check->op == CHECK_MASKED_EQ;
        args[i] = (struct scmp_arg_cmp){ .arg = check->index, .op = scmp_op(check->op), .datum_a = masked ? check->mask : check->value,
                                         .datum_b = masked ? check->value : 0 };
    }
    for (char **name = rule->names; *name; name++) {
        int number = seccomp_syscall_resolve_name(*name);
        if (number != __NR_SCMP_ERROR)
            (void)seccomp_rule_add_array(oracle, rule->action, number, (unsigned)rule->check_count, args);
    }
}

static struct seccomp_program *oracle_program(const struct seccomp_policy *policy)
{
    struct seccomp_program *program = xcalloc(1, sizeof *program);
    scmp_filter_ctx oracle = seccomp_init(policy->default_action);
    for (size_t i = 1; i < ABI_COUNT; i++)
        if (policy->abis[i])
            CHECK_INT(seccomp_arch_add(oracle, scmp_arches[i]), 0);
    for (size_t i = 0; i < policy->rule_count; i++)
        add_to_oracle(oracle, &policy->rules[i]);
    AUTO_FD int fd = memfd_create("oracle", MFD_CLOEXEC);
    CHECK_INT(seccomp_export_bpf(oracle, fd), 0);
    ssize_t n = pread(fd, program->code, sizeof program->code, 0);
    program->length = n > 0 ? (size_t)n / sizeof program->code[0] : 0;
    CHECK(program->length > 0);
    seccomp_release(oracle);
    return program;
}

static uint64_t random_state = 0x2545f4914f6cdd1dULL;
static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16) % below;
}

/* Values near which comparisons change their mind. */
static uint64_t pick_value(void)
{
    static const uint64_t values[] = {
        0, 1, 2, 7, 8, 40, 41, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001, 0x1000000ff,
        0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff, 0x10000000, 0x7e020000, 0x20008,
    };
    uint64_t value = values[pick(ARRAY_SIZE(values))];
    return pick(4) ? value : value ^ (1ULL << pick(64));
}

static uint32_t pick_call(uint32_t limit, uint32_t *ret_arch, uint64_t args[6])
{
    static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 };
    uint32_t abi = pick(16) == 0 ? 3 : pick(3);
    for (size_t i = 0; i < 6; i++)
        args[i] = pick_value() & (abi == ABI_X86 ? UINT32_MAX : UINT64_MAX); /* i386 has no more */
    *ret_arch = arches[abi];
    return pick(limit) | (abi == ABI_X32 ? X32 : 0);
}

static bool same(uint32_t mine, uint32_t other, uint32_t arch, uint32_t number, const uint64_t *args)
{
    if (mine == other)
        return true;
    CHECK_INT(mine, other);
    printf("# arch %x number %x args", arch, number);
    for (size_t i = 0; i < 6; i++)
        printf(" %llx", (unsigned long long)args[i]);
    printf("\n");
    return false;
}

static void same_for_random_inputs(const struct seccomp_program *ours, const struct seccomp_program *theirs, uint32_t limit)
{
    bool fine = true;
    for (size_t i = 0; i < INPUTS && fine; i++) {
        uint64_t args[6];
        uint32_t arch, number = pick_call(limit, &arch, args);
        fine = same(run(ours, arch, number, args), run(theirs, arch, number, args), arch, number, args);
    }
}

TEST(default_policy_against_libseccomp)
{
    char *caps[] = { NULL };
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    seccomp_policy_builtin(caps, &policy);
    AUTO_FREE struct seccomp_program *ours = compile(&policy);
    AUTO_FREE struct seccomp_program *theirs = oracle_program(&policy);
    /* uretprobe is younger than the library; what lies above what it knows is ENOSYS with us */
    for (uint32_t number = 0; number <= KNOWN_MAX; number++) {
        if (number == 335)
            continue;
        CHECK_INT(run(ours, AUDIT_ARCH_X86_64, number, NULL), run(theirs, AUDIT_ARCH_X86_64, number, NULL));
        CHECK_INT(run(ours, AUDIT_ARCH_I386, number, NULL), run(theirs, AUDIT_ARCH_I386, number, NULL));
        CHECK_INT(run(ours, AUDIT_ARCH_X86_64, number | X32, NULL), run(theirs, AUDIT_ARCH_X86_64, number | X32, NULL));
    }
    same_for_random_inputs(ours, theirs, 330);
}

static void random_policy(struct seccomp_policy *policy, const char *const *names, uint32_t rules_max, uint32_t checks_max)
{
    static const uint32_t actions[] = { FAIL(1), FAIL(5), FAIL(4000), SECCOMP_RET_TRAP, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG,
                                        SECCOMP_RET_TRACE | 7, SECCOMP_RET_KILL_THREAD };
    *policy = (struct seccomp_policy){ .default_action = pick(2) ? SECCOMP_RET_ALLOW : FAIL(ENOSYS), .abis = { true, pick(2) } };
    for (; *names; names++) {
        for (uint32_t rules = pick(rules_max + 1); rules > 0; rules--) {
            struct seccomp_rule *rule = seccomp_policy_add(policy);
            rule->action = actions[pick(ARRAY_SIZE(actions))];
            strv_append(&rule->names, *names);
            uint32_t first = pick(6), checks = pick(checks_max + 1);
            for (uint32_t c = 0; c < checks && first + c < 6; c++)
                rule->checks[rule->check_count++] = (struct seccomp_check){ first + c, (enum seccomp_op)pick(7), pick_value(), pick_value() };
        }
    }
}

/* One rule per call with one check, and no x32: what libseccomp 2.5 makes of more is not always what the rules say. */
TEST(random_policies_against_libseccomp)
{
    static const char *const names[] = {
        "read", "write", "open", "clone", "personality", "ioctl", "kill", "mmap", "mmap2", "stat64", "execve", "nosuchcall", "ptrace",
        "prctl", "fcntl", "arch_prctl", "socketcall", "setuid32", "epoll_wait", NULL,
    };
    for (int i = 0; i < POLICIES; i++) {
        AUTO_SECCOMP_POLICY struct seccomp_policy policy;
        random_policy(&policy, names, 1, 1);
        AUTO_FREE struct seccomp_program *ours = compile(&policy);
        AUTO_FREE struct seccomp_program *theirs = oracle_program(&policy);
        same_for_random_inputs(ours, theirs, 460);
    }
}

/* i386's shared calls: what is allowed by its name is allowed that way, too. */
TEST(shared_calls_against_libseccomp)
{
    static const char *const names[] = { "socket", "bind", "connect", "sendto", "accept4", "sendmmsg", "recvmmsg", "semop", "shmat", "msgctl" };
    for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
        AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .default_action = FAIL(ENOSYS), .abis = { true, true } };
        struct seccomp_rule *rule = seccomp_policy_add(&policy);
        rule->action = SECCOMP_RET_ALLOW;
        strv_append(&rule->names, names[n]);
        rule->check_count = n % 3;
        rule->checks[0] = (struct seccomp_check){ 0, CHECK_NE, 40, 0 };
        rule->checks[1] = (struct seccomp_check){ 2, CHECK_EQ, 7, 0 };
        AUTO_FREE struct seccomp_program *ours = compile(&policy);
        AUTO_FREE struct seccomp_program *theirs = oracle_program(&policy);
        static const uint32_t numbers[] = { 102, 117, 337, 345, 359, 361, 362, 364, 397, 402, 41, 50 };
        for (uint32_t i = 0; i < ARRAY_SIZE(numbers) * 40 * 2; i++) {
            const uint64_t args[6] = { i / 2 % 40, 0, i % 2 ? 7 : 3 };
            uint32_t number = numbers[i / 80], arch = AUDIT_ARCH_I386;
            if (!same(run(ours, arch, number, args), run(theirs, arch, number, args), arch, number, args))
                break;
        }
    }
}

static bool holds(const struct seccomp_check *check, uint64_t value, bool wide)
{
    uint64_t mask = wide ? UINT64_MAX : UINT32_MAX, other = check->value & mask;
    value &= mask;
    switch (check->op) {
    case CHECK_NE:
        return value != other;
    case CHECK_LT:
        return value < other;
    case CHECK_LE:
        return value <= other;
    case CHECK_EQ:
        return value == other;
    case CHECK_GE:
        return value >= other;
    case CHECK_GT:
        return value > other;
    case CHECK_MASKED_EQ:
        return (value & check->mask) == (other & check->mask);
    }
    return false;
}

/* The rules as they are meant: without checks first, then in order. */
static uint32_t judge(const struct seccomp_policy *policy, enum seccomp_abi abi, uint32_t number, const uint64_t *args)
{
    for (int checked = 0; checked < 2; checked++) {
        for (size_t i = 0; i < policy->rule_count; i++) {
            const struct seccomp_rule *rule = &policy->rules[i];
            bool fits = (rule->check_count > 0) == checked && rule->action != policy->default_action &&
                        (uint32_t)seccomp_number(abi, rule->names[0]) == number;
            for (size_t c = 0; c < rule->check_count; c++)
                fits = fits && holds(&rule->checks[c], args[rule->checks[c].index], abi == ABI_X86_64);
            if (fits)
                return rule->action;
        }
    }
    return policy->default_action;
}

TEST(random_policies_with_many_rules)
{
    static const char *const names[] = { "read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap", NULL };
    for (int i = 0; i < POLICIES; i++) {
        AUTO_SECCOMP_POLICY struct seccomp_policy policy;
        random_policy(&policy, names, 4, 3);
        policy.abis[ABI_X32] = true;
        AUTO_FREE struct seccomp_program *ours = compile(&policy);
        bool fine = true;
        for (int n = 0; n < INPUTS && fine; n++) {
            uint64_t args[6];
            uint32_t arch, number = pick_call(12, &arch, args);
            enum seccomp_abi abi = number & X32 ? ABI_X32 : ABI_X86_64;
            if (arch == AUDIT_ARCH_X86_64)
                fine = same(run(ours, arch, number, args), judge(&policy, abi, number, args), arch, number, args);
        }
    }
}

/* ---- profiles ---- */

static struct seccomp_program *from_profile(const char *text, const char *caps)
{
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    CLEANUP(strv_free) char **list = strv_split(caps, ' ', true);
    CLEANUP(strv_free) char **warnings = NULL;
    struct err err = { 0 };
    CHECK_INT(seccomp_profile_parse(text, list, &policy, &warnings, &err), 0);
    if (err.kind != ERR_NONE)
        printf("# %s\n", err.text);
    return compile(&policy);
}

#define ARCH_MAP "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]}]"

TEST(profile_conditions)
{
    const char *text =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13," ARCH_MAP ",\"syscalls\":["
        "{\"names\":[\"read\",\"nosuchcall\",\"mseal\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"name\":\"write\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":9},"
        "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
        "{\"names\":[\"open\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
        "{\"names\":[\"close\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"s390x\"]}},"
        "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"amd64\"],\"minKernel\":\"4.8\"}},"
        "{\"names\":[\"dup2\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"250.0\"}},"
        "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":1,\"value\":240,\"valueTwo\":16,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
        "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":3,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":4,\"op\":\"SCMP_CMP_EQ\"}]},"
        "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_TRAP\"}]}";
    AUTO_FREE struct seccomp_program *plain = from_profile(text, "");
    AUTO_FREE struct seccomp_program *admin = from_profile(text, "CAP_SYS_ADMIN");
    const uint64_t masked[6] = { 0, 0x13 }, unmasked[6] = { 0, 0x23 };
    CHECK_INT(call(plain, "read", 0), SECCOMP_RET_ALLOW); /* the first word counts */
    CHECK_INT(call(plain, "write", 0), FAIL(9));
    CHECK_INT(call(plain, "mount", 0), FAIL(13));
    CHECK_INT(call(admin, "mount", 0), SECCOMP_RET_ALLOW);
    CHECK_INT(call(plain, "open", 0), SECCOMP_RET_ALLOW);
    CHECK_INT(call(admin, "open", 0), FAIL(13));
    CHECK_INT(call(plain, "close", 0), FAIL(13));
    CHECK_INT(call(plain, "dup", 0), SECCOMP_RET_ALLOW);
    CHECK_INT(call(plain, "dup2", 0), FAIL(13));
    CHECK_INT(run(plain, AUDIT_ARCH_X86_64, 16, masked), SECCOMP_RET_KILL_THREAD);
    CHECK_INT(run(plain, AUDIT_ARCH_X86_64, 16, unmasked), FAIL(13));
    CHECK_INT(call(plain, "kill", 4), SECCOMP_RET_ALLOW);
    CHECK_INT(call(plain, "kill", 5), FAIL(13));
    CHECK_INT(run(plain, AUDIT_ARCH_X86_64, 463, NULL), FAIL(ENOSYS)); /* younger than all that it names */
}

TEST(profile_architectures)
{
    AUTO_FREE struct seccomp_program *own = from_profile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}", "");
    AUTO_FREE struct seccomp_program *listed =
        from_profile("{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_AARCH64\"]}", "");
    CHECK_INT(run(own, AUDIT_ARCH_X86_64, 1, NULL), SECCOMP_RET_ALLOW);
    CHECK_INT(run(own, AUDIT_ARCH_X86_64, X32 | 1, NULL), SECCOMP_RET_KILL_THREAD);
    CHECK_INT(run(own, AUDIT_ARCH_I386, 1, NULL), SECCOMP_RET_KILL_THREAD);
    CHECK_INT(run(listed, AUDIT_ARCH_I386, 1, NULL), SECCOMP_RET_LOG);
    CHECK_INT(run(listed, AUDIT_ARCH_AARCH64, 1, NULL), SECCOMP_RET_KILL_THREAD);
}

TEST(profile_empty_is_no_filter)
{
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    char **warnings = NULL;
    struct err err = { 0 };
    CHECK_INT(seccomp_profile_parse("{}", NULL, &policy, &warnings, &err), 0);
    CHECK(policy.off);
}

TEST(profile_errors)
{
    static const struct {
        const char *text, *words;
        enum err_kind kind;
    } rows[] = {
        { "[", "Decoding seccomp profile failed", ERR_INVALID },
        { "{\"defaultAction\":7}", "Decoding seccomp profile failed", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "SCMP_ACT_MAYBE is not a valid action", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "SCMP_ACT_NOTIFY is not supported", ERR_UNSUPPORTED },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}", "SCMP_ARCH_Z80 is not a valid arch", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"]," ARCH_MAP "}", "both 'architectures' and 'archMap'", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"read\",\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\"}]}",
          "both 'name' and 'names'", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
          "read has no argument 6", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":1,\"op\":\"SCMP_CMP_XX\"}]}]}",
          "SCMP_CMP_XX is not a valid operator", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":65536}]}",
          "errnoRet 65536 is out of range", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\",\"includes\":{\"minKernel\":\"4\"}}]}",
          "invalid kernel version", ERR_INVALID },
        { "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"\"],\"action\":\"SCMP_ACT_LOG\"}]}", "empty string is not a valid syscall",
          ERR_INVALID },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct seccomp_policy policy = { .rules = NULL };
        char **warnings = NULL;
        struct err err = { 0 };
        CHECK_INT(seccomp_profile_parse(rows[i].text, NULL, &policy, &warnings, &err), -1);
        CHECK_INT(err.kind, rows[i].kind);
        if (!strstr(err.text, rows[i].words))
            CHECK_STR(err.text, rows[i].words);
    }
}

/* Thousands of conditions on one call: too long is an error, and what just fits still runs. */
TEST(long_programs)
{
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .default_action = FAIL(EPERM), .abis = { true, true, true } };
    AUTO_FREE struct seccomp_program *program = xcalloc(1, sizeof *program);
    struct err err = { 0 };
    for (uint64_t i = 0; i < 150; i++) {
        struct seccomp_rule *rule = seccomp_policy_add(&policy);
        strv_append(&rule->names, "ioctl");
        rule->action = SECCOMP_RET_ALLOW;
        rule->checks[rule->check_count++] = (struct seccomp_check){ 1, CHECK_EQ, 1000 + i, 0 };
    }
    struct seccomp_rule *last = seccomp_policy_add(&policy);
    last->names = strv_split("read write close openat mseal", ' ', true);
    last->action = SECCOMP_RET_ALLOW;
    const uint64_t deep[6] = { 0, 1149 }, missed[6] = { 0, 1150 };
    CHECK_INT(seccomp_compile(&policy, program, &err), 0);
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, 16, deep), SECCOMP_RET_ALLOW);
    CHECK_INT(run(program, AUDIT_ARCH_X86_64, 16, missed), FAIL(EPERM));
    CHECK_INT(run(program, AUDIT_ARCH_I386, 54, deep), SECCOMP_RET_ALLOW);
    CHECK_INT(call(program, "openat", 0), SECCOMP_RET_ALLOW);
    for (uint64_t i = 0; i < 1500; i++) {
        struct seccomp_rule *rule = seccomp_policy_add(&policy);
        strv_append(&rule->names, "fcntl");
        rule->action = SECCOMP_RET_ALLOW;
        rule->checks[rule->check_count++] = (struct seccomp_check){ 1, CHECK_EQ, 1000 + i, 0 };
    }
    CHECK_INT(seccomp_compile(&policy, program, &err), -1);
    CHECK_INT(err.kind, ERR_INVALID);
}

TESTS(T(default_policy), T(default_policy_other_abis), T(capabilities_open_calls), T(default_policy_against_libseccomp),
      T(random_policies_against_libseccomp), T(shared_calls_against_libseccomp), T(random_policies_with_many_rules),
      T(profile_conditions), T(profile_architectures), T(profile_empty_is_no_filter),
      T(profile_errors), T(long_programs))
