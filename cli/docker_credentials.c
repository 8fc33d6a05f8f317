#include "cli/docker_credentials.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)4 << 20)
#define TOKEN_USER "<token>" /* in place of a user name: the secret is an identity token */

static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    CLEANUP(strv_free) char **dirs = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':', true);
    for (char **dir = dirs; *dir; dir++) {
        AUTO_FREE char *full = path_join(*dir, name);
        if (access(full, X_OK) == 0)
            return take_ptr(&full);
    }
    return NULL;
}

static int collect(int fd, struct buf *out, const char *name, struct err *err)
{
    for (;;) {
        char *room = buf_reserve(out, 4096);
        if (!room)
            return err_set(err, ERR_INTERNAL, "%s: the answer is longer than %zu bytes", name, out->max);
        ssize_t got = read(fd, room, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, errno, "%s: read its answer", name);
        if (got == 0)
            return 0;
        buf_grew(out, (size_t)got);
    }
}

/* Runs the program with the input; its output is the answer or, when it fails, what went wrong. */
static int run(const char *helper, const char *verb, const char *input, struct buf *out, struct err *err)
{
    AUTO_FREE char *name = str_format("docker-credential-%s", helper);
    AUTO_FREE char *program = find_program(name), *argument = xstrdup(verb);
    char *argv[] = { name, argument, NULL };
    int in[2], back[2], status = 0;
    pid_t pid;
    if (!program)
        return err_set(err, ERR_INTERNAL,
                       "error getting credentials - err: exec: \"%s\": executable file not found in $PATH, out: ``",
                       name);
    if (fd_pipe(in) < 0)
        return err_sys(err, errno, "%s: pipe", name);
    AUTO_FD int in_read = in[0], in_write = in[1];
    if (fd_pipe(back) < 0)
        return err_sys(err, errno, "%s: pipe", name);
    AUTO_FD int back_read = back[0], back_write = back[1];
    struct proc_fd fds[] = { { in_read, 0 }, { back_write, 1 }, { STDERR_FILENO, 2 } };
    struct proc_spec spec = { .path = program, .argv = argv, .env = environ, .fds = fds, .fd_count = ARRAY_SIZE(fds) };
    int failed = proc_spawn(&spec, &pid, NULL);
    if (failed < 0)
        return err_sys(err, failed, "start %s", name);
    fd_close(take_fd(&in_read));
    fd_close(take_fd(&back_write));
    __auto_type old = signal(SIGPIPE, SIG_IGN); /* it may not read its input */
    (void)io_write_all(in_write, input, strlen(input));
    signal(SIGPIPE, old);
    fd_close(take_fd(&in_write));
    int got = collect(back_read, out, name, err);
    fd_close(take_fd(&back_read));
    proc_wait(pid, &status);
    if (got < 0)
        return -1;
    const char *text = out->data ? str_trim(out->data) : "";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    bool unknown = strstr(text, "credentials not found in native keychain");
    return err_set(err, unknown ? ERR_NOT_FOUND : ERR_INTERNAL, "error %s credentials - err: exit status %d, out: `%s`",
                   str_eq(verb, "store")   ? "storing"
                   : str_eq(verb, "erase") ? "erasing"
                                           : "getting",
                   WIFEXITED(status) ? WEXITSTATUS(status) : 128, text);
}

int credentials_get(const char *helper, const char *server, struct auth_config *ret, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(ANSWER_MAX);
    CLEANUP(json_free) struct json *json = NULL;
    *ret = (struct auth_config){ 0 };
    if (run(helper, "get", server, &out, err) < 0)
        return -1;
    if (json_parse(out.data ? out.data : "", out.data ? strlen(out.data) : 0, &json, err) < 0)
        return err_wrap(err, "docker-credential-%s get", helper);
    const char *user = json_text(json_get(json, "Username")), *secret = json_text(json_get(json, "Secret"));
    if (str_eq(user, TOKEN_USER)) {
        ret->identity_token = xstrdup(secret);
    } else {
        ret->username = xstrdup(user);
        ret->password = xstrdup(secret);
    }
    ret->server_address = xstrdup(server);
    return 0;
}

int credentials_store(const char *helper, const struct auth_config *auth, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(ANSWER_MAX), input = BUF_INIT(ANSWER_MAX);
    CLEANUP(json_free) struct json *json = json_new_map();
    bool token = !str_empty(auth->identity_token);
    const char *user = token ? TOKEN_USER : auth->username, *secret = token ? auth->identity_token : auth->password;
    json_set_take(json, "ServerURL", json_new_text(auth->server_address));
    json_set_take(json, "Username", json_new_text(user ? user : ""));
    json_set_take(json, "Secret", json_new_text(secret ? secret : ""));
    json_write(json, &input);
    return run(helper, "store", input.data, &out, err);
}

int credentials_erase(const char *helper, const char *server, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(ANSWER_MAX);
    return run(helper, "erase", server, &out, err);
}

int credentials_list(const char *helper, struct buf *ret_json, struct err *err)
{
    return run(helper, "list", "unused", ret_json, err);
}
