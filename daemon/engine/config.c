#include "daemon/engine/config.h"

#include "daemon/engine/worker_run.h"
#include "lib/base/str.h"

/* ---- merging ---- */

static void take_text(char **mine, const char *base)
{
    if (str_empty(*mine) && !str_empty(base)) {
        free(*mine);
        *mine = xstrdup(base);
    }
}

static void merge_env(char ***mine, char *const *base)
{
    for (size_t i = 0; base && base[i]; i++) {
        AUTO_FREE char *name = xstrndup(base[i], strcspn(base[i], "="));
        bool set = false;
        for (size_t n = 0; *mine && (*mine)[n] && !set; n++)
            set = !strncmp((*mine)[n], name, strlen(name)) &&
                  ((*mine)[n][strlen(name)] == '=' || !(*mine)[n][strlen(name)]);
        if (!set)
            strv_append(mine, base[i]);
    }
}

static void merge_names(char ***mine, char *const *base)
{
    for (size_t i = 0; base && base[i]; i++)
        if (!strv_contains(*mine, base[i]))
            strv_append(mine, base[i]);
}

static void merge_health(struct health_config **mine, const struct oci_health_config *base)
{
    if (!base)
        return;
    if (!*mine)
        *mine = xcalloc(1, sizeof **mine);
    struct health_config *health = *mine;
    if (!health->test || !health->test[0]) {
        strv_free(health->test);
        health->test = strv_dup(base->test);
    }
    int64_t *const own[] = { &health->interval, &health->timeout, &health->start_period, &health->start_interval,
                             &health->retries };
    const int64_t theirs[] = { base->interval, base->timeout, base->start_period, base->start_interval, base->retries };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (*own[i] == 0)
            *own[i] = theirs[i];
}

void config_merge(struct container_config *mine, const struct image_config_config *base)
{
    take_text(&mine->user, base->user);
    take_text(&mine->working_dir, base->working_dir);
    take_text(&mine->stop_signal, base->stop_signal);
    merge_env(&mine->env, base->env);
    merge_names(&mine->exposed_ports, base->exposed_ports);
    merge_names(&mine->volumes, base->volumes);
    for (size_t i = 0; i < str_map_count(&base->labels); i++)
        if (!str_map_get(&mine->labels, base->labels.keys[i]))
            str_map_set(&mine->labels, base->labels.keys[i], base->labels.values[i]);
    if (!mine->entrypoint || !mine->entrypoint[0]) {
        if (!mine->cmd || !mine->cmd[0]) {
            strv_free(mine->cmd);
            mine->cmd = strv_dup(base->cmd);
        }
        if (!mine->entrypoint)
            mine->entrypoint = strv_dup(base->entrypoint);
    }
    merge_health(&mine->healthcheck, base->healthcheck);
}

/* ---- changes ---- */

/* The two structs are one JSON object. */
static int convert(const struct codec_type *from, const void *value, const struct codec_type *to, void *ret,
                   struct err *err)
{
    AUTO_FREE char *text = codec_encode_dup(from, value);
    return codec_decode(to, text, strlen(text), ret, err);
}

int config_change(struct engine *engine, struct image_config_config *config, char *const *changes, struct err *err)
{
    if (!changes || !changes[0])
        return 0;
    AUTO_FREE char *text = codec_encode_dup(&image_config_config_type, config);
    struct job_config_changes params = { .config = text, .changes = strv_dup(changes) };
    struct job_config_changes_result result = { 0 };
    struct image_config_config changed;
    struct worker_call call = { .kind = "config-changes", .params = &params, .client_fd = -1 };
    int done = worker_run(engine, &call, &result, err);
    if (done == 0)
        done = codec_decode(&image_config_config_type, result.config, strlen(result.config), &changed, err);
    if (done == 0) {
        codec_clear(&image_config_config_type, config);
        *config = changed;
    }
    codec_clear(&job_config_changes_result_type, &result);
    strv_free(params.changes);
    return done;
}

/* One of a container through the changes. */
static int change_container(struct engine *engine, const struct container_config *from, char *const *changes,
                            struct container_config *ret, struct err *err)
{
    struct image_config_config changed;
    if (!changes || !changes[0]) {
        codec_copy(&container_config_type, ret, from);
        return 0;
    }
    if (convert(&container_config_type, from, &image_config_config_type, &changed, err) < 0)
        return -1;
    int result = config_change(engine, &changed, changes, err);
    if (result == 0)
        result = convert(&image_config_config_type, &changed, &container_config_type, ret, err);
    codec_clear(&image_config_config_type, &changed);
    return result;
}

int config_for_commit(struct engine *engine, const struct container_config *container,
                      const struct container_config *own, char *const *changes, struct image_config_config *ret,
                      struct err *err)
{
    static const struct container_config nothing;
    const struct container_config *from = codec_equal(&container_config_type, own, &nothing) ? container : own;
    struct image_config_config base;
    struct container_config merged;
    if (change_container(engine, from, changes, &merged, err) < 0)
        return -1;
    int result = convert(&container_config_type, container, &image_config_config_type, &base, err);
    if (result == 0) {
        config_merge(&merged, &base);
        codec_clear(&image_config_config_type, &base);
        result = convert(&container_config_type, &merged, &image_config_config_type, ret, err);
    }
    codec_clear(&container_config_type, &merged);
    return result;
}
