/* --security-opt, capabilities and namespaces. */
#include "cli/create_options.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"
#include <errno.h>
#include <fcntl.h>

#define PROFILE_MAX ((size_t)4 << 20)

/* The daemon cannot read the client's files: a seccomp profile travels as compact JSON. */
static int put_profile(struct host_config *host, const char *path, struct err *err)
{
    AUTO_FREE char *text = NULL;
    CLEANUP(json_free) struct json *profile = NULL;
    AUTO_BUF struct buf compact = BUF_INIT(PROFILE_MAX * 2);
    size_t length;
    int ret = io_read_file_at(AT_FDCWD, path, PROFILE_MAX, &text, &length);
    if (ret < 0) {
        (void)cli_path_error(err, "open", path, ret);
        return err_wrap(err, "opening seccomp profile (%s) failed", path);
    }
    struct err parse_error = { 0 };
    if (json_parse(text, length, &profile, &parse_error) < 0)
        return err_set(err, ERR_INVALID, "compacting json for seccomp profile (%s) failed: %s", path, parse_error.text);
    json_write(profile, &compact);
    strv_append_take(&host->security_opt, str_format("seccomp=%s", compact.data));
    return 0;
}

static int put_option(struct host_config *host, const char *text, struct err *err)
{
    const char *cut = strpbrk(text, "=:");
    if (str_eq(text, "systempaths=unconfined")) {
        host->masked_paths = xcalloc(1, sizeof *host->masked_paths);
        host->readonly_paths = xcalloc(1, sizeof *host->readonly_paths);
        return 0;
    }
    if (!cut && !str_eq(text, "no-new-privileges"))
        return err_set(err, ERR_INVALID, "Invalid --security-opt: \"%s\"", text);
    const char *profile = str_after(text, "seccomp=");
    if (!profile)
        profile = str_after(text, "seccomp:");
    if (profile && !str_eq(profile, "unconfined") && !str_eq(profile, "builtin"))
        return put_profile(host, profile, err);
    strv_append(&host->security_opt, text);
    return 0;
}

/* "net_raw" becomes "CAP_NET_RAW"; sorted, each once. */
static char **capabilities(char *const *names)
{
    char **list = NULL;
    for (; names && *names; names++) {
        AUTO_FREE char *copy = xstrdup(*names);
        char *name = str_trim(copy);
        for (char *at = name; *at; at++)
            *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
        bool whole = str_eq(name, "ALL") || str_eq(name, "RESET") || str_starts(name, "CAP_");
        AUTO_FREE char *full = whole ? xstrdup(name) : str_format("CAP_%s", name);
        if (!strv_contains(list, full))
            strv_append(&list, full);
    }
    if (list)
        strv_sort(list);
    return list;
}

static bool is_namespace(const char *text, bool container_too)
{
    const char *container = container_too && text ? str_after(text, "container:") : NULL;
    return str_empty(text) || str_eq(text, "host") || !str_empty(container);
}

static int check_namespaces(const struct create_options *options, struct err *err)
{
    if (!is_namespace(options->pid, true))
        return err_set(err, ERR_INVALID, "--pid: invalid PID mode");
    if (!is_namespace(options->uts, false))
        return err_set(err, ERR_INVALID, "--uts: invalid UTS mode");
    if (!is_namespace(options->userns, false))
        return err_set(err, ERR_INVALID, "--userns: invalid USER mode");
    if (!is_namespace(options->cgroupns, false) && !str_eq(options->cgroupns, "private"))
        return err_set(err, ERR_INVALID, "--cgroupns: invalid CGROUP mode");
    return 0;
}

int create_put_security(const struct create_options *options, struct host_config *host, struct err *err)
{
    if (check_namespaces(options, err) < 0)
        return -1;
    for (char **text = options->security_opt; text && *text; text++) {
        if (put_option(host, *text, err) < 0)
            return -1;
    }
    host->cap_add = capabilities(options->cap_add);
    host->cap_drop = capabilities(options->cap_drop);
    host->privileged = options->privileged;
    host->ipc_mode = xstrdup(options->ipc);
    host->pid_mode = xstrdup(options->pid);
    host->uts_mode = xstrdup(options->uts);
    host->userns_mode = xstrdup(options->userns);
    host->cgroupns_mode = xstrdup(options->cgroupns);
    host->isolation = xstrdup(options->isolation);
    host->runtime = xstrdup(options->runtime);
    return 0;
}
