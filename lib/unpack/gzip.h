/* Deflate in gzip's wrapper, one stream at a time; by ISA-L where the machine has it (gzip_isal.c), else by zlib (gzip_zlib.c). */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct gzip_io {
    const unsigned char *in;
    size_t in_length;
    unsigned char *out;
    size_t out_length; /* room */
};
struct gunzip;
struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *gunzip);
void gunzip_reset(struct gunzip *gunzip); /* for the next member */
/* Moves the four of io. 1: the member ended and its checksum and length held; 0: wants more input or room; -1 ERR_INVALID. */
int gunzip_run(struct gunzip *gunzip, struct gzip_io *io, struct err *err);

struct gzip;
struct gzip *gzip_new(void);
void gzip_free(struct gzip *gzip);
/* end: this is the last input; call until it returns 1. 0: used up the input or the room. */
int gzip_run(struct gzip *gzip, struct gzip_io *io, bool end, struct err *err);
