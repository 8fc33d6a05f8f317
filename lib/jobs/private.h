#pragma once
#include <stdint.h>
/* Of every table in kinds.c: part of the build id. */
uint64_t job_kinds_hash(void);
