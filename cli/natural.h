/* The order of names in lists: runs of digits compare as numbers, "net2" before "net10". */
#pragma once
int natural_compare(const char *a, const char *b);
