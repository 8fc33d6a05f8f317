/* Docker's default policy as a table of our own, by what the calls are for. tests compare the compiled program with Docker's. */
#include "daemon/worker/seccomp_policy.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/socket.h>

#define FAIL(error) (SECCOMP_RET_ERRNO | (error))
#define NEW_NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)

static const char open_files[] =
    "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 ioctl flock lseek _llseek pipe pipe2 name_to_handle_at "
    "memfd_create memfd_secret fadvise64 fadvise64_64 readahead fallocate truncate truncate64 ftruncate ftruncate64 sync syncfs fsync "
    "fdatasync sync_file_range cachestat";
static const char data[] =
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 sendfile sendfile64 copy_file_range splice tee vmsplice "
    "io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64";
static const char names[] =
    "chdir fchdir getcwd mkdir mkdirat rmdir mknod mknodat link linkat unlink unlinkat symlink symlinkat readlink readlinkat rename "
    "renameat renameat2 getdents getdents64 statmount listmount";
static const char metadata[] =
    "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 access faccessat faccessat2 "
    "chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat umask utime utimes futimesat utimensat "
    "utimensat_time64 getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr "
    "listxattrat removexattr lremovexattr fremovexattr removexattrat";
static const char waiting[] =
    "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait "
    "epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 inotify_init inotify_init1 inotify_add_watch "
    "inotify_rm_watch fanotify_mark futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list";
static const char memory[] =
    "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall mseal remap_file_pages "
    "map_shadow_stack pkey_alloc pkey_free pkey_mprotect membarrier process_mrelease";
static const char processes[] =
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid prctl getpid getppid gettid getpgid getpgrp setpgid getsid setsid "
    "set_tid_address get_thread_area set_thread_area pidfd_open pidfd_send_signal rseq getcpu getrusage times getrlimit ugetrlimit "
    "setrlimit prlimit64 uretprobe";
static const char identity[] =
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups "
    "getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 "
    "setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset";
static const char walls[] = "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self";
static const char signals[] =
    "kill tkill tgkill pause alarm sigaltstack sigprocmask sigreturn rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 restart_syscall";
static const char scheduling[] =
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler "
    "sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64 getpriority "
    "setpriority ioprio_get ioprio_set";
static const char clocks[] =
    "time gettimeofday nanosleep clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 "
    "adjtimex clock_adjtime clock_adjtime64 getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64";
static const char sockets[] =
    "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto sendmsg "
    "sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64";
static const char queues[] =
    "ipc shmget shmat shmctl shmdt semget semop semctl semtimedop semtimedop_time64 msgget msgsnd msgrcv msgctl mq_open mq_unlink "
    "mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64";
static const char machine[] = "uname sysinfo getrandom riscv_hwprobe arch_prctl modify_ldt";

struct builtin {
    const char *names;
    const char *with_cap, *without_cap; /* NULL: whatever the capabilities */
    uint32_t action;
    bool checked;
    struct seccomp_check check;
};
#define ALWAYS(list) { .names = (list), .action = SECCOMP_RET_ALLOW }
#define WITH(cap, list) { .names = (list), .with_cap = (cap), .action = SECCOMP_RET_ALLOW }
#define PERSONALITY(number) \
    { .names = "personality", .action = SECCOMP_RET_ALLOW, .checked = true, .check = { 0, CHECK_EQ, (number), 0 } }

static const struct builtin builtins[] = {
    ALWAYS(open_files), ALWAYS(data), ALWAYS(names), ALWAYS(metadata), ALWAYS(waiting), ALWAYS(memory), ALWAYS(processes),
    ALWAYS(identity), ALWAYS(walls), ALWAYS(signals), ALWAYS(scheduling), ALWAYS(clocks), ALWAYS(sockets), ALWAYS(queues),
    ALWAYS(machine),
    ALWAYS("ptrace process_vm_readv process_vm_writev"), /* safe with seccomp since Linux 4.8 */
    { .names = "socket", .action = SECCOMP_RET_ALLOW, .checked = true, .check = { 0, CHECK_NE, AF_VSOCK, 0 } },
    PERSONALITY(PER_LINUX),
    PERSONALITY(PER_LINUX32),
    PERSONALITY(UNAME26),
    PERSONALITY(UNAME26 | PER_LINUX32),
    PERSONALITY(0xffffffff),
    { .names = "clone", .without_cap = "CAP_SYS_ADMIN", .action = SECCOMP_RET_ALLOW, .checked = true,
      .check = { 0, CHECK_MASKED_EQ, 0, NEW_NAMESPACES } },
    /* its flags are behind a pointer: libraries that hear ENOSYS use clone */
    { .names = "clone3", .without_cap = "CAP_SYS_ADMIN", .action = FAIL(ENOSYS) },
    WITH("CAP_SYS_ADMIN", "clone clone3 unshare setns mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount "
                          "fspick quotactl quotactl_fd sethostname setdomainname fanotify_init bpf perf_event_open syslog lookup_dcookie "
                          "lsm_get_self_attr lsm_set_self_attr lsm_list_modules"),
    WITH("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    WITH("CAP_SYS_BOOT", "reboot"),
    WITH("CAP_SYS_CHROOT", "chroot"),
    WITH("CAP_SYS_MODULE", "init_module finit_module delete_module"),
    WITH("CAP_SYS_PACCT", "acct"),
    WITH("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    WITH("CAP_SYS_RAWIO", "iopl ioperm"),
    WITH("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    WITH("CAP_SYS_TTY_CONFIG", "vhangup"),
    WITH("CAP_SYS_NICE", "mbind get_mempolicy set_mempolicy set_mempolicy_home_node"),
    WITH("CAP_SYSLOG", "syslog"),
    WITH("CAP_BPF", "bpf"),
    WITH("CAP_PERFMON", "perf_event_open"),
};

struct seccomp_rule *seccomp_policy_add(struct seccomp_policy *policy)
{
    policy->rules = xreallocarray(policy->rules, policy->rule_count + 1, sizeof *policy->rules);
    struct seccomp_rule *rule = &policy->rules[policy->rule_count++];
    *rule = (struct seccomp_rule){ .names = NULL };
    return rule;
}

void seccomp_policy_done(struct seccomp_policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++)
        strv_free(policy->rules[i].names);
    free(policy->rules);
    *policy = (struct seccomp_policy){ .rules = NULL };
}

void seccomp_policy_builtin(char *const *caps, struct seccomp_policy *ret)
{
    *ret = (struct seccomp_policy){ .default_action = FAIL(EPERM), .abis = { true, true, true } };
    for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
        const struct builtin *from = &builtins[i];
        if ((from->with_cap && !strv_contains(caps, from->with_cap)) || (from->without_cap && strv_contains(caps, from->without_cap)))
            continue;
        struct seccomp_rule *rule = seccomp_policy_add(ret);
        rule->names = strv_split(from->names, ' ', true);
        rule->action = from->action;
        rule->check_count = from->checked;
        rule->checks[0] = from->check;
    }
}
