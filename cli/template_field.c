/* Names of values: what .Name means in a record, in a struct described by a table, in a plain map. */
#include "cli/template_internal.h"
#include "cli/units.h"
#include "lib/api/image.h"
#include "lib/api/network.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

struct value value_int(int64_t number)
{
    return (struct value){ .kind = VALUE_INT, .integer = number };
}

struct value value_bool(bool truth)
{
    return (struct value){ .kind = VALUE_BOOL, .integer = truth };
}

struct value value_text(struct template_run *run, char *text)
{
    run->texts = xreallocarray(run->texts, run->text_count + 1, sizeof *run->texts);
    run->texts[run->text_count++] = text;
    run->used += strlen(text) + sizeof text;
    return (struct value){ .kind = VALUE_STRING, .text = text };
}

struct value value_list(struct template_run *run, struct json *list)
{
    run->jsons = xreallocarray(run->jsons, run->json_count + 1, sizeof *run->jsons);
    run->jsons[run->json_count++] = list;
    run->used += (json_count(list) + 1) * 64;
    return (struct value){ .kind = VALUE_LIST, .json = list };
}

bool value_is_true(const struct value *value)
{
    switch (value->kind) {
    case VALUE_BOOL:
    case VALUE_INT:
        return value->integer != 0;
    case VALUE_FLOAT:
        return value->real < 0 || value->real > 0;
    case VALUE_STRING:
        return *value->text;
    case VALUE_LIST:
    case VALUE_MAP:
        return json_count(value->json) > 0;
    case VALUE_STRUCT:
        return true;
    case VALUE_NONE:
    case VALUE_NIL:
        break;
    }
    return false;
}

const char *value_type_name(const struct template_run *run, const struct value *value)
{
    switch (value->kind) {
    case VALUE_BOOL:
        return "bool";
    case VALUE_INT:
        return "int";
    case VALUE_FLOAT:
        return "float64";
    case VALUE_STRING:
        return "string";
    case VALUE_LIST:
        return "[]interface {}";
    case VALUE_MAP:
        return "map[string]interface {}";
    case VALUE_STRUCT:
        return value->is_record && run->data->go_type ? run->data->go_type : value->type ? value->type->name : "struct";
    case VALUE_NONE:
    case VALUE_NIL:
        break;
    }
    return "nil";
}

/* ---- from JSON ---- */

/* What a member is when the JSON does not have it. */
static struct value zero_value(const struct codec_field *field)
{
    struct value value = { .kind = VALUE_NONE, .field = field, .type = field->type };
    switch (field->kind) {
    case CODEC_STR:
        value.kind = VALUE_STRING;
        value.text = "";
        break;
    case CODEC_TIME:
        value.kind = VALUE_STRING;
        value.text = "0001-01-01 00:00:00 +0000 UTC";
        break;
    case CODEC_BOOL:
        value.kind = VALUE_BOOL;
        break;
    case CODEC_I64:
        value.kind = VALUE_INT;
        break;
    case CODEC_DOUBLE:
        value.kind = VALUE_FLOAT;
        break;
    case CODEC_STRV:
    case CODEC_CMD:
    case CODEC_I64LIST:
    case CODEC_LIST_KIND:
        value.kind = VALUE_LIST;
        break;
    case CODEC_STRMAP:
    case CODEC_STRSET:
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        value.kind = VALUE_MAP;
        break;
    case CODEC_OBJ:
        value.kind = VALUE_STRUCT;
        break;
    case CODEC_OBJP:
    case CODEC_OPT_BOOL:
    case CODEC_OPT_I64:
        value.kind = VALUE_NIL;
        break;
    case CODEC_RAW:
        break;
    }
    return value;
}

struct value value_of_json(const struct json *json, const struct codec_field *field)
{
    struct value value = { .json = json, .field = field, .type = field ? field->type : NULL };
    switch (json_kind_of(json)) {
    case JSON_NOTHING:
        if (field)
            return zero_value(field);
        value.kind = VALUE_NONE;
        break;
    case JSON_BOOL:
        value.kind = VALUE_BOOL;
        value.integer = json_bool(json);
        break;
    case JSON_INT:
        value.kind = VALUE_INT;
        value.integer = json_int(json);
        break;
    case JSON_DOUBLE:
        value.kind = VALUE_FLOAT;
        value.real = json_double(json);
        break;
    case JSON_TEXT:
        value.kind = VALUE_STRING;
        value.text = json_text(json);
        break;
    case JSON_LIST:
        value.kind = VALUE_LIST;
        break;
    case JSON_MAP:
        value.kind = field && (field->kind == CODEC_OBJ || field->kind == CODEC_OBJP) ? VALUE_STRUCT : VALUE_MAP;
        break;
    }
    return value;
}

struct value value_item(const struct value *container, const struct json *item)
{
    const struct codec_field *field = container->field;
    struct value value = value_of_json(item, NULL);
    if (!container->type)
        return value;
    value.type = container->type;
    if (field && field->kind == CODEC_LISTMAP && container->kind == VALUE_MAP)
        value.kind = VALUE_LIST;
    else if (value.kind == VALUE_MAP)
        value.kind = VALUE_STRUCT;
    else if (value.kind == VALUE_NONE)
        value.kind = VALUE_NIL;
    return value;
}

/* ---- names ---- */

/* The last part of "com.example.some-name" as a title. */
static struct value label_title(struct template_run *run, const char *label)
{
    const char *point = strrchr(label, '.');
    char *title = xstrdup(point ? point + 1 : label);
    for (char *c = title; *c; c++)
        if (*c == '-' || *c == '_')
            *c = ' ';
    return value_text(run, title);
}

static int field_of_label(struct template_run *run, const struct node *at, const struct value *args, size_t count,
                          struct value *ret)
{
    if (count != 1)
        return run_fail(run, at, "wrong number of args for Label: want 1 got %zu", count);
    if (args->kind != VALUE_STRING)
        return run_fail(run, at, "wrong type for value; expected string; got %s", value_type_name(run, args));
    if (run->data->is_header) {
        *ret = label_title(run, args->text);
        return 0;
    }
    const char *text = json_text(json_get(run->data->labels, args->text));
    *ret = (struct value){ .kind = VALUE_STRING, .text = text ? text : "" };
    return 0;
}

/* Go's name of a member that the API calls otherwise; NULL: the same. */
static const char *go_name(const char *json_name)
{
    static const char *const names[][2] = { { "Id", "ID" },
                                            { "id", "ID" },
                                            { "HostIp", "HostIP" },
                                            { "Dns", "DNS" },
                                            { "DnsOptions", "DNSOptions" },
                                            { "DnsSearch", "DNSSearch" },
                                            { "NanoCpus", "NanoCPUs" },
                                            { "HttpProxy", "HTTPProxy" },
                                            { "HttpsProxy", "HTTPSProxy" },
                                            { "ApiVersion", "APIVersion" },
                                            { "AuxiliaryAddresses", "AuxAddress" },
                                            { "runtimeArgs", "Args" },
                                            { "path", "Path" },
                                            { "CpuShares", "CPUShares" },
                                            { "CpuPeriod", "CPUPeriod" },
                                            { "CpuQuota", "CPUQuota" },
                                            { "CpuRealtimePeriod", "CPURealtimePeriod" },
                                            { "CpuRealtimeRuntime", "CPURealtimeRuntime" },
                                            { "CpuCount", "CPUCount" },
                                            { "CpuPercent", "CPUPercent" },
                                            { "CpuCfsPeriod", "CPUCfsPeriod" },
                                            { "CpuCfsQuota", "CPUCfsQuota" },
                                            { "status", "Status" },
                                            { "from", "From" },
                                            { "scope", "Scope" },
                                            { "time", "Time" },
                                            { "timeNano", "TimeNano" } };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_eq(names[i][0], json_name))
            return names[i][1];
    return NULL;
}

/* Structs have Go's names. The API's are for the JSON itself, which `inspect` asks when these fail. */
static const struct codec_field *find_row(const struct codec_type *type, const char *name)
{
    for (const struct codec_field *row = type->fields; row->name; row++) {
        const char *other = go_name(row->name);
        if (str_eq(other ? other : row->name, name))
            return row;
    }
    return NULL;
}

/* Most times are texts in the API's Go structs; these are Go's own and print in its way. */
static bool is_go_time(const struct codec_type *type, const struct codec_field *row)
{
    return row->kind == CODEC_TIME &&
           (type == &network_inspect_type || type == &image_metadata_type || type == &health_log_type);
}

static int field_of_struct(struct template_run *run, const struct node *at, const struct value *base, const char *name,
                           struct value *ret)
{
    const struct codec_field *row = find_row(base->type, name);
    const struct json *more = row || !base->is_record ? NULL : json_get(base->json, name);
    if (more) { /* a record may have members besides its table */
        *ret = value_of_json(more, NULL);
        return 0;
    }
    if (!row)
        return run_fail(run, at, "can't evaluate field %s in type %s", name, value_type_name(run, base));
    *ret = value_of_json(json_get_nocase(base->json, row->name), row);
    int64_t when;
    if (is_go_time(base->type, row) && json_text(ret->json) && !time_parse_rfc3339(ret->text, &when) && when) {
        const struct json *json = ret->json;
        *ret = value_text(run, units_go_time(when));
        ret->json = json;
    } else if (base->type == &health_config_type && row->kind == CODEC_I64 && !str_eq(name, "Retries")) {
        *ret = value_text(run, units_go_duration(ret->integer));
    } else if (row->kind == CODEC_TIME && ret->kind == VALUE_STRING && !ret->json && !is_go_time(base->type, row)) {
        ret->text = "";
    }
    return 0;
}

static int field_of_record(struct template_run *run, const struct node *at, const struct value *base, const char *name,
                           struct value *ret)
{
    const struct json *member = json_get(base->json, name);
    if (!member)
        return run_fail(run, at, "can't evaluate field %s in type %s", name, value_type_name(run, base));
    *ret = value_of_json(member, NULL);
    return 0;
}

static int field_of_nothing(struct template_run *run, const struct node *at, const struct value *base, const char *name,
                            struct value *ret)
{
    if (base->kind == VALUE_NIL)
        return run_fail(run, at, "nil pointer evaluating *%s.%s", base->type ? base->type->name : "interface {}", name);
    if (base->json)
        return run_fail(run, at, "nil pointer evaluating interface {}.%s", name);
    if (run->data->missing_is_error)
        return run_fail(run, at, "nil data; no entry for key \"%s\"", name);
    *ret = (struct value){ .kind = VALUE_NONE };
    return 0;
}

int value_field(struct template_run *run, const struct node *at, const struct value *base, const char *name,
                const struct value *args, size_t count, struct value *ret)
{
    bool is_root = base->json && base->json == run->data->json;
    bool has_label = run->data->is_header || (base->is_record && run->data->labels);
    if (is_root && has_label && str_eq(name, "Label"))
        return field_of_label(run, at, args, count, ret);
    if (base->kind == VALUE_NONE || base->kind == VALUE_NIL)
        return field_of_nothing(run, at, base, name, ret);
    int status = 0;
    if (base->kind == VALUE_STRUCT && base->type)
        status = field_of_struct(run, at, base, name, ret);
    else if (base->kind == VALUE_STRUCT)
        status = field_of_record(run, at, base, name, ret);
    else if (base->kind == VALUE_MAP) {
        if (count)
            return run_fail(run, at, "%s is not a method but has arguments", name);
        const struct json *member = json_get(base->json, name);
        if (!member && run->data->missing_is_error)
            return run_fail(run, at, "map has no entry for key \"%s\"", name);
        *ret = member ? value_item(base, member) : (struct value){ .kind = VALUE_NONE };
    } else {
        return run_fail(run, at, "can't evaluate field %s in type %s", name,
                        run->data->missing_is_error ? "interface {}" : value_type_name(run, base));
    }
    if (!status && count)
        return run_fail(run, at, "%s is not a method but has arguments", name);
    return status;
}
