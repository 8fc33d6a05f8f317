/* --device, --gpus, --ulimit and the block device limits. */
#include "cli/create_options.h"
#include "cli/flags.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <ctype.h>
#include <errno.h>

/* ---- --device ---- */

/* "vendor.com/class=name": a device of the container device interface. */
static bool is_cdi_name(const char *text)
{
    const char *slash = strchr(text, '/'), *equals = strchr(text, '=');
    return slash && equals && slash > text && equals > slash + 1 && equals[1] && isalpha((unsigned char)*text) && !strchr(text, ':');
}

static bool is_mode(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= 3 && strspn(text, "rwm") == length;
}

/* "/dev/a", "/dev/a:rw", "/dev/a:/dev/b", "/dev/a:/dev/b:r" */
static int put_device(struct resources *resources, const char *text, struct err *err)
{
    CLEANUP(strv_free) char **parts = strv_split(text, ':', false);
    size_t count = strv_length(parts);
    if (!*text || count > 3)
        return err_set(err, ERR_INVALID, "bad format for path: %s", text);
    const char *inside = parts[0], *mode = "rwm";
    if (count == 2 && is_mode(parts[1]))
        mode = parts[1];
    else if (count > 1)
        inside = parts[1];
    if (count == 3)
        mode = parts[2];
    if (!is_mode(mode))
        return err_set(err, ERR_INVALID, "bad mode specified: %s", mode);
    if (inside[0] != '/')
        return err_set(err, ERR_INVALID, "%s is not an absolute path", inside);
    struct device_mapping *device = list_add(&resources->devices);
    device->path_on_host = xstrdup(parts[0]);
    device->path_in_container = xstrdup(inside);
    device->cgroup_permissions = xstrdup(mode);
    return 0;
}

static int put_devices(const struct create_options *options, struct resources *resources, struct err *err)
{
    CLEANUP(strv_free) char **cdi_names = NULL;
    for (char **text = options->device; text && *text; text++) {
        if (is_cdi_name(*text))
            strv_append(&cdi_names, *text);
        else if (put_device(resources, *text, err) < 0)
            return -1;
    }
    if (cdi_names) {
        struct device_request *request = list_add(&resources->device_requests);
        request->driver = xstrdup("cdi");
        request->device_ids = take_ptr(&cdi_names);
    }
    return 0;
}

/* ---- --gpus ---- */

struct gpu_seen {
    bool count, driver, device, capabilities, options;
};

static bool *gpu_seen_slot(struct gpu_seen *seen, const char *key)
{
    if (str_eq(key, "count"))
        return &seen->count;
    if (str_eq(key, "driver"))
        return &seen->driver;
    if (str_eq(key, "device"))
        return &seen->device;
    if (str_eq(key, "capabilities"))
        return &seen->capabilities;
    return str_eq(key, "options") ? &seen->options : NULL;
}

static int gpu_count(const char *text, int64_t *ret, struct err *err)
{
    struct err ignored = { 0 };
    if (str_eq(text, "all")) {
        *ret = -1;
        return 0;
    }
    if (parse_go_int(text, ret, &ignored) < 0)
        return err_set(err, ERR_INVALID, "invalid count (%s): value must be either \"all\" or an integer: invalid syntax", text);
    return 0;
}

static void gpu_options(struct str_map *options, const char *text)
{
    CLEANUP(strv_free) char **pairs = strv_split(text, ',', false);
    for (char **pair = pairs; *pair; pair++) {
        char *value = strchr(*pair, '=');
        if (value)
            *value++ = 0;
        str_map_set(options, *pair, value ? value : "");
    }
}

static int gpu_field(struct device_request *request, struct gpu_seen *seen, char *field, char ***capabilities, struct err *err)
{
    AUTO_FREE char *whole = xstrdup(field);
    char *value = strchr(field, '='), *key = field;
    static char count_key[] = "count";
    if (value) {
        *value++ = 0;
    } else {
        value = field;
        key = count_key;
    }
    bool *slot = gpu_seen_slot(seen, key);
    if (!slot)
        return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", key, whole);
    if (*slot)
        return err_set(err, ERR_INVALID, "gpu request key '%s' can be specified only once", key);
    *slot = true;
    if (slot == &seen->count)
        return gpu_count(value, &request->count, err);
    if (slot == &seen->driver)
        request->driver = xstrdup(value);
    else if (slot == &seen->device)
        request->device_ids = strv_split(value, ',', false);
    else if (slot == &seen->capabilities)
        *capabilities = strv_split(value, ',', false);
    else
        gpu_options(&request->options, value);
    return 0;
}

static int gpu_parse(const char *text, struct device_request *ret, struct err *err)
{
    CLEANUP(strv_free) char **fields = NULL, **capabilities = NULL;
    struct gpu_seen seen = { 0 };
    if (csv_split(text, &fields, err) < 0)
        return -1;
    for (char **field = fields; *field; field++) {
        if (gpu_field(ret, &seen, *field, &capabilities, err) < 0)
            return -1;
    }
    if (!seen.count && !seen.device)
        ret->count = 1;
    strv_append(&capabilities, "gpu");
    rows_add(&ret->capabilities, capabilities);
    return 0;
}

int check_gpus(const char *value, char **ret_value, struct err *err)
{
    struct device_request request = { 0 };
    (void)ret_value;
    int ret = gpu_parse(value, &request, err);
    codec_clear(&device_request_type, &request);
    return ret;
}

/* ---- --ulimit ---- */

static int ulimit_limits(const char *text, int64_t *ret_soft, int64_t *ret_hard, struct err *err)
{
    CLEANUP(strv_free) char **limits = strv_split(text, ':', false);
    size_t count = strv_length(limits);
    if (count > 2)
        return err_set(err, ERR_INVALID, "too many limit value arguments - %s, can only have up to two, `soft[:hard]`", text);
    if (parse_go_int(limits[0], ret_soft, err) < 0 || parse_go_int(limits[count - 1], ret_hard, err) < 0)
        return -1;
    if (*ret_hard == -1 || *ret_soft == *ret_hard)
        return 0;
    if (*ret_soft == -1)
        return err_set(err, ERR_INVALID,
                       "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: %lld",
                       (long long)*ret_hard);
    if (*ret_soft > *ret_hard)
        return err_set(err, ERR_INVALID, "ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
                       (long long)*ret_soft, (long long)*ret_hard);
    return 0;
}

static int ulimit_parse(const char *text, struct ulimit *ret, struct err *err)
{
    static const char *const names[] = { "as",     "core", "cpu", "data", "fsize", "locks",  "memlock", "msgqueue",
                                         "nice", "nofile", "nproc", "rss",    "rtprio",  "rttime", "sigpending", "stack" };
    const char *equals = strchr(text, '=');
    if (!equals)
        return err_set(err, ERR_INVALID, "invalid ulimit argument: %s", text);
    ret->name = xstrndup(text, (size_t)(equals - text));
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        known = known || str_eq(names[i], ret->name);
    if (!known)
        return err_set(err, ERR_INVALID, "invalid ulimit type: %s", ret->name);
    return ulimit_limits(equals + 1, &ret->soft, &ret->hard, err);
}

int check_ulimit(const char *value, char **ret_value, struct err *err)
{
    struct ulimit limit = { 0 };
    (void)ret_value;
    int ret = ulimit_parse(value, &limit, err);
    codec_clear(&ulimit_type, &limit);
    return ret;
}

static int compare_ulimits(const void *a, const void *b)
{
    return strcmp(((const struct ulimit *)a)->name, ((const struct ulimit *)b)->name);
}

/* Sorted by name; a later one of the same name replaces. */
static int put_ulimits(const struct create_options *options, struct resources *resources, struct err *err)
{
    for (char **text = options->ulimit; text && *text; text++) {
        struct ulimit limit = { 0 };
        if (ulimit_parse(*text, &limit, err) < 0) {
            codec_clear(&ulimit_type, &limit);
            return -1;
        }
        struct ulimit *slot = NULL;
        for (size_t i = 0; i < resources->ulimits.count && !slot; i++) {
            if (str_eq(resources->ulimits.items[i].name, limit.name))
                slot = &resources->ulimits.items[i];
        }
        if (!slot)
            slot = list_add(&resources->ulimits);
        codec_clear(&ulimit_type, slot);
        *slot = limit;
    }
    if (resources->ulimits.count)
        qsort(resources->ulimits.items, resources->ulimits.count, sizeof *resources->ulimits.items, compare_ulimits);
    return 0;
}

/* ---- block devices: the checks have seen the texts ---- */

static void put_rates(char *const *texts, void *list, bool bytes)
{
    for (; texts && *texts; texts++) {
        const char *colon = strchr(*texts, ':');
        struct throttle_device *device = codec_list_add(list, sizeof *device);
        device->path = xstrndup(*texts, (size_t)(colon - *texts));
        if (bytes)
            (void)str_to_bytes(colon + 1, &device->rate);
        else
            (void)str_to_i64(colon + 1, &device->rate);
    }
}

static void put_weights(char *const *texts, struct resources *resources)
{
    for (; texts && *texts; texts++) {
        const char *colon = strchr(*texts, ':');
        struct weight_device *device = list_add(&resources->blkio_weight_device);
        device->path = xstrndup(*texts, (size_t)(colon - *texts));
        (void)str_to_i64(colon + 1, &device->weight);
    }
}

int create_put_devices(const struct create_options *options, struct host_config *host, struct err *err)
{
    struct resources *resources = &host->resources;
    for (char **text = options->gpus; text && *text; text++) {
        if (gpu_parse(*text, list_add(&resources->device_requests), err) < 0)
            return -1;
    }
    if (put_devices(options, resources, err) < 0 || put_ulimits(options, resources, err) < 0)
        return -1;
    resources->device_cgroup_rules = strv_dup(options->device_cgroup_rule);
    put_weights(options->blkio_weight_device, resources);
    put_rates(options->device_read_bps, &resources->blkio_device_read_bps, true);
    put_rates(options->device_write_bps, &resources->blkio_device_write_bps, true);
    put_rates(options->device_read_iops, &resources->blkio_device_read_iops, false);
    put_rates(options->device_write_iops, &resources->blkio_device_write_iops, false);
    return 0;
}
