/* One sample of GET /containers/{id}/stats, in the shape of a cgroup 1 or 2 Linux host. Members that only
 * one of the two cgroup versions or only Windows knows are left out when empty, as Docker does. */
#pragma once
#include "lib/json/codec.h"

struct blkio_stat_entry {
    int64_t major, minor;
    char *op;
    int64_t value;
};
struct blkio_stats {
    CODEC_LIST(struct blkio_stat_entry) io_service_bytes_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_serviced_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_queue_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_service_time_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_wait_time_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_merged_recursive;
    CODEC_LIST(struct blkio_stat_entry) io_time_recursive;
    CODEC_LIST(struct blkio_stat_entry) sectors_recursive;
};
struct pids_stats {
    int64_t current, limit;
};
struct cpu_usage {
    int64_t total_usage;
    struct i64_list percpu_usage;
    int64_t usage_in_kernelmode, usage_in_usermode;
};
struct throttling_data {
    int64_t periods, throttled_periods, throttled_time;
};
struct cpu_stats {
    struct cpu_usage cpu_usage;
    int64_t system_cpu_usage, online_cpus;
    struct throttling_data throttling_data;
};
struct memory_stats {
    int64_t usage, max_usage;
    char *stats; /* raw: {"active_anon":1,...}, see memory_stats_put */
    int64_t failcnt, limit;
};
struct network_stats {
    int64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};
struct storage_stats {
    int64_t read_count_normalized, read_size_bytes, write_count_normalized, write_size_bytes;
};
struct container_stats {
    char *name, *id;
    int64_t read, preread;
    struct pids_stats pids_stats;
    struct blkio_stats blkio_stats;
    int64_t num_procs;
    struct storage_stats storage_stats;
    struct cpu_stats cpu_stats, precpu_stats;
    struct memory_stats memory_stats;
    struct obj_map networks; /* "eth0" -> struct network_stats */
};
/* Adds one number to memory_stats.stats. */
void memory_stats_put(struct memory_stats *stats, const char *name, uint64_t value);
/* One number of memory_stats.stats; 0 when absent. For the client. */
int64_t memory_stats_get(const struct memory_stats *stats, const char *name);

CODEC_DECLARE(blkio_stat_entry);
CODEC_DECLARE(blkio_stats);
CODEC_DECLARE(pids_stats);
CODEC_DECLARE(cpu_usage);
CODEC_DECLARE(throttling_data);
CODEC_DECLARE(cpu_stats);
CODEC_DECLARE(memory_stats);
CODEC_DECLARE(network_stats);
CODEC_DECLARE(storage_stats);
CODEC_DECLARE(container_stats);
