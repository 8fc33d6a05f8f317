/* How to make a layer's original tar again from its tree: everything of the tar but the data of its files, and where that data was. A few
 * bytes per entry (zstd). Needed because tars of other makers are not in our canonical form, and a layer's diff id names its bytes.
 * A layer whose tar writes one path twice has no recipe: the first content is gone from the tree. */
#pragma once
#include "lib/archive/stream.h"
#include <stdbool.h>
#include <stdint.h>

struct recipe_writer;
struct recipe_writer *recipe_writer_new(int fd);
void recipe_writer_free(struct recipe_writer *writer);
void recipe_literal(void *writer, const void *bytes, size_t length); /* a tar_reader_tap function */
void recipe_file(struct recipe_writer *writer, const char *path, uint64_t size);
void recipe_spoil(struct recipe_writer *writer);
/* 1: the recipe is good and in the file, 0: spoiled */
int recipe_writer_end(struct recipe_writer *writer, uint64_t tar_size, struct err *err);

struct recipe;
/* Both fds stay the caller's. */
int recipe_open(int recipe_fd, int dir_fd, struct recipe **ret, struct err *err);
void recipe_close(struct recipe *recipe);
uint64_t recipe_tar_size(const struct recipe *recipe);
ssize_t recipe_read(void *recipe, void *bytes, size_t size, struct err *err); /* a struct reader's */
