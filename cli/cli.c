/* What commands share: how they fail, ask, and repeat themselves over arguments; ready-made flag checks. */
#include "cli/command.h"
#include "cli/help.h"
#include "lib/api/filters.h"
#include "lib/base/str.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cli_fail(struct cli *cli, const struct err *err)
{
    (void)fflush(stdout);
    if (!(cli->command->options & COMMAND_EXIT_125)) {
        fprintf(stderr, "%s\n", err->text);
        return 1;
    }
    fprintf(stderr, "holk: %s\n\nRun 'holk %s --help' for more information\n", err->text, cli->name);
    return 125;
}

int cli_usage_error(struct cli *cli, const char *format, ...)
{
    AUTO_BUF struct buf usage = BUF_INIT(BUF_TEXT_MAX);
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    help_usage(cli->command, cli->name, &usage);
    (void)fflush(stdout);
    fprintf(stderr, "holk: %s\n\n%s\nRun 'holk %s --help' for more information\n", text, usage.data, cli->name);
    return 1;
}

int cli_each(struct cli *cli, char **args, bool quiet,
             int (*one)(struct cli *cli, const char *arg, void *ctx, struct err *err), void *ctx)
{
    int exit_code = 0;
    for (; *args; args++) {
        struct err err = { 0 };
        if (one(cli, *args, ctx, &err) < 0)
            exit_code = cli_fail(cli, &err);
        else if (!quiet)
            puts(*args);
    }
    return exit_code;
}

int cli_path_error(struct err *err, const char *verb, const char *path, int sys_errno)
{
    const char *reason = err_strerror(sys_errno < 0 ? -sys_errno : sys_errno);
    err_set(err, ERR_INVALID, "%s %s: %c%s", verb, path, tolower((unsigned char)*reason), reason + 1);
    err->sys_errno = sys_errno < 0 ? -sys_errno : sys_errno;
    return -1;
}

bool cli_confirm(const char *warning)
{
    char line[64] = "";
    printf("%s\nAre you sure you want to continue? [y/N] ", warning);
    (void)fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return false;
    const char *answer = str_trim(line);
    return str_eq(answer, "y") || str_eq(answer, "Y");
}

int cli_columns(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void api_query_filters(struct buf *target, char *const *filters)
{
    AUTO_FILTERS struct filters parsed = { 0 };
    for (; filters && *filters; filters++) {
        size_t length = strcspn(*filters, "=");
        if (!(*filters)[length])
            continue;
        AUTO_FREE char *key = xstrndup(*filters, length);
        filters_add(&parsed, key, *filters + length + 1);
    }
    if (!parsed.count)
        return;
    AUTO_FREE char *text = filters_encode(&parsed);
    http_query_add(target, "filters", text);
}

/* ---- checks ---- */

int flag_check_filter(const char *value, char **ret_value, struct err *err)
{
    if (!*value)
        return 0;
    const char *equals = strchr(value, '=');
    if (!equals)
        return err_set(err, ERR_INVALID, "bad format of filter (expected name=value)");
    AUTO_FREE char *name = xstrndup(value, (size_t)(equals - value));
    AUTO_FREE char *rest = xstrdup(equals + 1);
    *ret_value = str_format("%s=%s", str_lower(str_trim(name)), str_trim(rest));
    return 0;
}

int flag_check_label(const char *value, char **ret_value, struct err *err)
{
    (void)ret_value;
    size_t name = strcspn(value, "=");
    if (!name)
        return err_set(err, ERR_INVALID, "invalid label '%s': empty name", value);
    if (strcspn(value, " \t\n\v\f\r") < name)
        return err_set(err, ERR_INVALID, "label '%.*s' contains whitespaces", (int)name, value);
    return 0;
}

int flag_check_env(const char *value, char **ret_value, struct err *err)
{
    if (!*value || *value == '=')
        return err_set(err, ERR_INVALID, "invalid environment variable: %s", value);
    const char *known = strchr(value, '=') ? NULL : getenv(value);
    if (known)
        *ret_value = str_format("%s=%s", value, known);
    return 0;
}
