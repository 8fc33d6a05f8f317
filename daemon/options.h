/* The command line and daemon.json of holkd: dockerd's names and keys, so that scripts can treat both alike. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>

struct options { /* owned; options_done */
    char **hosts, **insecure_registries, **registry_mirrors, **labels, **dns, **storage_opts;
    char *data_root, *exec_root, *pidfile, *bip, *bridge, *cgroup_parent, *log_level, *default_runtime, *config_file;
    bool debug, validate, docker_compat;
};
/* File first, flags over it, defaults last. May be called again (SIGHUP) with the same words. ERR_INVALID / ERR_UNSUPPORTED name the flag or
 * key. --help and --version print and exit. */
int options_parse(int argc, char **argv, struct options *ret, struct err *err);
void options_done(struct options *options);
