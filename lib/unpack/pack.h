/* A tree becomes a tar. The canonical form of a layer (TAR_CANONICAL_VERSION) is a pure function of the tree: sorted names, times cut to
 * seconds, hard links by inode (the first path in order is the file), security.capability and user.* attributes, overlay's 0:0 devices
 * back to ".wh." files and opaque directories to ".wh..wh..opq", sockets left out, no entry for the root itself.
 * Memory: 4 MiB ring + 1 MiB of buffers + the compressor (gzip 0.5 MiB, zstd:3 below 32 MiB) + the path of every file with several links. */
#pragma once
#include "lib/archive/tar.h"
#include "lib/unpack/hash.h"

struct tree_options {
    bool layer;          /* overlay's marks become whiteout files; else 0:0 devices are left out */
    char *const *opaque; /* sorted paths of opaque directories (opaque_find) */
    bool sizes_only;     /* data is counted as zeros, not read */
    bool living;         /* files may vanish or change meanwhile */
    bool disks_only;     /* what is mounted in the tree and lies on no disk (proc, sys, tmpfs) is an empty directory */
    const char *prefix;  /* NULL, or put in front of every path ("name/") */
    uint64_t content_size; /* out: files (once per inode) and symlink texts */
};
/* Everything below dir_fd. */
int tree_to_tar(struct tar_writer *writer, int dir_fd, struct tree_options *options, struct err *err);
/* One object that is not a directory, or a directory itself without its content. name in dir_fd; path as it shall be called. */
int node_to_tar(struct tar_writer *writer, int dir_fd, const char *name, const char *path, bool living, struct err *err);
/* The directories that carry overlay's opaque mark. Needs CAP_SYS_ADMIN: called before a sandbox closes. *ret sorted. */
int opaque_find(int dir_fd, char ***ret, struct err *err);

enum pack_compression { PACK_NONE, PACK_GZIP, PACK_ZSTD };
struct pack_result {
    char digest[HASH_TEXT_SIZE], diff_id[HASH_TEXT_SIZE]; /* digest "" without an output */
    uint64_t size, tar_size, content_size;
};
struct pack_source {
    int dir_fd;          /* the layer's tree */
    char *const *opaque; /* opaque_find; unused with a recipe */
    int recipe_fd;       /* -1, or: the tar it describes, instead of the canonical one. content_size is 0 then */
};
/* out_fd -1: hash only. */
int pack_layer(const struct pack_source *source, enum pack_compression compression, int out_fd, struct pack_result *ret, struct err *err);
/* Bytes of the canonical tar without reading any file. */
int pack_tar_size(const struct pack_source *source, uint64_t *ret, struct err *err);
/* The plain tar into a writer. *ret_content may be NULL. */
int pack_tar(const struct pack_source *source, struct writer to, uint64_t *ret_content, struct err *err);
