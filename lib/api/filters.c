#include "lib/api/filters.h"
