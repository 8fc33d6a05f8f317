/* Build arguments: the platform's names, those before the first FROM, those of the command line. */
#include "builder/stage.h"
#include "lib/base/str.h"

#include <strings.h>

static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY" };

bool args_is_proxy(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
        if (strcasecmp(proxies[i], name) == 0)
            return true;
    return false;
}

const char *args_given(struct builder *builder, const char *name)
{
    if (!strv_contains(builder->consumed, name))
        strv_append(&builder->consumed, name);
    return str_map_get(&builder->params->build_args, name);
}

static void set_global(struct builder *builder, const char *name, const char *value)
{
    AUTO_FREE char *assignment = str_format("%s=%s", name, value);
    strv_env_set(&builder->global_args, assignment);
}

static void set_platform(struct builder *builder, const char *prefix, const struct platform *platform)
{
    char text[160];
    platform_format(platform, text, sizeof text);
    const struct {
        const char *suffix, *value;
    } parts[] = {
        { "PLATFORM", text },       { "OS", platform->os },           { "OSVERSION", platform->os_version },
        { "ARCH", platform->arch }, { "VARIANT", platform->variant },
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO_FREE char *name = str_format("%s%s", prefix, parts[i].suffix);
        const char *given = str_map_get(&builder->params->build_args, name);
        set_global(builder, name, given ? given : parts[i].value);
    }
}

static int set_written(struct builder *builder, const struct instruction *insn, struct err *err)
{
    struct expand_scope scope = { expand_env_get, &builder->global_args, builder->file.escape, false };
    for (char **arg = insn->args; *arg; arg++) {
        const char *equals = strchr(*arg, '=');
        AUTO_FREE char *name = equals ? xstrndup(*arg, (size_t)(equals - *arg)) : xstrdup(*arg);
        AUTO_FREE char *value = xstrdup(args_given(builder, name));
        if (!value && equals && expand_word(&scope, equals + 1, &value, err) < 0)
            return -1;
        if (value)
            set_global(builder, name, value);
    }
    return 0;
}

int args_global(struct builder *builder, struct err *err)
{
    set_platform(builder, "BUILD", &builder->host);
    set_platform(builder, "TARGET", &builder->platform);
    set_global(builder, "TARGETSTAGE", str_empty(builder->params->target) ? "default" : builder->params->target);
    for (size_t i = 0; i < builder->file.count; i++) {
        const struct instruction *insn = &builder->file.instructions[i];
        if (!str_eq(insn->kind->name, "ARG"))
            return 0;
        if (set_written(builder, insn, err) < 0)
            return -1;
    }
    return 0;
}

char **args_proxies(const struct builder *builder)
{
    char **list = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(proxies); i++) {
        AUTO_FREE char *low = str_lower(xstrdup(proxies[i]));
        const char *value = str_map_get(&builder->params->build_args, proxies[i]);
        if (!value)
            value = str_map_get(&builder->params->build_args, low);
        if (!value)
            continue;
        strv_append_take(&list, str_format("%s=%s", proxies[i], value));
        strv_append_take(&list, str_format("%s=%s", low, value));
    }
    return list;
}

void args_warn_unused(struct builder *builder)
{
    CLEANUP(strv_free) char **unused = NULL;
    for (char **name = builder->params->build_args.keys; name && *name; name++) {
        bool known = strv_contains(builder->consumed, *name) || args_is_proxy(*name) ||
                     str_eq(*name, "SOURCE_DATE_EPOCH") || str_starts(*name, "BUILDKIT_") ||
                     strv_env_get(builder->global_args, *name);
        if (!known)
            strv_append(&unused, *name);
    }
    strv_sort(unused);
    AUTO_FREE char *text = strv_join(unused, " ");
    if (unused)
        say(builder, "[Warning] One or more build-args [%s] were not consumed\n", text);
}
