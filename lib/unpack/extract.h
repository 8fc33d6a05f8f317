/* A tar archive becomes files below a root directory. Every name is split into components ("..", an empty name and components over 255
 * bytes are ERR_INVALID: `invalid entry "../x": escapes the root`), a leading "/" is dropped as Docker does; parents are opened by openat2
 * inside the root, the last component is never followed. What is made is then changed through its own fd or through its parent's. The
 * caller has set umask(0).
 *
 * Layers: ".wh.x" becomes a character device 0:0, ".wh..wh..opq" is reported in `opaque`, other ".wh..wh." names are dropped; raw 0:0
 * devices and trusted.*, user.overlay.* attributes, which would forge overlay's own marks, are dropped.
 * Memory: what the tar reader has, plus 24 bytes and the path of every directory entry (at most DIRECTORY_BYTES_MAX). */
#pragma once
#include "lib/archive/tar.h"
#include "lib/base/strv.h"

#define DIRECTORY_BYTES_MAX ((size_t)256 << 20)
#define LAYER_BYTES_MAX ((uint64_t)64 << 30)

struct recipe_writer;
struct contents;
struct extract_options {
    bool layer;
    bool bounded;     /* the limits of layers on size and free space, for other archives */
    bool drop_xattrs;
    bool behind_links; /* a directory that a link leads to is made when it is missing, as BuildKit does */
    struct contents *contents; /* NULL, or hears what each file holds (lib/unpack/contents.h) */
    bool from_pipe;   /* the archive comes plain from pipe_fd: large files' data goes from there to the file without passing here */
    int pipe_fd;
    bool no_overwrite_dir_non_dir;
    const char *dest_name; /* of the place, for that option's errors */
    struct recipe_writer *recipe; /* NULL, or what learns how to make this tar again; the reader is tapped by the caller */
    bool force_owner;
    uid_t uid;
    gid_t gid;
};
struct extract_result {
    uint64_t content_size; /* files and symlink texts, as Docker counts a layer */
    uint64_t entries;
    char **opaque;
};
void extract_result_done(struct extract_result *result);
int extract_tar(struct tar_reader *reader, int root_fd, const struct extract_options *options, struct extract_result *ret, struct err *err);
/* "./a//b/" -> "a/b"; "" for the root itself. ret has TAR_PATH_MAX + 1 bytes. */
int extract_normalize(const char *path, char *ret, struct err *err);
