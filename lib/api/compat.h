/* API versions: parsing the /v1.NN prefix, the range we speak, and the shaping of requests and answers for
 * clients older than 1.51. The engine always works with 1.51 structs; routes call these on the way in and
 * on the way out. */
#pragma once
#include "lib/api/container.h"
#include "lib/api/image.h"
#include "lib/api/system.h"

struct api_version {
    int major, minor;
};
#define API_VERSION_MIN ((struct api_version){1, 24})
#define API_VERSION_MAX ((struct api_version){1, 51})
#define API_VERSION_MIN_TEXT "1.24"
#define API_VERSION_MAX_TEXT "1.51"

/* "1.41" (no "v"). ERR_INVALID for anything but numbers with points between them. */
int api_version_parse(const char *text, struct api_version *ret, struct err *err);
/* ERR_INVALID with Docker's sentences when the version is too old or too new for us. */
int api_version_check(struct api_version version, struct err *err);
int api_version_compare(struct api_version a, struct api_version b); /* <0 0 >0 */
bool api_before(struct api_version version, int minor);              /* version < 1.minor */
void api_version_format(struct api_version version, char ret[16]);

/* Create: forgets members the version did not have and fills the defaults it had. ERR_INVALID where Docker
 * refuses (two endpoints before 1.44, image mounts before 1.48). host_config is made when NULL. Sentences for the
 * answer's Warnings are added to *warnings. */
int compat_create_request(struct api_version version, struct container_create_request *request, char ***warnings, struct err *err);
void compat_container_inspect(struct api_version version, struct container_inspect *inspect);
void compat_container_summary(struct api_version version, struct container_summary *summary);
/* A whole list as JSON, in place; nothing is done for versions that see what the engine says. */
void compat_container_list(struct api_version version, struct buf *json);
void compat_image_list(struct api_version version, struct buf *json);
void compat_image_inspect(struct api_version version, struct image_inspect *inspect);
/* Image inspect as JSON: before 1.50 Config has the members of a container's config too. */
void compat_image_inspect_encode(struct api_version version, const struct image_inspect *inspect, struct buf *out);
void compat_image_summary(struct api_version version, struct image_summary *summary);
void compat_info(struct api_version version, struct info *info);
void compat_disk_usage(struct api_version version, struct disk_usage *usage);
