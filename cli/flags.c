#include "cli/flags.h"
#include "cli/json_text.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include <ctype.h>
#include <errno.h>

static void *flag_member(const struct flag *flag, void *options)
{
    return (char *)options + flag->offset;
}

const struct flag *flags_find(const struct flag *flags, const char *name, size_t length)
{
    for (; flags && flags->name; flags++) {
        if (strlen(flags->name) == length && memcmp(flags->name, name, length) == 0)
            return flags;
    }
    return NULL;
}

const struct flag *flags_find_letter(const struct flag *flags, char letter)
{
    for (; flags && flags->name; flags++) {
        if (flags->letter == letter && letter)
            return flags;
    }
    return NULL;
}

const char *flag_shown(const struct flag *flag)
{
    if (flag->shown)
        return flag->shown;
    switch (flag->kind) {
    case FLAG_STR:
        return "string";
    case FLAG_STRV:
        return "list";
    case FLAG_I64:
    case FLAG_OPT_I64:
        return "int";
    case FLAG_BYTES:
        return "bytes";
    case FLAG_NANO_CPUS:
        return "decimal";
    case FLAG_DURATION:
        return "duration";
    case FLAG_STRMAP:
        return "map";
    case FLAG_BOOL:
    case FLAG_OPT_BOOL:
        break;
    }
    return NULL;
}

static bool takes_no_value(const struct flag *flag)
{
    return flag->kind == FLAG_BOOL || flag->kind == FLAG_OPT_BOOL;
}

/* ---- values ---- */

static int set_bool(const char *value, bool *ret, struct err *err)
{
    if (str_to_bool(value, ret) < 0)
        return err_set(err, ERR_INVALID, "strconv.ParseBool: parsing \"%s\": invalid syntax", value);
    return 0;
}

int parse_go_int(const char *value, int64_t *ret, struct err *err)
{
    bool minus = *value == '-';
    const char *digits = value + (*value == '-' || *value == '+');
    uint64_t number;
    int base = digits[0] == '0' && tolower((unsigned char)digits[1]) == 'x' ? 16 : 10;
    int failure = str_to_u64_base(digits, base, &number);
    if (failure == 0 && number > (uint64_t)INT64_MAX)
        failure = -ERANGE;
    if (failure)
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": %s", value,
                       failure == -ERANGE ? "value out of range" : "invalid syntax");
    *ret = minus ? -(int64_t)number : (int64_t)number;
    return 0;
}

static int set_bytes(const struct flag *flag, const char *value, int64_t *ret, struct err *err)
{
    if (flag->allow_minus_one && str_eq(value, "-1")) {
        *ret = -1;
        return 0;
    }
    if (str_to_bytes(value, ret) < 0)
        return err_set(err, ERR_INVALID, "invalid size: '%s'", value);
    return 0;
}

/* Decimal digits are read one by one: a double would lose the last of nine. */
static int set_nano_cpus(const char *value, int64_t *ret, struct err *err)
{
    const char *at = value;
    int64_t nano = 0;
    int decimals = -1;
    bool any = false;
    for (; isdigit((unsigned char)*at) || (*at == '.' && decimals < 0); at++) {
        if (*at == '.') {
            decimals = 0;
            continue;
        }
        any = true;
        if (decimals >= 9 && *at != '0')
            return err_set(err, ERR_INVALID, "value is too precise");
        if (decimals >= 9)
            continue;
        if (nano > INT64_MAX / 20)
            return err_set(err, ERR_INVALID, "value is too large");
        nano = nano * 10 + (*at - '0');
        decimals += decimals >= 0;
    }
    if (*at || !any)
        return err_set(err, ERR_INVALID, "failed to parse %s as a rational number", value);
    for (int i = decimals < 0 ? 0 : decimals; i < 9; i++) {
        if (nano > INT64_MAX / 10)
            return err_set(err, ERR_INVALID, "value is too large");
        nano *= 10;
    }
    *ret = nano;
    return 0;
}

static int set_duration(const char *value, int64_t *ret, struct err *err)
{
    if (time_parse_duration(value, ret) == 0)
        return 0;
    if (*value && strspn(value, "0123456789.") == strlen(value))
        return err_set(err, ERR_INVALID, "time: missing unit in duration \"%s\"", value);
    return err_set(err, ERR_INVALID, "time: invalid duration \"%s\"", value);
}

static void set_pair(const char *value, struct str_map *map)
{
    size_t length = strcspn(value, "=");
    AUTO_FREE char *key = xstrndup(value, length);
    str_map_set(map, key, value[length] ? value + length + 1 : "");
}

static int store_value(const struct flag *flag, void *options, const char *value, struct err *err)
{
    void *member = flag_member(flag, options);
    switch (flag->kind) {
    case FLAG_BOOL:
        return set_bool(value, member, err);
    case FLAG_STR:
        free(*(char **)member);
        *(char **)member = xstrdup(value);
        return 0;
    case FLAG_STRV:
        strv_append(member, value);
        return 0;
    case FLAG_I64:
        return parse_go_int(value, member, err);
    case FLAG_BYTES:
        return set_bytes(flag, value, member, err);
    case FLAG_NANO_CPUS:
        return set_nano_cpus(value, member, err);
    case FLAG_OPT_BOOL:
        ((struct opt_bool *)member)->present = true;
        return set_bool(value, &((struct opt_bool *)member)->value, err);
    case FLAG_OPT_I64:
        ((struct opt_i64 *)member)->present = true;
        return parse_go_int(value, &((struct opt_i64 *)member)->value, err);
    case FLAG_DURATION:
        return set_duration(value, member, err);
    case FLAG_STRMAP:
        set_pair(value, member);
        return 0;
    }
    return 0;
}

static int set_flag(const struct flag *flag, void *options, const char *value, struct err *err)
{
    AUTO_FREE char *replaced = NULL;
    if ((!flag->check || flag->check(value, &replaced, err) == 0) &&
        store_value(flag, options, replaced ? replaced : value, err) == 0)
        return 0;
    AUTO_FREE char *name = flag->letter ? str_format("-%c, --%s", flag->letter, flag->name) : str_format("--%s", flag->name);
    AUTO_BUF struct buf quoted = BUF_INIT(BUF_TEXT_MAX);
    json_text_string(value, &quoted);
    return err_wrap(err, "invalid argument %s for \"%s\" flag", quoted.data, name);
}

void flags_init(const struct flag *flags, void *options)
{
    struct err err = { 0 };
    for (; flags && flags->name; flags++) {
        if (flags->initial && store_value(flags, options, flags->initial, &err) < 0)
            abort(); /* a row that refuses its own initial value */
    }
}

void flags_clear(const struct flag *flags, void *options)
{
    for (; flags && flags->name; flags++) {
        void *member = flag_member(flags, options);
        if (flags->kind == FLAG_STR) {
            free(*(char **)member);
            *(char **)member = NULL;
        } else if (flags->kind == FLAG_STRV) {
            strv_free(*(char ***)member);
            *(char ***)member = NULL;
        } else if (flags->kind == FLAG_STRMAP) {
            str_map_clear(member);
        }
    }
}

/* ---- the line ---- */

struct parse {
    const struct flag *flags;
    void *options;
    char *const *argv;
    size_t at; /* the word after the one being read */
    struct flags_result result;
};

static int parse_long(struct parse *parse, const char *word, struct err *err)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    if (*name == '-' || *name == '=')
        return err_set(err, ERR_INVALID, "bad flag syntax: %s", word);
    const char *value = name[length] ? name + length + 1 : NULL;
    if (length == 4 && memcmp(name, "help", 4) == 0) {
        parse->result.help = true;
        return 0;
    }
    const struct flag *flag = flags_find(parse->flags, name, length);
    if (!flag)
        return err_set(err, ERR_INVALID, "unknown flag: --%.*s", (int)length, name);
    if (!value && takes_no_value(flag))
        value = "true";
    if (!value)
        value = parse->argv[parse->at] ? parse->argv[parse->at++] : NULL;
    if (!value)
        return err_set(err, ERR_INVALID, "flag needs an argument: %s", word);
    parse->result.given++;
    return set_flag(flag, parse->options, value, err);
}

/* The letters of one word: "-itp8080:80" is -i -t -p 8080:80. */
static int parse_letters(struct parse *parse, const char *letters, struct err *err)
{
    for (; *letters && !parse->result.help; letters++) {
        const struct flag *flag = flags_find_letter(parse->flags, *letters);
        if (!flag && *letters == 'h') {
            parse->result.help = parse->result.short_help = true;
            return 0;
        }
        if (!flag)
            return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *letters, letters);
        const char *value = NULL;
        bool whole = true; /* the value takes the rest of the word */
        if (letters[1] == '=') {
            value = letters + 2;
        } else if (takes_no_value(flag)) {
            value = "true";
            whole = false;
        } else if (letters[1]) {
            value = letters + 1;
        } else {
            value = parse->argv[parse->at] ? parse->argv[parse->at++] : NULL;
        }
        if (!value)
            return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in -%s", *letters, letters);
        parse->result.given++;
        if (set_flag(flag, parse->options, value, err) < 0)
            return -1;
        if (whole)
            return 0;
    }
    return 0;
}

static int parse_word(struct parse *parse, bool stop_at_arg, bool *inout_only_args, struct err *err)
{
    const char *word = parse->argv[parse->at++];
    if (!*inout_only_args && str_eq(word, "--")) {
        *inout_only_args = true;
        return 0;
    }
    if (*inout_only_args || word[0] != '-' || !word[1]) {
        if (stop_at_arg && !parse->result.args)
            parse->result.rest = parse->at - 1;
        *inout_only_args = *inout_only_args || stop_at_arg;
        strv_append(&parse->result.args, word);
        return 0;
    }
    return word[1] == '-' ? parse_long(parse, word, err) : parse_letters(parse, word + 1, err);
}

int flags_parse(const struct flag *flags, void *options, bool stop_at_arg, char *const *argv, struct flags_result *ret,
                struct err *err)
{
    struct parse parse = { .flags = flags, .options = options, .argv = argv };
    bool only_args = false;
    while (argv[parse.at] && !parse.result.help) {
        if (parse_word(&parse, stop_at_arg, &only_args, err) < 0) {
            strv_free(parse.result.args);
            return -1;
        }
    }
    if (!parse.result.args) {
        parse.result.args = xcalloc(1, sizeof *parse.result.args);
        parse.result.rest = parse.at;
    }
    *ret = parse.result;
    return 0;
}
