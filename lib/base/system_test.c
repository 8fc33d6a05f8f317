/* What touches the system: fds that travel, processes, trees with links and mounts, threads. */
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "lib/base/test.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_temp(char *name)
{
    CHECK(mkdtemp(name) != NULL);
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

TEST(fds_travel)
{
    int pair[2], before = open_fds();
    CHECK_INT(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    int sent[3] = { pair[0], pair[1], pair[0] }, got[FD_PASS_MAX];
    char text[8];
    size_t count = FD_PASS_MAX;
    CHECK_INT(fd_send(pair[0], "hello", 5, sent, 3), 5);
    CHECK_INT(fd_recv(pair[1], text, sizeof text, got, &count), 5);
    CHECK_INT(count, 3);
    for (size_t i = 0; i < count; i++) {
        CHECK(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
        fd_close(got[i]);
    }
    count = 2;
    CHECK_INT(fd_send(pair[0], "x", 1, sent, 3), 1);
    CHECK_INT(fd_recv(pair[1], text, sizeof text, got, &count), -EMFILE);
    CHECK_INT(count, 0);
    fd_close(pair[0]);
    CHECK_INT(fd_recv(pair[1], text, sizeof text, got, &count), 0);
    fd_close(pair[1]);
    CHECK_INT(open_fds(), before);
}

TEST(sealed_memory_files)
{
    AUTO_FD int fd = fd_memfd("test", "bytes", 5);
    char text[8] = { 0 };
    CHECK_INT(read(fd, text, sizeof text), 5);
    CHECK_STR(text, "bytes");
    CHECK(write(fd, "x", 1) < 0 && errno == EPERM);
    AUTO_FD int copy = fd_memfd_of_file("self", "/proc/self/exe");
    struct stat info;
    CHECK_INT(fstat(copy, &info), 0);
    CHECK(info.st_size > 10000);
}

TEST(trees_with_links_and_mounts)
{
    char name[] = "/tmp/holk-tree-XXXXXX", inside[64], outside[64];
    AUTO_FD int dir = make_temp(name);
    unsigned long long bytes = 0, entries = 0;
    CHECK_INT(path_mkdirs_at(dir, "tree/a/b", 0755), 0);
    CHECK_INT(path_mkdirs_at(dir, "tree/a/b", 0755), 0);
    CHECK_INT(path_mkdirs_at(dir, "kept", 0755), 0);
    CHECK_INT(io_replace_file_at(dir, "kept/file", "x", 1, 0600, false), 0);
    CHECK_INT(io_replace_file_at(dir, "tree/a/one", "12345", 5, 0600, false), 0);
    CHECK_INT(linkat(dir, "tree/a/one", dir, "tree/a/b/two", 0), 0);
    CHECK_INT(symlinkat("../../kept", dir, "tree/a/link"), 0);
    CHECK_INT(path_disk_usage_at(dir, "tree", &bytes, &entries), 0);
    CHECK_INT(entries, 6);
    struct stat info;
    CHECK_INT(fstatat(dir, "tree/a/one", &info, 0), 0);
    snprintf(inside, sizeof inside, "%s/tree/a/b", name);
    snprintf(outside, sizeof outside, "%s/kept", name);
    if (mount(outside, inside, NULL, MS_BIND, NULL) == 0) {
        CHECK_INT(path_remove_tree_at(dir, "tree"), -EBUSY);
        CHECK_INT(umount2(inside, MNT_DETACH), 0);
    }
    CHECK_INT(faccessat(dir, "kept/file", F_OK, 0), 0);
    CHECK_INT(path_remove_tree_at(dir, "tree"), 0);
    CHECK_INT(path_remove_tree_at(dir, "tree"), 0);
    CHECK_INT(path_remove_tree_at(dir, "kept/"), -EINVAL);
    CHECK_INT(faccessat(dir, "kept/file", F_OK, 0), 0);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, name), 0);
}

TEST(ids)
{
    char id[ID_LENGTH + 1], other[ID_LENGTH + 1];
    id_new(id);
    id_new(other);
    CHECK(id_valid(id) && id_valid(other) && !str_eq(id, other));
    CHECK(!id_valid("abc"));
    id_random_hex(id, 7);
    CHECK_INT(strlen(id), 7);
}

TEST(logs)
{
    int pair[2];
    enum log_level level = LOG_ERROR;
    char line[256] = { 0 };
    CHECK_INT(fd_pipe(pair), 0);
    CHECK_INT(log_level_parse("warning", &level), 0);
    CHECK_INT(level, LOG_WARN);
    CHECK_INT(log_level_parse("loud", &level), -EINVAL);
    log_setup(pair[1], LOG_INFO, "test");
    log_debug("unseen");
    log_info("started name=%s", "two\nlines");
    log_setup(2, LOG_INFO, "test");
    CHECK(read(pair[0], line, sizeof line - 1) > 0);
    CHECK(str_ends(line, " info test: started name=two lines\n"));
    fd_close(pair[0]);
    fd_close(pair[1]);
}

static struct mutex lock;
static struct cond changed;
static int turns;

static void *take_turns(void *arg)
{
    (void)arg;
    mutex_lock(&lock);
    mutex_assert_held(&lock);
    turns++;
    cond_broadcast(&changed);
    mutex_unlock(&lock);
    return NULL;
}

TEST(threads_and_conditions)
{
    mutex_init(&lock);
    cond_init(&changed);
    mutex_lock(&lock);
    CHECK(!cond_wait_until(&changed, &lock, time_monotonic_ns() + 5000000));
    CHECK_INT(thread_spawn(take_turns, NULL), 0);
    CHECK_INT(thread_spawn(take_turns, NULL), 0);
    while (turns < 2)
        cond_wait(&changed, &lock);
    mutex_assert_held(&lock);
    mutex_unlock(&lock);
}

TEST(start_time_tells_processes_apart)
{
    CHECK(proc_start_ticks(getpid()) > 0);
    CHECK_INT(proc_start_ticks(0x3fffffff), 0);
}

#ifdef __GLIBC__
static char word_sh[] = "sh", word_c[] = "-c", word_true[] = "true", word_sleep[] = "sleep", word_long[] = "100";
static char script[] = "ls /proc/self/fd | tr '\\n' ' '; echo \"$A\"; echo five >&5", path_entry[] = "PATH=/usr/bin:/bin", a_entry[] = "A=b";

TEST(spawned_with_the_named_fds_only)
{
    int pair[2], status = -1, pidfd = -1;
    pid_t pid;
    char *output = NULL;
    char *argv[] = { word_sh, word_c, script, NULL }, *env[] = { path_entry, a_entry, NULL };
    CHECK_INT(fd_pipe(pair), 0);
    int leaky = dup(0); /* not close-on-exec, as a foreign library might leave it */
    struct proc_fd fds[] = { { pair[1], 1 }, { pair[1], 5 } };
    struct proc_spec spec = { .path = "/bin/sh", .argv = argv, .env = env, .fds = fds, .fd_count = 2, .new_session = true };
    CHECK_INT(proc_spawn(&spec, &pid, &pidfd), 0);
    fd_close(pair[1]);
    CHECK_INT(io_read_fd(pair[0], 4096, &output, NULL), 0);
    CHECK_STR(output, "0 1 2 3 5 b\nfive\n"); /* 3: the directory that ls reads */
    CHECK_INT(proc_wait(pid, &status), 0);
    CHECK_INT(status, 0);
    free(output);
    fd_close(pair[0]);
    fd_close(pidfd);
    close(leaky);
}

TEST(spawned_from_a_sealed_memfd)
{
    char path[40], *argv[] = { word_true, NULL };
    int status = -1, pidfd = -1;
    pid_t pid;
    AUTO_FD int fd = fd_memfd_of_file("true", "/bin/true");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct proc_spec spec = { .path = path, .argv = argv };
    CHECK_INT(proc_spawn(&spec, &pid, NULL), 0);
    CHECK_INT(proc_wait(pid, &status), 0);
    CHECK_INT(status, 0);
    char *sleeper[] = { word_sleep, word_long, NULL };
    spec = (struct proc_spec){ .path = "/bin/sleep", .argv = sleeper };
    CHECK_INT(proc_spawn(&spec, &pid, &pidfd), 0);
    CHECK_INT(proc_pidfd_signal(pidfd, SIGTERM), 0);
    CHECK_INT(proc_wait(pid, &status), 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    fd_close(pidfd);
    spec.path = "/does/not/exist";
    CHECK_INT(proc_spawn(&spec, &pid, NULL), -ENOENT);
}
#define SPAWN_TESTS T(spawned_with_the_named_fds_only), T(spawned_from_a_sealed_memfd),
#else
#define SPAWN_TESTS
#endif

TESTS(T(fds_travel), T(sealed_memory_files), T(trees_with_links_and_mounts), T(ids), T(logs), T(threads_and_conditions), SPAWN_TESTS
      T(start_time_tells_processes_apart))
