/* Pulling an image with progress: `holk pull`, and `run`/`create` for an image that is not there. */
#pragma once
#include "cli/api.h"

/* POST /images/create for the reference (its default tag added), with the credentials of its registry. Progress goes to
 * out_fd: bars when that is a terminal, else plain lines; quiet: none. A failure inside the stream is an error as well.
 */
int pull_image(struct cli *cli, const char *reference, const char *platform, bool quiet, int out_fd, struct err *err);
