#include "lib/api/rows.h"
