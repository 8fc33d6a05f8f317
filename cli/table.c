#include "cli/table.h"

#include <stdint.h>

struct line {
    size_t start, end; /* without the newline */
    size_t cells;      /* tabs + 1 */
};

struct layout {
    const char *text;
    struct line *lines;
    size_t count;
    size_t min_width, padding;
    size_t **widths; /* per line, per cell but the last */
};

static size_t characters(const char *text, size_t from, size_t to)
{
    size_t count = 0;
    for (size_t i = from; i < to; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static void split_lines(struct layout *layout, size_t length)
{
    size_t capacity = 0, start = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && layout->text[i] != '\n')
            continue;
        if (i == length && start == length)
            break;
        if (layout->count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            layout->lines = xreallocarray(layout->lines, capacity, sizeof *layout->lines);
        }
        struct line *line = &layout->lines[layout->count++];
        *line = (struct line){ start, i, 1 };
        for (size_t c = start; c < i; c++)
            line->cells += layout->text[c] == '\t';
        start = i + 1;
    }
}

/* Text width of every tab-ended cell. */
static void measure(struct layout *layout)
{
    layout->widths = xcalloc(layout->count + 1, sizeof *layout->widths);
    for (size_t l = 0; l < layout->count; l++) {
        const struct line *line = &layout->lines[l];
        size_t cell = 0, start = line->start;
        layout->widths[l] = xcalloc(line->cells, sizeof **layout->widths);
        for (size_t i = line->start; i < line->end; i++)
            if (layout->text[i] == '\t') {
                layout->widths[l][cell++] = characters(layout->text, start, i);
                start = i + 1;
            }
    }
}

/* Every run of lines that have the column gets the width of its widest cell. */
static void align_column(struct layout *layout, size_t column)
{
    for (size_t l = 0; l < layout->count;) {
        if (layout->lines[l].cells < column + 2) {
            l++;
            continue;
        }
        size_t end = l, width = layout->min_width;
        for (; end < layout->count && layout->lines[end].cells >= column + 2; end++)
            width = MAX(width, layout->widths[end][column] + layout->padding);
        for (; l < end; l++)
            layout->widths[l][column] = width;
    }
}

static void write_lines(const struct layout *layout, size_t length, struct buf *out)
{
    for (size_t l = 0; l < layout->count; l++) {
        const struct line *line = &layout->lines[l];
        size_t cell = 0, start = line->start;
        for (size_t i = line->start; i < line->end; i++) {
            if (layout->text[i] != '\t')
                continue;
            size_t width = layout->widths[l][cell++], used = characters(layout->text, start, i);
            buf_append(out, layout->text + start, i - start);
            for (; used < width; used++)
                buf_putc(out, ' ');
            start = i + 1;
        }
        buf_append(out, layout->text + start, line->end - start);
        if (line->end < length)
            buf_putc(out, '\n');
    }
}

void table_layout(const char *text, size_t length, size_t min_width, size_t padding, struct buf *out)
{
    struct layout layout = { .text = text, .min_width = min_width, .padding = padding };
    size_t columns = 0;
    split_lines(&layout, length);
    measure(&layout);
    for (size_t l = 0; l < layout.count; l++)
        columns = MAX(columns, layout.lines[l].cells - 1);
    for (size_t column = 0; column < columns; column++)
        align_column(&layout, column);
    write_lines(&layout, length, out);
    for (size_t l = 0; l < layout.count; l++)
        free(layout.widths[l]);
    free(layout.widths);
    free(layout.lines);
}
