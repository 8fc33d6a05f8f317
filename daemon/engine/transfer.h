/* Images and layers in and out: shared by pull, load, import, commit and build. */
#pragma once
#include "daemon/engine/internal.h"
#include "daemon/engine/progress.h"
#include "lib/jobs/kinds.h"

int auth_decode(const char *text, struct job_auth *ret);
void image_event_locked(struct engine *engine, const char *action, const char *id, const char *name);
/* What a job uses stays until lease_end(), which also collects what nobody needs any more. */
struct store_lease *lease_begin(struct engine *engine, const char *what);
void lease_pin(struct engine *engine, struct store_lease *lease, const char *digest);
void lease_end(struct engine *engine, struct store_lease *lease);
int layer_blob(struct engine *engine, const char *diff_id, struct job_layer *ret, int *ret_fd, struct err *err);
/* Commits config bytes as an image with canonical names; the id into ret_id (72 bytes). */
int image_commit(struct engine *engine, const char *config, size_t length, char *const *refs, const char *parent, bool local, char ret_id[72], struct err *err);
/* JSON text of an image config made anew: {"architecture":..,"config":..,"created":..,"history":..,"os":..,"rootfs":..}. */
struct oci_image;
char *image_config_text(const struct oci_image *config);
struct worker_call;
/* A worker whose fd 0 is a stream for the client: call->fds is set here, more_fds follow as 1, 2, 3. */
int worker_to_sink(struct engine *engine, struct worker_call *call, const int *more_fds, size_t more_count, struct sink *sink, struct err *err);
