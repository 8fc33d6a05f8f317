/* A profile in Docker's JSON format: defaultAction, archMap or architectures, syscalls with conditions. */
#include "daemon/worker/seccomp_policy.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/codec.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/utsname.h>

#define PROFILE_RULES_MAX 10000

struct profile_arch {
    char *arch;
    char **sub_arches;
};
struct profile_arg {
    int64_t index, value, value_two;
    char *op;
};
struct profile_filter {
    char **caps, **arches;
    char *min_kernel;
};
struct profile_call {
    char *name, *action;
    char **names;
    struct opt_i64 errno_ret;
    CODEC_LIST(struct profile_arg) args;
    struct profile_filter includes, excludes;
};
struct profile {
    char *default_action, *listener_path;
    struct opt_i64 default_errno_ret;
    char **architectures, **flags;
    CODEC_LIST(struct profile_arch) arch_map;
    CODEC_LIST(struct profile_call) syscalls;
};

static const struct codec_field profile_arch_fields[] = {
    F_STR(struct profile_arch, arch, "architecture", 0),
    F_STRV(struct profile_arch, sub_arches, "subArchitectures", 0),
    F_END,
};
static const struct codec_type profile_arch_type = {
    .name = "archMap", .size = sizeof(struct profile_arch), .fields = profile_arch_fields,
};
static const struct codec_field profile_arg_fields[] = {
    F_I64(struct profile_arg, index, "index", 0),
    F_I64(struct profile_arg, value, "value", 0),
    F_I64(struct profile_arg, value_two, "valueTwo", 0),
    F_STR(struct profile_arg, op, "op", 0),
    F_END,
};
static const struct codec_type profile_arg_type = {
    .name = "args", .size = sizeof(struct profile_arg), .fields = profile_arg_fields,
};
static const struct codec_field profile_filter_fields[] = {
    F_STRV(struct profile_filter, caps, "caps", 0),
    F_STRV(struct profile_filter, arches, "arches", 0),
    F_STR(struct profile_filter, min_kernel, "minKernel", 0),
    F_END,
};
static const struct codec_type profile_filter_type = {
    .name = "filter", .size = sizeof(struct profile_filter), .fields = profile_filter_fields,
};
static const struct codec_field profile_call_fields[] = {
    F_STR(struct profile_call, name, "name", 0),
    F_STRV(struct profile_call, names, "names", 0),
    F_STR(struct profile_call, action, "action", 0),
    F_OPT_I64(struct profile_call, errno_ret, "errnoRet", 0),
    F_LIST(struct profile_call, args, "args", 0, profile_arg),
    F_OBJ(struct profile_call, includes, "includes", 0, profile_filter),
    F_OBJ(struct profile_call, excludes, "excludes", 0, profile_filter),
    F_END,
};
static const struct codec_type profile_call_type = {
    .name = "syscalls", .size = sizeof(struct profile_call), .fields = profile_call_fields,
};
static const struct codec_field profile_fields[] = {
    F_STR(struct profile, default_action, "defaultAction", 0),
    F_OPT_I64(struct profile, default_errno_ret, "defaultErrnoRet", 0),
    F_STRV(struct profile, architectures, "architectures", 0),
    F_STRV(struct profile, flags, "flags", 0),
    F_STR(struct profile, listener_path, "listenerPath", 0),
    F_LIST(struct profile, arch_map, "archMap", 0, profile_arch),
    F_LIST(struct profile, syscalls, "syscalls", 0, profile_call),
    F_END,
};
static const struct codec_type profile_type = {
    .name = "profile", .size = sizeof(struct profile), .fields = profile_fields,
};

static int read_action(const char *name, struct opt_i64 errno_ret, uint32_t *ret, struct err *err)
{
    static const struct {
        const char *name;
        uint32_t action;
        bool data;
    } actions[] = {
        { "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false },         { "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true },
        { "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false },    { "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false },
        { "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false }, { "SCMP_ACT_LOG", SECCOMP_RET_LOG, false },
        { "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false },           { "SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true },
    };
    if (str_eq(name, "SCMP_ACT_NOTIFY"))
        return err_set(err, ERR_UNSUPPORTED, "seccomp action SCMP_ACT_NOTIFY is not supported");
    if (errno_ret.present && (errno_ret.value < 0 || errno_ret.value > SECCOMP_RET_DATA))
        return err_set(err, ERR_INVALID, "invalid seccomp profile: errnoRet %lld is out of range", (long long)errno_ret.value);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!str_eq(actions[i].name, name))
            continue;
        uint32_t number = errno_ret.present ? (uint32_t)errno_ret.value : EPERM;
        *ret = actions[i].action | (actions[i].data ? number : 0);
        return 0;
    }
    return err_set(err, ERR_INVALID, "invalid seccomp profile: string %s is not a valid action for seccomp", name ? name : "");
}

static int read_op(const char *name, enum seccomp_op *ret, struct err *err)
{
    static const char *const ops[] = {
        [CHECK_NE] = "SCMP_CMP_NE", [CHECK_LT] = "SCMP_CMP_LT", [CHECK_LE] = "SCMP_CMP_LE",
        [CHECK_EQ] = "SCMP_CMP_EQ", [CHECK_GE] = "SCMP_CMP_GE", [CHECK_GT] = "SCMP_CMP_GT",
        [CHECK_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
    };
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (str_eq(ops[i], name)) {
            *ret = (enum seccomp_op)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "invalid seccomp profile: string %s is not a valid operator for seccomp", name ? name : "");
}

static int add_arch(struct seccomp_policy *policy, const char *name, struct err *err)
{
    static const char *const foreign[] = {
        "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
        "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390",
        "SCMP_ARCH_S390X", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
    };
    static const char *const own[ABI_COUNT] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };
    for (size_t i = 0; i < ABI_COUNT; i++) {
        if (str_eq(own[i], name)) {
            policy->abis[i] = true;
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (str_eq(foreign[i], name))
            return 0; /* nothing of this machine runs as that */
    return err_set(err, ERR_INVALID, "invalid seccomp profile: string %s is not a valid arch for seccomp", name ? name : "");
}

static int read_arches(const struct profile *profile, struct seccomp_policy *policy, struct err *err)
{
    if (strv_length(profile->architectures) && profile->arch_map.count)
        return err_set(err, ERR_INVALID, "both 'architectures' and 'archMap' are specified in the seccomp profile, use either "
                                         "'architectures' or 'archMap'");
    policy->abis[ABI_X86_64] = true;
    for (char **arch = profile->architectures; arch && *arch; arch++)
        if (add_arch(policy, *arch, err) < 0)
            return -1;
    for (size_t i = 0; i < profile->arch_map.count; i++) {
        const struct profile_arch *arch = &profile->arch_map.items[i];
        if (!str_eq(arch->arch, "SCMP_ARCH_X86_64"))
            continue;
        for (char **sub = arch->sub_arches; sub && *sub; sub++)
            if (add_arch(policy, *sub, err) < 0)
                return -1;
        break;
    }
    return 0;
}

static int small_number(const char **text, unsigned *ret)
{
    unsigned value = 0;
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 3)
        return -1;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)((*text)[i] - '0');
    *text += digits;
    *ret = value;
    return value > 255 ? -1 : 0;
}

/* "4.8": 1 the machine's is as new, 0 older */
static int kernel_at_least(const char *text, struct err *err)
{
    unsigned want[2], have[2] = { 0 };
    struct utsname names;
    const char *at = text;
    if (small_number(&at, &want[0]) < 0 || *at++ != '.' || small_number(&at, &want[1]) < 0 || *at || (!want[0] && !want[1]))
        return err_set(err, ERR_INVALID, "invalid kernel version: \"%s\", expected \"<kernel>.<major>\"", text);
    if (uname(&names) < 0)
        return err_sys(err, errno, "ask for the kernel's version");
    at = names.release;
    if (small_number(&at, &have[0]) == 0 && *at == '.') {
        at++;
        (void)small_number(&at, &have[1]);
    }
    return have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1]);
}

/* Does a rule apply here? 1, 0, -1 */
static int applies(const struct profile_call *call, char *const *caps, struct err *err)
{
    const struct profile_filter *in = &call->includes, *out = &call->excludes;
    if (strv_contains(out->arches, "amd64") || (strv_length(in->arches) && !strv_contains(in->arches, "amd64")))
        return 0;
    for (char **cap = out->caps; cap && *cap; cap++)
        if (strv_contains(caps, *cap))
            return 0;
    for (char **cap = in->caps; cap && *cap; cap++)
        if (!strv_contains(caps, *cap))
            return 0;
    int new_enough = str_empty(in->min_kernel) ? 1 : kernel_at_least(in->min_kernel, err);
    int too_new = new_enough < 0 || str_empty(out->min_kernel) ? 0 : kernel_at_least(out->min_kernel, err);
    return new_enough < 0 || too_new < 0 ? -1 : new_enough && !too_new;
}

static int read_args(const struct profile_call *call, struct seccomp_rule *rule, struct err *err)
{
    if (call->args.count > SECCOMP_CHECKS_MAX)
        return err_set(err, ERR_INVALID, "invalid seccomp profile: more than %d args for %s", SECCOMP_CHECKS_MAX, rule->names[0]);
    for (size_t i = 0; i < call->args.count; i++) {
        const struct profile_arg *arg = &call->args.items[i];
        struct seccomp_check *check = &rule->checks[rule->check_count++];
        if (arg->index < 0 || arg->index > 5)
            return err_set(err, ERR_INVALID, "invalid seccomp profile: %s has no argument %lld", rule->names[0], (long long)arg->index);
        if (read_op(arg->op, &check->op, err) < 0)
            return -1;
        check->index = (unsigned)arg->index;
        check->value = (uint64_t)(check->op == CHECK_MASKED_EQ ? arg->value_two : arg->value);
        check->mask = (uint64_t)arg->value;
    }
    return 0;
}

static int read_call(const struct profile_call *call, char *const *caps, struct seccomp_policy *policy, struct err *err)
{
    struct opt_i64 errno_ret = call->errno_ret;
    uint32_t action = 0;
    if (!str_empty(call->name) && strv_length(call->names))
        return err_set(err, ERR_INVALID, "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
    int here = applies(call, caps, err);
    if (here <= 0)
        return here;
    if (read_action(call->action, errno_ret, &action, err) < 0)
        return -1;
    if (str_empty(call->name) && !strv_length(call->names))
        return 0;
    struct seccomp_rule *rule = seccomp_policy_add(policy);
    rule->action = action;
    rule->names = strv_dup(call->names);
    if (!str_empty(call->name))
        strv_append(&rule->names, call->name);
    if (strv_contains(rule->names, ""))
        return err_set(err, ERR_INVALID, "invalid seccomp profile: empty string is not a valid syscall");
    return read_args(call, rule, err);
}

static int read_profile(const struct profile *profile, char *const *caps, struct seccomp_policy *policy, char ***warnings, struct err *err)
{
    if (str_empty(profile->default_action) && profile->syscalls.count == 0) {
        policy->off = true;
        return 0;
    }
    if (profile->syscalls.count > PROFILE_RULES_MAX)
        return err_set(err, ERR_INVALID, "invalid seccomp profile: more than %d rules", PROFILE_RULES_MAX);
    if (!str_empty(profile->listener_path))
        return err_set(err, ERR_UNSUPPORTED, "seccomp profiles with a listenerPath are not supported");
    if (read_arches(profile, policy, err) < 0 ||
        read_action(profile->default_action, profile->default_errno_ret, &policy->default_action, err) < 0)
        return -1;
    for (char **flag = profile->flags; flag && *flag; flag++)
        strv_append_take(warnings, str_format("the seccomp profile's flag %s is not used", *flag));
    for (size_t i = 0; i < profile->syscalls.count; i++)
        if (read_call(&profile->syscalls.items[i], caps, policy, err) < 0)
            return -1;
    return 0;
}

int seccomp_profile_parse(const char *text, char *const *caps, struct seccomp_policy *ret, char ***warnings, struct err *err)
{
    struct profile profile;
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    if (codec_decode(&profile_type, text, strlen(text), &profile, err) < 0)
        return err_wrap(err, "Decoding seccomp profile failed");
    int r = read_profile(&profile, caps, &policy, warnings, err);
    codec_clear(&profile_type, &profile);
    if (r < 0)
        return -1;
    *ret = policy;
    policy = (struct seccomp_policy){ .rules = NULL };
    return 0;
}
