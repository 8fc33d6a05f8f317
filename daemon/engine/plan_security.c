/* Capabilities, masks, signals: names to numbers, as Docker's defaults have them (security.md R10, R13). */
#include "daemon/engine/plan_parts.h"

#include "lib/base/str.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

static const char *const capability_names[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};
#define CAPS_DEFAULT 0xa80425fbULL
#define CAPS_ALL ((1ULL << ARRAY_SIZE(capability_names)) - 1)

const char *plan_cap_name(size_t number)
{
    return number < ARRAY_SIZE(capability_names) ? capability_names[number] : NULL;
}

static int cap_bits(const char *list, const char *name, uint64_t *ret, struct err *err)
{
    const char *bare = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;
    if (!strcasecmp(bare, "ALL")) {
        *ret = CAPS_ALL;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++) {
        if (!strcasecmp(bare, capability_names[i])) {
            *ret = 1ULL << i;
            return 0;
        }
    }
    AUTO_FREE char *upper = xstrdup(bare);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return err_set(err, ERR_INVALID, "invalid %s: unknown capability: \"CAP_%s\"", list, upper);
}

/* Docker's order: ALL in either list first, then drops, then adds. */
int plan_caps(const struct host_config *host, uint64_t *ret, struct err *err)
{
    uint64_t bits = 0, caps = CAPS_DEFAULT;
    if (host->privileged) {
        *ret = CAPS_ALL;
        return 0;
    }
    for (size_t i = 0; host->cap_add && host->cap_add[i]; i++) {
        if (cap_bits("CapAdd", host->cap_add[i], &bits, err) < 0)
            return -1;
        if (bits == CAPS_ALL)
            caps = CAPS_ALL;
    }
    for (size_t i = 0; host->cap_drop && host->cap_drop[i]; i++) {
        if (cap_bits("CapDrop", host->cap_drop[i], &bits, err) < 0)
            return -1;
        caps &= ~bits;
    }
    for (size_t i = 0; host->cap_add && host->cap_add[i]; i++)
        if (cap_bits("CapAdd", host->cap_add[i], &bits, err) == 0 && bits != CAPS_ALL)
            caps |= bits;
    *ret = caps;
    return 0;
}

const char *const plan_masked_paths[] = {
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
    "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", NULL,
};
const char *const plan_readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL };

static const struct {
    const char *name;
    int number;
} signals[] = {
    { "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS }, { "CHLD", SIGCHLD }, { "CLD", SIGCHLD }, { "CONT", SIGCONT }, { "FPE", SIGFPE },
    { "HUP", SIGHUP }, { "ILL", SIGILL }, { "INT", SIGINT }, { "IO", SIGIO }, { "IOT", SIGIOT }, { "KILL", SIGKILL }, { "PIPE", SIGPIPE },
    { "POLL", SIGPOLL }, { "PROF", SIGPROF }, { "PWR", SIGPWR }, { "QUIT", SIGQUIT }, { "SEGV", SIGSEGV }, { "STKFLT", SIGSTKFLT },
    { "STOP", SIGSTOP }, { "SYS", SIGSYS }, { "TERM", SIGTERM }, { "TRAP", SIGTRAP }, { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN },
    { "TTOU", SIGTTOU }, { "URG", SIGURG }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM }, { "WINCH", SIGWINCH },
    { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

static bool realtime(const char *name, int *ret)
{
    int64_t offset = 0;
    bool from_min = str_starts(name, "RTMIN");
    if (!from_min && !str_starts(name, "RTMAX"))
        return false;
    const char *rest = name + 5;
    if (*rest && (str_to_i64(rest[0] == '+' ? rest + 1 : rest, &offset) < 0 || (offset > 0) != from_min))
        return false;
    *ret = (from_min ? 34 : 64) + (int)offset; /* the numbers of the kernel's range as glibc and Go name it */
    return *ret >= 34 && *ret <= 64;
}

int signal_parse(const char *text, int *ret, struct err *err)
{
    int64_t number;
    char upper[16];
    if (str_to_i64(text, &number) == 0) {
        if (number < 1 || number > 64)
            return err_set(err, ERR_INVALID, "invalid signal: %s", text);
        *ret = (int)number;
        return 0;
    }
    if (!str_copy(upper, sizeof upper, text))
        return err_set(err, ERR_INVALID, "invalid signal: %s", text);
    for (char *c = upper; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    const char *bare = str_starts(upper, "SIG") ? upper + 3 : upper;
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        if (str_eq(signals[i].name, bare)) {
            *ret = signals[i].number;
            return 0;
        }
    }
    return realtime(bare, ret) ? 0 : err_set(err, ERR_INVALID, "invalid signal: %s", text);
}

/* Which opts there are; everything else is refused by name. */
int plan_security_opts(const struct host_config *host, struct plan_security *ret, struct err *err)
{
    *ret = (struct plan_security){ 0 };
    for (size_t i = 0; host->security_opt && host->security_opt[i]; i++) {
        const char *opt = host->security_opt[i], *value = NULL;
        AUTO_FREE char *key = xstrndup(opt, strcspn(opt, "=:"));
        if (opt[strlen(key)])
            value = opt + strlen(key) + 1;
        if (str_eq(key, "no-new-privileges")) {
            ret->no_new_privileges = true;
            if (value && str_to_bool(value, &ret->no_new_privileges) < 0)
                return err_set(err, ERR_INVALID, "invalid --security-opt 2: \"%s\"", opt);
        } else if (str_eq(key, "seccomp") && value) {
            ret->seccomp = value; /* "unconfined", "builtin", or the profile's JSON */
        } else if (str_eq(key, "apparmor") && value) {
            ret->apparmor = value;
        } else if (str_eq(key, "label") && value) {
            ret->label = value; /* SELinux: without effect where it is not active */
        } else if (str_eq(opt, "systempaths=unconfined")) {
            ret->systempaths_unconfined = true;
        } else {
            return err_set(err, ERR_INVALID, "invalid --security-opt %d: \"%s\"", value ? 2 : 1, opt);
        }
    }
    return 0;
}
