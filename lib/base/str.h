/* Short text: comparing, formatting into owned strings, strict number parsing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_empty(const char *s);             /* NULL or "" */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* The rest after the prefix, or NULL when s does not start with it. */
const char *str_after(const char *s, const char *prefix);
char *str_format(const char *format, ...) __attribute__((format(printf, 1, 2))); /* caller frees; aborts on no memory */
char *str_vformat(const char *format, __builtin_va_list args) __attribute__((format(printf, 1, 0)));
char *str_lower(char *s);     /* ASCII, in place; returns s */
char *str_trim(char *s);      /* white space of both ends, in place; returns a pointer into s */
/* Whole string must be a number in range. 0 or -EINVAL / -ERANGE. base 10 unless said. */
int str_to_i64(const char *s, int64_t *ret);
int str_to_u64(const char *s, uint64_t *ret);
int str_to_u64_base(const char *s, int base, uint64_t *ret);
int str_to_double(const char *s, double *ret);
/* Go's strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. 0 or -EINVAL. */
int str_to_bool(const char *s, bool *ret);
/* "64m" "1.5g" "100kb" "10" to bytes, as docker's units.RAMInBytes (powers of 1024). 0 or -EINVAL. */
int str_to_bytes(const char *s, int64_t *ret);
bool str_is_hex(const char *s, size_t length); /* exactly length lower-case hex digits */
/* Copies, always ends with NUL, returns false when it was cut. */
bool str_copy(char *dst, size_t size, const char *src);
bool utf8_valid(const char *bytes, size_t length);
