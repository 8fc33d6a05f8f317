/* run: create, attach, wait, start; nothing else is asked of the daemon. The wait is under way before the start, so that
 * no exit is missed; attach and wait have connections of their own. */
#include "cli/attach_io.h"
#include "cli/container.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct run_options {
    struct create_options create;
    bool detach, sig_proxy;
    char *detach_keys;
};

static const struct flag run_flags[] = {
    CREATE_FLAGS(struct run_options, create.),
    FLAG_BOOL_(struct run_options, detach, "detach", 'd', "Run container in background and print container ID"),
    FLAG_STR_(struct run_options, detach_keys, "detach-keys", 0, "Override the key sequence for detaching a container"),
    FLAG_STR_(struct run_options, create.pull, "pull", 0, CREATE_PULL_HELP("running"), .initial = "missing"),
    FLAG_BOOL_(struct run_options, sig_proxy, "sig-proxy", 0, "Proxy received signals to the process", .initial = "true"),
    FLAG_END,
};

/* A start that failed inside the container tells by its exit code what a shell would tell. */
static int start_failure_code(const struct err *err)
{
    static const char *const not_found[] = { "executable file not found", "no such file or directory" };
    static const char *const not_allowed[] = { "permission denied", "is a directory" };
    for (size_t i = 0; i < ARRAY_SIZE(not_found); i++) {
        if (strcasestr(err->text, not_found[i]))
            return 127;
    }
    for (size_t i = 0; i < ARRAY_SIZE(not_allowed); i++) {
        if (strcasestr(err->text, not_allowed[i]))
            return 126;
    }
    return 125;
}

static int start(struct cli *cli, const char *id, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/start", id);
    return api_post(cli, target.data, err);
}

static int run_detached(struct cli *cli, const char *id)
{
    struct err err = { 0 };
    puts(id);
    (void)fflush(stdout);
    if (start(cli, id, &err) == 0)
        return 0;
    (void)cli_fail(cli, &err);
    return start_failure_code(&err);
}

static int run_attached(struct cli *cli, const struct run_options *options, const struct container_config *config, const char *id)
{
    AUTO_HIJACK struct api_hijack hijack = API_HIJACK_INIT;
    AUTO_EXIT_WAIT struct exit_wait wait = EXIT_WAIT_INIT;
    AUTO_TERMINAL struct terminal terminal = TERMINAL_INIT;
    AUTO_FREE char *resource = str_format("/containers/%s", id);
    struct attach_request attach = { .id = id, .in = config->attach_stdin, .out = config->attach_stdout,
                                     .err = config->attach_stderr, .detach_keys = options->detach_keys, .tty = config->tty };
    struct err err = { 0 };
    enum attach_end end;
    int64_t code = 0;
    if (container_attach_open(cli, &attach, &hijack, &err) < 0 ||
        exit_wait_begin(cli, id, options->create.rm ? "removed" : "next-exit", &wait, &err) < 0)
        return cli_fail(cli, &err);
    CLEANUP(signals_stop) struct signals *signals = NULL;
    if (options->sig_proxy || config->tty)
        signals = signals_start(cli, resource, options->sig_proxy, config->tty, &terminal);
    if (start(cli, id, &err) < 0) {
        (void)cli_fail(cli, &err);
        return start_failure_code(&err);
    }
    if (config->tty && config->attach_stdin)
        terminal_make_raw(&terminal, STDIN_FILENO);
    struct attach_io io = { .hijack = &hijack, .in_fd = config->attach_stdin ? STDIN_FILENO : -1,
                            .out_fd = config->attach_stdout ? STDOUT_FILENO : -1,
                            .err_fd = config->attach_stderr ? STDERR_FILENO : -1, .tty = config->tty,
                            .detach_keys = options->detach_keys };
    int ret = attach_io_run(&io, &end, &err);
    terminal_restore(&terminal);
    if (ret == 0 && end == ATTACH_DETACHED)
        return 0;
    if (ret < 0 || exit_wait_finish(cli, &wait, &code, &err) < 0)
        return cli_fail(cli, &err);
    return (int)code;
}

static int adjust(const struct run_options *options, struct container_create_request *request, struct err *err)
{
    struct container_config *config = &request->config;
    struct detach_keys keys;
    if (options->detach && options->create.attach)
        return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --attach and --detach");
    if (detach_keys_parse(options->detach_keys, &keys, err) < 0)
        return -1;
    if (options->detach)
        config->attach_stdin = config->attach_stdout = config->attach_stderr = config->stdin_once = false;
    if (config->tty && config->attach_stdin && !terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "the input device is not a TTY");
    int64_t height, width;
    terminal_size(STDOUT_FILENO, &height, &width);
    host_config_complete(request->host_config);
    request->host_config->console_size.items[0] = height;
    request->host_config->console_size.items[1] = width;
    return 0;
}

static int run_run(struct cli *cli, void *arg, char **args)
{
    struct run_options *options = arg;
    struct container_create_request request = { 0 };
    struct err err = { 0 };
    AUTO_FREE char *id = NULL;
    int exit_code;
    create_add_proxies(cli, &options->create);
    detach_keys_default(cli, &options->detach_keys);
    if (create_request_make(&options->create, args, &request, &err) < 0)
        return cli_fail(cli, &err);
    const struct container_config *config = &request.config;
    if (adjust(options, &request, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit_code = 1;
    } else if (container_create(cli, &options->create, &request, &id, &err) < 0) {
        exit_code = cli_fail(cli, &err);
    } else if (config->attach_stdin || config->attach_stdout || config->attach_stderr) {
        exit_code = run_attached(cli, options, config, id);
    } else {
        exit_code = run_detached(cli, id);
    }
    codec_clear(&container_create_request_type, &request);
    return exit_code;
}

const struct command command_container_run = {
    .path = "container run",
    .top = "run",
    .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .help = "Create and run a new container from an image",
    .common = 1,
    .options = COMMAND_STOP_AT_ARG | COMMAND_EXIT_125,
    .flags = run_flags,
    .options_size = sizeof(struct run_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_run,
};
