/* Compiled filters by hash of profile and capabilities: in memory, and below DATA/seccomp so that a restart compiles nothing. A worker makes them. */
#include "daemon/engine/plan_parts.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int base64_value(char c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(letters, c) : NULL;
    return found ? (int)(found - letters) : -1;
}

static void decode_base64(const char *text, struct buf *out)
{
    unsigned bits = 0, count = 0;
    for (; *text; text++) {
        int value = base64_value(*text);
        if (value < 0)
            continue;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_putc(out, (char)(bits >> count & 255));
        }
    }
}

static int compile(struct engine *engine, const char *profile, uint64_t caps, struct buf *ret, struct err *err)
{
    struct job_seccomp params = { 0 };
    struct job_seccomp_result result = { 0 };
    params.profile = xstrdup(profile);
    params.arch = xstrdup("amd64");
    for (size_t i = 0; plan_cap_name(i); i++)
        if (caps >> i & 1)
            strv_append_take(&params.caps, str_format("CAP_%s", plan_cap_name(i)));
    struct worker_call call = { .kind = "seccomp", .params = &params, .client_fd = -1 };
    int done = worker_run(engine, &call, &result, err);
    if (done == 0)
        decode_base64(result.bpf_base64, ret);
    codec_clear(&job_seccomp_type, &params);
    if (done == 0)
        codec_clear(&job_seccomp_result_type, &result);
    return done;
}

static bool read_cached(struct engine *engine, const char *name, struct buf *ret)
{
    AUTO_FREE char *bytes = NULL;
    size_t length = 0;
    char digest[72];
    AUTO_FREE char *path = str_format("seccomp/%s", name);
    if (io_read_file_at(engine->data_fd, path, 1 << 20, &bytes, &length) < 0 || length <= 71)
        return false;
    store_digest(bytes + 71, length - 71, digest); /* a file that was cut or changed is made again */
    if (memcmp(digest, bytes, 71) != 0)
        return false;
    buf_append(ret, bytes + 71, length - 71);
    return true;
}

static void write_cached(struct engine *engine, const char *name, const struct buf *bpf)
{
    char digest[72];
    AUTO_BUF struct buf file = BUF_INIT(1 << 20);
    AUTO_FREE char *path = str_format("seccomp/%s", name);
    store_digest(bpf->data, bpf->length, digest);
    buf_append(&file, digest, 71);
    buf_append(&file, bpf->data, bpf->length);
    (void)mkdirat(engine->data_fd, "seccomp", 0700);
    if (!buf_failed(&file))
        (void)io_replace_file_at(engine->data_fd, path, file.data, file.length, 0600, false);
}

int seccomp_get(struct engine *engine, const struct host_config *host, uint64_t caps, const uint8_t **ret, size_t *ret_length, struct err *err)
{
    struct plan_security security;
    *ret = NULL;
    *ret_length = 0;
    if (plan_security_opts(host, &security, err) < 0)
        return -1;
    if (host->privileged || str_eq(security.seccomp, "unconfined"))
        return 0;
    const char *profile = !security.seccomp || str_eq(security.seccomp, "builtin") ? "" : security.seccomp;
    char digest[72];
    AUTO_FREE char *key = str_format("%s\n%s\n%llx", HOLK_VERSION, profile, (unsigned long long)caps);
    store_digest(key, strlen(key), digest);
    const char *name = digest + strlen("sha256:");
    mutex_lock(&engine->seccomp_lock);
    struct buf *known = map_get(engine->seccomp, name);
    int result = 0;
    if (!known) {
        struct buf fresh = BUF_INIT(1 << 20);
        if (!read_cached(engine, name, &fresh)) {
            result = compile(engine, profile, caps, &fresh, err);
            if (result == 0)
                write_cached(engine, name, &fresh);
        }
        if (result == 0) {
            known = xmemdup(&fresh, sizeof fresh);
            map_set(engine->seccomp, name, known);
        } else {
            buf_done(&fresh);
        }
    }
    if (known) {
        *ret = (const uint8_t *)known->data;
        *ret_length = known->length;
    }
    mutex_unlock(&engine->seccomp_lock);
    return result;
}
