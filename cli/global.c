#include "cli/global.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

const struct flag global_flags[] = {
    FLAG_STR_(struct global_options, config, "config", 0, "Location of client config files (default \"~/.docker\")"),
    FLAG_STR_(struct global_options, context, "context", 'c', "Name of the context; only \"default\" is known"),
    FLAG_BOOL_(struct global_options, debug, "debug", 'D', "Enable debug mode"),
    FLAG_STR_(struct global_options, host, "host", 'H', "Daemon socket to connect to"),
    FLAG_STR_(struct global_options, log_level, "log-level", 'l',
              "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")", .initial = "info"),
    FLAG_BOOL_(struct global_options, tls, "tls", 0, "Use TLS", .hidden = true),
    FLAG_STR_(struct global_options, tls_ca_cert, "tlscacert", 0, "Trust certs signed only by this CA", .hidden = true),
    FLAG_STR_(struct global_options, tls_cert, "tlscert", 0, "Path to TLS certificate file", .hidden = true),
    FLAG_STR_(struct global_options, tls_key, "tlskey", 0, "Path to TLS key file", .hidden = true),
    FLAG_BOOL_(struct global_options, tls_verify, "tlsverify", 0, "Use TLS and verify the remote", .hidden = true),
    FLAG_BOOL_(struct global_options, version, "version", 'v', "Print version information and quit"),
    FLAG_END,
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return str_empty(value) ? NULL : value;
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

static int refuse_tls(const struct global_options *options, const char *host, struct err *err)
{
    bool asked = options->tls || options->tls_verify || options->tls_ca_cert || options->tls_cert || options->tls_key;
    bool by_environment = host && !str_starts(host, "unix://") && environment("DOCKER_TLS_VERIFY");
    if (asked || by_environment)
        return err_set(err, ERR_UNSUPPORTED, "TLS is not supported by this client; use a unix:// socket (ssh -L forwards one)");
    return 0;
}

int global_apply(const struct global_options *options, struct cli *cli, struct err *err)
{
    static const char *const levels[] = { "debug", "info", "warn", "error", "fatal" };
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        known = known || str_eq(levels[i], options->log_level);
    if (!known)
        return err_set(err, ERR_INVALID, "unable to parse logging level: %s", options->log_level);
    const char *host = first_of(options->host, first_of(environment("HOLK_HOST"), environment("DOCKER_HOST")));
    const char *context = options->context ? options->context : host ? NULL : environment("DOCKER_CONTEXT");
    if (options->context && options->host)
        return err_set(err, ERR_INVALID, "conflicting options: cannot specify both --host and --context");
    if (context && !str_eq(context, "default"))
        return err_set(err, ERR_UNSUPPORTED, "context \"%s\": contexts are not supported; name the daemon with -H or DOCKER_HOST",
                       context);
    if (refuse_tls(options, host, err) < 0)
        return -1;
    cli->host = host;
    cli->debug = options->debug;
    cli->api_version = environment("DOCKER_API_VERSION");
    if (cli->api_version && *cli->api_version == 'v')
        cli->api_version++;
    const char *config = options->config ? options->config : environment("DOCKER_CONFIG");
    const char *home = environment("HOME");
    cli->config_dir = config ? xstrdup(config) : path_join(home ? home : "/", ".docker");
    return 0;
}
