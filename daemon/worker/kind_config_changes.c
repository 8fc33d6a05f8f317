/* config-changes: the instructions of docker commit --change and docker import --change change a configuration. */
#include "builder/changes.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/str.h"

static int apply(struct worker *worker, const struct job_config_changes *params, struct err *err)
{
    struct image_config_config config;
    const char *text = str_empty(params->config) ? "{}" : params->config;
    if (codec_decode(&image_config_config_type, text, strlen(text), &config, err) < 0)
        return -1;
    int r = config_changes_apply(&config, params->changes, err);
    if (r == 0) {
        AUTO_FREE char *changed = codec_encode_dup(&image_config_config_type, &config);
        struct job_config_changes_result result = { .config = changed };
        r = worker_done(worker, &job_config_changes_result_type, &result, err);
    }
    codec_clear(&image_config_config_type, &config);
    return r;
}

int kind_config_changes(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct job_config_changes params;
    if (job_decode(run, &job_config_changes_type, &params, err) < 0)
        return -1;
    int r = apply(worker, &params, err);
    codec_clear(&job_config_changes_type, &params);
    return r;
}
