/* Every instruction there is, one row each. */
#include "builder/insn.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <strings.h>

static const struct flag_spec from_flags[] = { { "platform", FLAG_TEXT }, { NULL } };
static const struct flag_spec run_flags[] = {
    { "mount", FLAG_LIST }, { "network", FLAG_TEXT }, { "security", FLAG_TEXT }, { "device", FLAG_LIST }, { NULL },
};
static const struct flag_spec copy_flags[] = {
    { "chown", FLAG_TEXT },
    { "from", FLAG_TEXT },
    { "chmod", FLAG_TEXT },
    { "link", FLAG_BOOL },
    { "parents", FLAG_BOOL },
    { "exclude", FLAG_LIST },
    { NULL },
};
static const struct flag_spec add_flags[] = {
    { "chown", FLAG_TEXT },    { "chmod", FLAG_TEXT },  { "link", FLAG_BOOL },    { "keep-git-dir", FLAG_BOOL },
    { "checksum", FLAG_TEXT }, { "unpack", FLAG_BOOL }, { "exclude", FLAG_LIST }, { NULL },
};
static const struct flag_spec health_flags[] = {
    { "interval", FLAG_TEXT },       { "timeout", FLAG_TEXT }, { "start-period", FLAG_TEXT },
    { "start-interval", FLAG_TEXT }, { "retries", FLAG_TEXT }, { NULL },
};

static int split_trigger(struct instruction *insn, const char *rest, char escape, struct err *err);

const struct instruction_kind instruction_kinds[] = {
    { "ADD", split_json_or_words, add_flags, check_copy, apply_copy, .heredocs = true },
    { "ARG", split_names, NULL, check_arg, apply_arg },
    { "CMD", split_json_or_text, NULL, NULL, apply_cmd },
    { "COPY", split_json_or_words, copy_flags, check_copy, apply_copy, .heredocs = true },
    { "ENTRYPOINT", split_json_or_text, NULL, NULL, apply_entrypoint },
    { "ENV", split_pairs, NULL, check_pairs, apply_env },
    { "EXPOSE", split_words, NULL, check_some, apply_expose },
    { "FROM", split_words, from_flags, check_from, NULL, .no_trigger = true },
    { "HEALTHCHECK", split_health, health_flags, check_health, apply_health },
    { "LABEL", split_pairs, NULL, check_pairs, apply_label },
    { "MAINTAINER", split_text, NULL, check_one, apply_maintainer, .no_trigger = true },
    { "ONBUILD", split_trigger, NULL, check_onbuild, apply_onbuild },
    { "RUN", split_json_or_text, run_flags, check_run, apply_run, .heredocs = true },
    { "SHELL", split_json_or_text, NULL, check_shell, apply_shell },
    { "STOPSIGNAL", split_text, NULL, check_one, apply_stopsignal },
    { "USER", split_text, NULL, check_one, apply_user },
    { "VOLUME", split_json_or_words, NULL, check_volume, apply_volume },
    { "WORKDIR", split_text, NULL, check_one, apply_workdir },
    { NULL },
};

const struct instruction_kind *instruction_kind_find(const char *keyword)
{
    for (const struct instruction_kind *kind = instruction_kinds; kind->name; kind++)
        if (strcasecmp(kind->name, keyword) == 0)
            return kind;
    return NULL;
}

int instruction_read(const char *line, char escape, struct instruction *ret, struct err *err)
{
    AUTO_FREE char *text = xstrdup(line);
    const char *start = str_trim(text), *end = start, *rest;
    while (*end && !is_space(*end))
        end++;
    ret->original = xstrdup(start);
    ret->keyword = xstrndup(start, (size_t)(end - start));
    ret->kind = instruction_kind_find(ret->keyword);
    /* the flags behind ONBUILD are its instruction's */
    if (ret->kind && str_eq(ret->kind->name, "ONBUILD"))
        rest = skip_space(end);
    else
        ret->raw_flags = words_flags(end, &rest);
    return ret->kind ? ret->kind->split(ret, rest, escape, err) : 0;
}

/* The text stays as it is, but its instruction must be readable; another ONBUILD is refused by the check. */
static int split_trigger(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    static const char own[] = "ONBUILD";
    struct instruction inner = { 0 };
    if (split_text(insn, rest, escape, err) < 0)
        return -1;
    if (!insn->args || strncasecmp(insn->args[0], own, strlen(own)) == 0)
        return 0;
    int r = instruction_read(insn->args[0], escape, &inner, err);
    instruction_done(&inner);
    return r;
}

void instruction_done(struct instruction *insn)
{
    for (size_t i = 0; i < insn->heredoc_count; i++) {
        free(insn->heredocs[i].name);
        free(insn->heredocs[i].content);
    }
    free(insn->heredocs);
    free(insn->keyword);
    free(insn->original);
    strv_free(insn->raw_flags);
    strv_free(insn->flag_names);
    strv_free(insn->flag_values);
    strv_free(insn->args);
    *insn = (struct instruction){ 0 };
}

/* ---- suggestions ---- */

#define WORD_LONGEST 64
#define FAR 2 /* more edits than these are another word */

static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_LONGEST + 1], length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; *a; i++, a++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t changed = corner + (tolower((unsigned char)*a) != tolower((unsigned char)b[j - 1]));
            corner = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *suggest(const char *word, const char *const *options, size_t count)
{
    const char *best = NULL;
    size_t best_distance = FAR + 1;
    for (size_t i = 0; i < count; i++) {
        size_t far = strlen(options[i]) > WORD_LONGEST ? FAR + 1 : distance(word, options[i]);
        if (far < best_distance || (best && far == best_distance && strcmp(options[i], best) < 0)) {
            best = options[i];
            best_distance = far;
        }
    }
    return best_distance <= FAR ? best : NULL;
}

static int unknown_keyword(const struct instruction *insn, struct err *err)
{
    const char *names[32];
    size_t count = 0;
    for (const struct instruction_kind *kind = instruction_kinds; kind->name && count < ARRAY_SIZE(names); kind++)
        names[count++] = kind->name;
    const char *meant = suggest(insn->keyword, names, count);
    if (!meant)
        return err_set(err, ERR_INVALID, "unknown instruction: %s", insn->keyword);
    AUTO_FREE char *shown = xstrdup(meant);
    bool upper = true;
    for (const char *c = insn->keyword; *c; c++)
        upper = upper && !islower((unsigned char)*c);
    if (!upper)
        str_lower(shown);
    return err_set(err, ERR_INVALID, "unknown instruction: %s (did you mean %s?)", insn->keyword, shown);
}

/* ---- flags ---- */

static const struct flag_spec *find_flag(const struct flag_spec *specs, const char *name, struct err *err)
{
    const char *names[16];
    size_t count = 0;
    for (const struct flag_spec *spec = specs; spec && spec->name; spec++) {
        if (str_eq(spec->name, name))
            return spec;
        if (count < ARRAY_SIZE(names))
            names[count++] = spec->name;
    }
    const char *meant = suggest(name, names, count);
    if (meant)
        err_set(err, ERR_INVALID, "unknown flag: --%s (did you mean %s?)", name, meant);
    else
        err_set(err, ERR_INVALID, "unknown flag: --%s", name);
    return NULL;
}

static int read_flag(struct instruction *insn, const char *raw, struct err *err)
{
    const char *equals = strchr(raw, '=');
    AUTO_FREE char *name = equals ? xstrndup(raw + 2, (size_t)(equals - raw - 2)) : xstrdup(raw + 2);
    const char *value = equals ? equals + 1 : NULL;
    const struct flag_spec *spec = find_flag(insn->kind->flags, name, err);
    if (!spec)
        return -1;
    if (spec->type != FLAG_LIST && strv_contains(insn->flag_names, name))
        return err_set(err, ERR_INVALID, "duplicate flag specified: --%s", name);
    if (spec->type == FLAG_BOOL) {
        if (str_empty(value))
            value = "true";
        if (!str_eq(value, "true") && !str_eq(value, "false"))
            return err_set(err, ERR_INVALID, "expecting boolean value for flag --%s, not: %s", name, value);
    } else if (!value) {
        return err_set(err, ERR_INVALID, "missing a value on flag: --%s", name);
    }
    strv_append(&insn->flag_names, name);
    strv_append(&insn->flag_values, value);
    return 0;
}

int instruction_check(struct instruction *insn, struct err *err)
{
    if (!insn->kind)
        return unknown_keyword(insn, err);
    for (char **raw = insn->raw_flags; raw && *raw; raw++)
        if (read_flag(insn, *raw, err) < 0)
            return -1;
    return insn->kind->check ? insn->kind->check(insn, err) : 0;
}

const char *instruction_flag(const struct instruction *insn, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; insn->flag_names && insn->flag_names[i]; i++)
        if (str_eq(insn->flag_names[i], name))
            found = insn->flag_values[i];
    return found;
}

bool instruction_flag_set(const struct instruction *insn, const char *name)
{
    return str_eq(instruction_flag(insn, name), "true");
}

char **instruction_flag_list(const struct instruction *insn, const char *name)
{
    char **list = NULL;
    for (size_t i = 0; insn->flag_names && insn->flag_names[i]; i++)
        if (str_eq(insn->flag_names[i], name))
            strv_append(&list, insn->flag_values[i]);
    return list;
}
