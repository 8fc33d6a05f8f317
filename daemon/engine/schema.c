#include "daemon/engine/schema.h"

#include "lib/base/mem.h"

/* Rows of the engine beside the store's tables. Records are JSON by table (record.h). */
#define ENGINE_SCHEMA_1                                                                                          \
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);"                                             \
    "CREATE TABLE containers (id TEXT PRIMARY KEY, record TEXT NOT NULL, status TEXT NOT NULL);"                 \
    "CREATE TABLE networks (id TEXT PRIMARY KEY, record TEXT NOT NULL);"                                         \
    "CREATE TABLE volumes (name TEXT PRIMARY KEY, record TEXT NOT NULL, anonymous INTEGER NOT NULL);"            \
    "CREATE TABLE build_cache (key TEXT PRIMARY KEY, diff_id TEXT, size INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL, " \
    "extra TEXT, description TEXT);"

#define ENGINE_SCHEMA_2 "CREATE TABLE execs (id TEXT PRIMARY KEY, container TEXT NOT NULL, record TEXT NOT NULL);"

const struct db_migration engine_migrations[] = { { 1, STORE_SCHEMA_1 ENGINE_SCHEMA_1 }, { 2, ENGINE_SCHEMA_2 } };
const size_t engine_migration_count = ARRAY_SIZE(engine_migrations);
