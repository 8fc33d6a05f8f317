/* What a step would copy, as one hash: names, types, permission bits, link texts, contents, which names are one file; of another stage also
 * owners and attributes. Times are left out, so that a fresh checkout finds the cache of an old one. The order is the walk's. */
#include "daemon/worker/build_copy.h"

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/unpack/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DIGEST_FORM "build-copy 2"
#define MISSING "failed to compute cache key: failed to calculate checksum of ref holk::source: \"%s\": not found"

struct digesting {
    struct copying *copying;
    struct hash hash;
    struct link_table links;
};

static void add_text(struct hash *hash, const char *text)
{
    hash_add(hash, text, strlen(text) + 1);
}

static int hash_file(struct copying *copying, int fd, unsigned char ret[HASH_RAW_SIZE], struct err *err)
{
    AUTO_HASH struct hash hash;
    hash_init(&hash);
    for (;;) {
        ssize_t got = read(fd, copying->buffer, COPY_BUFFER);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, errno, "read");
        hash_add(&hash, copying->buffer, (size_t)got);
        copying->bytes += got;
        if ((size_t)got < COPY_BUFFER) /* regular files give all they have */
            break;
    }
    hash_raw(&hash, ret);
    return 0;
}

static int add_xattrs(struct digesting *digesting, int fd, struct err *err)
{
    struct tar_xattr *list;
    size_t count;
    if (digesting->copying->context)
        return 0;
    if (xattrs_read(fd, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *head = str_format("xattr %s %zu", list[i].name, list[i].length);
        add_text(&digesting->hash, head);
        hash_add(&digesting->hash, list[i].value, list[i].length);
    }
    xattrs_free(list, count);
    return 0;
}

static int add_link(struct digesting *digesting, const struct walk_entry *entry, struct err *err)
{
    char target[4097];
    ssize_t length = readlinkat(entry->dir_fd, entry->name, target, sizeof target - 1);
    if (length < 0)
        return err_sys(err, errno, "read the link");
    target[length] = '\0';
    add_text(&digesting->hash, target);
    return 0;
}

static int add_regular(struct digesting *digesting, const struct walk_entry *entry, const char *name, struct err *err)
{
    struct copying *copying = digesting->copying;
    unsigned char digest[HASH_RAW_SIZE];
    const char *first = entry->stat.st_nlink > 1 ? link_table_seen(&digesting->links, &entry->stat, name) : NULL;
    const unsigned char *known = copying->contents ? contents_find(copying->contents, entry->stat.st_ino, (uint64_t)entry->stat.st_size) : NULL;
    if (first) {
        add_text(&digesting->hash, "is");
        add_text(&digesting->hash, first);
        return 0;
    }
    if (known) {
        hash_add(&digesting->hash, known, HASH_RAW_SIZE);
        return 0; /* of a context: no attributes */
    }
    AUTO_FD int fd = node_open(entry->dir_fd, entry->name);
    if (fd < 0)
        return err_sys(err, errno, "open");
    if (hash_file(copying, fd, digest, err) < 0)
        return -1;
    hash_add(&digesting->hash, digest, sizeof digest);
    return add_xattrs(digesting, fd, err);
}

static int add_node(struct digesting *digesting, const struct walk_entry *entry, const char *name, struct err *err)
{
    const struct stat *st = &entry->stat;
    bool owned = !digesting->copying->context;
    mode_t type = st->st_mode & S_IFMT, bits = type == S_IFLNK ? 0777 : st->st_mode & 07777;
    AUTO_FREE char *head = str_format("%o %o %u %u %llu", type, bits, owned ? st->st_uid : 0, owned ? st->st_gid : 0,
                                      S_ISCHR(type) || S_ISBLK(type) ? (unsigned long long)st->st_rdev : 0ULL);
    add_text(&digesting->hash, name);
    add_text(&digesting->hash, head);
    digesting->copying->files++;
    if (S_ISREG(type))
        return add_regular(digesting, entry, name, err);
    if (S_ISLNK(type))
        return add_link(digesting, entry, err);
    return S_ISDIR(type) ? add_xattrs(digesting, entry->fd, err) : 0;
}

static int visit(void *arg, const struct pick_entry *pick, struct err *err)
{
    struct digesting *digesting = arg;
    if (pick->picked)
        return add_node(digesting, pick->entry, pick->entry->path, err) < 0 ? err_wrap(err, "hash %.300s", pick->entry->path) : 0;
    return 0;
}

static int digest_found(struct copying *copying, const struct found *found, void *arg, struct err *err)
{
    struct digesting *digesting = arg;
    const struct picker picker = { .visit = visit, .arg = digesting };
    struct walk_entry entry = { .path = found->path, .fd = -1 };
    int r;
    if (view_at_is_dir(&found->at)) {
        add_text(&digesting->hash, "directory");
        r = pick_tree(copying, found, &picker, err);
    } else {
        add_text(&digesting->hash, "file");
        entry.name = found->at.rest[0];
        r = view_lookup(&copying->source, found->at.dir, entry.name, &entry.stat, &entry.dir_fd, err) < 0 ? -1 : 0;
        if (r == 0)
            r = add_node(digesting, &entry, path_base(found->path), err);
    }
    link_table_done(&digesting->links);
    return r;
}

int copy_digest(struct copying *copying, char ret[65], struct err *err)
{
    char text[HASH_TEXT_SIZE];
    struct digesting digesting = { .copying = copying };
    const struct job_build_copy *params = copying->params;
    hash_init(&digesting.hash);
    add_text(&digesting.hash, DIGEST_FORM);
    int r = sources_each(copying, MISSING, digest_found, &digesting, err);
    for (size_t i = 0; r == 0 && params->inline_names && params->inline_names[i]; i++) {
        add_text(&digesting.hash, "text");
        add_text(&digesting.hash, params->inline_names[i]);
        add_text(&digesting.hash, params->inline_contents[i]);
    }
    if (r == 0) {
        hash_text(&digesting.hash, text);
        str_copy(ret, 65, text + strlen("sha256:"));
    }
    hash_done(&digesting.hash);
    return r;
}
