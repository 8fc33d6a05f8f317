/* --volume, --mount and --tmpfs. */
#include "cli/create_options.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <limits.h>
#include <unistd.h>

static char *absolute(const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return path_clean(path);
    AUTO_FREE char *joined = path_join(here, path);
    return path_clean(joined);
}

/* ---- --volume ---- */

/* "./x:/y" is made absolute; the daemon judges everything else. */
static int put_volume(struct container_create_request *request, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    if (!*text)
        return err_set(err, ERR_INVALID, "invalid empty volume spec");
    if (!colon) {
        if (!strv_contains(request->config.volumes, text))
            strv_append(&request->config.volumes, text);
        return 0;
    }
    if (colon == text || str_ends(text, ":") || strstr(text, "::"))
        return err_set(err, ERR_INVALID, "invalid spec: %s: empty section between colons", text);
    if (text[0] == '.') {
        AUTO_FREE char *source = xstrndup(text, (size_t)(colon - text));
        AUTO_FREE char *full = absolute(source);
        strv_append_take(&request->host_config->binds, str_format("%s%s", full, colon));
    } else if (!strv_contains(request->host_config->binds, text)) {
        strv_append(&request->host_config->binds, text);
    }
    return 0;
}

/* ---- --mount ---- */

static int mount_bool(const char *key, const char *value, bool *ret, struct err *err)
{
    if (!value) {
        *ret = true;
        return 0;
    }
    if (str_to_bool(value, ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value for %s: %s", key, value);
    return 0;
}

#define PART(slot)                             \
    ({                                         \
        if (!(slot))                           \
            (slot) = xcalloc(1, sizeof *(slot)); \
        (slot);                                \
    })

static char *replace(char **slot, const char *text)
{
    free(*slot);
    return *slot = xstrdup(text);
}

static void put_pair(struct str_map *map, const char *text)
{
    size_t length = strcspn(text, "=");
    AUTO_FREE char *key = xstrndup(text, length);
    str_map_set(map, key, text[length] ? text + length + 1 : "");
}

static int set_bind_recursive(struct mount *mount, const char *value, struct err *err)
{
    if (str_eq(value, "enabled"))
        return 0;
    if (str_eq(value, "disabled")) {
        PART(mount->bind_options)->non_recursive = true;
        return 0;
    }
    if (str_eq(value, "writable"))
        PART(mount->bind_options)->read_only_non_recursive = true;
    else if (str_eq(value, "readonly"))
        PART(mount->bind_options)->read_only_force_recursive = true;
    else
        return err_set(err, ERR_INVALID,
                       "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")", value);
    return 0;
}

static int set_tmpfs(struct mount *mount, const char *key, const char *value, struct err *err)
{
    struct tmpfs_options *options = PART(mount->tmpfs_options);
    uint64_t mode;
    if (str_eq(key, "tmpfs-size")) {
        if (str_to_bytes(value, &options->size_bytes) < 0)
            return err_set(err, ERR_INVALID, "invalid value for %s: %s", key, value);
        return 0;
    }
    if (str_to_u64_base(value, 8, &mode) < 0 || mode > UINT32_MAX)
        return err_set(err, ERR_INVALID, "invalid value for %s: %s", key, value);
    options->mode = (int64_t)mode;
    return 0;
}

/* Keys that may stand without a value. 1: was one. */
static int set_flag_key(struct mount *mount, const char *key, const char *value, struct err *err)
{
    if (str_eq(key, "readonly") || str_eq(key, "ro"))
        return mount_bool(key, value, &mount->read_only, err) < 0 ? -1 : 1;
    if (str_eq(key, "volume-nocopy"))
        return mount_bool(key, value, &PART(mount->volume_options)->no_copy, err) < 0 ? -1 : 1;
    if (str_eq(key, "bind-nonrecursive"))
        return mount_bool(key, value, &PART(mount->bind_options)->non_recursive, err) < 0 ? -1 : 1;
    return 0;
}

static int set_key(struct mount *mount, const char *key, const char *value, const char *field, struct err *err)
{
    if (str_eq(key, "type"))
        str_lower(replace(&mount->type, value));
    else if (str_eq(key, "source") || str_eq(key, "src"))
        replace(&mount->source, value);
    else if (str_eq(key, "target") || str_eq(key, "dst") || str_eq(key, "destination"))
        replace(&mount->target, value);
    else if (str_eq(key, "consistency"))
        replace(&mount->consistency, value);
    else if (str_eq(key, "bind-propagation"))
        replace(&PART(mount->bind_options)->propagation, value);
    else if (str_eq(key, "bind-recursive"))
        return set_bind_recursive(mount, value, err);
    else if (str_eq(key, "volume-subpath"))
        replace(&PART(mount->volume_options)->subpath, value);
    else if (str_eq(key, "volume-label"))
        put_pair(&PART(mount->volume_options)->labels, value);
    else if (str_eq(key, "volume-driver"))
        replace(&PART(PART(mount->volume_options)->driver_config)->name, value);
    else if (str_eq(key, "volume-opt"))
        put_pair(&PART(PART(mount->volume_options)->driver_config)->options, value);
    else if (str_eq(key, "image-subpath"))
        replace(&PART(mount->image_options)->subpath, value);
    else if (str_eq(key, "tmpfs-size") || str_eq(key, "tmpfs-mode"))
        return set_tmpfs(mount, key, value, err);
    else
        return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
    return 0;
}

static int set_field(struct mount *mount, const char *field, struct err *err)
{
    AUTO_FREE char *key = xstrdup(field);
    char *value = strchr(key, '=');
    if (value)
        *value++ = 0;
    str_lower(key);
    int was_flag = set_flag_key(mount, key, value, err);
    if (was_flag)
        return was_flag < 0 ? -1 : 0;
    if (!value)
        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
    return set_key(mount, key, value, field, err);
}

/* The rules that need the whole mount. */
static int check_whole(struct mount *mount, struct err *err)
{
    if (!*mount->type)
        return err_set(err, ERR_INVALID, "type is required");
    if (str_empty(mount->target))
        return err_set(err, ERR_INVALID, "target is required");
    if (mount->volume_options && !str_eq(mount->type, "volume"))
        return err_set(err, ERR_INVALID, "cannot mix 'volume-*' options with mount type '%s'", mount->type);
    if (mount->image_options && !str_eq(mount->type, "image"))
        return err_set(err, ERR_INVALID, "cannot mix 'image-*' options with mount type '%s'", mount->type);
    if (mount->bind_options && !str_eq(mount->type, "bind"))
        return err_set(err, ERR_INVALID, "cannot mix 'bind-*' options with mount type '%s'", mount->type);
    if (mount->tmpfs_options && !str_eq(mount->type, "tmpfs"))
        return err_set(err, ERR_INVALID, "cannot mix 'tmpfs-*' options with mount type '%s'", mount->type);
    const struct bind_options *bind = mount->bind_options;
    if (bind && bind->read_only_non_recursive && !mount->read_only)
        return err_set(err, ERR_INVALID, "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
    if (bind && bind->read_only_force_recursive && !mount->read_only)
        return err_set(err, ERR_INVALID, "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    if (bind && bind->read_only_force_recursive && !str_eq(bind->propagation, "rprivate"))
        return err_set(err, ERR_INVALID,
                       "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction");
    return 0;
}

static int mount_parse(const char *text, struct mount *ret, struct err *err)
{
    CLEANUP(strv_free) char **fields = NULL;
    if (csv_split(text, &fields, err) < 0)
        return -1;
    *ret = (struct mount){ .type = xstrdup("volume") };
    for (char **field = fields; *field; field++) {
        if (set_field(ret, *field, err) < 0)
            return -1;
    }
    return check_whole(ret, err);
}

int check_mount(const char *value, char **ret_value, struct err *err)
{
    struct mount mount = { 0 };
    (void)ret_value;
    int ret = mount_parse(value, &mount, err);
    codec_clear(&mount_type, &mount);
    return ret;
}

static int put_mount(struct host_config *host, const char *text, struct err *err)
{
    struct mount *mount = list_add(&host->mounts);
    if (mount_parse(text, mount, err) < 0)
        return -1;
    if (str_eq(mount->type, "bind") && mount->source && mount->source[0] == '.') {
        char *full = absolute(mount->source);
        free(mount->source);
        mount->source = full;
    }
    return 0;
}

int create_put_mounts(const struct create_options *options, struct container_create_request *request, struct err *err)
{
    struct host_config *host = request->host_config;
    for (char **text = options->volume; text && *text; text++) {
        if (put_volume(request, *text, err) < 0)
            return -1;
    }
    for (char **text = options->mount; text && *text; text++) {
        if (put_mount(host, *text, err) < 0)
            return -1;
    }
    for (char **text = options->tmpfs; text && *text; text++) {
        size_t length = strcspn(*text, ":");
        AUTO_FREE char *path = xstrndup(*text, length);
        str_map_set(&host->tmpfs, path, (*text)[length] ? *text + length + 1 : "");
    }
    host->volumes_from = strv_dup(options->volumes_from);
    host->volume_driver = xstrdup(options->volume_driver);
    return 0;
}
