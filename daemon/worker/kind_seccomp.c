/* seccomp: a profile becomes a BPF program. */
#include "daemon/worker/seccomp_policy.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define BASE64_MAX ((size_t)SECCOMP_PROGRAM_MAX * sizeof(struct sock_filter) * 2)

static void put_base64(struct buf *out, const unsigned char *bytes, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t have = MIN(length - i, (size_t)3);
        unsigned bits = (unsigned)bytes[i] << 16 | (have > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (have > 2 ? bytes[i + 2] : 0U);
        for (size_t digit = 0; digit < 4; digit++)
            buf_putc(out, digit <= have ? letters[bits >> (18 - 6 * digit) & 63] : '=');
    }
}

static int answer(struct worker *worker, const struct seccomp_policy *policy, char **warnings, struct err *err)
{
    AUTO_FREE struct seccomp_program *program = xcalloc(1, sizeof *program);
    AUTO_BUF struct buf text = BUF_INIT(BASE64_MAX);
    if (!policy->off && seccomp_compile(policy, program, err) < 0)
        return -1;
    buf_puts(&text, "");
    put_base64(&text, (const unsigned char *)program->code, program->length * sizeof program->code[0]);
    struct job_seccomp_result result = { .bpf_base64 = text.data, .warnings = warnings };
    return worker_done(worker, &job_seccomp_result_type, &result, err);
}

static int compile_profile(struct worker *worker, const struct job_seccomp *params, struct err *err)
{
    AUTO_SECCOMP_POLICY struct seccomp_policy policy = { .rules = NULL };
    CLEANUP(strv_free) char **warnings = NULL;
    if (!str_empty(params->arch) && !str_eq(params->arch, "amd64"))
        return err_set(err, ERR_UNSUPPORTED, "seccomp filters for %s are not supported", params->arch);
    if (str_empty(params->profile))
        seccomp_policy_builtin(params->caps, &policy);
    else if (seccomp_profile_parse(params->profile, params->caps, &policy, &warnings, err) < 0)
        return -1;
    return answer(worker, &policy, warnings, err);
}

int kind_seccomp(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_seccomp params;
    if (job_decode(run, &job_seccomp_type, &params, err) < 0)
        return -1;
    int r = compile_profile(worker, &params, err);
    codec_clear(&job_seccomp_type, &params);
    return r;
}
