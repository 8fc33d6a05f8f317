/* What the database keeps of an object: JSON by table, one row each. container_record changes rarely (create, rename, update);
 * container_status changes with every fact and is a row of its own. */
#pragma once
#include "lib/api/container.h"
#include "lib/api/network.h"
#include "lib/json/codec.h"

enum container_status_code { STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_RESTARTING, STATUS_REMOVING, STATUS_EXITED, STATUS_DEAD };
const char *container_status_name(enum container_status_code code);

/* One mount as inspect shows it, and what the plan needs beside. */
struct mount_record {
    char *type; /* bind volume tmpfs */
    char *name, *source, *destination, *driver, *mode, *propagation;
    bool rw, anonymous;      /* anonymous: the volume goes with `rm -v` and --rm */
    bool make_source, non_recursive, no_copy;
    bool recursive_read_only;
    char *tmpfs_options;     /* "size=...,mode=..." */
    bool from_mounts;        /* came by HostConfig.Mounts: the source must exist */
    char *subpath;
};
struct container_record {
    char *id, *name; /* name without slash */
    int64_t created_unix_ns;
    char *image_id;  /* "sha256:..." */
    char *image_ref; /* as the client gave it */
    char *platform;
    char **diff_ids; /* bottom first */
    char *path;
    char **args;
    struct container_config config;
    struct host_config host_config;
    struct obj_map networks; /* name -> struct endpoint_settings: as asked, then as given */
    CODEC_LIST(struct mount_record) mounts;
    bool auto_network;       /* the network mode's own endpoint was added by us */
    bool hidden;             /* a build step */
};
struct container_status {
    int64_t code; /* enum container_status_code */
    int64_t pid, exit_code, restart_count, started_unix_ns, finished_unix_ns;
    int64_t start_ticks;
    char *error;
    bool oom_killed, stopped_by_user, has_started;
    int64_t facts_applied; /* of the monitor that runs or ran last */
    struct str_map host_ifs; /* network name -> host end of the veth */
    struct obj_map ports;  /* "80/tcp" -> struct port_binding_list, as published now */
};
void record_drop_network(struct container_record *record, const char *name);
CODEC_DECLARE(mount_record);
CODEC_DECLARE(container_record);
CODEC_DECLARE(container_status);
