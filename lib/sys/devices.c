/* Device rules as a cgroup v2 BPF program. Theory of operation: v1 applies lines in order, so the last one that speaks about a
 * device decides. The program therefore tests the rules from the last to the first and the first match answers. Allow rules for
 * one device that differ in access only are merged before, since v1 adds their bits up. */
#include "lib/sys/kernel.h"
#include "lib/sys/sys.h"
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULE_INSNS_MAX 8
#define ACCESS_ALL 7U
#define PROGRAM_INSNS_MAX 4000

struct program {
    struct bpf_insn *insns;
    size_t count, max;
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int off, int32_t imm)
{
    if (p->count < p->max)
        p->insns[p->count] =
            (struct bpf_insn){ .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = (int16_t)off, .imm = imm };
    p->count++;
}

/* r2 device type, r3 access wanted, r4 major, r5 minor */
static void emit_prologue(struct program *p)
{
    emit(p, BPF_LDX | BPF_W | BPF_MEM, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
    emit(p, BPF_ALU | BPF_MOV | BPF_X, 3, 2, 0, 0);
    emit(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
    emit(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
    emit(p, BPF_LDX | BPF_W | BPF_MEM, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
    emit(p, BPF_LDX | BPF_W | BPF_MEM, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
}

static void emit_answer(struct program *p, bool allow)
{
    emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow);
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int32_t kernel_access(unsigned access)
{
    return (access & 1 ? BPF_DEVCG_ACC_READ : 0) | (access & 2 ? BPF_DEVCG_ACC_WRITE : 0) |
           (access & 4 ? BPF_DEVCG_ACC_MKNOD : 0);
}

static bool matches_everything(const struct sys_device_rule *rule)
{
    return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && (rule->access & ACCESS_ALL) == ACCESS_ALL;
}

static void emit_rule(struct program *p, const struct sys_device_rule *rule)
{
    size_t jumps[RULE_INSNS_MAX], jump_count = 0;
#define JUMP_OUT_UNLESS_EQUAL(reg, value) \
    jumps[jump_count++] = p->count;       \
    emit(p, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, (int32_t)(value))
    if (rule->type != 'a') {
        JUMP_OUT_UNLESS_EQUAL(2, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    if ((rule->access & ACCESS_ALL) != ACCESS_ALL) {
        emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
        emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, kernel_access(rule->access));
        jumps[jump_count++] = p->count;
        if (rule->allow) /* all that is wanted is granted */
            emit(p, BPF_JMP | BPF_JNE | BPF_X, 1, 3, 0, 0);
        else /* nothing that is wanted is denied */
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
    }
    if (rule->major >= 0) {
        JUMP_OUT_UNLESS_EQUAL(4, rule->major);
    }
    if (rule->minor >= 0) {
        JUMP_OUT_UNLESS_EQUAL(5, rule->minor);
    }
    emit_answer(p, rule->allow);
    for (size_t i = 0; i < jump_count; i++)
        if (jumps[i] < p->max)
            p->insns[jumps[i]].off = (int16_t)(p->count - jumps[i] - 1);
}

static size_t merge_rules(const struct sys_device_rule *rules, size_t count, struct sys_device_rule *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = n;
        while (rules[i].allow && j > 0 && ret[j - 1].allow &&
               (ret[j - 1].type != rules[i].type || ret[j - 1].major != rules[i].major || ret[j - 1].minor != rules[i].minor))
            j--;
        if (rules[i].allow && j > 0 && ret[j - 1].allow)
            ret[j - 1].access |= rules[i].access;
        else
            ret[n++] = rules[i];
    }
    return n;
}

int sys_device_program(const struct sys_device_rule *rules, size_t count, struct bpf_insn *ret, size_t max)
{
    if (count > PROGRAM_INSNS_MAX)
        return -E2BIG;
    struct sys_device_rule *merged = calloc(count + 1, sizeof *merged);
    if (!merged)
        return -ENOMEM;
    size_t n = merge_rules(rules, count, merged);
    struct program p = { .insns = ret, .max = max };
    emit_prologue(&p);
    bool complete = false; /* code after an unconditional answer would be unreachable: the verifier refuses it */
    for (size_t i = n; i-- > 0 && !complete;) {
        emit_rule(&p, &merged[i]);
        complete = matches_everything(&merged[i]);
    }
    if (!complete)
        emit_answer(&p, false);
    free(merged);
    return p.count > max ? -E2BIG : (int)p.count;
}

static int bpf(int command, union bpf_attr *attr)
{
    long r = syscall(SYS_bpf, command, attr, sizeof *attr);
    return r < 0 ? -errno : (int)r;
}

int sys_cgroup2_devices(int cgroup_fd, const struct sys_device_rule *rules, size_t count)
{
    struct bpf_insn *insns = calloc(PROGRAM_INSNS_MAX, sizeof *insns);
    if (!insns)
        return -ENOMEM;
    int length = sys_device_program(rules, count, insns, PROGRAM_INSNS_MAX);
    union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };
    load.insn_cnt = (uint32_t)(length > 0 ? length : 0);
    load.insns = (uint64_t)(uintptr_t)insns;
    load.license = (uint64_t)(uintptr_t) "Apache-2.0";
    int program_fd = length < 0 ? length : bpf(BPF_PROG_LOAD, &load);
    free(insns);
    if (program_fd < 0)
        return program_fd;
    union bpf_attr attach = { .target_fd = (uint32_t)cgroup_fd };
    attach.attach_bpf_fd = (uint32_t)program_fd;
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    int r = bpf(BPF_PROG_ATTACH, &attach);
    close(program_fd); /* the cgroup holds it now */
    return r;
}
