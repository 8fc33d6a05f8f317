/* exec: create, start (which becomes the stream), inspect for the exit code. */
#include "cli/attach_io.h"
#include "cli/container.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EXIT_PAUSE_NS 20000000L
#define EXIT_TRIES 10    /* for one that runs on although its streams are closed */
#define ANSWER_TRIES 500 /* for a daemon that comes back */

struct exec_options {
    bool detach, interactive, tty, privileged;
    char **env, **env_file;
    char *detach_keys, *user, *workdir;
};

static const struct flag exec_flags[] = {
    FLAG_BOOL_(struct exec_options, detach, "detach", 'd', "Detached mode: run command in the background"),
    FLAG_STR_(struct exec_options, detach_keys, "detach-keys", 0, "Override the key sequence for detaching a container"),
    FLAG_STRV_(struct exec_options, env, "env", 'e', "Set environment variables", .check = flag_check_env),
    FLAG_STRV_(struct exec_options, env_file, "env-file", 0, "Read in a file of environment variables"),
    FLAG_BOOL_(struct exec_options, interactive, "interactive", 'i', "Keep STDIN open even if not attached"),
    FLAG_BOOL_(struct exec_options, privileged, "privileged", 0, "Give extended privileges to the command"),
    FLAG_BOOL_(struct exec_options, tty, "tty", 't', "Allocate a pseudo-TTY"),
    FLAG_STR_(struct exec_options, user, "user", 'u', "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
    FLAG_STR_(struct exec_options, workdir, "workdir", 'w', "Working directory inside the container"),
    FLAG_END,
};

static void put_console_size(struct i64_list *list)
{
    int64_t height, width;
    terminal_size(STDOUT_FILENO, &height, &width);
    if (!height && !width)
        return;
    list->items = xcalloc(2, sizeof *list->items);
    list->count = 2;
    list->items[0] = height;
    list->items[1] = width;
}

static int make_request(const struct exec_options *options, char **args, struct exec_create_request *ret, struct err *err)
{
    struct detach_keys keys;
    *ret = (struct exec_create_request){ .tty = options->tty, .privileged = options->privileged, .detach = options->detach };
    if (!options->detach) {
        ret->attach_stdin = options->interactive;
        ret->attach_stdout = ret->attach_stderr = true;
        if (options->interactive && options->tty && !terminal_is(STDIN_FILENO))
            return err_set(err, ERR_INVALID, "the input device is not a TTY");
    }
    if (detach_keys_parse(options->detach_keys, &keys, err) < 0 || read_env_files(options->env_file, true, &ret->env, err) < 0)
        return -1;
    ret->detach_keys = xstrdup(options->detach_keys);
    strv_extend(&ret->env, options->env);
    ret->user = xstrdup(options->user);
    ret->working_dir = xstrdup(options->workdir);
    ret->cmd = strv_dup(args + 1);
    if (options->tty)
        put_console_size(&ret->console_size);
    return 0;
}

static int exec_create(struct cli *cli, const char *container, const struct exec_create_request *request, char **ret_id,
                       struct err *err)
{
    AUTO_TARGET(target);
    struct id_response response;
    api_path(&target, "/containers/%s/exec", container);
    if (api_call(cli, "POST", target.data, &exec_create_request_type, request, &id_response_type, &response, err) < 0)
        return -1;
    *ret_id = response.id;
    return 0;
}

/* The stream may end a moment before the daemon has noted the exit, or before a daemon that was restarted answers. */
static int exec_exit_code(struct cli *cli, const char *id, int64_t *ret, struct err *err)
{
    const struct timespec pause = { .tv_nsec = EXIT_PAUSE_NS };
    AUTO_TARGET(target);
    api_path(&target, "/exec/%s/json", id);
    for (int tries = 1;; tries++) {
        struct exec_inspect inspect;
        err_clear(err);
        int answer = api_get(cli, target.data, &exec_inspect_type, &inspect, err);
        if (answer < 0 && (err->kind != ERR_UNAVAILABLE || tries == ANSWER_TRIES))
            return -1;
        bool again = answer < 0 || (inspect.running && tries < EXIT_TRIES);
        if (answer == 0) {
            *ret = inspect.exit_code.present ? inspect.exit_code.value : 0;
            codec_clear(&exec_inspect_type, &inspect);
        }
        if (!again)
            return 0;
        (void)nanosleep(&pause, NULL);
    }
}

static int exec_attached(struct cli *cli, const struct exec_options *options, const char *id, int64_t *ret_code, struct err *err)
{
    AUTO_HIJACK struct api_hijack hijack = API_HIJACK_INIT;
    AUTO_TERMINAL struct terminal terminal = TERMINAL_INIT;
    CLEANUP(signals_stop) struct signals *signals = NULL;
    struct exec_start_request start = { .tty = options->tty };
    AUTO_FREE char *resource = str_format("/exec/%s", id);
    AUTO_FREE char *target = str_format("%s/start", resource);
    enum attach_end end;
    if (options->tty)
        put_console_size(&start.console_size);
    int ret = api_hijack_open(cli, target, &exec_start_request_type, &start, options->tty, &hijack, err);
    codec_clear(&exec_start_request_type, &start);
    if (ret < 0)
        return -1;
    if (options->tty && options->interactive) {
        signals = signals_start(cli, resource, false, true, &terminal);
        terminal_make_raw(&terminal, STDIN_FILENO);
    }
    struct attach_io io = { .hijack = &hijack, .in_fd = options->interactive ? STDIN_FILENO : -1, .out_fd = STDOUT_FILENO,
                            .err_fd = STDERR_FILENO, .tty = options->tty, .detach_keys = options->detach_keys };
    if (attach_io_run(&io, &end, err) < 0)
        return -1;
    terminal_restore(&terminal);
    if (end == ATTACH_DETACHED)
        return err_set(err, ERR_CANCELLED, "read escape sequence");
    return exec_exit_code(cli, id, ret_code, err);
}

static int exec_detached(struct cli *cli, const struct exec_options *options, const char *id, struct err *err)
{
    AUTO_TARGET(target);
    struct exec_start_request start = { .tty = options->tty, .detach = true };
    api_path(&target, "/exec/%s/start", id);
    return api_call(cli, "POST", target.data, &exec_start_request_type, &start, NULL, NULL, err);
}

static int run_exec(struct cli *cli, void *arg, char **args)
{
    struct exec_options *options = arg;
    struct exec_create_request request;
    struct err err = { 0 };
    AUTO_FREE char *id = NULL;
    int64_t code = 0;
    detach_keys_default(cli, &options->detach_keys);
    int ret = make_request(options, args, &request, &err);
    if (ret == 0)
        ret = exec_create(cli, args[0], &request, &id, &err);
    codec_clear(&exec_create_request_type, &request);
    if (ret == 0)
        ret = options->detach ? exec_detached(cli, options, id, &err) : exec_attached(cli, options, id, &code, &err);
    return ret < 0 ? cli_fail(cli, &err) : (int)code;
}

const struct command command_container_exec = {
    .path = "container exec",
    .top = "exec",
    .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .help = "Execute a command in a running container",
    .common = 2,
    .options = COMMAND_STOP_AT_ARG,
    .flags = exec_flags,
    .options_size = sizeof(struct exec_options),
    .min_args = 2,
    .max_args = ARGS_ANY,
    .run = run_exec,
};
