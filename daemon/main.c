/* holkd: reads options, builds the engine, starts the server, waits for a signal. */
#include "daemon/engine/engine.h"
#include "daemon/options.h"
#include "daemon/routes/routes.h"
#include "daemon/server/server.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Beside this program: in the build tree, or installed into one libexec directory. The programs are read into sealed memfds, so that an upgrade on
 * disk never mixes releases under a running daemon. */
static int find_program(const char *name, const char *build_dir, char **ret, struct err *err)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return err_sys(err, errno, "find my own program");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    AUTO_FREE char *in_build = str_format("%s/%s/%s", self, build_dir, name);
    AUTO_FREE char *beside = str_format("%s/%s", self, name);
    AUTO_FREE char *libexec = str_format("%s/../libexec/holk/%s", self, name);
    const char *const candidates[] = { in_build, beside, libexec };
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
        if (access(candidates[i], X_OK) < 0)
            continue;
        int fd = fd_memfd_of_file(name, candidates[i]);
        if (fd < 0)
            return err_sys(err, fd, "read %s", candidates[i]);
        *ret = str_format("/proc/self/fd/%d", fd);
        return 0;
    }
    return err_set(err, ERR_INTERNAL, "%s is not installed beside holkd", name);
}

static int listen_all(struct server *server, struct engine *engine, char *const *hosts, struct err *err)
{
    for (size_t i = 0; hosts[i]; i++)
        if (server_listen(server, hosts[i], engine_take_listener(engine, hosts[i]), err) < 0)
            return -1;
    for (size_t i = 0; i < server_listener_count(server); i++) {
        const char *address;
        int fd = server_listener_fd(server, i, &address);
        engine_keep_listener(engine, address, fd);
    }
    return 0;
}

static int write_pidfile(const char *path, struct err *err)
{
    char text[16];
    if (!path)
        return 0;
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    int failed = io_replace_file_at(AT_FDCWD, path, text, (size_t)length, 0644, false);
    return failed < 0 ? err_sys(err, failed, "write %s", path) : 0;
}

struct daemon {
    int argc;
    char **argv;
    struct options options;
    struct engine *engine;
    struct server *server;
    sigset_t signals;
};

static struct engine_settings settings_of(const struct options *options)
{
    return (struct engine_settings){ .insecure_registries = options->insecure_registries, .registry_mirrors = options->registry_mirrors,
                                     .labels = options->labels, .debug = options->debug };
}

static int set_log_level(const struct options *options, struct err *err)
{
    enum log_level level = LOG_INFO;
    if (options->log_level && log_level_parse(options->log_level, &level) < 0)
        return err_set(err, ERR_INVALID, "log level \"%s\": expected debug, info, warn or error", options->log_level);
    log_set_level(options->debug ? LOG_DEBUG : level);
    return 0;
}

/* SIGHUP: what dockerd reloads of what we have. A file that has become wrong changes nothing. */
static void reload(struct daemon *daemon)
{
    struct options fresh;
    struct err err = { 0 };
    if (options_parse(daemon->argc, daemon->argv, &fresh, &err) < 0) {
        log_error("configuration not reloaded error=%s", err.text);
        return;
    }
    if (set_log_level(&fresh, &err) < 0) {
        log_error("configuration not reloaded error=%s", err.text);
    } else {
        struct engine_settings settings = settings_of(&fresh);
        engine_reload(daemon->engine, &settings);
        log_info("configuration reloaded: debug, log level, labels, registry mirrors, insecure registries");
    }
    options_done(&fresh);
}

static void dump(struct daemon *daemon)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    server_dump(daemon->server, &text);
    engine_dump(daemon->engine, &text);
    (void)io_write_all(2, text.data ? text.data : "", text.length);
}

static void wait_for_signals(struct daemon *daemon)
{
    for (;;) {
        int number = sigwaitinfo(&daemon->signals, NULL);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGUSR1)
            dump(daemon);
        else if (number == SIGHUP)
            reload(daemon);
    }
}

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    (void)io_write_control_at(AT_FDCWD, "/proc/self/oom_score_adj", "-500");
}

struct programs {
    char *monitor, *worker, *fetch;
};

static void programs_done(struct programs *programs)
{
    free(programs->monitor);
    free(programs->worker);
    free(programs->fetch);
}

static int open_engine(struct daemon *daemon, const struct programs *programs, struct err *err)
{
    const struct options *options = &daemon->options;
    struct engine_options engine_options = {
        .data_root = options->data_root, .exec_root = options->exec_root, .cgroup_parent = options->cgroup_parent, .bip = options->bip, .bridge = options->bridge,
        .monitor_path = programs->monitor, .worker_path = programs->worker, .fetch_path = programs->fetch, .settings = settings_of(options), .dns = options->dns, .hosts = options->hosts,
        .docker_compat = options->docker_compat,
    };
    return engine_open(&engine_options, &daemon->engine, err);
}

static int serve(struct daemon *daemon, struct err *err)
{
    const struct options *options = &daemon->options;
    __attribute__((cleanup(programs_done))) struct programs programs = { 0 };
    if (find_program("holk-monitor", "monitor", &programs.monitor, err) < 0 || find_program("holk-worker", "worker", &programs.worker, err) < 0 ||
        find_program("holk-fetch", "worker", &programs.fetch, err) < 0 || open_engine(daemon, &programs, err) < 0)
        return -1;
    struct server_options server_options = { .engine = daemon->engine, .tables = all_routes };
    int result = server_new(&server_options, &daemon->server, err);
    if (result == 0)
        result = listen_all(daemon->server, daemon->engine, options->hosts, err);
    if (result == 0)
        result = server_run(daemon->server, err);
    if (result == 0)
        result = write_pidfile(options->pidfile, err);
    if (result == 0) {
        log_info("ready data_root=%s", options->data_root);
        malloc_trim(0);
        wait_for_signals(daemon);
        log_info("stopping; containers run on");
    }
    if (daemon->server)
        server_stop(daemon->server);
    engine_stopping(daemon->engine);
    server_free(daemon->server);
    engine_close(daemon->engine);
    if (options->pidfile)
        (void)unlink(options->pidfile);
    return result;
}

int main(int argc, char **argv)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };
    struct daemon daemon = { .argc = argc, .argv = argv };
    struct err err = { 0 };
    sigemptyset(&daemon.signals);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&daemon.signals, signals[i]);
    sigprocmask(SIG_BLOCK, &daemon.signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    log_setup(2, LOG_INFO, "holkd");
    int result = options_parse(argc, argv, &daemon.options, &err);
    if (result == 0)
        result = set_log_level(&daemon.options, &err);
    if (result == 0 && daemon.options.validate)
        puts("configuration OK");
    else if (result == 0 && geteuid() != 0)
        result = err_set(&err, ERR_FORBIDDEN, "holkd needs root");
    else if (result == 0) {
        raise_limits();
        result = serve(&daemon, &err);
    }
    if (result < 0)
        fprintf(stderr, "holkd: %s\n", err.text);
    options_done(&daemon.options);
    return result < 0;
}
