#include "builder/changes.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#define BASE                                                                                                           \
    "{\"User\":\"1\",\"Env\":[\"A=1\",\"B=two words\"],\"Cmd\":[\"sh\"],\"ArgsEscaped\":true,\"WorkingDir\":\"/w\","   \
    "\"Labels\":{\"l\":\"1\"}}"

/* The configuration after the changes as JSON, or "kind: error". */
static char *changed(const char *base, char *const *changes)
{
    struct image_config_config config;
    struct err err = { 0 };
    CHECK_INT(codec_decode(&image_config_config_type, base, strlen(base), &config, &err), 0);
    char *text = config_changes_apply(&config, changes, &err) < 0
                     ? str_format("%s: %s", err_kind_name(err.kind), err.text)
                     : codec_encode_dup(&image_config_config_type, &config);
    codec_clear(&image_config_config_type, &config);
    return text;
}

struct row {
    const char *base, *changes[3], *want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CLEANUP(strv_free) char **changes = NULL;
        for (size_t n = 0; n < ARRAY_SIZE(rows[i].changes) && rows[i].changes[n]; n++)
            strv_append(&changes, rows[i].changes[n]);
        AUTO_FREE char *got = changed(rows[i].base, changes);
        CHECK_STR(got, rows[i].want);
    }
}

TEST(commands_in_both_forms)
{
    static const struct row rows[] = {
        { "{}", { "CMD echo $A" }, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]}" },
        { "{\"ArgsEscaped\":true}", { "cmd [\"echo\", \"hi\"]" }, "{\"Cmd\":[\"echo\",\"hi\"]}" },
        { "{}", { "CMD" }, "{\"Cmd\":[\"/bin/sh\",\"-c\"]}" },
        { "{\"Shell\":[\"/s\",\"-x\"]}", { "CMD a b" }, "{\"Cmd\":[\"/s\",\"-x\",\"a b\"],\"Shell\":[\"/s\",\"-x\"]}" },
        { "{\"Cmd\":[\"sh\"]}", { "ENTRYPOINT [\"e\"]" }, "{\"Entrypoint\":[\"e\"]}" },
        { "{\"Cmd\":[\"sh\"]}",
          { "CMD [\"c\"]", "ENTRYPOINT e" },
          "{\"Cmd\":[\"c\"],\"Entrypoint\":[\"/bin/sh\",\"-c\",\"e\"]}" },
        { "{\"Entrypoint\":[\"e\"]}", { "ENTRYPOINT []" }, "{}" },
        { "{\"Entrypoint\":[\"e\"]}", { "ENTRYPOINT" }, "{}" },
        { "{}", { "CMD a \\", "b" }, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]}" },
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(variables_are_the_environment)
{
    static const struct row rows[] = {
        { "{\"Env\":[\"A=1\",\"B=two words\"]}",
          { "ENV A=2 C=$A\nENV D=${B}-${NO:-d}", "ENV E='$A' F=\\$A" },
          "{\"Env\":[\"A=2\",\"B=two words\",\"C=1\",\"D=two words-d\",\"E=$A\",\"F=$A\"]}" },
        { "{}", { "ENV X hello  world" }, "{\"Env\":[\"X=hello  world\"]}" },
        { "{}", { "# escape=`\nENV X=`$A" }, "{\"Env\":[\"X=$A\"]}" },
        { "{\"Env\":[\"A=1\"]}",
          { "USER $A", "STOPSIGNAL $A", "LABEL $A=x$A" },
          "{\"User\":\"1\",\"Env\":[\"A=1\"],\"Labels\":{\"1\":\"x1\"},\"StopSignal\":\"1\"}" },
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(everything_else_that_is_allowed)
{
    static const struct row rows[] = {
        { "{\"ExposedPorts\":{\"9/udp\":{}}}",
          { "EXPOSE 80 90-91/udp" },
          "{\"ExposedPorts\":{\"9/udp\":{},\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}}" },
        { "{}",
          { "HEALTHCHECK --interval=5s --retries=3 CMD curl x" },
          "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl x\"],\"Interval\":5000000000,\"Retries\":3}}" },
        { "{}", { "HEALTHCHECK NONE" }, "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}" },
        { "{\"OnBuild\":[\"a\"]}", { "ONBUILD RUN   x  y" }, "{\"OnBuild\":[\"a\",\"RUN   x  y\"]}" },
        { "{\"Volumes\":{\"/v\":{}}}",
          { "VOLUME [\" /a \"]", "VOLUME /b /v" },
          "{\"Volumes\":{\"/v\":{},\"/a\":{},\"/b\":{}}}" },
        { "{\"WorkingDir\":\"/w\"}", { "WORKDIR y", "WORKDIR ../z" }, "{\"WorkingDir\":\"/w/z\"}" },
        { "{}", { "WORKDIR /a/../b/" }, "{\"WorkingDir\":\"/b\"}" },
        { BASE,
          { "USER 5" },
          "{\"User\":\"5\",\"Env\":[\"A=1\",\"B=two "
          "words\"],\"Cmd\":[\"sh\"],\"ArgsEscaped\":true,\"WorkingDir\":\"/w\","
          "\"Labels\":{\"l\":\"1\"}}" },
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TEST(mistakes)
{
    static const struct row rows[] = {
        { "{}", { "RUN x" }, "invalid: RUN is not a valid change command" },
        { "{}", { "CMD a", "foo bar" }, "invalid: foo is not a valid change command" },
        { "{}", { "LABEL =x", "SHELL [\"a\"]" }, "invalid: SHELL is not a valid change command" },
        { "{}", { "RUN b", "ENV X" }, "invalid: ENV must have two arguments" },
        { "{}", { "EXPOSE x", "LABEL =x" }, "invalid: LABEL names can not be blank" },
        { "{}",
          { "CMD [\"a\", 1]" },
          "invalid: when using JSON array syntax, arrays must be comprised of strings only" },
        { "{}", { "CMD --x y" }, "invalid: unknown flag: --x" },
        { "{}", { "ENV X=1 Y" }, "invalid: Syntax error - can't find = in \"Y\". Must be of the form: name=value" },
        { "{}", { "ENV X=${Q:?boom}" }, "invalid: failed to process \"${Q:?boom}\": Q: boom" },
        { "{}", { "HEALTHCHECK FOO" }, "invalid: Unknown type \"FOO\" in HEALTHCHECK (try CMD)" },
        { "{}", { "ONBUILD ONBUILD RUN x" }, "invalid: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
        { "{}",
          { "ONBUILD CMD [1]" },
          "invalid: when using JSON array syntax, arrays must be comprised of strings only" },
        { "{}", { "STOPSIGNAL FOO" }, "invalid: invalid signal: FOO" },
        { "{}", { "VOLUME $NO" }, "invalid: VOLUME specified can not be an empty string" },
        { "{}", { "WORKDIR $NO" }, "invalid: cannot normalize nothing" },
        { "{}", { "" }, "invalid: file with no instructions" },
        { "{}", { "# only this" }, "invalid: file with no instructions" },
    };
    check_rows(rows, ARRAY_SIZE(rows));
}

TESTS(T(commands_in_both_forms), T(variables_are_the_environment), T(everything_else_that_is_allowed), T(mistakes))
