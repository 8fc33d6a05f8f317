/* Theory of operation. Every stage that is needed gets a thread once the stage it is FROM is made. A thread that comes
 * to a step which reads from another stage waits there. At most WORKERS_MAX threads work at a time; those that wait do
 * not count, so the stage that is waited for always gets its turn. The first failure ends the build: threads stop
 * before their next step, and what runs in containers is ended by the engine when the job is over. */
#include "builder/stage.h"
#include "lib/base/str.h"

#define WORKERS_MAX 8

static bool is_ready(const struct build_stage *stage)
{
    return stage->needed && stage->progress == STAGE_WAITING && (!stage->base || stage->base->progress == STAGE_MADE);
}

/* The first stage behind those that are finished speaks now. */
static void move_front_locked(struct builder *builder)
{
    while (builder->front < builder->stage_count) {
        struct build_stage *stage = &builder->stages[builder->front];
        stage_say_now_locked(stage);
        if (stage->needed && stage->progress != STAGE_MADE)
            return;
        builder->front++;
    }
}

static void end_locked(struct build_stage *stage, int result, const struct err *err)
{
    struct builder *builder = stage->builder;
    if (result == 0) {
        stage->progress = STAGE_MADE;
        move_front_locked(builder);
        builder->over = builder->over || stage == builder->target;
    } else if (!builder->over) {
        stage_say_now_locked(stage);
        builder->over = true;
        builder->failure = *err;
        if (stage->failed_command)
            say_exit_code(builder, stage->exit_code);
    }
}

static void *run_stage(void *arg)
{
    struct build_stage *stage = arg;
    struct builder *builder = stage->builder;
    struct err err = { 0 };
    int result = make_stage(stage, &err);
    mutex_lock(&builder->lock);
    builder->working--;
    end_locked(stage, result, &err);
    builder->threads--;
    cond_broadcast(&builder->moved);
    mutex_unlock(&builder->lock);
    return NULL;
}

static void start_ready_locked(struct builder *builder)
{
    for (size_t i = 0; i < builder->stage_count && builder->working < WORKERS_MAX && !builder->over; i++) {
        struct build_stage *stage = &builder->stages[i];
        if (!is_ready(stage))
            continue;
        stage->progress = STAGE_STARTED;
        builder->working++;
        builder->threads++;
        int r = thread_spawn(run_stage, stage);
        if (r == 0)
            continue;
        builder->working--;
        builder->threads--;
        builder->over = true;
        err_sys(&builder->failure, r, "start a thread");
    }
}

int make_all_stages(struct builder *builder, struct err *err)
{
    mutex_lock(&builder->lock);
    move_front_locked(builder);
    while (!builder->over) {
        start_ready_locked(builder);
        if (!builder->over)
            cond_wait(&builder->moved, &builder->lock);
    }
    *err = builder->failure;
    mutex_unlock(&builder->lock);
    return err->kind == ERR_NONE ? 0 : -1;
}

bool schedule_is_busy(struct builder *builder)
{
    mutex_lock(&builder->lock);
    bool busy = builder->threads > 0;
    mutex_unlock(&builder->lock);
    return busy;
}

void schedule_wait(struct builder *builder)
{
    mutex_lock(&builder->lock);
    builder->over = true;
    cond_broadcast(&builder->moved);
    while (builder->threads)
        cond_wait(&builder->moved, &builder->lock);
    mutex_unlock(&builder->lock);
}

static int over_locked(const struct builder *builder, struct err *err)
{
    return builder->over ? err_set(err, ERR_CANCELLED, "another stage of the build failed") : 0;
}

int schedule_go_on(struct builder *builder, struct err *err)
{
    mutex_lock(&builder->lock);
    int r = over_locked(builder, err);
    mutex_unlock(&builder->lock);
    return r;
}

int schedule_wait_for(struct build_stage *user, struct build_stage *needed, struct err *err)
{
    struct builder *builder = user->builder;
    mutex_lock(&builder->lock);
    builder->working--;
    cond_broadcast(&builder->moved); /* its place may be taken */
    while (needed->progress != STAGE_MADE && !builder->over)
        cond_wait(&builder->moved, &builder->lock);
    builder->working++;
    int r = over_locked(builder, err);
    mutex_unlock(&builder->lock);
    return r;
}

void schedule_claim(struct builder *builder, const char *key)
{
    mutex_lock(&builder->lock);
    while (strv_contains(builder->keys_at_work, key))
        cond_wait(&builder->moved, &builder->lock);
    strv_append(&builder->keys_at_work, key);
    mutex_unlock(&builder->lock);
}

void schedule_release(struct builder *builder, const char *key)
{
    mutex_lock(&builder->lock);
    (void)strv_remove(builder->keys_at_work, key);
    cond_broadcast(&builder->moved);
    mutex_unlock(&builder->lock);
}
