/* A build's images and layers: what it stands on, what it is making, what becomes an image. */
#include "daemon/engine/build.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/path.h"
#include "lib/oci/digest.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- resolve ---- */

static bool platform_fits(const struct store_image *image, const char *wanted)
{
    struct platform want, have;
    struct err ignored = { 0 };
    if (str_empty(wanted) || platform_parse(wanted, &want, &ignored) < 0)
        return true;
    platform_from(image->os, image->architecture, image->variant, &have);
    return platform_match(&want, &have);
}

static int find_image(struct building *building, const struct build_resolve *ask, struct build_resolved *ret, struct err *err)
{
    struct engine *engine = building->engine;
    struct store_image *image;
    size_t length;
    mutex_lock(&engine->lock);
    int found = store_image_find(engine->store, ask->reference, &image, err);
    if (found == 0 && !platform_fits(image, ask->platform))
        found = err_set(err, ERR_NOT_FOUND, "image %s is there, but not for %s", ask->reference, ask->platform);
    if (found == 0) {
        ret->image_id = xstrdup(image->id);
        ret->diff_ids = strv_dup(image->diff_ids);
        store_lease_pin(building->lease, image->id);
        store_lease_pin_all(building->lease, image->diff_ids);
    }
    mutex_unlock(&engine->lock);
    return found < 0 ? -1 : store_image_config(engine->store, ret->image_id, &ret->config, &length, err);
}

struct pull_sink {
    struct sink sink;
    struct building *building;
    struct buf failure;
};

/* Lines of the pull inside a build go to the build's own stream; an error line is kept for the build's error. */
static int pull_line(struct sink *sink, const void *bytes, size_t length)
{
    struct pull_sink *pull = sink->arg;
    struct building *building = pull->building;
    if (memmem(bytes, length, "\"errorDetail\"", strlen("\"errorDetail\""))) {
        buf_clear(&pull->failure);
        buf_append(&pull->failure, bytes, length);
        return 0;
    }
    mutex_lock(&building->output_lock);
    building->progress.begun = true;
    int result = building->progress.sink->write(building->progress.sink, bytes, length);
    mutex_unlock(&building->output_lock);
    return result;
}

static int pull_failure(const struct buf *line, struct err *err)
{
    struct holder {
        char *error;
    } holder;
    static const struct codec_field fields[] = { F_STR(struct holder, error, "error", 0), F_END };
    static const struct codec_type type = { .name = "error", .size = sizeof(struct holder), .fields = fields };
    if (codec_decode(&type, line->data, line->length, &holder, err) < 0)
        return -1;
    err_set(err, ERR_NOT_FOUND, "%s", holder.error ? holder.error : "pull failed");
    codec_clear(&type, &holder);
    return -1;
}

static int pull_image(struct building *building, const struct build_resolve *ask, struct err *err)
{
    struct pull_sink pull = { .building = building, .failure = BUF_INIT(1 << 20) };
    AUTO_REFERENCE struct reference ref;
    if (reference_parse(ask->reference, &ref, err) < 0)
        return -1;
    reference_tag_default(&ref);
    AUTO_FREE char *full = reference_string(&ref);
    pull.sink = (struct sink){ .write = pull_line, .client_fd = building->cancel_fd, .arg = &pull };
    int result = engine_image_pull(building->engine, full, NULL, ask->platform, NULL, &pull.sink, err);
    if (result == 0 && pull.failure.length)
        result = pull_failure(&pull.failure, err);
    buf_done(&pull.failure);
    return result;
}

BUILD_VERB(verb_resolve)
{
    const struct build_resolve *ask = call->request;
    struct err pull_err = { 0 };
    if (!ask->pull && find_image(call->building, ask, call->reply, err) == 0)
        return 0;
    if (!ask->pull && err->kind != ERR_NOT_FOUND)
        return -1;
    int pulled = pull_image(call->building, ask, &pull_err);
    err_clear(err);
    bool by_id = id_valid(ask->reference) || str_starts(ask->reference, "sha256:");
    if ((pulled == 0 || by_id) && find_image(call->building, ask, call->reply, err) == 0)
        return 0;
    if (pulled < 0)
        *err = pull_err;
    return -1;
}

/* ---- names of layers ---- */

static int check_diff_ids(char *const *diff_ids, struct err *err)
{
    for (; diff_ids && *diff_ids; diff_ids++)
        if (!digest_is_sha256(*diff_ids))
            return err_set(err, ERR_INTERNAL, "the build named a malformed layer");
    return 0;
}

int check_lowers(const struct building *building, char *const *lowers, struct err *err)
{
    AUTO_FREE char *layers = path_join(building->engine->options.data_root, "layers/");
    for (; lowers && *lowers; lowers++) {
        const char *rest = str_after(*lowers, layers);
        AUTO_FREE char *hex = rest ? xstrndup(rest, 64) : NULL;
        if (!hex || !str_is_hex(hex, 64) || !str_eq(rest + 64, "/diff"))
            return err_set(err, ERR_INTERNAL, "the build named a directory that is no layer");
    }
    return 0;
}

BUILD_VERB(verb_layers)
{
    char **diff_ids = ((const struct build_layers *)call->request)->diff_ids;
    if (check_diff_ids(diff_ids, err) < 0)
        return -1;
    ((struct build_layers_reply *)call->reply)->lowers = layer_dirs_top_first(call->building->engine, diff_ids);
    return 0;
}

/* ---- scratch layers ---- */

static struct scratch *use_locked(struct building *building, const char *id, const char *upper, struct err *err)
{
    for (struct scratch *scratch = building->scratches; scratch; scratch = scratch->next) {
        AUTO_FREE char *own = str_format("%s/%s/diff", building->engine->options.data_root, scratch->name);
        if (id ? str_eq(scratch->id, id) : str_eq(own, upper)) {
            scratch->users++;
            return scratch;
        }
    }
    err_set(err, ERR_INTERNAL, "the build asked for an unknown scratch layer %s", id ? id : "");
    return NULL;
}

struct scratch *scratch_use(struct building *building, const char *id, struct err *err)
{
    mutex_lock(&building->lock);
    struct scratch *scratch = use_locked(building, id ? id : "", NULL, err);
    mutex_unlock(&building->lock);
    return scratch;
}

struct scratch *scratch_use_upper(struct building *building, const char *upper, struct err *err)
{
    mutex_lock(&building->lock);
    struct scratch *scratch = use_locked(building, NULL, upper, err);
    mutex_unlock(&building->lock);
    return scratch;
}

void scratch_done(struct building *building, struct scratch *scratch)
{
    mutex_lock(&building->lock);
    scratch->users--;
    mutex_unlock(&building->lock);
}

static void scratch_free(struct building *building, struct scratch *scratch)
{
    (void)store_trash_put(building->engine->store, building->engine->data_fd, scratch->name);
    worker_drop(scratch->packer);
    strv_free(scratch->diff_ids);
    free(scratch->id);
    free(scratch->name);
    free(scratch);
}

/* The caller is its only user. */
static int scratch_drop(struct building *building, struct scratch *scratch, struct err *err)
{
    mutex_lock(&building->lock);
    bool free_of_others = scratch->users == 1;
    struct scratch **link = &building->scratches;
    while (*link != scratch)
        link = &(*link)->next;
    if (free_of_others)
        *link = scratch->next;
    else
        scratch->users--;
    mutex_unlock(&building->lock);
    if (!free_of_others)
        return err_set(err, ERR_INTERNAL, "the build dropped a layer that is in use");
    scratch_free(building, scratch);
    return 0;
}

void scratch_drop_all(struct building *building)
{
    while (building->scratches) {
        struct scratch *scratch = building->scratches;
        building->scratches = scratch->next;
        scratch_free(building, scratch);
    }
}

/* The root of a new layer looks like that of the layer below: it is what a container sees as "/". */
static int copy_root_mode(struct engine *engine, const struct scratch *scratch, struct err *err)
{
    size_t count = strv_length(scratch->diff_ids);
    AUTO_FREE char *top = count ? store_layer_path(engine->store, scratch->diff_ids[count - 1]) : NULL;
    AUTO_FREE char *diff = str_format("%s/diff", scratch->name);
    struct stat info;
    if (!top || stat(top, &info) < 0)
        return 0;
    if (fchmodat(engine->data_fd, diff, info.st_mode & 07777, 0) < 0 || fchownat(engine->data_fd, diff, info.st_uid, info.st_gid, 0) < 0)
        return err_sys(err, errno, "set the mode of %s", diff);
    return 0;
}

static int make_scratch_dirs(struct engine *engine, const struct scratch *scratch, struct err *err)
{
    static const char *const parts[] = { "", "/diff", "/work" };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO_FREE char *path = str_format("%s%s", scratch->name, parts[i]);
        if (mkdirat(engine->data_fd, path, 0755) < 0)
            return err_sys(err, errno, "make %s", path);
    }
    return copy_root_mode(engine, scratch, err);
}

BUILD_VERB(verb_layer_begin)
{
    struct building *building = call->building;
    struct engine *engine = building->engine;
    char **diff_ids = ((const struct build_layer_begin *)call->request)->diff_ids, id[17];
    if (check_diff_ids(diff_ids, err) < 0)
        return -1;
    id_random_hex(id, 16);
    struct scratch *scratch = xcalloc(1, sizeof *scratch);
    *scratch = (struct scratch){ .id = xstrdup(id), .name = str_format("%s/s-%s", building->job_name, id), .diff_ids = strv_dup(diff_ids) };
    if (make_scratch_dirs(engine, scratch, err) < 0) {
        scratch_free(building, scratch);
        return -1;
    }
    *(struct build_scratch *)call->reply = (struct build_scratch){
        .id = xstrdup(id), .lowers = layer_dirs_top_first(engine, diff_ids), .upper = str_format("%s/%s/diff", engine->options.data_root, scratch->name),
        .work = str_format("%s/%s/work", engine->options.data_root, scratch->name),
    };
    mutex_lock(&building->lock);
    scratch->next = building->scratches;
    building->scratches = scratch;
    mutex_unlock(&building->lock);
    return 0;
}

BUILD_VERB(verb_layer_drop)
{
    struct scratch *scratch = scratch_use(call->building, ((const struct build_layer_commit *)call->request)->id, err);
    return scratch ? scratch_drop(call->building, scratch, err) : -1;
}

static bool has_entries(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return true;
    }
    while (count < 3 && readdir(dir))
        count++;
    closedir(dir);
    return count > 2; /* "." and ".." */
}

static int adopt(struct building *building, const char *diff, const struct job_pack_result *packed, struct err *err)
{
    struct engine *engine = building->engine;
    mutex_lock(&engine->lock);
    store_lease_pin(building->lease, packed->diff_id);
    mutex_unlock(&engine->lock);
    if (store_layer_adopt(engine->store, engine->data_fd, diff, packed->diff_id, NULL, err) < 0)
        return -1;
    struct store_layer_info info = { .diff_id = packed->diff_id, .size = packed->content_size };
    mutex_lock(&engine->lock);
    (void)store_layer_add(engine->store, &info);
    mutex_unlock(&engine->lock);
    return 0;
}

static int commit(struct building *building, struct scratch *scratch, struct build_layer_committed *ret, struct err *err)
{
    struct engine *engine = building->engine;
    char none[] = "none";
    AUTO_FREE char *diff = str_format("%s/diff", scratch->name);
    AUTO_FD int dir_fd = openat(engine->data_fd, diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_sys(err, errno, "open %s", diff);
    struct job_pack params = { .compression = none, .hash_only = true };
    struct job_pack_result packed;
    struct worker_call call = { .kind = "pack", .params = &params, .fds = &dir_fd, .fd_count = 1, .client_fd = building->cancel_fd, .prepared = take_ptr(&scratch->packer) };
    if (worker_run(engine, &call, &packed, err) < 0)
        return -1;
    bool empty = !has_entries(dir_fd);
    int result = adopt(building, diff, &packed, err);
    if (result == 0)
        *ret = (struct build_layer_committed){ .diff_id = xstrdup(packed.diff_id), .size = packed.content_size, .empty = empty };
    codec_clear(&job_pack_result_type, &packed);
    return result;
}

BUILD_VERB(verb_layer_commit)
{
    struct scratch *scratch = scratch_use(call->building, ((const struct build_layer_commit *)call->request)->id, err);
    if (!scratch)
        return -1;
    if (commit(call->building, scratch, call->reply, err) < 0) {
        scratch_done(call->building, scratch);
        return -1;
    }
    return scratch_drop(call->building, scratch, err);
}

/* ---- image ---- */

static int canonical_tags(char *const *tags, char ***ret, struct err *err)
{
    CLEANUP(strv_free) char **refs = NULL;
    for (; tags && *tags; tags++) {
        AUTO_REFERENCE struct reference ref;
        if (reference_parse(*tags, &ref, err) < 0)
            return -1;
        reference_tag_default(&ref);
        strv_append_take(&refs, reference_string(&ref));
    }
    *ret = take_ptr(&refs);
    return 0;
}

BUILD_VERB(verb_image)
{
    struct building *building = call->building;
    struct engine *engine = building->engine;
    const struct build_image *ask = call->request;
    CLEANUP(strv_free) char **refs = NULL;
    char id[72];
    if (canonical_tags(ask->tags, &refs, err) < 0 || image_commit(engine, ask->config, strlen(ask->config), refs, ask->parent, true, id, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    for (size_t i = 0; refs && refs[i]; i++)
        image_event_locked(engine, "tag", id, refs[i]);
    for (size_t i = 0; building->kept && building->kept[i]; i++) /* they are on the disk since the image's sync */
        store_layer_keep(engine->store, building->kept[i]);
    mutex_unlock(&engine->lock);
    ((struct build_image_committed *)call->reply)->image_id = xstrdup(id);
    return 0;
}
