/* Volumes as rows of a list. */
#pragma once
#include "cli/format.h"
#include "lib/api/volume.h"

extern const struct format_kind volume_kind;
void volume_record_fill(struct record *record, const struct volume *volume);
/* "key=value" or "key" texts as a map. */
void pairs_to_map(struct str_map *map, char *const *pairs);
