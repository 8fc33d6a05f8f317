/* Values as text: as Go's %v, as JSON, and through the verbs of printf. */
#include "cli/json_text.h"
#include "cli/template_internal.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

struct pair {
    const char *key;
    const struct json *value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *first = a, *second = b;
    return strcmp(first->key, second->key);
}

size_t json_sorted_keys(const struct json *map, const char ***ret_keys, const struct json ***ret_values)
{
    size_t count = json_kind_of(map) == JSON_MAP ? json_count(map) : 0, i = 0;
    struct pair *pairs = xcalloc(count + 1, sizeof *pairs);
    void *cursor = NULL;
    while (i < count && json_map_next(map, &cursor, &pairs[i].key, &pairs[i].value))
        i++;
    qsort(pairs, i, sizeof *pairs, compare_pairs);
    *ret_keys = xcalloc(count + 1, sizeof **ret_keys);
    *ret_values = xcalloc(count + 1, sizeof **ret_values);
    for (size_t k = 0; k < i; k++) {
        (*ret_keys)[k] = pairs[k].key;
        (*ret_values)[k] = pairs[k].value;
    }
    free(pairs);
    return i;
}

#define EXPONENT_FROM 6

/* Go's shortest form that reads back the same; an exponent from 1e+06 and below 1e-04. */
static void print_real(double real, struct buf *out)
{
    char text[400], *e;
    int digits = 1;
    if (isnan(real) || isinf(real)) {
        buf_puts(out, isnan(real) ? "NaN" : real > 0 ? "+Inf" : "-Inf");
        return;
    }
    do
        snprintf(text, sizeof text, "%.*e", digits - 1, real);
    while (strtod(text, NULL) != real && ++digits <= 17);
    e = strchr(text, 'e');
    int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;
    if (exponent < -4 || exponent >= EXPONENT_FROM)
        buf_puts(out, text);
    else
        buf_printf(out, "%.*f", MAX(digits - 1 - exponent, 0), real);
}

static void print_inner(const struct value *value, struct buf *out)
{
    if (value->kind == VALUE_NONE || value->kind == VALUE_NIL)
        buf_puts(out, "<nil>");
    else
        value_print(value, out);
}

static void print_map(const struct value *map, struct buf *out)
{
    const char **keys = NULL;
    const struct json **values = NULL;
    size_t count = json_sorted_keys(map->json, &keys, &values);
    buf_puts(out, "map[");
    for (size_t i = 0; i < count; i++) {
        struct value item = value_item(map, values[i]);
        buf_printf(out, "%s%s:", i ? " " : "", keys[i]);
        if (map->field && map->field->kind == CODEC_STRSET)
            buf_puts(out, "{}");
        else
            print_inner(&item, out);
    }
    buf_putc(out, ']');
    free(keys);
    free(values);
}

static void print_list(const struct value *list, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < json_count(list->json); i++) {
        struct value item = value_item(list, json_at(list->json, i));
        if (i)
            buf_putc(out, ' ');
        print_inner(&item, out);
    }
    buf_putc(out, ']');
}

static void print_struct(const struct value *value, struct buf *out)
{
    bool first = true;
    if (!value->type) { /* a record: Go would print addresses */
        value_json(value, out);
        return;
    }
    buf_putc(out, '{');
    for (const struct codec_field *row = value->type->fields; row->name; row++, first = false) {
        struct value member = value_of_json(json_get_nocase(value->json, row->name), row);
        if (!first)
            buf_putc(out, ' ');
        print_inner(&member, out);
    }
    buf_putc(out, '}');
}

void value_print(const struct value *value, struct buf *out)
{
    switch (value->kind) {
    case VALUE_NONE:
        buf_puts(out, "<no value>");
        break;
    case VALUE_NIL:
        buf_puts(out, "<nil>");
        break;
    case VALUE_BOOL:
        buf_puts(out, value->integer ? "true" : "false");
        break;
    case VALUE_INT:
        buf_printf(out, "%lld", (long long)value->integer);
        break;
    case VALUE_FLOAT:
        print_real(value->real, out);
        break;
    case VALUE_STRING:
        buf_puts(out, value->text);
        break;
    case VALUE_LIST:
        print_list(value, out);
        break;
    case VALUE_MAP:
        print_map(value, out);
        break;
    case VALUE_STRUCT:
        print_struct(value, out);
        break;
    }
}

/* ---- JSON ---- */

/* A record alone keeps the escapes of HTML characters, as in Docker. */
static void json_record(const struct value *value, struct buf *out)
{
    const char **keys = NULL;
    const struct json **values = NULL;
    size_t count = json_sorted_keys(value->json, &keys, &values);
    buf_putc(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(out, ',');
        json_put_string(out, keys[i], strlen(keys[i]));
        buf_putc(out, ':');
        json_write(values[i], out);
    }
    buf_putc(out, '}');
    free(keys);
    free(values);
}

/* A struct that has a table prints as the table says, whatever the daemon's manners are. */
static bool json_struct(const struct value *value, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX), encoded = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FREE void *decoded = xcalloc(1, value->type->size);
    struct err err = { 0 };
    json_write(value->json, &text);
    if (buf_failed(&text) || codec_decode(value->type, text.data, text.length, decoded, &err) < 0)
        return false;
    codec_encode(value->type, decoded, &encoded);
    json_text_plain(&encoded, out);
    codec_clear(value->type, decoded);
    return true;
}

void value_json(const struct value *value, struct buf *out)
{
    bool is_map = value->kind == VALUE_MAP || value->kind == VALUE_STRUCT;
    if (value->kind == VALUE_STRUCT && value->is_record && !value->type)
        json_record(value, out);
    else if (value->kind == VALUE_STRUCT && value->type && !value->is_record && value->json && json_struct(value, out))
        return;
    else if (value->json && (value->kind != VALUE_NIL && value->kind != VALUE_NONE))
        json_text_write(value->json, NULL, NULL, out);
    else if (value->kind == VALUE_STRING)
        json_text_string(value->text, out);
    else if (value->kind == VALUE_FLOAT || value->kind == VALUE_INT || value->kind == VALUE_BOOL)
        value_print(value, out);
    else
        buf_puts(out, is_map && value->kind == VALUE_STRUCT ? "{}" : "null");
}

struct json *value_to_json(const struct value *value)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    struct json *json = NULL;
    struct err err = { 0 };
    value_json(value, &text);
    if (!text.data || buf_failed(&text) || json_parse(text.data, text.length, &json, &err) < 0)
        return json_new_text("");
    return json;
}

/* ---- printf ---- */

struct verb {
    bool minus, plus, sharp, zero, space, picks;
    int width, precision; /* precision -1: none */
    char letter;
};

static void put_padded(const struct verb *verb, const char *text, struct buf *out)
{
    size_t length = strlen(text), characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    size_t missing = (size_t)verb->width > characters ? (size_t)verb->width - characters : 0;
    bool zero = verb->zero && !verb->minus;
    bool sign = zero && (*text == '-' || *text == '+');
    if (sign)
        buf_putc(out, *text++);
    for (size_t i = 0; i < missing && !verb->minus; i++)
        buf_putc(out, zero ? '0' : ' ');
    buf_puts(out, text);
    for (size_t i = 0; i < missing && verb->minus; i++)
        buf_putc(out, ' ');
}

static void format_integer(const struct verb *verb, int64_t number, struct buf *out)
{
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    const char *sign = number < 0 ? "-" : verb->plus ? "+" : verb->space ? " " : "";
    char digits[72], *at = digits + sizeof digits;
    unsigned base = verb->letter == 'x' || verb->letter == 'X' ? 16
                    : verb->letter == 'o'                      ? 8
                    : verb->letter == 'b'                      ? 2
                                                               : 10;
    const char *set = verb->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    *--at = '\0';
    do
        *--at = set[size % base];
    while (size /= base);
    const char *prefix = !verb->sharp || base == 10 ? ""
                         : base == 8                ? "0"
                         : base == 2                ? "0b"
                         : verb->letter == 'X'      ? "0X"
                                                    : "0x";
    AUTO_FREE char *text = str_format("%s%s%s", sign, prefix, at);
    put_padded(verb, text, out);
}

static void format_real(const struct verb *verb, double real, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    int precision = verb->precision;
    if (verb->plus && real >= 0)
        buf_putc(&text, '+');
    if (verb->letter == 'f' || verb->letter == 'F')
        buf_printf(&text, "%.*f", precision < 0 ? 6 : precision, real);
    else if (verb->letter == 'e' || verb->letter == 'E')
        buf_printf(&text, verb->letter == 'e' ? "%.*e" : "%.*E", precision < 0 ? 6 : precision, real);
    else if (precision >= 0)
        buf_printf(&text, "%.*g", precision, real);
    else
        print_real(real, &text);
    put_padded(verb, text.data ? text.data : "", out);
}

static void format_text(const struct verb *verb, const char *bytes, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t length = strlen(bytes);
    if (verb->precision >= 0) {
        size_t characters = 0, i = 0;
        for (; i < length; i++)
            if (((unsigned char)bytes[i] & 0xc0) != 0x80 && characters++ == (size_t)verb->precision)
                break;
        length = i;
    }
    AUTO_FREE char *shown = xstrndup(bytes, length);
    if (verb->letter == 'q') {
        json_text_string(shown, &text);
    } else if (verb->letter == 'x' || verb->letter == 'X') {
        for (size_t i = 0; i < length; i++)
            buf_printf(&text, verb->letter == 'x' ? "%02x" : "%02X", (unsigned char)bytes[i]);
    } else {
        buf_append(&text, bytes, length);
    }
    put_padded(verb, text.data ? text.data : "", out);
}

static void format_value(struct template_run *run, const struct verb *verb, const struct value *value, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    bool is_integer = value->kind == VALUE_INT;
    if (verb->letter == 'T') {
        put_padded(verb, value_type_name(run, value), out);
    } else if (verb->letter == 'v' || (verb->letter == 't' && value->kind == VALUE_BOOL)) {
        if (value->kind == VALUE_NONE)
            buf_puts(&text, "<nil>");
        else if (verb->sharp && value->kind == VALUE_STRING)
            json_text_string(value->text, &text);
        else
            value_print(value, &text);
        put_padded(verb, text.data ? text.data : "", out);
    } else if (is_integer && strchr("dxXob", verb->letter)) {
        format_integer(verb, value->integer, out);
    } else if (value->kind == VALUE_FLOAT && strchr("feEgGF", verb->letter)) {
        format_real(verb, value->real, out);
    } else if (value->kind == VALUE_STRING && strchr("sqxX", verb->letter)) {
        format_text(verb, value->text, out);
    } else if ((value->kind == VALUE_LIST || value->kind == VALUE_MAP || value->kind == VALUE_STRUCT) &&
               verb->letter == 's') {
        value_print(value, &text);
        put_padded(verb, text.data ? text.data : "", out);
    } else if (is_integer && verb->letter == 'c' && value->integer > 0 && value->integer < 128) {
        buf_putc(out, (char)value->integer);
    } else {
        buf_printf(out, "%%!%c(", verb->letter);
        if (value->kind != VALUE_NONE && value->kind != VALUE_NIL)
            buf_printf(out, "%s=", value_type_name(run, value));
        print_inner(value, out);
        buf_putc(out, ')');
    }
}

/* A number of the format, or the next argument for '*'. -1: malformed or too large. */
static int read_number(const char **at, const struct value *args, size_t count, size_t *next)
{
    int64_t number = 0;
    if (**at == '*') {
        (*at)++;
        if (*next >= count || args[*next].kind != VALUE_INT)
            return -1;
        number = args[(*next)++].integer;
    }
    while (isdigit((unsigned char)**at) && number <= TEMPLATE_WIDTH_MAX)
        number = number * 10 + (*(*at)++ - '0');
    return number < 0 || number > TEMPLATE_WIDTH_MAX ? -1 : (int)number;
}

/* "[2]": the argument to take next. */
static bool read_position(const char **at, const struct value *args, size_t count, size_t *next, bool *ret_picks)
{
    if (**at != '[')
        return true;
    (*at)++;
    int position = read_number(at, args, count, next);
    if (position < 1 || **at != ']')
        return false;
    (*at)++;
    *next = (size_t)position - 1;
    *ret_picks = true;
    return true;
}

static bool read_verb(const char **at, const struct value *args, size_t count, size_t *next, struct verb *ret)
{
    *ret = (struct verb){ .precision = -1 };
    for (; **at && strchr("-+# 0", **at); (*at)++) {
        ret->minus |= **at == '-';
        ret->plus |= **at == '+';
        ret->sharp |= **at == '#';
        ret->zero |= **at == '0';
        ret->space |= **at == ' ';
    }
    if (!read_position(at, args, count, next, &ret->picks) || (ret->width = read_number(at, args, count, next)) < 0)
        return false;
    if (**at == '.') {
        (*at)++;
        if ((ret->precision = read_number(at, args, count, next)) < 0)
            return false;
    }
    if (!read_position(at, args, count, next, &ret->picks))
        return false;
    if (**at)
        ret->letter = *(*at)++;
    return true;
}

bool value_printf(struct template_run *run, const char *format, const struct value *args, size_t count, struct buf *out)
{
    size_t next = 0;
    bool picks = false;
    for (const char *at = format; *at;) {
        struct verb verb;
        if (*at != '%') {
            buf_putc(out, *at++);
            continue;
        }
        at++;
        if (!read_verb(&at, args, count, &next, &verb))
            return false;
        picks |= verb.picks;
        if (!verb.letter)
            buf_puts(out, "%!(NOVERB)");
        else if (verb.letter == '%')
            buf_putc(out, '%');
        else if (next >= count)
            buf_printf(out, "%%!%c(MISSING)", verb.letter);
        else
            format_value(run, &verb, &args[next++], out);
    }
    if (next < count && !picks) {
        buf_puts(out, "%!(EXTRA ");
        for (size_t i = next; i < count; i++) {
            buf_printf(out, "%s%s=", i > next ? ", " : "", value_type_name(run, &args[i]));
            print_inner(&args[i], out);
        }
        buf_putc(out, ')');
    }
    return !buf_failed(out);
}
