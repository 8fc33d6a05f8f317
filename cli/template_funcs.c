/* The functions of the language: Go's own and the ones that Docker's clients add. A row says how many arguments one
 * takes and which of them must be text. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

#include <ctype.h>

struct call {
    struct template_run *run;
    const struct node *at;
    const char *name;
    const struct value *args;
    size_t count;
};

static struct buf text_buffer(void)
{
    return (struct buf)BUF_INIT(BUF_TEXT_MAX);
}

static int done(const struct call *call, struct buf *text, struct value *ret)
{
    bool failed = buf_failed(text);
    char *data = failed ? NULL : buf_take(text);
    buf_done(text);
    if (!data)
        return run_fail(call->run, call->at, "error calling %s: the result is too large", call->name);
    *ret = value_text(call->run, data);
    return 0;
}

static int call_json(const struct call *call, struct value *ret)
{
    struct buf text = text_buffer();
    value_json(&call->args[0], &text);
    return done(call, &text, ret);
}

static int call_lower(const struct call *call, struct value *ret)
{
    *ret = value_text(call->run, str_lower(xstrdup(call->args[0].text)));
    return 0;
}

static int call_upper(const struct call *call, struct value *ret)
{
    char *text = xstrdup(call->args[0].text);
    for (char *c = text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    *ret = value_text(call->run, text);
    return 0;
}

static int call_title(const struct call *call, struct value *ret)
{
    char *text = xstrdup(call->args[0].text);
    bool inside = false;
    for (char *c = text; *c; c++) {
        bool letter = isalnum((unsigned char)*c) || *c == '_' || *c == '\'' || (unsigned char)*c >= 0x80;
        if (letter && !inside)
            *c = (char)toupper((unsigned char)*c);
        inside = letter;
    }
    *ret = value_text(call->run, text);
    return 0;
}

/* Splits at a separator of any length; an empty one splits into characters. */
static int call_split(const struct call *call, struct value *ret)
{
    const char *text = call->args[0].text, *separator = call->args[1].text;
    struct json *list = json_new_list();
    size_t step = strlen(separator);
    while (*text) {
        const char *next = step ? strstr(text, separator) : text + 1;
        while (!step && ((unsigned char)*next & 0xc0) == 0x80)
            next++;
        if (!next)
            break;
        AUTO_FREE char *piece = xstrndup(text, (size_t)(next - text));
        json_add_take(list, json_new_text(piece));
        text = next + step;
    }
    if (*text || step)
        json_add_take(list, json_new_text(text));
    *ret = value_list(call->run, list);
    return 0;
}

static int call_join(const struct call *call, struct value *ret)
{
    const struct value *list = &call->args[0];
    if (list->kind != VALUE_LIST && list->kind != VALUE_NONE && list->kind != VALUE_NIL)
        return run_fail(call->run, call->at, "wrong type for value; expected []string; got %s",
                        value_type_name(call->run, list));
    struct buf text = text_buffer();
    for (size_t i = 0; i < json_count(list->json); i++) {
        struct value item = value_item(list, json_at(list->json, i));
        if (i)
            buf_puts(&text, call->args[1].text);
        value_print(&item, &text);
    }
    return done(call, &text, ret);
}

static int whole_number(const struct call *call, size_t index, int64_t *ret)
{
    const struct value *value = &call->args[index];
    if (value->kind != VALUE_INT)
        return run_fail(call->run, call->at, "wrong type for value; expected int; got %s",
                        value_type_name(call->run, value));
    *ret = value->integer;
    return 0;
}

/* Spaces before and after a text that is not empty. */
static int call_pad(const struct call *call, struct value *ret)
{
    int64_t before = 0, after = 0;
    if (whole_number(call, 1, &before) < 0 || whole_number(call, 2, &after) < 0)
        return -1;
    if (before < 0 || after < 0 || before > TEMPLATE_WIDTH_MAX || after > TEMPLATE_WIDTH_MAX)
        return run_fail(call->run, call->at, "error calling pad: a width is not between 0 and %d", TEMPLATE_WIDTH_MAX);
    struct buf text = text_buffer();
    if (*call->args[0].text) {
        buf_printf(&text, "%*s%s%*s", (int)before, "", call->args[0].text, (int)after, "");
    }
    return done(call, &text, ret);
}

static int call_truncate(const struct call *call, struct value *ret)
{
    int64_t length = 0;
    const char *text = call->args[0].text;
    if (whole_number(call, 1, &length) < 0)
        return -1;
    if (length < 0)
        return run_fail(call->run, call->at, "error calling truncate: a length below 0");
    *ret = value_text(call->run, xstrndup(text, (size_t)length));
    return 0;
}

static int call_len(const struct call *call, struct value *ret)
{
    const struct value *value = &call->args[0];
    if (value->kind == VALUE_STRING)
        *ret = value_int((int64_t)strlen(value->text));
    else if (value->kind == VALUE_LIST || value->kind == VALUE_MAP)
        *ret = value_int((int64_t)json_count(value->json));
    else if (value->kind == VALUE_NONE || value->kind == VALUE_NIL)
        return run_fail(call->run, call->at, "error calling len: len of nil pointer");
    else
        return run_fail(call->run, call->at, "error calling len: len of type %s", value_type_name(call->run, value));
    return 0;
}

static int call_not(const struct call *call, struct value *ret)
{
    *ret = value_bool(!value_is_true(&call->args[0]));
    return 0;
}

/* fmt.Sprint puts spaces between operands when neither is text, Sprintln always. */
static int call_print(const struct call *call, struct value *ret)
{
    bool line = str_eq(call->name, "println");
    struct buf text = text_buffer();
    for (size_t i = 0; i < call->count; i++) {
        bool both = i && call->args[i].kind != VALUE_STRING && call->args[i - 1].kind != VALUE_STRING;
        if (i && (line || both))
            buf_putc(&text, ' ');
        if (call->args[i].kind == VALUE_NONE)
            buf_puts(&text, "<nil>");
        else
            value_print(&call->args[i], &text);
    }
    if (line)
        buf_putc(&text, '\n');
    return done(call, &text, ret);
}

static int call_printf(const struct call *call, struct value *ret)
{
    struct buf text = text_buffer();
    if (!value_printf(call->run, call->args[0].text, call->args + 1, call->count - 1, &text)) {
        buf_done(&text);
        return run_fail(call->run, call->at, "error calling printf: a width over %d", TEMPLATE_WIDTH_MAX);
    }
    return done(call, &text, ret);
}

/* html, js, urlquery: every argument printed, then escaped. */
static void escape_html(const char *text, struct buf *out)
{
    for (; *text; text++) {
        const char *name = *text == '<'    ? "&lt;"
                           : *text == '>'  ? "&gt;"
                           : *text == '&'  ? "&amp;"
                           : *text == '"'  ? "&#34;"
                           : *text == '\'' ? "&#39;"
                                           : NULL;
        if (name)
            buf_puts(out, name);
        else
            buf_putc(out, *text);
    }
}

static void escape_js(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (strchr("\\'\"", *text))
            buf_printf(out, "\\%c", *text);
        else if (strchr("<>&=", *text) || (unsigned char)*text < 0x20)
            buf_printf(out, "\\u%04X", (unsigned)*text);
        else
            buf_putc(out, *text);
    }
}

static void escape_query(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
            buf_putc(out, *text);
        else if (*text == ' ')
            buf_putc(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
    }
}

static int call_escape(const struct call *call, struct value *ret)
{
    struct value printed;
    struct call print = *call;
    print.name = "print";
    if (call_print(&print, &printed) < 0)
        return -1;
    struct buf text = text_buffer();
    if (str_eq(call->name, "html"))
        escape_html(printed.text, &text);
    else if (str_eq(call->name, "js"))
        escape_js(printed.text, &text);
    else
        escape_query(printed.text, &text);
    return done(call, &text, ret);
}

static int call_index(const struct call *call, struct value *ret)
{
    return function_index(call->run, call->at, call->args, call->count, ret);
}

static int call_slice(const struct call *call, struct value *ret)
{
    return function_slice(call->run, call->at, call->args, call->count, ret);
}

static int call_compare(const struct call *call, struct value *ret)
{
    return function_compare(call->run, call->at, call->name, call->args, call->count, ret);
}

static int call_call(const struct call *call, struct value *ret)
{
    (void)ret;
    AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    if (call->at->kind == NODE_COMMAND && call->at->kid_count > 1)
        node_print(call->at->kids[1], &shown);
    return run_fail(call->run, call->at, "error calling call: non-function %s of type %s", shown.data ? shown.data : "",
                    value_type_name(call->run, &call->args[0]));
}

struct function {
    const char *name;
    int (*run)(const struct call *call, struct value *ret);
    size_t min;
    int max;              /* -1: any number */
    unsigned texts;       /* bit n: argument n must be text */
    bool quiet_in_header; /* in a row of titles it answers its argument */
};
static const struct function functions[] = {
    { "and", NULL, 1, -1, 0, false },
    { "call", call_call, 1, -1, 0, false },
    { "eq", call_compare, 1, -1, 0, false },
    { "ge", call_compare, 2, 2, 0, false },
    { "gt", call_compare, 2, 2, 0, false },
    { "html", call_escape, 0, -1, 0, false },
    { "index", call_index, 1, -1, 0, false },
    { "join", call_join, 2, 2, 2, true },
    { "js", call_escape, 0, -1, 0, false },
    { "json", call_json, 1, 1, 0, true },
    { "le", call_compare, 2, 2, 0, false },
    { "len", call_len, 1, 1, 0, false },
    { "lower", call_lower, 1, 1, 1, true },
    { "lt", call_compare, 2, 2, 0, false },
    { "ne", call_compare, 2, 2, 0, false },
    { "not", call_not, 1, 1, 0, false },
    { "or", NULL, 1, -1, 0, false },
    { "pad", call_pad, 3, 3, 1, false },
    { "print", call_print, 0, -1, 0, false },
    { "printf", call_printf, 1, -1, 1, false },
    { "println", call_print, 0, -1, 0, false },
    { "slice", call_slice, 1, -1, 0, false },
    { "split", call_split, 2, 2, 3, true },
    { "title", call_title, 1, 1, 1, true },
    { "truncate", call_truncate, 2, 2, 1, true },
    { "upper", call_upper, 1, 1, 1, true },
    { "urlquery", call_escape, 0, -1, 0, false },
};

static const struct function *find_function(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (str_eq(functions[i].name, name))
            return &functions[i];
    return NULL;
}

bool function_exists(const char *name)
{
    return find_function(name);
}

static int wrong_count(const struct call *call, const struct function *function)
{
    bool at_least = function->max < 0;
    const struct node *at = call->at->kind == NODE_COMMAND ? call->at->kids[0] : call->at;
    return run_fail(call->run, at, "wrong number of args for %s: want %s%zu got %zu", function->name,
                    at_least ? "at least " : "", function->min, call->count);
}

static int not_text(const struct call *call, size_t i)
{
    const struct value *value = &call->args[i];
    bool written = call->at->kind == NODE_COMMAND && i + 1 < call->at->kid_count;
    const struct node *node = written ? call->at->kids[i + 1] : NULL;
    if (node && (node->kind == NODE_NUMBER || node->kind == NODE_BOOL)) {
        AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
        node_print(node, &shown);
        return run_fail(call->run, node, "expected string; found %s", shown.data);
    }
    if (value->kind == VALUE_NONE)
        return run_fail(call->run, call->at, "invalid value; expected string");
    return run_fail(call->run, call->at, "wrong type for value; expected string; got %s",
                    value_type_name(call->run, value));
}

int function_call(struct template_run *run, const struct node *at, const char *name, const struct value *args,
                  size_t count, struct value *ret)
{
    const struct function *function = find_function(name);
    struct call call = { run, at, name, args, count };
    if (!function || !function->run) /* `and` and `or` without arguments */
        return run_fail(run, at, "wrong number of args for %s: want at least 1 got %zu", name, count);
    if (run->data->is_header && function->quiet_in_header && count) {
        *ret = args[0];
        return 0;
    }
    if (count < function->min || (function->max >= 0 && count > (size_t)function->max))
        return wrong_count(&call, function);
    for (size_t i = 0; i < MIN(count, 2); i++) {
        if (!(function->texts & 1u << i) || args[i].kind == VALUE_STRING)
            continue;
        return not_text(&call, i);
    }
    return function->run(&call, ret);
}
