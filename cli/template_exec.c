/* Walks the tree. Every value lives as long as the run: texts and lists made on the way are kept in it. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

int run_fail(struct template_run *run, const struct node *at, const char *format, ...)
{
    const char *text = run->template->text, *name = run->template->name;
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < at->pos && text[i]; i++)
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    node_print(at, &shown);
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = str_vformat(format, args);
    va_end(args);
    return err_set(run->err, ERR_INVALID, "template: %s:%zu:%zu: executing \"%s\" at <%s>: %s", name, line,
                   at->pos - line_start, name, shown.data ? shown.data : "", message);
}

/* ---- variables ---- */

static void variable_push(struct template_run *run, const char *name, const struct value *value)
{
    run->variables = xreallocarray(run->variables, run->variable_count + 1, sizeof *run->variables);
    run->variables[run->variable_count++] = (struct variable){ xstrdup(name), *value };
}

static void variables_pop(struct template_run *run, size_t keep)
{
    while (run->variable_count > keep)
        free(run->variables[--run->variable_count].name);
}

static struct value *variable_find(struct template_run *run, const char *name)
{
    for (size_t i = run->variable_count; i > 0; i--)
        if (str_eq(run->variables[i - 1].name, name))
            return &run->variables[i - 1].value;
    return NULL;
}

/* ---- operands ---- */

static int eval_pipe(struct template_run *run, const struct value *dot, const struct node *pipe, struct value *ret);
static int eval_command(struct template_run *run, const struct value *dot, const struct node *command,
                        const struct value *last, struct value *ret);

/* .A.B.C of base; args belong to the last one. */
static int eval_names(struct template_run *run, const struct node *at, char *const *names, const struct value *base,
                      const struct value *args, size_t count, struct value *ret)
{
    struct value value = *base;
    for (; names && *names; names++) {
        bool last = !names[1];
        struct value next;
        if (value_field(run, at, &value, *names, last ? args : NULL, last ? count : 0, &next) < 0)
            return -1;
        value = next;
    }
    *ret = value;
    return 0;
}

static int eval_constant(const struct node *node, struct value *ret)
{
    *ret = (struct value){ .kind = VALUE_NONE };
    switch ((int)node->kind) {
    case NODE_BOOL:
        *ret = value_bool(node->integer);
        break;
    case NODE_NUMBER:
        *ret = node->is_float ? (struct value){ .kind = VALUE_FLOAT, .real = node->real } : value_int(node->integer);
        break;
    case NODE_STRING:
        *ret = (struct value){ .kind = VALUE_STRING, .text = node->text };
        break;
    case NODE_NIL:
        break;
    }
    return 0;
}

/* One operand that is an argument. */
static int eval_argument(struct template_run *run, const struct value *dot, const struct node *node, struct value *ret)
{
    struct value base;
    switch ((int)node->kind) {
    case NODE_DOT:
        *ret = *dot;
        return 0;
    case NODE_FIELD:
        return eval_names(run, node, node->names, dot, NULL, 0, ret);
    case NODE_VARIABLE: {
        struct value *found = variable_find(run, node->names[0]);
        if (!found)
            return run_fail(run, node, "undefined variable: %s", node->names[0]);
        return eval_names(run, node, node->names + 1, found, NULL, 0, ret);
    }
    case NODE_PIPE:
        return eval_pipe(run, dot, node, ret);
    case NODE_CHAIN:
        if (eval_argument(run, dot, node->kids[0], &base) < 0)
            return -1;
        return eval_names(run, node, node->names, &base, NULL, 0, ret);
    case NODE_IDENT:
        return function_call(run, node, node->text, NULL, 0, ret);
    default:
        return eval_constant(node, ret);
    }
}

/* `and` stops at the first false argument, `or` at the first true one. */
static int eval_short_circuit(struct template_run *run, const struct value *dot, const struct node *command,
                              const struct value *last, struct value *ret)
{
    bool is_or = str_eq(command->kids[0]->text, "or");
    size_t count = command->kid_count - 1;
    if (!count && !last)
        return run_fail(run, command, "wrong number of args for %s: want at least 1 got 0", command->kids[0]->text);
    for (size_t i = 0; i < count; i++) {
        if (eval_argument(run, dot, command->kids[i + 1], ret) < 0)
            return -1;
        if (value_is_true(ret) == is_or)
            return 0;
    }
    if (last)
        *ret = *last;
    return 0;
}

#define ARGUMENTS_MAX 64

static int eval_arguments(struct template_run *run, const struct value *dot, const struct node *command,
                          const struct value *last, struct value *args, size_t *ret_count)
{
    size_t count = 0;
    if (command->kid_count + 1 > ARGUMENTS_MAX)
        return run_fail(run, command, "more than %d arguments", ARGUMENTS_MAX);
    for (size_t i = 1; i < command->kid_count; i++)
        if (eval_argument(run, dot, command->kids[i], &args[count++]) < 0)
            return -1;
    if (last)
        args[count++] = *last;
    *ret_count = count;
    return 0;
}

static int eval_function(struct template_run *run, const struct value *dot, const struct node *command,
                         const struct value *last, struct value *ret)
{
    const char *name = command->kids[0]->text;
    struct value args[ARGUMENTS_MAX];
    size_t count;
    if (str_eq(name, "and") || str_eq(name, "or"))
        return eval_short_circuit(run, dot, command, last, ret);
    if (eval_arguments(run, dot, command, last, args, &count) < 0)
        return -1;
    return function_call(run, command, name, args, count, ret);
}

/* A field, chain or variable at the head of a command: its last name may be a method with arguments. */
static int eval_names_command(struct template_run *run, const struct value *dot, const struct node *command,
                              const struct value *last, struct value *ret)
{
    const struct node *first = command->kids[0];
    struct value base = *dot, args[ARGUMENTS_MAX];
    char **names = first->names;
    size_t count;
    if (first->kind == NODE_VARIABLE) {
        struct value *found = variable_find(run, *names++);
        if (!found)
            return run_fail(run, first, "undefined variable: %s", first->names[0]);
        base = *found;
    } else if (first->kind == NODE_CHAIN) {
        if (eval_argument(run, dot, first->kids[0], &base) < 0)
            return -1;
    }
    if (eval_arguments(run, dot, command, last, args, &count) < 0)
        return -1;
    if (count && !*names)
        return run_fail(run, first, "can't give argument to non-function %s", first->names[0]);
    return eval_names(run, first, names, &base, args, count, ret);
}

static int eval_command(struct template_run *run, const struct value *dot, const struct node *command,
                        const struct value *last, struct value *ret)
{
    const struct node *first = command->kids[0];
    bool has_args = command->kid_count > 1 || last;
    switch ((int)first->kind) {
    case NODE_FIELD:
    case NODE_CHAIN:
    case NODE_VARIABLE:
        return eval_names_command(run, dot, command, last, ret);
    case NODE_IDENT:
        return eval_function(run, dot, command, last, ret);
    case NODE_PIPE:
        break;
    case NODE_NIL:
        return run_fail(run, first, "nil is not a command");
    }
    if (has_args) {
        AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
        node_print(first, &shown);
        return run_fail(run, first, "can't give argument to non-function %s", shown.data);
    }
    return eval_argument(run, dot, first, ret);
}

static int eval_pipe(struct template_run *run, const struct value *dot, const struct node *pipe, struct value *ret)
{
    struct value value = { 0 };
    if (run->used > TEMPLATE_TEXT_MAX)
        return run_fail(run, pipe, "the values of this template are larger than %zu bytes", TEMPLATE_TEXT_MAX);
    for (size_t i = 0; i < pipe->kid_count; i++) {
        struct value next;
        if (eval_command(run, dot, pipe->kids[i], i ? &value : NULL, &next) < 0)
            return -1;
        value = next;
    }
    for (char **name = pipe->names; name && *name; name++) {
        struct value *found = pipe->is_assign ? variable_find(run, *name) : NULL;
        if (found)
            *found = value;
        else
            variable_push(run, *name, &value);
    }
    *ret = value;
    return 0;
}

/* ---- clauses ---- */

static int walk(struct template_run *run, const struct value *dot, const struct node *node);

static int walk_list(struct template_run *run, const struct value *dot, const struct node *list)
{
    for (size_t i = 0; list && i < list->kid_count && run->flow == RUN_ON; i++)
        if (walk(run, dot, list->kids[i]) < 0)
            return -1;
    return 0;
}

static int walk_condition(struct template_run *run, const struct value *dot, const struct node *node)
{
    size_t keep = run->variable_count;
    struct value value;
    if (eval_pipe(run, dot, node->pipe, &value) < 0)
        return -1;
    bool truth = value_is_true(&value);
    const struct value *inner = truth && node->kind == NODE_WITH ? &value : dot;
    int status = walk_list(run, inner, truth ? node->list : node->else_list);
    variables_pop(run, keep);
    return status;
}

/* One turn of a loop. The pipe's variables have been pushed already; they get this turn's key and item. */
static int walk_turn(struct template_run *run, const struct node *node, const struct value *key,
                     const struct value *item)
{
    size_t names = strv_length(node->pipe->names), keep = run->variable_count;
    if (++run->turns > TEMPLATE_TURNS_MAX)
        return run_fail(run, node, "more than %d turns of loops", TEMPLATE_TURNS_MAX);
    if (names) {
        struct value *last = variable_find(run, node->pipe->names[names - 1]);
        struct value *first = variable_find(run, node->pipe->names[0]);
        if (last)
            *last = *item;
        if (first && names > 1)
            *first = *key;
    }
    int status = walk_list(run, item, node->list);
    variables_pop(run, keep);
    if (run->flow == RUN_CONTINUE)
        run->flow = RUN_ON;
    return status;
}

static int walk_map(struct template_run *run, const struct node *node, const struct value *map)
{
    const char **keys = NULL;
    const struct json **values = NULL;
    size_t count = json_sorted_keys(map->json, &keys, &values);
    int status = 0;
    for (size_t i = 0; i < count && !status && run->flow == RUN_ON; i++) {
        struct value key = { .kind = VALUE_STRING, .text = keys[i] }, item = value_item(map, values[i]);
        status = walk_turn(run, node, &key, &item);
    }
    free(keys);
    free(values);
    return status;
}

static int walk_items(struct template_run *run, const struct node *node, const struct value *value)
{
    bool is_number = value->kind == VALUE_INT;
    int64_t count = is_number ? value->integer : (int64_t)json_count(value->json);
    for (int64_t i = 0; i < count && run->flow == RUN_ON; i++) {
        struct value key = value_int(i), item = key;
        if (!is_number)
            item = value_item(value, json_at(value->json, (size_t)i));
        if (run->out->failed)
            return run_fail(run, node, "the output is larger than %zu bytes", run->out->max);
        if (walk_turn(run, node, &key, &item) < 0)
            return -1;
    }
    return 0;
}

static int walk_range(struct template_run *run, const struct value *dot, const struct node *node)
{
    size_t keep = run->variable_count;
    struct value value;
    int status = 0;
    if (eval_pipe(run, dot, node->pipe, &value) < 0)
        return -1;
    bool can = value.kind == VALUE_LIST || value.kind == VALUE_MAP || value.kind == VALUE_INT ||
               value.kind == VALUE_NONE || value.kind == VALUE_NIL;
    if (!can) {
        AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
        value_print(&value, &shown);
        return run_fail(run, node->pipe, "range can't iterate over %s", shown.data ? shown.data : "");
    }
    if (!value_is_true(&value) || (value.kind == VALUE_INT && value.integer < 0))
        status = walk_list(run, dot, node->else_list);
    else if (value.kind == VALUE_MAP)
        status = walk_map(run, node, &value);
    else
        status = walk_items(run, node, &value);
    variables_pop(run, keep);
    if (run->flow == RUN_BREAK)
        run->flow = RUN_ON;
    return status;
}

static int walk_template(struct template_run *run, const struct value *dot, const struct node *node)
{
    const struct node *body = NULL;
    struct value inner = { .kind = VALUE_NONE };
    for (size_t i = 0; i < run->template->define_count; i++)
        if (str_eq(run->template->defines[i].name, node->text))
            body = run->template->defines[i].body;
    if (!body)
        return run_fail(run, node, "template \"%s\" not defined", node->text);
    if (run->depth >= TEMPLATE_DEPTH_MAX)
        return run_fail(run, node, "exceeded maximum template depth (%d)", TEMPLATE_DEPTH_MAX);
    if (node->pipe && eval_pipe(run, dot, node->pipe, &inner) < 0)
        return -1;
    struct variable *outer = run->variables;
    size_t outer_count = run->variable_count;
    run->variables = NULL;
    run->variable_count = 0;
    run->depth++;
    variable_push(run, "$", &inner);
    int status = walk_list(run, &inner, body);
    run->depth--;
    variables_pop(run, 0);
    free(run->variables);
    run->variables = outer;
    run->variable_count = outer_count;
    return status;
}

static int walk(struct template_run *run, const struct value *dot, const struct node *node)
{
    struct value value;
    switch ((int)node->kind) {
    case NODE_TEXT:
        buf_puts(run->out, node->text);
        break;
    case NODE_ACTION:
        if (eval_pipe(run, dot, node->pipe, &value) < 0)
            return -1;
        if (!node->pipe->names)
            value_print(&value, run->out);
        break;
    case NODE_IF:
    case NODE_WITH:
        return walk_condition(run, dot, node);
    case NODE_RANGE:
        return walk_range(run, dot, node);
    case NODE_TEMPLATE:
        return walk_template(run, dot, node);
    case NODE_BREAK:
        run->flow = RUN_BREAK;
        break;
    case NODE_CONTINUE:
        run->flow = RUN_CONTINUE;
        break;
    }
    if (run->out->failed)
        return run_fail(run, node, "the output is larger than %zu bytes", run->out->max);
    return 0;
}

static struct value root_value(const struct template_data *data)
{
    struct value root = value_of_json(data->json, NULL);
    if (data->go_type || data->type) {
        root.kind = VALUE_STRUCT;
        root.type = data->type;
        root.is_record = data->go_type;
    }
    return root;
}

int template_execute(const struct template *template, const struct template_data *data, struct buf *out,
                     struct err *err)
{
    struct template_run run = { .template = template, .data = data, .out = out, .err = err };
    struct value root = root_value(data);
    variable_push(&run, "$", &root);
    int status = walk_list(&run, &root, template->body);
    variables_pop(&run, 0);
    free(run.variables);
    for (size_t i = 0; i < run.text_count; i++)
        free(run.texts[i]);
    free(run.texts);
    for (size_t i = 0; i < run.json_count; i++)
        json_free(run.jsons[i]);
    free(run.jsons);
    return status;
}
