#include "cli/help_markdown.h"

#include "cli/flags.h"
#include "cli/global.h"
#include "cli/help.h"
#include "lib/base/str.h"

/* Text of a table's cell: one line, no bar. */
static void put_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_puts(out, "\\|");
        else if (*text == '\n')
            buf_puts(out, "<br>");
        else if (*text == '<')
            buf_puts(out, "&lt;");
        else
            buf_putc(out, *text);
    }
}

static int compare_flags(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->name, (*(const struct flag *const *)b)->name);
}

static void put_flag(struct buf *out, const struct flag *flag)
{
    const char *shown = flag_shown(flag);
    buf_puts(out, "| `");
    if (flag->letter)
        buf_printf(out, "-%c`, `", flag->letter);
    buf_printf(out, "--%s", flag->name);
    if (shown)
        buf_printf(out, " %s", shown);
    buf_puts(out, "` | ");
    put_cell(out, flag->help);
    if (flag->initial && *flag->initial && !str_eq(flag->initial, "false"))
        buf_printf(out, " (default `%s`)", flag->initial);
    buf_puts(out, " |\n");
}

static void put_flags(struct buf *out, const struct flag *flags)
{
    AUTO_FREE const struct flag **sorted = NULL;
    size_t count = 0;
    for (; flags && flags->name; flags++) {
        if (flags->hidden)
            continue;
        sorted = xreallocarray(sorted, count + 1, sizeof *sorted);
        sorted[count++] = flags;
    }
    if (!count)
        return;
    qsort(sorted, count, sizeof *sorted, compare_flags);
    buf_puts(out, "\n| Option | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < count; i++)
        put_flag(out, sorted[i]);
}

static void put_other_names(struct buf *out, const struct command *command)
{
    char group[64];
    bool first = true;
    command_group_name(command, group, sizeof group);
    for (size_t i = 0; i < ARRAY_SIZE(command->aliases) && command->aliases[i]; i++, first = false)
        buf_printf(out, "%s`holk %s%s%s`", first ? "\nAlso: " : ", ", group, *group ? " " : "", command->aliases[i]);
    if (command->top)
        buf_printf(out, "%s`holk %s`", first ? "\nAlso: " : ", ", command->top);
    if (!first || command->top)
        buf_puts(out, "\n");
}

static void put_command(struct buf *out, const struct command *command)
{
    buf_printf(out, "\n### holk %s\n\n", command->path);
    put_cell(out, command->long_help ? command->long_help : command->help);
    buf_puts(out, "\n\n```\n");
    help_usage(command, command->path, out);
    buf_puts(out, "```\n");
    put_other_names(out, command);
    put_flags(out, command->flags);
}

/* name "": the commands without a group. */
static void put_group(struct buf *out, const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        char group[64];
        command_group_name(commands[i], group, sizeof group);
        if (str_eq(group, name) && !(commands[i]->options & COMMAND_HIDDEN))
            put_command(out, commands[i]);
    }
}

void help_markdown(struct buf *out)
{
    buf_puts(out, "# The command line client\n\n"
                  "Made by `holk help --markdown` from the client's own tables; a test keeps it current. Names of "
                  "flags, columns of lists, "
                  "templates of `--format` and exit codes are those of Docker's client.\n\n"
                  "## Global options\n");
    put_flags(out, global_flags);
    for (const struct command_group *group = command_groups; group->name; group++) {
        buf_printf(out, "\n## holk %s\n\n%s\n", group->name, group->help);
        put_group(out, group->name);
    }
    buf_puts(out, "\n## Other commands\n");
    put_group(out, "");
}
