/* The end of setup: from a root process in the container's namespaces to exactly what the plan allows. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAP_BIT(cap) (1ULL << (cap))
#define KEYCTL_JOIN 1

/* Our own proc only, and no link, other mount or ".." on the way. */
static int open_proc(struct child *child, const char *path)
{
    return sys_openat2(child->proc_fd, path, O_WRONLY, 0,
                       SYS_RESOLVE_BENEATH | SYS_RESOLVE_NO_XDEV | SYS_RESOLVE_NO_SYMLINKS | SYS_RESOLVE_NO_MAGICLINKS);
}

static int write_proc(struct child *child, const char *path, const char *value)
{
    AUTO_FD int fd = open_proc(child, path);
    return fd < 0 ? fd : io_write_all(fd, value, strlen(value));
}

static int write_sysctl(struct child *child, const struct plan_sysctl *sysctl, struct err *err)
{
    char path[256];
    if (strchr(sysctl->key, '/') || strstr(sysctl->key, "..") || strpbrk(sysctl->value, "\n\r"))
        return err_set(err, ERR_INVALID, "sysctl %s is not a valid name or value", sysctl->key);
    int n = snprintf(path, sizeof path, "sys/%s", sysctl->key);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_INVALID, "sysctl %s is too long", sysctl->key);
    for (char *c = path; *c; c++)
        if (*c == '.')
            *c = '/';
    int r = write_proc(child, path, sysctl->value);
    return r < 0 ? err_sys(err, r, "set sysctl %s", sysctl->key) : 0;
}

int drop_names_and_sysctls(struct child *child, struct err *err)
{
    const struct plan *plan = child->plan;
    bool own_names = plan->ns_mode[PLAN_NS_UTS] == PLAN_NS_NEW;
    if (own_names && plan->hostname && *plan->hostname && sethostname(plan->hostname, strlen(plan->hostname)) < 0)
        return err_sys(err, errno, "set host name %s", plan->hostname);
    if (own_names && plan->domainname && *plan->domainname && setdomainname(plan->domainname, strlen(plan->domainname)) < 0)
        return err_sys(err, errno, "set domain name %s", plan->domainname);
    for (size_t i = 0; i < plan->sysctl_count; i++)
        if (write_sysctl(child, &plan->sysctls[i], err) < 0)
            return -1;
    return 0;
}

static int set_rlimit(struct child *child, const struct plan_rlimit *limit, struct err *err)
{
    struct rlimit wanted = { .rlim_cur = limit->soft, .rlim_max = limit->hard }, current;
    if (setrlimit(limit->resource, &wanted) == 0)
        return 0;
    int error = errno;
    if (error != EPERM || getrlimit(limit->resource, &current) < 0)
        return err_sys(err, error, "set resource limit %u", limit->resource);
    wanted.rlim_max = MIN(wanted.rlim_max, current.rlim_max);
    wanted.rlim_cur = MIN(wanted.rlim_cur, wanted.rlim_max);
    if (setrlimit(limit->resource, &wanted) < 0)
        return err_sys(err, errno, "set resource limit %u", limit->resource);
    child_warn(child, "resource limit %u is held at %llu: more is not permitted here", limit->resource,
               (unsigned long long)wanted.rlim_max);
    return 0;
}

static int read_score(struct child *child, const char *path)
{
    char text[16] = "";
    AUTO_FD int fd = openat(child->proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || io_read_full(fd, text, sizeof text - 1) <= 0)
        return 0;
    return (int)strtol(text, NULL, 10);
}

static int set_oom_score(struct child *child, struct err *err)
{
    char path[48], value[16];
    snprintf(path, sizeof path, "%d/oom_score_adj", (int)getpid());
    int current = read_score(child, path);
    int wanted = child->process->oom_score_adj_set ? child->process->oom_score_adj : MAX(current, 0);
    if (wanted == current)
        return 0;
    snprintf(value, sizeof value, "%d", wanted);
    int r = write_proc(child, path, value);
    if (r == -EACCES || r == -EPERM) {
        child_warn(child, "oom score adjustment %d is not permitted here: it stays %d", wanted, current);
        return 0;
    }
    return r < 0 ? err_sys(err, r, "set oom score adjustment %d", wanted) : 0;
}

int drop_limits(struct child *child, struct err *err)
{
    if (set_oom_score(child, err) < 0)
        return -1;
    for (size_t i = 0; i < child->process->rlimit_count; i++)
        if (set_rlimit(child, &child->process->rlimits[i], err) < 0)
            return -1;
    /* a session keyring of its own: the host's is out of reach */
    if (syscall(SYS_keyctl, KEYCTL_JOIN, NULL, 0, 0, 0) < 0 && errno != ENOSYS)
        return err_sys(err, errno, "join a new session keyring");
    return 0;
}

static void set_home(struct child *child)
{
    const char *const *env = child->process->env;
    size_t count = 0, kept = 0;
    while (env && env[count])
        count++;
    child->env = xcalloc(count + 2, sizeof *child->env);
    bool has_home = false;
    for (size_t i = 0; i < count; i++) {
        const char *home = str_after(env[i], "HOME=");
        if (home && !*home)
            continue;
        has_home |= home != NULL;
        child->env[kept++] = env[i];
    }
    if (!has_home)
        child->env[kept] = str_format("HOME=%s", child->user.home);
}

static int outside(const char *cwd, struct err *err)
{
    return err_set(err, ERR_INVALID, "working directory %s is outside the container", cwd);
}

/* Through openat2 without magic links, so that /proc/self/fd/N leads nowhere; then the kernel's own word for it. */
static int enter_cwd(struct child *child, struct err *err)
{
    const char *cwd = child->process->cwd && *child->process->cwd ? child->process->cwd : "/";
    char actual[4096];
    if (cwd[0] != '/')
        return err_set(err, ERR_INVALID, "Cwd must be an absolute path");
    AUTO_FD int fd = root_open(child->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
    if (fd == -ENOENT && child->process->make_cwd) {
        umask(0022);
        fd = root_mkdirs(child->root_fd, cwd, 0755);
    }
    if (fd == -ELOOP)
        return outside(cwd, err);
    if (fd < 0 || fchdir(fd) < 0) {
        int error = fd < 0 ? -fd : errno;
        child->exit_code = error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
        err_set(err, ERR_INVALID, "chdir to cwd (\"%s\") set in config.json failed: %s", cwd, err_strerror(error));
        err->sys_errno = error;
        return -1;
    }
    if (syscall(SYS_getcwd, actual, sizeof actual) < 0 || actual[0] != '/')
        return outside(cwd, err);
    return 0;
}

/* So that the user may reopen /dev/stdout. */
static void give_stdio(const struct user *user)
{
    for (int fd = 0; fd < 3; fd++) {
        struct stat st;
        if (fstat(fd, &st) < 0 || st.st_uid == user->uid)
            continue;
        if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd)))
            (void)!fchown(fd, user->uid, (gid_t)-1); /* a terminal of somebody else stays theirs */
    }
}

int drop_user_and_cwd(struct child *child, struct err *err)
{
    const struct plan_process *process = child->process;
    fd_close(take_fd(&child->root_fd)); /* before the pivot it was a mount; now the root is simply / */
    child->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (child->root_fd < 0)
        return err_sys(err, errno, "open the container's root");
    if (user_lookup(child->root_fd, process->user, process->group_add, &child->user, err) < 0)
        return -1;
    set_home(child);
    give_stdio(&child->user);
    umask(0022);
    return enter_cwd(child, err);
}

static int open_apparmor(struct child *child, struct err *err)
{
    const char *const names[] = { "attr/apparmor/exec", "attr/exec" };
    if (!child->apparmor_on || str_empty(child->process->apparmor))
        return 0;
    int fd = -ENOENT;
    for (size_t i = 0; i < ARRAY_SIZE(names) && fd == -ENOENT; i++) {
        char path[64];
        snprintf(path, sizeof path, "%d/%s", (int)getpid(), names[i]);
        fd = open_proc(child, path);
    }
    if (fd < 0)
        return err_sys(err, fd, "open AppArmor attribute");
    child->apparmor_fd = fd;
    return 0;
}

static int drop_bounding(uint64_t keep, struct err *err)
{
    int last = sys_cap_last();
    for (int cap = 0; cap <= last; cap++)
        if (!(keep & CAP_BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return err_sys(err, errno, "drop capability %d from the bounding set", cap);
    return 0;
}

/* Raw calls: libc's wrappers want to tell threads that a clone3'd child does not have. */
int drop_ids(struct child *child, struct err *err)
{
    const struct user *user = &child->user;
    if (open_apparmor(child, err) < 0 || drop_bounding(child->process->caps_bounding, err) < 0)
        return -1;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "keep capabilities");
    if (syscall(SYS_setgroups, user->group_count, user->groups) < 0)
        return err_sys(err, errno, "set supplementary groups");
    if (syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0)
        return err_sys(err, errno, "set group %u", user->gid);
    if (syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
        return err_sys(err, errno, "set user %u", user->uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return err_sys(err, errno, "keep capabilities");
    return 0;
}

struct cap_sets {
    uint64_t effective, permitted, ambient;
};

static struct cap_sets final_caps(struct child *child, uint64_t ours)
{
    const struct plan_process *process = child->process;
    struct cap_sets sets = { process->caps_effective, process->caps_permitted, process->caps_ambient };
    if (child->user.uid != 0) /* what execve would leave of them; before it they must not help to find the command */
        sets.effective = sets.permitted = sets.ambient;
    if (sets.permitted & ~ours & (CAP_BIT(sys_cap_last() + 1) - 1))
        child_warn(child, "some capabilities are not available here and were left out");
    sets.permitted &= ours;
    sets.ambient &= sets.permitted;
    sets.effective &= sets.permitted;
    return sets;
}

static int set_caps(const struct cap_sets *sets, struct err *err)
{
    int r = sys_capset(sets->effective, sets->permitted, sets->ambient); /* the kernel wants ambient to be inheritable */
    if (r < 0)
        return err_sys(err, r, "set capabilities");
    for (int cap = 0; cap < 64 && sets->ambient >> cap; cap++)
        if (sets->ambient & CAP_BIT(cap) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            return err_sys(err, errno, "raise ambient capability %d", cap);
    return 0;
}

static int load_seccomp(const struct plan_process *process, struct err *err)
{
    int r = process->seccomp ? sys_seccomp_load(process->seccomp, process->seccomp_length) : 0;
    return r < 0 ? err_sys(err, r, "load the seccomp filter") : 0;
}

static int write_apparmor(struct child *child, struct err *err)
{
    if (child->apparmor_fd < 0)
        return 0;
    char text[512];
    int n = snprintf(text, sizeof text, "exec %s", child->process->apparmor);
    int r = n < 0 || (size_t)n >= sizeof text ? -ENAMETOOLONG : io_write_all(child->apparmor_fd, text, (size_t)n);
    return r < 0 ? err_sys(err, r, "set AppArmor profile %s", child->process->apparmor) : 0;
}

/* Without no_new_privs the filter needs CAP_SYS_ADMIN, which must then be dropped under the filter; with it the filter comes last. */
int drop_last(struct child *child, struct err *err)
{
    const struct plan_process *process = child->process;
    uint64_t ours = 0;
    int r = sys_capget(&ours);
    if (r < 0)
        return err_sys(err, r, "read capabilities");
    struct cap_sets final = final_caps(child, ours);
    r = sys_capset(final.effective, ours, 0); /* the command is looked up with the rights that it will have */
    if (r < 0)
        return err_sys(err, r, "set capabilities");
    if (execute_find(child, err) < 0 || write_apparmor(child, err) < 0)
        return -1;
    /* cleared by every change of ids, so only now; the parent may be gone already */
    if (prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) < 0)
        return err_sys(err, errno, "tie life to the monitor");
    r = sync_send(child->sync_fd, SYNC_EXECING, 0, NULL, -1);
    if (r < 0)
        return err_sys(err, r, "report to the monitor");
    if (process->no_new_privs) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            return err_sys(err, errno, "set no_new_privs");
        return set_caps(&final, err) < 0 ? -1 : load_seccomp(process, err);
    }
    if (process->seccomp && (r = sys_capset(final.effective | CAP_BIT(CAP_SYS_ADMIN), ours, 0)) < 0)
        return err_sys(err, r, "set capabilities");
    return load_seccomp(process, err) < 0 ? -1 : set_caps(&final, err);
}
