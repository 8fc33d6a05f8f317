#include "cli/find.h"
#include "cli/help.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include <ctype.h>

#define WORD_MAX 64
#define DISTANCE_MAX 2
#define SUGGESTIONS_MAX 3

static bool names_word(const struct command *command, const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(command->aliases) && command->aliases[i]; i++) {
        if (str_eq(command->aliases[i], word))
            return true;
    }
    return str_eq(command_word(command), word);
}

static const struct command *find_in(const char *group, const char *word)
{
    for (size_t i = 0; commands[i]; i++) {
        char name[WORD_MAX];
        command_group_name(commands[i], name, sizeof name);
        if (str_eq(name, group) && names_word(commands[i], word))
            return commands[i];
    }
    return NULL;
}

static const struct command *find_top(const char *word)
{
    for (size_t i = 0; commands[i]; i++) {
        if (str_eq(commands[i]->top, word))
            return commands[i];
    }
    return find_in("", word);
}

bool command_find(char *const *words, struct found *ret)
{
    *ret = (struct found){ 0 };
    if (!words[0])
        return false;
    for (const struct command_group *group = command_groups; group->name; group++) {
        if (!str_eq(group->name, words[0]))
            continue;
        ret->group = group;
        ret->words = 1;
        ret->command = words[1] ? find_in(group->name, words[1]) : NULL;
        if (ret->command) {
            ret->name = xstrdup(ret->command->path);
            ret->words = 2;
        }
        return true;
    }
    ret->command = find_top(words[0]);
    ret->words = 1;
    if (ret->command)
        ret->name = xstrdup(ret->command->top ? ret->command->top : ret->command->path);
    return ret->command != NULL;
}

/* Edits (insert, drop, replace) from a to b, lower-cased; words are short. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], width = strlen(b);
    if (width > WORD_MAX || strlen(a) > WORD_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t same = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));
            diagonal = row[j + 1];
            row[j + 1] = MIN(same, MIN(row[j], diagonal) + 1);
        }
    }
    return row[width];
}

static bool is_near(const char *word, const char *name)
{
    size_t length = strlen(word);
    return distance(word, name) <= (length < 4 ? 1 : DISTANCE_MAX) || (length > 2 && str_starts(name, word));
}

char *command_suggest(const char *word, const struct command_group *group)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t count = 0;
    for (size_t i = 0; commands[i] && count < SUGGESTIONS_MAX; i++) {
        char name[WORD_MAX];
        const struct command *command = commands[i];
        command_group_name(command, name, sizeof name);
        const char *candidate = group ? command_word(command) : command->top ? command->top : command->path;
        bool here = group ? str_eq(name, group->name) : command->top || !*name;
        if (here && !(command->options & COMMAND_HIDDEN) && is_near(word, candidate)) {
            buf_printf(&out, "\t%s\n", candidate);
            count++;
        }
    }
    for (size_t i = 0; !group && command_groups[i].name && count < SUGGESTIONS_MAX; i++) {
        if (is_near(word, command_groups[i].name)) {
            buf_printf(&out, "\t%s\n", command_groups[i].name);
            count++;
        }
    }
    return buf_take(&out);
}
