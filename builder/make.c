/* The steps of a stage, one after the other: a layer that is known is taken, else made, kept and remembered. */
#include "builder/make.h"

#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#define SHORT_ID 12

/* ---- what is shown ---- */

static void show_step(struct build_stage *stage, size_t number, const char *text)
{
    stage_say(stage, "Step %zu/%zu : %s", stage->first_step + number, stage->builder->steps_total, text);
    stage_say(stage, "\n");
}

static void show_result(struct build_stage *stage)
{
    stage_say(stage, " ---> %.*s\n", SHORT_ID, stage->chain);
}

/* A step's place in the build as one number; nothing but what is shown depends on it. */
static void move_chain(struct build_stage *stage, const char *text, const char *diff_id)
{
    AUTO_FREE char *before = xstrdup(stage->chain), *what = xstrdup(text), *layer = xstrdup(diff_id);
    char *parts[] = { before, what, layer, NULL };
    key_of_texts(parts, stage->chain);
}

/* ---- the memory of layers ---- */

/* What this very build has made counts also when the engine's memory is not to be used. */
static int recall(struct making *making, char *key, struct build_cache_value *ret, struct err *err)
{
    struct builder *builder = making->builder;
    AUTO_FREE char *verb = verb_name(BUILD_CACHE_GET);
    struct build_cache_get request = { verb, key };
    mutex_lock(&builder->lock);
    const struct build_cache_value *made = map_get(builder->results, key);
    if (made)
        codec_copy(&build_cache_value_type, ret, made);
    mutex_unlock(&builder->lock);
    return made || builder->params->no_cache ? 0 : ask(builder, BUILD_CACHE_GET, &request, ret, err);
}

static void keep_result(struct builder *builder, const char *key, const struct build_cache_value *value)
{
    struct build_cache_value *copy = xcalloc(1, sizeof *copy);
    codec_copy(&build_cache_value_type, copy, value);
    mutex_lock(&builder->lock);
    struct build_cache_value *old = map_set(builder->results, key, copy);
    mutex_unlock(&builder->lock);
    if (old)
        codec_clear(&build_cache_value_type, old);
    free(old);
}

static int remember(struct making *making, char *key, const struct build_cache_value *value, struct err *err)
{
    AUTO_FREE char *verb = verb_name(BUILD_CACHE_PUT);
    struct build_cache_put request = { .request = verb,
                                       .key = key,
                                       .diff_id = value->diff_id,
                                       .size = value->size,
                                       .created_unix_ns = value->created_unix_ns,
                                       .extra = value->extra,
                                       .description = making->step->text };
    struct build_nothing reply = { 0 };
    keep_result(making->builder, key, value);
    int r = ask(making->builder, BUILD_CACHE_PUT, &request, &reply, err);
    codec_clear(&build_nothing_type, &reply);
    return r;
}

/* ---- one layer ---- */

static int begin_layer(struct making *making, struct err *err)
{
    AUTO_FREE char *verb = verb_name(BUILD_LAYER_BEGIN);
    struct build_layer_begin request = { verb, making->stage->diff_ids };
    return ask(making->builder, BUILD_LAYER_BEGIN, &request, &making->scratch, err);
}

static int end_layer(struct making *making, bool keep, struct build_cache_value *ret, struct err *err)
{
    AUTO_FREE char *verb = verb_name(keep ? BUILD_LAYER_COMMIT : BUILD_LAYER_DROP);
    struct build_layer_commit request = { verb, making->scratch.id };
    struct build_layer_committed done = { 0 };
    struct build_nothing nothing = { 0 };
    if (!keep) {
        int dropped = ask(making->builder, BUILD_LAYER_DROP, &request, &nothing, err);
        codec_clear(&build_nothing_type, &nothing);
        return dropped;
    }
    if (ask(making->builder, BUILD_LAYER_COMMIT, &request, &done, err) < 0)
        return -1;
    *ret = (struct build_cache_value){
        .found = true, .diff_id = take_ptr(&done.diff_id), .size = done.size, .created_unix_ns = time_now_unix_ns()
    };
    codec_clear(&build_layer_committed_type, &done);
    return 0;
}

static int work(struct making *making, struct err *err)
{
    switch (making->step->kind) {
    case STEP_RUN:
        return run_work(making, err);
    case STEP_COPY:
        return copy_work(making, err);
    case STEP_WORKDIR:
        return workdir_work(making, err);
    case STEP_PLAIN:
        break;
    }
    return 0;
}

static int make_layer(struct making *making, struct build_cache_value *ret, struct err *err)
{
    struct err ignored = { 0 };
    if (begin_layer(making, err) < 0)
        return -1;
    bool runs = making->step->kind == STEP_RUN;
    if (runs)
        stage_say(making->stage, " ---> Running in %.*s\n", SHORT_ID, making->scratch.id);
    if (work(making, err) < 0) {
        (void)end_layer(making, false, NULL, &ignored);
        return -1;
    }
    if (runs && making->builder->params->remove)
        stage_say(making->stage, " ---> Removed intermediate container %.*s\n", SHORT_ID, making->scratch.id);
    return end_layer(making, true, ret, err);
}

/* Both keys, the quick one first (key.c); the second is only made when the first finds nothing. It goes with the result
 * as `extra`. */
static int find_or_make_claimed(struct making *making, char *quick, bool same, struct build_cache_value *ret,
                                bool *ret_cached, struct err *err)
{
    char full[KEY_SIZE];
    if (recall(making, quick, ret, err) < 0)
        return -1;
    *ret_cached = ret->found;
    if (ret->found)
        return 0;
    str_copy(full, sizeof full, quick);
    if (!same && (step_key(making, true, full, &same, err) < 0 || recall(making, full, ret, err) < 0))
        return -1;
    *ret_cached = ret->found;
    if (!ret->found) {
        codec_clear(&build_cache_value_type, ret);
        if (make_layer(making, ret, err) < 0)
            return -1;
        ret->extra = xstrdup(full);
        if (!str_eq(full, quick) && remember(making, full, ret, err) < 0)
            return -1;
    }
    return remember(making, quick, ret, err);
}

static int find_or_make(struct making *making, struct build_cache_value *ret, bool *ret_cached, struct err *err)
{
    char quick[KEY_SIZE];
    bool same;
    if (step_key(making, false, quick, &same, err) < 0)
        return -1;
    schedule_claim(making->builder, quick);
    int r = find_or_make_claimed(making, quick, same, ret, ret_cached, err);
    schedule_release(making->builder, quick);
    return r;
}

static void set_created(struct build_stage *stage, size_t record, int64_t created_unix_ns)
{
    char text[TIME_TEXT_SIZE];
    if (stage->builder->epoch_ns >= 0)
        return;
    time_format_rfc3339nano(created_unix_ns, text);
    free(stage->config.history.items[record].created);
    stage->config.history.items[record].created = xstrdup(text);
}

static void making_done(struct making *making)
{
    size_t count = making->step->kind == STEP_COPY ? strv_length(making->step->copy.urls) : 0;
    for (size_t i = 0; making->fetched && i < count; i++)
        codec_clear(&build_fetched_type, &making->fetched[i].file);
    free(making->fetched);
    codec_clear(&build_scratch_type, &making->scratch);
}

static int make_layer_step(struct build_stage *stage, struct step *step, struct err *err)
{
    struct making making = { .builder = stage->builder, .stage = stage, .step = step };
    struct build_cache_value value = { 0 };
    bool cached = false;
    int r = step->kind == STEP_COPY && step->copy.urls ? copy_fetch(&making, err) : 0;
    if (r == 0)
        r = find_or_make(&making, &value, &cached, err);
    if (r < 0 && step->kind == STEP_COPY)
        err_wrap(err, "%s failed", step->copy.is_add ? "ADD" : "COPY");
    if (r == 0) {
        strv_append(&stage->diff_ids, value.diff_id);
        set_created(stage, step->history, value.created_unix_ns);
        str_copy(stage->key, sizeof stage->key, value.extra ? value.extra : "");
        if (cached)
            stage_say(stage, " ---> Using cache\n");
        move_chain(stage, step->text, value.diff_id);
        show_result(stage);
    }
    codec_clear(&build_cache_value_type, &value);
    making_done(&making);
    return r;
}

/* ---- a stage ---- */

static void begin_stage(struct build_stage *stage)
{
    const struct build_stage *base = stage->base;
    if (base) {
        stage->diff_ids = strv_dup(base->diff_ids);
        str_copy(stage->chain, sizeof stage->chain, base->chain);
        str_copy(stage->key, sizeof stage->key, base->key);
        for (size_t i = 0; i < base->config.history.count; i++) { /* times are known only now */
            free(stage->config.history.items[i].created);
            stage->config.history.items[i].created = xstrdup(base->config.history.items[i].created);
        }
    } else if (stage->image) {
        const char *hex = str_after(stage->image->resolved.image_id, "sha256:");
        stage->diff_ids = strv_dup(stage->image->resolved.diff_ids);
        str_copy(stage->chain, sizeof stage->chain, hex ? hex : "");
    }
    show_step(stage, 0, stage->from_text);
    show_result(stage);
    if (stage->trigger_count)
        stage_say(stage, "# Executing %zu build trigger%s\n", stage->trigger_count,
                  stage->trigger_count == 1 ? "" : "s");
}

/* Until the stages that the step reads from are made. */
static int wait_for_sources(struct build_stage *stage, const struct step *step, struct err *err)
{
    if (schedule_go_on(stage->builder, err) < 0)
        return -1;
    if (step->kind == STEP_COPY && step->copy.source.kind == SOURCE_STAGE &&
        schedule_wait_for(stage, step->copy.source.stage, err) < 0)
        return -1;
    for (size_t i = 0; i < step->run.mount_count; i++) {
        const struct build_source *source = &step->run.mounts[i].source;
        if (source->kind == SOURCE_STAGE && schedule_wait_for(stage, source->stage, err) < 0)
            return -1;
    }
    return 0;
}

int make_stage(struct build_stage *stage, struct err *err)
{
    begin_stage(stage);
    for (size_t i = 0; i < stage->step_count; i++) {
        struct step *step = &stage->steps[i];
        if (wait_for_sources(stage, step, err) < 0)
            return -1;
        show_step(stage, i + 1, step->text);
        if (step->kind != STEP_PLAIN) {
            if (make_layer_step(stage, step, err) < 0)
                return -1;
            continue;
        }
        move_chain(stage, step->text, "");
        show_result(stage);
    }
    return 0;
}
