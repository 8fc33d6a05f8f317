/* WORKDIR. */
#include "builder/insn.h"
#include "builder/stage.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

int apply_workdir(struct build_stage *stage, struct instruction *insn, struct err *err)
{
    AUTO_FREE char *written = NULL;
    if (stage_expand(stage, insn->args[0], &written, err) < 0)
        return -1;
    struct image_config_config *config = stage->config.config;
    AUTO_FREE char *joined = stage_path(stage, written);
    AUTO_FREE char *clean = path_clean(joined);
    char *kept = xstrdup(*written == '/' ? written : clean); /* an absolute one stays as it was written */
    free(config->working_dir);
    config->working_dir = kept;
    if (str_eq(kept, "/")) {
        stage_history(stage, false, "WORKDIR %s", kept);
        return 0;
    }
    struct step *step = stage_step(stage, STEP_WORKDIR);
    step->workdir = xstrdup(clean);
    step->owner = xstrdup(config->user ? config->user : "");
    step->history = stage_history(stage, true, "WORKDIR %s", kept);
    return 0;
}
