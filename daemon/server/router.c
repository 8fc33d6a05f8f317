#include "daemon/server/internal.h"
#include "lib/base/str.h"


/* The one place that knows which status an error kind is. */
static const unsigned status_of_kind[] = {
    [ERR_NONE] = 500,        [ERR_INTERNAL] = 500,  [ERR_INVALID] = 400,      [ERR_UNAUTHORIZED] = 401,
    [ERR_FORBIDDEN] = 403,   [ERR_NOT_FOUND] = 404, [ERR_CONFLICT] = 409,     [ERR_NOT_MODIFIED] = 304,
    [ERR_UNSUPPORTED] = 501, [ERR_UNAVAILABLE] = 503, [ERR_CANCELLED] = 499,
};

unsigned router_status(const struct err *err)
{
    size_t kind = (size_t)err->kind;
    return kind < ARRAY_SIZE(status_of_kind) && status_of_kind[kind] ? status_of_kind[kind] : 500;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decodes; plus means a space in queries only. NULL on bad escapes and on NUL (security A5, A11). */
static char *percent_decode(const char *text, size_t length, bool plus)
{
    char *out = xmalloc(length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 1 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                free(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

static int parse_query(struct request *req, const char *query, struct err *err)
{
    while (*query) {
        size_t length = strcspn(query, "&");
        size_t key_length = strcspn(query, "=&");
        if (length > 0) {
            const char *value = key_length < length ? query + key_length + 1 : query + length;
            struct text_pair pair = { percent_decode(query, key_length, true),
                                      percent_decode(value, (size_t)(query + length - value), true) };
            if (!pair.key || !pair.value) {
                free(pair.key);
                free(pair.value);
                return err_set(err, ERR_INVALID, "malformed percent-encoding in the query string");
            }
            req->query = xreallocarray(req->query, req->query_count + 1, sizeof *req->query);
            req->query[req->query_count++] = pair;
        }
        query += length;
        if (*query == '&')
            query++;
    }
    return 0;
}

/* "/v1.43/containers/json" -> the version's text and "/containers/json". Digits and points only; anything else is an ordinary path. */
static const char *strip_version(const char *path, char **ret_version)
{
    const char *text = str_after(path, "/v");
    size_t length = text ? strspn(text, "0123456789.") : 0;
    if (length == 0 || text[length] != '/')
        return path;
    *ret_version = xstrndup(text, length);
    return text + length;
}

int router_split_uri(struct request *req, struct err *err)
{
    const char *uri = req->uri;
    if (str_starts(uri, "http://")) { /* absolute form, as proxies send it */
        const char *slash = strchr(uri + strlen("http://"), '/');
        uri = slash ? slash : "/";
    }
    size_t length = strcspn(uri, "?#");
    AUTO_FREE char *path = xstrndup(uri, length);
    AUTO_FREE char *version = NULL;
    const char *rest = strip_version(path, &version);
    req->path = xstrdup(rest);
    req->version = API_VERSION_MAX;
    if (version && (api_version_parse(version, &req->version, err) < 0 || api_version_check(req->version, err) < 0))
        return -1;
    return uri[length] == '?' ? parse_query(req, uri + length + 1, err) : 0;
}

static void clear_params(struct request *req)
{
    for (size_t i = 0; i < req->param_count; i++) {
        free(req->params[i].key);
        free(req->params[i].value);
    }
    req->param_count = 0;
}

static bool add_param(struct request *req, const char *name, size_t name_length, const char *value, size_t length)
{
    char *decoded = percent_decode(value, length, false);
    if (!decoded || req->param_count == PARAMS_MAX) {
        free(decoded);
        return false;
    }
    req->params[req->param_count++] = (struct text_pair){ xstrndup(name, name_length), decoded };
    return true;
}

/* {name} takes one segment; {name:.*} takes what the fixed tail of the pattern leaves, slashes included. */
static bool match_pattern(struct request *req, const char *pattern, const char *path)
{
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const char *close = strchr(pattern, '}');
        const char *colon = memchr(pattern, ':', (size_t)(close - pattern));
        size_t name_length = (size_t)((colon ? colon : close) - pattern - 1);
        size_t length;
        if (colon) {
            size_t tail = strlen(close + 1), rest = strlen(path);
            if (rest <= tail || !str_eq(path + rest - tail, close + 1))
                return false;
            length = rest - tail;
        } else {
            length = strcspn(path, "/");
        }
        if (length == 0 || !add_param(req, pattern + 1, name_length, path, length))
            return false;
        pattern = close + 1;
        path += length;
    }
    return *path == '\0';
}

const struct route *router_match(const struct server *server, struct request *req, struct err *err)
{
    for (const struct route_table *table = server->options.tables; table->routes; table++) {
        for (const struct route *route = table->routes; route->pattern; route++) {
            bool method_fits = route->method == req->method || (req->method == HTTP_HEAD && route->method == HTTP_GET &&
                                                                !(route->flags & (ROUTE_HIJACK | ROUTE_BODY)));
            if (!method_fits)
                continue;
            if (match_pattern(req, route->pattern, req->path))
                return route;
            clear_params(req);
        }
    }
    err_set(err, ERR_NOT_FOUND, "page not found");
    return NULL;
}
