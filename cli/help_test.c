#include "cli/golden.h"
#include "cli/help.h"
#include "lib/base/str.h"

#define COLUMNS 80

/* Docker's own pages are the model: the golden file was compared with them when it was made. */
TEST(container_pages)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    for (size_t i = 0; commands[i]; i++) {
        char group[64];
        command_group_name(commands[i], group, sizeof group);
        if (!str_eq(group, "container"))
            continue;
        const char *name = commands[i]->top ? commands[i]->top : commands[i]->path;
        buf_printf(&out, "==== %s\n", name);
        help_command(commands[i], name, COLUMNS, &out);
    }
    golden_check("help_container.txt", &out);
}

TEST(group_page)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    for (const struct command_group *group = command_groups; group->name; group++) {
        if (str_eq(group->name, "container"))
            help_group(group, &out);
    }
    golden_check("help_group.txt", &out);
}

struct options {
    char *one;
};
static const struct flag wide_flags[] = {
    FLAG_STR_(struct options, one, "one", 'o', "Words that are long enough to be folded here and once more there"),
    FLAG_STR_(struct options, one, "a-flag-whose-name-takes-half-of-the-line", 0, "Its text moves to the next line", .initial = "x"),
    FLAG_END,
};

TEST(narrow)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    help_flags(wide_flags, 60, &out);
    CHECK_STR(out.data, "      --a-flag-whose-name-takes-half-of-the-line string   \n"
                        "                Its text moves to the next line\n"
                        "                (default \"x\")\n"
                        "  -o, --one string                                        \n"
                        "                Words that are long enough to be\n"
                        "                folded here and once more there\n");
    buf_clear(&out);
    help_flags(wide_flags, 20, &out);
    CHECK(strstr(out.data, "\n                Words that are long enough to be folded here and once more there\n"));
}

TESTS(T(container_pages), T(group_page), T(narrow))
