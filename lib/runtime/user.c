/* Users and groups of an image by our own parser: no NSS module of the image or of the host is ever loaded. Rules and words are those
 * that Docker's clients know. */
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ID_MAX 2147483647u
#define FIELD_MAX 256
#define FILE_MAX ((size_t)8 << 20)

struct field {
    const char *text;
    size_t length;
};

/* Cuts the next piece off *rest at the separator; false at the end. */
static bool next_piece(struct field *rest, char separator, struct field *ret)
{
    if (!rest->text)
        return false;
    const char *end = memchr(rest->text, separator, rest->length);
    size_t length = end ? (size_t)(end - rest->text) : rest->length;
    *ret = (struct field){ rest->text, length };
    rest->length -= end ? length + 1 : length;
    rest->text = end ? end + 1 : NULL;
    return true;
}

static bool field_is(const struct field *field, const char *text)
{
    return strlen(text) == field->length && memcmp(field->text, text, field->length) == 0;
}

static int field_number(const struct field *field, uint64_t *ret)
{
    char text[24];
    if (field->length >= sizeof text)
        return -EINVAL;
    memcpy(text, field->text, field->length);
    text[field->length] = '\0';
    return str_to_u64(text, ret);
}

/* Fields of one line; absent ones are empty. False for an empty line. */
static bool split_line(struct field line, struct field *fields, size_t count)
{
    while (line.length && strchr(" \t\r", line.text[line.length - 1]))
        line.length--;
    if (line.length == 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!next_piece(&line, ':', &fields[i]))
            fields[i] = (struct field){ "", 0 };
    return true;
}

enum { PW_NAME, PW_PASSWORD, PW_UID, PW_GID, PW_GECOS, PW_HOME, PW_FIELDS };
enum { GR_NAME, GR_PASSWORD, GR_GID, GR_MEMBERS, GR_FIELDS };

static int id_of(const char *text, uint64_t *ret, bool *ret_numeric, struct err *err)
{
    *ret_numeric = str_to_u64(text, ret) == 0;
    bool looks_numeric = *text && strspn(text + (*text == '-'), "0123456789") == strlen(text + (*text == '-'));
    if ((*ret_numeric && *ret > ID_MAX) || (!*ret_numeric && looks_numeric && text[1 - (*text != '-')]))
        return err_set(err, ERR_INVALID, "uids and gids must be in range 0-2147483647");
    return 0;
}

static bool find_passwd(const char *passwd, const char *name, bool numeric, uint64_t uid, struct field *ret)
{
    struct field rest = { passwd, passwd ? strlen(passwd) : 0 }, line;
    while (next_piece(&rest, '\n', &line)) {
        uint64_t line_uid;
        if (!split_line(line, ret, PW_FIELDS) || field_number(&ret[PW_UID], &line_uid) < 0)
            continue;
        if (field_is(&ret[PW_NAME], name) || (numeric && line_uid == uid))
            return true;
    }
    return false;
}

static bool find_group(const char *group, const char *name, bool numeric, uint64_t gid, uint64_t *ret_gid)
{
    struct field rest = { group, group ? strlen(group) : 0 }, line, fields[GR_FIELDS];
    while (next_piece(&rest, '\n', &line)) {
        if (!split_line(line, fields, GR_FIELDS) || field_number(&fields[GR_GID], ret_gid) < 0 || *ret_gid > ID_MAX)
            continue;
        if (field_is(&fields[GR_NAME], name) || (numeric && *ret_gid == gid))
            return true;
    }
    return false;
}

static void add_group(struct user *user, gid_t gid)
{
    for (size_t i = 0; i < user->group_count; i++)
        if (user->groups[i] == gid)
            return;
    if (user->group_count < USER_GROUPS_MAX)
        user->groups[user->group_count++] = gid;
}

static void add_memberships(struct user *user, const char *group, const struct field *name)
{
    struct field rest = { group, group ? strlen(group) : 0 }, line, fields[GR_FIELDS], member;
    while (next_piece(&rest, '\n', &line)) {
        uint64_t gid;
        if (!split_line(line, fields, GR_FIELDS) || field_number(&fields[GR_GID], &gid) < 0 || gid > ID_MAX)
            continue;
        while (next_piece(&fields[GR_MEMBERS], ',', &member))
            if (member.length == name->length && memcmp(member.text, name->text, name->length) == 0)
                add_group(user, (gid_t)gid);
    }
}

static int resolve_uid(const char *name, const char *passwd, struct user *ret, struct field *fields, bool *ret_found,
                       struct err *err)
{
    uint64_t uid = 0, gid = 0;
    bool numeric;
    if (id_of(name, &uid, &numeric, err) < 0)
        return -1;
    if (!*name) {
        numeric = true;
        uid = 0;
    }
    *ret_found = find_passwd(passwd, name, numeric, uid, fields);
    if (!*ret_found && !numeric)
        return err_set(err, ERR_INVALID, "unable to find user %s: no matching entries in passwd file", name);
    if (*ret_found) {
        (void)field_number(&fields[PW_UID], &uid);
        if (field_number(&fields[PW_GID], &gid) < 0)
            gid = 0;
        size_t length = MIN(fields[PW_HOME].length, sizeof ret->home - 1);
        memcpy(ret->home, fields[PW_HOME].text, length);
        ret->home[length] = '\0';
    }
    if (uid > ID_MAX || gid > ID_MAX)
        return err_set(err, ERR_INVALID, "uids and gids must be in range 0-2147483647");
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    return 0;
}

static int resolve_gid(const char *name, const char *group, gid_t *ret, struct err *err)
{
    uint64_t gid = 0, found;
    bool numeric;
    if (id_of(name, &gid, &numeric, err) < 0)
        return -1;
    if (find_group(group, name, numeric, gid, &found))
        gid = found;
    else if (!numeric)
        return err_set(err, ERR_INVALID, "unable to find group %s: no matching entries in group file", name);
    *ret = (gid_t)gid;
    return 0;
}

int user_resolve(const char *spec, const char *const *group_add, const char *passwd, const char *group, struct user *ret,
                 struct err *err)
{
    char name[FIELD_MAX], *group_name;
    if (!str_copy(name, sizeof name, spec ? spec : ""))
        return err_set(err, ERR_INVALID, "user name is too long");
    group_name = strchr(name, ':');
    if (group_name)
        *group_name++ = '\0';
    struct user user = { .home = "" };
    struct field fields[PW_FIELDS];
    bool found;
    if (resolve_uid(name, passwd, &user, fields, &found, err) < 0)
        return -1;
    bool explicit_group = group_name && *group_name;
    if (explicit_group && resolve_gid(group_name, group, &user.gid, err) < 0)
        return -1;
    add_group(&user, user.gid); /* the group itself counts among the supplementary ones, so that dropping it cannot help */
    if (found && !explicit_group)
        add_memberships(&user, group, &fields[PW_NAME]);
    for (size_t i = 0; group_add && group_add[i]; i++) {
        gid_t gid;
        if (resolve_gid(group_add[i], group, &gid, err) < 0)
            return -1;
        add_group(&user, gid);
    }
    if (!user.home[0])
        str_copy(user.home, sizeof user.home, "/");
    *ret = user;
    return 0;
}

/* Only a regular file counts: a FIFO would hang us, a device could do worse. */
static char *read_regular(int root_fd, const char *path)
{
    AUTO_FD int path_fd = root_open(root_fd, path, O_PATH, 0);
    struct stat st;
    if (path_fd < 0 || fstat(path_fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    AUTO_FD int fd = root_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    char *text = NULL;
    size_t length;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || io_read_fd(fd, FILE_MAX, &text, &length) < 0)
        return NULL;
    return text;
}

static bool plain_numbers(const char *spec, const char *const *group_add)
{
    return spec && *spec && strspn(spec, "0123456789:") == strlen(spec) && strchr(spec, ':') && !(group_add && group_add[0]);
}

int user_lookup(int root_fd, const char *spec, const char *const *group_add, struct user *ret, struct err *err)
{
    AUTO_FREE char *passwd = read_regular(root_fd, "/etc/passwd");
    AUTO_FREE char *group = plain_numbers(spec, group_add) ? NULL : read_regular(root_fd, "/etc/group");
    return user_resolve(spec, group_add, passwd, group, ret, err);
}
