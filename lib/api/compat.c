#include "lib/api/compat.h"
