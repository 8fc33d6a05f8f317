#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/unpack/extract_private.h"
#include "lib/unpack/recipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

int extract_normalize(const char *path, char *ret, struct err *err)
{
    size_t out = 0;
    if (!*path)
        return err_set(err, ERR_INVALID, "empty name");
    if (strlen(path) > TAR_PATH_MAX)
        return err_set(err, ERR_INVALID, "name longer than %d bytes", TAR_PATH_MAX);
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.')
            return err_set(err, ERR_INVALID, "escapes the root");
        if (length > 255)
            return err_set(err, ERR_INVALID, "file name longer than 255 bytes");
        if (length && !(length == 1 && path[0] == '.')) {
            if (out)
                ret[out++] = '/';
            memcpy(ret + out, path, length);
            out += length;
        }
        path += length + (path[length] == '/');
    }
    ret[out] = '\0';
    return 0;
}

void extract_forget_parent(struct extract *extract)
{
    fd_close(extract->parent_fd);
    extract->parent_fd = -1;
    free(extract->parent_path);
    extract->parent_path = NULL;
}

/* The directory of a path, made when missing, kept open for the next entry. */
int extract_parent(struct extract *extract, const char *path, struct place *ret, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name;
    size_t length = slash ? (size_t)(slash - path) : 0;
    *ret = (struct place){ .path = path, .name = slash ? slash + 1 : path };
    if (extract->parent_path && strlen(extract->parent_path) == length && memcmp(extract->parent_path, path, length) == 0) {
        ret->parent_fd = extract->parent_fd;
        return 0;
    }
    extract_forget_parent(extract);
    int fd = root_open_parent(extract->root_fd, path, false, &name);
    if (fd == -ENOENT)
        fd = root_open_parent(extract->root_fd, path, true, &name);
    if (fd == -ENOENT && extract->options->behind_links) {
        AUTO_FREE char *parent = xstrndup(path, length);
        fd = root_mkdirs_behind_links(extract->root_fd, parent, 0755);
    }
    if (fd < 0)
        return err_sys(err, fd, "open its directory");
    extract->parent_fd = ret->parent_fd = fd;
    extract->parent_path = xstrndup(path, length);
    return 0;
}

static bool is_whiteout_node(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static int add_opaque(struct extract *extract, char *path, struct err *err)
{
    if (strv_contains(extract->result.opaque, path)) {
        free(path);
        return 0;
    }
    strv_append_take(&extract->result.opaque, path);
    return ++extract->opaque_count > OPAQUE_MAX ? err_set(err, ERR_INVALID, "too many opaque directories") : 0;
}

/* The words are Docker's, which name entry and place in this order. */
static int dir_clash(const struct extract *extract, const struct place *place, const struct tar_entry *entry, const struct stat *st, struct err *err)
{
    const char *dest = extract->options->dest_name ? extract->options->dest_name : "/";
    if (!extract->options->no_overwrite_dir_non_dir || S_ISDIR(st->st_mode) == (entry->type == TAR_DIR))
        return 0;
    if (entry->type == TAR_DIR)
        return err_set(err, ERR_INVALID, "cannot overwrite non-directory \"%.200s\" with directory \"%.200s\"", place->path, dest);
    return err_set(err, ERR_INVALID, "cannot overwrite directory \"%.200s\" with non-directory \"%.200s\"", place->path, dest);
}

/* Something is where an entry wants to be: the later entry wins, as with every tar. */
static int clear_place(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    struct stat st;
    if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "look at what is there");
    if (dir_clash(extract, place, entry, &st, err) < 0)
        return -1;
    /* deleted below and made anew: nothing below may shine through */
    if (extract->options->layer && is_whiteout_node(&st) && entry->type == TAR_DIR &&
        add_opaque(extract, xstrdup(place->path), err) < 0)
        return -1;
    if (S_ISREG(st.st_mode) && st.st_nlink == 1)
        extract->result.content_size -= MIN((uint64_t)st.st_size, extract->result.content_size);
    if (extract->options->recipe && !is_whiteout_node(&st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        recipe_spoil(extract->options->recipe); /* its content was part of the tar */
    int r = S_ISDIR(st.st_mode) ? path_remove_tree_at(place->parent_fd, place->name) :
            unlinkat(place->parent_fd, place->name, 0) < 0 ? -errno : 0;
    if (r < 0)
        return err_sys(err, r, "replace what is there");
    return 0;
}

/* A name that a hard link is to replace may be the link's own target. */
static bool links_to_itself(const struct tar_entry *entry, const struct place *place)
{
    char target[TAR_PATH_MAX + 1];
    struct err ignored;
    return entry->type == TAR_HARDLINK && extract_normalize(entry->link, target, &ignored) == 0 && str_eq(target, place->path);
}

/* A parent cached under a name that is about to go must not be used again. */
static int place_node(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    int error;
    if (node_make(extract, place, entry, &error, err) == 0)
        return 0;
    if (error != EEXIST)
        return -1;
    if (links_to_itself(entry, place))
        return 0;
    if (clear_place(extract, place, entry, err) < 0)
        return -1;
    if (node_make(extract, place, entry, &error, err) < 0)
        return error == EEXIST ? err_sys(err, error, "create it") : -1;
    extract_forget_parent(extract);
    return 0;
}

static int whiteout(struct extract *extract, const struct place *place, const struct tar_entry *entry, const char *hidden, struct err *err)
{
    struct stat st;
    size_t dir_length = (size_t)(place->name - place->path);
    if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, ".."))
        return err_set(err, ERR_INVALID, "a whiteout of no name");
    if (fstatat(place->parent_fd, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        /* this layer has the name itself, so the one below is hidden already; a directory must not merge with it */
        return S_ISDIR(st.st_mode) ? add_opaque(extract, str_format("%.*s%s", (int)dir_length, place->path, hidden), err) : 0;
    }
    if (mknodat(place->parent_fd, hidden, S_IFCHR, 0) < 0)
        return err_sys(err, errno, "make a whiteout");
    if (fchownat(place->parent_fd, hidden, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "make a whiteout");
    return 0;
}

static int opaque(struct extract *extract, const struct place *place, struct err *err)
{
    size_t length = (size_t)(place->name - place->path);
    return add_opaque(extract, xstrndup(place->path, length ? length - 1 : 0), err);
}

static int layer_mark(struct extract *extract, const struct place *place, const struct tar_entry *entry, struct err *err)
{
    if (str_eq(place->name, WHITEOUT_OPAQUE))
        return opaque(extract, place, err);
    if (str_starts(place->name, WHITEOUT_META))
        return 0; /* bookkeeping of a union file system of old */
    return whiteout(extract, place, entry, place->name + strlen(WHITEOUT), err);
}

static int extract_entry(struct extract *extract, const struct tar_entry *entry, struct err *err)
{
    char path[TAR_PATH_MAX + 1];
    struct place place;
    if (extract_normalize(entry->path, path, err) < 0)
        return -1;
    if (!*path) /* the root exists; its attributes are not the archive's to change (as Docker) */
        return entry->type == TAR_DIR ? 0 : err_set(err, ERR_INVALID, "names the root, but is no directory");
    if (extract_parent(extract, path, &place, err) < 0)
        return -1;
    if (extract->options->layer && str_starts(place.name, WHITEOUT))
        return layer_mark(extract, &place, entry, err);
    return place_node(extract, &place, entry, err);
}

/* A directory replaced by something else meanwhile is no error: there is nothing to set. */
static void set_dir_times(struct extract *extract)
{
    for (size_t i = 0; i < extract->dir_count; i++) {
        const struct dir_time *dir = &extract->dirs[i];
        struct timespec times[2] = { { dir->seconds, dir->nanos }, { dir->seconds, dir->nanos } };
        AUTO_FD int fd = root_open(extract->root_fd, dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (fd >= 0)
            (void)!futimens(fd, times);
    }
}

void extract_result_done(struct extract_result *result)
{
    strv_free(result->opaque);
    *result = (struct extract_result){ 0 };
}

static void extract_done(struct extract *extract)
{
    extract_forget_parent(extract);
    for (size_t i = 0; i < extract->dir_count; i++)
        free(extract->dirs[i].path);
    free(extract->dirs);
    extract_result_done(&extract->result);
}

int extract_tar(struct tar_reader *reader, int root_fd, const struct extract_options *options, struct extract_result *ret, struct err *err)
{
    __attribute__((cleanup(extract_done))) struct extract extract = {
        .reader = reader, .root_fd = root_fd, .options = options, .parent_fd = -1, .next_space_check = SIZE_MAX >> 40,
    };
    struct tar_entry entry;
    int more;
    while ((more = tar_reader_next(reader, &entry, err)) > 0) {
        extract.result.entries++;
        if (extract_entry(&extract, &entry, err) < 0)
            return str_starts(err->text, "invalid entry") || str_starts(err->text, "cannot overwrite") ? -1 : err_wrap(err, "invalid entry \"%.200s\"", entry.path);
    }
    if (more < 0)
        return -1;
    set_dir_times(&extract);
    strv_sort(extract.result.opaque);
    *ret = extract.result;
    extract.result = (struct extract_result){ 0 };
    return 0;
}
