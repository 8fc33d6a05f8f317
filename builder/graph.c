/* Stages of a Dockerfile, how they hang together, and which of them the target needs. */
#include "builder/stage.h"
#include "lib/base/str.h"
#include "lib/oci/reference.h"

#include <strings.h>

#define STAGES_MAX 1000

struct build_stage *graph_find(struct builder *builder, const char *name)
{
    for (size_t i = builder->stage_count; i-- > 0;)
        if (builder->stages[i].name && strcasecmp(builder->stages[i].name, name) == 0)
            return &builder->stages[i];
    return NULL;
}

/* ---- FROM ---- */

static struct build_stage *find_before(struct builder *builder, const char *name, size_t index)
{
    for (size_t i = index; i-- > 0;)
        if (builder->stages[i].name && str_eq(builder->stages[i].name, name))
            return &builder->stages[i];
    return NULL;
}

static int read_platform(struct build_stage *stage, const char *written, const struct expand_scope *scope,
                         struct err *err)
{
    struct platform platform;
    struct err why = { 0 };
    stage->platform = NULL;
    if (!written) {
        stage->platform = xstrdup(stage->builder->params->platform ? stage->builder->params->platform : "");
        return 0;
    }
    if (expand_word(scope, written, &stage->platform, err) < 0)
        return -1;
    if (!*stage->platform)
        return err_set(err, ERR_INVALID, "empty platform value from expression %s", written);
    if (platform_parse(stage->platform, &platform, &why) < 0)
        return err_set(err, ERR_INVALID, "failed to parse platform %s: %s", stage->platform, why.text);
    return 0;
}

static int read_from(struct build_stage *stage, const struct instruction *insn, struct err *err)
{
    struct builder *builder = stage->builder;
    struct expand_scope scope = { expand_env_get, &builder->global_args, builder->file.escape, false };
    stage->from_text = xstrdup(insn->original);
    stage->from_line = insn->line;
    stage->name = insn->args[1] ? str_lower(xstrdup(insn->args[2])) : NULL;
    stage->shown = stage->name ? xstrdup(stage->name) : str_format("stage-%zu", stage->index);
    if (expand_word(&scope, insn->args[0], &stage->base_name, err) < 0)
        return -1;
    if (!*stage->base_name)
        return err_set(err, ERR_INVALID, "base name (%s) should not be blank", insn->args[0]);
    stage->base = find_before(builder, stage->base_name, stage->index);
    return read_platform(stage, instruction_flag(insn, "platform"), &scope, err);
}

static int check_base_name(const struct build_stage *stage, struct err *err)
{
    struct err why = { 0 };
    AUTO_REFERENCE struct reference ref = { 0 };
    AUTO_FREE char *id = NULL;
    if (stage->base || str_eq(stage->base_name, "scratch") ||
        reference_parse_any(stage->base_name, &ref, &id, &why) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "failed to parse stage name \"%s\": %s", stage->base_name, why.text);
}

/* ---- COPY --from and RUN --mount=from= ---- */

static int stage_by_number(struct builder *builder, uint64_t number, struct build_stage **ret, struct err *err)
{
    if (number >= builder->stage_count)
        return err_set(err, ERR_INVALID, "invalid stage index %llu", (unsigned long long)number);
    *ret = &builder->stages[number];
    return 0;
}

/* *ret NULL: not a stage. */
static int stage_named(struct builder *builder, const char *from, struct build_stage **ret, struct err *err)
{
    int64_t number;
    *ret = NULL;
    if (strchr(from, '$'))
        return err_set(err, ERR_INVALID,
                       "variable expansion is not supported for --from, define a new stage with FROM using ARG from "
                       "global scope as a workaround");
    if (str_to_i64(from, &number) == 0)
        return number < 0 ? err_set(err, ERR_INVALID, "invalid stage index %s", from)
                          : stage_by_number(builder, (uint64_t)number, ret, err);
    *ret = graph_find(builder, from);
    return 0;
}

int graph_source(struct build_stage *user, const char *from, struct build_source *ret, struct err *err)
{
    struct build_stage *stage;
    if (stage_named(user->builder, from, &stage, err) < 0)
        return -1;
    if (stage == user)
        return err_set(err, ERR_INVALID, "circular dependency detected on stage: %s", user->shown);
    if (stage && (stage->index > user->index || !stage->needed))
        return err_set(err, ERR_INVALID,
                       "cannot copy from stage \"%s\", it needs to be defined before current stage \"%s\"", from,
                       user->shown);
    if (stage) {
        *ret = (struct build_source){ .kind = SOURCE_STAGE, .stage = stage };
        return 0;
    }
    if (strcasecmp(from, "scratch") == 0) {
        *ret = (struct build_source){ .kind = SOURCE_NOTHING };
        return 0;
    }
    *ret = (struct build_source){ .kind = SOURCE_IMAGE };
    return image_lookup(user->builder, from, user->platform, &ret->image, err);
}

/* The stages that one instruction reads from, one call of `visit` each. */
static int each_source(struct build_stage *stage, const struct instruction *insn,
                       int (*visit)(struct build_stage *stage, struct build_stage *from, void *arg), void *arg,
                       struct err *err)
{
    CLEANUP(strv_free) char **names = NULL;
    const char *from = instruction_flag(insn, "from");
    CLEANUP(strv_free) char **mounts = str_eq(insn->kind->name, "RUN") ? instruction_flag_list(insn, "mount") : NULL;
    if (!str_empty(from))
        strv_append(&names, from);
    for (char **mount = mounts; mount && *mount; mount++) {
        char *name = mount_from(*mount);
        if (name)
            strv_append_take(&names, name);
    }
    for (char **name = names; name && *name; name++) {
        struct build_stage *source = NULL;
        if (**name && stage_named(stage->builder, *name, &source, err) < 0)
            return -1;
        if (source && visit(stage, source, arg) < 0)
            return -1;
    }
    return 0;
}

static int each_source_of_stage(struct build_stage *stage,
                                int (*visit)(struct build_stage *stage, struct build_stage *from, void *arg), void *arg,
                                struct err *err)
{
    for (size_t i = 0; i < stage->command_count; i++)
        if (each_source(stage, &stage->commands[i], visit, arg, err) < 0)
            return -1;
    for (size_t i = 0; i < stage->trigger_count; i++)
        for (size_t j = 0; j < stage->triggers[i].count; j++)
            if (each_source(stage, &stage->triggers[i].instructions[j], visit, arg, err) < 0)
                return -1;
    return 0;
}

/* ---- circles ---- */

struct links { /* bit matrix: row uses column */
    bool *uses;
    size_t count;
};

static int note_link(struct build_stage *stage, struct build_stage *from, void *arg)
{
    struct links *links = arg;
    links->uses[stage->index * links->count + from->index] = true;
    return 0;
}

static bool reaches(const struct links *links, size_t from, size_t to, bool *seen)
{
    for (size_t next = 0; next < links->count; next++) {
        if (!links->uses[from * links->count + next] || seen[next])
            continue;
        if (next == to)
            return true;
        seen[next] = true;
        if (reaches(links, next, to, seen))
            return true;
    }
    return false;
}

static int check_circles(struct builder *builder, struct err *err)
{
    struct links links = { xcalloc(builder->stage_count * builder->stage_count + 1, sizeof(bool)),
                           builder->stage_count };
    int r = 0;
    for (size_t i = 0; i < builder->stage_count && r == 0; i++)
        r = each_source_of_stage(&builder->stages[i], note_link, &links, err);
    for (size_t i = 0; i < builder->stage_count && r == 0; i++) {
        bool *seen = xcalloc(builder->stage_count, sizeof *seen);
        if (reaches(&links, i, i, seen))
            r = err_set(err, ERR_INVALID, "circular dependency detected on stage: %s", builder->stages[i].shown);
        free(seen);
    }
    free(links.uses);
    return r;
}

/* ---- which are needed ---- */

static int need(struct build_stage *stage, struct err *err);

struct need_arg {
    struct err *err;
};

static int need_source(struct build_stage *stage, struct build_stage *from, void *arg)
{
    struct need_arg *need_arg = arg;
    if (from->index >= stage->index)
        return err_set(need_arg->err, ERR_INVALID,
                       "cannot copy from stage \"%s\", it needs to be defined before current stage \"%s\"", from->shown,
                       stage->shown);
    return need(from, need_arg->err);
}

/* Triggers of the base are read here: they may need further stages. */
static int read_triggers(struct build_stage *stage, struct err *err)
{
    char **texts = NULL;
    if (stage->base) /* those of a stage are its own ONBUILDs, in the file */
        for (size_t i = 0; i < stage->base->command_count; i++) {
            const struct instruction *insn = &stage->base->commands[i];
            if (!str_eq(insn->kind->name, "ONBUILD"))
                continue;
            AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
            buf_puts(&text, insn->args[0]);
            for (size_t h = 0; h < insn->heredoc_count; h++)
                buf_printf(&text, "\n%s%s", insn->heredocs[h].content, insn->heredocs[h].name);
            strv_append(&texts, text.data);
        }
    else if (stage->image && stage->image->config.config)
        texts = strv_dup(stage->image->config.config->on_build);
    int r = 0;
    size_t count = strv_length(texts);
    stage->triggers = xcalloc(count + 1, sizeof *stage->triggers);
    for (size_t i = 0; i < count && r == 0; i++) {
        struct dockerfile *file = &stage->triggers[i];
        r = dockerfile_parse(texts[i], strlen(texts[i]), file, err);
        if (r < 0)
            break;
        stage->trigger_count++;
        if (file->count != 1)
            r = err_set(err, ERR_INVALID, "onbuild trigger should be a single expression");
        else if (file->instructions[0].kind->no_trigger)
            r = err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", file->instructions[0].kind->name);
    }
    strv_free(texts);
    return r;
}

static int need(struct build_stage *stage, struct err *err)
{
    struct need_arg arg = { err };
    if (stage->needed)
        return 0;
    stage->needed = true;
    if (check_base_name(stage, err) < 0 || (stage->base && need(stage->base, err) < 0))
        return -1;
    if (!stage->base && !str_eq(stage->base_name, "scratch") &&
        image_lookup(stage->builder, stage->base_name, stage->platform, &stage->image, err) < 0)
        return -1;
    if (read_triggers(stage, err) < 0)
        return -1;
    return each_source_of_stage(stage, need_source, &arg, err);
}

/* ---- all of it ---- */

static int split_stages(struct builder *builder, struct err *err)
{
    struct dockerfile *file = &builder->file;
    size_t count = 0;
    for (size_t i = 0; i < file->count; i++)
        count += str_eq(file->instructions[i].kind->name, "FROM");
    if (count > STAGES_MAX)
        return err_set(err, ERR_INVALID, "the Dockerfile has %zu stages, more than %d", count, STAGES_MAX);
    builder->stages = xcalloc(count + 1, sizeof *builder->stages);
    for (size_t i = 0; i < file->count; i++) {
        struct instruction *insn = &file->instructions[i];
        if (str_eq(insn->kind->name, "FROM")) {
            size_t index = builder->stage_count++;
            builder->stages[index] = (struct build_stage){
                .builder = builder, .index = index, .commands = insn + 1, .output = BUF_INIT(BUF_TEXT_MAX)
            };
        } else if (builder->stage_count) {
            builder->stages[builder->stage_count - 1].command_count++;
        } else if (!str_eq(insn->kind->name, "ARG")) {
            return err_set(err, ERR_INVALID, "no build stage in current context");
        }
    }
    return builder->stage_count ? 0 : err_set(err, ERR_INVALID, "dockerfile contains no stages to build");
}

static int choose_target(struct builder *builder, struct err *err)
{
    const char *wanted = builder->params->target;
    uint64_t number;
    builder->target = &builder->stages[builder->stage_count - 1];
    if (str_empty(wanted))
        return 0;
    builder->target = graph_find(builder, wanted);
    if (!builder->target && str_to_u64(wanted, &number) == 0 && number < builder->stage_count)
        builder->target = &builder->stages[number];
    return builder->target ? 0 : err_set(err, ERR_INVALID, "target stage \"%s\" could not be found", wanted);
}

int graph_make(struct builder *builder, struct err *err)
{
    if (split_stages(builder, err) < 0 || args_global(builder, err) < 0)
        return -1;
    for (size_t i = 0; i < builder->stage_count; i++)
        if (read_from(&builder->stages[i], builder->stages[i].commands - 1, err) < 0)
            return -1;
    if (choose_target(builder, err) < 0 || check_circles(builder, err) < 0)
        return -1;
    return need(builder->target, err);
}

void graph_free(struct builder *builder)
{
    for (size_t i = 0; i < builder->stage_count; i++)
        plan_stage_free(&builder->stages[i]);
    free(builder->stages);
    builder->stages = NULL;
    builder->stage_count = 0;
}
