/* RUN. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/str.h"

int check_run(struct instruction *insn, struct err *err)
{
    const char *network = instruction_flag(insn, "network"), *security = instruction_flag(insn, "security");
    if (network && !str_eq(network, "default") && !str_eq(network, "none") && !str_eq(network, "host"))
        return err_set(err, ERR_INVALID, "invalid network mode \"%s\"", network);
    if (security && !str_eq(security, "sandbox") && !str_eq(security, "insecure"))
        return err_set(err, ERR_INVALID, "security \"%s\" is not valid", security);
    CLEANUP(strv_free) char **mounts = instruction_flag_list(insn, "mount");
    for (char **mount = mounts; mount && *mount; mount++) {
        AUTO_FREE char *from = mount_from(*mount);
        if (from && strchr(from, '$'))
            return err_set(err, ERR_INVALID, "'from' doesn't support variable expansion, define alias stage instead");
    }
    return 0;
}

static int refuse_flags(const struct instruction *insn, struct err *err)
{
    if (instruction_flag(insn, "device"))
        return err_set(err, ERR_UNSUPPORTED, "RUN --device is not supported");
    if (str_eq(instruction_flag(insn, "security"), "insecure"))
        return err_set(err, ERR_UNSUPPORTED,
                       "RUN --security=insecure is not supported: security.insecure is not allowed");
    return 0;
}

static int read_mounts(struct build_stage *stage, const struct instruction *insn, struct run_step *run, struct err *err)
{
    CLEANUP(strv_free) char **mounts = instruction_flag_list(insn, "mount");
    for (char **mount = mounts; mount && *mount; mount++) {
        run->mounts = xreallocarray(run->mounts, run->mount_count + 1, sizeof *run->mounts);
        run->mounts[run->mount_count] = (struct step_mount){ 0 };
        if (mount_parse(stage, *mount, &run->mounts[run->mount_count++], err) < 0)
            return -1;
    }
    return 0;
}

/* The shell's text of a RUN with heredocs. A single one alone is the script; with "#!" a program of its own; else they
 * go to the shell as they were written. */
static char *shell_text(const struct instruction *insn, struct run_step *run)
{
    const char *written = insn->args ? insn->args[0] : "";
    if (!insn->heredoc_count)
        return xstrdup(written);
    CLEANUP(heredoc_free) struct heredoc *alone = heredoc_parse(written);
    if (!alone) {
        struct buf full = BUF_INIT(BUF_TEXT_MAX);
        buf_puts(&full, written);
        for (size_t i = 0; i < insn->heredoc_count; i++)
            buf_printf(&full, "\n%s%s", insn->heredocs[i].content, insn->heredocs[i].name);
        return buf_take(&full);
    }
    char *text = heredoc_text(&insn->heredocs[0]);
    if (!str_starts(insn->heredocs[0].content, "#!"))
        return text;
    run->script = text;
    run->script_name = xstrdup(insn->heredocs[0].name);
    return str_format("/dev/pipes/%s", run->script_name);
}

/* ARG values as the history shows them: "|2 A=1 B=2 ". */
static char *args_text(const struct build_stage *stage)
{
    CLEANUP(strv_free) char **shown = NULL;
    for (size_t i = 0; stage->arg_names && stage->arg_names[i]; i++) {
        const char *value = strv_env_get(stage->env, stage->arg_names[i]);
        AUTO_FREE char *assignment = str_format("%s=%s", stage->arg_names[i], value ? value : stage->arg_values[i]);
        strv_env_set(&shown, assignment);
    }
    if (!shown)
        return xstrdup("");
    AUTO_FREE char *joined = strv_join(shown, " ");
    return str_format("|%zu %s ", strv_length(shown), joined);
}

int apply_run(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    struct step *step = stage_step(stage, STEP_RUN);
    struct run_step *run = &step->run;
    if (refuse_flags(insn, err) < 0 || read_mounts(stage, insn, run, err) < 0)
        return -1;
    if (insn->json) {
        run->argv = strv_dup(insn->args);
    } else {
        char *text = shell_text(insn, run), *words[] = { text, NULL };
        run->argv = stage_shell(stage, words);
        free(text);
    }
    if (!run->argv || !run->argv[0])
        return err_set(err, ERR_INVALID, "RUN has no command");
    run->env = strv_dup(stage->env);
    run->shown = strv_join(run->argv, " ");
    run->cwd = xstrdup(stage_cwd(stage));
    run->user = xstrdup(stage->config.config->user ? stage->config.config->user : "");
    run->network = xstrdup(instruction_flag(insn, "network") ? instruction_flag(insn, "network") : "");
    AUTO_FREE char *args = args_text(stage);
    step->history = stage_history(stage, true, "RUN %s%s # buildkit", args, run->shown);
    return 0;
}
