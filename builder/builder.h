/* A Dockerfile and a context become an image. The builder plans every step of the stages that are needed (all variables
 * expanded, all errors of the text found) and then makes them one after the other, asking its backend for whatever
 * touches images, layers, containers and files. It knows nothing of the engine beyond the verbs of backend.h.
 *
 * Steps that make a layer are remembered under a key made of the layers below, the expanded instruction and the content
 * of what it reads. */
#pragma once
#include "builder/backend.h"

struct build_backend {
    void *arg;
    /* One verb: request and reply are the structs of its row (reply zeroed by the caller, who clears it). fd goes
     * beside the request or is -1; *ret_fd (may be NULL) is a fd beside the reply or -1, the caller's. */
    int (*call)(void *arg, enum build_verb verb, const void *request, int fd, void *reply, int *ret_fd,
                struct err *err);
    /* A line of the build's answer. */
    int (*progress)(void *arg, const struct job_progress *progress, struct err *err);
    /* Independent stages are made by threads of their own, so both functions are called from several at once. A failure
     * of one returns from builder_run() when the others have ended what they are at; impatient: at once, and the caller
     * leaves everything it gave in place until the process ends. */
    bool impatient;
};

/* The Dockerfile of a context (name "" = "Dockerfile", then "dockerfile"), and the patterns of NAME.dockerignore or
 * .dockerignore (NULL when there is neither). ERR_INTERNAL "Cannot locate specified Dockerfile: ..." (Docker answers 500), ERR_INVALID for
 * one that is too large. The caller frees. */
int builder_read_dockerfile(int context_fd, const char *name, char **ret_text, size_t *ret_length, struct err *err);
int builder_read_ignore(int context_fd, const char *name, char ***ret_patterns, struct err *err);

/* text: the Dockerfile. job_fd: the directory params->job_dir, with the context below "context" (what is ignored is
 * gone already). ERR_INVALID for what is wrong with the text, the backend's errors else. A command that failed has sent
 * the progress status "exit-code" before. *ret_image_id is the caller's. */
int builder_run(const struct build_backend *backend, const struct job_build *params, const char *text, size_t length,
                int job_fd, char **ret_image_id, struct err *err);
