/* One line per event: time, level, message, key=value pairs. Secrets (auth headers, build args,
 * environment values) never come here. The only mutable global of the house. */
#pragma once
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_setup(int fd, enum log_level least, const char *tag); /* tag: program name, copied, max 31 */
void log_set_level(enum log_level least);
enum log_level log_get_level(void);
/* "debug" "info" "warn"/"warning" "error"/"fatal"; 0 or -EINVAL */
int log_level_parse(const char *text, enum log_level *ret);
/* message is printf-formatted; write pairs as " key=value" in it: log_info("started container=%s took_ms=%lld", ...) */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
