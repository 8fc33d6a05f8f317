#include "cli/template.h"
#include "lib/api/container.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

static const char container[] =
    "{\"Id\":\"0123\",\"Name\":\"/web\",\"Created\":\"2026-01-02T03:04:05Z\",\"Args\":[\"a\",\"b\"],"
    "\"State\":{\"Status\":\"running\",\"Running\":true,\"Pid\":42},\"Config\":{\"Image\":\"busybox\",\"Cmd\":[\"sh\","
    "\"-c\",\"x\"],"
    "\"Labels\":{\"zz\":\"1\",\"a.b\":\"<c>\"},\"Entrypoint\":null},"
    "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"81/tcp\":null}}}";

static char result[8192];

/* The output, or "! " and the message. */
static const char *run(const char *json_text, const char *text, const struct template_data *like)
{
    CLEANUP(json_free) struct json *json = NULL;
    CLEANUP(template_free) struct template *template = NULL;
    AUTO_BUF struct buf out = BUF_INIT(4096);
    struct err err = { 0 };
    struct template_data data = *like;
    if (json_parse(json_text, strlen(json_text), &json, &err) == 0 && template_parse("", text, &template, &err) == 0) {
        data.json = json;
        if (template_execute(template, &data, &out, &err) == 0)
            snprintf(result, sizeof result, "%s", out.data ? out.data : "");
    }
    if (err.kind)
        snprintf(result, sizeof result, "! %s", err.text);
    return result;
}

static const char *typed(const char *text)
{
    return run(container, text, &(struct template_data){ .type = &container_inspect_type });
}

static const char *plain(const char *text)
{
    return run(container, text, &(struct template_data){ .missing_is_error = true });
}

static const char *record(const char *text)
{
    CLEANUP(json_free) struct json *labels = json_new_map();
    json_set_take(labels, "com.example.some-name", json_new_text("v"));
    return run("{\"Names\":\"web\",\"ID\":\"0123\",\"Command\":\"\\\"<x>\\\"\"}", text,
               &(struct template_data){ .go_type = "*formatter.ContainerContext", .labels = labels });
}

TEST(fields)
{
    CHECK_STR(typed("{{.Name}} {{.State.Pid}} {{.State.Running}}"), "/web 42 true");
    CHECK_STR(typed("{{.ID}} {{.HostConfig.CPUShares}}"), "0123 0");
    CHECK_STR(typed("{{.Id}}"),
              "! template: :1:2: executing \"\" at <.Id>: can't evaluate field Id in type container_inspect");
    CHECK_STR(plain("{{.Id}}"), "0123");
    CHECK_STR(typed("{{.Config.Labels.zz}}{{.Config.Labels.none}}"), "1<no value>");
    CHECK_STR(typed("{{.Config.Entrypoint}} {{.HostConfig.Memory}} {{.HostConfig.Init}} {{.Config.Labels}}"),
              "[] 0 <nil> map[a.b:<c> zz:1]");
    CHECK_STR(typed("{{.Foo}}"),
              "! template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type container_inspect");
    CHECK_STR(plain("a\n{{.State.Foo.Bar}}"),
              "! template: :2:8: executing \"\" at <.State.Foo.Bar>: map has no entry for key \"Foo\"");
    CHECK_STR(plain("{{.Name.Foo}}"),
              "! template: :1:7: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type interface {}");
    CHECK_STR(typed("{{.Name 1}}"),
              "! template: :1:2: executing \"\" at <.Name>: Name is not a method but has arguments");
}

TEST(absent_members_have_go_zeros)
{
    CHECK_STR(typed("{{if .State.Health}}yes{{else}}no{{end}}"), "no");
    CHECK_STR(typed("{{.State.Health}}"), "<nil>");
    CHECK_STR(
        typed("{{.State.Health.Status}}"),
        "! template: :1:8: executing \"\" at <.State.Health.Status>: nil pointer evaluating *health_state.Status");
    CHECK_STR(
        typed("{{len (index .NetworkSettings.Ports \"81/tcp\")}} {{len (index .NetworkSettings.Ports \"9/tcp\")}}"),
        "0 0");
    CHECK_STR(typed("{{index .Config.Labels \"none\"}}|{{json .State.Health}}|{{json .Config.Labels}}"),
              "|null|{\"zz\":\"1\",\"a.b\":\"<c>\"}");
}

TEST(ports)
{
    CHECK_STR(typed("{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}"), "8080");
    CHECK_STR(
        typed("{{range $p, $c := .NetworkSettings.Ports}}{{$p}}={{if $c}}{{(index $c 0).HostPort}}{{end}};{{end}}"),
        "80/tcp=8080;81/tcp=;");
    CHECK_STR(typed("{{.NetworkSettings.Ports}}"), "map[80/tcp:[{0.0.0.0 8080}] 81/tcp:[]]");
}

TEST(records)
{
    CHECK_STR(record("{{.Names}}\t{{.Label \"com.example.some-name\"}}|{{.Label \"x\"}}"), "web\tv|");
    CHECK_STR(record("{{json .}}"), "{\"Command\":\"\\\"\\u003cx\\u003e\\\"\",\"ID\":\"0123\",\"Names\":\"web\"}");
    CHECK_STR(record("{{json .Command}}"), "\"\\\"<x>\\\"\"");
    CHECK_STR(
        record("{{.Foo}}"),
        "! template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type *formatter.ContainerContext");
    CHECK_STR(run("{\"ID\":\"CONTAINER ID\"}", "{{json .ID}} {{lower .ID}} {{.Nope}} {{.Label \"a.b.some-name\"}}",
                  &(struct template_data){ .is_header = true }),
              "CONTAINER ID CONTAINER ID <no value> some name");
}

TEST(clauses)
{
    CHECK_STR(typed("{{if false}}a{{else if true}}b{{else}}c{{end}}"), "b");
    CHECK_STR(typed("{{with .Config}}{{.Image}}{{end}}{{with false}}{{else with .x}}{{end}}"),
              "! template: :1:59: executing \"\" at <.x>: can't evaluate field x in type container_inspect");
    CHECK_STR(typed("{{range $i, $e := .Args}}{{if $i}},{{end}}{{$e}}{{end}}{{range .ExecIDs}}{{else}}-{{end}}"),
              "a,b-");
    CHECK_STR(typed("{{range .Config.Cmd}}{{if eq . \"-c\"}}{{continue}}{{end}}{{.}}{{end}} {{range 3}}{{if eq . "
                    "1}}{{break}}{{end}}{{.}}{{end}}"),
              "shx 0");
    CHECK_STR(typed("{{$x := 5}}{{$x}}{{if true}}{{$x = 6}}{{$y := 1}}{{end}}{{$x}}"), "56");
    CHECK_STR(typed("{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Name}}{{block \"b\" 1}}<{{.}}>{{end}}"),
              "[/web]<1>");
    CHECK_STR(typed("{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}"),
              "! template: :1:25: executing \"\" at <{{template \"t\"}}>: exceeded maximum template depth (500)");
    CHECK_STR(typed("{{range .Name}}{{end}}"),
              "! template: :1:8: executing \"\" at <.Name>: range can't iterate over /web");
}

TEST(spaces_and_comments)
{
    CHECK_STR(typed("a  {{- 1 -}}  b{{/* c */}} {{- /* d */ -}} e"), "a1be");
    CHECK_STR(typed("{{\"a\\tb\\u0041\\x41\\101\"}}{{`r\\n`}}{{'a'}}{{0x1F}}{{-5}}{{1.5e3}} {{1e6}}"),
              "a\tbAAAr\\n9731-51500 1e+06");
}

TEST(functions)
{
    CHECK_STR(
        typed("{{join .Config.Cmd \" \"}} {{upper .Name}} {{title \"a b\"}} {{pad \"x\" 1 2}}| {{truncate \"abc\" 2}}"),
        "sh -c x /WEB A B  x  | ab");
    CHECK_STR(typed("{{split \"a,b\" \",\"}}{{len (split \"\" \",\")}}{{split \"ab\" \"\"}}"), "[a b]1[a b]");
    CHECK_STR(
        typed("{{printf \"%5d|%-4s|%04x|%q|%v\" 42 \"x\" 255 \"<h\" .Args}}{{printf \"%[2]s%[1]s\" \"a\" \"b\"}}"),
        "   42|x   |00ff|\"<h\"|[a b]ba");
    CHECK_STR(typed("{{print 1 2 \"a\" 3}}{{println}}{{html \"<&\"}}{{js \"'\"}}{{urlquery \"a b\"}}"),
              "1 2a3\n&lt;&amp;\\'a+b");
    CHECK_STR(typed("{{slice \"abcdef\" 1 3}}{{slice .Args 1}}{{index .Args 1}}{{len .Args}}{{not 1}}"),
              "bc[b]b2false");
    CHECK_STR(typed("{{and 1 0 .Foo}}{{or 0 \"x\" .Foo}}{{eq 1 2 1}}{{ne 1 2}}{{lt 1 2}}{{ge \"a\" \"b\"}}"),
              "0xtruetruetruefalse");
    CHECK_STR(typed("{{.Name | upper | printf \"%s-%s\" \"x\"}}"), "x-/WEB");
    CHECK_STR(typed("{{eq 1 \"a\"}}"), "! template: :1:2: executing \"\" at <eq 1 \"a\">: error calling eq: "
                                       "incompatible types for comparison: int and string");
    CHECK_STR(typed("{{upper 5}}"), "! template: :1:8: executing \"\" at <5>: expected string; found 5");
    CHECK_STR(typed("{{upper}}"),
              "! template: :1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 0");
    CHECK_STR(typed("{{index .Args 7}}"),
              "! template: :1:2: executing \"\" at <index .Args 7>: error calling index: index out of range: 7");
    CHECK_STR(typed("{{pad \"x\" 1 100000000}}"), "! template: :1:2: executing \"\" at <pad \"x\" 1 100000000>: error "
                                                  "calling pad: a width is not between 0 and 100000");
}

TEST(mistakes_of_grammar)
{
    static const char *const cases[][2] = {
        { "{{", "unclosed action" },
        { "{{\n\n", "unclosed action started at :1" },
        { "{{.ID", "unclosed action" },
        { "{{foo}}", "function \"foo\" not defined" },
        { "{{.Name}", "bad character U+007D '}'" },
        { "{{}}", "missing value for command" },
        { "{{if}}{{end}}", "missing value for if" },
        { "{{if .Name}}", "unexpected EOF" },
        { "{{end}}", "unexpected {{end}}" },
        { "{{else}}", "unexpected {{else}}" },
        { "{{$x}}", "undefined variable \"$x\"" },
        { "{{(1}}", "unclosed left paren" },
        { "{{1)}}", "unexpected right paren" },
        { "{{\"x\".Foo}}", "unexpected . after term \"\\\"x\\\"\"" },
        { "{{.Name.}}", "unexpected <.> in operand" },
        { "{{1 | 2}}", "non executable command in pipeline stage 2" },
        { "{{\"abc", "unterminated quoted string" },
        { "{{1x}}", "bad number syntax: \"1x\"" },
        { "{{break}}", "{{break}} outside {{range}}" },
        { "{{/* foo }}", "unclosed comment" },
        { "{{$a, $b := 1}}", "too many declarations in command" },
        { "{{99999999999999999999}}", "integer overflow: \"99999999999999999999\"" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *text = typed(cases[i][0]), *colon = str_after(text, "! template: :");
        CHECK(colon);
        colon = colon ? strstr(colon, ": ") : NULL;
        CHECK_STR(colon ? colon + 2 : text, cases[i][1]);
    }
}

TEST(bounds)
{
    AUTO_BUF struct buf deep = BUF_INIT(1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_putc(&deep, '(');
    AUTO_FREE char *text = str_format("{{%s", deep.data);
    CHECK_STR(typed(text), "! template: :1: max expression depth exceeded");
    CHECK(strstr(typed("{{range 2000}}xxxx{{end}}"), "the output is larger than 4096 bytes"));
    CHECK(strstr(typed("{{range 100000}}{{range 100000}}{{end}}{{end}}"), "turns of loops"));
}

TESTS(T(fields), T(absent_members_have_go_zeros), T(ports), T(records), T(clauses), T(spaces_and_comments),
      T(functions), T(mistakes_of_grammar), T(bounds))
