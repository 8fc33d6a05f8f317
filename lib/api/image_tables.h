/* Image inspect as clients before 1.50 see it. Private to lib/api. */
#pragma once
#include "lib/api/image.h"
#include "lib/api/tables.h"

struct image_inspect_legacy {
    struct image_inspect inspect; /* its config is not printed */
    struct container_config *config;
};
CODEC_DECLARE(image_inspect_legacy);
