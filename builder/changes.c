/* Theory of operation. The instructions act on the stage of a build that is never made: only its configuration and its
 * environment are used. Docker answers changes with the first of its builders, which differs from a build in a few
 * places; those instructions have functions of their own here. */
#include "builder/changes.h"

#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#include <assert.h>

static INSN_APPLY(change_cmd)
{
    struct image_config_config *config = stage->config.config;
    (void)err;
    strv_free(config->cmd);
    config->cmd = insn->json ? strv_dup(insn->args) : stage_shell(stage, insn->args);
    config->args_escaped = false;
    stage->cmd_set = stage->cmd_set || (insn->args && insn->args[0]);
    return 0;
}

/* Without words it is the end of any entrypoint, in both forms. */
static INSN_APPLY(change_entrypoint)
{
    struct image_config_config *config = stage->config.config;
    (void)err;
    strv_free(take_ptr(&config->entrypoint));
    if (insn->args && insn->args[0])
        config->entrypoint = insn->json ? strv_dup(insn->args) : stage_shell(stage, insn->args);
    config->args_escaped = false;
    if (!stage->cmd_set)
        strv_free(take_ptr(&config->cmd));
    return 0;
}

static INSN_APPLY(change_workdir)
{
    AUTO_FREE char *written = NULL;
    if (stage_expand(stage, insn->args[0], &written, err) < 0)
        return -1;
    if (!*written)
        return err_set(err, ERR_INVALID, "cannot normalize nothing");
    AUTO_FREE char *joined = stage_path(stage, written);
    free(stage->config.config->working_dir);
    stage->config.config->working_dir = path_clean(joined);
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct build_stage *stage, struct instruction *insn, struct err *err);
} allowed[] = {
    { "CMD", change_cmd },         { "ENTRYPOINT", change_entrypoint },
    { "ENV", apply_env },          { "EXPOSE", apply_expose },
    { "LABEL", apply_label },      { "HEALTHCHECK", apply_health },
    { "ONBUILD", apply_onbuild },  { "STOPSIGNAL", apply_stopsignal },
    { "USER", apply_user },        { "VOLUME", apply_volume },
    { "WORKDIR", change_workdir },
};

static int apply_one(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (str_eq(allowed[i].name, insn->kind->name))
            return allowed[i].apply(stage, insn, err);
    assert(!"a change that is not allowed");
    return -1;
}

static int check_allowed(const struct dockerfile *file, struct err *err)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct instruction *insn = &file->instructions[i];
        bool known = false;
        for (size_t n = 0; n < ARRAY_SIZE(allowed) && insn->kind; n++)
            known = known || str_eq(allowed[n].name, insn->kind->name);
        if (!known)
            return err_set(err, ERR_INVALID, "%s is not a valid change command", insn->keyword);
    }
    return 0;
}

/* All of one kind of mistake before the next, as Docker finds them. */
static int apply_all(struct build_stage *stage, struct dockerfile *file, struct err *err)
{
    if (check_allowed(file, err) < 0)
        return -1;
    for (size_t i = 0; i < file->count; i++)
        if (instruction_check(&file->instructions[i], err) < 0)
            return -1;
    for (size_t i = 0; i < file->count; i++)
        if (apply_one(stage, &file->instructions[i], err) < 0)
            return -1;
    return 0;
}

int config_changes_apply(struct image_config_config *config, char *const *changes, struct err *err)
{
    AUTO_FREE char *text = strv_join(changes, "\n");
    struct builder builder = { .epoch_ns = -1 };
    struct build_stage stage = { .builder = &builder, .config.config = config };
    unsigned ignored;
    if (dockerfile_read(text, strlen(text), &builder.file, &ignored, err) < 0)
        return -1;
    stage.env = strv_dup(config->env);
    int r = apply_all(&stage, &builder.file, err);
    stage.config.config = NULL; /* the caller's */
    plan_stage_free(&stage);
    dockerfile_done(&builder.file);
    return r;
}
