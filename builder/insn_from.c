/* FROM begins a stage: graph.c reads it. */
#include "builder/insn.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <strings.h>

static bool stage_name_valid(const char *name)
{
    if (!isalpha((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
            return false;
    return true;
}

int check_from(struct instruction *insn, struct err *err)
{
    size_t count = strv_length(insn->args);
    bool named = count == 3 && strcasecmp(insn->args[1], "as") == 0;
    if (count != 1 && !named)
        return err_set(err, ERR_INVALID, "FROM requires either one or three arguments");
    if (named && !stage_name_valid(insn->args[2]))
        return err_set(err, ERR_INVALID,
                       "invalid name for build stage: \"%s\", name can't start with a number or contain symbols",
                       insn->args[2]);
    return 0;
}
