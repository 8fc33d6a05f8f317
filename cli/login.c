/* holk login, holk logout: credentials of a registry, tried by the daemon and kept in the configuration. */
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/terminal.h"
#include "lib/api/system.h"
#include "lib/base/io.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)64 << 10)

struct login_options {
    char *password, *username;
    bool password_stdin;
};
static const struct flag login_flags[] = {
    FLAG_STR_(struct login_options, password, "password", 'p', "Password or personal access token"),
    FLAG_BOOL_(struct login_options, password_stdin, "password-stdin", 0, "Read the password from stdin"),
    FLAG_STR_(struct login_options, username, "username", 'u', "Username"),
    FLAG_END,
};

/* "docker.io" and nothing mean the hub; others are kept under their host name. Caller frees. */
static char *registry_of(const char *server)
{
    if (str_empty(server) || str_eq(server, "docker.io") || str_eq(server, "index.docker.io") ||
        str_eq(server, "registry-1.docker.io"))
        return xstrdup(INDEX_SERVER);
    if (str_eq(server, INDEX_SERVER))
        return xstrdup(server);
    const char *host = strstr(server, "://");
    host = host ? host + 3 : server;
    return xstrndup(host, strcspn(host, "/"));
}

static int read_password_stdin(struct login_options *options, struct err *err)
{
    char *text;
    size_t length;
    int got = io_read_fd(STDIN_FILENO, SECRET_MAX, &text, &length);
    if (got < 0)
        return err_sys(err, got, "read the password");
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    free(options->password);
    options->password = text;
    return 0;
}

static int check_options(struct login_options *options, struct err *err)
{
    if (options->password) {
        if (options->password_stdin)
            return err_set(err, ERR_INVALID,
                           "conflicting options: cannot specify both --password and --password-stdin");
        fprintf(stderr, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    }
    if (!options->password_stdin)
        return 0;
    if (str_empty(options->username))
        return err_set(err, ERR_INVALID, "the --password-stdin option requires --username to be set");
    return read_password_stdin(options, err);
}

/* A line from the terminal, without echo when secret. NULL at its end. */
static char *ask(const char *question, bool secret)
{
    struct termios before, quiet;
    char line[4096];
    fputs(question, stdout);
    (void)fflush(stdout);
    bool changed = secret && tcgetattr(STDIN_FILENO, &before) == 0;
    if (changed) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    char *got = fgets(line, sizeof line, stdin);
    if (changed) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
        puts("");
    }
    return got ? xstrdup(str_trim(line)) : NULL;
}

/* Asks for what was not given. stored: the name used last time, offered again. */
static int ask_missing(struct login_options *options, const char *stored, struct err *err)
{
    if (!str_empty(options->username) && !str_empty(options->password))
        return 0;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "Error: Cannot perform an interactive login from a non TTY device");
    if (str_empty(options->username)) {
        AUTO_FREE char *question = str_empty(stored) ? xstrdup("Username: ") : str_format("Username (%s): ", stored);
        free(options->username);
        options->username = ask(question, false);
        if (str_empty(options->username) && !str_empty(stored)) {
            free(options->username);
            options->username = xstrdup(stored);
        }
    }
    if (str_empty(options->username))
        return err_set(err, ERR_INVALID, "Error: Non-null Username Required");
    if (str_empty(options->password)) {
        free(options->password);
        options->password = ask("Password: ", true);
    }
    return str_empty(options->password) ? err_set(err, ERR_INVALID, "Error: Password Required") : 0;
}

/* The daemon tries them; what it gives back replaces the password. */
static int try_login(struct cli *cli, struct auth_config *auth, char **ret_status, struct err *err)
{
    struct auth_response response;
    if (api_call(cli, "POST", "/auth", &auth_config_type, auth, &auth_response_type, &response, err) < 0)
        return -1;
    if (!str_empty(response.identity_token)) {
        free(auth->password);
        auth->password = NULL;
        auth->identity_token = xstrdup(response.identity_token);
    }
    *ret_status = xstrdup(response.status);
    codec_clear(&auth_response_type, &response);
    return 0;
}

/* quietly: they are what is kept already, so nothing is said about how. */
static int login(struct cli *cli, struct docker_config *config, struct auth_config *auth, bool quietly, struct err *err)
{
    AUTO_FREE char *status = NULL;
    bool plain;
    if (try_login(cli, auth, &status, err) < 0)
        return -1;
    if (docker_config_store(config, auth, &plain, err) < 0)
        return err_wrap(err, "Error saving credentials");
    if (plain && !quietly)
        fprintf(stderr,
                "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
                "Configure a credential helper to remove this warning. See\n"
                "https://docs.docker.com/go/credential-store/\n\n",
                docker_config_path(config));
    if (!str_empty(status))
        puts(status);
    return 0;
}

/* With what is kept. -1: there is nothing, or it is not good any more. */
static int login_again(struct cli *cli, struct docker_config *config, struct auth_config *stored)
{
    struct err err = { 0 };
    if (str_empty(stored->username) || (str_empty(stored->password) && str_empty(stored->identity_token)))
        return -1;
    fprintf(stderr,
            "Authenticating with existing credentials... [Username: %s]\n\n"
            "Info -> To login with a different account, run 'holk logout' followed by 'holk login'\n\n\n",
            stored->username);
    if (login(cli, config, stored, true, &err) == 0)
        return 0;
    fprintf(stderr, "Login did not succeed, error: %s\n", err.text);
    return -1;
}

static int run_login(struct cli *cli, void *arg, char **args)
{
    struct login_options *options = arg;
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_FREE char *registry = registry_of(args[0]);
    struct auth_config stored, auth;
    struct err err = { 0 };
    if (check_options(options, &err) < 0)
        return cli_fail(cli, &err);
    if (docker_config_get(config, registry, &stored, &err) < 0) {
        fprintf(stderr, "WARNING: %s\n", err.text);
        err_clear(&err);
    }
    int status = options->username || options->password ? -1 : login_again(cli, config, &stored);
    if (status < 0) {
        status = ask_missing(options, stored.username, &err);
        auth = (struct auth_config){ .username = xstrdup(options->username),
                                     .password = xstrdup(options->password),
                                     .server_address = xstrdup(registry) };
        if (!status)
            status = login(cli, config, &auth, false, &err);
        codec_clear(&auth_config_type, &auth);
    }
    codec_clear(&auth_config_type, &stored);
    return status < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_login = {
    .path = "login",
    .usage = "[OPTIONS] [SERVER]",
    .help = "Authenticate to a registry",
    .long_help = "Authenticate to a registry.\nDocker Hub when no server is named.",
    .common = 8,
    .flags = login_flags,
    .options_size = sizeof(struct login_options),
    .max_args = 1,
    .run = run_login,
};

/* Earlier clients kept the hub and others under several spellings. */
static int run_logout(struct cli *cli, void *options, char **args)
{
    (void)options;
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_FREE char *registry = registry_of(args[0]);
    char *spellings[] = { xstrdup(registry), str_format("http://%s", registry), str_format("https://%s", registry) };
    bool is_hub = str_eq(registry, INDEX_SERVER);
    struct err err = { 0 };
    int code = 0;
    printf("Removing login credentials for %s\n", registry);
    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
        if ((i == 0 || (!is_hub && docker_config_knows(config, spellings[i]))) &&
            docker_config_erase(config, spellings[i], &err) < 0)
            code = 1;
    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
        free(take_ptr(&spellings[i]));
    return code ? cli_fail(cli, &err) : 0;
}

const struct command command_logout = {
    .path = "logout",
    .usage = "[SERVER]",
    .help = "Log out from a registry",
    .long_help = "Forget the credentials of a registry.\nDocker Hub when no server is named.",
    .common = 9,
    .max_args = 1,
    .run = run_logout,
};
