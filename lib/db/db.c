/* Theory of operation. Reads and the schema use the connection at start, while the writer thread has nothing to do; from then on only the
 * writer touches it (sqlite's own mutex keeps a stray late reader from harm). Queued statements stand in a list in the order of db_queue; a group is a run of statements that commits as one transaction. The writer
 * takes everything that waits, commits it (FULL if anybody in it asked for that), and publishes the highest ticket done. When a batch fails,
 * its groups are tried one by one, so that one full disk or bad statement does not fail its neighbours. */
#include "lib/db/db.h"

#include "lib/base/str.h"
#include "lib/base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define APPLICATION_ID 0x686f6c6b
#define WRITER_STACK ((size_t)256 * 1024)
#define FAILURES_KEPT 256

struct db_value {
    char type;
    int64_t number;
    char *bytes;
    size_t length;
};
struct db_op {
    const char *sql;
    uint64_t ticket; /* of its group */
    enum db_durability durability;
    struct db_op *next;
    size_t count;
    struct db_value values[];
};
struct failure {
    uint64_t ticket;
    enum err_kind kind;
    char text[200];
};
struct prepared {
    const char *sql;
    sqlite3_stmt *statement;
};
struct db {
    sqlite3 *handle;
    struct mutex lock;
    struct cond changed;
    pthread_t writer;
    bool running, stop;
    struct db_op *first, **last;
    uint64_t next_ticket, done_ticket;
    unsigned group_depth;
    uint64_t group_ticket;
    struct failure failures[FAILURES_KEPT]; /* a ring: the oldest gives way */
    size_t failure_count;                  /* all that ever were */
    struct prepared prepared[64];
    size_t prepared_count;
    bool is_full; /* synchronous=FULL now */
};

static int fail(struct db *db, struct err *err, const char *what)
{
    int code = sqlite3_errcode(db->handle), os = sqlite3_system_errno(db->handle);
    if (code == SQLITE_FULL || ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && (os == ENOSPC || os == EDQUOT)))
        return err_set(err, ERR_INTERNAL, "%s: no space left on device", what);
    return err_set(err, ERR_INTERNAL, "%s: %s", what, sqlite3_errmsg(db->handle));
}

static int run(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, err, "database");
}

/* ---- open ---- */

static int refuse_filesystem(const char *path, struct err *err)
{
    AUTO_FREE char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/');
    struct statfs info;
    if (slash)
        *slash = '\0';
    if (statfs(slash && *dir ? dir : ".", &info) < 0)
        return err_sys(err, errno, "look at %s", dir);
    if (info.f_type == 0x6969 || info.f_type == 0x794c7630)
        return err_set(err, ERR_UNSUPPORTED, "%s is on %s: the database needs a local file system such as ext4 or xfs", dir,
                       info.f_type == 0x6969 ? "NFS" : "overlayfs");
    return 0;
}

static int read_pragma(struct db *db, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
        fail(db, err, "database");
        sqlite3_finalize(statement);
        return -1;
    }
    *ret = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return 0;
}

static int check_whole(struct db *db, const char *path, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    const char *words = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : sqlite3_errmsg(db->handle);
    int result = 0;
    if (code != SQLITE_ROW && code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
        result = fail(db, err, path); /* locked, unreadable: no verdict on what is in it */
    else if (!str_eq(words, "ok"))
        result = err_set(err, ERR_INTERNAL, "database %s is corrupt: restore it or move it away (%s)", path, words);
    sqlite3_finalize(statement);
    return result;
}

static int check_version(struct db *db, const char *path, int newest, int64_t *ret_version, struct err *err)
{
    int64_t application;
    if (read_pragma(db, "PRAGMA user_version", ret_version, err) < 0 || read_pragma(db, "PRAGMA application_id", &application, err) < 0)
        return err_wrap(err, "%s", path);
    if (application != APPLICATION_ID && (application != 0 || *ret_version != 0))
        return err_set(err, ERR_UNSUPPORTED, "%s belongs to another program", path);
    if (*ret_version > newest)
        return err_set(err, ERR_UNSUPPORTED, "database %s has version %lld, newer than this program's %d: use a newer holkd", path,
                       (long long)*ret_version, newest);
    return 0;
}

static int migrate(struct db *db, const char *path, const struct db_migration *migrations, size_t count, int64_t version, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (migrations[i].version <= version)
            continue;
        AUTO_FREE char *sql = str_format("BEGIN IMMEDIATE; %s; PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", migrations[i].sql,
                                         APPLICATION_ID, migrations[i].version);
        if (run(db, sql, err) < 0) {
            struct err ignored;
            if (!sqlite3_get_autocommit(db->handle))
                (void)run(db, "ROLLBACK", &ignored);
            return err_wrap(err, "migrate %s to version %d", path, migrations[i].version);
        }
    }
    return 0;
}

static void *write_loop(void *arg);

static int open_handle(struct db *db, const char *path, struct err *err)
{
    /* made by us, so that neither it nor its companions are readable by others whatever the umask */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    close(fd);
    if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK)
        return fail(db, err, path);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, 256, 64);
    sqlite3_busy_timeout(db->handle, 5000);
    return 0;
}

static int start_writer(struct db *db, struct err *err)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WRITER_STACK);
    int failed = pthread_create(&db->writer, &attributes, write_loop, db);
    pthread_attr_destroy(&attributes);
    if (failed)
        return err_sys(err, failed, "start the database's writer");
    db->running = true;
    return 0;
}

int db_open(const char *path, const struct db_migration *migrations, size_t count, struct db **ret, struct err *err)
{
    int64_t version = 0;
    if (refuse_filesystem(path, err) < 0)
        return -1;
    CLEANUP(db_close) struct db *db = xcalloc(1, sizeof *db);
    db->last = &db->first;
    db->next_ticket = 1;
    mutex_init(&db->lock);
    cond_init(&db->changed);
    /* Both checks come before the first statement that writes. */
    if (open_handle(db, path, err) < 0 || check_whole(db, path, err) < 0 ||
        check_version(db, path, count ? migrations[count - 1].version : 0, &version, err) < 0)
        return -1;
    if (run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-256; PRAGMA temp_store=MEMORY; "
                "PRAGMA wal_autocheckpoint=400; PRAGMA journal_size_limit=1048576", err) < 0)
        return err_wrap(err, "%s", path);
    if (migrate(db, path, migrations, count, version, err) < 0 || start_writer(db, err) < 0)
        return -1;
    *ret = take_ptr(&db);
    return 0;
}

/* ---- the queue ---- */

static void op_free(struct db_op *op)
{
    for (size_t i = 0; i < op->count; i++)
        free(op->values[i].bytes);
    free(op);
}

static void copy_value(struct db_value *value, char type, va_list *args)
{
    const char *text;
    value->type = type;
    switch (type) {
    case 'i':
        value->number = va_arg(*args, int64_t);
        break;
    case 's':
        text = va_arg(*args, const char *);
        value->bytes = xstrdup(text);
        value->length = text ? strlen(text) : 0;
        break;
    case 'b':
        text = va_arg(*args, const char *);
        value->length = va_arg(*args, size_t);
        value->bytes = text ? xmemdup(text, value->length) : NULL;
        break;
    default:
        abort();
    }
}

uint64_t db_queue(struct db *db, enum db_durability durability, const char *sql, const char *types, ...)
{
    struct db_op *op = xcalloc(1, sizeof *op + strlen(types) * sizeof op->values[0]);
    va_list args;
    op->sql = sql;
    op->durability = durability;
    va_start(args, types);
    for (; types[op->count]; op->count++)
        copy_value(&op->values[op->count], types[op->count], &args);
    va_end(args);
    mutex_lock(&db->lock);
    op->ticket = db->group_depth ? db->group_ticket : db->next_ticket++;
    *db->last = op;
    db->last = &op->next;
    if (!db->group_depth)
        cond_broadcast(&db->changed);
    uint64_t ticket = op->ticket;
    mutex_unlock(&db->lock);
    return ticket;
}

void db_group_begin(struct db *db)
{
    mutex_lock(&db->lock);
    if (db->group_depth++ == 0)
        db->group_ticket = db->next_ticket++;
    mutex_unlock(&db->lock);
}

uint64_t db_group_end(struct db *db, enum db_durability durability)
{
    mutex_lock(&db->lock);
    uint64_t ticket = db->group_ticket;
    for (struct db_op *op = db->first; op; op = op->next)
        if (op->ticket == ticket && durability == DB_FULL)
            op->durability = DB_FULL;
    if (--db->group_depth == 0)
        cond_broadcast(&db->changed);
    mutex_unlock(&db->lock);
    return ticket;
}

int db_wait(struct db *db, uint64_t ticket, struct err *err)
{
    int result = 0;
    mutex_lock(&db->lock);
    while (db->done_ticket < ticket && db->running)
        cond_wait(&db->changed, &db->lock);
    for (size_t i = 0; i < MIN(db->failure_count, FAILURES_KEPT); i++)
        if (db->failures[i].ticket == ticket)
            result = err_set(err, db->failures[i].kind, "%s", db->failures[i].text);
    mutex_unlock(&db->lock);
    return result;
}

/* ---- the writer ---- */

/* By pointer, so that a row costs no comparison of long texts; the text is compared too, because a freed one's address may come again. */
static sqlite3_stmt *prepare(struct db *db, const char *sql, struct err *err)
{
    size_t slot = 0;
    while (slot < db->prepared_count && db->prepared[slot].sql != sql)
        slot++;
    struct prepared *kept = &db->prepared[slot < ARRAY_SIZE(db->prepared) ? slot : 0];
    if (slot < db->prepared_count && str_eq(sqlite3_sql(kept->statement), sql))
        return kept->statement;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        fail(db, err, "database");
        return NULL;
    }
    if (slot == db->prepared_count && slot < ARRAY_SIZE(db->prepared))
        db->prepared_count++;
    else
        sqlite3_finalize(kept->statement);
    *kept = (struct prepared){ sql, statement };
    return statement;
}

static int execute(struct db *db, const struct db_op *op, struct err *err)
{
    sqlite3_stmt *statement = prepare(db, op->sql, err);
    if (!statement)
        return -1;
    for (size_t i = 0; i < op->count; i++) {
        const struct db_value *value = &op->values[i];
        int at = (int)i + 1;
        if (value->type == 'i')
            sqlite3_bind_int64(statement, at, value->number);
        else if (!value->bytes)
            sqlite3_bind_null(statement, at);
        else if (value->type == 's')
            sqlite3_bind_text(statement, at, value->bytes, (int)value->length, SQLITE_STATIC);
        else
            sqlite3_bind_blob(statement, at, value->bytes, (int)value->length, SQLITE_STATIC);
    }
    int code = sqlite3_step(statement);
    int result = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : fail(db, err, "database");
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return result;
}

/* Everything from `from` up to (not including) `end` as one transaction. */
static int commit_range(struct db *db, const struct db_op *from, const struct db_op *end, struct err *err)
{
    bool full = false;
    for (const struct db_op *op = from; op != end; op = op->next)
        full |= op->durability == DB_FULL;
    if (full != db->is_full && run(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err) < 0)
        return -1;
    db->is_full = full;
    if (run(db, "BEGIN IMMEDIATE", err) < 0)
        return -1;
    int result = 0;
    for (const struct db_op *op = from; op != end && result == 0; op = op->next)
        result = execute(db, op, err);
    if (result == 0)
        result = run(db, "COMMIT", err);
    if (result < 0 && !sqlite3_get_autocommit(db->handle)) {
        struct err ignored;
        (void)run(db, "ROLLBACK", &ignored);
    }
    return result;
}

static void note_failure(struct db *db, uint64_t ticket, const struct err *err)
{
    mutex_lock(&db->lock);
    struct failure *failure = &db->failures[db->failure_count++ % FAILURES_KEPT];
    *failure = (struct failure){ .ticket = ticket, .kind = err->kind };
    str_copy(failure->text, sizeof failure->text, err->text);
    mutex_unlock(&db->lock);
}

static void commit_batch(struct db *db, struct db_op *batch)
{
    struct err err = { 0 };
    if (commit_range(db, batch, NULL, &err) == 0)
        return;
    for (struct db_op *from = batch; from;) {
        struct db_op *end = from;
        while (end && end->ticket == from->ticket)
            end = end->next;
        err_clear(&err);
        if (commit_range(db, from, end, &err) < 0)
            note_failure(db, from->ticket, &err);
        from = end;
    }
}

static void *write_loop(void *arg)
{
    struct db *db = arg;
    mutex_lock(&db->lock);
    for (;;) {
        uint64_t highest = db->next_ticket - 1;
        bool waiting = db->done_ticket < highest; /* also after a group that held nothing */
        if (!waiting && db->stop)
            break;
        if (!waiting || (db->group_depth && !db->stop)) {
            cond_wait(&db->changed, &db->lock);
            continue;
        }
        struct db_op *batch = db->first;
        db->first = NULL;
        db->last = &db->first;
        mutex_unlock(&db->lock);
        if (batch)
            commit_batch(db, batch);
        while (batch) {
            struct db_op *op = batch;
            batch = op->next;
            op_free(op);
        }
        mutex_lock(&db->lock);
        db->done_ticket = highest;
        cond_broadcast(&db->changed);
    }
    mutex_unlock(&db->lock);
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->running) {
        mutex_lock(&db->lock);
        db->stop = true;
        cond_broadcast(&db->changed);
        mutex_unlock(&db->lock);
        pthread_join(db->writer, NULL);
    }
    for (size_t i = 0; i < db->prepared_count; i++)
        sqlite3_finalize(db->prepared[i].statement);
    sqlite3_close(db->handle);
    cond_done(&db->changed);
    mutex_done(&db->lock);
    free(db);
}

/* ---- rows ---- */

struct db_row {
    sqlite3_stmt *statement;
};

const char *db_row_text(const struct db_row *row, int column)
{
    return (const char *)sqlite3_column_text(row->statement, column);
}

int64_t db_row_int(const struct db_row *row, int column)
{
    return sqlite3_column_int64(row->statement, column);
}

int db_each(struct db *db, const char *sql, db_row_fn fn, void *arg, struct err *err)
{
    struct db_row row = { NULL };
    int code, result = 0;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &row.statement, NULL) != SQLITE_OK)
        return fail(db, err, "database");
    while (result == 0 && (code = sqlite3_step(row.statement)) == SQLITE_ROW)
        result = fn(&row, arg, err);
    if (result == 0 && code != SQLITE_DONE)
        result = fail(db, err, "database");
    sqlite3_finalize(row.statement);
    return result < 0 ? -1 : 0;
}
