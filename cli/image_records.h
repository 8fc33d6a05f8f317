/* Images as rows of a list: one for every tag, or one for a digest without a tag. */
#pragma once
#include "cli/format.h"
#include "lib/api/image.h"

extern const struct format_kind image_kind, image_digests_kind;
struct image_rows {
    bool digests;  /* one row for every digest as well */
    bool no_trunc; /* whole ids */
};
/* Does that template show digests? */
bool image_needs_digests(const char *template);
void image_records_add(struct records *records, const struct image_summary *image, const struct image_rows *how);
/* The members of one row. digest NULL: "<none>". */
void image_record_fill(struct record *record, const struct image_summary *image, const char *repository,
                       const char *tag, const char *digest, bool no_trunc);
/* "busybox" of "busybox:1" and of "busybox@sha256:...". Caller frees. */
char *image_repository(const char *reference);
/* key={"os":"linux","architecture":"arm64"} of "linux/arm64"; nothing when empty. */
void image_query_platform(struct buf *target, const char *key, const char *platform);
