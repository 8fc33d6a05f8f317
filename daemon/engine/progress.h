/* Lines of Docker's progress streams, from worker progress and from the engine itself. */
#pragma once
#include "daemon/engine/engine.h"
#include "lib/jobs/kinds.h"

struct progress {
    struct sink *sink;
    bool begun;
};
int progress_status(struct progress *progress, const char *id, const char *format, ...) __attribute__((format(printf, 3, 4)));
int progress_bytes(struct progress *progress, const char *id, const char *status, int64_t current, int64_t total);
int progress_stream(struct progress *progress, const char *text);
int progress_aux(struct progress *progress, const char *json, bool with_detail /* as push has it: "progressDetail":{} */);
int progress_job(struct progress *progress, const struct job_progress *job);
/* After a failure: as a line when the stream has begun (0), else -1 so that it becomes the status. */
int progress_failed(struct progress *progress, int64_t code, const struct err *err);
