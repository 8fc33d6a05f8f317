#include "lib/sys/kernel.h"
#include "lib/sys/sys.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

pid_t sys_clone3(struct sys_clone_args *args)
{
    long pid = syscall(SYS_clone3, args, sizeof *args);
    return pid < 0 ? -errno : (pid_t)pid;
}

int sys_close_range_cloexec(unsigned first)
{
    return syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++)
        data[i] = (struct __user_cap_data_struct){ .effective = (uint32_t)(effective >> (32 * i)),
                                                   .permitted = (uint32_t)(permitted >> (32 * i)),
                                                   .inheritable = (uint32_t)(inheritable >> (32 * i)) };
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int sys_capget(uint64_t *ret_permitted)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    *ret_permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

int sys_cap_last(void)
{
    int last = -1;
    while (last < 62 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0)
        last++;
    return last < 0 ? -errno : last;
}

int sys_seccomp_load(const void *filters, size_t bytes)
{
    size_t count = bytes / sizeof(struct sock_filter);
    if (bytes % sizeof(struct sock_filter) || count == 0 || count > BPF_MAXINSNS)
        return -EINVAL;
    struct { /* struct sock_fprog, whose pointer lacks the const */
        unsigned short length;
        const void *filter;
    } program = { (unsigned short)count, filters };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
