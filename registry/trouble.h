/* What went wrong below HTTP, in the words people know from Docker's messages. */
#pragma once
#include "registry/http.h"

/* Fills exchange->trouble and failure from a CURLcode. */
void trouble_from_curl(struct exchange *exchange, int curl_code);
/* "Get", "Head", ... as they stand in front of a URL. */
const char *trouble_method(const char *method);
