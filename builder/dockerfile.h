/* The text of a Dockerfile as a list of instructions: directives, comments, continuations, heredocs, flags and words.
 * Pure: no variable is expanded here and nothing is known of stages. Every instruction of the list has passed the
 * checks of its row in instructions.c.
 *
 * The grammar and the sentences of its errors are those of Docker's own builder. Errors of the reading itself carry
 * their own words
 * ("unterminated heredoc"), errors of one instruction begin with "dockerfile parse error on line N: ". */
#pragma once
#include "lib/base/err.h"
#include "lib/base/strv.h"

#include <stdbool.h>
#include <stddef.h>

#define DOCKERFILE_BYTES_MAX ((size_t)1 << 20)

struct heredoc {
    char *name;    /* the word that ends it */
    char *content; /* tabs of <<- still there: heredoc_text() */
    bool expand;   /* no part of the word was quoted */
    bool chomp;    /* <<- */
};
struct instruction_kind;
struct instruction {
    const struct instruction_kind *kind;
    char *keyword;  /* as written */
    char *original; /* the logical line */
    unsigned line, end_line;
    char **raw_flags;                 /* "--chown=x" */
    char **flag_names, **flag_values; /* after the check; several of a name in order */
    char **args;                      /* words; NAME VALUE pairs for ENV and LABEL; NAME[=VALUE] for ARG */
    bool json;                        /* args came as a JSON list */
    struct heredoc *heredocs;
    size_t heredoc_count;
};
struct dockerfile {
    char escape;
    char *syntax, *check; /* of the directives, or NULL */
    struct instruction *instructions;
    size_t count;
    unsigned *empty_continuations; /* line numbers to warn of */
    size_t empty_continuation_count;
};

/* text may be anything up to DOCKERFILE_BYTES_MAX. ERR_INVALID. *ret is the caller's (dockerfile_done). */
int dockerfile_parse(const char *text, size_t length, struct dockerfile *ret, struct err *err);
void dockerfile_done(struct dockerfile *file);
#define AUTO_DOCKERFILE __attribute__((cleanup(dockerfile_done)))

/* Last value of a flag or NULL (borrowed). */
const char *instruction_flag(const struct instruction *insn, const char *name);
bool instruction_flag_set(const struct instruction *insn, const char *name);    /* of a yes/no flag */
char **instruction_flag_list(const struct instruction *insn, const char *name); /* owned list of all its values */
void instruction_done(struct instruction *insn);

/* The words of one word with "<<": NULL when it starts no heredoc. Owned by the caller (heredoc_free). */
struct heredoc *heredoc_parse(const char *word);
void heredoc_free(struct heredoc *heredoc);
CLEANUP_FN(struct heredoc, heredoc_free)
char *heredoc_text(const struct heredoc *heredoc); /* owned */
const struct heredoc *heredoc_find(const struct instruction *insn, const char *name);
