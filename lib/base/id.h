/* Random ids: 64 lower-case hex digits from getrandom; the short form is the first 12. Like Docker, an
 * id whose first 12 digits are all decimal is drawn again (a host name must not look like a number). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#define ID_LENGTH 64
#define ID_SHORT_LENGTH 12
void id_new(char ret[ID_LENGTH + 1]);
void id_random_hex(char *ret, size_t digits); /* digits + NUL */
bool id_valid(const char *text);              /* exactly 64 lower-case hex */
