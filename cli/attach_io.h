/* Moves bytes between this client's standard streams and a hijacked connection, until the container closes its side,
 * the user types the detach keys, or (with no output attached) stdin ends. */
#pragma once
#include "cli/api.h"

#define DETACH_KEYS_MAX 16
struct detach_keys {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t count;
};
/* "ctrl-p,ctrl-q", "a,ctrl-@"; NULL or "" is ctrl-p,ctrl-q. ERR_INVALID. */
int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err);
/* Without a flag the keys of the configuration file ("detachKeys") count. */
void detach_keys_default(const struct cli *cli, char **inout_keys);

/* Looks for the sequence in typed bytes, which may come in any pieces. */
struct detach_scan {
    const struct detach_keys *keys;
    size_t matched; /* of the sequence, held back */
};
/* Appends to out what may be sent on. True: the sequence is complete. */
bool detach_scan_feed(struct detach_scan *scan, const char *bytes, size_t length, struct buf *out);

struct attach_io {
    struct api_hijack *hijack;
    int in_fd;             /* -1: not attached */
    int out_fd, err_fd;    /* -1: dropped */
    bool tty;              /* the container has a terminal: bytes are raw, detach keys are looked for */
    const char *detach_keys;
};
enum attach_end { ATTACH_CLOSED, ATTACH_DETACHED };
int attach_io_run(const struct attach_io *io, enum attach_end *ret, struct err *err);
