/* stats. Every container has a thread with a connection of its own that keeps the latest numbers; the screen is drawn twice
 * a second from them. Without names the list of containers is asked for again once a second. */
#include "cli/container.h"
#include "cli/format.h"
#include "cli/units.h"
#include "lib/api/stats.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_MAX ((size_t)4 << 20)
#define DRAW_EVERY_NS 500000000L
#define LIST_EVERY 2 /* draws */

struct stats_options {
    bool all, no_stream, no_trunc;
    char *format;
};

/* What a line shows. */
struct figures {
    char *name, *id;
    double cpu, memory, memory_limit, memory_percent, received, sent, read, written;
    int64_t pids;
};

struct watch {
    struct cli cli;
    char *container; /* as asked for */
    bool once, joined;
    pthread_t thread;
    struct mutex lock; /* for what follows */
    struct figures figures;
    bool have, ended;
    struct err err;
};

struct watches {
    struct watch **items;
    size_t count;
};

/* ---- numbers ---- */

static double cpu_percent(const struct container_stats *stats)
{
    double used = (double)stats->cpu_stats.cpu_usage.total_usage - (double)stats->precpu_stats.cpu_usage.total_usage;
    double system = (double)stats->cpu_stats.system_cpu_usage - (double)stats->precpu_stats.system_cpu_usage;
    double cpus = (double)stats->cpu_stats.online_cpus;
    if (cpus <= 0)
        cpus = (double)stats->cpu_stats.cpu_usage.percpu_usage.count;
    return used > 0 && system > 0 ? used / system * cpus * 100 : 0;
}

/* Without the page cache that could be dropped at once: cgroup 1 and 2 have different names for it. */
static double memory_used(const struct memory_stats *memory)
{
    int64_t cache = memory_stats_get(memory, "total_inactive_file");
    if (cache <= 0 || cache >= memory->usage)
        cache = memory_stats_get(memory, "inactive_file");
    return (double)(cache > 0 && cache < memory->usage ? memory->usage - cache : memory->usage);
}

static void add_network(const struct container_stats *stats, struct figures *figures)
{
    for (size_t i = 0; i < obj_map_count(&stats->networks); i++) {
        const struct network_stats *network = stats->networks.values[i];
        figures->received += network ? (double)network->rx_bytes : 0;
        figures->sent += network ? (double)network->tx_bytes : 0;
    }
}

static void add_blocks(const struct blkio_stats *stats, struct figures *figures)
{
    for (size_t i = 0; i < stats->io_service_bytes_recursive.count; i++) {
        const struct blkio_stat_entry *entry = &stats->io_service_bytes_recursive.items[i];
        char op = entry->op ? *entry->op : 0;
        figures->read += op == 'r' || op == 'R' ? (double)entry->value : 0;
        figures->written += op == 'w' || op == 'W' ? (double)entry->value : 0;
    }
}

static void figures_done(struct figures *figures)
{
    free(figures->name);
    free(figures->id);
}

static struct figures figures_of(const struct container_stats *stats)
{
    struct figures figures = {
        .name = xstrdup(stats->name ? stats->name + (*stats->name == '/') : ""),
        .id = xstrdup(stats->id ? stats->id : ""),
        .cpu = cpu_percent(stats),
        .memory = memory_used(&stats->memory_stats),
        .memory_limit = (double)stats->memory_stats.limit,
        .pids = stats->pids_stats.current,
    };
    if (figures.memory_limit > 0)
        figures.memory_percent = figures.memory / figures.memory_limit * 100;
    add_network(stats, &figures);
    add_blocks(&stats->blkio_stats, &figures);
    return figures;
}

/* ---- one container ---- */

static int take_sample(struct watch *watch, const char *line, size_t length, struct err *err)
{
    struct container_stats stats;
    if (codec_decode(&container_stats_type, line, length, &stats, err) < 0)
        return -1;
    struct figures figures = figures_of(&stats);
    codec_clear(&container_stats_type, &stats);
    mutex_lock(&watch->lock);
    figures_done(&watch->figures);
    watch->figures = figures;
    watch->have = true;
    mutex_unlock(&watch->lock);
    return 0;
}

static int take_lines(struct watch *watch, struct buf *text, bool at_end, struct err *err)
{
    for (;;) {
        const char *newline = text->length ? memchr(text->data, '\n', text->length) : NULL;
        size_t length = newline ? (size_t)(newline - text->data) : at_end ? text->length : 0;
        if (!length)
            return 0;
        if (take_sample(watch, text->data, length, err) < 0)
            return -1;
        buf_consume(text, length + (newline != NULL));
    }
}

static int watch_container(struct watch *watch, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_BUF struct buf text = BUF_INIT(SAMPLE_MAX);
    AUTO_TARGET(target);
    char piece[8192];
    ssize_t got;
    api_path(&target, "/containers/%s/stats", watch->container);
    http_query_add(&target, "stream", watch->once ? "0" : "1");
    struct http_request request = { .method = "GET", .target = target.data };
    if (api_stream_open(&watch->cli, &request, &stream, err) < 0)
        return -1;
    while ((got = http_read(stream.http, piece, sizeof piece, err)) > 0) {
        buf_append(&text, piece, (size_t)got);
        if (buf_failed(&text))
            return err_set(err, ERR_INVALID, "stats of %s: a sample is too long", watch->container);
        if (take_lines(watch, &text, false, err) < 0)
            return -1;
    }
    return got < 0 ? -1 : take_lines(watch, &text, true, err);
}

static void *watch_thread(void *arg)
{
    struct watch *watch = arg;
    struct err err = { 0 };
    (void)watch_container(watch, &err);
    mutex_lock(&watch->lock);
    watch->err = err;
    watch->ended = true;
    mutex_unlock(&watch->lock);
    return NULL;
}

static int add_watch(struct cli *cli, struct watches *watches, const char *container, bool once, struct err *err)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    watch->cli = *cli;
    watch->cli.http = NULL;
    watch->cli.http_busy = false;
    watch->container = xstrdup(container);
    watch->once = once;
    mutex_init(&watch->lock);
    int ret = pthread_create(&watch->thread, NULL, watch_thread, watch);
    if (ret) {
        free(watch->container);
        free(watch);
        return err_sys(err, ret, "watch container %s", container);
    }
    watches->items = xreallocarray(watches->items, watches->count + 1, sizeof *watches->items);
    watches->items[watches->count++] = watch;
    return 0;
}

static void join_watch(struct watch *watch)
{
    if (!watch->joined)
        (void)pthread_join(watch->thread, NULL);
    watch->joined = true;
}

/* Waits for the thread, so only for watches that have ended or end by themselves. */
static void drop_watch(struct watches *watches, size_t index)
{
    struct watch *watch = watches->items[index];
    join_watch(watch);
    http_close(watch->cli.http);
    figures_done(&watch->figures);
    mutex_done(&watch->lock);
    free(watch->container);
    free(watch);
    watches->count--;
    memmove(&watches->items[index], &watches->items[index + 1], (watches->count - index) * sizeof *watches->items);
}

/* ---- the list ---- */

static bool is_watched(const struct watches *watches, const char *id)
{
    for (size_t i = 0; i < watches->count; i++) {
        if (str_eq(watches->items[i]->container, id))
            return true;
    }
    return false;
}

static int add_listed(struct cli *cli, const struct stats_options *options, struct watches *watches, struct err *err)
{
    CODEC_LIST(struct container_summary) list = { 0 };
    int ret = api_get_list(cli, options->all ? "/containers/json?all=1" : "/containers/json", &container_summary_type, &list, err);
    for (size_t i = 0; ret == 0 && i < list.count; i++) {
        if (!is_watched(watches, list.items[i].id))
            ret = add_watch(cli, watches, list.items[i].id, options->no_stream, err);
    }
    api_list_clear(&container_summary_type, &list);
    return ret;
}

/* ---- drawing ---- */

static const struct format_member stats_members[] = {
    { "BlockIO", "BLOCK I/O" }, { "CPUPerc", "CPU %" },   { "Container", "CONTAINER" },         { "ID", "CONTAINER ID" },
    { "MemPerc", "MEM %" },     { "MemUsage", "MEM USAGE / LIMIT" }, { "Name", "NAME" }, { "NetIO", "NET I/O" },
    { "PIDs", "PIDS" },         { NULL, NULL },
};
static const struct format_kind stats_kind = {
    .go_type = "*container.statsContext",
    .members = stats_members,
    .table = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
};

static char *pair_text(double a, double b)
{
    AUTO_FREE char *left = units_size(a, 3), *right = units_size(b, 3);
    return str_format("%s / %s", left, right);
}

static char *memory_text(const struct figures *figures)
{
    AUTO_FREE char *used = units_bytes(figures->memory, 4), *limit = units_bytes(figures->memory_limit, 4);
    return str_format("%s / %s", used, limit);
}

static void put_record(struct record *record, struct watch *watch, bool trunc)
{
    const struct figures *figures = &watch->figures;
    record_text(record, "Container", watch->container);
    if (!watch->have) {
        static const char *const unknown[] = { "CPUPerc", "MemPerc", "PIDs", "Name", "ID" };
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
            record_text(record, unknown[i], "--");
        record_text(record, "MemUsage", "-- / --");
        record_text(record, "NetIO", "-- / --");
        record_text(record, "BlockIO", "-- / --");
        return;
    }
    record_text(record, "Name", figures->name);
    record_take(record, "ID", trunc ? units_short_id(figures->id) : xstrdup(figures->id));
    record_take(record, "CPUPerc", str_format("%.2f%%", figures->cpu));
    record_take(record, "MemUsage", memory_text(figures));
    record_take(record, "MemPerc", str_format("%.2f%%", figures->memory_percent));
    record_take(record, "NetIO", pair_text(figures->received, figures->sent));
    record_take(record, "BlockIO", pair_text(figures->read, figures->written));
    record_take(record, "PIDs", str_format("%lld", (long long)figures->pids));
}

static int draw(const struct stats_options *options, struct watches *watches, struct buf *out, struct err *err)
{
    AUTO_RECORDS struct records records = RECORDS_INIT;
    for (size_t i = 0; i < watches->count; i++) {
        struct watch *watch = watches->items[i];
        mutex_lock(&watch->lock);
        put_record(records_add(&records), watch, !options->no_trunc);
        mutex_unlock(&watch->lock);
    }
    return format_write(&stats_kind, options->format, false, &records, out, err);
}

/* On a terminal each line is written over the one of before; elsewhere the lines just follow. */
static void show(const struct buf *text, bool live)
{
    if (!live) {
        (void)fwrite(text->data ? text->data : "", 1, text->length, stdout);
        (void)fflush(stdout);
        return;
    }
    (void)fputs("\033[H", stdout);
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] == '\n')
            (void)fputs("\033[K", stdout);
        (void)putchar(text->data[i]);
    }
    (void)fputs("\033[J", stdout);
    (void)fflush(stdout);
}

/* ---- the command ---- */

static int add_named(struct cli *cli, char **names, bool once, struct watches *watches, struct err *err)
{
    for (; *names; names++) {
        if (add_watch(cli, watches, *names, once, err) < 0)
            return -1;
    }
    return 0;
}

/* One sample of each. What a name failed with is printed; a container of the list that has just gone is no failure. */
static int run_once(struct cli *cli, const struct stats_options *options, struct watches *watches, bool named)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct err err = { 0 };
    int exit_code = 0;
    for (size_t i = 0; i < watches->count; i++)
        join_watch(watches->items[i]);
    for (size_t i = 0; i < watches->count; i++) {
        if (watches->items[i]->err.kind && named)
            exit_code = cli_fail(cli, &watches->items[i]->err);
    }
    if (exit_code)
        return exit_code;
    if (draw(options, watches, &out, &err) < 0)
        return cli_fail(cli, &err);
    show(&out, false);
    return 0;
}

static bool drop_ended(struct watches *watches, struct err *ret_err)
{
    bool failed = false;
    for (size_t i = watches->count; i-- > 0;) {
        struct watch *watch = watches->items[i];
        mutex_lock(&watch->lock);
        bool ended = watch->ended;
        if (ended && watch->err.kind) {
            *ret_err = watch->err;
            failed = true;
        }
        mutex_unlock(&watch->lock);
        if (ended)
            drop_watch(watches, i);
    }
    return failed;
}

static int run_live(struct cli *cli, const struct stats_options *options, struct watches *watches, bool named)
{
    const struct timespec pause = { .tv_nsec = DRAW_EVERY_NS };
    bool live = isatty(STDOUT_FILENO);
    for (unsigned round = 0;; round++) {
        AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
        struct err err = { 0 };
        if (drop_ended(watches, &err) && named)
            return cli_fail(cli, &err);
        if (named && !watches->count)
            return 0;
        if (!named && round % LIST_EVERY == 0 && add_listed(cli, options, watches, &err) < 0)
            return cli_fail(cli, &err);
        if (draw(options, watches, &out, &err) < 0)
            return cli_fail(cli, &err);
        show(&out, live);
        (void)nanosleep(&pause, NULL);
    }
}

static int run_stats(struct cli *cli, void *arg, char **args)
{
    const struct stats_options *options = arg;
    struct watches watches = { 0 };
    struct err err = { 0 };
    bool named = args[0] != NULL;
    int ret = named ? add_named(cli, args, options->no_stream, &watches, &err) : add_listed(cli, options, &watches, &err);
    if (ret < 0)
        return cli_fail(cli, &err);
    if (!options->no_stream)
        return run_live(cli, options, &watches, named); /* ends with the program */
    int exit_code = run_once(cli, options, &watches, named);
    while (watches.count > 0)
        drop_watch(&watches, watches.count - 1);
    free(watches.items);
    return exit_code;
}

static const struct flag stats_flags[] = {
    FLAG_BOOL_(struct stats_options, all, "all", 'a', "Show all containers (default shows just running)"),
    FLAG_STR_(struct stats_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct stats_options, no_stream, "no-stream", 0, "Disable streaming stats and only pull the first result"),
    FLAG_BOOL_(struct stats_options, no_trunc, "no-trunc", 0, "Do not truncate output"),
    FLAG_END,
};

const struct command command_container_stats = {
    .path = "container stats",
    .top = "stats",
    .usage = "[OPTIONS] [CONTAINER...]",
    .help = "Display a live stream of container(s) resource usage statistics",
    .flags = stats_flags,
    .options_size = sizeof(struct stats_options),
    .min_args = 0,
    .max_args = ARGS_ANY,
    .run = run_stats,
};
