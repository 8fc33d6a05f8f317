/* Theory of operation. A layer that was made once is found again by a key: a digest over the layers below (their diff
 * ids, so that equal content counts as equal however it came to be), what the step says with every variable expanded,
 * and the content of what it reads. Times of files, comments, labels, the text of the instruction and arguments that
 * only name a proxy do not count.
 *
 * Reading all of another stage only to learn that nothing changed is slow. So a step that reads from other stages or
 * images has two keys: one that names the layers it reads from, tried first, and one with a digest over the files
 * themselves. A result is kept under both. */
#include "builder/make.h"
#include "lib/base/str.h"
#include "lib/unpack/hash.h"

#include <inttypes.h>

#define KEY_VERSION "holk build key 2"

struct key {
    struct hash hash;
};

static void add_text(struct key *key, const char *text)
{
    uint64_t length = text ? strlen(text) : 0;
    hash_add(&key->hash, &length, sizeof length);
    hash_add(&key->hash, text ? text : "", length);
}

static void add_list(struct key *key, char *const *list)
{
    AUTO_FREE char *count = str_format("%zu", strv_length(list));
    add_text(key, count);
    for (; list && *list; list++)
        add_text(key, *list);
}

static void add_number(struct key *key, int64_t number)
{
    AUTO_FREE char *text = str_format("%" PRId64, number);
    add_text(key, text);
}

static void key_begin(struct key *key, const char *kind, const struct making *making)
{
    hash_init(&key->hash);
    add_text(key, KEY_VERSION);
    add_text(key, kind);
    add_list(key, making->stage->diff_ids);
    add_text(key, making->stage->key);
}

static void key_end(struct key *key, char ret[KEY_SIZE])
{
    char text[HASH_TEXT_SIZE];
    hash_text(&key->hash, text);
    hash_done(&key->hash);
    str_copy(ret, KEY_SIZE, str_after(text, "sha256:"));
}

void key_of_texts(char *const *texts, char ret[KEY_SIZE])
{
    struct key key;
    hash_init(&key.hash);
    add_list(&key, texts);
    key_end(&key, ret);
}

struct files { /* what a step reads from one place */
    const struct build_source *source;
    char **sources, **exclude;
    bool parents, is_add;
};

static int add_files(struct key *key, struct making *making, const struct files *files, bool by_content, bool *same,
                     struct err *err)
{
    struct job_build_copy copy;
    struct job_build_copy_result result = { 0 };
    static char digest[] = "digest";
    bool elsewhere = files->source->kind != SOURCE_CONTEXT;
    if (elsewhere)
        *same = false;
    add_list(key, files->sources);
    if (elsewhere && !by_content) {
        add_list(key, source_diff_ids(files->source));
        return 0;
    }
    copy_job_init(&copy, NULL);
    if (source_of_copy(making->builder, files->source, &copy, err) < 0)
        return -1;
    copy.op = digest;
    copy.sources = files->sources;
    copy.exclude = files->exclude;
    copy.parents = files->parents;
    copy.is_add = files->is_add;
    if (copy_job(making->builder, &copy, &result, err) < 0)
        return -1;
    add_text(key, result.digest);
    codec_clear(&job_build_copy_result_type, &result);
    return 0;
}

static int copy_key(struct making *making, bool by_content, char ret[KEY_SIZE], bool *same, struct err *err)
{
    struct copy_step *copy = &making->step->copy;
    struct key key;
    key_begin(&key, copy->is_add ? "add" : "copy", making);
    add_text(&key, copy->target);
    add_text(&key, copy->chown);
    add_text(&key, copy->chmod);
    add_list(&key, copy->exclude);
    add_number(&key, copy->parents | copy->target_is_dir << 1 | copy->unpack << 2 | copy->unpack_said << 3);
    add_list(&key, copy->inline_names);
    add_list(&key, copy->inline_contents);
    for (size_t i = 0; copy->urls && copy->urls[i]; i++) {
        add_text(&key, making->fetched[i].file.digest);
        add_text(&key, making->fetched[i].file.file_name);
        add_number(&key, making->fetched[i].file.mtime_unix);
    }
    struct files files = { &copy->source, copy->sources, copy->exclude, copy->parents, copy->is_add };
    int r = copy->sources ? add_files(&key, making, &files, by_content, same, err) : 0;
    key_end(&key, ret);
    return r;
}

static int add_mount(struct key *key, struct making *making, struct step_mount *mount, bool by_content, bool *same,
                     struct err *err)
{
    static char root[] = "/";
    add_number(key, mount->kind);
    add_text(key, mount->target);
    add_text(key, mount->id);
    add_text(key, mount->env);
    add_number(key, mount->readonly);
    add_number(key, mount->size);
    if (mount->kind != MOUNT_BIND)
        return 0;
    char *sources[] = { mount->source_path ? mount->source_path : root, NULL };
    if (mount->source.kind == SOURCE_NOTHING)
        return 0;
    struct files files = { .source = &mount->source, .sources = sources };
    return add_files(key, making, &files, by_content, same, err);
}

static int run_key(struct making *making, bool by_content, char ret[KEY_SIZE], bool *same, struct err *err)
{
    struct run_step *run = &making->step->run;
    const struct job_build *params = making->builder->params;
    struct key key;
    key_begin(&key, "run", making);
    add_list(&key, run->argv);
    add_list(&key, run->env);
    add_text(&key, run->cwd);
    add_text(&key, run->user);
    add_text(&key, str_empty(run->network) ? params->network_mode : run->network);
    add_text(&key, run->script);
    add_list(&key, params->extra_hosts);
    add_number(&key, params->shm_size);
    int r = 0;
    for (size_t i = 0; i < run->mount_count && r == 0; i++)
        r = add_mount(&key, making, &run->mounts[i], by_content, same, err);
    key_end(&key, ret);
    return r;
}

static int workdir_key(struct making *making, char ret[KEY_SIZE])
{
    struct key key;
    key_begin(&key, "workdir", making);
    add_text(&key, making->step->workdir);
    add_text(&key, making->step->owner);
    key_end(&key, ret);
    return 0;
}

int step_key(struct making *making, bool by_content, char ret[KEY_SIZE], bool *ret_same, struct err *err)
{
    *ret_same = true;
    if (making->step->kind == STEP_COPY)
        return copy_key(making, by_content, ret, ret_same, err);
    if (making->step->kind == STEP_RUN)
        return run_key(making, by_content, ret, ret_same, err);
    return workdir_key(making, ret);
}
