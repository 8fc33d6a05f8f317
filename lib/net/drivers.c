/* The table of network drivers. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/net.h"

static const struct net_driver drivers[] = {
    { .name = "bridge", .has_addresses = true, .user_creatable = true },
    { .name = "host", .shares_host = true },
    { .name = "null" }, /* network "none" */
};

int net_driver_find(const char *name, const struct net_driver **ret, struct err *err)
{
    if (str_empty(name))
        name = "bridge";
    if (str_eq(name, "none"))
        name = "null";
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (str_eq(drivers[i].name, name)) {
            *ret = &drivers[i];
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "plugin \"%s\" not found", name);
}
