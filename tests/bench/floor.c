/* floor.c: what the kernel itself needs for one container, without any engine.
 *
 * One round: make a cgroup, clone3 a child with new mount, pid, net, uts, ipc and cgroup
 * namespaces, mount an overlay in it, pivot_root, mount /proc, exec a static `true`, wait, clean up.
 *
 *   floor ROOTFS WORKDIR [ROUNDS [CGROUP_ROOT]]
 *
 * ROOTFS is an unpacked image with /bin/true. Prints JSON: variant -> phase -> median/min/max in ms.
 * Variants: v2 (clone3 into a cgroup v2 directory), v1 (a directory in each v1 hierarchy and the pid
 * written to each cgroup.procs), and both again with a veth pair whose host end joins a bridge.
 * Plus exec: fork + setns into a running container + exec true. Build: cc -O2 -static -o floor floor.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char lower[4096], work[4096], cgroot[4096] = "/sys/fs/cgroup";
static char v1[16][4200], v2[4200];
static int nv1, bridge;
enum { CGROUP, CLONE, ATTACH, VETH, CHILD, CLEAN, TOTAL, PHASES };
static const char *names[] = { "cgroup", "clone3", "attach", "veth", "child", "cleanup", "total" };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* ---- netlink: a message buffer with nested attributes ---- */
static char nl[2048];
static struct nlmsghdr *nh = (void *)nl;
static void *put(const void *d, int len)
{
    void *p = nl + NLMSG_ALIGN(nh->nlmsg_len);
    memset(p, 0, NLMSG_ALIGN(len));
    if (d)
        memcpy(p, d, len);
    nh->nlmsg_len = NLMSG_ALIGN(nh->nlmsg_len) + len;
    return p;
}
static struct rtattr *attr(int type, const void *d, int len)
{
    struct rtattr *a = put(NULL, RTA_LENGTH(0));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(len);
    if (len)
        put(d, len);
    return a;
}
static void end(struct rtattr *a)
{
    a->rta_len = nl + nh->nlmsg_len - (char *)a;
}
static void msg(int type, int flags, const void *body, int len)
{
    memset(nh, 0, sizeof *nh);
    nh->nlmsg_len = NLMSG_HDRLEN;
    nh->nlmsg_type = type;
    nh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    put(body, len);
}
static int talk(int s)
{
    char r[4096];
    if (send(s, nl, nh->nlmsg_len, 0) < 0 || recv(s, r, sizeof r, 0) < 0)
        return -errno;
    return ((struct nlmsgerr *)NLMSG_DATA(r))->error;
}
static int link_up(int s, int idx)
{
    struct ifinfomsg i = { .ifi_index = idx, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
    msg(RTM_NEWLINK, 0, &i, sizeof i);
    return talk(s);
}
static int addr_add(int s, int idx, const char *ip, int prefix)
{
    struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = idx };
    unsigned v;
    inet_pton(AF_INET, ip, &v);
    msg(RTM_NEWADDR, NLM_F_CREATE, &a, sizeof a);
    attr(IFA_LOCAL, &v, 4);
    attr(IFA_ADDRESS, &v, 4);
    return talk(s);
}
static int nlsock(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}
static void make_bridge(void)
{
    int s = nlsock();
    struct ifinfomsg i = { 0 };
    msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
    attr(IFLA_IFNAME, "floor0", 7);
    struct rtattr *l = attr(IFLA_LINKINFO, 0, 0);
    attr(IFLA_INFO_KIND, "bridge", 6);
    end(l);
    int r = talk(s);
    if (r && r != -EEXIST)
        errx(1, "bridge: %s", strerror(-r));
    bridge = if_nametoindex("floor0");
    addr_add(s, bridge, "10.231.0.1", 16);
    link_up(s, bridge);
    close(s);
}
static void make_veth(int s, int n, int pid)
{ /* host end joins the bridge, peer is born in pid's netns */
    char name[IFNAMSIZ];
    snprintf(name, sizeof name, "fl%d", n);
    struct ifinfomsg i = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP }, z = { 0 };
    msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
    attr(IFLA_IFNAME, name, strlen(name) + 1);
    attr(IFLA_MASTER, &bridge, 4);
    struct rtattr *l = attr(IFLA_LINKINFO, 0, 0);
    attr(IFLA_INFO_KIND, "veth", 4);
    struct rtattr *d = attr(IFLA_INFO_DATA, 0, 0), *p = attr(VETH_INFO_PEER, 0, 0);
    put(&z, sizeof z);
    attr(IFLA_IFNAME, "eth0", 5);
    attr(IFLA_NET_NS_PID, &pid, 4);
    end(p);
    end(d);
    end(l);
    int r = talk(s);
    if (r)
        errx(1, "veth: %s", strerror(-r));
}

/* ---- the container's first process ---- */
static void child(int go, int veth, char *const argv[])
{
    char o[13000], c;
    if (read(go, &c, 1) != 1)
        _exit(9); /* cgroups and veth are ready */
    if (veth) {
        int s = nlsock(), e = if_nametoindex("eth0");
        unsigned gw;
        inet_pton(AF_INET, "10.231.0.1", &gw);
        struct rtmsg r = {
            .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST
        };
        if (addr_add(s, e, "10.231.0.2", 16) || link_up(s, e) || link_up(s, 1))
            _exit(8);
        msg(RTM_NEWROUTE, NLM_F_CREATE, &r, sizeof r);
        attr(RTA_GATEWAY, &gw, 4);
        if (talk(s))
            _exit(7);
        close(s);
    }
    mount("", "/", 0, MS_REC | MS_PRIVATE, 0);
    snprintf(o, sizeof o, "lowerdir=%s,upperdir=%s/up,workdir=%s/wk", lower, work, work);
    snprintf(o + 12500, 400, "%.380s/m", work);
    if (mount("overlay", o + 12500, "overlay", 0, o) || chdir(o + 12500))
        _exit(6);
    if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
        _exit(5);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0))
        _exit(4);
    sethostname("floor", 5);
    execv(argv[0], argv);
    _exit(3);
}
static void put_pid(const char *dir, int pid)
{
    char p[4300], b[20];
    snprintf(p, sizeof p, "%s/cgroup.procs", dir);
    int f = open(p, O_WRONLY | O_CLOEXEC), n = snprintf(b, sizeof b, "%d", pid);
    if (f < 0 || write(f, b, n) != n)
        err(1, "%s", p);
    close(f);
}
static void cpuset(const char *dir)
{ /* a new v1 cpuset is empty: copy its parent's */
    const char *f[] = { "cpuset.cpus", "cpuset.mems" };
    char p[4300], b[256];
    for (int i = 0; i < 2; i++) {
        snprintf(p, sizeof p, "%s/../%s", dir, f[i]);
        int r = open(p, O_RDONLY | O_CLOEXEC), n = read(r, b, sizeof b);
        close(r);
        snprintf(p, sizeof p, "%s/%s", dir, f[i]);
        r = open(p, O_WRONLY | O_CLOEXEC);
        if (n > 0 && write(r, b, n) != n)
            err(1, "%s", p);
        close(r);
    }
}
static const char *subs[] = { "m", "up", "wk/work", "wk" };
static int start(int n, int use_v2, int veth, int s, double t[], char *const argv[])
{
    char p[4400];
    int go[2], cfd = -1;
    double a = now(), b;
    if (use_v2) {
        mkdir(v2, 0755);
        cfd = open(v2, O_DIRECTORY | O_CLOEXEC);
    } else
        for (int i = 0; i < nv1; i++) {
            mkdir(v1[i], 0755);
            if (strstr(v1[i], "/cpuset/"))
                cpuset(v1[i]);
        }
    for (int i = 0; i < 4; i++)
        if (i != 2) {
            snprintf(p, sizeof p, "%s/%s", work, subs[i]);
            mkdir(p, 0755);
        }
    t[CGROUP] = (b = now()) - a;
    a = b;
    if (pipe2(go, O_CLOEXEC))
        err(1, "pipe");
    struct clone_args ca = { .exit_signal = SIGCHLD,
                             .cgroup = cfd,
                             .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWCGROUP | (use_v2 ? CLONE_INTO_CGROUP : 0) };
    int pid = syscall(SYS_clone3, &ca, sizeof ca);
    if (pid < 0)
        err(1, "clone3");
    if (!pid) {
        close(go[1]);
        child(go[0], veth, argv);
    }
    t[CLONE] = (b = now()) - a;
    a = b;
    if (!use_v2)
        for (int i = 0; i < nv1; i++)
            put_pid(v1[i], pid);
    else
        close(cfd);
    t[ATTACH] = (b = now()) - a;
    a = b;
    if (veth)
        make_veth(s, n, pid);
    t[VETH] = (b = now()) - a;
    if (write(go[1], "x", 1) != 1)
        err(1, "write");
    close(go[0]);
    close(go[1]);
    return pid;
}
static void clean(int use_v2)
{
    char p[4400];
    if (use_v2)
        rmdir(v2);
    else
        for (int i = 0; i < nv1; i++)
            rmdir(v1[i]);
    for (int i = 0; i < 4; i++) {
        snprintf(p, sizeof p, "%s/%s", work, subs[i]);
        rmdir(p);
    }
}
static int cmp(const void *a, const void *b)
{
    double x = *(double *)a, y = *(double *)b;
    return (x > y) - (x < y);
}
static void report(const char *name, const char *ph, double *d, int n)
{
    qsort(d, n, sizeof *d, cmp);
    printf("%s\"%s\": {\"median\": %.3f, \"min\": %.3f, \"max\": %.3f}", name, ph, d[n / 2], d[0], d[n - 1]);
}
static void check(int st)
{
    if (st)
        errx(1, "the container failed: status %x", st);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: floor ROOTFS WORKDIR [ROUNDS [CGROUP_ROOT]]");
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 100, st;
    if (argc > 4)
        snprintf(cgroot, sizeof cgroot, "%s", argv[4]);
    if (!realpath(argv[1], lower) || (mkdir(argv[2], 0755), !realpath(argv[2], work)))
        err(1, "%s", argv[2]);
    DIR *d = opendir(cgroot);
    char p[4400];
    struct stat sb;
    for (struct dirent *e; d && (e = readdir(d));) { /* which hierarchies are there? */
        snprintf(p, sizeof p, "%s/%s/cgroup.clone_children", cgroot, e->d_name);
        if (*e->d_name != '.' && nv1 < 16 && !stat(p, &sb))
            snprintf(v1[nv1++], sizeof *v1, "%s/%s/floor", cgroot, e->d_name);
    }
    snprintf(p, sizeof p, "%s/unified/cgroup.procs", cgroot);
    snprintf(v2, sizeof v2, "%s%s/floor", cgroot, stat(p, &sb) ? "" : "/unified");
    snprintf(p, sizeof p, "%.*s/cgroup.procs", (int)(strrchr(v2, '/') - v2), v2);
    int have_v2 = !stat(p, &sb), s = nlsock();
    make_bridge();
    char *tr[] = { "/bin/true", 0 }, *sl[] = { "/bin/sleep", "1000", 0 };
    double *m = calloc(PHASES * rounds, sizeof *m);
    const char *sep = "{";
    for (int variant = 0; variant < 4; variant++) {
        int use_v2 = !(variant & 1), veth = variant / 2;
        double t[PHASES];
        if (use_v2 ? !have_v2 : !nv1)
            continue;
        for (int n = -5; n < rounds; n++) { /* 5 rounds warm up */
            double a = now(), b;
            int pid = start(n + 5, use_v2, veth, s, t, tr);
            b = now();
            check(waitpid(pid, &st, 0) != pid || st);
            t[CHILD] = now() - b;
            b = now();
            clean(use_v2);
            t[CLEAN] = now() - b;
            t[TOTAL] = now() - a;
            for (int i = 0; n >= 0 && i < PHASES; i++)
                m[i * rounds + n] = t[i];
        }
        printf("%s\"%s%s\": ", sep, use_v2 ? "v2" : "v1", veth ? "+veth" : "");
        for (int i = 0; i < PHASES; i++)
            report(i ? ", " : "{", names[i], m + i * rounds, rounds);
        printf("}");
        sep = ",\n ";
    }
    double t[PHASES];
    int use_v2 = have_v2, pid = start(0, use_v2, 0, s, t, sl);
    usleep(200000);
    for (int n = 0; n < rounds; n++) {
        double a = now();
        int pf = syscall(SYS_pidfd_open, pid, 0), c;
        if (!(c = fork())) {
            if (setns(pf, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP))
                _exit(2);
            if (!(c = vfork())) {
                execv(tr[0], tr);
                _exit(3);
            } /* setns(pid) holds for children only */
            waitpid(c, &st, 0);
            _exit(WEXITSTATUS(st));
        }
        waitpid(c, &st, 0);
        check(st);
        close(pf);
        m[n] = now() - a;
    }
    printf("%s\"exec\": ", sep);
    report("{", "total", m, rounds);
    printf("}}\n");
    kill(pid, SIGKILL);
    waitpid(pid, &st, 0);
    clean(use_v2);
    struct ifinfomsg i = { .ifi_index = bridge };
    msg(RTM_DELLINK, 0, &i, sizeof i);
    talk(s);
    return 0;
}
