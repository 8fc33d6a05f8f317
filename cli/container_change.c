/* commit, export, update and prune. */
#include "cli/container.h"
#include "cli/reference.h"
#include "cli/units.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- commit ---- */

struct commit_options {
    char *author, *message;
    char **change;
    bool pause;
};

static const struct flag commit_flags[] = {
    FLAG_STR_(struct commit_options, author, "author", 'a', "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
    FLAG_STRV_(struct commit_options, change, "change", 'c', "Apply Dockerfile instruction to the created image"),
    FLAG_STR_(struct commit_options, message, "message", 'm', "Commit message"),
    FLAG_BOOL_(struct commit_options, pause, "pause", 'p', "Pause container during commit", .initial = "true"),
    FLAG_END,
};

static int put_repository(struct buf *target, const char *text, struct err *err)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    if (str_empty(text))
        return 0;
    if (reference_parse(text, &reference, err) < 0)
        return -1;
    if (reference.digest)
        return err_set(err, ERR_INVALID, "refusing to create a tag with a digest reference");
    reference_default_tag(&reference);
    AUTO_FREE char *name = reference_familiar_name(&reference);
    http_query_add(target, "repo", name);
    http_query_add(target, "tag", reference.tag);
    return 0;
}

static int run_commit(struct cli *cli, void *arg, char **args)
{
    const struct commit_options *options = arg;
    AUTO_TARGET(target);
    struct id_response response;
    struct err err = { 0 };
    buf_puts(&target, "/commit");
    http_query_add(&target, "container", args[0]);
    if (put_repository(&target, args[1], &err) < 0)
        return cli_fail(cli, &err);
    if (!str_empty(options->message))
        http_query_add(&target, "comment", options->message);
    if (!str_empty(options->author))
        http_query_add(&target, "author", options->author);
    for (char **change = options->change; change && *change; change++)
        http_query_add(&target, "changes", *change);
    if (!options->pause)
        http_query_add(&target, "pause", "0");
    if (api_call(cli, "POST", target.data, NULL, NULL, &id_response_type, &response, &err) < 0)
        return cli_fail(cli, &err);
    puts(response.id);
    codec_clear(&id_response_type, &response);
    return 0;
}

const struct command command_container_commit = {
    .path = "container commit",
    .top = "commit",
    .usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    .help = "Create a new image from a container's changes",
    .flags = commit_flags,
    .options_size = sizeof(struct commit_options),
    .min_args = 1,
    .max_args = 2,
    .run = run_commit,
};

/* ---- export ---- */

struct export_options {
    char *output;
};

static const struct flag export_flags[] = {
    FLAG_STR_(struct export_options, output, "output", 'o', "Write to a file, instead of STDOUT"),
    FLAG_END,
};

static int open_output(const char *path, int *ret_fd, struct err *err)
{
    struct stat status;
    if (!path)
        return isatty(STDOUT_FILENO)
                   ? err_set(err, ERR_INVALID, "cowardly refusing to save to a terminal. Use the -o flag or redirect")
                   : 0;
    AUTO_FREE char *dir = xstrndup(path, (size_t)(path_base(path) - path));
    if (*dir && stat(dir, &status) < 0) {
        AUTO_FREE char *clean = path_clean(dir);
        (void)cli_path_error(err, "stat", clean, errno);
        return err_wrap(err, "failed to export container: invalid output path");
    }
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (*ret_fd >= 0)
        return 0;
    (void)cli_path_error(err, "open", path, errno);
    return err_wrap(err, "failed to export container");
}

static int run_export(struct cli *cli, void *arg, char **args)
{
    const struct export_options *options = arg;
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    AUTO_FD int fd = -1;
    struct err err = { 0 };
    api_path(&target, "/containers/%s/export", args[0]);
    struct http_request request = { .method = "GET", .target = target.data };
    if (open_output(options->output, &fd, &err) < 0)
        return cli_fail(cli, &err);
    if (api_stream_open(cli, &request, &stream, &err) == 0 &&
        stream_to_fd(stream.http, fd < 0 ? STDOUT_FILENO : fd, NULL, &err) == 0)
        return 0;
    if (fd >= 0)
        (void)unlink(options->output); /* half an archive is none */
    return cli_fail(cli, &err);
}

const struct command command_container_export = {
    .path = "container export",
    .top = "export",
    .usage = "[OPTIONS] CONTAINER",
    .help = "Export a container's filesystem as a tar archive",
    .flags = export_flags,
    .options_size = sizeof(struct export_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_export,
};

/* ---- update ---- */

struct update_options {
    int64_t blkio_weight, cpu_period, cpu_quota, cpu_rt_period, cpu_rt_runtime, cpu_shares, nano_cpus, kernel_memory, memory;
    int64_t memory_reservation, memory_swap;
    struct opt_i64 pids_limit;
    char *cpuset_cpus, *cpuset_mems, *restart;
};

static const struct flag update_flags[] = {
    FLAG_I64_(struct update_options, blkio_weight, "blkio-weight", 0,
              "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)", .shown = "uint16", .check = check_uint16),
    FLAG_I64_(struct update_options, cpu_period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period"),
    FLAG_I64_(struct update_options, cpu_quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota"),
    FLAG_I64_(struct update_options, cpu_rt_period, "cpu-rt-period", 0, "Limit the CPU real-time period in microseconds"),
    FLAG_I64_(struct update_options, cpu_rt_runtime, "cpu-rt-runtime", 0, "Limit the CPU real-time runtime in microseconds"),
    FLAG_I64_(struct update_options, cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)"),
    FLAG_NANO_CPUS_(struct update_options, nano_cpus, "cpus", 0, "Number of CPUs"),
    FLAG_STR_(struct update_options, cpuset_cpus, "cpuset-cpus", 0, "CPUs in which to allow execution (0-3, 0,1)"),
    FLAG_STR_(struct update_options, cpuset_mems, "cpuset-mems", 0, "MEMs in which to allow execution (0-3, 0,1)"),
    FLAG_BYTES_(struct update_options, kernel_memory, "kernel-memory", 0, "Kernel memory limit (deprecated)", .hidden = true),
    FLAG_BYTES_(struct update_options, memory, "memory", 'm', "Memory limit"),
    FLAG_BYTES_(struct update_options, memory_reservation, "memory-reservation", 0, "Memory soft limit"),
    FLAG_BYTES_(struct update_options, memory_swap, "memory-swap", 0,
                "Swap limit equal to memory plus swap: -1 to enable unlimited swap", .allow_minus_one = true),
    FLAG_OPT_I64_(struct update_options, pids_limit, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)"),
    FLAG_STR_(struct update_options, restart, "restart", 0, "Restart policy to apply when a container exits"),
    FLAG_END,
};

static int make_update(const struct update_options *options, struct container_update_request *ret, struct err *err)
{
    *ret = (struct container_update_request){
        .resources = {
            .blkio_weight = options->blkio_weight, .cpu_period = options->cpu_period, .cpu_quota = options->cpu_quota,
            .cpu_realtime_period = options->cpu_rt_period, .cpu_realtime_runtime = options->cpu_rt_runtime,
            .cpu_shares = options->cpu_shares, .nano_cpus = options->nano_cpus, .memory = options->memory,
            .memory_reservation = options->memory_reservation, .memory_swap = options->memory_swap,
            .cpuset_cpus = xstrdup(options->cpuset_cpus), .cpuset_mems = xstrdup(options->cpuset_mems),
            .pids_limit = options->pids_limit,
        },
    };
    return restart_policy_parse(options->restart, &ret->restart_policy, err);
}

static int update_one(struct cli *cli, const char *name, const struct container_update_request *request, char ***warnings,
                      struct err *err)
{
    AUTO_TARGET(target);
    struct container_update_response response;
    api_path(&target, "/containers/%s/update", name);
    if (api_call(cli, "POST", target.data, &container_update_request_type, request, &container_update_response_type, &response,
                 err) < 0)
        return -1;
    strv_extend(warnings, response.warnings);
    codec_clear(&container_update_response_type, &response);
    return 0;
}

static int run_update(struct cli *cli, void *options, char **args)
{
    struct container_update_request request;
    CLEANUP(strv_free) char **warnings = NULL;
    struct err err = { 0 };
    int exit_code = 0;
    if (!cli->flags_given) {
        fprintf(stderr, "you must provide one or more flags when using this command\n");
        return 1;
    }
    if (make_update(options, &request, &err) < 0) {
        codec_clear(&container_update_request_type, &request);
        return cli_fail(cli, &err);
    }
    for (; *args; args++) {
        err_clear(&err);
        if (update_one(cli, *args, &request, &warnings, &err) < 0)
            exit_code = cli_fail(cli, &err);
        else
            puts(*args);
    }
    (void)fflush(stdout);
    for (char **warning = warnings; warning && *warning; warning++)
        fprintf(stderr, "%s\n", *warning);
    codec_clear(&container_update_request_type, &request);
    return exit_code;
}

const struct command command_container_update = {
    .path = "container update",
    .top = "update",
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .help = "Update configuration of one or more containers",
    .flags = update_flags,
    .options_size = sizeof(struct update_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_update,
};

/* ---- prune ---- */

struct prune_options {
    bool force;
    char **filter;
};

static const struct flag prune_flags[] = {
    FLAG_STRV_(struct prune_options, filter, "filter", 0, "Provide filter values (e.g. \"until=<timestamp>\")", .shown = "filter",
               .check = flag_check_filter),
    FLAG_BOOL_(struct prune_options, force, "force", 'f', "Do not prompt for confirmation"),
    FLAG_END,
};

static int run_prune(struct cli *cli, void *arg, char **args)
{
    const struct prune_options *options = arg;
    struct container_prune_response response;
    AUTO_TARGET(target);
    struct err err = { 0 };
    (void)args;
    if (!options->force && !cli_confirm("WARNING! This will remove all stopped containers."))
        return 0;
    buf_puts(&target, "/containers/prune");
    api_query_filters(&target, options->filter);
    if (api_call(cli, "POST", target.data, NULL, NULL, &container_prune_response_type, &response, &err) < 0)
        return cli_fail(cli, &err);
    if (response.containers_deleted && response.containers_deleted[0]) {
        puts("Deleted Containers:");
        for (char **id = response.containers_deleted; *id; id++)
            puts(*id);
        puts("");
    }
    AUTO_FREE char *size = units_size((double)response.space_reclaimed, 4);
    printf("Total reclaimed space: %s\n", size);
    codec_clear(&container_prune_response_type, &response);
    return 0;
}

const struct command command_container_prune = {
    .path = "container prune",
    .usage = "[OPTIONS]",
    .help = "Remove all stopped containers",
    .flags = prune_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_prune,
};
