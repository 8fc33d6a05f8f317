/* Looking at objects: the daemon's JSON indented, or a template run on it. `inspect` tries every kind, `image inspect` and its
 * like one. */
#pragma once
#include "cli/command.h"

struct inspect_kind {
    const char *name;              /* of --type */
    const char *path;              /* "/containers/%s/json" */
    const struct codec_type *type; /* for templates */
    bool has_size;                 /* takes ?size=1 */
};
extern const struct inspect_kind inspect_container, inspect_image, inspect_network, inspect_volume;

struct inspect_options {
    char *format, *type;
    bool size;
};
/* kinds: tried in order for every name; ends with NULL. Returns the exit code. */
int inspect_run(struct cli *cli, char *const *names, const struct inspect_kind *const *kinds, const struct inspect_options *options);
/* The rows of --format (with its -f). */
#define INSPECT_FORMAT_FLAG FLAG_STR_(struct inspect_options, format, "format", 'f', FORMAT_OBJECT_HELP)
/* Appends JSON text with line breaks and the indent of docker; strings and numbers stay as they are. */
void json_indent(const char *text, size_t length, const char *prefix, const char *indent, struct buf *out);
