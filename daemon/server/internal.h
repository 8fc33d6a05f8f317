/* What the files of daemon/server share. Not for other rooms. */
#pragma once
#include "daemon/server/server.h"
#include "lib/base/sync.h"
#include <microhttpd.h>
#include <sys/uio.h>

#define BODY_MAX ((size_t)4 << 20)
#define DRAIN_MAX ((size_t)64 << 20)
#define PARAMS_MAX 4

struct text_pair {
    char *key, *value;
};

enum request_phase { PHASE_HEAD, PHASE_COLLECT, PHASE_FEED, PHASE_DRAIN, PHASE_ANSWERED };
enum response_kind { RES_NONE, RES_WHOLE, RES_STREAM, RES_HIJACK };

struct response {
    enum response_kind kind;
    struct request *req;
    unsigned status;
    struct text_pair headers[12];
    size_t header_count;
    char *body; /* RES_WHOLE, owned */
    size_t body_length;
    bool stream_broken;  /* the client is gone */
    bool stream_chunked; /* HTTP/1.1 */
    hijack_fn hijack;
    void *hijack_arg;
};

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    char *uri;  /* as received */
    char *path; /* version prefix removed, still percent-encoded */
    enum http_method method;
    bool http10;
    struct api_version version;
    const struct route *route;
    struct text_pair params[PARAMS_MAX];
    size_t param_count;
    struct text_pair *query;
    size_t query_count;
    struct buf body;
    enum request_phase phase;
    struct err early; /* found while the head was read: told when the body is through */
    size_t drained;
    char id[9];
    int64_t started_ns;
    int client_fd;
    struct response res;
    /* ROUTE_BODY: the handler's thread and the pipe that feeds it */
    struct mutex lock;
    struct cond changed;
    int body_read_fd, body_write_fd;
    bool handler_done, body_arrived, has_thread;
    int handler_result;
    struct err handler_err;
    struct request *prev, *next; /* in flight, under server->lock */
};

struct listener {
    char *address; /* as given: unix:///x or tcp://h:p */
    int fd;
};

struct server {
    struct server_options options;
    struct MHD_Daemon *small, *large;
    struct listener listeners[8];
    size_t listener_count;
    int epoll_fd, stop_fd;
    pthread_t accept_thread;
    bool running;
    struct mutex lock;
    struct request *in_flight;
    char server_header[64];
};

/* head.c */
struct head_refusal {
    int status;
    const char *reason, *message;
};
bool head_is_refused(const char *head, size_t length, struct head_refusal *ret);
/* router.c */
const struct route *router_match(const struct server *server, struct request *req, struct err *err);
unsigned router_status(const struct err *err);
int router_split_uri(struct request *req, struct err *err);
/* request.c */
struct request *request_new(struct server *server, const char *uri, struct MHD_Connection *connection);
void request_free(struct request *req);
int request_check_head(struct request *req, struct err *err);
/* response.c */
void response_done(struct response *res);
void response_error(struct response *res, const struct err *err);
enum MHD_Result response_finish(struct response *res);
int socket_send_all(int fd, struct iovec *parts, size_t count);
/* handle.c */
void server_request_completed(struct request *req); /* from the completion callback: ends and frees it */
enum MHD_Result server_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *upload_data, size_t *upload_data_size, void **con_cls);
