/* top and diff. */
#include "cli/container.h"
#include "cli/table.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>

#define TOP_MIN_WIDTH 20

static int run_top(struct cli *cli, void *options, char **args)
{
    AUTO_TARGET(target);
    AUTO_BUF struct buf lines = BUF_INIT(BUF_TEXT_MAX);
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct container_top_response response;
    struct string_rows rows = { 0 };
    struct err err = { 0 };
    (void)options;
    api_path(&target, "/containers/%s/top", args[0]);
    if (args[1]) {
        AUTO_FREE char *ps_args = strv_join(args + 1, " ");
        http_query_add(&target, "ps_args", ps_args);
    }
    if (api_get(cli, target.data, &container_top_response_type, &response, &err) < 0)
        return cli_fail(cli, &err);
    AUTO_FREE char *titles = strv_join(response.titles, "\t");
    buf_printf(&lines, "%s\n", titles);
    int ret = rows_decode(response.processes, &rows, &err);
    for (size_t i = 0; ret == 0 && i < rows.count; i++) {
        AUTO_FREE char *line = strv_join(rows.rows[i], "\t");
        buf_printf(&lines, "%s\n", line);
    }
    rows_clear(&rows);
    codec_clear(&container_top_response_type, &response);
    if (ret < 0)
        return cli_fail(cli, &err);
    table_layout(lines.data, lines.length, TOP_MIN_WIDTH, TABLE_PADDING, &out);
    (void)fwrite(out.data, 1, out.length, stdout);
    return 0;
}

const struct command command_container_top = {
    .path = "container top",
    .top = "top",
    .usage = "CONTAINER [ps OPTIONS]",
    .help = "Display the running processes of a container",
    .options = COMMAND_STOP_AT_ARG,
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_top,
};

static int run_diff(struct cli *cli, void *options, char **args)
{
    static const char letters[] = "CAD";
    AUTO_TARGET(target);
    CODEC_LIST(struct filesystem_change) list = { 0 };
    struct err err = { 0 };
    (void)options;
    api_path(&target, "/containers/%s/changes", args[0]);
    if (api_get_list(cli, target.data, &filesystem_change_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    for (size_t i = 0; i < list.count; i++) {
        int64_t kind = list.items[i].kind;
        printf("%c %s\n", kind >= 0 && kind < 3 ? letters[kind] : '?', list.items[i].path);
    }
    api_list_clear(&filesystem_change_type, &list);
    return 0;
}

const struct command command_container_diff = {
    .path = "container diff",
    .top = "diff",
    .usage = "CONTAINER",
    .help = "Inspect changes to files or directories on a container's filesystem",
    .min_args = 1,
    .max_args = 1,
    .run = run_diff,
};
