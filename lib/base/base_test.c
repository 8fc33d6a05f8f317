#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(errors_chain)
{
    struct err err = { 0 };
    CHECK_INT(err_sys(&err, ENOSPC, "create directory"), -1);
    err_wrap(&err, "start container %s", "3f9c");
    CHECK_STR(err.text, "start container 3f9c: create directory: no space left on device");
    CHECK_INT(err.kind, ERR_INTERNAL);
    CHECK_INT(err.sys_errno, ENOSPC);
}

TEST(numbers)
{
    int64_t value = 0;
    bool flag = false;
    CHECK_INT(str_to_i64("-12", &value), 0);
    CHECK_INT(value, -12);
    CHECK_INT(str_to_i64("12x", &value), -EINVAL);
    CHECK_INT(str_to_i64("99999999999999999999", &value), -ERANGE);
    CHECK_INT(str_to_bytes("64m", &value), 0);
    CHECK_INT(value, 64 << 20);
    CHECK_INT(str_to_bytes("1.5g", &value), 0);
    CHECK_INT(value, 1610612736);
    CHECK_INT(str_to_bytes("10kb", &value), 0);
    CHECK_INT(value, 10240);
    CHECK_INT(str_to_bytes("2KiB", &value), 0);
    CHECK_INT(value, 2048);
    CHECK_INT(str_to_bytes("x", &value), -EINVAL);
    CHECK_INT(str_to_bytes("2ki", &value), -EINVAL);
    CHECK_INT(str_to_bytes("-1", &value), -EINVAL);
    double real = 0;
    CHECK_INT(str_to_double("1.5", &real), 0);
    CHECK(real == 1.5);
    CHECK_INT(str_to_double("nan", &real), -EINVAL);
    CHECK_INT(str_to_double("1e999", &real), -ERANGE);
    CHECK_INT(str_to_double("-", &real), -EINVAL);
    CHECK_INT(str_to_bool("True", &flag), 0);
    CHECK(flag);
    CHECK_INT(str_to_bool("yes", &flag), -EINVAL);
}

TEST(utf8)
{
    CHECK(utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    CHECK(!utf8_valid("\xc0\x80", 2));
    CHECK(!utf8_valid("\xed\xa0\x80", 3));
    CHECK(!utf8_valid("\xe2\x82", 2));
}

TEST(lists)
{
    char **list = strv_split("a,,b", ',', false);
    CHECK_INT(strv_length(list), 3);
    CHECK(strv_remove(list, ""));
    AUTO_FREE char *joined = strv_join(list, "-");
    CHECK_STR(joined, "a-b");
    strv_env_set(&list, "P=1");
    strv_env_set(&list, "P=2");
    CHECK_STR(strv_env_get(list, "P"), "2");
    CHECK_INT(strv_length(list), 3);
    strv_free(list);
}

TEST(buffers)
{
    struct buf buf = BUF_INIT(8);
    buf_puts(&buf, "12345678");
    CHECK(!buf_failed(&buf));
    buf_consume(&buf, 6);
    CHECK_STR(buf.data, "78");
    buf_printf(&buf, "%s", "too long for it");
    CHECK(buf_failed(&buf));
    CHECK(buf_take(&buf) == NULL);
    struct buf unused = BUF_INIT(100);
    CHECK(buf_reserve(&unused, 90) != NULL); /* nothing came of it */
    AUTO_FREE char *text = buf_take(&unused);
    CHECK_STR(text, "");
}

TEST(maps)
{
    struct map *map = map_new();
    static int values[1000];
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        map_set(map, key, &values[i]);
    }
    for (int i = 0; i < 1000; i += 2) {
        snprintf(key, sizeof key, "k%d", i);
        CHECK(map_remove(map, key) == &values[i]);
    }
    CHECK_INT(map_count(map), 500);
    CHECK(map_get(map, "k501") == &values[501]);
    CHECK(map_get(map, "k500") == NULL);
    size_t cursor = 0, seen = 0;
    const char *name;
    void *value;
    while (map_next(map, &cursor, &name, &value))
        CHECK(value == &values[2 * seen++ + 1]);
    CHECK_INT(seen, 500);
    map_free(map);
}

TEST(times)
{
    char text[TIME_TEXT_SIZE];
    int64_t ns = 0;
    time_format_rfc3339nano(1700000000120000000LL, text);
    CHECK_STR(text, "2023-11-14T22:13:20.12Z");
    CHECK_INT(time_parse_rfc3339("2023-11-14T23:13:20.12+01:00", &ns), 0);
    CHECK_INT(ns, 1700000000120000000LL);
    CHECK_INT(time_parse_rfc3339("0001-01-01T00:00:00Z", &ns), 0);
    CHECK_INT(ns, 0);
    CHECK_INT(time_parse_docker("1700000000.5", 0, &ns), 0);
    CHECK_INT(ns, 1700000000500000000LL);
    CHECK_INT(time_parse_docker("1m30s", 1700000000000000000LL, &ns), 0);
    CHECK_INT(ns, 1699999910000000000LL);
    CHECK_INT(time_parse_docker("2023-11-14", 0, &ns), 0);
    CHECK_INT(ns, 1699920000000000000LL);
    CHECK_INT(time_parse_docker("soon", 0, &ns), -EINVAL);
    CHECK_INT(time_parse_rfc3339("2023-02-30T00:00:00Z", &ns), -EINVAL);
    CHECK_INT(time_parse_rfc3339("2023-02-28T00:00:00", &ns), -EINVAL);
    CHECK_INT(time_parse_rfc3339("9999-12-31T23:59:59Z", &ns), 0);
    CHECK_INT(ns, INT64_MAX);
    time_format_rfc3339nano(0, text);
    CHECK_STR(text, "0001-01-01T00:00:00Z");
    time_format_rfc3339nano_fixed(1700000000120000000LL, text);
    CHECK_STR(text, "2023-11-14T22:13:20.120000000Z");
    time_format_rfc3339nano(-1, text);
    CHECK_STR(text, "1969-12-31T23:59:59.999999999Z");
    CHECK_INT(time_parse_duration("1h1.5s", &ns), 0);
    CHECK_INT(ns, 3601500000000LL);
}

TEST(clean_paths)
{
    static const char *const cases[][2] = { { "/a/./b/../c/", "/a/c" }, { "/../x", "/x" }, { "", "." }, { "a/..", "." }, { "../a", "../a" }, { "//", "/" } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO_FREE char *clean = path_clean(cases[i][0]);
        CHECK_STR(clean, cases[i][1]);
    }
}

static int make_temp(char *name)
{
    CHECK(mkdtemp(name) != NULL);
    return open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

TEST(links_stay_inside_the_root)
{
    char name[] = "/tmp/holk-root-XXXXXX";
    AUTO_FD int root = make_temp(name);
    const char *base;
    CHECK_INT(symlinkat("/etc", root, "out"), 0);
    AUTO_FD int outside = root_open(root, "out/passwd", O_RDONLY, 0);
    CHECK_INT(outside, -ENOENT);
    AUTO_FD int refused = root_mkdirs(root, "out/made", 0755); /* "out" leads to <root>/etc, which is not there */
    CHECK_INT(refused, -ENOENT);
    AUTO_FD int made = root_mkdirs_behind_links(root, "out/made", 0755);
    CHECK(made >= 0);
    CHECK(access("/etc/made", F_OK) < 0);
    CHECK_INT(faccessat(root, "etc/made", F_OK, 0), 0);
    CHECK_INT(symlinkat("../../far/../away/./b", root, "etc/rel"), 0);
    AUTO_FD int away = root_mkdirs_behind_links(root, "etc/rel/c", 0755);
    CHECK(away >= 0);
    CHECK_INT(faccessat(root, "away/b/c", F_OK, 0), 0);
    CHECK_INT(symlinkat("loop/x", root, "loop"), 0);
    CHECK_INT(root_mkdirs_behind_links(root, "loop/y", 0755), -ELOOP);
    AUTO_FD int deep = root_mkdirs(root, "/x/y/z", 0755);
    CHECK(deep >= 0);
    AUTO_FD int parent = root_open_parent(root, "x/y/file", false, &base);
    CHECK(parent >= 0);
    CHECK_STR(base, "file");
    CHECK_INT(root_open_parent(root, "x/y/..", false, &base), -EINVAL);
    CHECK_INT(root_open_parent(root, "x/link/", false, &base), -EINVAL);
    CHECK_INT(symlinkat("../../../../../../etc", root, "x/up"), 0);
    CHECK_INT(root_open(root, "x/up/passwd", O_RDONLY, 0), -ENOENT);
    CHECK_INT(root_open(root, "x/../../../etc/passwd", O_RDONLY, 0), -ENOENT);
    CHECK_INT(symlinkat("/proc/self/root", root, "x/magic"), 0);
    CHECK(root_open(root, "x/magic/etc/passwd", O_RDONLY, 0) < 0);
    AUTO_FD int beneath = root_open_beneath(root, "out/passwd", O_RDONLY, 0);
    CHECK_INT(beneath, -EXDEV);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, name), 0);
    CHECK(access(name, F_OK) < 0);
    CHECK(access("/etc/passwd", F_OK) == 0);
}

TEST(deep_trees_are_removed)
{
    char name[] = "/tmp/holk-deep-XXXXXX";
    AUTO_FD int at = make_temp(name);
    for (int i = 0; i < 3000; i++) {
        CHECK(mkdirat(at, "d", 0755) == 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd_close(at);
        at = next;
    }
    unsigned long long bytes, entries;
    CHECK_INT(path_disk_usage_at(AT_FDCWD, name, &bytes, &entries), 0);
    CHECK_INT(entries, 3001);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, name), 0);
    CHECK(access(name, F_OK) < 0);
}

TEST(files_are_replaced_whole)
{
    char name[] = "/tmp/holk-file-XXXXXX";
    AUTO_FD int dir = make_temp(name);
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    CHECK_INT(io_replace_file_at(dir, "f", "one", 3, 0600, false), 0);
    CHECK_INT(io_replace_file_at(dir, "f", "two!", 4, 0644, true), 0);
    CHECK_INT(io_read_file_at(dir, "f", 100, &text, &length), 0);
    CHECK_STR(text, "two!");
    CHECK_INT(length, 4);
    CHECK_INT(path_remove_tree_at(AT_FDCWD, name), 0);
}

TEST(utf8_is_put)
{
    AUTO_BUF struct buf text = BUF_INIT(100);
    static const uint32_t codes[] = { 0x41, 0x7f, 0xe4, 0x7ff, 0x20ac, 0xffff, 0x1f600, 0x10ffff };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        buf_put_utf8(&text, codes[i]);
    CHECK_STR(text.data, "A\x7f\xc3\xa4\xdf\xbf\xe2\x82\xac\xef\xbf\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
    CHECK(utf8_valid(text.data, text.length));
}

TESTS(T(utf8_is_put), T(errors_chain), T(numbers), T(utf8), T(lists), T(buffers), T(maps), T(times), T(clean_paths), T(links_stay_inside_the_root),
      T(deep_trees_are_removed), T(files_are_replaced_whole))
