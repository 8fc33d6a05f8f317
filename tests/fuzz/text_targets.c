/* Readers of text: JSON by every table of the API, references, filters, platforms, image documents, log lines, ports, times. */
#include "lib/api/compat.h"
#include "lib/api/create_check.h"
#include "lib/api/filters.h"
#include "lib/api/image_tables.h"
#include "lib/api/jsonmessage.h"
#include "lib/api/stats.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/json/value.h"
#include "lib/net/hostfiles.h"
#include "lib/net/ipam.h"
#include "lib/net/port.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"
#include "daemon/engine/log_file.h"
#include "tests/fuzz/targets.h"

static const struct codec_type *const tables[] = {
#include "lib/api/table_list.h"
};

static char *text_of(const unsigned char *bytes, size_t length)
{
    char *text = xmalloc(length + 1);
    memcpy(text, bytes, length);
    text[length] = '\0';
    return text;
}

static void run_json(const unsigned char *bytes, size_t length)
{
    CLEANUP(json_free) struct json *json = NULL, *again = NULL;
    struct err err = { 0 };
    if (json_parse((const char *)bytes, length, &json, &err) < 0) {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
        return;
    }
    AUTO_BUF struct buf first = BUF_INIT(BUF_TEXT_MAX), second = BUF_INIT(BUF_TEXT_MAX), third = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *last = NULL;
    json_write(json, &first);
    PROMISE(json_parse(first.data, first.length, &again, &err) == 0);
    json_write(again, &second);
    PROMISE(json_parse(second.data, second.length, &last, &err) == 0);
    json_write(last, &third);
    PROMISE(str_eq(second.data, third.data)); /* the first may hold a -0, which is a whole number the next time */
}

static void run_table(const struct codec_type *type, const unsigned char *bytes, size_t length)
{
    AUTO_FREE void *value = xcalloc(1, type->size), *back = xcalloc(1, type->size);
    struct err err = { 0 };
    if (codec_decode(type, (const char *)bytes, length, value, &err) < 0) {
        PROMISE(err.kind == ERR_INVALID && err.text[0]);
        return;
    }
    AUTO_FREE char *text = codec_encode_dup(type, value);
    PROMISE(codec_decode(type, text, strlen(text), back, &err) == 0);
    AUTO_FREE char *again = codec_encode_dup(type, back);
    PROMISE(str_eq(text, again));
    codec_clear(type, value);
    codec_clear(type, back);
}

/* The bytes' sum chooses the table, so that a found input finds it again; create requests go on through the checks. */
static void run_tables(const unsigned char *bytes, size_t length)
{
    size_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    run_table(tables[sum % ARRAY_SIZE(tables)], bytes, length);
    run_table(&container_inspect_type, bytes, length);
    struct container_create_request request;
    struct err err = { 0 };
    CLEANUP(strv_free) char **warnings = NULL;
    if (codec_decode(&container_create_request_type, (const char *)bytes, length, &request, &err) < 0)
        return;
    struct api_version version = { 1, (int)(24 + sum % 28) };
    if (compat_create_request(version, &request, &warnings, &err) == 0)
        (void)create_check(&request, &err);
    codec_clear(&container_create_request_type, &request);
}

static void run_reference(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length), *id = NULL;
    AUTO_REFERENCE struct reference ref = { 0 }, again = { 0 }, any = { 0 };
    struct err err = { 0 };
    bool matches;
    (void)reference_parse_any(text, &any, &id, &err);
    (void)reference_tag_valid(text);
    const struct reference alpine = { .domain = xstrdup("docker.io"), .path = xstrdup("library/alpine") };
    (void)reference_familiar_match(text, &alpine, &matches, &err);
    free(alpine.domain);
    free(alpine.path);
    if (reference_parse(text, &ref, &err) < 0)
        return;
    AUTO_FREE char *full = reference_string(&ref), *familiar = reference_familiar_string(&ref);
    PROMISE(reference_parse(full, &again, &err) == 0 && reference_equal(&ref, &again));
    reference_clear(&again);
    AUTO_FREE char *name = reference_familiar_name(&ref);
    const char *slash = strchr(name, '/');
    bool looks_like_host = slash && str_eq(ref.domain, "docker.io") && (memchr(name, '.', (size_t)(slash - name)) || str_starts(name, "localhost/"));
    if (str_is_hex(name, 64) || looks_like_host) /* such repositories can only be written out in full, as in Docker */
        return;
    PROMISE(reference_parse(familiar, &again, &err) == 0 && reference_equal(&ref, &again));
}

static void run_filters(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length);
    AUTO_FILTERS struct filters filters = { 0 }, again = { 0 };
    struct err err = { 0 };
    if (filters_parse(text, &filters, &err) < 0)
        return;
    AUTO_FREE char *first = filters_encode(&filters);
    PROMISE(filters_parse(first, &again, &err) == 0);
    AUTO_FREE char *second = filters_encode(&again);
    PROMISE(str_eq(first, second));
    (void)filters_match_any(&filters, "name", "/some-name");
    (void)filters_match_labels(&filters, "label", &(struct str_map){ 0 });
}

static void run_rows(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length);
    struct string_rows rows = { 0 };
    struct err err = { 0 };
    if (rows_decode(text, &rows, &err) == 0)
        rows_clear(&rows);
}

static void run_platform(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length);
    struct platform platform, again;
    struct err err = { 0 };
    char formatted[256];
    if (platform_parse(text, &platform, &err) < 0)
        return;
    platform_format(&platform, formatted, sizeof formatted);
    PROMISE(platform_parse(formatted, &again, &err) == 0);
    PROMISE(platform_equal(&platform, &again));
    PROMISE(platform_match(&platform, &platform));
}

static void run_image(const unsigned char *bytes, size_t length)
{
    struct oci_manifest manifest;
    struct oci_index list;
    struct oci_image image;
    struct err err = { 0 };
    const char *text = (const char *)bytes;
    (void)oci_document_kind(text, length);
    if (oci_manifest_decode(text, length, &manifest, &err) == 0)
        codec_clear(&oci_manifest_type, &manifest);
    if (oci_index_decode(text, length, &list, &err) == 0)
        codec_clear(&oci_index_type, &list);
    if (oci_image_decode(text, length, &image, &err) == 0)
        codec_clear(&oci_image_type, &image);
    AUTO_FREE char *media_type = text_of(bytes, length);
    (void)media_kind_of(media_type);
}

static void run_log_line(const unsigned char *bytes, size_t length)
{
    AUTO_BUF struct buf scratch = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FREE char *exact = length ? xmemdup(bytes, length) : NULL; /* no byte behind it may be read */
    struct log_line line;
    if (length && log_line_parse(exact, length, &scratch, &line))
        PROMISE(line.text && line.time >= exact && line.time + line.time_length <= exact + length);
}

static void run_network_text(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length);
    AUTO_BUF struct buf out = BUF_INIT(1 << 20);
    struct err err = { 0 };
    struct ipam_prefix prefix;
    struct net_port port;
    int proto;
    uint16_t number;
    char formatted[20];
    if (ipam_parse_prefix(text, &prefix) == 0)
        ipam_format_prefix(prefix, formatted);
    (void)net_port_parse(text, &proto, &number, &err);
    (void)net_port_parse_host(text, text, &port, &err);
    (void)hostfiles_resolv(&(struct hostfiles_resolv){ 0 }, text, &out, &err);
    const char *const extra[] = { text, NULL };
    (void)hostfiles_hosts(&(struct hostfiles_hosts){ .hostname = "h", .extra_hosts = extra, .host_gateway = "1.2.3.4" }, &out, &err);
}

static void run_numbers(const unsigned char *bytes, size_t length)
{
    AUTO_FREE char *text = text_of(bytes, length);
    int64_t number;
    bool flag;
    struct err err = { 0 };
    struct api_version version;
    if (time_parse_rfc3339(text, &number) == 0) {
        char formatted[TIME_TEXT_SIZE];
        int64_t again;
        time_format_rfc3339nano(number, formatted);
        PROMISE(time_parse_rfc3339(formatted, &again) == 0 && again == number);
    }
    (void)time_parse_docker(text, 1700000000000000000, &number);
    (void)time_parse_duration(text, &number);
    (void)str_to_bytes(text, &number);
    (void)str_to_bool(text, &flag);
    if (api_version_parse(text, &version, &err) == 0)
        (void)api_version_check(version, &err);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const json_words[] = { "{", "}", "[", "]", ",", ":", "null", "true", "false", "\"", "\\", "\\u0000", "\\ud800", "1e999", "-0", "0.1", "99999999999999999999",
                                          "\"Image\":", "\"HostConfig\":", "\"Mounts\":[", "\"NetworkingConfig\":", "\"EndpointsConfig\":", "\"Labels\":", "\"Env\":", "\"Type\":\"bind\"",
                                          "\"MacAddress\":\"02:42:ac:11:00:09\"", "\"Created\":", "\xff", "\xc3\xa9", "[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":", NULL };
static const char *const json_seeds[] = { "{\"a\":[1,2.5,\"x\\n\",null,true,{\"b\":{}}],\"c\":-3}", "[]", "\"\\u00e9\\ud83d\\ude00\"", "[1e3,-0.0,9223372036854775807]", NULL };
static const char *const table_seeds[] = {
    "{\"Image\":\"a\",\"Cmd\":\"x\",\"Env\":[\"A=b\"],\"Labels\":{\"a\":\"b\"},\"ExposedPorts\":{\"80/tcp\":{}},\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":1000000},\"HostConfig\":{\"Memory\":67108864,"
    "\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"80\"}],\"81\":null},\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/a\",\"VolumeOptions\":{\"DriverConfig\":{\"Name\":\"x\"}}}],\"RestartPolicy\":{\"Name\":\"always\"},"
    "\"CpusetCpus\":\"0-1\",\"ExtraHosts\":[\"a:1.2.3.4\"]},\"NetworkingConfig\":{\"EndpointsConfig\":{\"n\":{\"IPAMConfig\":{\"IPv4Address\":\"1.2.3.4\"},\"Aliases\":[\"a\"]}}},\"MacAddress\":\"02:42:ac:11:00:09\"}",
    "{\"Id\":\"x\",\"Created\":\"2024-01-01T00:00:00.5Z\",\"State\":{\"Status\":\"running\",\"Pid\":1},\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"1\"}]},\"Networks\":{\"b\":{}}},\"SizeRw\":5}",
    "{\"DriverStatus\":[[\"a\",\"b\"]],\"Runtimes\":{\"runc\":{\"path\":\"runc\",\"status\":{\"k\":\"v\"}}},\"SystemTime\":\"2024-01-01T00:00:00Z\",\"BridgeNfIptables\":false}", "{}", NULL };
static const char *const reference_seeds[] = { "alpine", "alpine:3.20", "docker.io/library/alpine@sha256:" HEX, "localhost:5000/a/b_c/d-e:v1", "[::1]:5000/x", HEX, "sha256:" HEX, "alp*:[0-9]?", NULL };
static const char *const reference_words[] = { ":", "@", "/", "sha256:", HEX, "docker.io", "localhost", "..", "__", "-", "*", "[", "]", "\\", "A", NULL };
static const char *const filter_seeds[] = { "{\"label\":[\"a=b\",\"c\"],\"name\":[\"^/x.*$\"]}", "{\"status\":{\"running\":true,\"exited\":false}}", "null", "{\"dangling\":[\"1\"]}", NULL };
static const char *const filter_words[] = { "{", "}", "[", "]", "true", "\"name\":", "\"label\":", "(", ")", "*", "+", "\\\\", "[[:alpha:]]", "{1,2}", ",", NULL };
static const char *const rows_seeds[] = { "[[\"a\",\"b\"],[\"c\"]]", "[]", "null", NULL };
static const char *const platform_seeds[] = { "linux/amd64", "linux/arm/v7", "windows", "arm64", "linux(1.2)/x86_64", NULL };
static const char *const platform_words[] = { "/", "v8", "arm64", "linux", "*", "aarch64", NULL };
static const char *const image_seeds[] = {
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"digest\":\"sha256:" HEX "\",\"size\":2},\"layers\":[{\"digest\":\"sha256:" HEX "\",\"size\":1}]}",
    "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:" HEX "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\"}}]}",
    "{\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]},\"history\":[{\"empty_layer\":true},{}]}", NULL };
static const char *const image_words[] = { "\"layers\":", "\"manifests\":", "\"schemaVersion\":1", "\"fsLayers\":", "\"diff_ids\":", "sha256:", HEX, "\"size\":-1", "null", "[", "{", NULL };
static const char *const log_seeds[] = { "{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-01T00:00:00.000000001Z\"}",
                                         "{\"log\":\"\\u00e9\\ud83d\\ude00\\\"\",\"stream\":\"stderr\",\"attrs\":{\"a\":\"b\"},\"time\":\"2024-01-01T00:00:00Z\"}", NULL };
static const char *const log_words[] = { "\\u", "\\ud83d", "\\\"", "\"attrs\":{", "}", "\"time\":", "\"log\":", "\"", "\n", NULL };
static const char *const network_seeds[] = { "10.0.0.1/24", "80/tcp", "8000-8010", "name:1.2.3.4", "a=[::1]", "gw:host-gateway", "nameserver 1.2.3.4\nsearch a b\noptions ndots:1\n", "127.0.0.1", NULL };
static const char *const network_words[] = { "/", "-", ":", "65536", "tcp", "udp", "::1", "nameserver ", "search ", "options ", "\n", "\t", "host-gateway", NULL };
static const char *const number_seeds[] = { "2024-02-29T23:59:59.999999999+14:00", "0001-01-01T00:00:00Z", "1699999999.123456789", "10m", "1h2m3.5s", "64m", "1.5g", "true", "1.41", "-1", NULL };
static const char *const number_words[] = { "T", "Z", ".", "+", "-", ":", "e9", "999999999999999999999", "h", "ms", "us", "KiB", NULL };

const struct fuzz_target fuzz_text_targets[] = {
    { "json", run_json, json_seeds, NULL, json_words },
    { "tables", run_tables, table_seeds, NULL, json_words },
    { "reference", run_reference, reference_seeds, NULL, reference_words },
    { "filters", run_filters, filter_seeds, NULL, filter_words },
    { "rows", run_rows, rows_seeds, NULL, json_words },
    { "platform", run_platform, platform_seeds, NULL, platform_words },
    { "image", run_image, image_seeds, NULL, image_words },
    { "log_line", run_log_line, log_seeds, NULL, log_words },
    { "network_text", run_network_text, network_seeds, NULL, network_words },
    { "numbers", run_numbers, number_seeds, NULL, number_words },
    { NULL, NULL, NULL, NULL, NULL },
};
