/* Theory of operation. A plan is a header and records {tag, flags, length, payload padded to 8}. One table per struct says which member a tag
 * fills and how its payload reads; writer, reader and tests walk the same tables. Members that are zero, NULL or empty are not written.
 * An array is one record: a count, then the items, each as {length, records}. The reader checks every length against its container,
 * every string for its NUL, every count against the bytes that are left; what it hands out points into the buffer or into the arena. */
#include "lib/plan/plan.h"

#include <stddef.h>
#include <string.h>

enum kind { K_STR, K_STRV, K_U32, K_U64, K_BYTES, K_ARRAY, K_STRUCT };
#define FLAG_MAY_SKIP 1
#define ITEMS_MAX 4096

struct shape;
struct row {
    uint16_t tag;
    enum kind kind;
    size_t offset;
    size_t count_offset;       /* K_ARRAY: size_t count; K_BYTES: uint32_t length */
    const struct shape *shape; /* of items or of the struct */
};
struct shape {
    const struct row *rows;
    size_t row_count, size;
};
struct record {
    uint16_t tag, flags;
    uint32_t length;
};
struct header {
    uint32_t magic, version;
    uint64_t length; /* of all */
};

#define ROW(t, T, m, k) { .tag = (t), .kind = (k), .offset = offsetof(T, m) }
#define ARRAY_ROW(t, T, m, n, s) { .tag = (t), .kind = K_ARRAY, .offset = offsetof(T, m), .count_offset = offsetof(T, n), .shape = &(s) }
#define SHAPE(rows_, T) { .rows = (rows_), .row_count = ARRAY_SIZE(rows_), .size = sizeof(T) }

static const struct row mount_rows[] = {
    ROW(1, struct plan_mount, kind, K_U32),   ROW(2, struct plan_mount, flags, K_U32),  ROW(3, struct plan_mount, propagation, K_U32),
    ROW(4, struct plan_mount, source, K_STR), ROW(5, struct plan_mount, target, K_STR), ROW(6, struct plan_mount, data, K_STR),
};
static const struct shape mount_shape = SHAPE(mount_rows, struct plan_mount);

static const struct row device_rows[] = {
    ROW(1, struct plan_device, path, K_STR),  ROW(2, struct plan_device, type, K_U32), ROW(3, struct plan_device, major, K_U32),
    ROW(4, struct plan_device, minor, K_U32), ROW(5, struct plan_device, mode, K_U32), ROW(6, struct plan_device, uid, K_U32),
    ROW(7, struct plan_device, gid, K_U32),
};
static const struct shape device_shape = SHAPE(device_rows, struct plan_device);

static const struct row rule_rows[] = {
    ROW(1, struct plan_device_rule, allow, K_U32), ROW(2, struct plan_device_rule, type, K_U32), ROW(3, struct plan_device_rule, major, K_U64),
    ROW(4, struct plan_device_rule, minor, K_U64), ROW(5, struct plan_device_rule, access, K_U32),
};
static const struct shape rule_shape = SHAPE(rule_rows, struct plan_device_rule);

static const struct row write_rows[] = {
    ROW(1, struct plan_cgroup_write, controller, K_STR), ROW(2, struct plan_cgroup_write, file, K_STR),
    ROW(3, struct plan_cgroup_write, value, K_STR),      ROW(4, struct plan_cgroup_write, required, K_U32),
};
static const struct shape write_shape = SHAPE(write_rows, struct plan_cgroup_write);

static const struct row rlimit_rows[] = {
    ROW(1, struct plan_rlimit, resource, K_U32), ROW(2, struct plan_rlimit, soft, K_U64), ROW(3, struct plan_rlimit, hard, K_U64),
};
static const struct shape rlimit_shape = SHAPE(rlimit_rows, struct plan_rlimit);

static const struct row sysctl_rows[] = { ROW(1, struct plan_sysctl, key, K_STR), ROW(2, struct plan_sysctl, value, K_STR) };
static const struct shape sysctl_shape = SHAPE(sysctl_rows, struct plan_sysctl);

#define P struct plan_process
static const struct row process_rows[] = {
    ROW(1, P, argv, K_STRV), ROW(2, P, env, K_STRV), ROW(3, P, cwd, K_STR), ROW(4, P, user, K_STR), ROW(5, P, group_add, K_STRV),
    ROW(6, P, caps_bounding, K_U64), ROW(7, P, caps_permitted, K_U64), ROW(8, P, caps_effective, K_U64), ROW(9, P, caps_ambient, K_U64),
    ROW(10, P, make_cwd, K_U32), ROW(11, P, tty, K_U32), ROW(12, P, open_stdin, K_U32), ROW(13, P, no_new_privs, K_U32),
    ROW(14, P, want_stdout, K_U32), ROW(15, P, want_stderr, K_U32), ROW(16, P, tty_cols, K_U32), ROW(17, P, tty_rows, K_U32),
    { .tag = 18, .kind = K_BYTES, .offset = offsetof(P, seccomp), .count_offset = offsetof(P, seccomp_length) }, ROW(19, P, apparmor, K_STR),
    ARRAY_ROW(20, P, rlimits, rlimit_count, rlimit_shape), ROW(21, P, oom_score_adj, K_U32), ROW(22, P, oom_score_adj_set, K_U32),
};
#undef P
static const struct shape process_shape = SHAPE(process_rows, struct plan_process);

#define P struct plan
static const struct row plan_rows[] = {
    ROW(1, P, id, K_STR), ROW(2, P, name, K_STR), ROW(3, P, hostname, K_STR), ROW(4, P, domainname, K_STR), ROW(5, P, container_dir, K_STR),
    ROW(6, P, lowers, K_STRV), ROW(7, P, upper, K_STR), ROW(8, P, work, K_STR), ROW(9, P, rootfs, K_STR), ROW(10, P, root_readonly, K_U32),
    ROW(11, P, root_volatile, K_U32), ROW(12, P, root_propagation, K_U32),
    ROW(13, P, ns_mode[0], K_U32), ROW(14, P, ns_mode[1], K_U32), ROW(15, P, ns_mode[2], K_U32), ROW(16, P, ns_mode[3], K_U32),
    ROW(17, P, ns_mode[4], K_U32), ROW(18, P, ns_mode[5], K_U32), ROW(19, P, ns_mode[6], K_U32),
    ROW(20, P, ns_slot[0], K_U32), ROW(21, P, ns_slot[1], K_U32), ROW(22, P, ns_slot[2], K_U32), ROW(23, P, ns_slot[3], K_U32),
    ROW(24, P, ns_slot[4], K_U32), ROW(25, P, ns_slot[5], K_U32), ROW(26, P, ns_slot[6], K_U32),
    ROW(27, P, cgroup_path, K_STR), ARRAY_ROW(28, P, cgroup_writes, cgroup_write_count, write_shape),
    ARRAY_ROW(29, P, device_rules, device_rule_count, rule_shape), ROW(30, P, device_rules_off, K_U32),
    ARRAY_ROW(31, P, mounts, mount_count, mount_shape), ARRAY_ROW(32, P, devices, device_count, device_shape),
    ROW(33, P, masked_paths, K_STRV), ROW(34, P, readonly_paths, K_STRV), ARRAY_ROW(35, P, sysctls, sysctl_count, sysctl_shape),
    { .tag = 36, .kind = K_STRUCT, .offset = offsetof(P, process), .shape = &process_shape }, ROW(37, P, init, K_U32),
    ROW(38, P, stdin_once, K_U32), ROW(39, P, stop_signal, K_U32), ROW(40, P, stop_timeout_s, K_U32), ROW(41, P, restart, K_U32),
    ROW(42, P, restart_max, K_U32), ROW(43, P, auto_remove, K_U32), ROW(44, P, log_kind, K_U32), ROW(45, P, log_path, K_STR),
    ROW(46, P, log_max_size, K_U64), ROW(47, P, log_max_files, K_U32), ROW(48, P, log_attrs, K_STR),
};
#undef P
static const struct shape plan_shape = SHAPE(plan_rows, struct plan);

/* ---- writing ---- */

static size_t padded(size_t length)
{
    return (length + 7) & ~(size_t)7;
}

static void put_padding(struct buf *out, size_t length)
{
    static const char zeros[8];
    buf_append(out, zeros, padded(length) - length);
}

static void put_record(struct buf *out, uint16_t tag, const void *bytes, size_t length)
{
    struct record record = { .tag = tag, .length = (uint32_t)length };
    buf_append(out, &record, sizeof record);
    buf_append(out, bytes, length);
    put_padding(out, length);
}

static void put_shape(struct buf *out, const struct shape *shape, const void *value);

static void put_strings(struct buf *out, uint16_t tag, const char *const *list)
{
    struct buf bytes = BUF_INIT(PLAN_MAX);
    for (; list && *list; list++)
        buf_append(&bytes, *list, strlen(*list) + 1);
    if (bytes.length)
        put_record(out, tag, bytes.data, bytes.length);
    out->failed |= bytes.failed;
    buf_done(&bytes);
}

static void put_array(struct buf *out, const struct row *row, const char *items, size_t count)
{
    struct buf bytes = BUF_INIT(PLAN_MAX);
    uint64_t number = count;
    if (!count)
        return;
    buf_append(&bytes, &number, sizeof number);
    for (size_t i = 0; i < count; i++) {
        struct buf item = BUF_INIT(PLAN_MAX);
        put_shape(&item, row->shape, items + i * row->shape->size);
        uint64_t length = item.length;
        buf_append(&bytes, &length, sizeof length);
        buf_append(&bytes, item.data ? item.data : "", item.length);
        out->failed |= item.failed;
        buf_done(&item);
    }
    put_record(out, row->tag, bytes.data, bytes.length);
    out->failed |= bytes.failed;
    buf_done(&bytes);
}

static void put_row(struct buf *out, const struct row *row, const char *value)
{
    const char *slot = value + row->offset;
    uint64_t number = 0;
    uint32_t word;
    size_t count;
    const char *text;
    switch (row->kind) {
    case K_STR:
        memcpy(&text, slot, sizeof text);
        if (text)
            put_record(out, row->tag, text, strlen(text) + 1);
        break;
    case K_STRV:
        put_strings(out, row->tag, *(const char *const *const *)(const void *)slot);
        break;
    case K_U32:
        memcpy(&word, slot, sizeof word);
        if (word)
            put_record(out, row->tag, &word, sizeof word);
        break;
    case K_U64:
        memcpy(&number, slot, sizeof number);
        if (number)
            put_record(out, row->tag, &number, sizeof number);
        break;
    case K_BYTES:
        memcpy(&text, slot, sizeof text);
        memcpy(&word, value + row->count_offset, sizeof word);
        if (word)
            put_record(out, row->tag, text, word);
        break;
    case K_ARRAY:
        memcpy(&text, slot, sizeof text);
        memcpy(&count, value + row->count_offset, sizeof count);
        put_array(out, row, text, count);
        break;
    case K_STRUCT: {
        struct buf inner = BUF_INIT(PLAN_MAX);
        put_shape(&inner, row->shape, slot);
        put_record(out, row->tag, inner.data ? inner.data : "", inner.length);
        out->failed |= inner.failed;
        buf_done(&inner);
        break;
    }
    }
}

static void put_shape(struct buf *out, const struct shape *shape, const void *value)
{
    for (size_t i = 0; i < shape->row_count; i++)
        put_row(out, &shape->rows[i], value);
}

static void put_all(struct buf *out, const struct shape *shape, const void *value)
{
    struct header header = { .magic = PLAN_MAGIC, .version = PLAN_VERSION };
    size_t start = out->length;
    buf_append(out, &header, sizeof header);
    put_shape(out, shape, value);
    if (out->failed)
        return;
    header.length = out->length - start;
    memcpy(out->data + start, &header, sizeof header);
}

void plan_encode(const struct plan *plan, struct buf *out)
{
    put_all(out, &plan_shape, plan);
}

void plan_process_encode(const struct plan_process *process, struct buf *out)
{
    put_all(out, &process_shape, process);
}

/* ---- reading ---- */

struct block {
    struct block *next;
};
struct reading {
    struct block *arena;
    struct err *err;
};

static void *arena_take(struct reading *r, size_t size)
{
    struct block *block = xcalloc(1, sizeof *block + 8 + size);
    block->next = r->arena;
    r->arena = block;
    return (char *)block + padded(sizeof *block);
}

static void arena_free(void *arena)
{
    struct block *block = arena;
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

static int get_shape(struct reading *r, const struct shape *shape, const char *bytes, size_t length, void *ret);

static int get_strings(struct reading *r, const char *bytes, size_t length, const char *const **ret)
{
    size_t count = 0;
    if (length == 0 || bytes[length - 1] != '\0')
        return -1;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\0';
    const char **list = arena_take(r, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i] = bytes;
        bytes += strlen(bytes) + 1;
    }
    *ret = list;
    return 0;
}

static int get_array(struct reading *r, const struct row *row, const char *bytes, size_t length, char *value)
{
    uint64_t count, item_length;
    if (length < sizeof count)
        return -1;
    memcpy(&count, bytes, sizeof count);
    bytes += sizeof count;
    length -= sizeof count;
    if (count > ITEMS_MAX || count > length / sizeof item_length)
        return -1;
    char *items = arena_take(r, (size_t)count * row->shape->size + 1);
    for (uint64_t i = 0; i < count; i++) {
        if (length < sizeof item_length)
            return -1;
        memcpy(&item_length, bytes, sizeof item_length);
        bytes += sizeof item_length;
        length -= sizeof item_length;
        if (item_length > length || get_shape(r, row->shape, bytes, (size_t)item_length, items + i * row->shape->size) < 0)
            return -1;
        bytes += item_length;
        length -= (size_t)item_length;
    }
    size_t number = (size_t)count;
    memcpy(value + row->offset, &items, sizeof items);
    memcpy(value + row->count_offset, &number, sizeof number);
    return 0;
}

static int get_row(struct reading *r, const struct row *row, const char *bytes, size_t length, char *value)
{
    char *slot = value + row->offset;
    uint32_t word = (uint32_t)length;
    switch (row->kind) {
    case K_STR:
        if (length == 0 || memchr(bytes, '\0', length) != bytes + length - 1)
            return -1;
        memcpy(slot, &bytes, sizeof bytes);
        return 0;
    case K_STRV:
        return get_strings(r, bytes, length, (const char *const **)(void *)slot);
    case K_U32:
    case K_U64:
        if (length != (row->kind == K_U32 ? sizeof(uint32_t) : sizeof(uint64_t)))
            return -1;
        memcpy(slot, bytes, length);
        return 0;
    case K_BYTES:
        memcpy(slot, &bytes, sizeof bytes);
        memcpy(value + row->count_offset, &word, sizeof word);
        return 0;
    case K_ARRAY:
        return get_array(r, row, bytes, length, value);
    case K_STRUCT:
        return get_shape(r, row->shape, bytes, length, slot);
    }
    return -1;
}

static const struct row *find_row(const struct shape *shape, uint16_t tag)
{
    for (size_t i = 0; i < shape->row_count; i++)
        if (shape->rows[i].tag == tag)
            return &shape->rows[i];
    return NULL;
}

static int get_shape(struct reading *r, const struct shape *shape, const char *bytes, size_t length, void *ret)
{
    struct record record;
    while (length > 0) {
        if (length < sizeof record)
            return err_set(r->err, ERR_INVALID, "plan: record head is cut");
        memcpy(&record, bytes, sizeof record);
        bytes += sizeof record;
        length -= sizeof record;
        if (padded(record.length) > length)
            return err_set(r->err, ERR_INVALID, "plan: tag %u is longer than the plan", record.tag);
        const struct row *row = find_row(shape, record.tag);
        if (!row && !(record.flags & FLAG_MAY_SKIP))
            return err_set(r->err, ERR_INVALID, "plan: tag %u is unknown to this version", record.tag);
        if (row && get_row(r, row, bytes, record.length, ret) < 0) {
            if (r->err->kind == ERR_NONE)
                err_set(r->err, ERR_INVALID, "plan: tag %u is malformed", record.tag);
            return -1;
        }
        bytes += padded(record.length);
        length -= padded(record.length);
    }
    return 0;
}

static int get_all(const void *bytes, size_t length, const struct shape *shape, void *ret, void **ret_arena, struct err *err)
{
    struct header header;
    struct reading r = { .err = err };
    if (length < sizeof header)
        return err_set(err, ERR_INVALID, "plan: header is cut");
    memcpy(&header, bytes, sizeof header);
    if (header.magic != PLAN_MAGIC || header.version != PLAN_VERSION)
        return err_set(err, ERR_INVALID, "plan: not a plan of version %d", PLAN_VERSION);
    if (header.length != length || length > PLAN_MAX)
        return err_set(err, ERR_INVALID, "plan: length is %zu, header says %llu", length, (unsigned long long)header.length);
    if (get_shape(&r, shape, (const char *)bytes + sizeof header, length - sizeof header, ret) < 0) {
        arena_free(r.arena);
        return -1;
    }
    *ret_arena = r.arena;
    return 0;
}

int plan_decode(const void *bytes, size_t length, struct plan_view *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    err_clear(err);
    if (get_all(bytes, length, &plan_shape, &ret->plan, &ret->arena, err) < 0) {
        memset(ret, 0, sizeof *ret);
        return -1;
    }
    const struct plan *plan = &ret->plan;
    if (!plan->id || strlen(plan->id) != 64 || !plan->process.argv || !plan->cgroup_path || !plan->container_dir) {
        plan_done(ret);
        return err_set(err, ERR_INVALID, "plan: id, argv, cgroup path and directory are needed");
    }
    return 0;
}

void plan_done(struct plan_view *view)
{
    arena_free(view->arena);
    memset(view, 0, sizeof *view);
}

int plan_process_decode(const void *bytes, size_t length, struct plan_process_view *ret, struct err *err)
{
    memset(ret, 0, sizeof *ret);
    err_clear(err);
    if (get_all(bytes, length, &process_shape, &ret->process, &ret->arena, err) < 0)
        return -1;
    if (!ret->process.argv) {
        plan_process_done(ret);
        return err_set(err, ERR_INVALID, "plan: argv is needed");
    }
    return 0;
}

void plan_process_done(struct plan_process_view *view)
{
    arena_free(view->arena);
    memset(view, 0, sizeof *view);
}
