/* Are these credentials good? */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "registry/internal.h"
#include "registry/trouble.h"

static int front_door(const struct registry *registry, struct exchange *exchange, const char *scope, struct err *err)
{
    registry_prepare(registry, exchange, "GET", "");
    free(exchange->url);
    exchange->url = str_format("%s/v2/", exchange->endpoint->base);
    exchange->scope = scope;
    exchange->once = true;
    return http_do(registry->http, exchange, err);
}

static bool is_success(const struct exchange *exchange)
{
    return exchange->status >= 200 && exchange->status < 300;
}

int registry_login(struct registry *registry, char **ret_identity, struct err *err)
{
    AUTO_EXCHANGE struct exchange first = EXCHANGE_INIT;
    AUTO_EXCHANGE struct exchange second = EXCHANGE_INIT;
    *ret_identity = NULL;
    if (registry_open(registry, err) < 0)
        return -1;
    int r;
    while ((r = front_door(registry, &first, NULL, err)) < 0 && registry_next_endpoint(registry, &first))
        exchange_done(&first);
    if (r < 0 || is_success(&first))
        return r;
    if (first.status == 401 && auth_login(registry->auth, registry_endpoint(registry), &first, ret_identity, err) < 0)
        return err_wrap(err, "Get \"%s\"", first.url);
    r = front_door(registry, &second, "", err);
    if (r == 0 && !is_success(&second))
        r = err_set(err, ERR_INTERNAL, "login attempt to %s failed with status: %s", second.url, second.reason);
    if (r < 0)
        free(take_ptr(ret_identity));
    return r;
}
