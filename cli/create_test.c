/* What `create` makes of its flags. golden/create.txt holds command lines and, under each, what they change of the request
 * (or how they are refused); docker's client was recorded with the same lines. */
#include "cli/create_options.h"
#include "cli/flags.h"
#include "cli/golden.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"

extern const struct command command_container_create;

/* Words as a shell takes them: blanks part, single and double quotes join. */
static char **shell_words(const char *line)
{
    char **words = NULL;
    AUTO_BUF struct buf word = BUF_INIT(BUF_TEXT_MAX);
    while (*line) {
        bool any = false;
        line += strspn(line, " ");
        for (buf_clear(&word); *line && *line != ' '; any = true) {
            char quote = *line == '\'' || *line == '"' ? *line++ : 0;
            size_t length = quote ? strcspn(line, (char[]){ quote, 0 }) : strcspn(line, " '\"");
            buf_append(&word, line, length);
            line += length + (quote != 0);
        }
        if (any)
            strv_append(&words, word.length ? word.data : "");
    }
    return words;
}

static bool is_empty(const struct json *json)
{
    enum json_kind kind = json_kind_of(json);
    return kind == JSON_NOTHING || ((kind == JSON_LIST || kind == JSON_MAP) && !json_count(json));
}

static bool is_same(const struct json *a, const struct json *b)
{
    AUTO_BUF struct buf left = BUF_INIT(BUF_TEXT_MAX), right = BUF_INIT(BUF_TEXT_MAX);
    if (is_empty(a) || is_empty(b))
        return is_empty(a) && is_empty(b);
    json_write(a, &left);
    json_write(b, &right);
    return left.length == right.length && !memcmp(left.data, right.data, left.length);
}

/* One line for each member that differs from the plain request. */
static void put_changes(const struct json *plain, const struct json *json, const char *path, struct buf *out)
{
    void *cursor = NULL;
    const char *key;
    const struct json *value;
    while (json_map_next(json, &cursor, &key, &value)) {
        const struct json *before = json_get(plain, key);
        AUTO_FREE char *whole = str_format("%s%s%s", path, *path ? "." : "", key);
        if (is_same(before, value))
            continue;
        if (json_kind_of(before) == JSON_MAP && json_kind_of(value) == JSON_MAP && json_count(before)) {
            put_changes(before, value, whole, out);
            continue;
        }
        buf_printf(out, "    %s ", whole);
        json_write(value, out);
        buf_putc(out, '\n');
    }
}

static struct json *request_of(const char *line, struct err *err)
{
    const struct command *command = &command_container_create;
    CLEANUP(strv_free) char **words = shell_words(line);
    AUTO_FREE struct create_options *options = xcalloc(1, command->options_size);
    struct flags_result result = { 0 };
    struct container_create_request request;
    struct json *json = NULL;
    flags_init(command->flags, options);
    int ret = flags_parse(command->flags, options, true, words, &result, err);
    if (ret == 0)
        ret = create_request_make(options, result.args, &request, err);
    if (ret == 0) {
        AUTO_FREE char *text = codec_encode_dup(&container_create_request_type, &request);
        CHECK(json_parse(text, strlen(text), &json, err) == 0);
        codec_clear(&container_create_request_type, &request);
    }
    strv_free(result.args);
    flags_clear(command->flags, options);
    return json;
}

TEST(lines)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FREE char *golden = path_join(getenv("GOLDEN_DIR") ? getenv("GOLDEN_DIR") : "cli/golden", "create.txt");
    AUTO_FREE char *text = NULL;
    size_t length;
    struct err err = { 0 };
    CLEANUP(json_free) struct json *plain = request_of("busybox", &err);
    CHECK(plain != NULL);
    if (io_read_file_at(AT_FDCWD, golden, BUF_TEXT_MAX, &text, &length) < 0)
        text = xstrdup("");
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!*line || *line == ' ')
            continue;
        err_clear(&err);
        CLEANUP(json_free) struct json *json = request_of(line, &err);
        buf_printf(&out, "%s\n", line);
        if (json)
            put_changes(plain, json, "", &out);
        else
            buf_printf(&out, "    ! %s\n", err.text);
    }
    CHECK(out.length > 1000);
    golden_check("create.txt", &out);
}

TEST(words)
{
    CLEANUP(strv_free) char **words = shell_words("a  'b c' d\"e f\"g ''");
    CHECK_INT(strv_length(words), 4);
    CHECK_STR(words[1], "b c");
    CHECK_STR(words[2], "de fg");
    CHECK_STR(words[3], "");
}

TESTS(T(words), T(lines))
