/* ENV, LABEL and ARG. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/str.h"

int check_pairs(struct instruction *insn, struct err *err)
{
    if (!insn->args)
        return TOO_FEW(err, insn->kind->name);
    for (char **pair = insn->args; *pair; pair += 2)
        if (!**pair)
            return err_set(err, ERR_INVALID, "%s names can not be blank", insn->kind->name);
    return 0;
}

int check_arg(struct instruction *insn, struct err *err)
{
    if (!insn->args)
        return TOO_FEW(err, "ARG");
    for (char **name = insn->args; *name; name++)
        if (!**name || **name == '=')
            return err_set(err, ERR_INVALID, "ARG names can not be blank");
    return 0;
}

/* "A=1 B=2" for the history. */
static char *pairs_text(char *const *pairs)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    for (; *pairs; pairs += 2)
        buf_printf(&out, " %s=%s", pairs[0], pairs[1]);
    return buf_take(&out);
}

int apply_env(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    CLEANUP(strv_free) char **pairs = strv_dup(insn->args);
    if (stage_expand_all(stage, pairs, err) < 0)
        return -1;
    for (char **pair = pairs; *pair; pair += 2) {
        AUTO_FREE char *assignment = str_format("%s=%s", pair[0], pair[1]);
        strv_env_set(&stage->env, assignment);
        strv_env_set(&stage->config.config->env, assignment);
    }
    AUTO_FREE char *text = pairs_text(pairs);
    stage_history(stage, false, "ENV%s", text);
    return 0;
}

int apply_label(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    CLEANUP(strv_free) char **pairs = strv_dup(insn->args);
    if (stage_expand_all(stage, pairs, err) < 0)
        return -1;
    for (char **pair = pairs; *pair; pair += 2)
        str_map_set(&stage->config.config->labels, pair[0], pair[1]);
    AUTO_FREE char *text = pairs_text(pairs);
    stage_history(stage, false, "LABEL%s", text);
    return 0;
}

/* The value of one ARG: the command line's, its own default, the global one. *ret NULL = none. */
static int arg_value(struct build_stage *stage, const char *name, const char *written, char **ret, struct err *err)
{
    const char *given = args_given(stage->builder, name);
    *ret = NULL;
    if (given) {
        *ret = xstrdup(given);
        return 0;
    }
    if (written)
        return stage_expand(stage, written, ret, err);
    *ret = xstrdup(strv_env_get(stage->builder->global_args, name));
    return 0;
}

int apply_arg(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    for (char **arg = insn->args; *arg; arg++) {
        const char *equals = strchr(*arg, '=');
        AUTO_FREE char *name = equals ? xstrndup(*arg, (size_t)(equals - *arg)) : xstrdup(*arg);
        AUTO_FREE char *value = NULL;
        if (arg_value(stage, name, equals ? equals + 1 : NULL, &value, err) < 0)
            return -1;
        if (value) {
            AUTO_FREE char *assignment = str_format("%s=%s", name, value);
            strv_env_set(&stage->env, assignment);
        }
        strv_append(&stage->arg_names, name);
        strv_append(&stage->arg_values, value ? value : "");
        buf_printf(&text, value ? " %s=%s" : " %s", name, value);
    }
    stage_history(stage, false, "ARG%s", text.data);
    return 0;
}
