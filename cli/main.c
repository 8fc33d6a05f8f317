/* holk: reads the command line, finds the command, gives it its options, prints how it ended. */
#include "cli/find.h"
#include "cli/flags.h"
#include "cli/global.h"
#include "cli/help.h"
#include "cli/help_markdown.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define EXIT_BAD_FLAG 125

static void print_buf(FILE *file, const struct buf *text)
{
    (void)fwrite(text->data, 1, text->length, file);
}

static int print_group(const struct command_group *group, FILE *file)
{
    AUTO_BUF struct buf page = BUF_INIT(BUF_TEXT_MAX);
    help_group(group, &page);
    print_buf(file, &page);
    return 0;
}

static int print_top(FILE *file)
{
    AUTO_BUF struct buf page = BUF_INIT(BUF_TEXT_MAX);
    help_top(global_flags, help_columns(), &page);
    print_buf(file, &page);
    return 0;
}

static int unknown_command(const char *word, const struct command_group *group)
{
    AUTO_FREE char *near = command_suggest(word, group);
    const char *space = group ? " " : "", *name = group ? group->name : "";
    fprintf(stderr, "holk: unknown command: holk %s%s%s\n", name, space, word);
    if (*near)
        fprintf(stderr, "\nDid you mean this?\n%s", near);
    if (group)
        fprintf(stderr, "\nUsage:  holk %s\n", name);
    fprintf(stderr, "\nRun 'holk%s%s --help' for more information\n", group ? " " : "", name);
    return 1;
}

static int bad_flag(const struct err *err, const struct command *command, const char *name)
{
    AUTO_BUF struct buf usage = BUF_INIT(BUF_TEXT_MAX);
    if (command)
        help_usage(command, name, &usage);
    else
        buf_puts(&usage, "Usage:  holk [OPTIONS] COMMAND [ARG...]\n");
    fprintf(stderr, "%s\n\n%s\nRun 'holk%s%s --help' for more information\n", err->text, usage.data, command ? " " : "",
            command ? name : "");
    return EXIT_BAD_FLAG;
}

static int wrong_count(const struct command *command, const char *name)
{
    AUTO_BUF struct buf usage = BUF_INIT(BUF_TEXT_MAX);
    int min = command->min_args, max = command->max_args;
    help_usage(command, name, &usage);
    fprintf(stderr, "holk: 'holk %s' ", name);
    if (max == 0)
        fprintf(stderr, "accepts no arguments");
    else if (min == max)
        fprintf(stderr, "requires %d argument%s", min, min == 1 ? "" : "s");
    else if (max == ARGS_ANY)
        fprintf(stderr, "requires at least %d argument%s", min, min == 1 ? "" : "s");
    else if (min == 0)
        fprintf(stderr, "requires at most %d argument%s", max, max == 1 ? "" : "s");
    else
        fprintf(stderr, "requires at least %d and at most %d arguments", min, max);
    bool see = max != 0 && min != max;
    fprintf(stderr, "\n\n%s\n%s 'holk %s --help' for more information\n", usage.data, see ? "See" : "Run", name);
    return 1;
}

static int print_command_help(const struct command *command, const char *name)
{
    AUTO_BUF struct buf page = BUF_INIT(BUF_TEXT_MAX);
    help_command(command, name, help_columns(), &page);
    print_buf(stdout, &page);
    return 0;
}

static int run_command(struct cli *cli, char *const *argv)
{
    const struct command *command = cli->command;
    struct flags_result result;
    struct err err = { 0 };
    AUTO_FREE void *options = xcalloc(1, command->options_size + 1);
    flags_init(command->flags, options);
    if (flags_parse(command->flags, options, command->options & COMMAND_STOP_AT_ARG, argv, &result, &err) < 0) {
        flags_clear(command->flags, options);
        return bad_flag(&err, command, cli->name);
    }
    int count = (int)strv_length(result.args), exit_code;
    cli->flags_given = result.given;
    if (result.short_help)
        fprintf(stderr, "Flag shorthand -h has been deprecated, use --help\n");
    if (result.help)
        exit_code = print_command_help(command, cli->name);
    else if (count < command->min_args || (command->max_args != ARGS_ANY && count > command->max_args))
        exit_code = wrong_count(command, cli->name);
    else
        exit_code = command->run(cli, options, result.args);
    strv_free(result.args);
    flags_clear(command->flags, options);
    return exit_code;
}

/* `holk --help ps` and `holk help container ls`. */
static int run_help(char *const *words)
{
    struct found found;
    if (!words[0])
        return print_top(stdout);
    if (str_eq(words[0], "--markdown")) {
        AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
        help_markdown(&text);
        print_buf(stdout, &text);
        return 0;
    }
    if (!command_find(words, &found)) {
        fprintf(stderr, "unknown help topic: %s\n", words[0]);
        return 1;
    }
    AUTO_FREE char *name = found.name;
    return found.command ? print_command_help(found.command, name) : print_group(found.group, stdout);
}

static int dispatch(struct cli *cli, const struct global_options *global, char **argv)
{
    struct found found;
    if (global->version) {
        puts("holk version " HOLK_VERSION);
        return 0;
    }
    if (!argv[0])
        return print_top(stderr);
    if (str_eq(argv[0], "help"))
        return run_help(argv + 1);
    if (!command_find(argv, &found))
        return unknown_command(argv[0], NULL);
    AUTO_FREE char *name = found.name;
    cli->name = name;
    cli->command = found.command;
    if (found.command)
        return run_command(cli, argv + found.words);
    if (!argv[1])
        return print_group(found.group, stderr);
    if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h"))
        return print_group(found.group, stdout);
    return unknown_command(argv[1], found.group);
}

static int close_output(int exit_code)
{
    if (fflush(stdout) != 0 && errno != EPIPE) {
        fprintf(stderr, "write to standard output: %s\n", err_strerror(errno));
        return exit_code ? exit_code : 1;
    }
    return exit_code;
}

int main(int argc, char **argv)
{
    struct global_options global = { 0 };
    struct flags_result result;
    struct cli cli = { 0 };
    struct err err = { 0 };
    (void)argc;
    flags_init(global_flags, &global);
    if (flags_parse(global_flags, &global, true, argv + 1, &result, &err) < 0)
        return bad_flag(&err, NULL, NULL);
    char **words = argv + 1 + result.rest;
    int exit_code;
    if (result.help)
        exit_code = run_help(words);
    else if (global_apply(&global, &cli, &err) < 0)
        exit_code = (fprintf(stderr, "%s\n", err.text), 1);
    else
        exit_code = dispatch(&cli, &global, words);
    strv_free(result.args);
    http_close(cli.http);
    free(cli.config_dir);
    flags_clear(global_flags, &global);
    return close_output(exit_code);
}
