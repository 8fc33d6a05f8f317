/* What becomes of the daemon's answers and of flags: rows of images, subnets of a network, the order of names. */
#include "cli/image_records.h"
#include "cli/natural.h"
#include "cli/network_ipam.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

static char result[4096];

static const char *rows(char **tags, char **digests, bool show_digests)
{
    AUTO_RECORDS struct records records = RECORDS_INIT;
    AUTO_BUF struct buf out = BUF_INIT(1 << 16);
    struct err err = { 0 };
    char id[] = "sha256:0123456789abcdef";
    struct image_summary image = {
        .id = id, .repo_tags = tags, .repo_digests = digests, .size = 1984263, .shared_size = -1, .containers = -1
    };
    image_records_add(&records, &image, &(struct image_rows){ .digests = show_digests });
    CHECK_INT(format_write(&image_kind, "{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}} {{.Size}} {{.SharedSize}}", false,
                           &records, &out, &err),
              0);
    snprintf(result, sizeof result, "%s", out.data ? out.data : "");
    return result;
}
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LIST(...) ((char *[]){ __VA_ARGS__, NULL })
#define TEXT(name, text) char name[] = text

TEST(image_rows)
{
    TEXT(one, "busybox:1"), two[] = "reg:5000/a/b:x", digest[] = "busybox@sha256:" HEX, other[] = "other@sha256:" HEX,
                            none_tag[] = "<none>:<none>", none_digest[] = "<none>@<none>";
#define REST " 0123456789ab 1.98MB N/A\n"
    CHECK_STR(rows(LIST(one, two), NULL, false), "busybox 1 <none>" REST "reg:5000/a/b x <none>" REST);
    CHECK_STR(rows(LIST(one), LIST(digest, other), true), "busybox 1 sha256:" HEX REST "other <none> sha256:" HEX REST);
    CHECK_STR(rows(NULL, LIST(digest), false), "busybox <none> <none>" REST);
    CHECK_STR(rows(NULL, NULL, false), "<none> <none> <none>" REST);
    CHECK_STR(rows(LIST(none_tag), LIST(none_digest), false), "<none> <none> <none>" REST);
}

/* "subnet range gateway aux; ..." or "! " and the message. */
static const char *consolidated(char **subnets, char **ranges, char **gateways, const char *aux)
{
    struct str_map map = { 0 };
    struct ipam ipam = { 0 };
    struct err err = { 0 };
    AUTO_BUF struct buf out = BUF_INIT(4096);
    if (aux)
        str_map_set(&map, "r", aux);
    if (ipam_consolidate(&(struct ipam_input){ subnets, ranges, gateways, &map }, &ipam, &err) < 0)
        buf_printf(&out, "! %s", err.text);
    else
        for (size_t i = 0; i < ipam.config.count; i++) {
            const struct ipam_config *config = &ipam.config.items[i];
            const char *own = str_map_get(&config->aux_addresses, "r");
            buf_printf(&out, "%s %s %s %s; ", config->subnet, config->ip_range ? config->ip_range : "-",
                       config->gateway ? config->gateway : "-", own ? own : "-");
        }
    codec_clear(&ipam_type, &ipam);
    str_map_clear(&map);
    snprintf(result, sizeof result, "%s", out.data ? out.data : "");
    return result;
}

TEST(subnets)
{
    TEXT(a, "10.1.0.0/16"), b[] = "10.2.0.0/16", v6[] = "fd00::/64", inner[] = "10.1.2.0/24", gate[] = "10.2.0.1",
                            gate6[] = "fd00::1", bad[] = "bad";
    CHECK_STR(consolidated(NULL, NULL, NULL, NULL), "");
    CHECK_STR(consolidated(LIST(a, b, v6), LIST(inner), LIST(gate, gate6), "10.1.0.5"),
              "10.1.0.0/16 10.1.2.0/24 - 10.1.0.5; 10.2.0.0/16 - 10.2.0.1 -; fd00::/64 - fd00::1 -; ");
    CHECK_STR(consolidated(LIST(a, inner), NULL, NULL, NULL),
              "! multiple overlapping subnet configuration is not supported");
    CHECK_STR(consolidated(LIST(a), NULL, LIST(gate), NULL), "! no matching subnet for gateway 10.2.0.1");
    CHECK_STR(consolidated(NULL, NULL, LIST(gate), NULL),
              "! every ip-range or gateway must have a corresponding subnet");
    CHECK_STR(consolidated(LIST(a), NULL, NULL, "10.3.0.1"), "! no matching subnet for aux-address 10.3.0.1");
    CHECK_STR(consolidated(LIST(a, b), NULL, LIST(gate, gate), NULL),
              "! cannot configure multiple gateways (10.2.0.1, 10.2.0.1) for the same subnet (10.2.0.0/16)");
    CHECK_STR(consolidated(LIST(bad, a), NULL, NULL, NULL), "! invalid CIDR address: bad");
}

TEST(order_of_names)
{
    static const char *const sorted[] = { "", "a", "a1", "a2", "a10", "a10b", "a011", "b", "b9c1", "b9c02" };
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
            int order = natural_compare(sorted[i], sorted[k]);
            CHECK_INT((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

TESTS(T(image_rows), T(subnets), T(order_of_names))
