/* The flags before the command, and what the environment says instead. */
#pragma once
#include "cli/command.h"

struct global_options {
    char *host, *config, *context, *log_level;
    bool debug, version;
    char *tls_ca_cert, *tls_cert, *tls_key;
    bool tls, tls_verify;
};
extern const struct flag global_flags[];
/* cli borrows from options. ERR_UNSUPPORTED for what this client refuses by name: contexts, TLS. */
int global_apply(const struct global_options *options, struct cli *cli, struct err *err);
