/* RUN --mount=type=bind,target=/x,... : one table of options. */
#include "builder/stage.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#include <strings.h>

static const char *const mount_types[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
static const char *const sharings[] = { "shared", "private", "locked" };

/* The fields of a line of comma-separated values; a field in quotes may hold commas. */
static char **fields_of(const char *text)
{
    char **list = NULL;
    for (;;) {
        AUTO_BUF struct buf field = BUF_INIT(DOCKERFILE_BYTES_MAX);
        bool quoted = *text == '"';
        text += quoted;
        while (*text && (quoted || *text != ',')) {
            if (quoted && *text == '"' && text[1] != '"') {
                quoted = false;
                text++;
                continue;
            }
            text += quoted && *text == '"';
            buf_putc(&field, *text++);
        }
        strv_append(&list, field.data ? field.data : "");
        if (!*text)
            return list;
        text++;
    }
}

char *mount_from(const char *text)
{
    CLEANUP(strv_free) char **fields = fields_of(text);
    for (char **field = fields; *field; field++)
        if (strncasecmp(*field, "from=", 5) == 0)
            return xstrdup(*field + 5);
    return NULL;
}

void mount_clear(struct step_mount *mount)
{
    free(mount->from);
    free(mount->source_path);
    free(mount->target);
    free(mount->id);
    free(mount->env);
    *mount = (struct step_mount){ 0 };
}

struct option {
    struct step_mount *mount;
    const char *key, *value;
};
typedef int (*option_fn)(const struct option *option, struct err *err);
struct option_row {
    const char *name;
    option_fn set;
    unsigned types; /* bits of enum mount_kind where it may stand */
    bool flag;      /* may stand without a value */
    bool of_file;   /* says how a file looks: another complaint where it may not stand */
};
#define ONLY(kind) (1U << (kind))
#define ALL_TYPES 0x1fU
#define FILE_TYPES (ONLY(MOUNT_CACHE) | ONLY(MOUNT_SECRET) | ONLY(MOUNT_SSH))

static void set_text(char **slot, const char *value)
{
    free(*slot);
    *slot = xstrdup(value);
}

static int set_type(const struct option *option, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(mount_types); i++)
        if (strcasecmp(mount_types[i], option->value) == 0) {
            option->mount->kind = (enum mount_kind)i;
            return 0;
        }
    const char *meant = suggest(option->value, mount_types, ARRAY_SIZE(mount_types));
    if (meant)
        return err_set(err, ERR_INVALID, "unsupported mount type \"%s\" (did you mean %s?)", option->value, meant);
    return err_set(err, ERR_INVALID, "unsupported mount type \"%s\"", option->value);
}

static int set_from(const struct option *option, struct err *err)
{
    (void)err;
    set_text(&option->mount->from, option->value);
    return 0;
}

static int set_source(const struct option *option, struct err *err)
{
    (void)err;
    set_text(&option->mount->source_path, option->value);
    return 0;
}

static int set_target(const struct option *option, struct err *err)
{
    (void)err;
    set_text(&option->mount->target, option->value);
    return 0;
}

static int set_id(const struct option *option, struct err *err)
{
    (void)err;
    set_text(&option->mount->id, option->value);
    return 0;
}

static int set_env(const struct option *option, struct err *err)
{
    (void)err;
    set_text(&option->mount->env, option->value);
    return 0;
}

static int read_bool(const struct option *option, bool *ret, struct err *err)
{
    if (!option->value || str_to_bool(option->value, ret) == 0) {
        *ret = option->value ? *ret : true;
        return 0;
    }
    return err_set(err, ERR_INVALID, "invalid value for %s: %s", option->key, option->value);
}

static int set_readonly(const struct option *option, struct err *err)
{
    return read_bool(option, &option->mount->readonly, err);
}

static int set_readwrite(const struct option *option, struct err *err)
{
    bool on;
    if (read_bool(option, &on, err) < 0)
        return -1;
    option->mount->readonly = !on;
    return 0;
}

static int set_required(const struct option *option, struct err *err)
{
    return read_bool(option, &option->mount->required, err);
}

static int set_size(const struct option *option, struct err *err)
{
    if (str_to_bytes(option->value, &option->mount->size) < 0)
        return err_set(err, ERR_INVALID, "invalid value for size: %s", option->value);
    return 0;
}

static int set_sharing(const struct option *option, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(sharings); i++)
        if (strcasecmp(sharings[i], option->value) == 0) {
            option->mount->sharing = (enum mount_sharing)i;
            return 0;
        }
    return err_set(err, ERR_INVALID, "unsupported sharing value \"%s\"", option->value);
}

static int set_number(const struct option *option, int base, int64_t *slot, struct err *err)
{
    uint64_t number;
    if (str_to_u64_base(option->value, base, &number) < 0 || number > UINT32_MAX)
        return err_set(err, ERR_INVALID, "invalid value %s for %s", option->value, option->key);
    *slot = (int64_t)number;
    return 0;
}

static int set_mode(const struct option *option, struct err *err)
{
    return set_number(option, 8, &option->mount->mode, err);
}

static int set_uid(const struct option *option, struct err *err)
{
    return set_number(option, 10, &option->mount->uid, err);
}

static int set_gid(const struct option *option, struct err *err)
{
    return set_number(option, 10, &option->mount->gid, err);
}

static const struct option_row rows[] = {
    { "type", set_type, ALL_TYPES, false },
    { "from", set_from, ALL_TYPES, false },
    { "source", set_source, ALL_TYPES, false },
    { "src", set_source, ALL_TYPES, false },
    { "target", set_target, ALL_TYPES, false },
    { "dst", set_target, ALL_TYPES, false },
    { "destination", set_target, ALL_TYPES, false },
    { "readonly", set_readonly, ALL_TYPES, true },
    { "ro", set_readonly, ALL_TYPES, true },
    { "readwrite", set_readwrite, ALL_TYPES, true },
    { "rw", set_readwrite, ALL_TYPES, true },
    { "required", set_required, ONLY(MOUNT_SECRET) | ONLY(MOUNT_SSH), true },
    { "size", set_size, ONLY(MOUNT_TMPFS), false },
    { "id", set_id, ALL_TYPES, false },
    { "sharing", set_sharing, ONLY(MOUNT_CACHE), false },
    { "mode", set_mode, FILE_TYPES, false, .of_file = true },
    { "uid", set_uid, FILE_TYPES, false, .of_file = true },
    { "gid", set_gid, FILE_TYPES, false, .of_file = true },
    { "env", set_env, ONLY(MOUNT_SECRET), false },
};

static int unknown_key(const char *key, const char *field, struct err *err)
{
    const char *names[ARRAY_SIZE(rows)];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        names[i] = rows[i].name;
    const char *meant = suggest(key, names, ARRAY_SIZE(rows));
    if (meant)
        return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s' (did you mean %s?)", key, field, meant);
    return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, field);
}

static int read_field(struct build_stage *stage, struct step_mount *mount, const char *field, struct err *err)
{
    const char *equals = strchr(field, '=');
    AUTO_FREE char *key = str_lower(equals ? xstrndup(field, (size_t)(equals - field)) : xstrdup(field));
    AUTO_FREE char *value = NULL;
    const struct option_row *row = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(rows) && !row; i++)
        if (str_eq(rows[i].name, key))
            row = &rows[i];
    if (!equals && (!row || !row->flag))
        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
    if (!row)
        return unknown_key(key, field, err);
    if (!(row->types & ONLY(mount->kind)) && row->of_file)
        return err_set(err, ERR_INVALID, "%s not allowed for \"%s\" type mounts", key, mount_types[mount->kind]);
    if (!(row->types & ONLY(mount->kind)))
        return err_set(err, ERR_INVALID, "unexpected key '%s' for mount type '%s'", key, mount_types[mount->kind]);
    if (equals && stage_expand(stage, equals + 1, &value, err) < 0)
        return -1;
    const struct option option = { mount, key, value };
    return row->set(&option, err);
}

static bool says_access(char *const *fields)
{
    for (; *fields; fields++)
        if (strncasecmp(*fields, "readonly", 8) == 0 || strncasecmp(*fields, "readwrite", 9) == 0 ||
            strncasecmp(*fields, "ro", 2) == 0 || strncasecmp(*fields, "rw", 2) == 0)
            return true;
    return false;
}

static int read_fields(struct build_stage *stage, struct step_mount *mount, char *const *fields, struct err *err)
{
    /* the type first: what else may be said depends on it */
    for (char *const *field = fields; *field; field++)
        if (strncasecmp(*field, "type=", 5) == 0 && read_field(stage, mount, *field, err) < 0)
            return -1;
    mount->readonly = mount->kind == MOUNT_BIND && !says_access(fields);
    for (char *const *field = fields; *field; field++)
        if (strncasecmp(*field, "type=", 5) != 0 && read_field(stage, mount, *field, err) < 0)
            return -1;
    return 0;
}

static int secret_defaults(struct step_mount *mount, struct err *err)
{
    if (!mount->id && mount->source_path)
        mount->id = xstrdup(mount->source_path);
    if (!mount->id && mount->target)
        mount->id = xstrdup(path_base(mount->target));
    if (!mount->id)
        return err_set(err, ERR_INVALID, "invalid secret mount. one of source, target required");
    if (!mount->target)
        mount->target = str_format("/run/secrets/%s", path_base(mount->id));
    return 0;
}

static int tree_defaults(struct build_stage *stage, struct step_mount *mount, struct err *err)
{
    AUTO_FREE char *written = mount->target;
    AUTO_FREE char *joined = stage_path(stage, str_empty(written) ? "/" : written);
    mount->target = path_clean(joined);
    if (str_eq(mount->target, "/"))
        return err_set(err, ERR_INVALID, "invalid mount target \"/\"");
    if (mount->kind == MOUNT_CACHE && !mount->id)
        mount->id = xstrdup(mount->target);
    mount->source.kind = mount->kind == MOUNT_BIND ? SOURCE_CONTEXT : SOURCE_NOTHING;
    return str_empty(mount->from) ? 0 : graph_source(stage, mount->from, &mount->source, err);
}

int mount_parse(struct build_stage *stage, const char *text, struct step_mount *ret, struct err *err)
{
    CLEANUP(strv_free) char **fields = fields_of(text);
    ret->mode = -1;
    if (read_fields(stage, ret, fields, err) < 0)
        return -1;
    if (ret->kind == MOUNT_SECRET)
        return secret_defaults(ret, err);
    if (ret->kind == MOUNT_SSH) {
        if (!ret->id)
            ret->id = xstrdup("default");
        return 0;
    }
    return tree_defaults(stage, ret, err);
}
