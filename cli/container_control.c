/* Commands that do one thing to each of their containers. They run side by side (a stop may take ten seconds), and report
 * in the order of the arguments. */
#include "cli/container.h"
#include "lib/base/str.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

struct control_options {
    char *signal;
    struct opt_i64 timeout;
    bool force, link, volumes;
};

typedef int control_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err);

struct job {
    struct cli cli;
    control_one *one;
    const char *name;
    const struct control_options *options;
    pthread_t thread;
    int ret;
    struct err err;
};

static void *job_thread(void *arg)
{
    struct job *job = arg;
    job->ret = job->one(&job->cli, job->name, job->options, &job->err);
    return NULL;
}

static void job_report(struct cli *cli, const struct job *job, int *exit_code)
{
    if (job->ret == 0)
        puts(job->name);
    else
        *exit_code = cli_fail(cli, &job->err);
}

#define JOBS_MAX 50

static size_t start_jobs(struct cli *cli, char **names, control_one *one, const struct control_options *options, struct job *jobs)
{
    size_t count = 0;
    for (; *names && count < JOBS_MAX; names++) {
        struct job *job = &jobs[count];
        *job = (struct job){ .cli = *cli, .one = one, .name = *names, .options = options };
        job->cli.http = NULL;
        job->cli.http_busy = false;
        if (pthread_create(&job->thread, NULL, job_thread, job) != 0)
            break;
        count++;
    }
    return count;
}

static int control_each(struct cli *cli, char **names, control_one *one, const struct control_options *options)
{
    int exit_code = 0;
    AUTO_FREE struct job *jobs = xcalloc(JOBS_MAX, sizeof *jobs);
    while (*names) {
        size_t count = names[1] ? start_jobs(cli, names, one, options, jobs) : 0;
        for (size_t i = 0; i < count; i++) {
            (void)pthread_join(jobs[i].thread, NULL);
            http_close(jobs[i].cli.http);
            job_report(cli, &jobs[i], &exit_code);
        }
        if (!count) { /* one name, or no thread to be had */
            struct job job = { .name = names[count++] };
            job.ret = one(cli, job.name, options, &job.err);
            job_report(cli, &job, &exit_code);
        }
        names += count;
    }
    return exit_code;
}

/* ---- stop, restart, kill ---- */

static int post_signal(struct cli *cli, const char *name, const char *verb, const struct control_options *options, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/%s", name, verb);
    if (!str_empty(options->signal))
        http_query_add(&target, "signal", options->signal);
    if (options->timeout.present)
        api_query_i64(&target, "t", options->timeout.value);
    return api_post(cli, target.data, err);
}

/* A container that has stopped already answers "not modified". */
static int stop_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    int ret = post_signal(cli, name, "stop", options, err);
    return ret < 0 && err->kind == ERR_NOT_MODIFIED ? 0 : ret;
}

static int restart_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    return post_signal(cli, name, "restart", options, err);
}

static int kill_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    return post_signal(cli, name, "kill", options, err);
}

static int run_stop(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, stop_one, options);
}

static int run_restart(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, restart_one, options);
}

static int run_kill(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, kill_one, options);
}

static const struct flag stop_flags[] = {
    FLAG_STR_(struct control_options, signal, "signal", 's', "Signal to send to the container"),
    FLAG_OPT_I64_(struct control_options, timeout, "time", 0, "Seconds to wait before killing the container", .hidden = true),
    FLAG_OPT_I64_(struct control_options, timeout, "timeout", 't', "Seconds to wait before killing the container"),
    FLAG_END,
};

static const struct flag kill_flags[] = {
    FLAG_STR_(struct control_options, signal, "signal", 's', "Signal to send to the container"),
    FLAG_END,
};

#define CONTROL(words, one_help, flag_rows, function)                                                                   \
    {                                                                                                                   \
        .path = "container " words, .top = words, .help = one_help, .flags = flag_rows,                                 \
        .options_size = sizeof(struct control_options), .min_args = 1, .max_args = ARGS_ANY, .run = function,           \
        .usage = "[OPTIONS] CONTAINER [CONTAINER...]",                                                                  \
    }

const struct command command_container_stop = CONTROL("stop", "Stop one or more running containers", stop_flags, run_stop);
const struct command command_container_restart = CONTROL("restart", "Restart one or more containers", stop_flags, run_restart);
const struct command command_container_kill = CONTROL("kill", "Kill one or more running containers", kill_flags, run_kill);

/* ---- pause, unpause ---- */

static int pause_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    return post_signal(cli, name, "pause", options, err);
}

static int unpause_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    return post_signal(cli, name, "unpause", options, err);
}

static int run_pause(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, pause_one, options);
}

static int run_unpause(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, unpause_one, options);
}

const struct command command_container_pause = {
    .path = "container pause",
    .top = "pause",
    .usage = "CONTAINER [CONTAINER...]",
    .help = "Pause all processes within one or more containers",
    .options_size = sizeof(struct control_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_pause,
};

const struct command command_container_unpause = {
    .path = "container unpause",
    .top = "unpause",
    .usage = "CONTAINER [CONTAINER...]",
    .help = "Unpause all processes within one or more containers",
    .options_size = sizeof(struct control_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_unpause,
};

/* ---- rm ---- */

static int rm_one(struct cli *cli, const char *name, const struct control_options *options, struct err *err)
{
    AUTO_TARGET(target);
    const char *bare = name + strspn(name, "/");
    if (!*bare)
        return err_set(err, ERR_INVALID, "container name cannot be empty");
    api_path(&target, "/containers/%s", bare);
    api_query_bool(&target, "force", options->force);
    api_query_bool(&target, "link", options->link);
    api_query_bool(&target, "v", options->volumes);
    return api_delete(cli, target.data, err);
}

static int run_rm(struct cli *cli, void *options, char **args)
{
    return control_each(cli, args, rm_one, options);
}

static const struct flag rm_flags[] = {
    FLAG_BOOL_(struct control_options, force, "force", 'f', "Force the removal of a running container (uses SIGKILL)"),
    FLAG_BOOL_(struct control_options, link, "link", 'l', "Remove the specified link"),
    FLAG_BOOL_(struct control_options, volumes, "volumes", 'v', "Remove anonymous volumes associated with the container"),
    FLAG_END,
};

const struct command command_container_rm = {
    .path = "container rm",
    .top = "rm",
    .aliases = { "remove" },
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .help = "Remove one or more containers",
    .flags = rm_flags,
    .options_size = sizeof(struct control_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_rm,
};

/* ---- wait, rename ---- */

static int run_wait(struct cli *cli, void *options, char **args)
{
    int exit_code = 0;
    (void)options;
    for (; *args; args++) {
        AUTO_EXIT_WAIT struct exit_wait wait = EXIT_WAIT_INIT;
        struct err err = { 0 };
        int64_t code;
        if (exit_wait_begin(cli, *args, "not-running", &wait, &err) < 0 || exit_wait_finish(cli, &wait, &code, &err) < 0)
            exit_code = cli_fail(cli, &err);
        else
            printf("%lld\n", (long long)code);
        (void)fflush(stdout);
    }
    return exit_code;
}

const struct command command_container_wait = {
    .path = "container wait",
    .top = "wait",
    .usage = "CONTAINER [CONTAINER...]",
    .help = "Block until one or more containers stop, then print their exit codes",
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_wait,
};

static int run_rename(struct cli *cli, void *options, char **args)
{
    AUTO_TARGET(target);
    struct err err = { 0 };
    (void)options;
    if (!*args[0] || !*args[1]) {
        fprintf(stderr, "Error: Neither old nor new names may be empty\n");
        return 1;
    }
    api_path(&target, "/containers/%s/rename", args[0]);
    http_query_add(&target, "name", args[1]);
    if (api_post(cli, target.data, &err) == 0)
        return 0;
    (void)cli_fail(cli, &err);
    fprintf(stderr, "Error: failed to rename container named %s\n", args[0]);
    return 1;
}

const struct command command_container_rename = {
    .path = "container rename",
    .top = "rename",
    .usage = "CONTAINER NEW_NAME",
    .help = "Rename a container",
    .min_args = 2,
    .max_args = 2,
    .run = run_rename,
};
