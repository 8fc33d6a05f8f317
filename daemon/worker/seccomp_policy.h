/* Which system calls a container may make. A policy is a list of rules by name: the built-in one (seccomp_policy.c), or what a profile in
 * Docker's JSON format says (seccomp_profile.c), both with their conditions (capabilities, architecture, kernel) already decided. The
 * compiler turns it into one BPF program for x86_64, i386 and x32.
 *
 * As runc: a call's rule without checks decides before those with; the first rule that fits decides; a rule that says what the default says
 * is no rule; names that the machine does not know are passed over; calls newer than the newest that the policy names fail with ENOSYS (so
 * that libraries fall back) unless the default lets them pass. Calls of an ABI that the policy does not list kill the thread. */
#pragma once
#include "lib/base/err.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_CHECKS_MAX 6
#define SECCOMP_PROGRAM_MAX 4096 /* instructions: BPF_MAXINSNS */

enum seccomp_abi { ABI_X86_64, ABI_X86, ABI_X32, ABI_COUNT };
enum seccomp_op { CHECK_NE, CHECK_LT, CHECK_LE, CHECK_EQ, CHECK_GE, CHECK_GT, CHECK_MASKED_EQ };
struct seccomp_check {
    unsigned index; /* of the argument */
    enum seccomp_op op;
    uint64_t value, mask; /* mask: of MASKED_EQ */
};
struct seccomp_rule {
    char **names;
    uint32_t action; /* SECCOMP_RET_* with its data */
    struct seccomp_check checks[SECCOMP_CHECKS_MAX]; /* all must hold */
    size_t check_count;
};
struct seccomp_policy {
    bool off; /* the profile is empty: no filter at all */
    uint32_t default_action;
    bool abis[ABI_COUNT];
    struct seccomp_rule *rules;
    size_t rule_count;
};
void seccomp_policy_done(struct seccomp_policy *policy);
#define AUTO_SECCOMP_POLICY __attribute__((cleanup(seccomp_policy_done)))
/* A zeroed rule at the end of the list. */
struct seccomp_rule *seccomp_policy_add(struct seccomp_policy *policy);

/* caps: "CAP_SYS_ADMIN". What the container may have decides which rules there are. */
void seccomp_policy_builtin(char *const *caps, struct seccomp_policy *ret);
/* ERR_INVALID says what is wrong with the profile, ERR_UNSUPPORTED names an action that holk does not have. Warnings are added to
 * *warnings (a strv). */
int seccomp_profile_parse(const char *text, char *const *caps, struct seccomp_policy *ret, char ***warnings, struct err *err);

struct seccomp_program {
    struct sock_filter code[SECCOMP_PROGRAM_MAX];
    size_t length;
};
/* ERR_INVALID for a policy that does not fit a program. */
int seccomp_compile(const struct seccomp_policy *policy, struct seccomp_program *ret, struct err *err);
/* Number of a call in an ABI (x32 with its bit), or -1. */
int seccomp_number(enum seccomp_abi abi, const char *name);
