/* The first request's head, looked at before the library sees it. The library answers what it cannot parse with pages of HTML, and a bad
 * Content-Length with two of them; a client of this API expects one answer with a message. */
#include "daemon/server/internal.h"
#include "lib/base/str.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS 18

static bool is_refused(struct head_refusal *ret, int status, const char *reason, const char *message)
{
    *ret = (struct head_refusal){ status, reason, message };
    return true;
}

static bool is_bad_version(const char *line, size_t length, struct head_refusal *ret)
{
    const char *space = memrchr(line, ' ', length);
    size_t rest = space ? length - (size_t)(space + 1 - line) : 0;
    if (rest != strlen("HTTP/1.1") || strncmp(space + 1, "HTTP/", 5) != 0) /* the library knows what to say to other nonsense */
        return false;
    if (strncmp(space + 6, "1.", 2) == 0)
        return false;
    return is_refused(ret, 505, "HTTP Version Not Supported", "unsupported HTTP version");
}

static bool is_bad_length(const char *line, size_t length, struct head_refusal *ret)
{
    static const char name[] = "Content-Length:";
    const char *at = line + sizeof name - 1, *end = line + length;
    if (length < sizeof name - 1 || strncasecmp(line, name, sizeof name - 1) != 0)
        return false;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t digits = 0;
    while (at + digits < end && at[digits] >= '0' && at[digits] <= '9')
        digits++;
    if (digits == 0 || at + digits != end)
        return is_refused(ret, 400, "Bad Request", "malformed Content-Length header");
    return digits > LENGTH_DIGITS && is_refused(ret, 413, "Content Too Large", "the request body is too large");
}

bool head_is_refused(const char *head, size_t length, struct head_refusal *ret)
{
    const char *at = head, *end = head + length;
    for (bool first = true; at < end; first = false) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!line_end || line_end == at)
            return false;
        size_t line_length = (size_t)(line_end - at);
        if (memchr(at, '\0', line_length))
            return is_refused(ret, 400, "Bad Request", "the request head contains a NUL");
        if (first ? is_bad_version(at, line_length, ret) : is_bad_length(at, line_length, ret))
            return true;
        at = line_end + 2;
    }
    return false;
}
