/* Theory of operation. A Dockerfile is physical lines that become logical ones. Parser directives ("# escape=`") count
 * only before anything else. A line that is a comment vanishes, also between continued lines; an empty line inside a
 * continuation is skipped with a warning. A line continues when its last character but blanks is a lone escape
 * character. When the logical line's instruction may carry heredocs, the words "<<NAME" of it are found first, then
 * physical lines are taken as they are until each NAME. */
#include "builder/parse.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <strings.h>

struct line_reader {
    const char *text, *end;
    unsigned number; /* lines read so far */
    struct dockerfile *file;
    bool directives_over;
    bool escape_seen;
};

bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *skip_space(const char *text)
{
    while (is_space(*text))
        text++;
    return text;
}

/* The next physical line with its line end; false at the end. */
static bool next_raw(struct line_reader *reader, const char **ret, size_t *ret_length)
{
    if (reader->text >= reader->end)
        return false;
    const char *start = reader->text;
    const char *newline = memchr(start, '\n', (size_t)(reader->end - start));
    reader->text = newline ? newline + 1 : reader->end;
    reader->number++;
    *ret = start;
    *ret_length = (size_t)(reader->text - start);
    return true;
}

static size_t without_newline(const char *line, size_t length)
{
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    return length;
}

static bool is_comment(const char *line)
{
    return *skip_space(line) == '#';
}

/* "name = value" behind a "#": 1 when it is one of the directives, 0 when not. */
static int read_directive(struct line_reader *reader, const char *line, struct err *err)
{
    const char *name = skip_space(line + 1), *end = name;
    while (isalnum((unsigned char)*end))
        end++;
    const char *equals = skip_space(end);
    if (end == name || !isalpha((unsigned char)*name) || *equals != '=')
        return 0;
    AUTO_FREE char *value = xstrdup(skip_space(equals + 1));
    str_trim(value);
    struct dockerfile *file = reader->file;
    size_t length = (size_t)(end - name);
    bool is_escape = length == 6 && strncasecmp(name, "escape", 6) == 0;
    char **slot = length == 6 && strncasecmp(name, "syntax", 6) == 0  ? &file->syntax
                  : length == 5 && strncasecmp(name, "check", 5) == 0 ? &file->check
                                                                      : NULL;
    if ((!is_escape && !slot) || !*value)
        return 0;
    if (is_escape ? reader->escape_seen : *slot != NULL)
        return err_set(err, ERR_INVALID, "only one %s parser directive can be used",
                       is_escape               ? "escape"
                       : slot == &file->syntax ? "syntax"
                                               : "check");
    if (slot) {
        *slot = take_ptr(&value);
        return 1;
    }
    reader->escape_seen = true;
    if (!str_eq(value, "\\") && !str_eq(value, "`"))
        return err_set(err, ERR_INVALID, "invalid escape token '%s' does not match ` or \\", value);
    file->escape = value[0];
    return 1;
}

/* Cuts the continuation mark off; true when the line goes on. */
static bool cut_continuation(char *line, char escape)
{
    size_t length = strlen(line);
    while (length && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    if (!length || line[length - 1] != escape || (length > 1 && line[length - 2] == escape))
        return false;
    line[length - 1] = '\0';
    return true;
}

static void note_empty_continuation(struct dockerfile *file, unsigned line)
{
    file->empty_continuations =
        xreallocarray(file->empty_continuations, file->empty_continuation_count + 1, sizeof *file->empty_continuations);
    file->empty_continuations[file->empty_continuation_count++] = line;
}

/* Adds the lines that continue the one in `line`. */
static void read_continued(struct line_reader *reader, struct buf *line)
{
    const char *raw;
    size_t length;
    bool empty = false;
    unsigned start = reader->number;
    while (next_raw(reader, &raw, &length)) {
        AUTO_FREE char *more = xstrndup(raw, without_newline(raw, length));
        if (is_comment(more))
            continue;
        if (!*skip_space(more)) {
            empty = true;
            continue;
        }
        bool goes_on = cut_continuation(more, reader->file->escape);
        buf_puts(line, more);
        if (!goes_on)
            break;
    }
    if (empty)
        note_empty_continuation(reader->file, start);
}

static int read_heredoc(struct line_reader *reader, struct heredoc *heredoc, struct err *err)
{
    AUTO_BUF struct buf content = BUF_INIT(DOCKERFILE_BYTES_MAX + 1);
    const char *raw;
    size_t length, name_length = strlen(heredoc->name);
    while (next_raw(reader, &raw, &length)) {
        const char *start = raw;
        size_t rest = without_newline(raw, length);
        while (heredoc->chomp && rest && *start == '\t') {
            start++;
            rest--;
        }
        if (rest == name_length && memcmp(start, heredoc->name, rest) == 0) {
            heredoc->content = buf_take(&content);
            return 0;
        }
        buf_append(&content, raw, length);
    }
    return err_set(err, ERR_INVALID, "unterminated heredoc");
}

/* With a quote left open, "<<" on the line is the shell's own affair: Docker's reader looks no further either. */
static bool quotes_balanced(const char *line)
{
    char quote = '\0';
    for (; *line; line++) {
        if (*line == '\\' && quote != '\'') {
            if (!line[1])
                break;
            line++;
        } else if (quote ? *line == quote : *line == '\'' || *line == '"') {
            quote = quote ? '\0' : *line;
        }
    }
    return !quote;
}

/* "<<" alone takes the word behind it: "<< EOF". */
static char *heredoc_word(char *const *words, size_t *at)
{
    const char *word = words[(*at)++];
    if (str_eq(word + strspn(word, "0123456789"), "<<") && words[*at])
        return str_format("%s %s", word, words[(*at)++]);
    return xstrdup(word);
}

static int read_heredocs(struct line_reader *reader, struct instruction *insn, const char *line, struct err *err)
{
    CLEANUP(strv_free) char **words = quotes_balanced(line) ? words_quoted(line, '\\') : NULL;
    for (size_t at = 0; words && words[at];) {
        AUTO_FREE char *word = heredoc_word(words, &at);
        struct heredoc *heredoc = heredoc_parse(word);
        if (!heredoc)
            continue;
        insn->heredocs = xreallocarray(insn->heredocs, insn->heredoc_count + 1, sizeof *insn->heredocs);
        insn->heredocs[insn->heredoc_count++] = *heredoc;
        free(heredoc);
        if (read_heredoc(reader, &insn->heredocs[insn->heredoc_count - 1], err) < 0)
            return -1;
    }
    return 0;
}

static bool may_carry_heredocs(const struct instruction *insn)
{
    if (!insn->kind || insn->json)
        return false;
    if (!str_eq(insn->kind->name, "ONBUILD"))
        return insn->kind->heredocs;
    if (!insn->args || !insn->args[0])
        return false;
    struct err ignored = { 0 };
    struct instruction inner = { 0 };
    bool may = instruction_read(insn->args[0], '\\', &inner, &ignored) == 0 && inner.kind && inner.kind->heredocs &&
               !inner.json;
    instruction_done(&inner);
    return may;
}

static int read_instruction(struct line_reader *reader, const char *line, unsigned first_line, struct err *err)
{
    struct dockerfile *file = reader->file;
    file->instructions = xreallocarray(file->instructions, file->count + 1, sizeof *file->instructions);
    struct instruction *insn = &file->instructions[file->count++];
    *insn = (struct instruction){ 0 };
    if (instruction_read(line, file->escape, insn, err) < 0)
        return -1;
    insn->line = first_line;
    if (may_carry_heredocs(insn) && strstr(line, "<<") && read_heredocs(reader, insn, line, err) < 0)
        return -1;
    insn->end_line = reader->number;
    return 0;
}

static int read_line(struct line_reader *reader, const char *raw, size_t length, struct err *err)
{
    AUTO_BUF struct buf line = BUF_INIT(DOCKERFILE_BYTES_MAX + 1);
    AUTO_FREE char *first = xstrndup(raw, without_newline(raw, length));
    const char *start = skip_space(first);
    unsigned number = reader->number;
    if (!reader->directives_over) {
        int directive = *start == '#' ? read_directive(reader, start, err) : 0;
        if (directive < 0)
            return -1;
        reader->directives_over = directive == 0;
    }
    if (*start == '#' || !*start)
        return 0;
    AUTO_FREE char *text = xstrdup(start);
    bool goes_on = cut_continuation(text, reader->file->escape);
    buf_puts(&line, text);
    if (goes_on)
        read_continued(reader, &line);
    return *skip_space(line.data) ? read_instruction(reader, line.data, number, err) : 0;
}

static int read_all(struct line_reader *reader, unsigned *ret_line, struct err *err)
{
    const char *raw;
    size_t length;
    while (next_raw(reader, &raw, &length)) {
        unsigned number = reader->number;
        if (read_line(reader, raw, length, err) < 0) {
            *ret_line = number;
            return -1;
        }
    }
    return reader->file->count ? 0 : err_set(err, ERR_INVALID, "file with no instructions");
}

static int check_all(struct dockerfile *file, unsigned *ret_line, struct err *err)
{
    for (size_t i = 0; i < file->count; i++)
        if (instruction_check(&file->instructions[i], err) < 0) {
            *ret_line = file->instructions[i].line;
            return -1;
        }
    return 0;
}

int dockerfile_read(const char *text, size_t length, struct dockerfile *ret, unsigned *ret_line, struct err *err)
{
    *ret_line = 0;
    *ret = (struct dockerfile){ .escape = '\\' };
    if (length > DOCKERFILE_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the Dockerfile is larger than %zu bytes", DOCKERFILE_BYTES_MAX);
    const char *nul = memchr(text, '\0', length);
    struct line_reader reader = { .text = text, .end = text + length, .file = ret };
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        reader.text += 3;
    int r = nul ? err_set(err, ERR_INVALID, "the Dockerfile has a NUL byte at offset %zu", (size_t)(nul - text)) : 0;
    if (r == 0)
        r = read_all(&reader, ret_line, err);
    if (r < 0)
        dockerfile_done(ret);
    return r;
}

int dockerfile_parse(const char *text, size_t length, struct dockerfile *ret, struct err *err)
{
    unsigned line;
    int r = dockerfile_read(text, length, ret, &line, err);
    if (r == 0)
        r = check_all(ret, &line, err);
    if (r == 0)
        return 0;
    dockerfile_done(ret);
    return line ? err_wrap(err, "dockerfile parse error on line %u", line) : -1;
}

void dockerfile_done(struct dockerfile *file)
{
    for (size_t i = 0; i < file->count; i++)
        instruction_done(&file->instructions[i]);
    free(file->instructions);
    free(file->syntax);
    free(file->check);
    free(file->empty_continuations);
    *file = (struct dockerfile){ 0 };
}
