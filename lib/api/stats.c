/* Tables of stats.h, and the open-ended numbers of memory_stats. */
#include "lib/api/stats.h"
#include "lib/api/tables.h"
#include "lib/json/value.h"
#include <inttypes.h>

static const struct codec_field blkio_stat_entry_fields[] = {
    F_I64(struct blkio_stat_entry, major, "major", 0),
    F_I64(struct blkio_stat_entry, minor, "minor", 0),
    F_STR(struct blkio_stat_entry, op, "op", 0),
    F_I64(struct blkio_stat_entry, value, "value", 0),
    F_END,
};
CODEC_DEFINE(blkio_stat_entry);

static const struct codec_field blkio_stats_fields[] = {
    F_LIST(struct blkio_stats, io_service_bytes_recursive, "io_service_bytes_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_serviced_recursive, "io_serviced_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_queue_recursive, "io_queue_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_service_time_recursive, "io_service_time_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_wait_time_recursive, "io_wait_time_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_merged_recursive, "io_merged_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, io_time_recursive, "io_time_recursive", NIL, blkio_stat_entry),
    F_LIST(struct blkio_stats, sectors_recursive, "sectors_recursive", NIL, blkio_stat_entry),
    F_END,
};
CODEC_DEFINE(blkio_stats);

static const struct codec_field pids_stats_fields[] = {
    F_I64(struct pids_stats, current, "current", OMIT),
    F_I64(struct pids_stats, limit, "limit", OMIT),
    F_END,
};
CODEC_DEFINE(pids_stats);

static const struct codec_field cpu_usage_fields[] = {
    F_I64(struct cpu_usage, total_usage, "total_usage", 0),
    F_I64LIST(struct cpu_usage, percpu_usage, "percpu_usage", OMIT),
    F_I64(struct cpu_usage, usage_in_kernelmode, "usage_in_kernelmode", 0),
    F_I64(struct cpu_usage, usage_in_usermode, "usage_in_usermode", 0),
    F_END,
};
CODEC_DEFINE(cpu_usage);

static const struct codec_field throttling_data_fields[] = {
    F_I64(struct throttling_data, periods, "periods", 0),
    F_I64(struct throttling_data, throttled_periods, "throttled_periods", 0),
    F_I64(struct throttling_data, throttled_time, "throttled_time", 0),
    F_END,
};
CODEC_DEFINE(throttling_data);

static const struct codec_field cpu_stats_fields[] = {
    F_OBJ(struct cpu_stats, cpu_usage, "cpu_usage", 0, cpu_usage),
    F_I64(struct cpu_stats, system_cpu_usage, "system_cpu_usage", OMIT),
    F_I64(struct cpu_stats, online_cpus, "online_cpus", OMIT),
    F_OBJ(struct cpu_stats, throttling_data, "throttling_data", 0, throttling_data),
    F_END,
};
CODEC_DEFINE(cpu_stats);

static const struct codec_field memory_stats_fields[] = {
    F_I64(struct memory_stats, usage, "usage", OMIT),
    F_I64(struct memory_stats, max_usage, "max_usage", OMIT),
    F_RAW(struct memory_stats, stats, "stats", OMIT),
    F_I64(struct memory_stats, failcnt, "failcnt", OMIT),
    F_I64(struct memory_stats, limit, "limit", OMIT),
    F_END,
};
CODEC_DEFINE(memory_stats);

static const struct codec_field network_stats_fields[] = {
    F_I64(struct network_stats, rx_bytes, "rx_bytes", 0),
    F_I64(struct network_stats, rx_packets, "rx_packets", 0),
    F_I64(struct network_stats, rx_errors, "rx_errors", 0),
    F_I64(struct network_stats, rx_dropped, "rx_dropped", 0),
    F_I64(struct network_stats, tx_bytes, "tx_bytes", 0),
    F_I64(struct network_stats, tx_packets, "tx_packets", 0),
    F_I64(struct network_stats, tx_errors, "tx_errors", 0),
    F_I64(struct network_stats, tx_dropped, "tx_dropped", 0),
    F_END,
};
CODEC_DEFINE(network_stats);

static const struct codec_field storage_stats_fields[] = {
    F_I64(struct storage_stats, read_count_normalized, "read_count_normalized", OMIT),
    F_I64(struct storage_stats, read_size_bytes, "read_size_bytes", OMIT),
    F_I64(struct storage_stats, write_count_normalized, "write_count_normalized", OMIT),
    F_I64(struct storage_stats, write_size_bytes, "write_size_bytes", OMIT),
    F_END,
};
CODEC_DEFINE(storage_stats);

static const struct codec_field container_stats_fields[] = {
    F_STR(struct container_stats, name, "name", OMIT),
    F_STR(struct container_stats, id, "id", OMIT),
    F_TIME(struct container_stats, read, "read", 0),
    F_TIME(struct container_stats, preread, "preread", 0),
    F_OBJ(struct container_stats, pids_stats, "pids_stats", 0, pids_stats),
    F_OBJ(struct container_stats, blkio_stats, "blkio_stats", 0, blkio_stats),
    F_I64(struct container_stats, num_procs, "num_procs", 0),
    F_OBJ(struct container_stats, storage_stats, "storage_stats", 0, storage_stats),
    F_OBJ(struct container_stats, cpu_stats, "cpu_stats", 0, cpu_stats),
    F_OBJ(struct container_stats, precpu_stats, "precpu_stats", 0, cpu_stats),
    F_OBJ(struct container_stats, memory_stats, "memory_stats", 0, memory_stats),
    F_OBJMAP(struct container_stats, networks, "networks", OMIT, network_stats),
    F_END,
};
CODEC_DEFINE(container_stats);


void memory_stats_put(struct memory_stats *stats, const char *name, uint64_t value)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t length = stats->stats ? strlen(stats->stats) : 0;
    if (length > 2) {
        buf_append(&out, stats->stats, length - 1);
        buf_putc(&out, ',');
    } else {
        buf_putc(&out, '{');
    }
    json_put_string(&out, name, strlen(name));
    buf_printf(&out, ":%" PRIu64 "}", value);
    free(stats->stats);
    stats->stats = buf_take(&out);
}

int64_t memory_stats_get(const struct memory_stats *stats, const char *name)
{
    CLEANUP(json_free) struct json *map = NULL;
    struct err err = {0};
    if (!stats->stats || json_parse(stats->stats, strlen(stats->stats), &map, &err) < 0)
        return 0;
    return json_int(json_get(map, name));
}
