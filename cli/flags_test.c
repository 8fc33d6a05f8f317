#include "cli/find.h"
#include "cli/flags.h"
#include "cli/help.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

struct options {
    bool all, quiet, trust;
    char *name, *pull;
    char **env;
    int64_t count, memory, cpus, delay, swap;
    struct opt_bool init;
    struct opt_i64 timeout;
    struct str_map sysctl;
};

static int check_short(const char *value, char **ret_value, struct err *err)
{
    if (strlen(value) > 3)
        return err_set(err, ERR_INVALID, "'%s' is long", value);
    *ret_value = str_format("<%s>", value);
    return 0;
}

static const struct flag flags[] = {
    FLAG_BOOL_(struct options, all, "all", 'a', "Everything"),
    FLAG_BOOL_(struct options, quiet, "quiet", 'q', "Nothing"),
    FLAG_BOOL_(struct options, trust, "trust", 0, "Trust", .initial = "true"),
    FLAG_STR_(struct options, name, "name", 'n', "Name"),
    FLAG_STR_(struct options, pull, "pull", 0, "Pull", .initial = "missing"),
    FLAG_STRV_(struct options, env, "env", 'e', "Environment", .check = check_short),
    FLAG_I64_(struct options, count, "count", 'c', "Count", .initial = "-1"),
    FLAG_BYTES_(struct options, memory, "memory", 'm', "Memory"),
    FLAG_BYTES_(struct options, swap, "swap", 0, "Swap", .allow_minus_one = true),
    FLAG_NANO_CPUS_(struct options, cpus, "cpus", 0, "CPUs"),
    FLAG_DURATION_(struct options, delay, "delay", 0, "Delay"),
    FLAG_OPT_BOOL_(struct options, init, "init", 0, "Init"),
    FLAG_OPT_I64_(struct options, timeout, "timeout", 't', "Timeout"),
    FLAG_STRMAP_(struct options, sysctl, "sysctl", 0, "Sysctl"),
    FLAG_END,
};

static struct options options;
static struct flags_result result;
static struct err err;

static int parse_words(bool stop, const char *line)
{
    flags_clear(flags, &options);
    strv_free(result.args);
    options = (struct options){ 0 };
    result = (struct flags_result){ 0 };
    err_clear(&err);
    flags_init(flags, &options);
    CLEANUP(strv_free) char **words = strv_split(line, ' ', true);
    return flags_parse(flags, &options, stop, words, &result, &err);
}

static const char *joined(void)
{
    static char *text;
    free(text);
    return text = strv_join(result.args, " ");
}

static void done(void)
{
    (void)parse_words(false, "");
    flags_clear(flags, &options);
    strv_free(result.args);
    result.args = NULL;
}

TEST(initial)
{
    CHECK_INT(parse_words(false, ""), 0);
    CHECK(!options.all && options.trust && options.count == -1 && !options.init.present && !options.name);
    CHECK_STR(options.pull, "missing");
    CHECK_INT(result.given, 0);
    done();
}

TEST(forms)
{
    CHECK_INT(parse_words(false, "-aq --name x --pull=never -e A -eB -e=C --env D one -c5 two"), 0);
    CHECK(options.all && options.quiet);
    CHECK_STR(options.name, "x");
    CHECK_STR(options.pull, "never");
    CHECK_INT(strv_length(options.env), 4);
    CHECK_STR(options.env[1], "<B>");
    CHECK_STR(options.env[2], "<C>");
    CHECK_INT(options.count, 5);
    CHECK_STR(joined(), "one two");
    CHECK_INT(result.given, 9);
    CHECK_INT(parse_words(false, "-aqnfoo bar"), 0);
    CHECK_STR(options.name, "foo");
    CHECK_INT(parse_words(false, "-a=false --trust=0 --init -t -5 --name --x"), 0);
    CHECK(!options.all && !options.trust && options.init.present && options.init.value);
    CHECK_INT(options.timeout.value, -5);
    CHECK_STR(options.name, "--x");
    CHECK_INT(parse_words(false, "--init=false"), 0);
    CHECK(options.init.present && !options.init.value);
    done();
}

TEST(arguments)
{
    CHECK_INT(parse_words(false, "a -q b -- -a --name"), 0);
    CHECK(options.quiet && !options.all);
    CHECK_STR(joined(), "a b -a --name");
    CHECK_INT(parse_words(true, "-q image -a --nope"), 0);
    CHECK(options.quiet && !options.all);
    CHECK_STR(joined(), "image -a --nope");
    CHECK_INT(result.rest, 1);
    CHECK_INT(parse_words(true, "-q -- image -- x"), 0);
    CHECK_STR(joined(), "image -- x");
    CHECK_INT(parse_words(false, "- -q"), 0);
    CHECK_STR(joined(), "-");
    done();
}

TEST(values)
{
    CHECK_INT(parse_words(false, "-m 1.5g --swap -1 --cpus 0.000000001 --delay 1m30s --sysctl a=b --sysctl c --sysctl a=d=e"), 0);
    CHECK_INT(options.memory, 1610612736);
    CHECK_INT(options.swap, -1);
    CHECK_INT(options.cpus, 1);
    CHECK_INT(options.delay, 90000000000);
    CHECK_STR(str_map_get(&options.sysctl, "a"), "d=e");
    CHECK_STR(str_map_get(&options.sysctl, "c"), "");
    CHECK_INT(parse_words(false, "--cpus 2 -c 0x10"), 0);
    CHECK_INT(options.cpus, 2000000000);
    CHECK_INT(options.count, 16);
    CHECK_INT(parse_words(false, "--cpus .5"), 0);
    CHECK_INT(options.cpus, 500000000);
    done();
}

static void refused(const char *line, const char *text)
{
    CHECK_INT(parse_words(false, line), -1);
    CHECK_STR(err.text, text);
    result.args = NULL;
}

TEST(refusals)
{
    refused("--foo", "unknown flag: --foo");
    refused("--foo=bar", "unknown flag: --foo");
    refused("-aqx", "unknown shorthand flag: 'x' in -x");
    refused("-xa", "unknown shorthand flag: 'x' in -xa");
    refused("--name", "flag needs an argument: --name");
    refused("-an", "flag needs an argument: 'n' in -n");
    refused("--=x", "bad flag syntax: --=x");
    refused("---", "bad flag syntax: ---");
    refused("-a=maybe", "invalid argument \"maybe\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax");
    refused("-c x", "invalid argument \"x\" for \"-c, --count\" flag: strconv.ParseInt: parsing \"x\": invalid syntax");
    refused("-c 9223372036854775808", "invalid argument \"9223372036854775808\" for \"-c, --count\" flag: strconv.ParseInt: "
                                      "parsing \"9223372036854775808\": value out of range");
    refused("-m -1", "invalid argument \"-1\" for \"-m, --memory\" flag: invalid size: '-1'");
    refused("--swap -2", "invalid argument \"-2\" for \"--swap\" flag: invalid size: '-2'");
    refused("--cpus 0.0000000001", "invalid argument \"0.0000000001\" for \"--cpus\" flag: value is too precise");
    refused("--cpus x", "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number");
    refused("--cpus 99999999999999999999", "invalid argument \"99999999999999999999\" for \"--cpus\" flag: value is too large");
    refused("--delay 5", "invalid argument \"5\" for \"--delay\" flag: time: missing unit in duration \"5\"");
    refused("--delay 5x", "invalid argument \"5x\" for \"--delay\" flag: time: invalid duration \"5x\"");
    refused("-e long", "invalid argument \"long\" for \"-e, --env\" flag: 'long' is long");
    refused("-e \"a\"b", "invalid argument \"\\\"a\\\"b\" for \"-e, --env\" flag: '\"a\"b' is long");
    done();
}

TEST(help_asked)
{
    CHECK_INT(parse_words(false, "x --help --nope"), 0);
    CHECK(result.help && !result.short_help);
    CHECK_INT(parse_words(false, "-ah"), 0);
    CHECK(result.help && result.short_help);
    CHECK_INT(parse_words(true, "x --help"), 0);
    CHECK(!result.help);
    done();
}

TEST(finding)
{
    struct found found;
    char *ps[] = { (char[]){ "ps" }, NULL }, *list[] = { (char[]){ "container" }, (char[]){ "list" }, (char[]){ "x" }, NULL };
    char *group[] = { (char[]){ "container" }, NULL }, *nope[] = { (char[]){ "nope" }, NULL };
    CHECK(command_find(ps, &found) && found.command);
    CHECK_STR(found.name, "ps");
    CHECK_INT(found.words, 1);
    free(found.name);
    CHECK(command_find(list, &found) && found.command);
    CHECK_STR(found.name, "container ls");
    CHECK_INT(found.words, 2);
    free(found.name);
    CHECK(command_find(group, &found) && !found.command && found.group);
    CHECK(!command_find(nope, &found));
    AUTO_FREE char *near = command_suggest("strat", NULL), *none = command_suggest("xyzzy", NULL);
    AUTO_FREE char *in_group = command_suggest("inspct", found.group ? found.group : &command_groups[1]);
    CHECK(strstr(near, "\tstart\n"));
    CHECK_STR(none, "");
    CHECK_STR(in_group, "\tinspect\n");
}

/* Rows that contradict themselves would show only to the user who meets them. */
static void check_rows(const struct command *command)
{
    CHECK(command->help && *command->help && command->usage && command->run);
    for (const struct flag *flag = command->flags; flag && flag->name; flag++) {
        bool again = flags_find(command->flags, flag->name, strlen(flag->name)) != flag;
        bool letter = flag->letter && flags_find_letter(command->flags, flag->letter) != flag;
        if (again || letter || !flag->help)
            printf("# %s: --%s\n", command->path, flag->name);
        CHECK(!again && !letter && flag->help);
        CHECK(flag->offset < command->options_size);
    }
    AUTO_FREE void *storage = xcalloc(1, command->options_size + 1);
    flags_init(command->flags, storage);
    flags_clear(command->flags, storage);
}

TEST(every_command)
{
    for (size_t i = 0; commands[i]; i++) {
        check_rows(commands[i]);
        for (size_t j = 0; j < i; j++) {
            CHECK(!str_eq(commands[i]->path, commands[j]->path));
            CHECK(!commands[i]->top || !str_eq(commands[i]->top, commands[j]->top));
        }
    }
}

TESTS(T(initial), T(forms), T(arguments), T(values), T(refusals), T(help_asked), T(finding), T(every_command))
