#include "registry/url.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <strings.h>

static void cleanup_curl_url(CURLU **handle)
{
    curl_url_cleanup(*handle);
}

void url_done(struct url *url)
{
    free(url->text);
    free(url->scheme);
    free(url->host);
    free(url->port);
    *url = (struct url)URL_INIT;
}

static char *part_of(CURLU *handle, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(handle, part, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = xstrdup(text);
    curl_free(text);
    return copy;
}

static int take_parts(CURLU *handle, const char *shown, struct url *ret, struct err *err)
{
    (void)curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
    *ret = (struct url){
        .text = part_of(handle, CURLUPART_URL, 0),
        .scheme = part_of(handle, CURLUPART_SCHEME, 0),
        .host = part_of(handle, CURLUPART_HOST, 0),
        .port = part_of(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT),
    };
    if (!ret->text || str_empty(ret->host) || !ret->port || !ret->scheme) {
        url_done(ret);
        return err_set(err, ERR_INVALID, "invalid URL %s", shown);
    }
    if (!str_eq(ret->scheme, "http") && !str_eq(ret->scheme, "https")) {
        err_set(err, ERR_INVALID, "unsupported protocol scheme \"%s\"", ret->scheme);
        url_done(ret);
        return -1;
    }
    return 0;
}

/* What a log or an error may show of a text that is no URL. */
static void shown_of(const char *text, char ret[128])
{
    str_copy(ret, 128, text);
    for (char *c = ret; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

static int set_url(CURLU *handle, const char *text, struct err *err)
{
    char shown[128];
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    shown_of(text, shown);
    if (code == CURLUE_USER_NOT_ALLOWED)
        return err_set(err, ERR_INVALID, "a URL of a registry must not carry a user name");
    if (code != CURLUE_OK)
        return err_set(err, ERR_INVALID, "invalid URL \"%s\": %s", shown, curl_url_strerror(code));
    return 0;
}

int url_parse(const char *text, struct url *ret, struct err *err)
{
    __attribute__((cleanup(cleanup_curl_url))) CURLU *handle = curl_url();
    if (!handle)
        return err_sys(err, ENOMEM, "read a URL");
    return set_url(handle, text, err) < 0 ? -1 : take_parts(handle, text, ret, err);
}

int url_resolve(const struct url *base, const char *location, struct url *ret, struct err *err)
{
    __attribute__((cleanup(cleanup_curl_url))) CURLU *handle = curl_url();
    if (!handle)
        return err_sys(err, ENOMEM, "read a URL");
    if (set_url(handle, base->text, err) < 0 || set_url(handle, location, err) < 0)
        return -1;
    return take_parts(handle, location, ret, err);
}

bool url_is_https(const struct url *url)
{
    return str_eq(url->scheme, "https");
}

bool url_same_host(const struct url *a, const struct url *b)
{
    return strcasecmp(a->host, b->host) == 0;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return str_eq(a->scheme, b->scheme) && url_same_host(a, b) && str_eq(a->port, b->port);
}

int url_check_redirect(const struct url *from, const struct url *to, int hops, struct err *err)
{
    if (hops >= URL_HOPS_MAX)
        return err_set(err, ERR_INVALID, "stopped after %d redirects", hops);
    if (url_is_https(from) && !url_is_https(to))
        return err_set(err, ERR_INVALID, "refused to follow a redirect from https to http (%s)", to->host);
    return 0;
}

char *url_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = xstrdup(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}

char *url_with_query(const char *url, const char *name, const char *value)
{
    AUTO_FREE char *escaped = url_escape(value);
    return str_format("%s%c%s=%s", url, strchr(url, '?') ? '&' : '?', name, escaped);
}
