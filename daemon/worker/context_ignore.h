/* What a .dockerignore takes out of a build context. A directory that is ignored stays for the sake of what "!" keeps inside it. */
#pragma once
#include "lib/base/err.h"
#include "lib/base/map.h"
#include "lib/oci/pattern.h"

/* Removes the ignored files and directories below dir_fd. */
int context_ignore_remove(int dir_fd, const struct pattern_set *set, struct err *err);
/* Puts their paths (relative) into hidden as keys, with hidden itself as the value; nothing is changed. */
int context_ignore_list(int dir_fd, const struct pattern_set *set, struct map *hidden, struct err *err);
