/* Base64 with padding, in the plain and in the URL alphabet. Reading takes either, with padding or without. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

char *base64_encode(const void *bytes, size_t length, bool url); /* caller frees */
/* NULL for anything that is no base64. NUL added behind the bytes; caller frees. */
char *base64_decode(const char *text, size_t *ret_length);
