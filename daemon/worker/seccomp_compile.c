/* Theory of operation. Every ABI has a table from call number to verdict: an action, or a small program that looks at arguments. Neighbours
 * with the same verdict become one range; the ranges of one audit architecture (x32 lies above x86_64's numbers) become a binary tree of
 * "number >= bound" jumps with the verdicts as its leaves. The kernel runs a filter over all numbers once when it is loaded, so the length of
 * the paths is what counts. */
#include "daemon/worker/seccomp_policy.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#define NUMBERS_MAX 1024
#define X32_BIT 0x40000000U
#define NO_CALL 0xffffffffU /* a tracer's word for "skip it" */
#define TO_FAIL 255         /* jump targets until a rule's length is known */
#define TO_PASS 254
#define SOCKETCALL 102
#define IPC 117

/* Calls that are younger than the oldest libseccomp we run with; x32 has them under x86_64's number. */
static const struct {
    const char *name;
    int number;
} young_calls[] = {
    { "uretprobe", 335 },     { "uprobe", 336 },        { "cachestat", 451 },     { "fchmodat2", 452 },
    { "map_shadow_stack", 453 }, { "futex_wake", 454 }, { "futex_wait", 455 },    { "futex_requeue", 456 },
    { "statmount", 457 },     { "listmount", 458 },     { "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 },
    { "lsm_list_modules", 461 }, { "mseal", 462 },      { "setxattrat", 463 },    { "getxattrat", 464 },
    { "listxattrat", 465 },   { "removexattrat", 466 }, { "open_tree_attr", 467 }, { "file_getattr", 468 },
    { "file_setattr", 469 },
};

/* On i386 these are reached through one number and a first argument, and most of them by a number of their own as well. */
static const struct {
    const char *name;
    int direct; /* -1: none */
    int through;
    unsigned argument;
} shared_calls[] = {
    { "socket", 359, SOCKETCALL, 1 },       { "bind", 361, SOCKETCALL, 2 },        { "connect", 362, SOCKETCALL, 3 },
    { "listen", 363, SOCKETCALL, 4 },       { "accept", -1, SOCKETCALL, 5 },       { "getsockname", 367, SOCKETCALL, 6 },
    { "getpeername", 368, SOCKETCALL, 7 },  { "socketpair", 360, SOCKETCALL, 8 },  { "send", -1, SOCKETCALL, 9 },
    { "recv", -1, SOCKETCALL, 10 },         { "sendto", 369, SOCKETCALL, 11 },     { "recvfrom", 371, SOCKETCALL, 12 },
    { "shutdown", 373, SOCKETCALL, 13 },    { "setsockopt", 366, SOCKETCALL, 14 }, { "getsockopt", 365, SOCKETCALL, 15 },
    { "sendmsg", 370, SOCKETCALL, 16 },     { "recvmsg", 372, SOCKETCALL, 17 },    { "accept4", 364, SOCKETCALL, 18 },
    { "recvmmsg", 337, SOCKETCALL, 19 },    { "sendmmsg", 345, SOCKETCALL, 20 },   { "semop", -1, IPC, 1 },
    { "semget", 393, IPC, 2 },              { "semctl", 394, IPC, 3 },             { "semtimedop", -1, IPC, 4 },
    { "msgsnd", 400, IPC, 11 },             { "msgrcv", 401, IPC, 12 },            { "msgget", 399, IPC, 13 },
    { "msgctl", 402, IPC, 14 },             { "shmat", 397, IPC, 21 },             { "shmdt", 398, IPC, 22 },
    { "shmget", 395, IPC, 23 },             { "shmctl", 396, IPC, 24 },
};

/* What one rule says about one call, unless it is the call's only word: checks that hold together. */
struct piece {
    struct seccomp_check checks[SECCOMP_CHECKS_MAX];
    size_t count;
    uint32_t action;
    size_t next; /* index + 1 */
};
struct verdict {
    uint32_t action;
    size_t code, length; /* in the code of conditions; length 0: the action alone */
};
struct slot {
    bool fixed;
    uint32_t action;
    size_t first, last; /* pieces, index + 1 */
};
struct range {
    uint32_t start;
    struct verdict verdict;
};
struct compiler {
    const struct seccomp_policy *policy;
    struct slot slots[ABI_COUNT][NUMBERS_MAX];
    int newest[ABI_COUNT]; /* -1: the policy names none */
    struct piece *pieces;
    size_t piece_count, piece_capacity;
    struct seccomp_program conditions; /* code of all conditional verdicts, each free to move */
    struct range ranges[2 * NUMBERS_MAX + 8];
    size_t range_count;
};

int seccomp_number(enum seccomp_abi abi, const char *name)
{
    static const uint32_t architectures[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 };
    for (size_t i = 0; i < ARRAY_SIZE(young_calls); i++)
        if (str_eq(young_calls[i].name, name))
            return young_calls[i].number | (abi == ABI_X32 ? (int)X32_BIT : 0);
    for (size_t i = 0; i < ARRAY_SIZE(shared_calls) && abi == ABI_X86; i++)
        if (str_eq(shared_calls[i].name, name))
            return shared_calls[i].direct;
    int number = seccomp_syscall_resolve_name_arch(architectures[abi], name);
    return number < 0 ? -1 : number;
}

static void add_piece(struct compiler *compiler, struct slot *slot, const struct seccomp_check *checks, size_t count, uint32_t action)
{
    if (compiler->piece_count == compiler->piece_capacity) {
        compiler->piece_capacity = compiler->piece_capacity ? compiler->piece_capacity * 2 : 64;
        compiler->pieces = xreallocarray(compiler->pieces, compiler->piece_capacity, sizeof *compiler->pieces);
    }
    struct piece *piece = &compiler->pieces[compiler->piece_count++];
    *piece = (struct piece){ .count = count, .action = action };
    memcpy(piece->checks, checks, count * sizeof *checks);
    if (slot->last)
        compiler->pieces[slot->last - 1].next = compiler->piece_count;
    else
        slot->first = compiler->piece_count;
    slot->last = compiler->piece_count;
}

/* Two checks of one argument are two rules (as runc: "is 3" and "is 4" cannot both hold). */
static bool repeats_argument(const struct seccomp_rule *rule)
{
    unsigned seen = 0;
    for (size_t i = 0; i < rule->check_count; i++) {
        if (seen >> rule->checks[i].index & 1)
            return true;
        seen |= 1U << rule->checks[i].index;
    }
    return false;
}

static void add_to_slot(struct compiler *compiler, struct slot *slot, const struct seccomp_rule *rule)
{
    if (rule->check_count == 0) {
        if (!slot->fixed)
            slot->action = rule->action;
        slot->fixed = true;
    } else if (repeats_argument(rule)) {
        for (size_t i = 0; i < rule->check_count; i++)
            add_piece(compiler, slot, &rule->checks[i], 1, rule->action);
    } else {
        add_piece(compiler, slot, rule->checks, rule->check_count, rule->action);
    }
}

/* The call's own arguments are behind a pointer there. As libseccomp: a check of the first gives way, the others look at what the shared call
 * has in their place. */
static void add_through(struct compiler *compiler, const char *name, const struct seccomp_rule *rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(shared_calls); i++) {
        if (!str_eq(shared_calls[i].name, name))
            continue;
        struct seccomp_check checks[SECCOMP_CHECKS_MAX] = { { 0, CHECK_EQ, shared_calls[i].argument, 0 } };
        size_t count = 1;
        for (size_t c = 0; c < rule->check_count && count < SECCOMP_CHECKS_MAX; c++)
            if (rule->checks[c].index != 0)
                checks[count++] = rule->checks[c];
        add_piece(compiler, &compiler->slots[ABI_X86][shared_calls[i].through], checks, count, rule->action);
    }
}

static void add_name(struct compiler *compiler, enum seccomp_abi abi, const char *name, const struct seccomp_rule *rule)
{
    int number = seccomp_number(abi, name);
    int index = number < 0 ? -1 : number & ~(int)X32_BIT;
    bool says_default = rule->action == compiler->policy->default_action;
    if (index >= NUMBERS_MAX)
        return;
    if (index > compiler->newest[abi])
        compiler->newest[abi] = index;
    if (says_default)
        return;
    if (index >= 0)
        add_to_slot(compiler, &compiler->slots[abi][index], rule);
    if (abi == ABI_X86)
        add_through(compiler, name, rule);
}

static void fill_slots(struct compiler *compiler)
{
    const struct seccomp_policy *policy = compiler->policy;
    for (enum seccomp_abi abi = 0; abi < ABI_COUNT; abi++) {
        compiler->newest[abi] = -1;
        for (size_t r = 0; r < policy->rule_count && policy->abis[abi]; r++)
            for (char **name = policy->rules[r].names; name && *name; name++)
                add_name(compiler, abi, *name, &policy->rules[r]);
    }
}

static void emit(struct seccomp_program *program, unsigned code, uint32_t k, size_t jump_true, size_t jump_false)
{
    if (program->length < SECCOMP_PROGRAM_MAX)
        program->code[program->length] = (struct sock_filter){ (uint16_t)code, (uint8_t)jump_true, (uint8_t)jump_false, k };
    program->length++; /* beyond the maximum it only counts */
}

static void emit_load(struct seccomp_program *program, size_t offset)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct seccomp_program *program, uint32_t action)
{
    emit(program, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_jump(struct seccomp_program *program, unsigned test, uint32_t k, size_t jump_true, size_t jump_false)
{
    emit(program, BPF_JMP | test | BPF_K, k, jump_true, jump_false);
}

/* Marks between start and the end become distances. */
static void patch(struct seccomp_program *program, size_t start, uint8_t mark)
{
    size_t end = MIN(program->length, (size_t)SECCOMP_PROGRAM_MAX);
    for (size_t i = start; i < end; i++) {
        struct sock_filter *code = &program->code[i];
        if (BPF_CLASS(code->code) != BPF_JMP)
            continue;
        if (code->jt == mark)
            code->jt = (uint8_t)(program->length - i - 1);
        if (code->jf == mark)
            code->jf = (uint8_t)(program->length - i - 1);
    }
}

static void emit_load_word(struct seccomp_program *program, const struct seccomp_check *check, bool high, uint64_t mask)
{
    emit_load(program, offsetof(struct seccomp_data, args) + 8 * (size_t)check->index + 4 * (size_t)high);
    if (check->op == CHECK_MASKED_EQ)
        emit(program, BPF_ALU | BPF_AND | BPF_K, (uint32_t)(high ? mask >> 32 : mask), 0, 0);
}

/* The upper halves decide unless they are the same. */
static void emit_high(struct seccomp_program *program, const struct seccomp_check *check, uint64_t value)
{
    uint32_t high = (uint32_t)(value >> 32);
    emit_load_word(program, check, true, check->mask);
    switch (check->op) {
    case CHECK_EQ:
    case CHECK_MASKED_EQ:
        emit_jump(program, BPF_JEQ, high, 0, TO_FAIL);
        break;
    case CHECK_NE:
        emit_jump(program, BPF_JEQ, high, 0, TO_PASS);
        break;
    case CHECK_GT:
    case CHECK_GE:
        emit_jump(program, BPF_JGT, high, TO_PASS, 0);
        emit_jump(program, BPF_JEQ, high, 0, TO_FAIL);
        break;
    case CHECK_LT:
    case CHECK_LE:
        emit_jump(program, BPF_JGT, high, TO_FAIL, 0);
        emit_jump(program, BPF_JEQ, high, 0, TO_PASS);
        break;
    }
}

static void emit_low(struct seccomp_program *program, const struct seccomp_check *check, uint64_t value)
{
    static const struct {
        unsigned test;
        bool pass_when;
    } tests[] = {
        [CHECK_NE] = { BPF_JEQ, false }, [CHECK_LT] = { BPF_JGE, false }, [CHECK_LE] = { BPF_JGT, false }, [CHECK_EQ] = { BPF_JEQ, true },
        [CHECK_GE] = { BPF_JGE, true },  [CHECK_GT] = { BPF_JGT, true },  [CHECK_MASKED_EQ] = { BPF_JEQ, true },
    };
    bool pass_when = tests[check->op].pass_when;
    emit_load_word(program, check, false, check->mask);
    emit_jump(program, tests[check->op].test, (uint32_t)value, pass_when ? 0 : TO_FAIL, pass_when ? TO_FAIL : 0);
}

static void emit_piece(struct seccomp_program *program, const struct piece *piece, bool wide)
{
    size_t start = program->length;
    for (size_t i = 0; i < piece->count; i++) {
        const struct seccomp_check *check = &piece->checks[i];
        uint64_t value = check->op == CHECK_MASKED_EQ ? check->value & check->mask : check->value;
        size_t check_start = program->length;
        if (wide)
            emit_high(program, check, value);
        emit_low(program, check, value);
        patch(program, check_start, TO_PASS);
    }
    emit_return(program, piece->action);
    patch(program, start, TO_FAIL);
}

static struct verdict verdict_of(struct compiler *compiler, enum seccomp_abi abi, const struct slot *slot)
{
    struct seccomp_program *conditions = &compiler->conditions;
    if (slot->fixed || !slot->first)
        return (struct verdict){ .action = slot->fixed ? slot->action : compiler->policy->default_action };
    size_t start = conditions->length;
    for (size_t i = slot->first; i; i = compiler->pieces[i - 1].next)
        emit_piece(conditions, &compiler->pieces[i - 1], abi == ABI_X86_64);
    emit_return(conditions, compiler->policy->default_action);
    return (struct verdict){ .code = start, .length = conditions->length - start };
}

static void add_range(struct compiler *compiler, uint32_t start, struct verdict verdict)
{
    struct range *last = compiler->range_count ? &compiler->ranges[compiler->range_count - 1] : NULL;
    if (last && !last->verdict.length && !verdict.length && last->verdict.action == verdict.action)
        return;
    compiler->ranges[compiler->range_count++] = (struct range){ start, verdict };
}

/* Must a program be told that it runs on an old kernel? */
static bool hides_young_calls(const struct seccomp_policy *policy)
{
    uint32_t action = policy->default_action;
    return action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG && action != (SECCOMP_RET_ERRNO | ENOSYS);
}

/* The numbers of one ABI, then what lies above them. */
static void add_ranges(struct compiler *compiler, enum seccomp_abi abi)
{
    const struct seccomp_policy *policy = compiler->policy;
    uint32_t base = abi == ABI_X32 ? X32_BIT : 0, end = NUMBERS_MAX;
    struct verdict above = { .action = policy->default_action };
    if (hides_young_calls(policy) && compiler->newest[abi] >= 0) {
        above.action = SECCOMP_RET_ERRNO | ENOSYS;
        end = (uint32_t)compiler->newest[abi] + 1;
    }
    for (uint32_t i = 0; i < end; i++)
        add_range(compiler, base + i, verdict_of(compiler, abi, &compiler->slots[abi][i]));
    add_range(compiler, base + end, above);
    if (abi == ABI_X86_64 && !policy->abis[ABI_X32] && above.action == policy->default_action) {
        add_range(compiler, X32_BIT, (struct verdict){ .action = SECCOMP_RET_KILL_THREAD });
        add_range(compiler, NO_CALL, above);
    }
}

static size_t leaf_size(const struct range *range)
{
    return range->verdict.length ? range->verdict.length : 1;
}

static size_t tree_size(const struct range *ranges, size_t count)
{
    if (count == 1)
        return leaf_size(ranges);
    size_t left = tree_size(ranges, count / 2);
    return (left > 255 ? 2 : 1) + left + tree_size(ranges + count / 2, count - count / 2);
}

static void emit_leaf(struct seccomp_program *program, const struct compiler *compiler, const struct verdict *verdict)
{
    if (!verdict->length) {
        emit_return(program, verdict->action);
        return;
    }
    for (size_t i = 0; i < verdict->length; i++) {
        const struct sock_filter *code = &compiler->conditions.code[verdict->code + i];
        emit(program, code->code, code->k, code->jt, code->jf);
    }
}

static void emit_tree(struct seccomp_program *program, const struct compiler *compiler, const struct range *ranges, size_t count)
{
    size_t half = count / 2;
    if (count == 1) {
        emit_leaf(program, compiler, &ranges->verdict);
        return;
    }
    size_t left = tree_size(ranges, half);
    if (left > 255) {
        emit_jump(program, BPF_JGE, ranges[half].start, 0, 1);
        emit(program, BPF_JMP | BPF_JA, (uint32_t)left, 0, 0);
    } else {
        emit_jump(program, BPF_JGE, ranges[half].start, left, 0);
    }
    emit_tree(program, compiler, ranges, half);
    emit_tree(program, compiler, ranges + half, count - half);
}

/* "Is it this architecture?", and its tree. */
static void emit_architecture(struct seccomp_program *program, const struct compiler *compiler, uint32_t audit_arch)
{
    size_t size = tree_size(compiler->ranges, compiler->range_count);
    emit_jump(program, BPF_JEQ, audit_arch, 1, 0);
    emit(program, BPF_JMP | BPF_JA, (uint32_t)size + 1, 0, 0);
    emit_load(program, offsetof(struct seccomp_data, nr));
    emit_tree(program, compiler, compiler->ranges, compiler->range_count);
}

static void compile(struct compiler *compiler, struct seccomp_program *program)
{
    const struct seccomp_policy *policy = compiler->policy;
    fill_slots(compiler);
    program->length = 0;
    emit_load(program, offsetof(struct seccomp_data, arch));
    add_ranges(compiler, ABI_X86_64);
    if (policy->abis[ABI_X32])
        add_ranges(compiler, ABI_X32);
    if (compiler->conditions.length <= SECCOMP_PROGRAM_MAX)
        emit_architecture(program, compiler, AUDIT_ARCH_X86_64);
    if (policy->abis[ABI_X86]) {
        compiler->range_count = 0;
        add_ranges(compiler, ABI_X86);
        if (compiler->conditions.length <= SECCOMP_PROGRAM_MAX)
            emit_architecture(program, compiler, AUDIT_ARCH_I386);
    }
    emit_return(program, SECCOMP_RET_KILL_THREAD);
}

int seccomp_compile(const struct seccomp_policy *policy, struct seccomp_program *ret, struct err *err)
{
    struct compiler *compiler = xcalloc(1, sizeof *compiler);
    compiler->policy = policy;
    compile(compiler, ret);
    bool fits = ret->length <= SECCOMP_PROGRAM_MAX && compiler->conditions.length <= SECCOMP_PROGRAM_MAX;
    free(compiler->pieces);
    free(compiler);
    if (!fits)
        return err_set(err, ERR_INVALID, "the seccomp profile needs more than %d instructions: too many rules with arguments",
                       SECCOMP_PROGRAM_MAX);
    return 0;
}
