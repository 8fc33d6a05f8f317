#include "lib/store/store.h"

const char store_schema_1[] = STORE_SCHEMA_1;
