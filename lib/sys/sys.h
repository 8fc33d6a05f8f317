/* Thin wrappers over what libc lacks: new mount API, clone3, close_range, pidfd, seccomp, BPF device programs. No policy.
 * 0 / fd / -errno. One private place for kernel constants (kernel.md section 9 of dependencies). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
struct sys_clone_args { /* of clone3 */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
pid_t sys_clone3(struct sys_clone_args *args);
int sys_fsopen(const char *fstype);
int sys_fsconfig_string(int fs_fd, const char *key, const char *value);
int sys_fsconfig_flag(int fs_fd, const char *key);
int sys_fsconfig_create(int fs_fd);
int sys_fsmount(int fs_fd, unsigned attr);
int sys_open_tree(int dir_fd, const char *path, unsigned flags);
int sys_move_mount(int from_fd, int to_dir_fd, const char *to_path, unsigned flags); /* from: empty path */
int sys_mount_setattr(int dir_fd, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_close_range_cloexec(unsigned first);
/* fsopen("proc") etc: a detached mount of a simple file system with "k=v,flag" options. source: what mount tables show first,
 * NULL = the type's name. fd or -errno */
int sys_detached_mount(const char *fstype, const char *source, const char *options, unsigned attr);
/* Overlay as a detached mount; lowers top first; upper/work may be NULL (read-only). Falls back from lowerdir+ to lowerdir= to mount(2)
 * in the caller's mount namespace on staging_dir (kernel.md section 2). fd or -errno. */
struct sys_overlay {
    const char *const *lowers;
    const char *upper, *work;
    bool volatile_mount;
};
int sys_overlay_mount(const struct sys_overlay *overlay, unsigned attr);
/* Attaches an allow/deny program for devices to a cgroup v2 directory. */
struct sys_device_rule {
    bool allow;
    char type; /* 'a' 'c' 'b' */
    int64_t major, minor; /* -1 any */
    unsigned access;      /* 1 r 2 w 4 m */
};
int sys_cgroup2_devices(int cgroup_fd, const struct sys_device_rule *rules, size_t count);
int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int sys_cap_last(void);
int sys_seccomp_load(const void *filters, size_t bytes);
/* openat2; resolve: SYS_RESOLVE_* of lib/sys/kernel.h */
int sys_openat2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve);
/* The program that sys_cgroup2_devices attaches (array of struct bpf_insn), for tests too. The last rule that matches decides;
 * nothing matches: denied. Number of instructions or -E2BIG. */
struct bpf_insn;
int sys_device_program(const struct sys_device_rule *rules, size_t count, struct bpf_insn *ret, size_t max);
int sys_capget(uint64_t *ret_permitted);
