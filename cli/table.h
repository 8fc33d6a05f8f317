/* Columns on a text screen, as Docker's clients lay them out: cells end with a tab, a column is as wide as its widest
 * cell in the run of lines that have it, plus `padding`, and at least `min_width`. The last cell of a line belongs to
 * no column. Width counts characters, not bytes. */
#pragma once
#include "lib/base/buf.h"

#define TABLE_MIN_WIDTH 10
#define TABLE_PADDING 3
/* text: lines with tabs. Appends the laid-out lines to out. */
void table_layout(const char *text, size_t length, size_t min_width, size_t padding, struct buf *out);
