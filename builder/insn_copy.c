/* COPY and ADD. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/oci/digest.h"

static bool is_url(const char *source)
{
    return str_starts(source, "http://") || str_starts(source, "https://");
}

static bool is_git(const char *source)
{
    const char *fragment = strchr(source, '#');
    AUTO_FREE char *bare = xstrndup(source, fragment ? (size_t)(fragment - source) : strlen(source));
    return str_starts(source, "git://") || str_starts(source, "git@") || str_starts(source, "ssh://") ||
           (is_url(source) && str_ends(bare, ".git"));
}

int check_copy(struct instruction *insn, struct err *err)
{
    const char *name = insn->kind->name;
    size_t count = strv_length(insn->args);
    if (count < 2)
        return err_set(
            err, ERR_INVALID,
            "%s requires at least two arguments, but only one was provided. Destination could not be determined", name);
    CLEANUP(heredoc_free) struct heredoc *heredoc = insn->heredoc_count ? heredoc_parse(insn->args[count - 1]) : NULL;
    return heredoc ? err_set(err, ERR_INVALID, "%s cannot accept a heredoc as a destination", name) : 0;
}

/* A heredoc's text with variables, unless its name was quoted. Quotes in it are its own. */
static int heredoc_content(struct build_stage *stage, const struct heredoc *heredoc, char **ret, struct err *err)
{
    char *text = heredoc_text(heredoc);
    struct expand_scope scope = stage_scope(stage);
    scope.escape = '\\';
    scope.keep_quotes = true;
    if (!heredoc->expand) {
        *ret = text;
        return 0;
    }
    int r = expand_word(&scope, text, ret, err);
    free(text);
    return r;
}

static int add_inline(struct build_stage *stage, const struct instruction *insn, const char *name,
                      struct copy_step *copy, struct err *err)
{
    char *content;
    const struct heredoc *heredoc = heredoc_find(insn, name);
    if (!heredoc)
        return err_set(err, ERR_INVALID, "heredoc %s has no content", name);
    if (heredoc_content(stage, heredoc, &content, err) < 0)
        return -1;
    strv_append(&copy->inline_names, name);
    strv_append_take(&copy->inline_contents, content);
    return 0;
}

static int add_remote(const struct instruction *insn, const char *source, struct copy_step *copy, struct err *err)
{
    if (is_git(source))
        return err_set(err, ERR_UNSUPPORTED,
                       "ADD of the git repository %s is not supported: clone it in a RUN, or copy a local directory",
                       source);
    if (instruction_flag(insn, "keep-git-dir"))
        return err_set(err, ERR_INVALID, "keep-git-dir can't be specified for non-git sources");
    strv_append(&copy->urls, source);
    return 0;
}

/* Each source in its kind. shown gets what the history says of them. */
static int read_sources(struct build_stage *stage, const struct instruction *insn, struct copy_step *copy,
                        struct buf *shown, struct err *err)
{
    size_t count = strv_length(insn->args) - 1;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(heredoc_free) struct heredoc *heredoc = insn->heredoc_count ? heredoc_parse(insn->args[i]) : NULL;
        AUTO_FREE char *source = NULL;
        if (heredoc) {
            if (add_inline(stage, insn, heredoc->name, copy, err) < 0)
                return -1;
            continue;
        }
        if (stage_expand(stage, insn->args[i], &source, err) < 0)
            return -1;
        buf_printf(shown, " %s", source);
        if (!copy->is_add && is_url(source))
            return err_set(err, ERR_INVALID, "source can't be a URL for COPY");
        if (!copy->is_add || (!is_url(source) && !is_git(source)))
            strv_append(&copy->sources, source);
        else if (add_remote(insn, source, copy, err) < 0)
            return -1;
    }
    for (char **name = copy->inline_names; name && *name; name++)
        buf_printf(shown, " <<%s", *name);
    return 0;
}

static int expand_flag(struct build_stage *stage, const struct instruction *insn, const char *name, char **ret,
                       struct err *err)
{
    const char *written = instruction_flag(insn, name);
    *ret = NULL;
    if (written)
        return stage_expand(stage, written, ret, err);
    *ret = xstrdup("");
    return 0;
}

static int read_flags(struct build_stage *stage, const struct instruction *insn, struct copy_step *copy,
                      struct err *err)
{
    const char *from = instruction_flag(insn, "from");
    copy->parents = instruction_flag_set(insn, "parents");
    copy->link = instruction_flag_set(insn, "link");
    copy->unpack_said = instruction_flag(insn, "unpack") != NULL;
    copy->unpack = instruction_flag_set(insn, "unpack");
    copy->exclude = instruction_flag_list(insn, "exclude");
    copy->source.kind = SOURCE_CONTEXT;
    if (expand_flag(stage, insn, "chown", &copy->chown, err) < 0 ||
        expand_flag(stage, insn, "chmod", &copy->chmod, err) < 0 ||
        expand_flag(stage, insn, "checksum", &copy->checksum, err) < 0 ||
        stage_expand_all(stage, copy->exclude, err) < 0)
        return -1;
    return str_empty(from) ? 0 : graph_source(stage, from, &copy->source, err);
}

static int read_target(struct build_stage *stage, const struct instruction *insn, struct copy_step *copy,
                       struct buf *shown, struct err *err)
{
    AUTO_FREE char *written = NULL;
    if (stage_expand(stage, insn->args[strv_length(insn->args) - 1], &written, err) < 0)
        return -1;
    buf_printf(shown, " %s", written);
    copy->target_is_dir = !*written || str_eq(written, ".") || str_ends(written, "/") ||
                          str_ends(written, "/.");
    AUTO_FREE char *joined = stage_path(stage, written);
    char *path = path_clean(joined);
    copy->target = copy->target_is_dir && !str_eq(path, "/") ? str_format("%s/", path) : xstrdup(path);
    free(path);
    return 0;
}

static int check_sources(const struct copy_step *copy, struct err *err)
{
    if (str_empty(copy->checksum))
        return 0;
    if (!copy->urls)
        return err_set(err, ERR_INVALID, "checksum requires HTTP(S) or Git sources");
    if (strv_length(copy->urls) > 1 || copy->sources || copy->inline_names)
        return err_set(err, ERR_INVALID, "checksum can't be specified for multiple sources");
    return digest_validate(copy->checksum, err);
}

int apply_copy(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    AUTO_BUF struct buf shown = BUF_INIT(BUF_TEXT_MAX);
    struct step *step = stage_step(stage, STEP_COPY);
    struct copy_step *copy = &step->copy;
    copy->is_add = str_eq(insn->kind->name, "ADD");
    if (read_flags(stage, insn, copy, err) < 0)
        return -1;
    buf_puts(&shown, insn->kind->name);
    if (copy->parents)
        buf_puts(&shown, " --parents");
    if (!str_empty(copy->chown))
        buf_printf(&shown, " --chown=%s", copy->chown);
    if (!str_empty(copy->chmod))
        buf_printf(&shown, " --chmod=%s", copy->chmod);
    if (read_sources(stage, insn, copy, &shown, err) < 0 || read_target(stage, insn, copy, &shown, err) < 0 ||
        check_sources(copy, err) < 0)
        return -1;
    step->history = stage_history(stage, true, "%s # buildkit", shown.data);
    return 0;
}
