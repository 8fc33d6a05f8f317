/* Tokens to the tree. One function for each kind of clause; `defined` variables are a stack that shrinks at {{end}}, so
 * that an undefined one is found here. Nesting is bounded: TEMPLATE_DEPTH_MAX. */
#include "cli/json_text.h"
#include "cli/template_internal.h"
#include "lib/base/str.h"

struct parser {
    struct template *template;
    struct tokens tokens;
    size_t next;
    int line, action_line;
    char **defined;
    int depth, loops;
    struct err *err;
};

static int fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    return err_set(p->err, ERR_INVALID, "template: %s:%d: %s", p->template->name, p->line, text);
}

static const struct token *peek(struct parser *p)
{
    return &p->tokens.items[p->next];
}

static const struct token *take(struct parser *p)
{
    const struct token *token = &p->tokens.items[p->next];
    if (p->next + 1 < p->tokens.count)
        p->next++;
    p->line = token->line;
    return token;
}

static void skip_space(struct parser *p)
{
    while (peek(p)->kind == TOKEN_SPACE)
        take(p);
}

static int fail_unexpected(struct parser *p, const struct token *token, const char *context)
{
    p->line = token->line;
    if (token->kind == TOKEN_ERROR) {
        if (!p->action_line || p->action_line == token->line)
            return fail(p, "%s", token->text);
        const char *extra = str_ends(token->text, " action") ? "" : " in action";
        return fail(p, "%s%s started at %s:%d", token->text, extra, p->template->name, p->action_line);
    }
    if (token->kind == TOKEN_END)
        return fail(p, "unexpected EOF%s%s", context ? " in " : "", context ? context : "");
    AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    if (token->kind >= TOKEN_DOT) {
        buf_printf(&shown, "<%s>", token->text);
    } else {
        bool cut = strlen(token->text) > 10;
        AUTO_FREE char *head = xstrndup(token->text, 10);
        json_text_string(head, &shown);
        if (cut)
            buf_puts(&shown, "...");
    }
    return fail(p, "unexpected %s in %s", shown.data, context ? context : "input");
}

/* ---- operands ---- */

static int parse_string(struct parser *p, const struct token *token, struct node **ret)
{
    *ret = literal_string(token);
    return *ret ? 0 : fail(p, "invalid syntax");
}

static int parse_number(struct parser *p, const struct token *token, struct node **ret)
{
    AUTO_FREE char *wrong = NULL;
    *ret = literal_number(token, &wrong);
    return *ret ? 0 : fail(p, "%s", wrong);
}

static int parse_pipe(struct parser *p, const char *context, enum token_kind end, struct node **ret);

static bool is_defined(const struct parser *p, const char *name)
{
    return strv_contains(p->defined, name);
}

static struct node *named(enum node_kind kind, const struct token *token, const char *name)
{
    struct node *node = node_new(kind, token->pos);
    strv_append(&node->names, name);
    return node;
}

/* *ret NULL: no operand here. */
static int parse_term(struct parser *p, struct node **ret)
{
    skip_space(p);
    const struct token *token = peek(p);
    *ret = NULL;
    switch ((int)token->kind) {
    case TOKEN_IDENT:
        p->line = token->line;
        if (!function_exists(token->text))
            return fail(p, "function \"%s\" not defined", token->text);
        *ret = node_new(NODE_IDENT, token->pos);
        (*ret)->text = xstrdup(token->text);
        break;
    case TOKEN_DOT:
        *ret = node_new(NODE_DOT, token->pos);
        break;
    case TOKEN_NIL:
        *ret = node_new(NODE_NIL, token->pos);
        break;
    case TOKEN_VARIABLE:
        p->line = token->line;
        if (!is_defined(p, token->text))
            return fail(p, "undefined variable \"%s\"", token->text);
        *ret = named(NODE_VARIABLE, token, token->text);
        break;
    case TOKEN_FIELD:
        *ret = named(NODE_FIELD, token, token->text + 1);
        break;
    case TOKEN_BOOL:
        *ret = node_new(NODE_BOOL, token->pos);
        (*ret)->integer = str_eq(token->text, "true");
        break;
    case TOKEN_CHAR:
    case TOKEN_NUMBER:
        take(p);
        return parse_number(p, token, ret);
    case TOKEN_STRING:
    case TOKEN_RAW_STRING:
        take(p);
        return parse_string(p, token, ret);
    case TOKEN_OPEN:
        take(p);
        if (++p->depth > TEMPLATE_DEPTH_MAX)
            return fail(p, "max expression depth exceeded");
        if (parse_pipe(p, "parenthesized pipeline", TOKEN_CLOSE, ret) < 0)
            return -1;
        p->depth--;
        return 0;
    default:
        return 0;
    }
    take(p);
    return 0;
}

/* A term and the .Fields that follow it at once. */
static int parse_operand(struct parser *p, struct node **ret)
{
    CLEANUP(node_free) struct node *node = NULL;
    if (parse_term(p, &node) < 0)
        return -1;
    if (node && peek(p)->kind == TOKEN_FIELD) {
        if (node->kind == NODE_FIELD || node->kind == NODE_VARIABLE) {
            node->pos = peek(p)->pos;
        } else if (node->kind == NODE_BOOL || node->kind == NODE_STRING || node->kind == NODE_NUMBER ||
                   node->kind == NODE_NIL || node->kind == NODE_DOT) {
            AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
            node_print(node, &shown);
            AUTO_BUF struct buf quoted = BUF_INIT(BUF_TEXT_MAX);
            json_text_string(shown.data, &quoted);
            return fail(p, "unexpected . after term %s", quoted.data);
        } else {
            struct node *chain = node_new(NODE_CHAIN, peek(p)->pos);
            node_add(chain, take_ptr(&node));
            node = chain;
        }
        while (peek(p)->kind == TOKEN_FIELD)
            strv_append(&node->names, take(p)->text + 1);
    }
    *ret = take_ptr(&node);
    return 0;
}

static int parse_command(struct parser *p, struct node **ret)
{
    CLEANUP(node_free) struct node *command = NULL;
    skip_space(p);
    command = node_new(NODE_COMMAND, peek(p)->pos);
    for (;;) {
        struct node *operand = NULL;
        if (parse_operand(p, &operand) < 0)
            return -1;
        if (operand)
            node_add(command, operand);
        const struct token *token = peek(p);
        if (token->kind == TOKEN_SPACE) {
            take(p);
            continue;
        }
        if (token->kind == TOKEN_PIPE)
            take(p);
        else if (token->kind != TOKEN_RIGHT && token->kind != TOKEN_CLOSE)
            return fail_unexpected(p, token, "operand");
        break;
    }
    if (!command->kid_count)
        return fail(p, "empty command");
    *ret = take_ptr(&command);
    return 0;
}

static int check_pipe(struct parser *p, const struct node *pipe, const char *context)
{
    if (!pipe->kid_count)
        return fail(p, "missing value for %s", context);
    for (size_t i = 1; i < pipe->kid_count; i++) {
        enum node_kind kind = pipe->kids[i]->kids[0]->kind;
        if (kind == NODE_BOOL || kind == NODE_DOT || kind == NODE_NIL || kind == NODE_NUMBER || kind == NODE_STRING)
            return fail(p, "non executable command in pipeline stage %zu", i + 1);
    }
    return 0;
}

/* "$x :=", "$i, $x :=", "$x =" in front of a pipeline. */
static int parse_declarations(struct parser *p, const char *context, struct node *pipe)
{
    size_t start = p->next;
    char **names = NULL;
    int status = 0;
    for (;;) {
        skip_space(p);
        if (peek(p)->kind != TOKEN_VARIABLE)
            break;
        strv_append(&names, take(p)->text);
        skip_space(p);
        enum token_kind kind = peek(p)->kind;
        if (kind == TOKEN_DECLARE || kind == TOKEN_ASSIGN) {
            take(p);
            pipe->is_assign = kind == TOKEN_ASSIGN;
            pipe->names = take_ptr(&names);
            break;
        }
        if (kind != TOKEN_COMMA)
            break;
        take(p);
        if (!str_eq(context, "range") || strv_length(names) > 1) {
            status = fail(p, "too many declarations in %s", context);
            break;
        }
        skip_space(p);
        if (peek(p)->kind != TOKEN_VARIABLE) {
            status = fail(p, "range can only initialize variables");
            break;
        }
    }
    if (!pipe->names && !status)
        p->next = start;
    strv_free(names);
    for (char **name = pipe->names; name && *name && !status; name++) {
        if (!pipe->is_assign)
            strv_append(&p->defined, *name);
        else if (!is_defined(p, *name))
            status = fail(p, "undefined variable \"%s\"", *name);
    }
    return status;
}

static int parse_pipe(struct parser *p, const char *context, enum token_kind end, struct node **ret)
{
    CLEANUP(node_free) struct node *pipe = NULL;
    skip_space(p);
    pipe = node_new(NODE_PIPE, peek(p)->pos);
    if (parse_declarations(p, context, pipe) < 0)
        return -1;
    for (;;) {
        skip_space(p);
        const struct token *token = peek(p);
        if (token->kind == end) {
            take(p);
            if (check_pipe(p, pipe, context) < 0)
                return -1;
            *ret = take_ptr(&pipe);
            return 0;
        }
        if ((token->kind < TOKEN_BOOL || token->kind > TOKEN_IDENT) && token->kind != TOKEN_OPEN &&
            token->kind != TOKEN_DOT && token->kind != TOKEN_NIL)
            return fail_unexpected(p, token, context);
        struct node *command = NULL;
        if (parse_command(p, &command) < 0)
            return -1;
        node_add(pipe, command);
    }
}

/* ---- clauses ---- */

enum stop { STOP_END, STOP_ELSE, STOP_TEXT_END };
static int parse_list(struct parser *p, bool top, struct node **ret, enum stop *ret_stop);

static void forget_variables(struct parser *p, size_t keep)
{
    for (size_t i = strv_length(p->defined); i > keep; i--) {
        free(p->defined[i - 1]);
        p->defined[i - 1] = NULL;
    }
}

static int expect_right(struct parser *p, const char *context)
{
    skip_space(p);
    const struct token *token = take(p);
    return token->kind == TOKEN_RIGHT ? 0 : fail_unexpected(p, token, context);
}

/* if, range, with: the pipe is ended by }}; then the list up to {{end}}, with {{else}} between. */
static int parse_clause(struct parser *p, enum node_kind kind, const char *context, size_t pos, struct node **ret)
{
    CLEANUP(node_free) struct node *node = node_new(kind, pos);
    size_t keep = strv_length(p->defined);
    enum stop stop;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return fail(p, "max nesting depth exceeded");
    if (parse_pipe(p, context, TOKEN_RIGHT, &node->pipe) < 0)
        return -1;
    p->loops += kind == NODE_RANGE;
    if (parse_list(p, false, &node->list, &stop) < 0)
        return -1;
    p->loops -= kind == NODE_RANGE;
    if (stop == STOP_ELSE) {
        const struct token *token = peek(p);
        bool again = token->kind == TOKEN_KEYWORD && kind != NODE_RANGE && str_eq(token->text, context);
        if (again) { /* {{else if}}: one more clause, ended by the same {{end}} */
            size_t inner_pos = take(p)->pos;
            struct node *inner;
            if (parse_clause(p, kind, context, inner_pos, &inner) < 0)
                return -1;
            node->else_list = node_new(NODE_LIST, inner_pos);
            node_add(node->else_list, inner);
        } else if (expect_right(p, kind == NODE_RANGE ? "input" : "else") < 0 ||
                   parse_list(p, false, &node->else_list, &stop) < 0) {
            return -1;
        } else if (stop != STOP_END) {
            return fail(p, "expected end; found {{else}}");
        }
    }
    p->depth--;
    forget_variables(p, keep);
    *ret = take_ptr(&node);
    return 0;
}

static int parse_name(struct parser *p, const char *context, size_t *ret_pos, char **ret)
{
    skip_space(p);
    const struct token *token = take(p);
    struct node *string;
    *ret_pos = token->pos;
    if (token->kind != TOKEN_STRING && token->kind != TOKEN_RAW_STRING)
        return fail_unexpected(p, token, context);
    if (parse_string(p, token, &string) < 0)
        return -1;
    *ret = take_ptr(&string->text);
    node_free(string);
    return 0;
}

static void add_define(struct template *template, char *name, struct node *body)
{
    template->defines = xreallocarray(template->defines, template->define_count + 1, sizeof *template->defines);
    template->defines[template->define_count++] = (struct template_define){ name, body };
}

/* {{define "x"}}...{{end}}; for {{block "x" pipe}} the name has been read already. */
static int parse_body_of(struct parser *p, char *name)
{
    AUTO_FREE char *owned = name;
    CLEANUP(node_free) struct node *body = NULL;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return fail(p, "max nesting depth exceeded");
    char **outer = take_ptr(&p->defined);
    enum stop stop = STOP_END;
    strv_append(&p->defined, "$");
    int status = parse_list(p, false, &body, &stop);
    p->depth--;
    strv_free(p->defined);
    p->defined = outer;
    if (status < 0)
        return -1;
    if (stop != STOP_END)
        return fail(p, "unexpected {{else}} in define clause");
    add_define(p->template, take_ptr(&owned), take_ptr(&body));
    return 0;
}

static int parse_define(struct parser *p)
{
    AUTO_FREE char *name = NULL;
    size_t pos;
    if (parse_name(p, "define clause", &pos, &name) < 0 || expect_right(p, "define clause") < 0)
        return -1;
    return parse_body_of(p, take_ptr(&name));
}

static int parse_call(struct parser *p, bool is_block, size_t pos, struct node **ret)
{
    CLEANUP(node_free) struct node *node = node_new(NODE_TEMPLATE, pos);
    const char *context = is_block ? "block clause" : "template clause";
    if (parse_name(p, context, &node->pos, &node->text) < 0)
        return -1;
    skip_space(p);
    if (peek(p)->kind == TOKEN_RIGHT && !is_block)
        take(p);
    else if (parse_pipe(p, context, TOKEN_RIGHT, &node->pipe) < 0)
        return -1;
    if (is_block && parse_body_of(p, xstrdup(node->text)) < 0)
        return -1;
    *ret = take_ptr(&node);
    return 0;
}

static int parse_jump(struct parser *p, bool is_break, size_t pos, struct node **ret)
{
    const char *word = is_break ? "break" : "continue";
    if (expect_right(p, is_break ? "{{break}}" : "{{continue}}") < 0)
        return -1;
    if (!p->loops)
        return fail(p, "{{%s}} outside {{range}}", word);
    *ret = node_new(is_break ? NODE_BREAK : NODE_CONTINUE, pos);
    return 0;
}

/* What follows {{. *ret NULL: nothing to run (a definition, or *ret_stop was reached). */
static int parse_action(struct parser *p, bool top, struct node **ret, bool *ret_stopped, enum stop *ret_stop)
{
    skip_space(p);
    const struct token *token = peek(p);
    const char *word = token->kind == TOKEN_KEYWORD ? token->text : "";
    if (*word)
        take(p);
    if (str_eq(word, "if"))
        return parse_clause(p, NODE_IF, "if", token->pos, ret);
    if (str_eq(word, "range"))
        return parse_clause(p, NODE_RANGE, "range", token->pos, ret);
    if (str_eq(word, "with"))
        return parse_clause(p, NODE_WITH, "with", token->pos, ret);
    if (str_eq(word, "template") || str_eq(word, "block"))
        return parse_call(p, str_eq(word, "block"), token->pos, ret);
    if (str_eq(word, "define"))
        return top ? parse_define(p) : fail_unexpected(p, token, "command");
    if (str_eq(word, "break") || str_eq(word, "continue"))
        return parse_jump(p, str_eq(word, "break"), token->pos, ret);
    if (*word) { /* end, else */
        bool is_end = str_eq(word, "end");
        if (is_end && expect_right(p, "end") < 0)
            return -1;
        if (top)
            return fail(p, "unexpected {{%s}}", is_end ? "end" : "else");
        skip_space(p);
        *ret_stopped = true;
        *ret_stop = is_end ? STOP_END : STOP_ELSE;
        return 0;
    }
    CLEANUP(node_free) struct node *action = node_new(NODE_ACTION, token->pos);
    if (parse_pipe(p, "command", TOKEN_RIGHT, &action->pipe) < 0)
        return -1;
    *ret = take_ptr(&action);
    return 0;
}

static int parse_list(struct parser *p, bool top, struct node **ret, enum stop *ret_stop)
{
    CLEANUP(node_free) struct node *list = node_new(NODE_LIST, peek(p)->pos);
    for (;;) {
        const struct token *token = take(p);
        struct node *node = NULL;
        bool stopped = false;
        if (token->kind == TOKEN_END && top) {
            *ret_stop = STOP_TEXT_END;
            break;
        }
        if (token->kind == TOKEN_TEXT) {
            node = node_new(NODE_TEXT, token->pos);
            node->text = xstrdup(token->text);
        } else {
            if (token->kind != TOKEN_LEFT)
                return fail_unexpected(p, token, token->kind == TOKEN_END ? NULL : "input");
            p->action_line = token->line;
            if (parse_action(p, top, &node, &stopped, ret_stop) < 0)
                return -1;
            p->action_line = 0;
        }
        if (node)
            node_add(list, node);
        if (stopped)
            break;
    }
    *ret = take_ptr(&list);
    return 0;
}

int template_parse(const char *name, const char *text, struct template **ret, struct err *err)
{
    CLEANUP(template_free) struct template *template = xcalloc(1, sizeof *template);
    template->name = xstrdup(name);
    template->text = xstrdup(text);
    struct parser p = { .template = template, .err = err };
    enum stop stop;
    template_lex(text, &p.tokens);
    strv_append(&p.defined, "$");
    int status = parse_list(&p, true, &template->body, &stop);
    tokens_done(&p.tokens);
    strv_free(p.defined);
    if (status < 0)
        return -1;
    *ret = take_ptr(&template);
    return 0;
}
