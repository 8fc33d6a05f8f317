/* HEALTHCHECK. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <inttypes.h>
#include <strings.h>

#define SHORTEST_NS 1000000LL /* 1ms */

/* The four times in the order of the history's record. */
static const char *const time_flags[] = { "interval", "timeout", "start-period", "start-interval" };

static int read_time(const struct instruction *insn, const char *flag, int64_t *ret, struct err *err)
{
    const char *text = instruction_flag(insn, flag);
    *ret = 0;
    if (str_empty(text))
        return 0;
    if (time_parse_duration(text, ret) < 0)
        return err_set(err, ERR_INVALID, "time: invalid duration \"%s\"", text);
    if (*ret != 0 && *ret < SHORTEST_NS)
        return err_set(err, ERR_INVALID, "Interval \"%s\" cannot be less than 1ms", flag);
    return 0;
}

static int read_retries(const struct instruction *insn, int64_t *ret, struct err *err)
{
    const char *text = instruction_flag(insn, "retries");
    *ret = 0;
    if (str_empty(text))
        return 0;
    if (str_to_i64(text, ret) < 0 || *ret > INT32_MAX)
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
    return *ret < 0 ? err_set(err, ERR_INVALID, "--retries cannot be negative (%" PRId64 ")", *ret) : 0;
}

int check_health(struct instruction *insn, struct err *err)
{
    int64_t ignored;
    if (!insn->args)
        return TOO_FEW(err, "HEALTHCHECK");
    size_t count = strv_length(insn->args);
    if (strcasecmp(insn->args[0], "NONE") == 0)
        return count == 1 ? 0 : err_set(err, ERR_INVALID, "HEALTHCHECK NONE takes no arguments");
    if (strcasecmp(insn->args[0], "CMD") != 0)
        return err_set(err, ERR_INVALID, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", insn->args[0]);
    if (count == 1)
        return err_set(err, ERR_INVALID, "Missing command after HEALTHCHECK CMD");
    for (size_t i = 0; i < ARRAY_SIZE(time_flags); i++)
        if (read_time(insn, time_flags[i], &ignored, err) < 0)
            return -1;
    return read_retries(insn, &ignored, err);
}

/* As Go prints a time.Duration: "1m30s", "1.5s", "10ms". */
static void duration_text(struct buf *out, int64_t ns)
{
    int64_t seconds = ns / NANOS_PER_SECOND, rest = ns % NANOS_PER_SECOND;
    if (ns && ns < NANOS_PER_SECOND) {
        int64_t unit = 1000000;
        buf_printf(out, "%" PRId64, ns / unit);
        rest = ns % unit * 1000;
    } else {
        if (seconds >= 3600)
            buf_printf(out, "%" PRId64 "h", seconds / 3600);
        if (seconds >= 60)
            buf_printf(out, "%" PRId64 "m", seconds / 60 % 60);
        buf_printf(out, "%" PRId64, seconds % 60);
    }
    if (rest) {
        AUTO_FREE char *digits = str_format(".%09" PRId64, rest);
        size_t length = strlen(digits);
        while (digits[length - 1] == '0')
            digits[--length] = '\0';
        buf_puts(out, digits);
    }
    buf_puts(out, ns && ns < NANOS_PER_SECOND ? "ms" : "s");
}

/* The record Docker's builder writes, which is Go's way to print the struct with %q: a number is a character there. */
static void health_history(struct build_stage *stage, const struct oci_health_config *health)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    const int64_t times[] = { health->interval, health->timeout, health->start_period, health->start_interval };
    buf_puts(&out, "&{[");
    for (char **word = health->test; *word; word++) {
        if (word != health->test)
            buf_putc(&out, ' ');
        text_quote(&out, *word);
    }
    buf_putc(&out, ']');
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        buf_puts(&out, " \"");
        duration_text(&out, times[i]);
        buf_putc(&out, '"');
    }
    buf_puts(&out, " ");
    text_quote_char(&out, (uint32_t)health->retries);
    buf_putc(&out, '}');
    stage_history(stage, false, "HEALTHCHECK %s", out.data);
}

int apply_health(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    struct oci_health_config *health = xcalloc(1, sizeof *health);
    struct image_config_config *config = stage->config.config;
    int64_t *times[] = { &health->interval, &health->timeout, &health->start_period, &health->start_interval };
    if (config->healthcheck)
        codec_clear(&oci_health_config_type, config->healthcheck);
    free(config->healthcheck);
    config->healthcheck = health;
    bool none = strcasecmp(insn->args[0], "NONE") == 0;
    strv_append(&health->test, none ? "NONE" : insn->json ? "CMD" : "CMD-SHELL");
    strv_extend(&health->test, insn->args + 1);
    for (size_t i = 0; i < ARRAY_SIZE(times) && !none; i++)
        if (read_time(insn, time_flags[i], times[i], err) < 0)
            return -1;
    if (!none && read_retries(insn, &health->retries, err) < 0)
        return -1;
    health_history(stage, health);
    return 0;
}
