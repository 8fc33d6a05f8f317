#include "daemon/worker/user_lookup.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)1 << 20)
#define ID_MAX 2147483647u

/* NULL when there is none that could be read: then only numbers are known. */
static char *read_table(int root_fd, const char *path)
{
    char *text = NULL;
    size_t length;
    struct stat st;
    AUTO_FD int fd = root_open(root_fd, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || io_read_fd(fd, FILE_MAX, &text, &length) < 0)
        return NULL;
    return text;
}

/* 1 a number, 0 a name, -1 */
static int number_of(const char *text, uint64_t *ret, struct err *err)
{
    if (str_to_u64(text, ret) < 0)
        return str_to_u64(text + (*text == '-'), ret) == 0 ? err_set(err, ERR_INVALID, "uids and gids must be in range 0-2147483647") : 0;
    return *ret > ID_MAX ? err_set(err, ERR_INVALID, "uids and gids must be in range 0-2147483647") : 1;
}

/* The line "name:x:id:..." that the text means, split into fields; NULL when there is none. */
static char **find_line(const char *table, const char *text, bool numeric, uint64_t number)
{
    CLEANUP(strv_free) char **lines = strv_split(table ? table : "", '\n', true);
    for (char **line = lines; *line; line++) {
        char **fields = strv_split(str_trim(*line), ':', false);
        uint64_t id;
        if (strv_length(fields) >= 3 && str_to_u64(fields[2], &id) == 0 && id <= ID_MAX &&
            (str_eq(fields[0], text) || (numeric && id == number)))
            return fields;
        strv_free(fields);
    }
    return NULL;
}

static int find_user(int root_fd, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
    uint64_t number = 0, group = 0;
    AUTO_FREE char *table = read_table(root_fd, "/etc/passwd");
    int numeric = number_of(text, &number, err);
    if (numeric < 0)
        return -1;
    CLEANUP(strv_free) char **fields = find_line(table, text, numeric, number);
    if (!fields && !numeric)
        return err_set(err, ERR_INVALID, "unable to find user %s: no matching entries in passwd file", text);
    if (fields && strv_length(fields) > 3 && str_to_u64(fields[3], &group) == 0 && group <= ID_MAX)
        *ret_gid = (gid_t)group;
    if (fields)
        (void)str_to_u64(fields[2], &number);
    *ret_uid = (uid_t)number;
    return 0;
}

static int find_group(int root_fd, const char *text, gid_t *ret_gid, struct err *err)
{
    uint64_t number = 0;
    AUTO_FREE char *table = read_table(root_fd, "/etc/group");
    int numeric = number_of(text, &number, err);
    if (numeric < 0)
        return -1;
    CLEANUP(strv_free) char **fields = find_line(table, text, numeric, number);
    if (!fields && !numeric)
        return err_set(err, ERR_INVALID, "unable to find group %s: no matching entries in group file", text);
    if (fields)
        (void)str_to_u64(fields[2], &number);
    *ret_gid = (gid_t)number;
    return 0;
}

int user_lookup(int root_fd, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
    const char *colon = strchr(text, ':');
    AUTO_FREE char *user = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    uid_t uid = 0;
    gid_t gid = 0;
    if (*user && find_user(root_fd, user, &uid, &gid, err) < 0)
        return -1;
    if (colon && colon[1] && find_group(root_fd, colon + 1, &gid, err) < 0)
        return -1;
    *ret_uid = uid;
    *ret_gid = gid;
    return 0;
}
