#include "registry/download.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define REDIRECTS_MAX 10L
#define CONNECT_SECONDS 30L
#define SILENCE_SECONDS 60L

struct downloading {
    const struct download *request;
    CURL *easy;
    uint64_t size;
    bool stopped; /* by us: err says why */
    bool link_local;
    struct err *err;
    char message[CURL_ERROR_SIZE];
};

static bool is_link_local(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return (ntohl(in->sin_addr.s_addr) & 0xffff0000) == 0xa9fe0000;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in6))
        return in6->s6_addr[12] == 169 && in6->s6_addr[13] == 254;
    return IN6_IS_ADDR_LINKLOCAL(in6);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct downloading *downloading = arg;
    (void)purpose;
    if (is_link_local(&address->addr)) {
        downloading->link_local = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool is_good(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t write_body(char *bytes, size_t one, size_t length, void *arg)
{
    struct downloading *downloading = arg;
    const struct download *request = downloading->request;
    (void)one;
    if (!is_good(downloading->easy)) /* the page of a refusal */
        return length;
    downloading->size += length;
    if (request->max_bytes && downloading->size > request->max_bytes) {
        downloading->stopped = true;
        err_set(downloading->err, ERR_INVALID, "%s is larger than %llu bytes", request->url, (unsigned long long)request->max_bytes);
        return 0;
    }
    downloading->stopped = request->on_data(request->arg, bytes, length, downloading->err) < 0;
    return downloading->stopped ? 0 : length;
}

static void set_up(struct downloading *downloading)
{
    CURL *easy = downloading->easy;
    curl_easy_setopt(easy, CURLOPT_URL, downloading->request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SILENCE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "holk/" HOLK_VERSION);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, downloading);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, downloading);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, downloading->message);
}

static int judge(struct downloading *downloading, CURLcode code, struct download_result *ret, struct err *err)
{
    curl_off_t changed = -1;
    long status = 0;
    curl_easy_getinfo(downloading->easy, CURLINFO_RESPONSE_CODE, &status);
    if (downloading->stopped)
        return -1;
    if (downloading->link_local)
        return err_set(err, ERR_INVALID, "Get \"%.400s\": addresses of link-local networks are refused", downloading->request->url);
    if (code != CURLE_OK)
        return err_set(err, ERR_INVALID, "Get \"%.400s\": %s", downloading->request->url,
                       downloading->message[0] ? downloading->message : curl_easy_strerror(code));
    if (!is_good(downloading->easy))
        return err_set(err, ERR_INVALID, "invalid response status %ld", status);
    curl_easy_getinfo(downloading->easy, CURLINFO_FILETIME_T, &changed);
    *ret = (struct download_result){ .mtime_unix = changed > 0 ? (int64_t)changed : 0, .size = downloading->size };
    return 0;
}

int download_run(const struct download *request, struct download_result *ret, struct err *err)
{
    struct downloading downloading = { .request = request, .err = err };
    if (!str_starts(request->url, "http://") && !str_starts(request->url, "https://"))
        return err_set(err, ERR_INVALID, "unsupported protocol of %.400s: http and https are known", request->url);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(downloading.easy = curl_easy_init()))
        return err_set(err, ERR_INTERNAL, "prepare a download");
    set_up(&downloading);
    int result = judge(&downloading, curl_easy_perform(downloading.easy), ret, err);
    curl_easy_cleanup(downloading.easy);
    return result;
}
