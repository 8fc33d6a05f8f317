/* The store alone in a temporary directory. It never hashes layers, so their ids here are made up; blobs are real. */
#include "lib/store/store.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct db_migration schema[] = { { 1, STORE_SCHEMA_1 } };

struct home {
    char dir[48];
    struct db *db;
    struct store *store;
};

/* The tree may be built on overlayfs, where a database is refused. */
static void home_make(struct home *home)
{
    static const char *const places[] = { "/var/tmp", "/dev/shm", "/run" };
    struct statfs info;
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(places) && (statfs(places[i], &info) < 0 || info.f_type == 0x794c7630))
        i++;
    snprintf(home->dir, sizeof home->dir, "%s/holk-store-XXXXXX", places[i]);
    CHECK(mkdtemp(home->dir) != NULL);
}

static void home_open(struct home *home)
{
    struct err err = { 0 };
    AUTO_FREE char *path = path_join(home->dir, "holk.db");
    CHECK_INT(db_open(path, schema, 1, &home->db, &err), 0);
    CHECK_INT(store_open(home->dir, home->db, &home->store, &err), 0);
    CHECK_STR(err.text, "");
}

static void home_shut(struct home *home)
{
    store_close(home->store);
    db_close(home->db);
}

static void home_reopen(struct home *home)
{
    home_shut(home);
    home_open(home);
}

static void home_remove(struct home *home)
{
    home_shut(home);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, home->dir), 0);
}

static struct home fresh(void)
{
    struct home home = { .db = NULL };
    home_make(&home);
    home_open(&home);
    return home;
}

static char *diff_id(char digit)
{
    char hex[65];
    memset(hex, digit, 64);
    hex[64] = 0;
    return str_format("sha256:%s", hex);
}

static size_t entries(const struct home *home, const char *name)
{
    AUTO_FREE char *path = path_join(home->dir, name);
    DIR *dir = opendir(path);
    size_t count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count >= 2 ? count - 2 : 0;
}

static void add_layer(struct home *home, char digit, int64_t size)
{
    struct err err = { 0 };
    AUTO_FREE char *id = diff_id(digit), *tmp = NULL;
    CHECK_INT(store_tmp_make(home->store, "layer", &tmp, &err), 0);
    AUTO_FREE char *file = path_join(tmp, "file");
    CHECK_INT(io_replace_file_at(store_data_fd(home->store), file, "x", 1, 0600, false), 0);
    CHECK_INT(store_layer_adopt(home->store, store_data_fd(home->store), tmp, id, NULL, &err), 0);
    CHECK_STR(err.text, "");
    store_layer_add(home->store, &(struct store_layer_info){ .diff_id = id, .size = size });
}

/* An image of the given layers ("ab": two), named when ref is not NULL. Its id is in ret_id. */
static void add_image(struct home *home, const char *layers, const char *ref, const char *parent, char ret_id[72])
{
    struct err err = { 0 };
    AUTO_BUF struct buf config = BUF_INIT(65536);
    uint64_t ticket;
    static int serial;
    buf_printf(&config, "{\"os\":\"linux\",\"architecture\":\"amd64\",\"author\":\"%d\",\"created\":\"2024-01-01T00:00:%02dZ\",\"config\":{\"Labels\":{\"a\":\"b\"}},"
               "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", serial, serial % 60);
    serial++;
    for (size_t i = 0; layers[i]; i++) {
        AUTO_FREE char *id = diff_id(layers[i]);
        buf_printf(&config, "%s\"%s\"", i ? "," : "", id);
    }
    buf_puts(&config, "]}}");
    AUTO_STORE_IMAGE_INFO struct store_image_info info = { .parent = NULL };
    CHECK_INT(store_image_info_decode(config.data, config.length, &info, &err), 0);
    info.parent = parent ? xstrdup(parent) : NULL;
    if (ref)
        strv_append(&info.refs, ref);
    CHECK_INT(store_blob_write(home->store, info.id, config.data, config.length, &err), 0);
    CHECK_INT(store_image_add(home->store, &info, NULL, &ticket, &err), 0);
    CHECK_INT(db_wait(home->db, ticket, &err), 0);
    CHECK_STR(err.text, "");
    str_copy(ret_id, 72, info.id);
}

TEST(images_survive_a_restart)
{
    struct home home = fresh();
    char id[72];
    add_layer(&home, 'a', 10);
    add_layer(&home, 'b', 5);
    add_image(&home, "ab", "docker.io/library/app:v1", NULL, id);
    for (int round = 0; round < 2; round++) {
        struct store_image *image = store_image_get(home.store, id);
        CHECK(image != NULL);
        CHECK(image == store_image_by_ref(home.store, "docker.io/library/app:v1"));
        CHECK_INT(image->size, 15);
        CHECK_STR(image->os, "linux");
        CHECK_STR(image->labels, "{\"a\":\"b\"}");
        CHECK_INT(strv_length(image->diff_ids), 2);
        CHECK(image->tagged_ns > 0);
        char **tags = store_image_repo_tags(image);
        CHECK_STR(tags[0], "app:v1");
        strv_free(tags);
        AUTO_FREE char *a = diff_id('a'), *text = NULL;
        CHECK_INT(store_layer_get(home.store, a)->image_count, 1);
        size_t length;
        struct err err = { 0 };
        CHECK_INT(store_image_config(home.store, id, &text, &length, &err), 0);
        home_reopen(&home);
    }
    CHECK_INT(entries(&home, "layers"), 2);
    CHECK_INT(entries(&home, "blobs/sha256"), 1);
    home_remove(&home);
}

static void finds(struct home *home, const char *text, const char *id, const char *sentence)
{
    struct err err = { 0 };
    struct store_image *image = NULL;
    int got = store_image_find(home->store, text, &image, &err);
    CHECK_INT(got, id ? 0 : -1);
    if (id)
        CHECK_STR(image->id, id);
    else
        CHECK_STR(err.text, sentence);
}

TEST(finding)
{
    struct home home = fresh();
    char one[72], two[72];
    add_layer(&home, 'a', 1);
    add_image(&home, "a", "docker.io/library/app:latest", NULL, one);
    add_image(&home, "a", "localhost:5000/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL, two);
    AUTO_FREE char *prefix = xstrndup(one, 7 + 12);
    finds(&home, "app", one, NULL);
    finds(&home, "app:latest", one, NULL);
    finds(&home, "docker.io/library/app", one, NULL);
    finds(&home, one, one, NULL);
    finds(&home, one + 7, one, NULL);
    finds(&home, prefix, one, NULL);
    finds(&home, prefix + 7, one, NULL);
    finds(&home, "localhost:5000/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", two, NULL);
    finds(&home, "app:v2", NULL, "No such image: app:v2");
    finds(&home, "nope", NULL, "No such image: nope:latest");
    finds(&home, "localhost:5000/x", NULL, "No such image: localhost:5000/x:latest");
    finds(&home, "Nope", NULL, "invalid reference format: repository name (library/Nope) must be lowercase");
    AUTO_FREE char *missing = diff_id('0');
    AUTO_FREE char *sentence = str_format("No such image: %s", missing);
    finds(&home, missing, NULL, sentence);
    home_remove(&home);
}

static int tag(struct home *home, const char *text, const char *id, struct err *err)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    uint64_t ticket;
    if (reference_parse(text, &ref, err) < 0 || store_tag(home->store, &ref, id, &ticket, err) < 0)
        return -1;
    return db_wait(home->db, ticket, err);
}

TEST(names_move)
{
    struct home home = fresh();
    char one[72], two[72];
    struct err err = { 0 };
    uint64_t ticket;
    add_layer(&home, 'a', 1);
    add_image(&home, "a", "docker.io/library/app:latest", NULL, one);
    add_image(&home, "a", NULL, NULL, two);
    CHECK(store_image_is_dangling(store_image_get(home.store, two)));
    CHECK_INT(tag(&home, "app", two, &err), 0);
    CHECK_INT(tag(&home, "example.com/other:v1", two, &err), 0);
    home_reopen(&home);
    CHECK(store_image_is_dangling(store_image_get(home.store, one)));
    CHECK_STR(store_image_by_ref(home.store, "docker.io/library/app:latest")->id, two);
    CHECK_INT(strv_length(store_image_get(home.store, two)->refs), 2);
    CHECK_INT(tag(&home, "sha256:v1", two, &err), -1);
    CHECK_STR(err.text, "refusing to create an ambiguous tag using digest algorithm as name");
    AUTO_FREE char *missing = diff_id('0');
    CHECK_INT(tag(&home, "app", missing, &err), -1);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    CHECK_INT(store_untag(home.store, "example.com/other:v1", &ticket, &err), 0);
    CHECK_INT(store_untag(home.store, "example.com/other:v1", &ticket, &err), -1);
    CHECK_STR(err.text, "reference does not exist");
    home_remove(&home);
}

TEST(an_image_needs_its_layers)
{
    struct home home = fresh();
    struct err err = { 0 };
    uint64_t ticket;
    AUTO_STORE_IMAGE_INFO struct store_image_info info = { .parent = NULL };
    static const char config[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}}";
    CHECK_INT(store_image_info_decode(config, strlen(config), &info, &err), 0);
    CHECK_INT(store_image_add(home.store, &info, NULL, &ticket, &err), -1);
    CHECK_INT(err.kind, ERR_INTERNAL);
    size_t count;
    (void)store_images(home.store, &count);
    CHECK_INT(count, 0);
    home_remove(&home);
}

static const char *container_id;
static bool container_runs;

static const char *used_by(void *arg, const char *image_id, bool running)
{
    return str_eq(arg, image_id) && running == container_runs ? container_id : NULL;
}

/* "u:name d:id..." of a deletion, or the sentence of the refusal. */
static char *removed(struct home *home, const char *text, bool force, void *used)
{
    struct err err = { 0 };
    struct store_deletions list;
    uint64_t ticket;
    const struct store_delete request = { .text = text, .force = force, .prune = true, .used_by = used ? used_by : NULL, .arg = used };
    AUTO_BUF struct buf out = BUF_INIT(65536);
    if (store_image_delete(home->store, &request, &list, &ticket, &err) < 0)
        buf_puts(&out, err.text);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].untagged)
            buf_printf(&out, "u:%s ", list.items[i].untagged);
        else
            buf_printf(&out, "d:%.12s ", list.items[i].deleted + 7);
    store_deletions_done(&list);
    return buf_take(&out);
}

static void removal(struct home *home, const char *text, bool force, void *used, const char *want)
{
    AUTO_FREE char *got = removed(home, text, force, used);
    CHECK_STR(got, want);
}

TEST(deleting)
{
    struct home home = fresh();
    struct err err = { 0 };
    char base[72], app[72];
    add_layer(&home, 'a', 1);
    add_layer(&home, 'b', 1);
    add_image(&home, "a", "docker.io/library/base:latest", NULL, base);
    add_image(&home, "ab", "docker.io/library/app:v1", NULL, app);
    CHECK_INT(tag(&home, "app:v2", app, &err), 0);
    CHECK_INT(tag(&home, "other/app:v2", app, &err), 0);
    removal(&home, "app:v2", false, NULL, "u:app:v2 ");
    AUTO_FREE char *many = str_format("conflict: unable to delete %.12s (must be forced) - image is referenced in multiple repositories", app + 7);
    removal(&home, app, false, NULL, many);
    container_id = "0123456789abcdef";
    container_runs = true;
    removal(&home, "other/app:v2", false, app, "u:other/app:v2 ");
    AUTO_FREE char *named = str_format("conflict: unable to remove repository reference \"app:v1\" (must force) - container 0123456789ab is using its referenced image %.12s", app + 7);
    removal(&home, "app:v1", false, app, named);
    AUTO_FREE char *running = str_format("conflict: unable to delete %.12s (cannot be forced) - image is being used by running container 0123456789ab", app + 7);
    removal(&home, app, true, app, running);
    container_runs = false;
    AUTO_FREE char *stopped = str_format("conflict: unable to delete %.12s (must be forced) - image is being used by stopped container 0123456789ab", app + 7);
    removal(&home, app, false, app, stopped);
    char *layers[] = { diff_id('a'), diff_id('b'), NULL };
    char **chain = store_chain_ids(layers);
    AUTO_FREE char *both = str_format("u:app:v1 d:%.12s d:%.12s ", app + 7, chain[1] + 7);
    removal(&home, app, true, app, both);
    AUTO_FREE char *last = str_format("u:base:latest d:%.12s d:%.12s ", base + 7, chain[0] + 7);
    removal(&home, "base", false, NULL, last);
    removal(&home, "base", false, NULL, "No such image: base:latest");
    CHECK_INT(store_collect(home.store, NULL), 2);
    home_reopen(&home);
    size_t count;
    (void)store_images(home.store, &count);
    CHECK_INT(count, 0);
    strv_free(chain);
    free(layers[0]);
    free(layers[1]);
    home_remove(&home);
}

TEST(parents)
{
    struct home home = fresh();
    char base[72], middle[72], top[72];
    add_layer(&home, 'a', 1);
    add_image(&home, "a", "docker.io/library/base:latest", NULL, base);
    add_image(&home, "a", NULL, base, middle);
    add_image(&home, "a", "docker.io/library/top:latest", middle, top);
    home_reopen(&home);
    CHECK_INT(store_image_get(home.store, middle)->child_count, 1);
    CHECK(!store_image_is_dangling(store_image_get(home.store, middle)));
    AUTO_FREE char *child = str_format("conflict: unable to delete %.12s (cannot be forced) - image has dependent child images", middle + 7);
    removal(&home, middle, true, NULL, child);
    AUTO_FREE char *both = str_format("u:top:latest d:%.12s d:%.12s ", top + 7, middle + 7); /* the named base stays */
    removal(&home, "top", false, NULL, both);
    CHECK(store_image_get(home.store, base) != NULL);
    home_remove(&home);
}

TEST(chain_ids)
{
    char *layers[] = { diff_id('a'), diff_id('b'), NULL };
    char want[72];
    AUTO_FREE char *text = str_format("%s %s", layers[0], layers[1]);
    store_digest(text, strlen(text), want);
    char **chain = store_chain_ids(layers);
    CHECK_STR(chain[0], layers[0]);
    CHECK_STR(chain[1], want);
    CHECK(!chain[2]);
    strv_free(chain);
    free(layers[0]);
    free(layers[1]);
    store_digest("abc", 3, want);
    CHECK_STR(want, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(leases_hold_what_nobody_uses)
{
    struct home home = fresh();
    struct store_lease *lease = store_lease_new(home.store, "job"), *second = store_lease_new(home.store, "container");
    AUTO_FREE char *a = diff_id('a');
    int64_t bytes = 0;
    store_lease_pin(lease, a);
    store_lease_pin(lease, a);
    store_lease_pin(second, a);
    add_layer(&home, 'a', 10);
    add_layer(&home, 'b', 7);
    CHECK_INT(store_collect(home.store, &bytes), 1);
    CHECK_INT(bytes, 7);
    store_lease_free(lease);
    CHECK_INT(store_collect(home.store, &bytes), 0);
    CHECK(store_layer_has(home.store, a));
    store_lease_free(second);
    store_lease_free(NULL);
    CHECK_INT(store_collect(home.store, &bytes), 1);
    CHECK_INT(bytes, 17);
    CHECK_INT(entries(&home, "layers"), 2);
    store_sweep(home.store);
    CHECK_INT(entries(&home, "layers"), 0);
    CHECK_INT(entries(&home, "trash"), 2);
    while (store_trash_step(home.store))
        ;
    CHECK_INT(entries(&home, "trash"), 0);
    home_remove(&home);
}

TEST(a_doomed_layer_that_comes_back_stays)
{
    struct home home = fresh();
    add_layer(&home, 'a', 1);
    CHECK_INT(store_collect(home.store, NULL), 1);
    add_layer(&home, 'a', 1); /* the same tree again before the sweep */
    store_sweep(home.store);
    CHECK_INT(entries(&home, "layers"), 1);
    CHECK_INT(entries(&home, "trash"), 1);
    home_remove(&home);
}

TEST(orphans_go_at_start)
{
    struct home home = fresh();
    char id[72], digest[72];
    struct err err = { 0 };
    AUTO_FREE char *tmp = NULL;
    add_layer(&home, 'a', 1);
    add_image(&home, "a", NULL, NULL, id);
    add_layer(&home, 'b', 1); /* no image, no row */
    store_digest("orphan", 6, digest);
    CHECK_INT(store_blob_write(home.store, digest, "orphan", 6, &err), 0);
    CHECK_INT(store_tmp_make(home.store, "job", &tmp, &err), 0);
    CHECK(store_blob_has(home.store, digest));
    home_reopen(&home);
    CHECK(!store_blob_has(home.store, digest));
    CHECK_INT(entries(&home, "layers"), 1);
    CHECK_INT(entries(&home, "blobs/sha256"), 1);
    CHECK_INT(entries(&home, "tmp"), 0);
    CHECK_INT(entries(&home, "trash"), 3);
    home_remove(&home);
}

TEST(a_layer_lost_on_disk_is_no_layer)
{
    struct home home = fresh();
    char id[72];
    AUTO_FREE char *a = diff_id('a');
    add_layer(&home, 'a', 1);
    add_image(&home, "a", NULL, NULL, id);
    AUTO_FREE char *path = str_format("layers/%s", a + 7);
    CHECK_INT(path_remove_tree_at(store_data_fd(home.store), path), 0);
    home_reopen(&home);
    CHECK(!store_layer_has(home.store, a));
    CHECK(store_image_get(home.store, id) != NULL);
    home_remove(&home);
}

TEST(blobs_are_what_their_digest_says)
{
    struct home home = fresh();
    struct err err = { 0 };
    char digest[72];
    AUTO_FREE char *wrong = diff_id('0'), *text = NULL;
    size_t length;
    store_digest("hello", 5, digest);
    CHECK_INT(store_blob_write(home.store, wrong, "hello", 5, &err), -1);
    CHECK_INT(err.kind, ERR_INVALID);
    CHECK_INT(store_blob_write(home.store, digest, "hello", 5, &err), 0);
    CHECK_INT(store_blob_write(home.store, digest, "hello", 5, &err), 0);
    CHECK_INT(store_blob_read(home.store, digest, 100, &text, &length, &err), 0);
    CHECK_STR(text, "hello");
    free(take_ptr(&text));
    CHECK_INT(store_blob_read(home.store, digest, 4, &text, &length, &err), -1);
    CHECK_INT(store_blob_read(home.store, wrong, 100, &text, &length, &err), -1);
    CHECK_INT(err.kind, ERR_NOT_FOUND);
    CHECK_INT(store_blob_read(home.store, "../../etc/passwd", 100, &text, &length, &err), -1);
    CHECK_INT(err.kind, ERR_INVALID);
    CHECK_INT(store_collect(home.store, NULL), 0);
    store_sweep(home.store); /* nobody uses it */
    CHECK(!store_blob_has(home.store, digest));
    home_remove(&home);
}

TEST(only_plain_files_become_blobs)
{
    struct home home = fresh();
    struct err err = { 0 };
    AUTO_FREE char *spool = NULL, *digest = diff_id('c');
    CHECK_INT(store_tmp_make(home.store, "spool", &spool, &err), 0);
    AUTO_FD int fd = openat(store_data_fd(home.store), spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(symlinkat("/etc/passwd", fd, "link"), 0);
    CHECK_INT(mkfifoat(fd, "fifo", 0600), 0);
    CHECK_INT(mkdirat(fd, "dir", 0700), 0);
    CHECK_INT(io_replace_file_at(fd, "plain", "x", 1, 0644, false), 0);
    CHECK_INT(linkat(fd, "plain", fd, "second", 0), 0);
    static const char *const bad[] = { "link", "fifo", "dir", "plain", "second", "missing" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_INT(store_blob_adopt(home.store, fd, bad[i], digest, &err), -1);
    CHECK_INT(unlinkat(fd, "second", 0), 0);
    CHECK_INT(store_blob_adopt(home.store, fd, "plain", digest, &err), 0);
    AUTO_FREE char *path = str_format("%s/blobs/sha256/%s", home.dir, digest + 7);
    struct stat status;
    CHECK_INT(stat(path, &status), 0);
    CHECK_INT(status.st_mode & 0777, 0600);
    home_remove(&home);
}

TEST(opaque_directories_are_marked)
{
    struct home home = fresh();
    struct err err = { 0 };
    AUTO_FREE char *tmp = NULL, *id = diff_id('d');
    char one[] = "a/b", outside[] = "../..";
    char *opaque[] = { one, NULL }, *escape[] = { outside, NULL };
    CHECK_INT(store_tmp_make(home.store, "layer", &tmp, &err), 0);
    AUTO_FREE char *deep = path_join(tmp, "a/b");
    CHECK_INT(path_mkdirs_at(store_data_fd(home.store), deep, 0755), 0);
    CHECK_INT(store_layer_adopt(home.store, store_data_fd(home.store), tmp, id, escape, &err), -1);
    err_clear(&err);
    if (store_layer_adopt(home.store, store_data_fd(home.store), tmp, id, opaque, &err) < 0) {
        printf("# trusted attributes cannot be set here: %s\n", err.text);
        CHECK(geteuid() != 0 || err.sys_errno == EOPNOTSUPP || err.sys_errno == EPERM);
    } else {
        AUTO_FREE char *root = store_layer_path(home.store, id);
        AUTO_FREE char *path = path_join(root, "a/b");
        char value[4] = "";
        CHECK_INT(getxattr(path, "trusted.overlay.opaque", value, sizeof value), 1);
        CHECK_STR(value, "y");
    }
    home_remove(&home);
}

TEST(recipes_lie_beside_their_layer)
{
    struct home home = fresh();
    struct err err = { 0 };
    AUTO_FREE char *tmp = NULL, *id = diff_id('e');
    CHECK_INT(store_tmp_make(home.store, "recipe", &tmp, &err), 0);
    AUTO_FD int fd = openat(store_data_fd(home.store), tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT(io_replace_file_at(fd, "recipe", "first", 5, 0644, false), 0);
    CHECK_INT(store_recipe_adopt(home.store, fd, "recipe", id, &err), -1); /* no layer yet */
    CHECK_INT(mkdirat(fd, "diff", 0755), 0);
    CHECK_INT(store_layer_adopt(home.store, fd, "diff", id, NULL, &err), 0);
    CHECK(!store_recipe_path(home.store, id));
    CHECK_INT(store_recipe_adopt(home.store, fd, "recipe", id, &err), 0);
    CHECK_INT(io_replace_file_at(fd, "again", "second", 6, 0644, false), 0);
    CHECK_INT(store_recipe_adopt(home.store, fd, "again", id, &err), 0); /* the first one stays */
    AUTO_FREE char *path = store_recipe_path(home.store, id);
    AUTO_FREE char *text = NULL;
    size_t length;
    CHECK_INT(io_read_file_at(AT_FDCWD, path, 100, &text, &length), 0);
    CHECK_STR(text, "first");
    home_remove(&home);
}

TEST(deep_trash_is_deleted_in_steps)
{
    struct home home = fresh();
    struct err err = { 0 };
    AUTO_FREE char *tmp = NULL;
    CHECK_INT(store_tmp_make(home.store, "deep", &tmp, &err), 0);
    int fd = openat(store_data_fd(home.store), tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3000 && fd >= 0; i++) {
        CHECK_INT(mkdirat(fd, "d", 0700), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
    CHECK_INT(store_trash_put(home.store, store_data_fd(home.store), tmp), 0);
    CHECK_INT(store_trash_put(home.store, store_data_fd(home.store), "tmp/missing"), 0);
    CHECK_INT(entries(&home, "trash"), 1);
    int steps = 0;
    while (store_trash_step(home.store) && steps < 100000)
        steps++;
    CHECK_INT(entries(&home, "trash"), 0);
    home_remove(&home);
}

TEST(where_blobs_are_known)
{
    struct home home = fresh();
    char id[72];
    struct store_distribution row = { 0 };
    AUTO_FREE char *a = diff_id('a'), *b = diff_id('b');
    add_layer(&home, 'a', 1);
    store_distribution_add(home.store, a, &(struct store_distribution){ "docker.io/library/x", b, "t1", 1 });
    add_image(&home, "a", NULL, NULL, id);
    store_distribution_add(home.store, a, &(struct store_distribution){ "example.com/y", a, "t2", 2 });
    store_distribution_add(home.store, a, &(struct store_distribution){ "docker.io/library/x", a, "t3", 3 });
    store_distribution_add(home.store, b, &(struct store_distribution){ "example.com/y", a, "t2", 2 }); /* no such layer */
    home_reopen(&home);
    CHECK(store_distribution_find(home.store, a, "docker.io/library/x", &row));
    CHECK_STR(row.media_type, "t3");
    CHECK(store_distribution_find(home.store, a, "example.com/y", &row));
    CHECK_INT(row.blob_size, 2);
    CHECK(!store_distribution_find(home.store, a, "example.com/z", &row));
    CHECK(store_distribution_at(home.store, a, 1, &row));
    CHECK(!store_distribution_at(home.store, a, 2, &row));
    CHECK(!store_distribution_at(home.store, b, 0, &row));
    home_remove(&home);
}

TESTS(T(images_survive_a_restart), T(finding), T(names_move), T(an_image_needs_its_layers), T(deleting), T(parents), T(chain_ids), T(leases_hold_what_nobody_uses),
      T(a_doomed_layer_that_comes_back_stays), T(orphans_go_at_start), T(a_layer_lost_on_disk_is_no_layer), T(blobs_are_what_their_digest_says),
      T(only_plain_files_become_blobs), T(opaque_directories_are_marked), T(recipes_lie_beside_their_layer), T(deep_trash_is_deleted_in_steps),
      T(where_blobs_are_known))
