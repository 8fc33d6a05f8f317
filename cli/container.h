/* What the container commands share. */
#pragma once
#include "cli/create_options.h"
#include "cli/signals.h"
#include "lib/api/container.h"

/* Creates the container, pulling the image when the options ask for it or it is not there. *ret_id is the caller's. Writes the
 * --cidfile and prints the daemon's warnings on stderr. */
int container_create(struct cli *cli, const struct create_options *options, const struct container_create_request *request,
                     char **ret_id, struct err *err);
int container_inspect_get(struct cli *cli, const char *name, struct container_inspect *ret, struct err *err);

/* A row of `ps` (also in `system df -v`). */
struct format_kind;
struct record;
extern const struct format_kind container_kind;
void container_record_fill(struct record *record, const struct container_summary *item, bool trunc);
/* The PORTS column: "0.0.0.0:8000-8002->8000-8002/tcp, 53/udp". Caller frees. */
char *ports_text(const struct container_summary *container);

/* ---- attaching ---- */
struct attach_request {
    const char *id;
    bool in, out, err;
    bool logs;
    const char *detach_keys;
    bool tty;
};
int container_attach_open(struct cli *cli, const struct attach_request *request, struct api_hijack *ret, struct err *err);

/* ---- waiting for the end ---- */
struct exit_wait {
    struct api_stream stream;
    char *id;
    const char *condition; /* "next-exit", "removed" */
};
#define EXIT_WAIT_INIT { .stream = API_STREAM_INIT }
/* Returns once the daemon has begun to wait: begin it before start, and no exit is missed. */
int exit_wait_begin(struct cli *cli, const char *id, const char *condition, struct exit_wait *ret, struct err *err);
/* Blocks. A daemon that goes away meanwhile is waited for and asked again. */
int exit_wait_finish(struct cli *cli, struct exit_wait *wait, int64_t *ret_code, struct err *err);
void exit_wait_done(struct exit_wait *wait);
#define AUTO_EXIT_WAIT __attribute__((cleanup(exit_wait_done)))
