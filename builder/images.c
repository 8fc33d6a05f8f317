/* Images that a build starts from, and the one it ends with. */
#include "builder/stage.h"
#include "lib/base/str.h"

int image_lookup(struct builder *builder, const char *reference, const char *platform, struct base_image **ret,
                 struct err *err)
{
    AUTO_FREE char *verb = xstrdup(build_verb_get(BUILD_RESOLVE)->name);
    for (*ret = builder->images; *ret; *ret = (*ret)->next)
        if (str_eq((*ret)->reference, reference) && str_eq((*ret)->platform, platform))
            return 0;
    struct base_image *image = xcalloc(1, sizeof *image);
    image->reference = xstrdup(reference);
    image->platform = xstrdup(platform);
    image->next = builder->images;
    builder->images = image;
    struct build_resolve ask = { verb, image->reference, image->platform, builder->params->pull };
    if (builder->backend->call(builder->backend->arg, BUILD_RESOLVE, &ask, -1, &image->resolved, NULL, err) < 0)
        return err_wrap(err, "%s", reference);
    const char *config = image->resolved.config ? image->resolved.config : "";
    if (oci_image_decode(config, strlen(config), &image->config, err) < 0)
        return err_wrap(err, "configuration of the image %s", reference);
    *ret = image;
    return 0;
}

void images_free(struct builder *builder)
{
    while (builder->images) {
        struct base_image *image = builder->images;
        builder->images = image->next;
        free(image->reference);
        free(image->platform);
        strv_free(image->lowers);
        codec_clear(&build_resolved_type, &image->resolved);
        codec_clear(&oci_image_type, &image->config);
        free(image);
    }
}

/* ---- the finished image ---- */

/* Records without a layer get the time of the layer before them; those before the first new layer get that one's. */
static void fill_times(struct oci_image *config)
{
    const char *created = NULL;
    bool missing = false;
    for (size_t i = 0; i < config->history.count; i++) {
        const char *own = config->history.items[i].created;
        if (str_empty(own)) {
            missing = true;
            continue;
        }
        created = own;
        if (missing)
            break;
    }
    missing = false;
    for (size_t i = 0; i < config->history.count; i++) {
        struct oci_history *record = &config->history.items[i];
        if (!str_empty(record->created)) {
            created = missing ? record->created : created;
            continue;
        }
        missing = true;
        free(record->created);
        record->created = xstrdup(created);
    }
}

static void set_created(const struct builder *builder, struct oci_image *config)
{
    const char *last = NULL;
    for (size_t i = 0; i < config->history.count; i++)
        if (!str_empty(config->history.items[i].created))
            last = config->history.items[i].created;
    if (builder->epoch_ns >= 0 && config->history.count)
        last = config->history.items[config->history.count - 1].created;
    free(config->created);
    config->created = xstrdup(last);
}

char *image_finish(struct build_stage *stage)
{
    struct oci_image *config = &stage->config;
    const struct str_map *labels = &stage->builder->params->labels;
    for (size_t i = 0; labels->keys && labels->keys[i]; i++)
        str_map_set(&config->config->labels, labels->keys[i], labels->values[i]);
    fill_times(config);
    set_created(stage->builder, config);
    strv_free(config->rootfs.diff_ids);
    config->rootfs.diff_ids = strv_dup(stage->diff_ids);
    return codec_encode_dup(&oci_image_type, config);
}
