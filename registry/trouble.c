#include "registry/trouble.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <curl/curl.h>
#include <errno.h>

const char *trouble_method(const char *method)
{
    static const char *const rows[][2] = {
        { "GET", "Get" }, { "HEAD", "Head" }, { "POST", "Post" }, { "PUT", "Put" }, { "PATCH", "Patch" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (str_eq(rows[i][0], method))
            return rows[i][1];
    return method;
}

static char *shown_host(const struct exchange *exchange)
{
    return str_format("%s:%s", exchange->at.host ? exchange->at.host : "", exchange->at.port ? exchange->at.port : "");
}

static char *connect_text(const struct exchange *exchange)
{
    long sys_errno = 0;
    AUTO_FREE char *host = shown_host(exchange);
    curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &sys_errno);
    if (!sys_errno)
        return str_format("dial tcp %s: %s", host, exchange->curl_error);
    return str_format("dial tcp %s: connect: %s", host,
                      sys_errno == ETIMEDOUT ? "i/o timeout" : err_strerror((int)sys_errno));
}

/* OpenSSL's X509_V_ERR_* */
enum {
    EXPIRED = 10,
    NOT_YET_VALID = 9,
    SELF_SIGNED = 18,
    SELF_SIGNED_IN_CHAIN = 19,
    NO_ISSUER_LOCALLY = 20,
    NO_LEAF = 21
};

static char *certificate_text(const struct exchange *exchange)
{
    long result = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    const char *host = exchange->at.host ? exchange->at.host : "it";
    if (result == SELF_SIGNED || result == SELF_SIGNED_IN_CHAIN || result == NO_ISSUER_LOCALLY || result == NO_LEAF)
        return xstrdup("tls: failed to verify certificate: x509: certificate signed by unknown authority");
    if (result == EXPIRED || result == NOT_YET_VALID)
        return xstrdup("tls: failed to verify certificate: x509: certificate has expired or is not yet valid");
    if (result == 0 || strstr(exchange->curl_error, "subject name"))
        return str_format("tls: failed to verify certificate: x509: certificate is not valid for %s", host);
    return str_format("tls: failed to verify certificate: x509: %s", exchange->curl_error);
}

static char *tls_text(const struct exchange *exchange)
{
    /* A record whose type is 'H' of "HTTP/1.1 400": it speaks without TLS. */
    if (strstr(exchange->curl_error, "wrong version number") ||
        strstr(exchange->curl_error, "packet length too long") || strstr(exchange->curl_error, "http request"))
        return xstrdup("http: server gave HTTP response to HTTPS client");
    return str_format("tls: %s", exchange->curl_error);
}

static char *timeout_text(const struct exchange *exchange)
{
    curl_off_t connected_us = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_APPCONNECT_TIME_T, &connected_us);
    if (!connected_us)
        curl_easy_getinfo(exchange->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (!connected_us) {
        AUTO_FREE char *host = shown_host(exchange);
        return str_format("dial tcp %s: i/o timeout", host);
    }
    return xstrdup(exchange->status ? "the registry stopped sending"
                                    : "net/http: request canceled (Client.Timeout exceeded while awaiting headers)");
}

static char *text_of(struct exchange *exchange, CURLcode code)
{
    exchange->trouble = TROUBLE_BROKEN;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
        exchange->trouble = TROUBLE_CONNECT;
        return str_format("dial tcp: lookup %s: no such host", exchange->at.host ? exchange->at.host : "");
    }
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_INTERFACE_FAILED) {
        exchange->trouble = TROUBLE_CONNECT;
        return connect_text(exchange);
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR) {
        exchange->trouble = TROUBLE_CERTIFICATE;
        return certificate_text(exchange);
    }
    if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE) {
        exchange->trouble = TROUBLE_CONNECT;
        return tls_text(exchange);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        char *text = timeout_text(exchange);
        if (str_starts(text, "dial"))
            exchange->trouble = TROUBLE_CONNECT;
        return text;
    }
    if (code == CURLE_PARTIAL_FILE)
        return xstrdup("unexpected EOF");
    if (code == CURLE_GOT_NOTHING)
        return xstrdup("EOF");
    if (code == CURLE_RECV_ERROR)
        return xstrdup("read: connection reset by peer");
    if (code == CURLE_SEND_ERROR || code == CURLE_SEND_FAIL_REWIND)
        return xstrdup("write: broken pipe");
    if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_HTTP2)
        return xstrdup("net/http: HTTP/1.x transport connection broken: malformed HTTP response");
    return xstrdup(exchange->curl_error[0] ? exchange->curl_error : curl_easy_strerror(code));
}

void trouble_from_curl(struct exchange *exchange, int curl_code)
{
    AUTO_FREE char *text = text_of(exchange, (CURLcode)curl_code);
    /* Whoever is not reached at all is named by its front door. */
    if (exchange->trouble == TROUBLE_CONNECT && exchange->endpoint &&
        str_starts(exchange->at.text, exchange->endpoint->base))
        err_set(&exchange->failure, ERR_INTERNAL, "Get \"%s/v2/\": %s", exchange->endpoint->base, text);
    else
        err_set(&exchange->failure, ERR_INTERNAL, "%s \"%s\": %s", trouble_method(exchange->method), exchange->at.text,
                text);
}
