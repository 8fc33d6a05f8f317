/* The one list of migrations of holk.db. */
#pragma once
#include "lib/db/db.h"
#include "lib/store/store.h"
extern const struct db_migration engine_migrations[];
extern const size_t engine_migration_count;
