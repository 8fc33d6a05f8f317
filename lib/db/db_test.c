#include "lib/db/db.h"

#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct db_migration one[] = { { 1, "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)" } };
static const struct db_migration two[] = { { 1, "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)" }, { 2, "ALTER TABLE t ADD COLUMN w TEXT" } };

static char dir[32];
static char path[64];
static const struct db_migration newer[] = { { 7, "CREATE TABLE other (k TEXT)" } };

/* The tree may be built on overlayfs, where a database is refused. */
static void fresh(void)
{
    static const char *const homes[] = { "/var/tmp", "/dev/shm", "/run" };
    struct statfs info;
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(homes) && (statfs(homes[i], &info) < 0 || info.f_type == 0x794c7630))
        i++;
    snprintf(dir, sizeof dir, "%s/holk-db-XXXXXX", homes[i]);
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/holk.db", dir);
}

static int sum(const struct db_row *row, void *arg, struct err *err)
{
    (void)err;
    *(int64_t *)arg += db_row_int(row, 0);
    return 0;
}

TEST(rows_survive_and_migrate)
{
    struct err err = { 0 };
    struct db *db = NULL;
    int64_t total = 0;
    fresh();
    CHECK_INT(db_open(path, one, 1, &db, &err), 0);
    CHECK_STR(err.text, "");
    db_group_begin(db);
    for (int64_t i = 0; i < 100; i++) {
        AUTO_FREE char *key = str_format("k%lld", (long long)i);
        db_queue(db, DB_NORMAL, "INSERT INTO t(k, v) VALUES(?, ?)", "si", key, i);
    }
    CHECK_INT(db_wait(db, db_group_end(db, DB_FULL), &err), 0);
    uint64_t bad = db_queue(db, DB_NORMAL, "INSERT INTO t(k, v) VALUES(?, ?)", "si", "k5", (int64_t)1);
    uint64_t good = db_queue(db, DB_NORMAL, "INSERT INTO t(k, v) VALUES(?, ?)", "si", "new", (int64_t)50);
    CHECK_INT(db_wait(db, bad, &err), -1);
    CHECK(strstr(err.text, "UNIQUE") != NULL);
    CHECK_INT(db_wait(db, good, &err), 0);
    db_close(db);
    CHECK_INT(db_open(path, two, 2, &db, &err), 0);
    CHECK_INT(db_each(db, "SELECT v FROM t WHERE w IS NULL", sum, &total, &err), 0);
    CHECK_INT(total, 99 * 100 / 2 + 50);
    db_close(db);
    CHECK_INT(db_open(path, one, 1, &db, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    path_remove_tree_at(AT_FDCWD, dir);
}

TEST(what_is_not_a_database_is_refused)
{
    struct err err = { 0 };
    struct db *db = NULL;
    fresh();
    char junk[8192];
    memset(junk, 'x', sizeof junk);
    CHECK_INT(io_replace_file_at(AT_FDCWD, path, junk, sizeof junk, 0600, false), 0);
    CHECK_INT(db_open(path, one, 1, &db, &err), -1);
    CHECK(strstr(err.text, "corrupt") != NULL);
    path_remove_tree_at(AT_FDCWD, dir);
}

TEST(nothing_changes_in_a_newer_one)
{
    struct err err = { 0 };
    struct db *db = NULL;
    AUTO_FREE char *before = NULL, *after = NULL;
    size_t length = 0, again = 0;
    fresh();
    CHECK_INT(db_open(path, newer, 1, &db, &err), 0);
    db_close(db);
    db = NULL;
    CHECK_INT(io_read_file_at(AT_FDCWD, path, 1 << 20, &before, &length), 0);
    CHECK_INT(db_open(path, one, 1, &db, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    CHECK(strstr(err.text, "version 7") != NULL);
    CHECK_INT(io_read_file_at(AT_FDCWD, path, 1 << 20, &after, &again), 0);
    CHECK(length == again && memcmp(before, after, length) == 0);
    struct stat info;
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    path_remove_tree_at(AT_FDCWD, dir);
}

TEST(a_damaged_page_is_refused)
{
    struct err err = { 0 };
    struct db *db = NULL;
    fresh();
    CHECK_INT(db_open(path, one, 1, &db, &err), 0);
    uint64_t ticket = 0;
    for (int64_t i = 0; i < 500; i++) {
        AUTO_FREE char *key = str_format("a key of some length %lld", (long long)i);
        ticket = db_queue(db, DB_NORMAL, "INSERT INTO t(k, v) VALUES(?, ?)", "si", key, i);
    }
    CHECK_INT(db_wait(db, ticket, &err), 0);
    db_close(db);
    db = NULL;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    char junk[4096];
    memset(junk, 0x5a, sizeof junk);
    CHECK_INT(pwrite(fd, junk, sizeof junk, 8192), sizeof junk);
    close(fd);
    CHECK_INT(db_open(path, one, 1, &db, &err), -1);
    CHECK_INT(err.kind, ERR_INTERNAL);
    CHECK(strstr(err.text, "corrupt") != NULL);
    path_remove_tree_at(AT_FDCWD, dir);
}

TEST(empty_groups_and_many_values)
{
    static const struct db_migration wide[] = { { 1, "CREATE TABLE w (a, b, c, d, e, f, g, h, i, j, k, l, m)" } };
    struct err err = { 0 };
    struct db *db = NULL;
    int64_t total = 0, one_value = 1;
    fresh();
    CHECK_INT(db_open(path, wide, 1, &db, &err), 0);
    db_group_begin(db);
    CHECK_INT(db_wait(db, db_group_end(db, DB_FULL), &err), 0);
    uint64_t ticket = db_queue(db, DB_NORMAL, "INSERT INTO w VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "isssssssssbsi", one_value, "b", "c", "d",
                               "e", "f", "g", "h", "i", "j", "\0k", (size_t)2, NULL, one_value);
    CHECK_INT(db_wait(db, ticket, &err), 0);
    CHECK_INT(db_each(db, "SELECT a + m + length(k) FROM w WHERE l IS NULL", sum, &total, &err), 0);
    CHECK_INT(total, 4);
    db_close(db);
    path_remove_tree_at(AT_FDCWD, dir);
}

TEST(same_address_other_text)
{
    struct err err = { 0 };
    struct db *db = NULL;
    int64_t total = 0;
    char sql[] = "INSERT INTO t(k, v) VALUES('a', 1)";
    fresh();
    CHECK_INT(db_open(path, one, 1, &db, &err), 0);
    CHECK_INT(db_wait(db, db_queue(db, DB_NORMAL, sql, ""), &err), 0);
    memcpy(strchr(sql, 'a'), "b', 5)", 6);
    CHECK_INT(db_wait(db, db_queue(db, DB_NORMAL, sql, ""), &err), 0);
    CHECK_INT(db_each(db, "SELECT v FROM t", sum, &total, &err), 0);
    CHECK_INT(total, 6);
    db_close(db);
    path_remove_tree_at(AT_FDCWD, dir);
}

/* Needs a small tmpfs of its own; without the privilege there is nothing to see here. */
TEST(a_full_disk_fails_one_ticket_only)
{
    struct err err = { 0 };
    struct db *db = NULL;
    fresh();
    if (mount("none", dir, "tmpfs", 0, "size=512k") < 0) {
        printf("# skipped: cannot mount a tmpfs\n");
        rmdir(dir);
        return;
    }
    CHECK_INT(db_open(path, one, 1, &db, &err), 0);
    AUTO_FREE char *large = xcalloc(1, 700001);
    memset(large, 'x', 700000);
    CHECK_INT(db_wait(db, db_queue(db, DB_NORMAL, "INSERT INTO t(k, v) VALUES(?, 1)", "s", large), &err), -1);
    CHECK(strstr(err.text, "no space left on device") != NULL);
    CHECK_INT(db_wait(db, db_queue(db, DB_FULL, "INSERT INTO t(k, v) VALUES('small', 1)", ""), &err), 0);
    db_close(db);
    umount2(dir, MNT_DETACH);
    rmdir(dir);
}

TESTS(T(rows_survive_and_migrate), T(what_is_not_a_database_is_refused), T(nothing_changes_in_a_newer_one), T(a_damaged_page_is_refused),
      T(empty_groups_and_many_values), T(same_address_other_text), T(a_full_disk_fails_one_ticket_only))
