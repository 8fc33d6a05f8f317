#include "builder/parse.h"
#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* Everything that was read, one thing a line. */
static char *dump(const struct dockerfile *file)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (file->syntax)
        buf_printf(&out, "syntax %s\n", file->syntax);
    if (file->check)
        buf_printf(&out, "check %s\n", file->check);
    if (file->escape != '\\')
        buf_printf(&out, "escape %c\n", file->escape);
    for (size_t i = 0; i < file->empty_continuation_count; i++)
        buf_printf(&out, "empty continuation in line %u\n", file->empty_continuations[i]);
    for (size_t i = 0; i < file->count; i++) {
        const struct instruction *insn = &file->instructions[i];
        buf_printf(&out, "%u-%u %s%s", insn->line, insn->end_line, insn->kind->name, insn->json ? " json" : "");
        for (size_t f = 0; insn->flag_names && insn->flag_names[f]; f++)
            buf_printf(&out, " --%s=%s", insn->flag_names[f], insn->flag_values[f]);
        for (char **arg = insn->args; arg && *arg; arg++) {
            buf_putc(&out, ' ');
            text_quote(&out, *arg);
        }
        buf_putc(&out, '\n');
        for (size_t h = 0; h < insn->heredoc_count; h++) {
            AUTO_FREE char *text = heredoc_text(&insn->heredocs[h]);
            buf_printf(&out, "    <<%s%s%s ", insn->heredocs[h].chomp ? "-" : "", insn->heredocs[h].name,
                       insn->heredocs[h].expand ? "" : " quoted");
            text_quote(&out, text);
            buf_putc(&out, '\n');
        }
    }
    return buf_take(&out);
}

static char *parsed(const char *text, size_t length)
{
    struct err err = { 0 };
    AUTO_DOCKERFILE struct dockerfile file;
    if (dockerfile_parse(text, length, &file, &err) < 0)
        return str_format("error: %s\n", err.text);
    return dump(&file);
}

#define CHECK_PARSED(text, want)                                                                                       \
    do {                                                                                                               \
        AUTO_FREE char *got__ = parsed(text, strlen(text));                                                            \
        CHECK_STR(got__, want);                                                                                        \
    } while (0)

TEST(continuations_and_comments)
{
    CHECK_PARSED("FROM a\nRUN x \\\n# c\n\n  y \\\n",
                 "empty continuation in line 2\n1-1 FROM \"a\"\n2-5 RUN \"x   y\"\n");
    CHECK_PARSED("FROM a\nRUN x \\\\\nUSER y\n", "1-1 FROM \"a\"\n2-2 RUN \"x \\\\\\\\\"\n3-3 USER \"y\"\n");
    CHECK_PARSED("FROM a\r\nCMD [\"a\",\\\r\n \"b\"]\r\n", "1-1 FROM \"a\"\n2-3 CMD json \"a\" \"b\"\n");
    CHECK_PARSED("\xef\xbb\xbf# escape=`\nFROM a\nRUN b `\n c\n", "escape `\n2-2 FROM \"a\"\n3-4 RUN \"b  c\"\n");
}

TEST(directives)
{
    CHECK_PARSED("#syntax=x\n# Check = skip=all\n#escape=\\\nFROM a\n", "syntax x\ncheck skip=all\n4-4 FROM \"a\"\n");
    CHECK_PARSED("# a\n# escape=`\nFROM a\n", "3-3 FROM \"a\"\n");
    CHECK_PARSED("# escape=^\nFROM a\n",
                 "error: dockerfile parse error on line 1: invalid escape token '^' does not match ` or \\\n");
    CHECK_PARSED("# escape=\\\n# escape=`\nFROM a\n",
                 "error: dockerfile parse error on line 2: only one escape parser directive can be used\n");
}

TEST(heredocs)
{
    CHECK_PARSED("FROM a\nRUN cat <<A > x <<-'B'\na\nA\n\tb\n\tB\n",
                 "1-1 FROM \"a\"\n2-6 RUN \"cat <<A > x <<-'B'\"\n    <<A \"a\\n\"\n    <<-B quoted \"b\\n\"\n");
    CHECK_PARSED("FROM a\nCMD cat <<EOF\nLABEL a=\"<<B\"\n",
                 "1-1 FROM \"a\"\n2-2 CMD \"cat <<EOF\"\n3-3 LABEL \"a\" \"\\\"<<B\\\"\"\n");
    CHECK_PARSED("FROM a\nRUN cat << 'E' && cat <<- F\nx\nE\n",
                 "1-1 FROM \"a\"\n2-4 RUN \"cat << 'E' && cat <<- F\"\n    <<E quoted \"x\\n\"\n");
    CHECK_PARSED("FROM a\nRUN cat <<<x a<< b <<\n", "1-1 FROM \"a\"\n2-2 RUN \"cat <<<x a<< b <<\"\n");
    CHECK_PARSED("FROM a\nRUN cat <<EOF && echo it's\n", "1-1 FROM \"a\"\n2-2 RUN \"cat <<EOF && echo it's\"\n");
    CHECK_PARSED("FROM a\nRUN <<EOF\nx\n", "error: dockerfile parse error on line 2: unterminated heredoc\n");
    CHECK_PARSED("FROM a\nONBUILD COPY <<E /x\nz\nE\n",
                 "1-1 FROM \"a\"\n2-4 ONBUILD \"COPY <<E /x\"\n    <<E \"z\\n\"\n");
    CHECK_PARSED("FROM a\nCOPY a <<E\nz\nE\n",
                 "error: dockerfile parse error on line 2: COPY cannot accept a heredoc as a destination\n");
}

TEST(words)
{
    CHECK_PARSED("FROM a\nENV A some text  x\nENV B=\"q r\" C=x\\ y\nARG D E=1 F='a b'\n",
                 "1-1 FROM \"a\"\n2-2 ENV \"A\" \"some text  x\"\n3-3 ENV \"B\" \"\\\"q r\\\"\" \"C\" \"x\\\\ y\"\n4-4 "
                 "ARG \"D\" \"E=1\" \"F='a b'\"\n");
    CHECK_PARSED("FROM a\nCOPY --chown=\"1\" --link -- \"x\" y\n",
                 "1-1 FROM \"a\"\n2-2 COPY --chown=1 --link=true \"\\\"x\\\"\" \"y\"\n");
    CHECK_PARSED("FROM a\nCMD [\"a\", \"b\",]\n", "1-1 FROM \"a\"\n2-2 CMD \"[\\\"a\\\", \\\"b\\\",]\"\n");
    CHECK_PARSED("from a as B\n", "1-1 FROM \"a\" \"as\" \"B\"\n");
}

TEST(json_lists)
{
    CHECK_PARSED("FROM a\nCMD [ \"a\" , \"\\u20ac\\ud83d\\ude00\\ud800x\\/\\t\" ]\n",
                 "1-1 FROM \"a\"\n2-2 CMD json \"a\" \"\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx/\\t\"\n");
    CHECK_PARSED("FROM a\nCMD []\n", "1-1 FROM \"a\"\n2-2 CMD json\n");
    static const char *const shell_forms[] = { "[\"a\"", "[\"a\",]",      "[,]",           "[\"a\"] b", "[\"a\\x\"]",
                                               "['a']",  "[\"\\u12g4\"]", "[\"a\" \"b\"]", "[01]",      "{}" };
    for (size_t i = 0; i < ARRAY_SIZE(shell_forms); i++) {
        struct err err = { 0 };
        char **words = NULL;
        CHECK_INT(json_words(shell_forms[i], &words, &err), 0);
        CHECK(words == NULL);
    }
    static const char *const others[] = { "[1]", "[\"a\", null]", "[[\"a\"]]", "[{\"a\": [true, -1.5e3]}, \"x\"]" };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct err err = { 0 };
        char **words = NULL;
        CHECK_INT(json_words(others[i], &words, &err), -1);
        CHECK(strstr(err.text, "arrays must be comprised of strings only"));
    }
    struct err err = { 0 };
    char **words = NULL;
    CHECK_INT(json_words("[\"a\\u0000\"]", &words, &err), -1);
    CHECK(strstr(err.text, "NUL"));
}

TEST(mistakes)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        { "ZZTOP x", "unknown instruction: ZZTOP" },
        { "FRM x", "unknown instruction: FRM (did you mean FROM?)" },
        { "runn x", "unknown instruction: runn (did you mean run?)" },
        { "COPY --frob=1 a b", "unknown flag: --frob (did you mean from?)" },
        { "RUN --frob=1 x", "unknown flag: --frob" },
        { "COPY --chown=1 --chown=2 a b", "duplicate flag specified: --chown" },
        { "COPY --chown a b", "missing a value on flag: --chown" },
        { "COPY --link=x a b", "expecting boolean value for flag --link, not: x" },
        { "COPY one",
          "COPY requires at least two arguments, but only one was provided. Destination could not be determined" },
        { "ENV", "ENV requires at least one argument" },
        { "ENV =x", "ENV names can not be blank" },
        { "ARG =x", "ARG names can not be blank" },
        { "WORKDIR", "WORKDIR requires exactly one argument" },
        { "SHELL /bin/sh -c", "SHELL requires the arguments to be in JSON form" },
        { "SHELL []", "SHELL requires at least one argument" },
        { "VOLUME [\"\"]", "VOLUME specified can not be an empty string" },
        { "ONBUILD", "ONBUILD requires at least one argument" },
        { "ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger" },
        { "ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
        { "FROM a b c d", "FROM requires either one or three arguments" },
        { "FROM a AS 1st", "invalid name for build stage: \"1st\", name can't start with a number or contain symbols" },
        { "HEALTHCHECK --interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms" },
        { "HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)" },
        { "HEALTHCHECK FOO", "Unknown type \"FOO\" in HEALTHCHECK (try CMD)" },
        { "HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD" },
        { "RUN --network=x y", "invalid network mode \"x\"" },
        { "RUN --mount=from=$I,target=/a x", "'from' doesn't support variable expansion, define alias stage instead" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *text = str_format("FROM a\n%s\n", rows[i].line);
        AUTO_FREE char *want = str_format("error: dockerfile parse error on line 2: %s\n", rows[i].message);
        CHECK_PARSED(text, want);
    }
    CHECK_PARSED("FROM a\nCMD [\"a\", 1]\n", "error: dockerfile parse error on line 2: when using JSON array syntax, "
                                             "arrays must be comprised of strings only\n");
    CHECK_PARSED("FROM a\nENV ONLY\n", "error: dockerfile parse error on line 2: ENV must have two arguments\n");
    CHECK_PARSED("FROM a\nENV a=b c\n", "error: dockerfile parse error on line 2: Syntax error - can't find = in "
                                        "\"c\". Must be of the form: name=value\n");
    CHECK_PARSED("# nothing\n", "error: file with no instructions\n");
    CHECK_PARSED("", "error: file with no instructions\n");
}

TEST(limits)
{
    struct buf text = BUF_INIT(BUF_TEXT_MAX);
    buf_puts(&text, "FROM a\n");
    while (text.length <= DOCKERFILE_BYTES_MAX)
        buf_puts(&text, "LABEL a=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n");
    AUTO_FREE char *large = parsed(text.data, text.length);
    CHECK(str_starts(large, "error: the Dockerfile is larger than"));
    AUTO_FREE char *nul = parsed("FROM a\nRUN \0x\n", 14);
    CHECK_STR(nul, "error: the Dockerfile has a NUL byte at offset 11\n");
    buf_done(&text);
}

/* ---- golden files: NAME.Dockerfile beside NAME.parsed; UPDATE_GOLDEN=1 writes them ---- */

static void check_golden(int dir_fd, const char *name)
{
    AUTO_FREE char *text = NULL, *want = NULL;
    AUTO_FREE char *base = xstrndup(name, strlen(name) - strlen(".Dockerfile"));
    AUTO_FREE char *golden = str_format("%s.parsed", base);
    size_t length, want_length;
    CHECK_INT(io_read_file_at(dir_fd, name, BUF_TEXT_MAX, &text, &length), 0);
    AUTO_FREE char *got = parsed(text, length);
    if (getenv("UPDATE_GOLDEN"))
        CHECK_INT(io_replace_file_at(dir_fd, golden, got, strlen(got), 0644, false), 0);
    CHECK_INT(io_read_file_at(dir_fd, golden, BUF_TEXT_MAX, &want, &want_length), 0);
    CHECK_STR(got, want);
}

TEST(golden_files)
{
    DIR *dir = opendir(TESTDATA);
    size_t count = 0;
    CHECK(dir != NULL);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (str_ends(entry->d_name, ".Dockerfile")) {
            check_golden(dirfd(dir), entry->d_name);
            count++;
        }
    CHECK(count >= 3);
    if (dir)
        closedir(dir);
}

TESTS(T(continuations_and_comments), T(directives), T(heredocs), T(words), T(json_lists), T(mistakes), T(limits),
      T(golden_files))
