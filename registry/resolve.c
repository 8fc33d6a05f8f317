/* From a name to manifests and configs, and the tags of a repository. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/oci/digest.h"
#include "registry/internal.h"
#include "registry/refusal.h"
#include "registry/sha256.h"
#include "registry/trouble.h"

#define TAGS_PAGE_MAX ((size_t)4 << 20)
#define TAGS_MAX 20000
#define PAGES_MAX 1000
#define TAGS_PAGE "1000"

/* One Accept line per kind, as registries with strict parsers want them. */
static void accept_manifests(struct exchange *exchange)
{
    static const char *const types[] = { MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_LIST, MEDIA_OCI_INDEX, MEDIA_OCI_MANIFEST,
                                         MEDIA_DOCKER_MANIFEST_V1_SIGNED };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        strv_append_take(&exchange->headers, str_format("Accept: %s", types[i]));
}

static void familiar(const struct registry *registry, const char *what, char **ret_name, char **ret_full)
{
    struct reference ref = { .domain = registry->domain, .path = registry->repository };
    *ret_name = reference_familiar_name(&ref);
    *ret_full = str_format("%s%c%s", *ret_name, strchr(what, ':') ? '@' : ':', what);
}

static int refused(const struct registry *registry, const struct exchange *exchange, const char *what, bool named,
                   struct err *err)
{
    struct refusal refusal;
    AUTO_FREE char *name = NULL;
    AUTO_FREE char *full = NULL;
    (void)refusal_err(exchange, &refusal, err);
    if (!named)
        return -1;
    familiar(registry, what, &name, &full);
    return refusal_pull_err(&refusal, name, full, err);
}

/* A token or credentials that could not be had: which request wanted them. */
static int wanted_by(const struct exchange *exchange, struct err *err)
{
    if (exchange->trouble == TROUBLE_REFUSED && exchange->status == 401)
        return err_wrap(err, "%s \"%s\"", trouble_method(exchange->method), exchange->url);
    return -1;
}

/* The first request: whichever endpoint answers it serves the rest. When all fail the last one's error is told, as it
 * is the registry's own. */
static int ask_document(struct registry *registry, const char *what, bool named, struct document *ret, struct err *err)
{
    AUTO_FREE char *rest = str_format("/manifests/%s", what);
    bool by_digest = strchr(what, ':') != NULL;
    for (;;) {
        AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
        registry_prepare(registry, &exchange, "GET", rest);
        exchange.keep_max = MANIFEST_MAX;
        accept_manifests(&exchange);
        int r = http_do_patiently(registry->http, &exchange, err);
        bool answered = r == 0;
        if (r == 0 && (exchange.status < 200 || exchange.status >= 300))
            r = refused(registry, &exchange, what, named, err);
        else if (r == 0)
            r = document_check(exchange.kept.length ? exchange.kept.data : "", exchange.kept.length,
                               exchange.content_type, exchange.digest, by_digest ? what : NULL, ret, err);
        else
            (void)wanted_by(&exchange, err);
        if (r < 0 && registry_next_endpoint(registry, &exchange))
            continue;
        registry->settled |= answered;
        return r;
    }
}

int registry_document(struct registry *registry, const char *what, bool named, struct document *ret, struct err *err)
{
    *ret = (struct document){ .kind = MEDIA_OTHER };
    if (registry_open(registry, err) < 0)
        return -1;
    return ask_document(registry, what, named, ret, err);
}

int registry_member(struct registry *registry, const struct document *index, const struct platform *wanted,
                    struct document *ret, struct err *err)
{
    struct oci_index decoded;
    const struct oci_descriptor *chosen;
    *ret = (struct document){ .kind = MEDIA_OTHER };
    if (oci_index_decode(index->bytes, index->length, &decoded, err) < 0) {
        err->kind = ERR_INTERNAL;
        return -1;
    }
    int r = document_choose(&decoded, wanted, &chosen, err);
    if (r == 0)
        r = registry_document(registry, chosen->digest, true, ret, err);
    if (r == 0 && ret->kind != MEDIA_MANIFEST)
        r = err_set(err, ERR_UNSUPPORTED, "the manifest list points to another list, not to an image");
    if (r == 0 && (int64_t)ret->length != chosen->size)
        r = err_set(err, ERR_INTERNAL, "manifest %s has %zu bytes, the manifest list says %lld", chosen->digest,
                    ret->length, (long long)chosen->size);
    if (r < 0)
        document_done(ret);
    codec_clear(&oci_index_type, &decoded);
    return r;
}

static int check_config(const struct exchange *exchange, const struct oci_descriptor *config, struct err *err)
{
    char computed[SHA256_TEXT_SIZE];
    if ((int64_t)exchange->kept.length != config->size)
        return err_set(err, ERR_INTERNAL, "error pulling image configuration: %s has %zu bytes, the manifest says %lld",
                       config->digest, exchange->kept.length, (long long)config->size);
    sha256_bytes(exchange->kept.length ? exchange->kept.data : "", exchange->kept.length, computed);
    if (!str_eq(computed, config->digest))
        return err_set(err, ERR_INTERNAL,
                       "error pulling image configuration: image config verification failed for digest %s",
                       config->digest);
    return 0;
}

int registry_config(struct registry *registry, const struct oci_descriptor *config, char **ret, size_t *ret_length,
                    struct err *err)
{
    AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
    if (!digest_is_sha256(config->digest))
        return err_set(err, ERR_UNSUPPORTED, "unsupported digest algorithm in %.80s: only sha256 is", config->digest);
    if (config->size < 0 || (uint64_t)config->size > CONFIG_MAX)
        return err_set(err, ERR_INTERNAL, "error pulling image configuration: it is larger than %zu bytes", CONFIG_MAX);
    AUTO_FREE char *rest = str_format("/blobs/%s", config->digest);
    registry_prepare(registry, &exchange, "GET", rest);
    exchange.keep_max = CONFIG_MAX;
    int r = http_do_patiently(registry->http, &exchange, err);
    if (r == 0 && (exchange.status < 200 || exchange.status >= 300))
        r = refusal_err(&exchange, NULL, err);
    if (r < 0)
        return err_wrap(err, "error pulling image configuration");
    if (check_config(&exchange, config, err) < 0)
        return -1;
    *ret_length = exchange.kept.length;
    *ret = buf_take(&exchange.kept);
    return 0;
}

/* ---- tags ---- */

struct tag_page {
    char *name;
    char **tags;
};
static const struct codec_field tag_page_fields[] = {
    F_STR(struct tag_page, name, "name", 0),
    F_STRV(struct tag_page, tags, "tags", 0),
    F_END,
};
static const struct codec_type tag_page_type = { .name = "tag_page",
                                                 .size = sizeof(struct tag_page),
                                                 .fields = tag_page_fields };

/* The target of <...>; rel="next", or NULL. */
static char *next_link(const char *link)
{
    const char *open = link ? strchr(link, '<') : NULL;
    const char *close = open ? strchr(open, '>') : NULL;
    return close && strstr(close, "next") ? xstrndup(open + 1, (size_t)(close - open - 1)) : NULL;
}

static int take_page(const struct exchange *exchange, char ***tags, struct err *err)
{
    struct tag_page page;
    if (codec_decode(&tag_page_type, exchange->kept.length ? exchange->kept.data : "", exchange->kept.length, &page,
                     err) < 0) {
        err->kind = ERR_INTERNAL;
        return err_wrap(err, "error unmarshalling content");
    }
    for (size_t i = 0; page.tags && page.tags[i]; i++)
        if (reference_tag_valid(page.tags[i]) && !strv_contains(*tags, page.tags[i]))
            strv_append(tags, page.tags[i]);
    codec_clear(&tag_page_type, &page);
    return strv_length(*tags) > TAGS_MAX ? err_set(err, ERR_INTERNAL, "the repository has more than %d tags", TAGS_MAX)
                                         : 0;
}

/* Moves the exchange to the next page; 0 when there is none. */
static int turn_page(struct exchange *exchange, struct err *err)
{
    AUTO_FREE char *next = next_link(exchange->link);
    AUTO_URL struct url here = URL_INIT;
    AUTO_URL struct url there = URL_INIT;
    if (!next)
        return 0;
    if (url_parse(exchange->url, &here, err) < 0 || url_resolve(&here, next, &there, err) < 0)
        return -1;
    if (!url_same_origin(&here, &there))
        return err_set(err, ERR_INTERNAL, "the list of tags goes on at another host (%s)", there.host);
    if (str_eq(here.text, there.text))
        return err_set(err, ERR_INTERNAL, "the list of tags goes round in circles");
    free(exchange->url);
    exchange->url = take_ptr(&there.text);
    return 1;
}

static int ask_tags(struct registry *registry, struct exchange *exchange, char ***tags, struct err *err)
{
    registry_prepare(registry, exchange, "GET", "/tags/list?n=" TAGS_PAGE);
    exchange->keep_max = TAGS_PAGE_MAX;
    for (int pages = 0; pages < PAGES_MAX; pages++) {
        int r = http_do_patiently(registry->http, exchange, err);
        if (r < 0)
            (void)wanted_by(exchange, err);
        else if (exchange->status < 200 || exchange->status >= 300)
            r = refused(registry, exchange, "", true, err);
        if (r < 0 || take_page(exchange, tags, err) < 0)
            return -1;
        r = turn_page(exchange, err);
        if (r <= 0)
            return r;
    }
    return err_set(err, ERR_INTERNAL, "the list of tags does not end");
}

int registry_tags(struct registry *registry, char ***ret, struct err *err)
{
    if (registry_open(registry, err) < 0)
        return -1;
    for (;;) {
        AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
        CLEANUP(strv_free) char **tags = NULL;
        int r = ask_tags(registry, &exchange, &tags, err);
        if (r == 0) {
            registry->settled = true;
            *ret = take_ptr(&tags);
            return 0;
        }
        if (!registry_next_endpoint(registry, &exchange))
            return -1;
    }
}
