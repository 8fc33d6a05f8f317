/* The context of a build as a tar stream, made while it is sent: a directory walked in the order of its names, without
 * what .dockerignore (or NAME.dockerignore beside a Dockerfile of that name) leaves behind. A Dockerfile from outside
 * the directory, or from stdin, travels under a name of its own, which the stream's .dockerignore hides from COPY.
 *
 * Directories, files, links and devices go as they are, sockets not at all; owner is root, times are whole seconds. The
 * walk never follows a link. */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdint.h>
#include <sys/types.h>

#define CONTEXT_DEPTH_MAX 400 /* directories inside each other; each holds a descriptor while walked */

struct context;

/* directory: what the user typed. dockerfile: as given by -f, NULL: "Dockerfile"; text (length bytes, taken by copy):
 * the Dockerfile itself when it came from stdin. ERR_NOT_FOUND, ERR_INVALID with Docker's sentences ("path "x" not
 * found"). */
int context_open(const char *directory, const char *dockerfile, const char *text, size_t length, struct context **ret,
                 struct err *err);
/* A context of one file, the Dockerfile. */
void context_open_text(const char *text, size_t length, struct context **ret);
void context_close(struct context *context);
CLEANUP_FN(struct context, context_close)
/* What the daemon shall take as Dockerfile; borrowed. */
const char *context_dockerfile(const struct context *context);
/* A body_read of http.h; arg is the context. */
ssize_t context_read(void *arg, void *bytes, size_t size, struct err *err);
