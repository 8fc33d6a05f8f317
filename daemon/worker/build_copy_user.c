#include "daemon/worker/build_copy.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>

#define ACCOUNTS_MAX ((size_t)16 << 20)
#define ID_MAX 2147483647ULL

struct account {
    bool found;
    uint64_t id, group; /* group: of passwd lines */
};

static int read_accounts(struct view *root, const char *path, char **ret, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    size_t length;
    *ret = NULL;
    if (view_resolve(root, path, true, &at, err) < 0)
        return -1;
    if (view_at_is_dir(&at) || !view_at_found(&at))
        return 0;
    AUTO_FD int fd = view_open(root, &at, err);
    if (fd < 0)
        return -1;
    int r = io_read_fd(fd, ACCOUNTS_MAX, ret, &length);
    return r < 0 ? err_sys(err, r, "read %s", path) : 0;
}

/* "name:x:id:group:..." */
static void find_account(const char *text, const char *name, bool has_group, struct account *ret)
{
    CLEANUP(strv_free) char **lines = strv_split(text, '\n', true);
    for (size_t i = 0; lines[i] && !ret->found; i++) {
        CLEANUP(strv_free) char **fields = strv_split(str_trim(lines[i]), ':', false);
        if (!str_eq(fields[0], name) || strv_length(fields) < (has_group ? 4U : 3U))
            continue;
        ret->found = str_to_u64(fields[2], &ret->id) == 0 && ret->id <= ID_MAX;
        if (has_group && (str_to_u64(fields[3], &ret->group) < 0 || ret->group > ID_MAX))
            ret->found = false;
    }
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* A name that no line has is root's, as with BuildKit; an image that has nothing at all cannot know a name. */
static int look_up(struct view *root, const char *name, const char *file, bool has_group, struct account *ret, struct err *err)
{
    AUTO_FREE char *text = NULL;
    *ret = (struct account){ 0 };
    if (is_number(name)) {
        if (str_to_u64(name, &ret->id) < 0 || ret->id > ID_MAX)
            return err_set(err, ERR_INVALID, "uids and gids must be in range 0-%llu", ID_MAX);
        ret->group = ret->id;
        return 0;
    }
    if (root->root.lower_fd < 0)
        return err_set(err, ERR_INVALID, "invalid %s index: -1", has_group ? "user" : "group");
    if (read_accounts(root, file, &text, err) < 0)
        return -1;
    if (text)
        find_account(text, name, has_group, ret);
    if (!ret->found)
        ret->id = ret->group = 0;
    return 0;
}

int copy_owner(struct view *root, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
    struct account user = { 0 }, group = { 0 };
    const char *colon = text ? strchr(text, ':') : NULL;
    AUTO_FREE char *name = xstrndup(text ? text : "", colon ? (size_t)(colon - text) : strlen(text ? text : ""));
    bool has_group = colon && colon[1];
    if (*name && look_up(root, name, "/etc/passwd", true, &user, err) < 0)
        return -1;
    if (has_group && look_up(root, colon + 1, "/etc/group", false, &group, err) < 0)
        return -1;
    *ret_uid = (uid_t)user.id;
    *ret_gid = (gid_t)(has_group ? group.id : user.group);
    return 0;
}
