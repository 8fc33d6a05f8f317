/* One file, directory, link or device of an archive, made and dressed. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/unpack/contents.h"
#include "lib/unpack/extract_private.h"
#include "lib/unpack/hash.h"
#include "lib/unpack/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SPLICE_MIN ((size_t)64 << 10)
#define SPLICE_MAX ((size_t)1 << 20)
#define SPACE_STEP ((uint64_t)64 << 20)

static bool xattr_allowed(const char *name)
{
    if (str_eq(name, "security.capability") || str_starts(name, "system.posix_acl_"))
        return true;
    return str_starts(name, "user.") && !str_starts(name, "user.overlay.");
}

static int set_xattrs(int fd, const struct tar_entry *entry, struct err *err)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tar_xattr *xattr = &entry->xattrs[i];
        if (!xattr_allowed(xattr->name))
            continue;
        if (fsetxattr(fd, xattr->name, xattr->value, xattr->length, 0) == 0)
            continue;
        if (errno != ENOTSUP && errno != EPERM)
            return err_sys(err, errno, "set attribute %s", xattr->name);
    }
    return 0;
}

static int set_owner_and_mode(const struct place *place, const struct tar_entry *entry, uid_t uid, gid_t gid, int fd, struct err *err)
{
    int r = place->owned ? 0 : fd >= 0 ? fchown(fd, uid, gid) : fchownat(place->parent_fd, place->name, uid, gid, AT_SYMLINK_NOFOLLOW);
    if (r < 0)
        return err_sys(err, errno, "change its owner");
    /* Without an fd the name may be a link by now, which chmod would follow: such nodes are born with their mode. */
    return fd >= 0 && !place->moded && fchmod(fd, entry->mode) < 0 ? err_sys(err, errno, "change its mode") : 0;
}

int node_set_metadata(struct extract *extract, const struct place *place, const struct tar_entry *entry, int fd, struct err *err)
{
    const struct extract_options *options = extract->options;
    uid_t uid = options->force_owner ? options->uid : entry->uid;
    gid_t gid = options->force_owner ? options->gid : entry->gid;
    struct timespec times[2] = { { entry->mtime_s, entry->mtime_ns }, { entry->mtime_s, entry->mtime_ns } };
    if (set_owner_and_mode(place, entry, uid, gid, fd, err) < 0 || (fd >= 0 && !options->drop_xattrs && set_xattrs(fd, entry, err) < 0))
        return -1;
    if (entry->type == TAR_DIR)
        return 0; /* at the end, when nothing is made in it any more */
    int r = fd >= 0 ? futimens(fd, times) : utimensat(place->parent_fd, place->name, times, AT_SYMLINK_NOFOLLOW);
    return r < 0 && errno != EINVAL ? err_sys(err, errno, "change its time") : 0;
}

static int check_space(struct extract *extract, size_t length, struct err *err)
{
    struct statvfs room;
    extract->written += length;
    if ((!extract->options->layer && !extract->options->bounded) || extract->written < extract->next_space_check)
        return 0;
    extract->next_space_check = extract->written + SPACE_STEP;
    if (extract->written > LAYER_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the layer is larger than %llu GiB", (unsigned long long)(LAYER_BYTES_MAX >> 30));
    if (fstatvfs(extract->root_fd, &room) == 0 && room.f_bavail < room.f_blocks / 20)
        return err_set(err, ERR_INTERNAL, "no space left: less than 5%% of the store's file system would stay free");
    return 0;
}

static int write_at(int fd, const unsigned char *bytes, size_t length, uint64_t offset, struct err *err)
{
    while (length > 0) {
        ssize_t n = pwrite(fd, bytes, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "write");
        bytes += n;
        length -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* What lies next in the pipe, offset bytes into the file. A short one is found out by the reader. */
static int splice_data(struct extract *extract, int fd, uint64_t offset, struct err *err)
{
    uint64_t left = tar_reader_ahead(extract->reader);
    loff_t at = (loff_t)offset;
    while (left >= SPLICE_MIN) {
        ssize_t n = splice(extract->options->pipe_fd, NULL, fd, &at, (size_t)MIN(left, (uint64_t)SPLICE_MAX), SPLICE_F_MOVE | SPLICE_F_MORE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || (n < 0 && errno == EINVAL)) /* the end, or a file system that cannot */
            break;
        if (n < 0)
            return err_sys(err, errno, "write");
        tar_reader_took(extract->reader, (uint64_t)n);
        left -= (uint64_t)n;
        if (check_space(extract, (size_t)n, err) < 0)
            return -1;
    }
    return 0;
}

/* hash NULL: nobody asks. */
static int write_data(struct extract *extract, int fd, const struct tar_entry *entry, struct hash *hash, struct err *err)
{
    const unsigned char *bytes;
    size_t length;
    uint64_t offset;
    int more;
    while ((more = tar_reader_data(extract->reader, &bytes, &length, &offset, err)) > 0) {
        if (check_space(extract, length, err) < 0 || write_at(fd, bytes, length, offset, err) < 0)
            return -1;
        if (hash)
            hash_add(hash, bytes, length);
        else if (extract->options->from_pipe && splice_data(extract, fd, offset + length, err) < 0)
            return -1;
    }
    if (more == 0 && entry->sparse && ftruncate(fd, (off_t)entry->size) < 0)
        return err_sys(err, errno, "make a sparse file of %llu bytes", (unsigned long long)entry->size);
    return more;
}

static int write_and_tell(struct extract *extract, int fd, ino_t inode, const struct tar_entry *entry, struct err *err)
{
    struct contents *contents = extract->options->contents;
    unsigned char digest[HASH_RAW_SIZE];
    struct hash hash;
    if (!contents)
        return write_data(extract, fd, entry, NULL, err);
    hash_init(&hash);
    int r = write_data(extract, fd, entry, &hash, err);
    hash_raw(&hash, digest);
    hash_done(&hash);
    contents_put(contents, inode, entry->size, entry->sparse ? NULL : digest); /* holes were not seen */
    return r;
}

/* Mostly a file is born as it shall be: two writes to the inode less, each of which the file system would log. */
static struct place as_born(const struct extract *extract, const struct place *place, const struct tar_entry *entry, int fd)
{
    const struct extract_options *options = extract->options;
    struct place born = *place;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return born;
    born.inode = st.st_ino;
    born.owned = st.st_uid == (options->force_owner ? options->uid : entry->uid) && st.st_gid == (options->force_owner ? options->gid : entry->gid);
    born.moded = born.owned && (st.st_mode & 07777) == entry->mode; /* a change of owner takes bits away */
    return born;
}

/* Each maker: 0, or -errno of the call that makes the name, or 1 with err filled for what comes after. */
static int make_file(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    AUTO_FD int fd = openat(place->parent_fd, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0777);
    if (fd < 0)
        return -errno;
    struct place born = as_born(extract, place, entry, fd);
    if (entry->size > LAYER_BYTES_MAX && (extract->options->layer || extract->options->bounded)) {
        err_set(err, ERR_INVALID, "larger than %llu GiB", (unsigned long long)(LAYER_BYTES_MAX >> 30));
        return 1;
    }
    if (extract->options->recipe && !entry->sparse && entry->size)
        recipe_file(extract->options->recipe, place->path, entry->size);
    if (write_and_tell(extract, fd, born.inode, entry, err) < 0 || node_set_metadata(extract, &born, entry, fd, err) < 0)
        return 1;
    extract->result.content_size += entry->size;
    return 0;
}

static int remember_dir(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    extract->dir_bytes += sizeof *extract->dirs + strlen(place->path) + 1;
    if (extract->dir_bytes > DIRECTORY_BYTES_MAX)
        return err_set(err, ERR_INVALID, "too many directories");
    if (extract->dir_count == extract->dir_capacity) {
        extract->dir_capacity = extract->dir_capacity ? extract->dir_capacity * 2 : 64;
        extract->dirs = xreallocarray(extract->dirs, extract->dir_capacity, sizeof *extract->dirs);
    }
    extract->dirs[extract->dir_count++] = (struct dir_time){ xstrdup(place->path), entry->mtime_s, entry->mtime_ns };
    return 0;
}

static int make_dir(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    int made = mkdirat(place->parent_fd, place->name, 0700);
    if (made < 0 && errno != EEXIST)
        return -errno;
    AUTO_FD int fd = openat(place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return made < 0 && (errno == ENOTDIR || errno == ELOOP || errno == ENXIO) ? -EEXIST : -errno;
    if (node_set_metadata(extract, place, entry, fd, err) < 0 || remember_dir(extract, place, entry, err) < 0)
        return 1;
    return 0;
}

static int make_symlink(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    if (symlinkat(entry->link, place->parent_fd, place->name) < 0)
        return -errno;
    extract->result.content_size += strlen(entry->link);
    return node_set_metadata(extract, place, entry, -1, err) < 0;
}

static int make_device(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    mode_t kind = entry->type == TAR_CHAR ? S_IFCHR : entry->type == TAR_BLOCK ? S_IFBLK : S_IFIFO;
    dev_t device = entry->type == TAR_FIFO ? 0 : makedev(entry->dev_major, entry->dev_minor);
    if (entry->type == TAR_CHAR && device == 0)
        return 0; /* overlay's own mark of a deleted name: not for an archive to make */
    if (mknodat(place->parent_fd, place->name, kind | entry->mode, device) < 0)
        return -errno;
    return node_set_metadata(extract, place, entry, -1, err) < 0;
}

/* Both ends inside the root, neither followed. */
static int make_hardlink(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    char target[TAR_PATH_MAX + 1];
    const char *name;
    struct stat st;
    if (extract_normalize(entry->link, target, err) < 0)
        return 1;
    AUTO_FD int dir_fd = root_open_parent(extract->root_fd, target, false, &name);
    if (dir_fd < 0 || !*target || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        err_set(err, ERR_INVALID, "hard link to \"%.200s\", which is not there", entry->link);
        return 1;
    }
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode)) {
        err_set(err, ERR_INVALID, "hard link to \"%.200s\", which is a %s", entry->link, S_ISDIR(st.st_mode) ? "directory" : "device");
        return 1;
    }
    return linkat(dir_fd, name, place->parent_fd, place->name, 0) < 0 ? -errno : 0;
}

static int (*const makers[])(struct extract *, const struct place *, const struct tar_entry *, struct err *) = {
    [TAR_FILE] = make_file,     [TAR_DIR] = make_dir,     [TAR_SYMLINK] = make_symlink, [TAR_HARDLINK] = make_hardlink,
    [TAR_CHAR] = make_device,   [TAR_BLOCK] = make_device, [TAR_FIFO] = make_device,
};

int node_make(struct extract *extract, const struct place *place, const struct tar_entry *entry, int *ret_error, struct err *err)
{
    int r = makers[entry->type](extract, place, entry, err);
    *ret_error = r < 0 ? -r : 0;
    if (r < 0 && r != -EEXIST)
        err_sys(err, r, "create it");
    return r ? -1 : 0;
}
