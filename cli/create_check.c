/* Validators of create's flags: they speak while the command line is read. */
#include "cli/create_options.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

static bool is_ip(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

int check_attach(const char *value, char **ret_value, struct err *err)
{
    *ret_value = str_lower(xstrdup(value));
    if (str_eq(*ret_value, "stdin") || str_eq(*ret_value, "stdout") || str_eq(*ret_value, "stderr"))
        return 0;
    return err_set(err, ERR_INVALID, "valid streams are STDIN, STDOUT and STDERR");
}

/* "host:ip" or "host=ip", also with [brackets]; becomes "host:ip". */
int check_add_host(const char *value, char **ret_value, struct err *err)
{
    const char *cut = strchr(value, '=');
    if (!cut)
        cut = strchr(value, ':');
    if (!cut || cut == value)
        return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", value);
    AUTO_FREE char *address = xstrdup(cut + 1);
    size_t length = strlen(address);
    char *bare = address;
    if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
        address[length - 1] = 0;
        bare++;
    }
    if (!str_eq(bare, "host-gateway") && !is_ip(bare))
        return err_set(err, ERR_INVALID, "invalid IP address in add-host: \"%s\"", bare);
    *ret_value = str_format("%.*s:%s", (int)(cut - value), value, bare);
    return 0;
}

int check_dns(const char *value, char **ret_value, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(value);
    const char *address = str_trim(copy);
    if (!is_ip(address))
        return err_set(err, ERR_INVALID, "IP address is not correctly formatted: %s", value);
    *ret_value = xstrdup(address);
    return 0;
}

/* A domain: labels of letters, digits, inner dashes and underscores; "." alone removes the search list. */
int check_dns_search(const char *value, char **ret_value, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(value);
    const char *domain = str_trim(copy);
    bool good = *domain && strlen(domain) <= 255, label_start = true;
    if (str_eq(domain, "."))
        good = true;
    else
        for (const char *at = domain; *at && good; at++) {
            bool dash = *at == '-' || *at == '_', last = !at[1] || at[1] == '.';
            good = *at == '.' ? !label_start : isalnum((unsigned char)*at) || (dash && !label_start && !last);
            label_start = *at == '.';
        }
    if (!good)
        return err_set(err, ERR_INVALID, "%s is not a valid domain", value);
    *ret_value = xstrdup(domain);
    return 0;
}

int check_link(const char *value, char **ret_value, struct err *err)
{
    (void)ret_value;
    const char *colon = strchr(value, ':');
    if (!*value)
        return err_set(err, ERR_INVALID, "empty string specified for links");
    if (colon && strchr(colon + 1, ':'))
        return err_set(err, ERR_INVALID, "bad format for links: %s", value);
    return 0;
}

int check_sysctl(const char *value, char **ret_value, struct err *err)
{
    static const char *const known[] = { "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
                                         "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced" };
    (void)ret_value;
    size_t length = strcspn(value, "=");
    bool good = value[length] && (str_starts(value, "net.") || str_starts(value, "fs.mqueue."));
    for (size_t i = 0; value[length] && i < ARRAY_SIZE(known); i++)
        good = good || (strlen(known[i]) == length && str_starts(value, known[i]));
    return good ? 0 : err_set(err, ERR_INVALID, "sysctl '%s' is not allowed", value);
}

int check_uint16(const char *value, char **ret_value, struct err *err)
{
    uint64_t number;
    (void)ret_value;
    int failure = str_to_u64(value, &number);
    if (failure == 0 && number > UINT16_MAX)
        failure = -ERANGE;
    if (!failure)
        return 0;
    return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": %s", value,
                   failure == -ERANGE ? "value out of range" : "invalid syntax");
}

static const char *skip_number_or_star(const char *at)
{
    if (*at == '*')
        return at + 1;
    const char *start = at;
    while (isdigit((unsigned char)*at))
        at++;
    return at == start ? NULL : at;
}

/* "c 1:3 rwm" */
int check_device_cgroup_rule(const char *value, char **ret_value, struct err *err)
{
    (void)ret_value;
    const char *at = *value && strchr("acb", *value) && value[1] == ' ' ? skip_number_or_star(value + 2) : NULL;
    if (at && *at == ':')
        at = skip_number_or_star(at + 1);
    else
        at = NULL;
    if (at && *at == ' ') {
        size_t modes = strspn(at + 1, "rwm");
        if (modes >= 1 && modes <= 3 && !at[1 + modes])
            return 0;
    }
    return err_set(err, ERR_INVALID, "invalid device cgroup format '%s'", value);
}

/* "/dev/x:N": what follows the colon, checked to be a device path before it. */
static const char *device_number(const char *value, struct err *err)
{
    const char *colon = strchr(value, ':');
    if (!colon || colon == value) {
        err_set(err, ERR_INVALID, "bad format: %s", value);
        return NULL;
    }
    if (!str_starts(value, "/dev/")) {
        err_set(err, ERR_INVALID, "bad format for device path: %s", value);
        return NULL;
    }
    return colon + 1;
}

int check_weight_device(const char *value, char **ret_value, struct err *err)
{
    uint64_t weight;
    (void)ret_value;
    const char *number = device_number(value, err);
    if (!number)
        return -1;
    if (str_to_u64(number, &weight) < 0 || (weight > 0 && (weight < 10 || weight > 1000)))
        return err_set(err, ERR_INVALID, "invalid weight for device: %s", value);
    return 0;
}

int check_rate_bps(const char *value, char **ret_value, struct err *err)
{
    int64_t rate;
    (void)ret_value;
    const char *number = device_number(value, err);
    if (!number)
        return -1;
    if (str_to_bytes(number, &rate) < 0)
        return err_set(err, ERR_INVALID,
                       "invalid rate for device: %s. The correct format is <device-path>:<number>[<unit>]. Number must be a "
                       "positive integer. Unit is optional and can be kb, mb, or gb",
                       value);
    return 0;
}

int check_rate_iops(const char *value, char **ret_value, struct err *err)
{
    uint64_t rate;
    (void)ret_value;
    const char *number = device_number(value, err);
    if (!number)
        return -1;
    if (str_to_u64(number, &rate) < 0 || rate > INT64_MAX)
        return err_set(err, ERR_INVALID,
                       "invalid rate for device: %s. The correct format is <device-path>:<number>. Number must be a positive integer",
                       value);
    return 0;
}

int check_mac_address(const char *text, struct err *err)
{
    char separator = strchr(text, ':') ? ':' : '-';
    size_t groups = 0;
    for (const char *at = text;; at += 3) {
        if (!isxdigit((unsigned char)at[0]) || !isxdigit((unsigned char)at[1]))
            break;
        groups++;
        if (!at[2] && (groups == 6 || groups == 8 || groups == 20))
            return 0;
        if (at[2] != separator)
            break;
    }
    return err_set(err, ERR_INVALID, "%s is not a valid mac address", text);
}

/* ---- csv ---- */

/* One field; *inout_at moves behind it and its comma. */
static int csv_field(const char *text, const char **inout_at, struct buf *field, struct err *err)
{
    const char *at = *inout_at;
    bool quoted = *at == '"';
    buf_clear(field);
    if (quoted) {
        for (at++; *at && !(at[0] == '"' && at[1] != '"'); at++) {
            at += *at == '"';
            buf_putc(field, *at);
        }
        if (*at != '"' || (at[1] && at[1] != ','))
            return err_set(err, ERR_INVALID, "parse error on line 1, column %zu: extraneous or missing \" in quoted-field",
                           (size_t)(at - text) + (*at ? 2 : 1));
        at++;
    } else {
        for (; *at && *at != ','; at++) {
            if (*at == '"')
                return err_set(err, ERR_INVALID, "parse error on line 1, column %zu: bare \" in non-quoted-field",
                               (size_t)(at - text) + 1);
            buf_putc(field, *at);
        }
    }
    *inout_at = at;
    return 0;
}

int csv_split(const char *text, char ***ret, struct err *err)
{
    CLEANUP(strv_free) char **list = NULL;
    AUTO_BUF struct buf field = BUF_INIT(BUF_TEXT_MAX);
    const char *at = text;
    if (!*text)
        return err_set(err, ERR_INVALID, "EOF");
    for (;;) {
        if (csv_field(text, &at, &field, err) < 0)
            return -1;
        strv_append(&list, field.length ? field.data : "");
        if (*at != ',')
            break;
        at++;
    }
    *ret = take_ptr(&list);
    return 0;
}
