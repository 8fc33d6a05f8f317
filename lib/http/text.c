#include "lib/base/str.h"
#include "lib/http/http.h"
#include <stdio.h>

static void escape(struct buf *out, const char *text, const char *kept)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++) {
        if (strchr(plain, *text) || strchr(kept, *text))
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

void http_escape(struct buf *out, const char *text)
{
    escape(out, text, "");
}

void http_escape_path(struct buf *out, const char *text)
{
    escape(out, text, "/:");
}

void http_query_add(struct buf *target, const char *key, const char *value)
{
    if (!value)
        return;
    buf_putc(target, target->data && strchr(target->data, '?') ? '&' : '?');
    escape(target, key, "");
    buf_putc(target, '=');
    escape(target, value, "");
}

static int frame_head(struct stream_frames *frames, struct err *err)
{
    if (frames->head[0] > 3)
        return err_set(err, ERR_INVALID, "Unrecognized input header: %u", (unsigned)frames->head[0]);
    frames->left = (uint32_t)frames->head[4] << 24 | (uint32_t)frames->head[5] << 16 | (uint32_t)frames->head[6] << 8 |
                   (uint32_t)frames->head[7];
    if (frames->left == 0)
        frames->have = 0;
    return 0;
}

int stream_frames_next(struct stream_frames *frames, const char **inout_bytes, size_t *inout_length, int *ret_stream,
                       const char **ret_piece, size_t *ret_length, struct err *err)
{
    while (*inout_length > 0) {
        if (frames->have < sizeof frames->head) {
            frames->head[frames->have++] = (unsigned char)**inout_bytes;
            ++*inout_bytes;
            --*inout_length;
            if (frames->have == sizeof frames->head && frame_head(frames, err) < 0)
                return -1;
            continue;
        }
        *ret_stream = frames->head[0];
        *ret_piece = *inout_bytes;
        *ret_length = MIN(*inout_length, (size_t)frames->left);
        *inout_bytes += *ret_length;
        *inout_length -= *ret_length;
        frames->left -= (uint32_t)*ret_length;
        if (frames->left == 0)
            frames->have = 0;
        return 1;
    }
    return 0;
}

void stream_frame_head(unsigned char ret[8], int stream, uint32_t length)
{
    const unsigned char head[8] = { (unsigned char)stream, 0, 0, 0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                    (unsigned char)(length >> 8), (unsigned char)length };
    memcpy(ret, head, sizeof head);
}
