/* Walks a tree into a tar writer. */
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/unpack/nodes.h"
#include "lib/unpack/pack.h"
#include "lib/unpack/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#define COPY_SIZE ((size_t)256 << 10)

struct tree {
    struct tar_writer *writer;
    struct tree_options *options;
    struct link_table links;
    unsigned char *buffer;
};
/* One object on its way into the archive. */
struct node {
    int dir_fd;
    const char *name;
    char *path; /* as it shall be called; owned */
    int fd;     /* readable, files and directories; owned by the caller of node_write */
    struct stat stat;
};

static void fill_entry(const struct node *node, struct tar_entry *ret)
{
    *ret = (struct tar_entry){
        .path = node->path, .mode = node->stat.st_mode & 07777, .uid = node->stat.st_uid, .gid = node->stat.st_gid,
        .mtime_s = node->stat.st_mtim.tv_sec, .dev_major = 0, .dev_minor = 0,
    };
}

static int write_file_data(struct tree *tree, int fd, uint64_t size, bool living, struct err *err)
{
    uint64_t left = size;
    if (tree->options->sizes_only)
        return tar_writer_zeros(tree->writer, left, err);
    while (left > 0) {
        ssize_t n = read(fd, tree->buffer, (size_t)MIN(left, (uint64_t)COPY_SIZE));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read");
        if (n == 0)
            break;
        if (tar_writer_data(tree->writer, tree->buffer, (size_t)n, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    if (left && !living)
        return err_set(err, ERR_INTERNAL, "the file became shorter while it was read");
    return left ? tar_writer_zeros(tree->writer, left, err) : 0;
}

static int write_with_xattrs(struct tree *tree, const struct node *node, struct tar_entry *entry, struct err *err)
{
    int r = xattrs_read(node->fd, &entry->xattrs, &entry->xattr_count, err);
    if (r == 0)
        r = tar_writer_entry(tree->writer, entry, err);
    xattrs_free(entry->xattrs, entry->xattr_count);
    return r;
}

static int write_file(struct tree *tree, struct node *node, struct err *err)
{
    struct tar_entry entry;
    if (node->stat.st_nlink > 1) {
        const char *first = link_table_seen(&tree->links, &node->stat, node->path);
        if (first) {
            fill_entry(node, &entry);
            AUTO_FREE char *link = xstrdup(first);
            entry.type = TAR_HARDLINK;
            entry.link = link;
            return tar_writer_entry(tree->writer, &entry, err);
        }
    }
    AUTO_FD int fd = node_open(node->dir_fd, node->name);
    if (fd < 0 && tree->options->living && (errno == ENOENT || errno == ELOOP))
        return 0;
    if (fd < 0 || fstat(fd, &node->stat) < 0)
        return err_sys(err, errno, "open");
    if (!S_ISREG(node->stat.st_mode))
        return err_set(err, ERR_INTERNAL, "it turned into something else while it was read");
    fill_entry(node, &entry);
    entry.type = TAR_FILE;
    entry.size = (uint64_t)node->stat.st_size;
    node->fd = fd;
    tree->options->content_size += entry.size;
    if (write_with_xattrs(tree, node, &entry, err) < 0)
        return -1;
    return write_file_data(tree, fd, entry.size, tree->options->living, err);
}

static int write_symlink(struct tree *tree, struct node *node, struct err *err)
{
    struct tar_entry entry;
    char target[TAR_PATH_MAX + 2];
    ssize_t n = readlinkat(node->dir_fd, node->name, target, sizeof target - 1);
    if (n < 0)
        return tree->options->living && (errno == ENOENT || errno == EINVAL) ? 0 : err_sys(err, errno, "read the link");
    target[n] = '\0';
    fill_entry(node, &entry);
    entry.type = TAR_SYMLINK;
    entry.mode = 0777;
    entry.link = target;
    tree->options->content_size += (uint64_t)n;
    return tar_writer_entry(tree->writer, &entry, err);
}

/* ".wh.name" beside the name */
static int write_whiteout(struct tree *tree, const struct node *node, struct err *err)
{
    size_t dir_length = strlen(node->path) - strlen(node->name);
    AUTO_FREE char *path = str_format("%.*s.wh.%s", (int)dir_length, node->path, node->name);
    struct tar_entry entry = { .type = TAR_FILE, .path = path, .mode = 0600 };
    return tar_writer_entry(tree->writer, &entry, err);
}

static int write_device(struct tree *tree, const struct node *node, struct err *err)
{
    struct tar_entry entry;
    if (S_ISCHR(node->stat.st_mode) && node->stat.st_rdev == 0)
        return tree->options->layer ? write_whiteout(tree, node, err) : 0;
    fill_entry(node, &entry);
    entry.type = S_ISCHR(node->stat.st_mode) ? TAR_CHAR : S_ISBLK(node->stat.st_mode) ? TAR_BLOCK : TAR_FIFO;
    if (entry.type != TAR_FIFO) {
        entry.dev_major = major(node->stat.st_rdev);
        entry.dev_minor = minor(node->stat.st_rdev);
    }
    return tar_writer_entry(tree->writer, &entry, err);
}

static int by_name(const void *key, const void *item)
{
    const char *const *other = item;
    return strcmp(key, *other);
}

static bool is_opaque(const struct tree_options *options, const char *path)
{
    size_t count = strv_length(options->opaque);
    return count && bsearch(path, options->opaque, count, sizeof *options->opaque, by_name);
}

static int write_dir(struct tree *tree, const struct node *node, bool opaque, struct err *err)
{
    struct tar_entry entry;
    fill_entry(node, &entry);
    entry.type = TAR_DIR;
    if (write_with_xattrs(tree, node, &entry, err) < 0)
        return -1;
    if (!opaque)
        return 0;
    AUTO_FREE char *path = str_format("%s/.wh..wh..opq", node->path);
    struct tar_entry mark = { .type = TAR_FILE, .path = path, .mode = 0600 };
    return tar_writer_entry(tree->writer, &mark, err);
}

static int write_node(struct tree *tree, struct node *node, bool opaque, struct err *err)
{
    switch (node->stat.st_mode & S_IFMT) {
    case S_IFREG:
        return write_file(tree, node, err);
    case S_IFDIR:
        return write_dir(tree, node, opaque, err);
    case S_IFLNK:
        return write_symlink(tree, node, err);
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
        return write_device(tree, node, err);
    default:
        return 0; /* sockets mean nothing without their process */
    }
}

static bool lies_on_no_disk(int fd)
{
    static const long kinds[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC, TMPFS_MAGIC, DEVPTS_SUPER_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                  MQUEUE_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, BPF_FS_MAGIC, PSTOREFS_MAGIC };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (fs.f_type == kinds[i])
            return true;
    return false;
}

/* A directory in which another mount begins. */
static bool is_virtual_mount(const struct walk_entry *entry)
{
    struct stat above;
    return entry->fd >= 0 && fstat(entry->dir_fd, &above) == 0 && above.st_dev != entry->stat.st_dev && lies_on_no_disk(entry->fd);
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct tree *tree = arg;
    const char *prefix = tree->options->prefix ? tree->options->prefix : "";
    AUTO_FREE char *path = str_format("%s%s", prefix, entry->path);
    struct node node = { entry->dir_fd, entry->name, path, entry->fd, entry->stat };
    if (write_node(tree, &node, tree->options->layer && is_opaque(tree->options, entry->path), err) < 0)
        return err->kind == ERR_CANCELLED ? -1 : err_wrap(err, "/%.300s", entry->path);
    return tree->options->disks_only && is_virtual_mount(entry);
}

int tree_to_tar(struct tar_writer *writer, int dir_fd, struct tree_options *options, struct err *err)
{
    struct tree tree = { .writer = writer, .options = options, .buffer = xmalloc(COPY_SIZE) };
    struct walk_options walk = { .visit = visit, .arg = &tree, .missing_is_fine = options->living };
    int r = walk_tree(dir_fd, &walk, err);
    link_table_done(&tree.links);
    free(tree.buffer);
    return r;
}

int node_to_tar(struct tar_writer *writer, int dir_fd, const char *name, const char *path, bool living, struct err *err)
{
    struct tree_options options = { .living = living };
    struct tree tree = { .writer = writer, .options = &options, .buffer = xmalloc(COPY_SIZE) };
    AUTO_FREE char *owned = xstrdup(path);
    AUTO_FD int fd = -1;
    struct node node = { dir_fd, name, owned, -1, { 0 } };
    int r = fstatat(dir_fd, name, &node.stat, AT_SYMLINK_NOFOLLOW) < 0 ? err_sys(err, errno, "look at %s", path) : 0;
    if (r == 0 && S_ISDIR(node.stat.st_mode)) {
        node.fd = fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            r = err_sys(err, errno, "open %s", path);
    }
    if (r == 0)
        r = write_node(&tree, &node, false, err);
    link_table_done(&tree.links);
    free(tree.buffer);
    return r;
}

static int note_opaque(void *arg, const struct walk_entry *entry, struct err *err)
{
    char ***list = arg;
    char value[2];
    if (entry->fd < 0)
        return 0;
    if (fgetxattr(entry->fd, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y')
        strv_append(list, entry->path);
    return 0;
}

int opaque_find(int dir_fd, char ***ret, struct err *err)
{
    char **list = NULL;
    struct walk_options walk = { .visit = note_opaque, .arg = &list, .missing_is_fine = true };
    if (walk_tree(dir_fd, &walk, err) < 0) {
        strv_free(list);
        return -1;
    }
    strv_sort(list);
    *ret = list;
    return 0;
}
