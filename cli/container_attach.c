/* attach, and start with or without attaching. */
#include "cli/attach_io.h"
#include "cli/container.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct attach_options {
    bool no_stdin, sig_proxy;
    char *detach_keys;
};
struct start_options {
    bool attach, interactive;
    char *detach_keys;
};

static const struct flag attach_flags[] = {
    FLAG_STR_(struct attach_options, detach_keys, "detach-keys", 0, "Override the key sequence for detaching a container"),
    FLAG_BOOL_(struct attach_options, no_stdin, "no-stdin", 0, "Do not attach STDIN"),
    FLAG_BOOL_(struct attach_options, sig_proxy, "sig-proxy", 0, "Proxy all received signals to the process", .initial = "true"),
    FLAG_END,
};

static const struct flag start_flags[] = {
    FLAG_BOOL_(struct start_options, attach, "attach", 'a', "Attach STDOUT/STDERR and forward signals"),
    FLAG_STR_(struct start_options, detach_keys, "detach-keys", 0, "Override the key sequence for detaching a container"),
    FLAG_BOOL_(struct start_options, interactive, "interactive", 'i', "Attach container's STDIN"),
    FLAG_END,
};

static int start_one(struct cli *cli, const char *name, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/start", name);
    int ret = api_post(cli, target.data, err);
    return ret < 0 && err->kind == ERR_NOT_MODIFIED ? 0 : ret;
}

struct session {
    const char *id, *detach_keys;
    bool in, tty, sig_proxy, start;
    const char *wait; /* condition */
};

static int pump(const struct session *session, struct api_hijack *hijack, struct terminal *terminal, enum attach_end *ret_end,
                struct err *err)
{
    if (session->tty && session->in)
        terminal_make_raw(terminal, STDIN_FILENO);
    struct attach_io io = { .hijack = hijack, .in_fd = session->in ? STDIN_FILENO : -1, .out_fd = STDOUT_FILENO,
                            .err_fd = STDERR_FILENO, .tty = session->tty, .detach_keys = session->detach_keys };
    int ret = attach_io_run(&io, ret_end, err);
    terminal_restore(terminal);
    return ret;
}

/* Attaches, waits, starts when asked to, and tells how the container ended. */
static int run_session(struct cli *cli, const struct session *session, int64_t *ret_code, struct err *err)
{
    AUTO_HIJACK struct api_hijack hijack = API_HIJACK_INIT;
    AUTO_EXIT_WAIT struct exit_wait wait = EXIT_WAIT_INIT;
    AUTO_TERMINAL struct terminal terminal = TERMINAL_INIT;
    CLEANUP(signals_stop) struct signals *signals = NULL;
    AUTO_FREE char *resource = str_format("/containers/%s", session->id);
    struct attach_request attach = { .id = session->id, .in = session->in, .out = true, .err = true,
                                     .detach_keys = session->detach_keys, .tty = session->tty };
    enum attach_end end;
    if (session->tty && session->in && !terminal_is(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "the input device is not a TTY");
    if (container_attach_open(cli, &attach, &hijack, err) < 0 ||
        exit_wait_begin(cli, session->id, session->wait, &wait, err) < 0)
        return -1;
    if (session->sig_proxy || session->tty)
        signals = signals_start(cli, resource, session->sig_proxy, session->tty, &terminal);
    if (session->start && start_one(cli, session->id, err) < 0)
        return -1;
    if (session->tty)
        signals_resize_now(signals);
    if (pump(session, &hijack, &terminal, &end, err) < 0)
        return -1;
    if (end == ATTACH_DETACHED)
        return session->start ? 0 : err_set(err, ERR_CANCELLED, "read escape sequence");
    return exit_wait_finish(cli, &wait, ret_code, err);
}

/* ---- attach ---- */

static int check_running(const struct container_inspect *container, struct err *err)
{
    if (!container->state.running)
        return err_set(err, ERR_CONFLICT, "You cannot attach to a stopped container, start it first");
    if (container->state.paused)
        return err_set(err, ERR_CONFLICT, "You cannot attach to a paused container, unpause it first");
    if (container->state.restarting)
        return err_set(err, ERR_CONFLICT, "You cannot attach to a restarting container, wait until it is running");
    return 0;
}

static int run_attach(struct cli *cli, void *arg, char **args)
{
    struct attach_options *options = arg;
    struct container_inspect container;
    struct detach_keys keys;
    struct err err = { 0 };
    int64_t code = 0;
    detach_keys_default(cli, &options->detach_keys);
    if (detach_keys_parse(options->detach_keys, &keys, &err) < 0 || container_inspect_get(cli, args[0], &container, &err) < 0)
        return cli_fail(cli, &err);
    int ret = check_running(&container, &err);
    struct session session = {
        .id = container.id,
        .detach_keys = options->detach_keys,
        .in = !options->no_stdin && container.config.open_stdin,
        .tty = container.config.tty,
        .sig_proxy = options->sig_proxy && !container.config.tty,
        .wait = "next-exit",
    };
    if (ret == 0)
        ret = run_session(cli, &session, &code, &err);
    codec_clear(&container_inspect_type, &container);
    return ret < 0 ? cli_fail(cli, &err) : (int)code;
}

const struct command command_container_attach = {
    .path = "container attach",
    .top = "attach",
    .usage = "[OPTIONS] CONTAINER",
    .help = "Attach local standard input, output, and error streams to a running container",
    .flags = attach_flags,
    .options_size = sizeof(struct attach_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_attach,
};

/* ---- start ---- */

static int start_many(struct cli *cli, char **names)
{
    CLEANUP(strv_free) char **failed = NULL;
    for (; *names; names++) {
        struct err err = { 0 };
        if (start_one(cli, *names, &err) == 0) {
            puts(*names);
            continue;
        }
        (void)cli_fail(cli, &err);
        strv_append(&failed, *names);
    }
    if (!failed)
        return 0;
    AUTO_FREE char *list = strv_join(failed, ", ");
    (void)fflush(stdout);
    fprintf(stderr, "Error: failed to start containers: %s\n", list);
    return 1;
}

static int start_attached(struct cli *cli, const struct start_options *options, const char *name)
{
    struct container_inspect container;
    struct err err = { 0 };
    int64_t code = 0;
    if (container_inspect_get(cli, name, &container, &err) < 0)
        return cli_fail(cli, &err);
    struct session session = {
        .id = container.id,
        .detach_keys = options->detach_keys,
        .in = options->interactive && container.config.open_stdin,
        .tty = container.config.tty,
        .sig_proxy = !container.config.tty,
        .start = true,
        .wait = container.host_config.auto_remove ? "removed" : "next-exit",
    };
    int ret = run_session(cli, &session, &code, &err);
    codec_clear(&container_inspect_type, &container);
    return ret < 0 ? cli_fail(cli, &err) : (int)code;
}

static int run_start(struct cli *cli, void *arg, char **args)
{
    struct start_options *options = arg;
    struct detach_keys keys;
    struct err err = { 0 };
    detach_keys_default(cli, &options->detach_keys);
    if (detach_keys_parse(options->detach_keys, &keys, &err) < 0)
        return cli_fail(cli, &err);
    if (!options->attach && !options->interactive)
        return start_many(cli, args);
    if (args[1]) {
        fprintf(stderr, "you cannot start and attach multiple containers at once\n");
        return 1;
    }
    return start_attached(cli, options, args[0]);
}

const struct command command_container_start = {
    .path = "container start",
    .top = "start",
    .usage = "[OPTIONS] CONTAINER [CONTAINER...]",
    .help = "Start one or more stopped containers",
    .flags = start_flags,
    .options_size = sizeof(struct start_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_start,
};
