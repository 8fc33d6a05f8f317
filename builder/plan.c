/* A needed stage becomes a list of steps and an image configuration. */
#include "builder/stage.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <stdarg.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define COMMENT "buildkit.dockerfile.v0"

/* ---- what instructions use ---- */

struct expand_scope stage_scope(struct build_stage *stage)
{
    return (struct expand_scope){ expand_env_get, &stage->env, stage->builder->file.escape, false };
}

int stage_expand(struct build_stage *stage, const char *text, char **ret, struct err *err)
{
    struct expand_scope scope = stage_scope(stage);
    return expand_word(&scope, text, ret, err);
}

int stage_expand_all(struct build_stage *stage, char **list, struct err *err)
{
    for (char **item = list; item && *item; item++) {
        char *value;
        if (stage_expand(stage, *item, &value, err) < 0)
            return -1;
        free(*item);
        *item = value;
    }
    return 0;
}

const char *stage_cwd(const struct build_stage *stage)
{
    const char *cwd = stage->config.config->working_dir;
    return str_empty(cwd) ? "/" : cwd;
}

char *stage_path(const struct build_stage *stage, const char *path)
{
    if (*path == '/')
        return xstrdup(path);
    AUTO_FREE char *base = str_format("/%s", stage_cwd(stage));
    return path_join(base, path);
}

char **stage_shell(struct build_stage *stage, char *const *words)
{
    char **list = strv_dup(stage->config.config->shell);
    if (!list) {
        strv_append(&list, "/bin/sh");
        strv_append(&list, "-c");
    }
    strv_extend(&list, words);
    return list;
}

static char *time_text(int64_t unix_ns)
{
    char text[TIME_TEXT_SIZE];
    time_format_rfc3339nano(unix_ns, text);
    return xstrdup(text);
}

size_t stage_history(struct build_stage *stage, bool layer, const char *format, ...)
{
    va_list args;
    struct oci_history *record = list_add(&stage->config.history);
    va_start(args, format);
    record->created_by = str_vformat(format, args);
    va_end(args);
    record->comment = xstrdup(COMMENT);
    record->empty_layer = !layer;
    if (stage->builder->epoch_ns >= 0)
        record->created = time_text(stage->builder->epoch_ns);
    return stage->config.history.count - 1;
}

struct step *stage_step(struct build_stage *stage, enum step_kind kind)
{
    struct step *step = &stage->steps[stage->step_count - 1]; /* made by plan_instruction */
    step->kind = kind;
    return step;
}

/* ---- where a stage begins ---- */

static void begin_scratch(struct build_stage *stage)
{
    const struct platform *platform = &stage->builder->platform;
    stage->config = (struct oci_image){ .architecture = xstrdup(platform->arch),
                                        .os = xstrdup(platform->os),
                                        .variant = xstrdup(platform->variant) };
    stage->config.config = xcalloc(1, sizeof *stage->config.config);
    stage->config.config->working_dir = xstrdup("/");
    strv_append(&stage->config.config->env, DEFAULT_PATH);
    stage->config.rootfs.type = xstrdup("layers");
}

/* Members that an image got from the container it was once committed from say nothing about what is built on it. */
static void begin_image(struct build_stage *stage)
{
    struct oci_image *config = &stage->config;
    codec_copy(&oci_image_type, config, &stage->image->config);
    if (!config->config)
        config->config = xcalloc(1, sizeof *config->config);
    struct image_config_config *inner = config->config;
    free(take_ptr(&config->container));
    free(take_ptr(&config->docker_version));
    free(take_ptr(&config->comment));
    free(take_ptr(&inner->hostname));
    free(take_ptr(&inner->domainname));
    free(take_ptr(&inner->image));
    inner->attach_stdin = inner->attach_stdout = inner->attach_stderr = inner->tty = inner->open_stdin =
        inner->stdin_once = false;
    if (config->container_config) {
        codec_clear(&image_config_config_type, config->container_config);
        free(take_ptr(&config->container_config));
    }
}

static void begin_stage(struct build_stage *stage)
{
    const struct build_stage *base = stage->base;
    if (base) {
        codec_copy(&oci_image_type, &stage->config, &base->config);
        stage->env = strv_dup(base->env);
        stage->arg_names = strv_dup(base->arg_names);
        stage->arg_values = strv_dup(base->arg_values);
    } else if (stage->image) {
        begin_image(stage);
    } else {
        begin_scratch(stage);
    }
    struct image_config_config *inner = stage->config.config;
    strv_free(take_ptr(&inner->on_build));
    free(take_ptr(&stage->config.created));
    if (!strv_env_get(inner->env, "PATH"))
        strv_append(&inner->env, DEFAULT_PATH);
    if (!base)
        stage->env = strv_dup(inner->env);
}

/* ---- steps ---- */

static int plan_instruction(struct build_stage *stage, struct instruction *insn, bool trigger, struct err *err)
{
    stage->steps = xreallocarray(stage->steps, stage->step_count + 1, sizeof *stage->steps);
    stage->steps[stage->step_count++] =
        (struct step){ .kind = STEP_PLAIN, .text = xstrdup(insn->original), .line = insn->line, .trigger = trigger };
    return insn->kind->apply(stage, insn, err);
}

int plan_stage(struct build_stage *stage, struct err *err)
{
    begin_stage(stage);
    for (size_t i = 0; i < stage->trigger_count; i++)
        if (plan_instruction(stage, &stage->triggers[i].instructions[0], true, err) < 0)
            return -1;
    for (size_t i = 0; i < stage->command_count; i++)
        if (plan_instruction(stage, &stage->commands[i], false, err) < 0)
            return -1;
    return 0;
}

static void free_run(struct run_step *run)
{
    for (size_t i = 0; i < run->mount_count; i++)
        mount_clear(&run->mounts[i]);
    free(run->mounts);
    strv_free(run->argv);
    strv_free(run->env);
    free(run->shown);
    free(run->cwd);
    free(run->user);
    free(run->network);
    free(run->script_name);
    free(run->script);
}

static void free_copy(struct copy_step *copy)
{
    strv_free(copy->sources);
    strv_free(copy->urls);
    strv_free(copy->inline_names);
    strv_free(copy->inline_contents);
    strv_free(copy->exclude);
    free(copy->target);
    free(copy->chown);
    free(copy->chmod);
    free(copy->checksum);
}

void plan_stage_free(struct build_stage *stage)
{
    for (size_t i = 0; i < stage->step_count; i++) {
        struct step *step = &stage->steps[i];
        free_run(&step->run);
        free_copy(&step->copy);
        free(step->text);
        free(step->workdir);
        free(step->owner);
    }
    for (size_t i = 0; i < stage->trigger_count; i++)
        dockerfile_done(&stage->triggers[i]);
    free(stage->triggers);
    free(stage->steps);
    free(stage->name);
    free(stage->shown);
    free(stage->from_text);
    free(stage->base_name);
    free(stage->platform);
    strv_free(stage->env);
    strv_free(stage->arg_names);
    strv_free(stage->arg_values);
    strv_free(stage->diff_ids);
    strv_free(stage->lowers);
    buf_done(&stage->output);
    codec_clear(&oci_image_type, &stage->config);
    *stage = (struct build_stage){ 0 };
}
