#include "cli/help.h"
#include "cli/flags.h"
#include "lib/base/str.h"
#include <unistd.h>

#define SLOP 5 /* columns that a last short word may stick out */
#define NAME_COLUMN 12

const char *command_word(const struct command *command)
{
    const char *space = strrchr(command->path, ' ');
    return space ? space + 1 : command->path;
}

void command_group_name(const struct command *command, char *ret, size_t size)
{
    const char *space = strrchr(command->path, ' ');
    size_t length = space ? MIN((size_t)(space - command->path), size - 1) : 0;
    memcpy(ret, command->path, length);
    ret[length] = 0;
}

int help_columns(void)
{
    int columns = cli_columns(STDIN_FILENO);
    return columns > 0 ? columns : 80;
}

/* ---- folding ---- */

static size_t last_of(const char *text, size_t length, const char *set)
{
    while (length > 0 && !strchr(set, text[length - 1]))
        length--;
    return length; /* position + 1; 0 = none */
}

/* The length of the next line of text; *ret_skip of the white space after it. */
static size_t line_length(const char *text, size_t room, size_t *ret_skip)
{
    size_t length = strlen(text);
    *ret_skip = 0;
    if (room + SLOP > length)
        return length;
    size_t cut = last_of(text, room, " \t\n"), newline = last_of(text, room, "\n");
    if (cut <= 1)
        return length;
    *ret_skip = 1;
    return newline > 1 && newline < cut ? newline - 1 : cut - 1;
}

static void put_spaces(struct buf *out, size_t count)
{
    buf_printf(out, "%*s", (int)count, "");
}

static void put_indented(struct buf *out, const char *text, size_t length, size_t indent)
{
    for (size_t i = 0; i < length; i++) {
        buf_putc(out, text[i]);
        if (text[i] == '\n')
            put_spaces(out, indent);
    }
}

/* Puts the text beginning at column `indent`, folded at `columns`. Too narrow a rest moves it under the name. */
static void put_folded(struct buf *out, const char *text, size_t indent, size_t columns)
{
    size_t room = columns > indent ? columns - indent : 0;
    if (room < 24) {
        indent = 16;
        room = columns > indent ? columns - indent : 0;
        buf_putc(out, '\n');
        put_spaces(out, indent);
    }
    if (room < 24) {
        put_indented(out, text, strlen(text), indent);
        return;
    }
    for (bool first = true; first || *text; first = false) {
        size_t skip, length = line_length(text, room - SLOP, &skip);
        if (!first) {
            buf_putc(out, '\n');
            put_spaces(out, indent);
        }
        put_indented(out, text, length, indent);
        text += length + skip;
    }
}

/* ---- flags ---- */

static char *flag_left(const struct flag *flag)
{
    const char *shown = flag_shown(flag);
    char letter[8] = "    ";
    if (flag->letter)
        memcpy(letter, (char[]){ '-', flag->letter, ',', ' ', 0 }, 5);
    return str_format("  %s--%s%s%s", letter, flag->name, shown ? " " : "", shown ? shown : "");
}

static char *flag_right(const struct flag *flag)
{
    if (!flag->initial || str_eq(flag->initial, "false") || !*flag->initial)
        return xstrdup(flag->help);
    const char *quote = flag->kind == FLAG_STR ? "\"" : "";
    return str_format("%s (default %s%s%s)", flag->help, quote, flag->initial, quote);
}

static int compare_flags(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->name, (*(const struct flag *const *)b)->name);
}

static size_t sorted_flags(const struct flag *flags, const struct flag ***ret)
{
    size_t count = 0;
    *ret = NULL;
    for (; flags && flags->name; flags++) {
        if (flags->hidden)
            continue;
        *ret = xreallocarray(*ret, count + 1, sizeof **ret);
        (*ret)[count++] = flags;
    }
    if (count)
        qsort(*ret, count, sizeof **ret, compare_flags);
    return count;
}

void help_flags(const struct flag *flags, int columns, struct buf *out)
{
    AUTO_FREE const struct flag **sorted = NULL;
    size_t count = sorted_flags(flags, &sorted), widest = 0;
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *left = flag_left(sorted[i]);
        widest = MAX(widest, strlen(left));
    }
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *left = flag_left(sorted[i]), *right = flag_right(sorted[i]);
        buf_printf(out, "%-*s", (int)widest + 3, left);
        put_folded(out, right, widest + 3, (size_t)columns - 1);
        buf_putc(out, '\n');
    }
}

/* ---- pages ---- */

void help_usage(const struct command *command, const char *name, struct buf *out)
{
    buf_puts(out, "Usage:  holk ");
    buf_puts(out, name);
    if (*command->usage)
        buf_putc(out, ' ');
    for (const char *at = command->usage; *at; at++) {
        buf_putc(out, *at);
        if (*at == '\n')
            buf_printf(out, "\tholk %s ", name);
    }
    buf_putc(out, '\n');
}

static void put_aliases(const struct command *command, struct buf *out)
{
    char group[64];
    if (!command->top && !command->aliases[0])
        return;
    command_group_name(command, group, sizeof group);
    buf_printf(out, "\nAliases:\n  holk %s", command->path);
    for (size_t i = 0; i < ARRAY_SIZE(command->aliases) && command->aliases[i]; i++)
        buf_printf(out, ", holk %s%s%s", group, *group ? " " : "", command->aliases[i]);
    if (command->top)
        buf_printf(out, ", holk %s", command->top);
    buf_putc(out, '\n');
}

void help_command(const struct command *command, const char *name, int columns, struct buf *out)
{
    help_usage(command, name, out);
    buf_printf(out, "\n%s\n", command->long_help ? command->long_help : command->help);
    put_aliases(command, out);
    if (command->flags && command->flags->name) {
        buf_puts(out, "\nOptions:\n");
        help_flags(command->flags, columns, out);
    }
}

static void put_row(struct buf *out, const char *name, const char *help)
{
    buf_printf(out, "  %-*s%s\n", NAME_COLUMN, name, help);
}

struct row {
    const char *name, *help;
    int place;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    return left->place != right->place ? left->place - right->place : strcmp(left->name, right->name);
}

static void put_rows(struct buf *out, const char *title, struct row *rows, size_t count)
{
    if (!count)
        return;
    qsort(rows, count, sizeof *rows, compare_rows);
    buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count; i++)
        put_row(out, rows[i].name, rows[i].help);
}

static size_t commands_count(void)
{
    size_t count = 0;
    while (commands[count])
        count++;
    return count;
}

void help_group(const struct command_group *group, struct buf *out)
{
    AUTO_FREE struct row *rows = xcalloc(commands_count() + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; commands[i]; i++) {
        char name[64];
        command_group_name(commands[i], name, sizeof name);
        if (str_eq(name, group->name) && !(commands[i]->options & COMMAND_HIDDEN))
            rows[count++] = (struct row){ .name = command_word(commands[i]), .help = commands[i]->help };
    }
    buf_printf(out, "Usage:  holk %s COMMAND\n\n%s\n", group->name, group->help);
    put_rows(out, "Commands", rows, count);
    buf_printf(out, "\nRun 'holk %s COMMAND --help' for more information on a command.\n", group->name);
}

static void put_top_commands(bool common, struct buf *out)
{
    AUTO_FREE struct row *rows = xcalloc(commands_count() + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; commands[i]; i++) {
        const struct command *command = commands[i];
        const char *name = command->top ? command->top : strchr(command->path, ' ') ? NULL : command->path;
        if (name && !(command->options & COMMAND_HIDDEN) && (command->common > 0) == common)
            rows[count++] = (struct row){ .name = name, .help = command->help, .place = command->common };
    }
    put_rows(out, common ? "Common Commands" : "Commands", rows, count);
}

void help_top(const struct flag *global_flags, int columns, struct buf *out)
{
    buf_puts(out, "Usage:  holk [OPTIONS] COMMAND\n\nRuns and manages containers through holkd or any Docker daemon\n");
    put_top_commands(true, out);
    buf_puts(out, "\nManagement Commands:\n");
    for (const struct command_group *group = command_groups; group->name; group++)
        put_row(out, group->name, group->help);
    put_top_commands(false, out);
    buf_puts(out, "\nGlobal Options:\n");
    help_flags(global_flags, columns, out);
    buf_puts(out, "\nRun 'holk COMMAND --help' for more information on a command.\n");
}
