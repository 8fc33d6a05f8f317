#include "cli/inspect.h"
#include "cli/template.h"
#include "lib/api/container.h"
#include "lib/api/image.h"
#include "lib/api/network.h"
#include "lib/api/volume.h"
#include "lib/base/str.h"
#include "lib/json/value.h"
#include <errno.h>
#include <stdio.h>

#define INDENT "    "

const struct inspect_kind inspect_container = { "container", "/containers/%s/json", &container_inspect_type, true };
const struct inspect_kind inspect_image = { "image", "/images/%s/json", &image_inspect_type, false };
const struct inspect_kind inspect_network = { "network", "/networks/%s", &network_inspect_type, false };
const struct inspect_kind inspect_volume = { "volume", "/volumes/%s", &volume_type, false };

/* ---- indenting ---- */

static void new_line(struct buf *out, const char *prefix, const char *indent, size_t depth)
{
    buf_putc(out, '\n');
    buf_puts(out, prefix);
    while (depth-- > 0)
        buf_puts(out, indent);
}

static size_t string_length(const char *text, size_t length)
{
    size_t i = 1;
    while (i < length && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return MIN(i + 1, length);
}

void json_indent(const char *text, size_t length, const char *prefix, const char *indent, struct buf *out)
{
    size_t depth = 0;
    bool opened = false; /* the last token was a bracket that opens */
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        bool closes = c == '}' || c == ']';
        depth -= closes && depth > 0;
        if (opened != closes) /* an empty {} or [] stays together */
            new_line(out, prefix, indent, depth);
        opened = c == '{' || c == '[';
        depth += opened;
        if (c == '"') {
            size_t size = string_length(text + i, length - i);
            buf_append(out, text + i, size);
            i += size - 1;
            continue;
        }
        buf_putc(out, c);
        if (c == ',')
            new_line(out, prefix, indent, depth);
        if (c == ':')
            buf_putc(out, ' ');
    }
}

/* ---- one object ---- */

static int fetch(struct cli *cli, const char *name, const struct inspect_kind *kind, bool size, struct buf *out, struct err *err)
{
    AUTO_TARGET(target);
    const char *rest = strstr(kind->path, "%s") + 2;
    buf_append(&target, kind->path, (size_t)(rest - 2 - kind->path));
    http_escape_path(&target, name);
    buf_puts(&target, rest);
    api_query_bool(&target, "size", size && kind->has_size);
    return api_get_text(cli, "GET", target.data, out, err);
}

/* The first kind that knows the name. Only "not found" goes on to the next. */
static int find(struct cli *cli, const char *name, const struct inspect_kind *const *kinds, bool size, struct buf *out,
                const struct inspect_kind **ret, struct err *err)
{
    bool many = kinds[1] != NULL;
    for (; *kinds; kinds++) {
        err_clear(err);
        buf_clear(out);
        if (fetch(cli, name, *kinds, size, out, err) == 0) {
            *ret = *kinds;
            return 0;
        }
        if (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNSUPPORTED)
            return -1;
    }
    return many ? err_set(err, ERR_NOT_FOUND, "Error: No such object: %s", name) : -1;
}

static void cut(struct buf *out, size_t length)
{
    out->length = length;
    if (out->data)
        out->data[length] = 0;
}

/* A template sees the object as its type first, so that members which the JSON leaves out have their zero value; what the
 * type does not know is then looked for in the JSON itself. */
static int put_template(const struct template *template, const struct buf *text, const struct inspect_kind *kind,
                        struct buf *out, struct err *err)
{
    CLEANUP(json_free) struct json *json = NULL;
    if (json_parse(text->data, text->length, &json, err) < 0)
        return -1;
    struct template_data typed = { .json = json, .type = kind->type }, raw = { .json = json, .missing_is_error = true };
    size_t before = out->length;
    struct err ignored = { 0 };
    int ret = template_execute(template, &typed, out, &ignored);
    if (ret < 0) {
        cut(out, before);
        ret = template_execute(template, &raw, out, err);
    }
    if (ret < 0) {
        cut(out, before);
        return err_wrap(err, "template parsing error");
    }
    buf_putc(out, '\n');
    return 0;
}

/* ---- many ---- */

struct listing {
    const struct template *template; /* NULL: JSON */
    bool compact;                    /* "json": all in one line */
    struct buf out;
    size_t count;
};

static int add_object(struct listing *listing, const struct buf *text, const struct inspect_kind *kind, struct err *err)
{
    if (listing->template)
        return put_template(listing->template, text, kind, &listing->out, err);
    if (listing->count++)
        buf_putc(&listing->out, ',');
    if (listing->compact) {
        buf_append(&listing->out, text->data, strcspn(text->data, "\r\n"));
    } else {
        buf_puts(&listing->out, "\n" INDENT);
        json_indent(text->data, text->length, INDENT, INDENT, &listing->out);
    }
    return 0;
}

static void print_listing(const struct listing *listing)
{
    if (listing->template) {
        (void)fwrite(listing->out.data ? listing->out.data : "", 1, listing->out.length, stdout);
        if (!listing->out.length)
            puts("");
    } else if (listing->count) {
        printf("[");
        (void)fwrite(listing->out.data, 1, listing->out.length, stdout);
        puts(listing->compact ? "]" : "\n]");
    } else {
        puts("[]");
    }
}

#define EXIT_BAD_TEMPLATE 64

int inspect_run(struct cli *cli, char *const *names, const struct inspect_kind *const *kinds, const struct inspect_options *options)
{
    CLEANUP(template_free) struct template *template = NULL;
    struct listing listing = { .out = BUF_INIT((size_t)1 << 30) };
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    AUTO_BUF struct buf errors = BUF_INIT(BUF_TEXT_MAX);
    struct err err = { 0 };
    listing.compact = str_eq(options->format, "json");
    if (!str_empty(options->format) && !listing.compact && template_parse("", options->format, &template, &err) < 0) {
        (void)err_wrap(&err, "template parsing error");
        (void)cli_fail(cli, &err);
        return EXIT_BAD_TEMPLATE;
    }
    listing.template = template;
    for (; *names; names++) {
        const struct inspect_kind *kind = NULL;
        err_clear(&err);
        if (find(cli, *names, kinds, options->size, &text, &kind, &err) < 0 || add_object(&listing, &text, kind, &err) < 0)
            buf_printf(&errors, "%s\n", err.text);
    }
    print_listing(&listing);
    buf_done(&listing.out);
    (void)fflush(stdout);
    if (errors.length)
        (void)fwrite(errors.data, 1, errors.length, stderr);
    return errors.length ? 1 : 0;
}

/* ---- the commands ---- */

static const struct flag container_inspect_flags[] = {
    INSPECT_FORMAT_FLAG,
    FLAG_BOOL_(struct inspect_options, size, "size", 's', "Display total file sizes"),
    FLAG_END,
};

static int run_container_inspect(struct cli *cli, void *options, char **args)
{
    static const struct inspect_kind *const kinds[] = { &inspect_container, NULL };
    return inspect_run(cli, args, kinds, options);
}

const struct command command_container_inspect = {
    .path = "container inspect",
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .help = "Display detailed information on one or more containers",
    .flags = container_inspect_flags,
    .options_size = sizeof(struct inspect_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_container_inspect,
};

static const struct flag inspect_flags[] = {
    INSPECT_FORMAT_FLAG,
    FLAG_BOOL_(struct inspect_options, size, "size", 's', "Display total file sizes if the type is container"),
    FLAG_STR_(struct inspect_options, type, "type", 0, "Only inspect objects of the given type"),
    FLAG_END,
};

static int run_inspect(struct cli *cli, void *arg, char **args)
{
    static const struct inspect_kind *const all[] = { &inspect_container, &inspect_image, &inspect_network, &inspect_volume, NULL };
    const struct inspect_options *options = arg;
    const struct inspect_kind *one[2] = { NULL, NULL };
    if (str_empty(options->type))
        return inspect_run(cli, args, all, options);
    for (size_t i = 0; all[i]; i++) {
        if (str_eq(options->type, all[i]->name))
            one[0] = all[i];
    }
    if (one[0])
        return inspect_run(cli, args, one, options);
    fprintf(stderr, "unknown type: \"%s\": must be one of \"container\", \"image\", \"network\", \"volume\"\n", options->type);
    return 1;
}

const struct command command_inspect = {
    .path = "inspect",
    .usage = "[OPTIONS] NAME|ID [NAME|ID...]",
    .help = "Return low-level information on Docker objects",
    .flags = inspect_flags,
    .options_size = sizeof(struct inspect_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_inspect,
};
