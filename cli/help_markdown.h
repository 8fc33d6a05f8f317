/* The reference of the whole client as one Markdown text, made from the rows of commands: docs/cli.md. */
#pragma once
#include "lib/base/buf.h"

void help_markdown(struct buf *out);
