#include "cli/container.h"
#include "lib/base/str.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#define RETRY_TIMES 100
#define RETRY_PAUSE_NS 100000000L

int container_inspect_get(struct cli *cli, const char *name, struct container_inspect *ret, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/json", name);
    return api_get(cli, target.data, &container_inspect_type, ret, err);
}

int container_attach_open(struct cli *cli, const struct attach_request *request, struct api_hijack *ret, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/attach", request->id);
    http_query_add(&target, "stream", "1");
    api_query_bool(&target, "stdin", request->in);
    api_query_bool(&target, "stdout", request->out);
    api_query_bool(&target, "stderr", request->err);
    api_query_bool(&target, "logs", request->logs);
    if (!str_empty(request->detach_keys))
        http_query_add(&target, "detachKeys", request->detach_keys);
    return api_hijack_open(cli, target.data, NULL, NULL, request->tty, ret, err);
}

static int send_wait(struct cli *cli, struct exit_wait *wait, struct err *err)
{
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/wait", wait->id);
    http_query_add(&target, "condition", wait->condition);
    return api_stream_post(cli, target.data, &wait->stream, err);
}

int exit_wait_begin(struct cli *cli, const char *id, const char *condition, struct exit_wait *ret, struct err *err)
{
    ret->id = xstrdup(id);
    ret->condition = condition;
    return send_wait(cli, ret, err);
}

static int read_exit(struct exit_wait *wait, int64_t *ret_code, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    struct container_wait_response response = { 0 };
    if (http_read_all(wait->stream.http, &text, err) < 0)
        return -1;
    if (!text.length)
        return err_set(err, ERR_UNAVAILABLE, "unexpected EOF");
    if (codec_decode(&container_wait_response_type, text.data, text.length, &response, err) < 0)
        return err_wrap(err, "wait for container %s", wait->id);
    *ret_code = response.status_code;
    int ret = 0;
    if (response.error && !str_empty(response.error->message))
        ret = err_set(err, ERR_INTERNAL, "Error waiting for container: %s", response.error->message);
    codec_clear(&container_wait_response_type, &response);
    return ret;
}

/* The daemon went away while the container ran on: ask the next one. It may have missed the moment, so a container that
 * is not running any more counts. */
static int wait_again(struct cli *cli, struct exit_wait *wait, struct err *err)
{
    struct timespec pause = { .tv_nsec = RETRY_PAUSE_NS };
    if (str_eq(wait->condition, "next-exit"))
        wait->condition = "not-running";
    for (int i = 0; i < RETRY_TIMES; i++) {
        (void)nanosleep(&pause, NULL);
        err_clear(err);
        if (send_wait(cli, wait, err) == 0)
            return 0;
        if (err->kind != ERR_UNAVAILABLE)
            return -1;
    }
    return -1;
}

int exit_wait_finish(struct cli *cli, struct exit_wait *wait, int64_t *ret_code, struct err *err)
{
    while (read_exit(wait, ret_code, err) < 0) {
        api_stream_close(&wait->stream);
        if (err->kind != ERR_UNAVAILABLE || wait_again(cli, wait, err) < 0)
            return -1;
    }
    return 0;
}

void exit_wait_done(struct exit_wait *wait)
{
    api_stream_close(&wait->stream);
    free(wait->id);
    wait->id = NULL;
}
