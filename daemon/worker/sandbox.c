/* The walls around bytes of strangers, closed once and for all:
 *   FETCH   the user nobody, no capability, every file readable at most, the spool writable, network.
 *   others  root's id without root's power: CHOWN DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP, no socket can be made, only the named
 *           directories can be entered.
 * Both: no_new_privs, a seccomp list of what no job ever does (exec, fork, mounts, namespaces, ptrace, bpf, keys, modules, clocks, signals to
 * others), landlock from its ABI 2 on (ABI 1 would refuse hard links between directories), no core dump. */
#include "daemon/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define FILES_WANTED 8192 /* a directory fd per level of the deepest tree */
#define MEMORY_MAX ((rlim_t)6 << 30)
#define CAP_BIT(cap) ((uint64_t)1 << (cap))

static const uint64_t kept_caps = CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) |
                                  CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_SETFCAP);

static const int denied_calls[] = {
    SYS_execve, SYS_execveat, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_ptrace,
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key,
    SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff,
    SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_acct, SYS_quotactl,
    SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_personality, SYS_syslog, SYS_fanotify_init, SYS_kill, SYS_tkill,
    SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_vhangup, SYS_lookup_dcookie, SYS_setpriority, SYS_sched_setscheduler,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
#ifdef SYS_fork
    SYS_fork, SYS_vfork,
#endif
    /* one number on every architecture since 5.1 */
    424 /* pidfd_send_signal */, 425, 426, 427 /* io_uring */, 428 /* open_tree */, 429 /* move_mount */, 430 /* fsopen */,
    431 /* fsconfig */, 432 /* fsmount */, 433 /* fspick */, 434 /* pidfd_open */, 438 /* pidfd_getfd */, 440 /* process_madvise */,
    442 /* mount_setattr */, 443 /* quotactl_fd */, 447 /* memfd_secret */, 448 /* process_mrelease */,
};
static const int denied_sockets[] = { SYS_socket, SYS_socketpair };

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the worker's sandbox knows x86_64 and aarch64"
#endif
#define X32_BIT 0x40000000U
#define DATA(field) ((uint32_t)offsetof(struct seccomp_data, field))
#define PROGRAM_MAX 256

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short length;
};

static void emit(struct program *program, uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
    program->code[program->length++] = (struct sock_filter){ code, jump_true, jump_false, k };
}

static void deny(struct program *program, int number, int error)
{
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error, 0, 0);
}

/* A call that is fine with one kind of first argument only: the checks end the program either way. */
static void judge_clone(struct program *program)
{
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    emit(program, BPF_LD | BPF_W | BPF_ABS, DATA(args[0]), 0, 0);
    emit(program, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static void judge_tgkill(struct program *program)
{
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 4);
    emit(program, BPF_LD | BPF_W | BPF_ABS, DATA(args[0]), 0, 0);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 0, 1);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

static void make_program(struct program *program, bool network)
{
    emit(program, BPF_LD | BPF_W | BPF_ABS, DATA(arch), 0, 0);
    emit(program, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    emit(program, BPF_LD | BPF_W | BPF_ABS, DATA(nr), 0, 0);
    emit(program, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(denied_calls); i++)
        deny(program, denied_calls[i], EPERM);
    for (size_t i = 0; i < ARRAY_SIZE(denied_sockets) && !network; i++)
        deny(program, denied_sockets[i], EPERM);
    deny(program, 435 /* clone3: its flags are out of a filter's sight */, ENOSYS);
    judge_clone(program);
    judge_tgkill(program);
    emit(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static int load_seccomp(bool network, struct err *err)
{
    struct program program = { .length = 0 };
    make_program(&program, network);
    struct sock_fprog prog = { .len = program.length, .filter = program.code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
        return err_sys(err, errno, "close the sandbox: seccomp");
    return 0;
}

static int drop_caps(uint64_t keep, struct err *err)
{
    int last = sys_cap_last(); /* asks the kernel for each */
    for (int cap = 0; cap <= last; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL && errno != EPERM)
            return err_sys(err, errno, "close the sandbox: capabilities");
    uint64_t have = 0;
    int r = sys_capget(&have);
    if (r >= 0)
        r = sys_capset(keep & have, keep & have, 0);
    return r < 0 ? err_sys(err, r, "close the sandbox: capabilities") : 0;
}

static int become_nobody(const int *dir_fds, size_t count, struct err *err)
{
    if (geteuid() != 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (fchown(dir_fds[i], NOBODY, NOBODY) < 0)
            return err_sys(err, errno, "close the sandbox: give the spool away");
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return err_sys(err, errno, "close the sandbox: become nobody");
    return 0;
}

static uint64_t landlock_rights(long abi)
{
    uint64_t all = (1ULL << 13) - 1; /* ABI 1 */
    all |= 1ULL << 13;               /* 2: link and rename between directories */
    if (abi >= 3)
        all |= 1ULL << 14; /* truncate */
    return all;
}

static int landlock_allow(int ruleset_fd, int dir_fd, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights, .parent_fd = dir_fd };
    return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int close_landlock(bool read_all, const int *dir_fds, size_t count, struct err *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2)
        return 0; /* this kernel has none, or one too old */
    uint64_t rights = landlock_rights(abi);
    struct landlock_ruleset_attr attr = { .handled_access_fs = rights };
    AUTO_FD int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr.handled_access_fs, 0);
    if (ruleset < 0)
        return err_sys(err, errno, "close the sandbox: landlock");
    int r = 0;
    for (size_t i = 0; i < count && r >= 0; i++)
        r = landlock_allow(ruleset, dir_fds[i], rights);
    if (read_all && r >= 0) {
        AUTO_FD int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = landlock_allow(ruleset, top, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
    }
    if (r >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        r = -errno;
    return r < 0 ? err_sys(err, r, "close the sandbox: landlock") : 0;
}

static void set_limits(void)
{
    struct rlimit files;
    const struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = MIN(files.rlim_max, (rlim_t)FILES_WANTED);
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
    (void)setrlimit(RLIMIT_AS, &memory);
#endif
}

/* Nothing else reads the socket's hang-up while a job works. */
static void *watch_peer(void *arg)
{
    const struct worker *worker = arg;
    struct pollfd peer = { .fd = worker->sock, .events = POLLRDHUP };
    for (;;) {
        if (poll(&peer, 1, -1) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)))
            _exit(1);
    }
}

static int start_watch(struct worker *worker, struct err *err)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attr, watch_peer, worker);
    pthread_attr_destroy(&attr);
    return r ? err_sys(err, r, "start a thread") : 0;
}

int worker_seal(struct worker *worker, const int *dir_fds, size_t count, struct err *err)
{
    bool fetch = worker->sandbox == JOB_SANDBOX_FETCH;
    if (worker->sealed)
        return 0;
    set_limits();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "close the sandbox: no_new_privs");
    if (close_landlock(fetch, dir_fds, count, err) < 0 || (fetch && become_nobody(dir_fds, count, err) < 0) ||
        drop_caps(fetch ? 0 : kept_caps, err) < 0 || load_seccomp(fetch, err) < 0)
        return -1;
    prctl(PR_SET_DUMPABLE, 0);
    worker->sealed = true;
    return start_watch(worker, err);
}
