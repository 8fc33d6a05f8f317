/* Templates: any text is parsed, and run on a record, on a typed struct and on plain JSON. */
#include "cli/fuzz_replay.h"
#include "cli/template.h"
#include "lib/api/container.h"

static const char sample[] =
    "{\"Id\":\"0123\",\"Name\":\"/"
    "web\",\"Args\":[\"a\",\"b\",3,null],\"State\":{\"Status\":\"running\",\"Pid\":42,\"X\":1.5e300},"
    "\"Config\":{\"Cmd\":[\"sh\",\"-c\"],\"Labels\":{\"zz\":\"1\",\"a.b\":\"<c>\"},\"Entrypoint\":null},"
    "\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"81/tcp\":null}}}";

#ifndef FUZZING
static const char *const seeds[] = {
    "{{.Name}} {{.ID}} {{json .State}} {{.State.Health.Status}} {{.Config.Labels.zz}}",
    "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{else}}-{{end}}{{range .Args}}{{break}}{{continue}}{{end}}",
    "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}{{slice .Args 1 2}}{{slice \"abc\" 1}}{{len "
    ".Args}}",
    "{{if and .Name (eq .Name \"x\" \"y\")}}a{{else if or false 1}}b{{else}}c{{end}}{{with $x := "
    ".Config}}{{$x.Cmd}}{{end}}",
    "{{define \"t\"}}[{{.}}]{{end}}{{template \"t\" .Name}}{{block \"b\" .}}x{{end}}{{/* c */}} {{- 1 -}} z",
    "{{printf \"%5d|%-4s|%04x|%q|%v|%T|%.2f|%*d|%[1]s|%%\" 42 \"x\" 255 \"h\" .Args 1 1.5 3 4}}",
    "{{join .Config.Cmd \" \"}}{{split \"a,b\" \",\"}}{{upper .Name | lower | title}}{{pad \"x\" 1 2}}{{truncate "
    "\"abc\" 2}}",
    "{{html \"<\"}}{{js \"'\"}}{{urlquery \"a b\"}}{{print 1 2}}{{println}}{{not 1}}{{lt 1 2}}{{.Label "
    "\"zz\"}}{{`raw`}}{{'a'}}{{0x1F}}{{1e6}}",
};
#endif

static void run(const struct template *template, struct template_data data, const struct json *json)
{
    AUTO_BUF struct buf out = BUF_INIT(1 << 16);
    struct err err = { 0 };
    data.json = json;
    (void)template_execute(template, &data, &out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(json_free) struct json *json = NULL;
    CLEANUP(template_free) struct template *template = NULL;
    AUTO_FREE char *text = xstrndup((const char *)bytes, length);
    struct err err = { 0 };
    if (template_parse("", text, &template, &err) < 0 || json_parse(sample, sizeof sample - 1, &json, &err) < 0)
        return 0;
    run(template, (struct template_data){ .type = &container_inspect_type }, json);
    run(template, (struct template_data){ .missing_is_error = true }, json);
    run(template, (struct template_data){ .is_header = true }, json);
    run(template, (struct template_data){ .go_type = "*formatter.Context", .labels = json }, json);
    return 0;
}

FUZZ_MAIN("{}|.$()\"`'\\:=,- %0[*]", 1500)
