/* Inside of the parser: the pieces that lines.c, words.c and the instructions share. */
#pragma once
#include "builder/dockerfile.h"

#include <stdint.h>

/* What a row of instructions.c says of its instruction. */
enum flag_type { FLAG_TEXT, FLAG_BOOL, FLAG_LIST };
struct flag_spec {
    const char *name;
    enum flag_type type;
};
struct build_stage;
struct instruction_kind {
    const char *name; /* upper case */
    /* Words of the rest of the line into insn->args; errors are the reading's own. */
    int (*split)(struct instruction *insn, const char *rest, char escape, struct err *err);
    const struct flag_spec *flags; /* ended by a NULL name; NULL = none */
    /* Is it complete and sensible? Errors get "dockerfile parse error on line N: " in front. NULL = always. */
    int (*check)(struct instruction *insn, struct err *err);
    /* Changes the stage's image, or adds a step (stage.h). NULL: not inside of a stage. */
    int (*apply)(struct build_stage *stage, struct instruction *insn, struct err *err);
    bool heredocs;   /* may carry them */
    bool no_trigger; /* not behind ONBUILD */
};
extern const struct instruction_kind instruction_kinds[];                  /* ended by a NULL name */
const struct instruction_kind *instruction_kind_find(const char *keyword); /* ignoring case */

/* One logical line to an instruction without heredocs. kind NULL for an unknown keyword. ERR_INVALID */
int instruction_read(const char *line, char escape, struct instruction *ret, struct err *err);
/* Flags and arguments against the row. */
int instruction_check(struct instruction *insn, struct err *err);

/* dockerfile_parse() without the checks of the rows and without the line in front of an error: *ret_line is that line, 0
 * when the error is the whole text's. */
int dockerfile_read(const char *text, size_t length, struct dockerfile *ret, unsigned *ret_line, struct err *err);

/* Ways to split (words.c). */
int split_json_or_text(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_json_or_words(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_text(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_words(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_pairs(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_names(struct instruction *insn, const char *rest, char escape, struct err *err);
int split_health(struct instruction *insn, const char *rest, char escape, struct err *err);
/* Words with their quotes kept. */
char **words_quoted(const char *rest, char escape);
/* A JSON list of strings (json_words.c). 1: *ret has them; 0: this is no JSON list; -1: it holds something else than strings. */
int json_words(const char *text, char ***ret, struct err *err);
/* Takes "--flags" off the front of rest; *ret_rest borrows from it. */
char **words_flags(const char *rest, const char **ret_rest);
char **words_whitespace(const char *rest);
const char *skip_space(const char *text);
bool is_space(char c);

/* The option that was probably meant, or NULL. Ignoring case. */
const char *suggest(const char *word, const char *const *options, size_t count);

/* Go's %q: of a text, of a character (text.c). */
struct buf;
void text_quote(struct buf *out, const char *text);
void text_quote_char(struct buf *out, uint32_t c);

#define TOO_FEW(err, name) err_set(err, ERR_INVALID, "%s requires at least one argument", name)
