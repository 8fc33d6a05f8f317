/* The functions behind the rows of instructions.c: one file per group of instructions. */
#pragma once
#include "builder/parse.h"

#define INSN_CHECK(name) int name(struct instruction *insn, struct err *err)
#define INSN_APPLY(name) int name(struct build_stage *stage, struct instruction *insn, struct err *err)

/* insn_env.c */
INSN_CHECK(check_pairs);
INSN_CHECK(check_arg);
INSN_APPLY(apply_env);
INSN_APPLY(apply_label);
INSN_APPLY(apply_arg);
/* insn_from.c */
INSN_CHECK(check_from);
/* insn_copy.c */
INSN_CHECK(check_copy);
INSN_APPLY(apply_copy);
/* insn_run.c */
INSN_CHECK(check_run);
INSN_APPLY(apply_run);
/* insn_workdir.c */
INSN_APPLY(apply_workdir);
/* insn_config.c */
INSN_CHECK(check_one);
INSN_CHECK(check_some);
INSN_CHECK(check_shell);
INSN_CHECK(check_volume);
INSN_CHECK(check_onbuild);
INSN_APPLY(apply_cmd);
INSN_APPLY(apply_entrypoint);
INSN_APPLY(apply_shell);
INSN_APPLY(apply_user);
INSN_APPLY(apply_volume);
INSN_APPLY(apply_expose);
INSN_APPLY(apply_stopsignal);
INSN_APPLY(apply_maintainer);
INSN_APPLY(apply_onbuild);
/* insn_health.c */
INSN_CHECK(check_health);
INSN_APPLY(apply_health);
