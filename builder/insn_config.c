/* Instructions that only change the image's configuration. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <strings.h>

int check_one(struct instruction *insn, struct err *err)
{
    if (strv_length(insn->args) != 1)
        return err_set(err, ERR_INVALID, "%s requires exactly one argument", insn->kind->name);
    return 0;
}

int check_some(struct instruction *insn, struct err *err)
{
    return insn->args ? 0 : TOO_FEW(err, insn->kind->name);
}

int check_shell(struct instruction *insn, struct err *err)
{
    if (!insn->args)
        return TOO_FEW(err, "SHELL");
    return insn->json ? 0 : err_set(err, ERR_INVALID, "SHELL requires the arguments to be in JSON form");
}

int check_volume(struct instruction *insn, struct err *err)
{
    if (!insn->args)
        return TOO_FEW(err, "VOLUME");
    for (char **path = insn->args; *path; path++) {
        char *trimmed = xstrdup(str_trim(*path));
        free(*path);
        *path = trimmed;
        if (!*trimmed)
            return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
    }
    return 0;
}

int check_onbuild(struct instruction *insn, struct err *err)
{
    if (!insn->args)
        return TOO_FEW(err, "ONBUILD");
    CLEANUP(strv_free) char **words = words_whitespace(insn->args[0]);
    const struct instruction_kind *kind = words ? instruction_kind_find(words[0]) : NULL;
    if (kind && str_eq(kind->name, "ONBUILD"))
        return err_set(err, ERR_INVALID, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (kind && kind->no_trigger)
        return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", kind->name);
    return 0;
}

/* ["a" "b"], as Go's %q prints a list. */
static char *quoted_list(char *const *words)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    buf_putc(&out, '[');
    for (size_t i = 0; words && words[i]; i++) {
        if (i)
            buf_putc(&out, ' ');
        text_quote(&out, words[i]);
    }
    buf_putc(&out, ']');
    return buf_take(&out);
}

/* The words of a command in either form. */
static char **command_words(struct build_stage *stage, const struct instruction *insn)
{
    static char nothing[] = "";
    char *const empty[] = { nothing, NULL };
    if (insn->json)
        return strv_dup(insn->args);
    return stage_shell(stage, insn->args ? insn->args : empty);
}

int apply_cmd(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    struct image_config_config *config = stage->config.config;
    (void)err;
    strv_free(config->cmd);
    config->cmd = command_words(stage, insn);
    config->args_escaped = true;
    stage->cmd_set = true;
    AUTO_FREE char *text = quoted_list(config->cmd);
    stage_history(stage, false, "CMD %s", text);
    return 0;
}

int apply_entrypoint(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    struct image_config_config *config = stage->config.config;
    (void)err;
    strv_free(config->entrypoint);
    config->entrypoint = command_words(stage, insn);
    if (!stage->cmd_set)
        strv_free(take_ptr(&config->cmd)); /* a command meant for another program */
    AUTO_FREE char *text = quoted_list(config->entrypoint);
    stage_history(stage, false, "ENTRYPOINT %s", text);
    return 0;
}

int apply_shell(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    struct image_config_config *config = stage->config.config;
    (void)err;
    strv_free(config->shell);
    config->shell = strv_dup(insn->args);
    AUTO_FREE char *text = strv_join(config->shell, " ");
    stage_history(stage, false, "SHELL [%s]", text);
    return 0;
}

int apply_user(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    char *user;
    if (stage_expand(stage, insn->args[0], &user, err) < 0)
        return -1;
    free(stage->config.config->user);
    stage->config.config->user = user;
    stage_history(stage, false, "USER %s", user);
    return 0;
}

int apply_volume(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    CLEANUP(strv_free) char **paths = strv_dup(insn->args);
    if (stage_expand_all(stage, paths, err) < 0)
        return -1;
    for (char **path = paths; *path; path++) {
        if (!**path)
            return err_set(err, ERR_INVALID, "VOLUME specified can not be an empty string");
        if (!strv_contains(stage->config.config->volumes, *path))
            strv_append(&stage->config.config->volumes, *path);
    }
    AUTO_FREE char *text = strv_join(paths, " ");
    stage_history(stage, false, "VOLUME [%s]", text);
    return 0;
}

int apply_maintainer(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    (void)err;
    free(stage->config.author);
    stage->config.author = xstrdup(insn->args[0]);
    stage_history(stage, false, "MAINTAINER %s", insn->args[0]);
    return 0;
}

int apply_onbuild(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    (void)err;
    buf_puts(&text, insn->args[0]);
    for (size_t i = 0; i < insn->heredoc_count; i++)
        buf_printf(&text, "\n%s%s", insn->heredocs[i].content, insn->heredocs[i].name);
    strv_append(&stage->config.config->on_build, text.data);
    return 0;
}

/* ---- STOPSIGNAL ---- */

static bool signal_known(const char *name)
{
    static const char *const names[] = {
        "ABRT", "ALRM", "BUS",  "CHLD", "CLD",  "CONT", "FPE",    "HUP",    "ILL",  "INT",  "IO",   "IOT",
        "KILL", "PIPE", "POLL", "PROF", "PWR",  "QUIT", "SEGV",   "STKFLT", "STOP", "SYS",  "TERM", "TRAP",
        "TSTP", "TTIN", "TTOU", "URG",  "USR1", "USR2", "VTALRM", "WINCH",  "XCPU", "XFSZ",
    };
    int64_t number;
    if (str_to_i64(name, &number) == 0)
        return number != 0 && number >= INT32_MIN && number <= INT32_MAX;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    bool low = strncasecmp(name, "RTMIN", 5) == 0, high = strncasecmp(name, "RTMAX", 5) == 0;
    if (!low && !high)
        return false;
    name += 5;
    if (!*name)
        return true;
    return *name == (low ? '+' : '-') && str_to_i64(name + 1, &number) == 0 && number >= 1 && number <= (low ? 15 : 14);
}

int apply_stopsignal(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    char *name;
    if (stage_expand(stage, insn->args[0], &name, err) < 0)
        return -1;
    if (!signal_known(name)) {
        err_set(err, ERR_INVALID, "invalid signal: %s", name);
        free(name);
        return -1;
    }
    free(stage->config.config->stop_signal);
    stage->config.config->stop_signal = name;
    stage_history(stage, false, "STOPSIGNAL %s", name);
    return 0;
}

/* ---- EXPOSE ---- */

static bool port_number(const char *text, size_t length, unsigned *ret)
{
    AUTO_FREE char *copy = xstrndup(text, length);
    uint64_t number;
    if (!isdigit((unsigned char)*copy) || str_to_u64(copy, &number) < 0 || number > 65535)
        return false;
    *ret = (unsigned)number;
    return true;
}

/* "[[ip:]host:]port[-port][/proto]" */
static int add_ports(char *spec, char ***ports, struct err *err)
{
    char *slash = strchr(spec, '/');
    AUTO_FREE char *proto = xstrdup(slash && slash[1] ? slash + 1 : "tcp");
    str_lower(proto);
    if (!str_eq(proto, "tcp") && !str_eq(proto, "udp") && !str_eq(proto, "sctp"))
        return err_set(err, ERR_INVALID, "invalid port: \"%s\": invalid proto: %s", spec, slash + 1);
    if (slash)
        *slash = '\0';
    const char *colon = strrchr(spec, ':');
    const char *range = colon ? colon + 1 : spec, *dash = strchr(range, '-');
    if (!*range)
        return err_set(err, ERR_INVALID, "invalid port: \"%s%s%s\": no port specified", spec, slash ? "/" : "",
                       slash ? slash + 1 : "");
    unsigned first, last;
    bool good = port_number(range, dash ? (size_t)(dash - range) : strlen(range), &first);
    last = first;
    if (good && dash)
        good = port_number(dash + 1, strlen(dash + 1), &last) && last >= first;
    if (!good)
        return err_set(err, ERR_INVALID, "invalid containerPort: %s", range);
    for (; first <= last; first++)
        strv_append_take(ports, str_format("%u/%s", first, proto));
    return 0;
}

int apply_expose(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    CLEANUP(strv_free) char **specs = NULL;
    CLEANUP(strv_free) char **ports = NULL;
    struct expand_scope scope = stage_scope(stage);
    for (char **word = insn->args; *word; word++) {
        CLEANUP(strv_free) char **some = NULL;
        if (expand_words(&scope, *word, &some, err) < 0)
            return -1;
        strv_extend(&specs, some);
    }
    strv_sort(specs);
    for (char **spec = specs; spec && *spec; spec++)
        if (add_ports(*spec, &ports, err) < 0)
            return -1;
    for (char **port = ports; port && *port; port++)
        if (!strv_contains(stage->config.config->exposed_ports, *port))
            strv_append(&stage->config.config->exposed_ports, *port);
    AUTO_FREE char *text = strv_join(ports, " ");
    stage_history(stage, false, "EXPOSE [%s]", text);
    return 0;
}
