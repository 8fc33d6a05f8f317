/* sqlite: open, migrate, read, and one writer thread. The only room that includes sqlite3.
 *
 * Reads happen at start only (the engine keeps truth in memory). Writes are queued as statement + values, committed in
 * batches by the writer thread in the order queued, and waited for outside of any lock:
 *     uint64_t ticket = db_queue(db, DB_FULL, sql, ...);   under the engine's lock, never blocks
 *     db_wait(db, ticket, err);                            outside
 * DB_FULL: fsync before the ticket is done (images, volumes, tags, networks). DB_NORMAL: no fsync (container rows). */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>
struct db;
enum db_durability { DB_NORMAL, DB_FULL };
struct db_migration {
    int version; /* 1, 2, 3 ... ascending; user_version after it */
    const char *sql;
};
/* WAL, foreign_keys, application_id checked. ERR_UNSUPPORTED when newer than the last migration, ERR_INTERNAL "...corrupt..."
 * when not a database or quick_check fails; nothing is changed then. */
int db_open(const char *path, const struct db_migration *migrations, size_t count, struct db **ret, struct err *err);
void db_close(struct db *db); /* commits what is queued, ends the thread */
CLEANUP_FN(struct db, db_close)
/* sql has ? parameters; types: 's' const char* (NULL ok), 'i' int64_t, 'b' const void* + size_t. Values are copied.
 * Same sql text (pointer) is prepared once. Several statements queued between db_begin/db_commit are one transaction. */
uint64_t db_queue(struct db *db, enum db_durability durability, const char *sql, const char *types, ...);
void db_group_begin(struct db *db); /* holds the queue's group open for this thread; call under the engine's lock */
uint64_t db_group_end(struct db *db, enum db_durability durability);
/* 0 when committed; ERR_INTERNAL with sqlite's words ("database or disk is full" becomes "no space left on device"). */
int db_wait(struct db *db, uint64_t ticket, struct err *err);
/* Rows at start. Each row: columns as text (NULL for NULL) and integers. Return non-zero from the callback to stop. */
struct db_row;
const char *db_row_text(const struct db_row *row, int column);
int64_t db_row_int(const struct db_row *row, int column);
typedef int (*db_row_fn)(const struct db_row *row, void *arg, struct err *err);
int db_each(struct db *db, const char *sql, db_row_fn fn, void *arg, struct err *err);
