/* Signals that belong to a container: sent on to it, and the size of its terminal kept like ours. A thread of its own waits
 * for them, with a connection of its own, so that a blocked write of output never delays a ctrl-C. */
#pragma once
#include "cli/api.h"
#include "cli/terminal.h"

struct signals;
/* target: "/containers/<id>" or "/exec/<id>"; copied. proxy: signals go to the container (kill). resize: SIGWINCH and the size
 * at the start go to it. terminal: restored when the client ends by force (the third ctrl-C); may be NULL. Call it before
 * other threads start; what it takes over stays blocked in the caller. */
struct signals *signals_start(const struct cli *cli, const char *target, bool proxy, bool resize, struct terminal *terminal);
/* Sends the size of our terminal, as at the first moment when the container can take it. */
void signals_resize_now(struct signals *signals);
void signals_stop(struct signals *signals);
CLEANUP_FN(struct signals, signals_stop)
