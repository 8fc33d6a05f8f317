/* Text to tokens. The whole text is cut at once; a mistake becomes the last token, and the parser reports it when it
 * gets there, so that an earlier mistake of grammar is reported first. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

#include <ctype.h>

struct lexer {
    const char *text;
    size_t pos, start, length;
    int line, start_line, parens;
    struct tokens *out;
    bool stop;
};

static void emit_text(struct lexer *lex, enum token_kind kind, char *text)
{
    struct tokens *out = lex->out;
    out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = (struct token){ .kind = kind, .pos = lex->start, .line = lex->start_line, .text = text };
    for (size_t i = lex->start; i < lex->pos; i++)
        lex->line += lex->text[i] == '\n';
    lex->start = lex->pos;
    lex->start_line = lex->line;
}

static void emit(struct lexer *lex, enum token_kind kind)
{
    emit_text(lex, kind, xstrndup(lex->text + lex->start, lex->pos - lex->start));
}

static void skip(struct lexer *lex)
{
    for (size_t i = lex->start; i < lex->pos; i++)
        lex->line += lex->text[i] == '\n';
    lex->start = lex->pos;
    lex->start_line = lex->line;
}

static void fail(struct lexer *lex, char *message)
{
    emit_text(lex, TOKEN_ERROR, message);
    lex->stop = true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* " -}}" */
static bool at_right_trim(const struct lexer *lex, size_t pos)
{
    return is_blank(lex->text[pos]) && lex->text[pos + 1] == '-' && str_starts(lex->text + pos + 2, "}}");
}

static bool at_right(const struct lexer *lex, size_t pos)
{
    return at_right_trim(lex, pos) || str_starts(lex->text + pos, "}}");
}

/* A character as messages show it: U+007D '}' */
static char *shown_character(const char *at)
{
    unsigned char first = (unsigned char)*at;
    if (first < 0x20 || first == 0x7f)
        return str_format("U+%04X", first);
    if (first < 0x80)
        return str_format("U+%04X '%c'", first, first);
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : -1;
    unsigned code = first & (0x3fu >> more);
    if (more < 0)
        return xstrdup("U+FFFD '\xef\xbf\xbd'");
    for (int i = 1; i <= more; i++) {
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return xstrdup("U+FFFD '\xef\xbf\xbd'");
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    }
    return str_format("U+%04X '%.*s'", code, more + 1, at);
}

static void fail_character(struct lexer *lex, const char *what, const char *at)
{
    AUTO_FREE char *shown = shown_character(at);
    fail(lex, str_format("%s%s", what, shown));
}

/* A comment between braces; open is at its first slash. */
static void lex_comment(struct lexer *lex, size_t open)
{
    const char *end = strstr(lex->text + open, "*/");
    if (!end) {
        fail(lex, xstrdup("unclosed comment"));
        return;
    }
    lex->pos = (size_t)(end - lex->text) + 2;
    bool trim = at_right_trim(lex, lex->pos);
    if (!trim && !str_starts(lex->text + lex->pos, "}}")) {
        fail(lex, xstrdup("comment ends before closing delimiter"));
        return;
    }
    lex->pos += trim ? 4 : 2;
    while (trim && is_blank(lex->text[lex->pos]))
        lex->pos++;
    skip(lex);
}

/* Text up to the next action, and the action's opening braces. False at the end of the text. */
static bool lex_text(struct lexer *lex)
{
    const char *braces = strstr(lex->text + lex->pos, "{{");
    size_t end = braces ? (size_t)(braces - lex->text) : lex->length, keep = end;
    bool trim = braces && braces[2] == '-' && is_blank(braces[3]);
    while (trim && keep > lex->start && is_blank(lex->text[keep - 1]))
        keep--;
    lex->pos = keep;
    if (lex->pos > lex->start)
        emit(lex, TOKEN_TEXT);
    lex->pos = end;
    skip(lex);
    if (!braces) {
        emit(lex, TOKEN_END);
        return false;
    }
    size_t inside = end + (trim ? 4 : 2);
    if (str_starts(lex->text + inside, "/*")) {
        lex_comment(lex, inside);
        return !lex->stop;
    }
    lex->pos = end + 2;
    emit(lex, TOKEN_LEFT);
    lex->pos = inside;
    skip(lex);
    lex->parens = 0;
    return true;
}

static void lex_right(struct lexer *lex)
{
    bool trim = at_right_trim(lex, lex->pos);
    if (trim) {
        lex->pos += 2;
        skip(lex);
    }
    lex->pos += 2;
    emit(lex, TOKEN_RIGHT);
    while (trim && is_blank(lex->text[lex->pos]))
        lex->pos++;
    skip(lex);
}

/* A name must be followed by something that can follow it. */
static bool at_terminator(const struct lexer *lex)
{
    char c = lex->text[lex->pos];
    return c == '\0' || is_blank(c) || strchr(".,|:)(", c) || str_starts(lex->text + lex->pos, "}}");
}

static void lex_word(struct lexer *lex)
{
    static const char *const keywords[] = { "block", "break", "continue", "define",   "else",
                                            "end",   "if",    "range",    "template", "with" };
    while (is_name(lex->text[lex->pos]))
        lex->pos++;
    if (!at_terminator(lex)) {
        fail_character(lex, "bad character ", lex->text + lex->pos);
        return;
    }
    AUTO_FREE char *word = xstrndup(lex->text + lex->start, lex->pos - lex->start);
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
        if (str_eq(word, keywords[i])) {
            emit(lex, TOKEN_KEYWORD);
            return;
        }
    if (str_eq(word, "true") || str_eq(word, "false"))
        emit(lex, TOKEN_BOOL);
    else
        emit(lex, str_eq(word, "nil") ? TOKEN_NIL : TOKEN_IDENT);
}

/* ".Name" or "$name"; a lone "." or "$" too. */
static void lex_field(struct lexer *lex, enum token_kind kind, enum token_kind alone)
{
    lex->pos++;
    size_t begin = lex->pos;
    if (at_terminator(lex)) {
        emit(lex, alone);
        return;
    }
    while (is_name(lex->text[lex->pos]))
        lex->pos++;
    if (!at_terminator(lex))
        fail_character(lex, "bad character ", lex->text + lex->pos);
    else
        emit(lex, lex->pos > begin ? kind : alone);
}

static void lex_number(struct lexer *lex)
{
    const char *at = lex->text + lex->pos;
    if (*at == '+' || *at == '-')
        at++;
    bool hex = *at == '0' && (at[1] == 'x' || at[1] == 'X');
    if (*at == '0' && at[1] && strchr("xXoObB", at[1]))
        at += 2;
    const char *digits = hex ? "0123456789abcdefABCDEF_" : "0123456789_";
    at += strspn(at, digits);
    if (*at == '.') {
        at++;
        at += strspn(at, digits);
    }
    if (*at && strchr(hex ? "pP" : "eE", *at)) {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        at += strspn(at, "0123456789_");
    }
    lex->pos = (size_t)(at - lex->text);
    if (is_name(*at)) {
        lex->pos++;
        fail(lex, str_format("bad number syntax: \"%.*s\"", (int)(lex->pos - lex->start), lex->text + lex->start));
        return;
    }
    emit(lex, TOKEN_NUMBER);
}

static void lex_quoted(struct lexer *lex, char quote, enum token_kind kind, const char *unterminated)
{
    for (lex->pos++; lex->text[lex->pos] != quote; lex->pos++) {
        if (quote != '`' && lex->text[lex->pos] == '\\' && lex->text[lex->pos + 1] && lex->text[lex->pos + 1] != '\n')
            lex->pos++;
        else if (!lex->text[lex->pos] || (quote != '`' && lex->text[lex->pos] == '\n')) {
            fail(lex, xstrdup(unterminated));
            return;
        }
    }
    lex->pos++;
    emit(lex, kind);
}

static void lex_space(struct lexer *lex)
{
    while (is_blank(lex->text[lex->pos]) && !at_right_trim(lex, lex->pos))
        lex->pos++;
    emit(lex, TOKEN_SPACE);
}

static void lex_sign(struct lexer *lex, char c)
{
    lex->pos++;
    switch (c) {
    case '=':
        emit(lex, TOKEN_ASSIGN);
        break;
    case ':':
        if (lex->text[lex->pos] != '=') {
            fail(lex, xstrdup("expected :="));
            break;
        }
        lex->pos++;
        emit(lex, TOKEN_DECLARE);
        break;
    case '|':
        emit(lex, TOKEN_PIPE);
        break;
    case ',':
        emit(lex, TOKEN_COMMA);
        break;
    case '(':
        lex->parens++;
        emit(lex, TOKEN_OPEN);
        break;
    case ')':
        if (--lex->parens < 0)
            fail(lex, xstrdup("unexpected right paren"));
        else
            emit(lex, TOKEN_CLOSE);
        break;
    default:
        if (c > 0x20 && c < 0x7f)
            emit(lex, TOKEN_OTHER);
        else
            fail_character(lex, "unrecognized character in action: ", lex->text + lex->pos - 1);
    }
}

/* One token inside an action. False when the action is over. */
static bool lex_inside(struct lexer *lex)
{
    const char *at = lex->text + lex->pos;
    if (at_right(lex, lex->pos)) {
        if (lex->parens) {
            fail(lex, xstrdup("unclosed left paren"));
            return false;
        }
        lex_right(lex);
        return false;
    }
    if (!*at)
        fail(lex, xstrdup("unclosed action"));
    else if (is_blank(*at))
        lex_space(lex);
    else if (*at == '"')
        lex_quoted(lex, '"', TOKEN_STRING, "unterminated quoted string");
    else if (*at == '`')
        lex_quoted(lex, '`', TOKEN_RAW_STRING, "unterminated raw quoted string");
    else if (*at == '\'')
        lex_quoted(lex, '\'', TOKEN_CHAR, "unterminated character constant");
    else if (*at == '$')
        lex_field(lex, TOKEN_VARIABLE, TOKEN_VARIABLE);
    else if (*at == '.' && !isdigit((unsigned char)at[1]))
        lex_field(lex, TOKEN_FIELD, TOKEN_DOT);
    else if (*at == '.' || *at == '+' || *at == '-' || isdigit((unsigned char)*at))
        lex_number(lex);
    else if (is_name(*at))
        lex_word(lex);
    else
        lex_sign(lex, *at);
    return !lex->stop;
}

void template_lex(const char *text, struct tokens *ret)
{
    struct lexer lex = { .text = text, .length = strlen(text), .line = 1, .start_line = 1, .out = ret };
    *ret = (struct tokens){ 0 };
    while (!lex.stop && lex_text(&lex)) {
        if (!ret->count || ret->items[ret->count - 1].kind != TOKEN_LEFT)
            continue; /* that was a comment */
        while (lex_inside(&lex))
            ;
    }
}

void tokens_done(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].text);
    free(tokens->items);
    *tokens = (struct tokens){ 0 };
}
