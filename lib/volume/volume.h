/* Named volumes of the "local" driver: directories DATA/volumes/<name>/_data. The file-system part only: registry, references and
 * database rows are the engine's. (lib/api has the wire struct `volume`; this one is `local_volume`.) */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>

/* ERR_INVALID with Docker's sentence unless [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
int volume_name_check(const char *name, struct err *err);
/* ERR_NOT_FOUND "... error looking up volume plugin NAME: plugin "NAME" not found" unless "" or "local". */
int volume_driver_check(const char *driver, struct err *err);

struct volume_store; /* one open directory */
int volume_store_open(const char *data_root, struct volume_store **ret, struct err *err); /* makes volumes/ and volumes/.trash */
void volume_store_close(struct volume_store *store);

enum volume_kind { VOLUME_PLAIN, VOLUME_BIND, VOLUME_TMPFS };
struct local_volume { /* NULL-ended options "key=value" as given */
    char *name, *mountpoint; /* DATA/volumes/<name>/_data */
    char **options;
    enum volume_kind kind;
    char *device;     /* VOLUME_BIND: the host directory to mount instead of mountpoint */
    char *mount_data; /* VOLUME_TMPFS: "size=..,mode=.."; VOLUME_BIND: "" */
    bool readonly;    /* o=ro */
    int64_t created;  /* ns since 1970 */
};
void volume_free(struct local_volume *volume);
CLEANUP_FN(struct local_volume, volume_free)
/* What the options mean, nothing on disk. type=none|tmpfs, o=bind[,ro]|rbind / tmpfs options, device=...; nfs, cifs and the rest
 * are refused by name (ERR_UNSUPPORTED); unknown keys ERR_INVALID `create NAME: invalid option: "KEY"`. */
int volume_describe(struct volume_store *store, const char *name, const char *const *options, struct local_volume **ret, struct err *err);
/* Describes and makes the directory (existing is fine: the same volume again). created: now, or the directory's birth. */
int volume_create(struct volume_store *store, const char *name, const char *const *options, struct local_volume **ret, struct err *err);
/* Moves it to the trash (instant, atomic) and removes that without following links. Missing is fine. */
int volume_remove(struct volume_store *store, const char *name, struct err *err);
/* Names of directories found on disk (engine start: adopt or report); strv. */
int volume_scan(struct volume_store *store, char ***ret_names, struct err *err);
void volume_trash_empty(struct volume_store *store); /* leftovers of a crash */
int volume_usage(struct volume_store *store, const char *name, uint64_t *ret_bytes, struct err *err);
/* The directory to show in a container: an O_PATH fd of _data, or of device for VOLUME_BIND. */
int volume_open(struct volume_store *store, const struct local_volume *volume, int *ret_fd, struct err *err);
