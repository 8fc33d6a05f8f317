/* The tree: making, freeing, and printing nodes as Go prints them in messages. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

struct node *node_new(enum node_kind kind, size_t pos)
{
    struct node *node = xcalloc(1, sizeof *node);
    node->kind = kind;
    node->pos = pos;
    return node;
}

void node_add(struct node *node, struct node *kid)
{
    node->kids = xreallocarray(node->kids, node->kid_count + 1, sizeof *node->kids);
    node->kids[node->kid_count++] = kid;
}

void node_free(struct node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->kid_count; i++)
        node_free(node->kids[i]);
    free(node->kids);
    free(node->text);
    free(node->quoted);
    strv_free(node->names);
    node_free(node->pipe);
    node_free(node->list);
    node_free(node->else_list);
    free(node);
}

void template_free(struct template *template)
{
    if (!template)
        return;
    for (size_t i = 0; i < template->define_count; i++) {
        free(template->defines[i].name);
        node_free(template->defines[i].body);
    }
    free(template->defines);
    node_free(template->body);
    free(template->name);
    free(template->text);
    free(template);
}

static void print_names(const struct node *node, struct buf *out)
{
    for (char **name = node->names; name && *name; name++) {
        if (node->kind != NODE_VARIABLE || name != node->names)
            buf_putc(out, '.');
        buf_puts(out, *name);
    }
}

static void print_operand(const struct node *node, struct buf *out)
{
    if (node->kind == NODE_PIPE) {
        buf_putc(out, '(');
        node_print(node, out);
        buf_putc(out, ')');
    } else {
        node_print(node, out);
    }
}

static void print_pipe(const struct node *pipe, struct buf *out)
{
    for (char **name = pipe->names; name && *name; name++)
        buf_printf(out, "%s%s", name == pipe->names ? "" : ", ", *name);
    if (pipe->names)
        buf_puts(out, pipe->is_assign ? " = " : " := ");
    for (size_t i = 0; i < pipe->kid_count; i++) {
        if (i)
            buf_puts(out, " | ");
        node_print(pipe->kids[i], out);
    }
}

static void print_clause(const struct node *node, const char *word, struct buf *out)
{
    buf_printf(out, "{{%s ", word);
    node_print(node->pipe, out);
    buf_puts(out, "}}");
    node_print(node->list, out);
    if (node->else_list) {
        buf_puts(out, "{{else}}");
        node_print(node->else_list, out);
    }
    buf_puts(out, "{{end}}");
}

static void print_kids(const struct node *node, struct buf *out)
{
    for (size_t i = 0; i < node->kid_count; i++) {
        if (i && node->kind == NODE_COMMAND)
            buf_putc(out, ' ');
        print_operand(node->kids[i], out);
    }
}

void node_print(const struct node *node, struct buf *out)
{
    switch (node->kind) {
    case NODE_LIST:
    case NODE_COMMAND:
        print_kids(node, out);
        break;
    case NODE_TEXT:
    case NODE_NUMBER:
    case NODE_IDENT:
        buf_puts(out, node->text);
        break;
    case NODE_ACTION:
        buf_puts(out, "{{");
        node_print(node->pipe, out);
        buf_puts(out, "}}");
        break;
    case NODE_IF:
        print_clause(node, "if", out);
        break;
    case NODE_RANGE:
        print_clause(node, "range", out);
        break;
    case NODE_WITH:
        print_clause(node, "with", out);
        break;
    case NODE_TEMPLATE:
        buf_printf(out, "{{template \"%s\"", node->text);
        if (node->pipe) {
            buf_putc(out, ' ');
            node_print(node->pipe, out);
        }
        buf_puts(out, "}}");
        break;
    case NODE_BREAK:
        buf_puts(out, "{{break}}");
        break;
    case NODE_CONTINUE:
        buf_puts(out, "{{continue}}");
        break;
    case NODE_PIPE:
        print_pipe(node, out);
        break;
    case NODE_CHAIN:
        print_operand(node->kids[0], out);
        print_names(node, out);
        break;
    case NODE_FIELD:
    case NODE_VARIABLE:
        print_names(node, out);
        break;
    case NODE_DOT:
        buf_putc(out, '.');
        break;
    case NODE_NIL:
        buf_puts(out, "nil");
        break;
    case NODE_BOOL:
        buf_puts(out, node->integer ? "true" : "false");
        break;
    case NODE_STRING:
        buf_puts(out, node->quoted);
        break;
    }
}
