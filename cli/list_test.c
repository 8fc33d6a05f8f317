/* Columns of ps, and JSON as inspect indents it. */
#include "cli/container.h"
#include "cli/inspect.h"
#include "lib/base/test.h"

struct port {
    const char *ip;
    int64_t private_port, public_port;
    const char *type;
};

static void ports(const struct port *list, size_t count, const char *want)
{
    struct container_summary container = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct port_summary *port = list_add(&container.ports);
        *port = (struct port_summary){ xstrdup(list[i].ip), list[i].private_port, list[i].public_port, xstrdup(list[i].type) };
    }
    AUTO_FREE char *text = ports_text(&container);
    CHECK_STR(text, want);
    codec_clear(&container_summary_type, &container);
}
#define PORTS(want, ...) ports((const struct port[]){ __VA_ARGS__ }, ARRAY_SIZE(((const struct port[]){ __VA_ARGS__ })), want)

TEST(port_column)
{
    ports(NULL, 0, "");
    PORTS("80/tcp", { NULL, 80, 0, "tcp" });
    PORTS("0.0.0.0:8080->80/tcp", { "0.0.0.0", 80, 8080, "tcp" });
    PORTS("0.0.0.0:80-82->80-82/tcp", { "0.0.0.0", 81, 81, "tcp" }, { "0.0.0.0", 80, 80, "tcp" }, { "0.0.0.0", 82, 82, "tcp" });
    PORTS("[::]:80->80/tcp", { "::", 80, 80, "tcp" });
    PORTS("0.0.0.0:80->80/tcp, [::]:80->80/tcp", { "::", 80, 80, "tcp" }, { "0.0.0.0", 80, 80, "tcp" });
    PORTS("80/tcp, 82/tcp, 80/udp", { NULL, 80, 0, "tcp" }, { NULL, 80, 0, "udp" }, { NULL, 82, 0, "tcp" });
    PORTS("7000/tcp, 1.2.3.4:9000->9000/tcp, 0.0.0.0:32768->53/udp, 0.0.0.0:8080->80/tcp", { "0.0.0.0", 80, 8080, "tcp" },
          { NULL, 7000, 0, "tcp" }, { "1.2.3.4", 9000, 9000, "tcp" }, { "0.0.0.0", 53, 32768, "udp" });
}

static void indent(const char *text, const char *want)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    json_indent(text, strlen(text), "", "  ", &out);
    CHECK_STR(out.data ? out.data : "", want);
}

TEST(indenting)
{
    indent("{}", "{}");
    indent("[]", "[]");
    indent("{\"a\":1}", "{\n  \"a\": 1\n}");
    indent("{\"a\":[],\"b\":{}}", "{\n  \"a\": [],\n  \"b\": {}\n}");
    indent("[1,[2],{\"x\":null}]", "[\n  1,\n  [\n    2\n  ],\n  {\n    \"x\": null\n  }\n]");
    indent("{\"a\" : \"x: {},[\\\"\"}\n", "{\n  \"a\": \"x: {},[\\\"\"\n}");
    indent("\"\\u003c\"", "\"\\u003c\"");
    indent("1.50", "1.50");
}

TESTS(T(port_column), T(indenting))
