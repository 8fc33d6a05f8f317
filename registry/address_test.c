/* Where to ask, and what a stranger says about how: challenges, URLs, endpoints, realms. */
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "registry/auth.h"
#include "registry/challenge.h"
#include "registry/endpoint.h"

/* ---- challenges ---- */

/* "kind realm service scope error; ..." with "-" for what is not there. */
static char *challenges_text(const char *header)
{
    struct challenges found = { .count = 0 };
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    static const char *const kinds[] = { "other", "basic", "bearer" };
    challenges_parse(header, &found);
    for (size_t i = 0; i < found.count; i++) {
        const struct challenge *c = &found.items[i];
        const char *const texts[] = { c->realm, c->service, c->scope, c->error };
        buf_printf(&out, "%s%s", i ? "; " : "", kinds[c->kind]);
        for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
            buf_printf(&out, " %s", texts[k] ? texts[k] : "-");
    }
    challenges_done(&found);
    return buf_take(&out);
}

TEST(challenges)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        { "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull\"",
          "bearer https://auth.docker.io/token registry.docker.io repository:a/b:pull -" },
        { "Basic realm=\"basic-realm\"", "basic basic-realm - - -" },
        { "bEARER Realm = \"https://x\" , error=\"insufficient_scope\"", "bearer https://x - - insufficient_scope" },
        { "Negotiate, Basic realm=x", "other - - - -; basic x - - -" },
        { "Negotiate YII=, Bearer realm=\"y\"", "other - - - -; bearer y - - -" },
        { "Digest qop=\"auth,auth-int\", realm=\"a, Bearer b\", Basic realm=\"z\"",
          "other a, Bearer b - - -; basic z - - -" },
        { "Bearer realm=\"a\\\"b\\\\c\"", "bearer a\"b\\c - - -" },
        { "Bearer realm=\"first\",realm=\"second\"", "bearer first - - -" },
        { "Bearer", "bearer - - - -" },
        { "Bearer,,, ,Basic", "bearer - - - -; basic - - - -" },
        { "Bearer realm=https://x:1/t?a=b,service=s", "bearer https://x:1/t?a=b s - -" },
        /* hostile ones */
        { "", "" },
        { ",,,,", "" },
        { "=", "" },
        { "Bearer realm=\"never ends", "bearer - - - -" },
        { "Bearer realm=\"a\r\nX: y\"", "bearer - - - -" },
        { "Bearer realm=\"a\x01\"", "bearer - - - -" },
        { "Bearer realm=", "bearer - - - -" },
        { "Bearer realm==,=,\"\"", "bearer - - - -" },
        { "\"quoted\" Bearer realm=x", "" },
        { "Bearer realm=\"x\\", "bearer - - - -" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = challenges_text(rows[i].header);
        CHECK_STR(got, rows[i].want);
    }
}

TEST(challenges_bounded)
{
    AUTO_BUF struct buf many = BUF_INIT(BUF_TEXT_MAX);
    struct challenges found = { .count = 0 };
    for (int i = 0; i < 1000; i++)
        buf_puts(&many, "Basic, ");
    challenges_parse(many.data, &found);
    CHECK_INT(found.count, CHALLENGES_MAX);
    challenges_done(&found);
    for (int i = 0; i < 1000; i++)
        buf_puts(&many, "Basic, ");
    challenges_parse(many.data, &found);
    CHECK_INT(found.count, 0);
    challenges_done(&found);
}

/* Every cut and every flipped byte of a header must leave the parser sane (the sanitizers watch). */
TEST(challenges_mangled)
{
    static const char header[] =
        "Digest a=\"b, c\" , Bearer realm=\"https://x/\\\"t\",scope=\"r:a:pull r:b:push\", Basic dGVzdA==";
    for (size_t cut = 0; cut < sizeof header; cut++) {
        for (int flip = 0; flip < 256; flip += 7) {
            char text[sizeof header];
            struct challenges found = { .count = 0 };
            memcpy(text, header, sizeof header);
            text[cut] = (char)flip;
            text[sizeof header - 1] = '\0';
            challenges_parse(text, &found);
            CHECK(found.count <= 8);
            challenges_done(&found);
        }
    }
}

/* ---- URLs ---- */

TEST(url_parts)
{
    struct err err = { 0 };
    AUTO_URL struct url url = URL_INIT;
    CHECK_INT(url_parse("https://h.example:5000/v2/?a=b#frag", &url, &err), 0);
    CHECK_STR(url.scheme, "https");
    CHECK_STR(url.host, "h.example");
    CHECK_STR(url.port, "5000");
    CHECK_STR(url.text, "https://h.example:5000/v2/?a=b");
    url_done(&url);
    CHECK_INT(url_parse("http://[::1]/x", &url, &err), 0);
    CHECK_STR(url.host, "[::1]");
    CHECK_STR(url.port, "80");
    static const char *const bad[] = { "",
                                       "h.example/x",
                                       "ftp://h/x",
                                       "file:///etc/passwd",
                                       "http://u:p@h/x",
                                       "http://u@h/x",
                                       "http://h:99999/",
                                       "http://a b/",
                                       "http://h/\r\nX: y",
                                       "gopher://h" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AUTO_URL struct url none = URL_INIT;
        err_clear(&err);
        if (url_parse(bad[i], &none, &err) == 0)
            CHECK_STR(bad[i], "refused");
        CHECK_INT(err.kind, ERR_INVALID);
    }
}

static char *resolved(const char *base, const char *location)
{
    struct err err = { 0 };
    AUTO_URL struct url from = URL_INIT;
    AUTO_URL struct url to = URL_INIT;
    if (url_parse(base, &from, &err) < 0 || url_resolve(&from, location, &to, &err) < 0)
        return xstrdup("refused");
    return xstrdup(to.text);
}

TEST(url_locations)
{
    static const char *const rows[][3] = {
        { "https://h/v2/a/blobs/x", "/v2/b?c=d", "https://h/v2/b?c=d" },
        { "https://h/v2/a/blobs/x", "y", "https://h/v2/a/blobs/y" },
        { "https://h/v2/a/blobs/x", "../../z", "https://h/v2/z" },
        { "https://h/v2/a", "//other:1/q", "https://other:1/q" },
        { "https://h/v2/a", "http://cdn.example/blob?sig=1%2F2", "http://cdn.example/blob?sig=1%2F2" },
        { "https://h/v2/a", "https://u:p@evil/", "refused" },
        { "https://h/v2/a", "file:///etc/passwd", "refused" },
        { "https://h/v2/a", "javascript:alert(1)", "refused" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = resolved(rows[i][0], rows[i][1]);
        CHECK_STR(got, rows[i][2]);
    }
}

static int redirect(const char *from_text, const char *to_text, int hops, bool *ret_same)
{
    struct err err = { 0 };
    AUTO_URL struct url from = URL_INIT;
    AUTO_URL struct url to = URL_INIT;
    CHECK_INT(url_parse(from_text, &from, &err), 0);
    CHECK_INT(url_parse(to_text, &to, &err), 0);
    *ret_same = url_same_origin(&from, &to);
    return url_check_redirect(&from, &to, hops, &err);
}

TEST(url_redirects)
{
    bool same;
    CHECK_INT(redirect("https://h/x", "https://H:443/y", 0, &same), 0);
    CHECK(same);
    CHECK_INT(redirect("https://h/x", "https://cdn/y", 4, &same), 0);
    CHECK(!same);
    CHECK_INT(redirect("https://h/x", "https://cdn/y", 5, &same), -1);
    CHECK_INT(redirect("https://h/x", "http://h/y", 0, &same), -1);
    CHECK(!same);
    CHECK_INT(redirect("http://h/x", "https://h/y", 0, &same), 0);
    CHECK(!same);
    CHECK_INT(redirect("http://127.0.0.1:5000/x", "http://127.0.0.1:5001/y", 0, &same), 0);
    CHECK(!same);
    CHECK_INT(redirect("http://127.0.0.1:5000/x", "http://127.0.0.2:5000/y", 0, &same), 0);
    CHECK(!same);
}

TEST(url_queries)
{
    AUTO_FREE char *one = url_with_query("http://h/u", "digest", "sha256:ab/c");
    AUTO_FREE char *two = url_with_query(one, "x", "a b&c");
    CHECK_STR(one, "http://h/u?digest=sha256%3Aab%2Fc");
    CHECK_STR(two, "http://h/u?digest=sha256%3Aab%2Fc&x=a%20b%26c");
}

/* ---- endpoints ---- */

static char *endpoints_text(const char *domain, char *const *mirrors, char *const *insecure, bool all)
{
    struct endpoints made;
    struct err err = { 0 };
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (endpoints_make(domain, mirrors, insecure, all, &made, &err) < 0)
        return xstrdup("refused");
    for (size_t i = 0; i < made.count; i++)
        buf_printf(&out, "%s%s%s%s", i ? " " : "", made.items[i].base, made.items[i].verify ? "+verify" : "",
                   made.items[i].mirror ? "+mirror" : "");
    endpoints_done(&made);
    return buf_take(&out);
}

TEST(endpoints)
{
    static char listed[] = "192.0.2.7:5000", range[] = "192.0.2.0/24", range6[] = "fd00::/8", broken[] = "192.0.2.0/99",
                other[] = "192.0.3.0/24";
    char *const by_name[] = { listed, NULL }, *const by_range[] = { broken, other, range, range6, NULL },
                *const no[] = { broken, other, NULL };
    static char https_mirror[] = "https://127.0.0.1:1/hub/", http_mirror[] = "http://127.0.0.1:2",
                far_mirror[] = "http://192.0.2.9", bare[] = "192.0.2.8:443";
    char *const mirrors[] = { https_mirror, http_mirror, far_mirror, bare, NULL };
    const struct {
        const char *domain;
        char *const *mirrors, *const *insecure;
        bool all;
        const char *want;
    } rows[] = {
        { "docker.io", NULL, NULL, false, "https://registry-1.docker.io+verify" },
        { "docker.io", NULL, NULL, true, "https://registry-1.docker.io+verify" },
        { "docker.io", mirrors, NULL, false,
          "https://127.0.0.1:1/hub+mirror http://127.0.0.1:2+mirror https://192.0.2.8:443+verify+mirror "
          "https://registry-1.docker.io+verify" },
        { "192.0.2.7:5000", mirrors, NULL, false, "https://192.0.2.7:5000+verify" },
        { "192.0.2.7:5000", NULL, by_name, false, "https://192.0.2.7:5000 http://192.0.2.7:5000" },
        { "192.0.2.7:5001", NULL, by_name, false, "https://192.0.2.7:5001+verify" },
        { "192.0.2.7:5001", NULL, by_range, false, "https://192.0.2.7:5001 http://192.0.2.7:5001" },
        { "192.0.2.7:5001", NULL, no, false, "https://192.0.2.7:5001+verify" },
        { "192.0.2.7:5001", NULL, NULL, true, "https://192.0.2.7:5001 http://192.0.2.7:5001" },
        { "[fd00::1]:5000", NULL, by_range, false, "https://[fd00::1]:5000 http://[fd00::1]:5000" },
        { "[2001:db8::1]:5000", NULL, by_range, false, "https://[2001:db8::1]:5000+verify" },
        { "localhost:5000", NULL, NULL, false, "https://localhost:5000 http://localhost:5000" },
        { "127.8.9.1:80", NULL, NULL, false, "https://127.8.9.1:80 http://127.8.9.1:80" },
        { "128.0.0.1:80", NULL, NULL, false, "https://128.0.0.1:80+verify" },
        { "[::1]:5000", NULL, NULL, false, "https://[::1]:5000 http://[::1]:5000" },
        { "foo bar", NULL, NULL, false, "refused" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = endpoints_text(rows[i].domain, rows[i].mirrors, rows[i].insecure, rows[i].all);
        CHECK_STR(got, rows[i].want);
    }
}

TEST(server_addresses)
{
    static const char *const rows[][2] = {
        { NULL, "docker.io" },
        { "", "docker.io" },
        { "https://index.docker.io/v1/", "docker.io" },
        { "docker.io", "docker.io" },
        { "registry-1.docker.io", "docker.io" },
        { "http://127.0.0.1:5000", "127.0.0.1:5000" },
        { "ghcr.io", "ghcr.io" },
        { "https://r.example:8443/v2/", "r.example:8443" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AUTO_FREE char *got = endpoint_domain(rows[i][0]);
        CHECK_STR(got, rows[i][1]);
    }
}

TEST(realms)
{
    static char https[] = "https://r.example", http[] = "http://127.0.0.1:5000";
    const struct endpoint secure = { .base = https, .https = true, .verify = true }, plain = { .base = http };
    const struct {
        const struct endpoint *endpoint;
        const char *realm;
        int want;
    } rows[] = {
        { &secure, "https://auth.example/token", 0 },    { &secure, "http://auth.example/token", -1 },
        { &secure, "http://r.example/token", -1 },       { &plain, "https://auth.example/token", 0 },
        { &plain, "http://127.0.0.1:6000/token", 0 },    { &plain, "http://127.0.0.2:5000/token", -1 },
        { &plain, "http://169.254.169.254/latest", -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err = { 0 };
        AUTO_URL struct url realm = URL_INIT;
        CHECK_INT(url_parse(rows[i].realm, &realm, &err), 0);
        CHECK_INT(auth_check_realm(rows[i].endpoint, &realm, &err), rows[i].want);
        CHECK_INT(err.kind, rows[i].want < 0 ? ERR_FORBIDDEN : ERR_NONE);
    }
}

TESTS(T(challenges), T(challenges_bounded), T(challenges_mangled), T(url_parts), T(url_locations), T(url_redirects),
      T(url_queries), T(endpoints), T(server_addresses), T(realms))
