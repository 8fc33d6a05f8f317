/* Completion: the shells call `holk __complete WORD...` (the last word is the one being typed, maybe empty) and get one
 * candidate per line with its help after a tab. Names and flags come from the commands' rows; what an argument is
 * (CONTAINER, IMAGE, VOLUME, NETWORK) is read from the command's usage line and asked from the daemon. */
#include "cli/find.h"
#include "cli/flags.h"
#include "cli/global.h"
#include "cli/help.h"
#include "lib/api/container.h"
#include "lib/base/str.h"
#include "lib/json/value.h"
#include <stdio.h>

static const char bash_script[] = "# bash completion for holk\n"
                                  "_holk()\n"
                                  "{\n"
                                  "    local IFS=$'\\n' line typed=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                                  "    COMPREPLY=()\n"
                                  "    for line in $(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null); do\n"
                                  "        line=\"${line%%$'\\t'*}\"\n"
                                  "        [[ $line == \"$typed\"* ]] && COMPREPLY+=(\"$line\")\n"
                                  "    done\n"
                                  "}\n"
                                  "complete -o default -F _holk holk\n";

static const char zsh_script[] = "#compdef holk\n"
                                 "_holk()\n"
                                 "{\n"
                                 "    local -a lines\n"
                                 "    local line\n"
                                 "    for line in \"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
                                 "        [[ -n $line ]] && lines+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
                                 "    done\n"
                                 "    if (( $#lines )); then _describe 'holk' lines; else _files; fi\n"
                                 "}\n"
                                 "if [ \"$funcstack[1]\" = _holk ]; then _holk; else compdef _holk holk; fi\n";

static const char fish_script[] = "# fish completion for holk\n"
                                  "function __holk_complete\n"
                                  "    set -l words (commandline -opc) (commandline -ct)\n"
                                  "    $words[1] __complete $words[2..-1] 2>/dev/null\n"
                                  "end\n"
                                  "complete -c holk -a '(__holk_complete)'\n";

static int run_completion(struct cli *cli, void *options, char **args)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };
    (void)options;
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        if (str_eq(args[0], scripts[i].shell)) {
            (void)fputs(scripts[i].script, stdout);
            return 0;
        }
    }
    return cli_usage_error(cli, "no completion for shell '%s': use bash, zsh or fish", args[0]);
}

const struct command command_completion = {
    .path = "completion",
    .usage = "bash|zsh|fish",
    .help = "Print the shell's completion script",
    .long_help = "Print the completion script for a shell\n\n"
                 "  bash:  source <(holk completion bash)\n"
                 "  zsh:   holk completion zsh > \"${fpath[1]}/_holk\"\n"
                 "  fish:  holk completion fish > ~/.config/fish/completions/holk.fish",
    .min_args = 1,
    .max_args = 1,
    .options = COMMAND_HIDDEN,
    .run = run_completion,
};

/* ---- candidates ---- */

static void put(const char *typed, const char *candidate, const char *help)
{
    if (str_starts(candidate, typed))
        printf("%s\t%.*s\n", candidate, (int)strcspn(help, "\n"), help);
}

static void put_flags(const struct flag *flags, const char *typed)
{
    for (; flags && flags->name; flags++) {
        AUTO_FREE char *name = str_format("--%s", flags->name);
        if (!flags->hidden)
            put(typed, name, flags->help);
    }
    put(typed, "--help", "Print usage");
}

static void put_commands(const struct command_group *group, const char *typed)
{
    for (size_t i = 0; commands[i]; i++) {
        char name[64];
        const struct command *command = commands[i];
        command_group_name(command, name, sizeof name);
        const char *word = group ? command_word(command) : command->top ? command->top : *name ? NULL : command->path;
        if (word && !(command->options & COMMAND_HIDDEN) && (!group || str_eq(name, group->name)))
            put(typed, word, command->help);
    }
    for (const struct command_group *each = command_groups; !group && each->name; each++)
        put(typed, each->name, each->help);
}

static void put_containers(struct cli *cli, const char *typed)
{
    CODEC_LIST(struct container_summary) list = { 0 };
    struct err err = { 0 };
    if (api_get_list(cli, "/containers/json?all=1", &container_summary_type, &list, &err) < 0)
        return;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].names && list.items[i].names[0])
            put(typed, list.items[i].names[0] + 1, list.items[i].status ? list.items[i].status : "");
    }
    api_list_clear(&container_summary_type, &list);
}

/* Names of a list of objects: /images/json has RepoTags, /networks a Name, /volumes a Name below Volumes. */
static void put_names(struct cli *cli, const char *target, const char *typed)
{
    CLEANUP(json_free) struct json *answer = NULL;
    struct err err = { 0 };
    if (api_get_json(cli, target, &answer, &err) < 0)
        return;
    const struct json *list = json_get(answer, "Volumes");
    if (!list)
        list = answer;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *item = json_at(list, i), *tags = json_get(item, "RepoTags");
        const char *name = json_text(json_get(item, "Name"));
        if (name)
            put(typed, name, "");
        for (size_t j = 0; j < json_count(tags); j++) {
            if (json_text(json_at(tags, j)))
                put(typed, json_text(json_at(tags, j)), "");
        }
    }
}

static void put_arguments(struct cli *cli, const struct command *command, size_t have, const char *typed)
{
    bool repeats = command->max_args == ARGS_ANY && !(command->options & COMMAND_STOP_AT_ARG);
    if (have > 0 && !repeats)
        return;
    const char *usage = command->usage;
    if (strstr(usage, "CONTAINER"))
        put_containers(cli, typed);
    else if (strstr(usage, "IMAGE"))
        put_names(cli, "/images/json", typed);
    else if (strstr(usage, "VOLUME"))
        put_names(cli, "/volumes", typed);
    else if (strstr(usage, "NETWORK"))
        put_names(cli, "/networks", typed);
}

static bool wants_value(const struct flag *flags, const char *word)
{
    const struct flag *flag = NULL;
    if (word[0] != '-' || !word[1] || strchr(word, '='))
        return false;
    if (word[1] == '-')
        flag = flags_find(flags, word + 2, strlen(word + 2));
    else if (!word[2])
        flag = flags_find_letter(flags, word[1]);
    return flag && flag_shown(flag);
}

/* The words of a command up to the typed one: flags with their values are passed over. */
static void complete_command(struct cli *cli, const struct command *command, char **words)
{
    size_t have = 0;
    for (; words[1]; words++) {
        if (wants_value(command->flags, *words)) {
            if (!words[1] || !words[2])
                return; /* the value of a flag: files, by the shell */
            words++;
        } else if (**words != '-') {
            have++;
        }
    }
    if (**words == '-' && !(have && command->options & COMMAND_STOP_AT_ARG))
        put_flags(command->flags, *words);
    else
        put_arguments(cli, command, have, *words);
}

static int run_complete(struct cli *cli, void *options, char **args)
{
    struct found found;
    (void)options;
    while (args[0] && args[1] && args[0][0] == '-')
        args += wants_value(global_flags, args[0]) && args[2] ? 2 : 1;
    if (!args[0])
        return 0;
    if (!args[1]) {
        if (args[0][0] == '-')
            put_flags(global_flags, args[0]);
        else
            put_commands(NULL, args[0]);
        return 0;
    }
    if (!command_find(args, &found))
        return 0;
    AUTO_FREE char *name = found.name;
    if (found.command && args[found.words])
        complete_command(cli, found.command, args + found.words);
    else if (found.group && !args[2])
        put_commands(found.group, args[1]);
    return 0;
}

const struct command command_complete = {
    .path = "__complete",
    .usage = "WORD...",
    .help = "Print what may follow",
    .options = COMMAND_HIDDEN | COMMAND_STOP_AT_ARG,
    .min_args = 0,
    .max_args = ARGS_ANY,
    .run = run_complete,
};
