/* Tokens, the tree and the values of the template language; for the template_*.c files alone.
 *
 * text -> template_lex: one token list -> template_parse: a tree of nodes -> template_exec: walks it, calling
 * template_field for names, template_funcs for functions and template_print for text. */
#pragma once
#include "cli/template.h"

enum token_kind {
    TOKEN_END, /* of the text */
    TOKEN_ERROR,
    TOKEN_TEXT,
    TOKEN_LEFT, /* {{ */
    TOKEN_RIGHT,
    TOKEN_SPACE,
    TOKEN_BOOL,
    TOKEN_CHAR, /* 'x' */
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_RAW_STRING,
    TOKEN_FIELD,    /* .Name */
    TOKEN_VARIABLE, /* $name */
    TOKEN_IDENT,
    TOKEN_PIPE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,
    TOKEN_COMMA,
    TOKEN_OTHER, /* a printable character without meaning */
    TOKEN_DOT,
    TOKEN_NIL,
    TOKEN_KEYWORD, /* from here on: keywords */
};
struct token {
    enum token_kind kind;
    size_t pos;
    int line;
    char *text;
};
struct tokens {
    struct token *items;
    size_t count;
};
void template_lex(const char *text, struct tokens *ret);
void tokens_done(struct tokens *tokens);

enum node_kind {
    NODE_LIST,   /* kids */
    NODE_TEXT,   /* text */
    NODE_ACTION, /* pipe */
    NODE_IF,     /* pipe list else_list */
    NODE_RANGE,
    NODE_WITH,
    NODE_TEMPLATE, /* text: name; pipe or NULL */
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_PIPE,     /* kids: commands; names: declared or assigned variables */
    NODE_COMMAND,  /* kids: operands */
    NODE_FIELD,    /* names */
    NODE_CHAIN,    /* kids[0], names */
    NODE_VARIABLE, /* names[0] is "$x", then fields */
    NODE_DOT,
    NODE_NIL,
    NODE_BOOL,   /* integer */
    NODE_NUMBER, /* text as written; is_float ? real : integer */
    NODE_STRING, /* text; quoted as written */
    NODE_IDENT,  /* text: a function */
};
struct node {
    enum node_kind kind;
    size_t pos;
    char *text, *quoted;
    char **names;
    struct node **kids;
    size_t kid_count;
    struct node *pipe, *list, *else_list;
    bool is_assign, is_float;
    int64_t integer;
    double real;
};
struct node *node_new(enum node_kind kind, size_t pos);
void node_add(struct node *node, struct node *kid);
void node_free(struct node *node);
CLEANUP_FN(struct node, node_free)
void node_print(const struct node *node, struct buf *out); /* as Go prints it in messages */

struct node *literal_string(const struct token *token);                   /* NULL: a malformed escape */
struct node *literal_number(const struct token *token, char **ret_wrong); /* NULL: *ret_wrong is the caller's */

struct template_define {
    char *name;
    struct node *body;
};
struct template
{
    char *name, *text;
    struct node *body;
    struct template_define *defines;
    size_t define_count;
};

/* ---- values ---- */

enum value_kind {
    VALUE_NONE, /* Go's invalid value: "<no value>" */
    VALUE_NIL,  /* a nil pointer: "<nil>" */
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_STRUCT, /* a JSON map with a table, or the record itself */
};
struct value {
    enum value_kind kind;
    int64_t integer; /* also of a bool */
    double real;
    const char *text;
    const struct json *json;         /* of list, map and struct; NULL: empty */
    const struct codec_field *field; /* how the tables describe this value; NULL: not known */
    const struct codec_type *type;   /* of a struct, of the items of a list or a map */
    bool is_record;                  /* the data itself, when it has a go_type */
};

struct variable {
    char *name;
    struct value value;
};
struct template_run {
    const struct template *template;
    const struct template_data *data;
    struct buf *out;
    struct err *err;
    struct variable *variables;
    size_t variable_count;
    int depth, turns;
    enum { RUN_ON, RUN_BREAK, RUN_CONTINUE } flow;
    char **texts; /* made while running; live as long as the run */
    size_t text_count;
    struct json **jsons;
    size_t json_count;
    size_t used; /* bytes of texts */
};
#define TEMPLATE_DEPTH_MAX 500
#define TEMPLATE_WIDTH_MAX 100000
#define TEMPLATE_TURNS_MAX 1000000 /* of loops in one run */
#define TEMPLATE_TEXT_MAX ((size_t)64 << 20)

struct value value_text(struct template_run *run, char *text); /* takes text */
struct value value_list(struct template_run *run, struct json *list);
struct value value_int(int64_t number);
struct value value_bool(bool truth);
bool value_is_true(const struct value *value);
/* From JSON, described by a field of a table (NULL: not known). */
struct value value_of_json(const struct json *json, const struct codec_field *field);
struct value value_item(const struct value *list_or_map, const struct json *item); /* an element of it */
const char *value_type_name(const struct template_run *run, const struct value *value);
/* .Name of a value; at is the node that messages name. */
int value_field(struct template_run *run, const struct node *at, const struct value *base, const char *name,
                const struct value *args, size_t arg_count, struct value *ret);

/* "template: NAME:LINE:COL: executing "NAME" at <NODE>: " and the message. Always -1. */
int run_fail(struct template_run *run, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool function_exists(const char *name);
/* args NULL-free; `and` and `or` are not here: they do not always look at their arguments. */
int function_call(struct template_run *run, const struct node *at, const char *name, const struct value *args,
                  size_t count, struct value *ret);
int function_compare(struct template_run *run, const struct node *at, const char *name, const struct value *args,
                     size_t count, struct value *ret);
int function_index(struct template_run *run, const struct node *at, const struct value *args, size_t count,
                   struct value *ret);
int function_slice(struct template_run *run, const struct node *at, const struct value *args, size_t count,
                   struct value *ret);

void value_print(const struct value *value, struct buf *out); /* as {{.}} does */
void value_json(const struct value *value, struct buf *out);
/* fmt.Sprintf. false: something asked for more than TEMPLATE_WIDTH_MAX. */
bool value_printf(struct template_run *run, const char *format, const struct value *args, size_t count,
                  struct buf *out);
struct json *value_to_json(const struct value *value); /* for lists made by functions */
/* Keys of a JSON map in Go's order; values beside them. Caller frees both with free(). */
size_t json_sorted_keys(const struct json *map, const char ***ret_keys, const struct json ***ret_values);
