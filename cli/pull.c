#include "cli/pull.h"
#include "cli/progress.h"
#include "lib/base/str.h"

/* "name:tag" or "name@digest": the name and what is behind it; "latest" when nothing is. */
static void put_reference(struct buf *target, const char *reference)
{
    const char *at = strchr(reference, '@'), *slash = strrchr(reference, '/');
    const char *cut = at ? at : strchr(slash ? slash : reference, ':');
    AUTO_FREE char *name = xstrndup(reference, cut ? (size_t)(cut - reference) : strlen(reference));
    http_query_add(target, "fromImage", name);
    http_query_add(target, "tag", cut ? cut + 1 : "latest");
}

int pull_image(struct cli *cli, const char *reference, const char *platform, bool quiet, int out_fd, struct err *err)
{
    AUTO_TARGET(target);
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    buf_puts(&target, "/images/create");
    put_reference(&target, reference);
    http_query_add(&target, "platform", str_empty(platform) ? NULL : platform);
    if (api_stream_post(cli, target.data, &stream, err) < 0)
        return -1;
    return progress_run(stream.http, quiet ? -1 : out_fd, NULL, NULL, NULL, err);
}
