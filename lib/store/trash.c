/* Slow deletion, a bounded number of entries per step. A tree deeper than DEPTH_MAX has its deep part renamed to the top of the
 * trash, so that no tree can exhaust fds or the stack. Mounts inside are never entered (openat2 NO_XDEV). */
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/store/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP_ENTRIES 2000
#define DEPTH_MAX 32

struct trash_walk {
    struct store *store;
    int budget, done;
    bool moved_up; /* a deep part waits at the top: the running readdir may not show it */
};

static DIR *open_directory(int dir_fd, const char *name)
{
    struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV };
    int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        fd_close(fd);
    return dir;
}

static void remove_entry(struct trash_walk *walk, int dir_fd, const char *name, int depth);

static void remove_content(struct trash_walk *walk, DIR *dir, int depth)
{
    for (struct dirent *entry; walk->budget > 0 && (entry = readdir(dir)) != NULL;) { // NOLINT(concurrency-mt-unsafe): own DIR
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            remove_entry(walk, dirfd(dir), entry->d_name, depth);
    }
}

static void remove_entry(struct trash_walk *walk, int dir_fd, const char *name, int depth)
{
    walk->budget--;
    if (unlinkat(dir_fd, name, 0) == 0 || unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) {
        walk->done++;
        return;
    }
    if (errno != ENOTEMPTY && errno != EEXIST)
        return;
    if (depth >= DEPTH_MAX) {
        if (store_trash_put(walk->store, dir_fd, name) == 0) {
            walk->done++;
            walk->moved_up = true;
        }
        return;
    }
    DIR *dir = open_directory(dir_fd, name);
    if (!dir)
        return;
    remove_content(walk, dir, depth + 1);
    closedir(dir);
    if (walk->budget > 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
        walk->done++;
}

int store_trash_step(struct store *store)
{
    struct trash_walk walk = { .store = store, .budget = STEP_ENTRIES };
    DIR *dir = open_directory(store->root_fd, "trash");
    if (!dir)
        return 0;
    remove_content(&walk, dir, 0);
    closedir(dir);
    return (walk.budget <= 0 || walk.moved_up) && walk.done > 0;
}
