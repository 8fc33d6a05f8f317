/* Tars of people who mean harm, and what must come of them: design/security.md rows I1 to I7. */
#include "lib/unpack/test_trees.h"

#include <sys/xattr.h>

TEST(names_that_lead_out) /* I1 */
{
    AUTO_DIRS struct place_dirs dirs;
    dirs_open(&dirs);
    static const char *const names[] = { "../x", "a/../../x", "./../x", "a/..", "..", "/../x", "a/../b" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct made entries[] = { { TAR_FILE, names[i], "evil" } };
        struct err err = { 0 };
        CHECK_INT(extract_plain(entries, 1, dirs.root, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
        CHECK(str_starts(err.text, "invalid entry \"") && strstr(err.text, "escapes the root"));
        const struct made as_dir[] = { { TAR_DIR, names[i] } };
        refuses(as_dir, 1, dirs.root, "escapes the root");
    }
    const struct made empty[] = { { TAR_FILE, "", "x" } };
    refuses(empty, 1, dirs.root, "empty name");
    const struct made root_file[] = { { TAR_FILE, "./", "x" } };
    refuses(root_file, 1, dirs.root, "names the root");
    AUTO_FREE char *component = xcalloc(1, 300);
    memset(component, 'c', 256);
    const struct made long_name[] = { { TAR_FILE, component, "x" } };
    refuses(long_name, 1, dirs.root, "longer than 255 bytes");
    struct err err = { 0 };
    const struct made fine[] = { { TAR_DIR, "./" }, { TAR_FILE, "/abs/x", "inside" }, { TAR_FILE, ".//b/./..c", "dots" } };
    CHECK_INT(extract_plain(fine, 3, dirs.root, &err), 0);
    has_text(dirs.root, "abs/x", "inside");
    has_text(dirs.root, "b/..c", "dots");
    CHECK(!exists(dirs.top, "x"));
}

TEST(links_that_lead_out) /* I2, I4 */
{
    AUTO_DIRS struct place_dirs dirs;
    dirs_open(&dirs);
    AUTO_FREE char *canary = str_format("%s/canary", dirs.name);
    AUTO_FREE char *canary_dir = str_format("%s/canary-dir", dirs.name);
    struct err err = { 0 };
    const struct made relative[] = { { TAR_SYMLINK, "r", "../canary-dir" }, { TAR_FILE, "r/f", "x" } };
    refuses(relative, 2, dirs.root, "invalid entry \"r/f\"");
    const struct made absolute[] = { { TAR_SYMLINK, "d", canary_dir }, { TAR_FILE, "d/f", "x" } };
    refuses(absolute, 2, dirs.root, "invalid entry \"d/f\"");
    /* where it is wanted the directory is made, inside the root */
    const struct extract_options behind = { .behind_links = true };
    struct extract_result result;
    CHECK_INT(extract_with(relative, 2, dirs.root, &behind, &result, &err), 0);
    has_text(dirs.root, "canary-dir/f", "x");
    /* with such a directory inside the root the link leads there */
    AUTO_FREE char *inner = str_format("%s/f", canary_dir + 1);
    const struct made inside[] = { { TAR_DIR, canary_dir }, { TAR_SYMLINK, "d2", canary_dir }, { TAR_FILE, "d2/f", "kept in" } };
    CHECK_INT(extract_plain(inside, 3, dirs.root, &err), 0);
    has_text(dirs.root, inner, "kept in");
    /* a link is replaced, never written through, and its mode and attributes are its own */
    const struct made through[] = { { TAR_SYMLINK, "l", canary, 0777, .xattr = "user.x" }, { TAR_FILE, "l", "new", 0666 } };
    CHECK_INT(extract_plain(through, 2, dirs.root, &err), 0);
    has_text(dirs.root, "l", "new");
    const struct made as_dir[] = { { TAR_SYMLINK, "m", canary_dir }, { TAR_DIR, "m", .mode = 0777 }, { TAR_FILE, "m/f", "own" } };
    CHECK_INT(extract_plain(as_dir, 3, dirs.root, &err), 0);
    has_text(dirs.root, "m/f", "own");
}

TEST(hard_links_that_lead_out) /* I3 */
{
    AUTO_DIRS struct place_dirs dirs;
    dirs_open(&dirs);
    AUTO_FREE char *canary = str_format("%s/canary", dirs.name);
    struct err err = { 0 };
    const struct made up[] = { { TAR_HARDLINK, "h", "../canary" } };
    refuses(up, 1, dirs.root, "escapes the root");
    const struct made absolute[] = { { TAR_HARDLINK, "h", canary } };
    refuses(absolute, 1, dirs.root, "which is not there");
    const struct made via_dir[] = { { TAR_SYMLINK, "s", ".." }, { TAR_HARDLINK, "h", "s/canary" } };
    refuses(via_dir, 2, dirs.root, "which is not there");
    const struct made to_dir[] = { { TAR_DIR, "d" }, { TAR_HARDLINK, "h", "d" } };
    refuses(to_dir, 2, dirs.root, "which is a directory");
    /* a link to a link is the link itself; overwriting and chmod then stay here */
    const struct made to_link[] = { { TAR_SYMLINK, "l", canary }, { TAR_HARDLINK, "h", "l" }, { TAR_FILE, "h", "mine", 0666 } };
    CHECK_INT(extract_plain(to_link, 3, dirs.root, &err), 0);
    has_text(dirs.root, "h", "mine");
    const struct made self[] = { { TAR_FILE, "a", "text" }, { TAR_HARDLINK, "a", "./a" }, { TAR_HARDLINK, "b", "a" } };
    CHECK_INT(extract_plain(self, 3, dirs.root, &err), 0);
    has_text(dirs.root, "b", "text");
}

TEST(whiteout_tricks) /* I5 */
{
    static const char *const bad[] = { ".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh.." };
    AUTO_DIRS struct place_dirs dirs;
    dirs_open(&dirs);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const struct made entries[] = { { TAR_FILE, bad[i] } };
        struct extract_result result;
        struct err err = { 0 };
        CHECK_INT(extract_as_layer(entries, 1, dirs.root, &result, &err), -1);
        CHECK(strstr(err.text, "a whiteout of no name"));
    }
    const struct made nested[] = { { TAR_FILE, ".wh.a/../b" } };
    struct extract_result result;
    struct err err = { 0 };
    CHECK_INT(extract_as_layer(nested, 1, dirs.root, &result, &err), -1);
    const struct made plain[] = { { TAR_FILE, ".wh.file", "text" } }; /* in what is no layer it is a name */
    CHECK_INT(extract_plain(plain, 1, dirs.root, &err), 0);
    has_text(dirs.root, ".wh.file", "text");
}

TEST(whiteouts)
{
    AUTO_DIRS struct place_dirs dirs;
    struct extract_result result;
    struct err err = { 0 };
    struct stat st;
    dirs_open(&dirs);
    if (!is_root())
        return;
    const struct made entries[] = {
        { TAR_DIR, "d" }, { TAR_FILE, "d/.wh.gone" }, { TAR_DIR, "o" }, { TAR_FILE, "o/.wh..wh..opq" }, { TAR_FILE, "o/new", "n" },
        { TAR_FILE, ".wh..wh.plnk" }, { TAR_FILE, "d/kept", "k" }, { TAR_FILE, "d/.wh.kept" }, /* hides what is below it only */
        { TAR_FILE, ".wh.again" }, { TAR_DIR, "again" }, /* removed and made anew */
        { TAR_DIR, "also" }, { TAR_FILE, ".wh.also" },
    };
    CHECK_INT(extract_as_layer(entries, ARRAY_SIZE(entries), dirs.root, &result, &err), 0);
    CHECK_INT(fstatat(dirs.root, "d/gone", &st, AT_SYMLINK_NOFOLLOW), 0);
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    AUTO_FREE char *opaque = strv_join(result.opaque, " ");
    CHECK_STR(opaque, "again also o");
    CHECK(!exists(dirs.root, ".wh..wh.plnk") && !exists(dirs.root, "o/.wh..wh..opq"));
    has_text(dirs.root, "d/kept", "k");
    extract_result_done(&result);
}

TEST(forged_marks_of_overlay) /* I6 */
{
    AUTO_DIRS struct place_dirs dirs;
    struct extract_result result;
    struct err err = { 0 };
    char value[8];
    dirs_open(&dirs);
    if (!is_root())
        return;
    static const char *const forged[] = { "trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "trusted.x" };
    for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
        const struct made entries[] = { { TAR_DIR, "d", .xattr = forged[i] }, { TAR_FILE, "f", "x", .xattr = forged[i] } };
        CHECK_INT(extract_as_layer(entries, 2, dirs.root, &result, &err), 0);
        CHECK(!result.opaque);
        extract_result_done(&result);
        AUTO_FD int fd = openat(dirs.root, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(fgetxattr(fd, forged[i], value, sizeof value) < 0 && (errno == ENODATA || errno == ENOTSUP));
        AUTO_FD int file = openat(dirs.root, "f", O_RDONLY | O_CLOEXEC);
        CHECK(fgetxattr(file, forged[i], value, sizeof value) < 0 && (errno == ENODATA || errno == ENOTSUP));
    }
    const struct made zero[] = { { TAR_CHAR, "z", .major = 0, .minor = 0 }, { TAR_CHAR, "null", .mode = 0666, .major = 1, .minor = 3 } };
    struct stat st;
    CHECK_INT(extract_as_layer(zero, 2, dirs.root, &result, &err), 0);
    CHECK(!exists(dirs.root, "z"));
    CHECK_INT(fstatat(dirs.root, "null", &st, AT_SYMLINK_NOFOLLOW), 0);
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) && (st.st_mode & 07777) == 0666);
    extract_result_done(&result);
}

TEST(later_entries_win)
{
    AUTO_DIRS struct place_dirs dirs;
    struct err err = { 0 };
    dirs_open(&dirs);
    const struct made entries[] = {
        { TAR_DIR, "a" }, { TAR_FILE, "a/x", "1" }, { TAR_FILE, "a", "file now" }, { TAR_FILE, "b", "file" }, { TAR_DIR, "b" },
        { TAR_FILE, "b/y", "2" }, { TAR_FILE, "b/y", "3" }, { TAR_DIR, "c" }, { TAR_FILE, "c/keep", "k" }, { TAR_DIR, "c", .mode = 0700 },
    };
    struct stat st;
    CHECK_INT(extract_plain(entries, ARRAY_SIZE(entries), dirs.root, &err), 0);
    has_text(dirs.root, "a", "file now");
    has_text(dirs.root, "b/y", "3");
    has_text(dirs.root, "c/keep", "k");
    CHECK_INT(fstatat(dirs.root, "c", &st, 0), 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK_INT(st.st_mtim.tv_sec, 1700000000); /* also though files were made in it */
}

TEST(no_overwrite_of_directories)
{
    AUTO_DIRS struct place_dirs dirs;
    struct extract_result result;
    dirs_open(&dirs);
    struct err err = { 0 };
    const struct extract_options options = { .no_overwrite_dir_non_dir = true, .dest_name = "/p" };
    const struct made there[] = { { TAR_DIR, "dir" }, { TAR_FILE, "file", "x" } };
    CHECK_INT(extract_plain(there, 2, dirs.root, &err), 0);
    const struct made file[] = { { TAR_FILE, "dir", "x" } };
    CHECK_INT(extract_with(file, 1, dirs.root, &options, &result, &err), -1);
    CHECK_STR(err.text, "cannot overwrite directory \"dir\" with non-directory \"/p\"");
    const struct made dir[] = { { TAR_DIR, "./file" } };
    CHECK_INT(extract_with(dir, 1, dirs.root, &options, &result, &err), -1);
    CHECK_STR(err.text, "cannot overwrite non-directory \"file\" with directory \"/p\"");
    const struct made fine[] = { { TAR_DIR, "dir" }, { TAR_FILE, "file", "y" } };
    CHECK_INT(extract_with(fine, 2, dirs.root, &options, &result, &err), 0);
    has_text(dirs.root, "file", "y");
}

TESTS(T(names_that_lead_out), T(links_that_lead_out), T(hard_links_that_lead_out), T(whiteout_tricks), T(whiteouts),
      T(forged_marks_of_overlay), T(later_entries_win), T(no_overwrite_of_directories))
