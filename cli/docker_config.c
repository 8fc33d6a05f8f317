#include "cli/docker_config.h"

#include "cli/base64.h"
#include "cli/docker_credentials.h"
#include "cli/json_text.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define CONFIG_MAX ((size_t)16 << 20)

struct docker_config {
    char *path;
    struct json *root; /* a map */
};

struct docker_config *docker_config_load(const char *dir)
{
    struct docker_config *config = xcalloc(1, sizeof *config);
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    struct err err = { 0 };
    config->path = path_join(dir, "config.json");
    int got = io_read_file_at(AT_FDCWD, config->path, CONFIG_MAX, &text, &length);
    if (got < 0 && got != -ENOENT && got != -ENOTDIR)
        fprintf(stderr, "WARNING: Error loading config file: open %s: %s\n", config->path, err_strerror(got));
    else if (got >= 0 && length && json_parse(text, length, &config->root, &err) < 0)
        fprintf(stderr, "WARNING: Error loading config file: %s: %s\n", config->path, err.text);
    if (json_kind_of(config->root) != JSON_MAP) {
        if (config->root)
            json_free(config->root);
        config->root = json_new_map();
    }
    return config;
}

void docker_config_free(struct docker_config *config)
{
    if (!config)
        return;
    json_free(config->root);
    free(config->path);
    free(config);
}

const char *docker_config_path(const struct docker_config *config)
{
    return config->path;
}

const char *docker_config_text(const struct docker_config *config, const char *key)
{
    const char *text = json_text(json_get(config->root, key));
    return str_empty(text) ? NULL : text;
}

/* ---- proxies ---- */

char **docker_config_proxies(const struct docker_config *config, const char *host)
{
    static const struct {
        const char *key, *upper, *lower;
    } names[] = { { "httpProxy", "HTTP_PROXY", "http_proxy" },
                  { "httpsProxy", "HTTPS_PROXY", "https_proxy" },
                  { "noProxy", "NO_PROXY", "no_proxy" },
                  { "ftpProxy", "FTP_PROXY", "ftp_proxy" },
                  { "allProxy", "ALL_PROXY", "all_proxy" } };
    const struct json *proxies = json_get(config->root, "proxies");
    const struct json *chosen = host ? json_get(proxies, host) : NULL;
    char **list = NULL;
    if (!chosen)
        chosen = json_get(proxies, "default");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = json_text(json_get(chosen, names[i].key));
        if (str_empty(value))
            continue;
        strv_append_take(&list, str_format("%s=%s", names[i].upper, value));
        strv_append_take(&list, str_format("%s=%s", names[i].lower, value));
    }
    return list;
}

/* ---- writing ---- */

static struct json *copy_of(const struct json *json)
{
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_MAX);
    struct json *copy = NULL;
    struct err err = { 0 };
    json_write(json, &text);
    if (buf_failed(&text) || json_parse(text.data, text.length, &copy, &err) < 0)
        return json_new_map();
    return copy;
}

/* Copies of all members but one. */
static struct json *map_without(const struct json *map, const char *left_out)
{
    struct json *result = json_new_map();
    const struct json *value;
    const char *key;
    void *cursor = NULL;
    while (json_map_next(map, &cursor, &key, &value))
        if (!str_eq(key, left_out))
            json_set_take(result, key, copy_of(value));
    return result;
}

static int save(const struct docker_config *config, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_MAX);
    AUTO_FREE char *dir = xstrdup(config->path), *target = NULL;
    char *slash = strrchr(dir, '/');
    json_text_write(config->root, "", "\t", &text);
    if (slash && slash > dir) {
        *slash = '\0';
        int made = path_mkdirs_at(AT_FDCWD, dir, 0700);
        if (made < 0)
            return err_sys(err, made, "mkdir %s", dir);
    }
    target = realpath(config->path, NULL); /* NULL: does not exist yet */
    int written = io_replace_file_at(AT_FDCWD, target ? target : config->path, text.data, text.length, 0600, true);
    return written < 0 ? err_sys(err, written, "write %s", config->path) : 0;
}

/* Replaces one entry of "auths"; entry NULL removes it. */
static void set_auth(struct docker_config *config, const char *registry, struct json *entry)
{
    struct json *root = map_without(config->root, "auths");
    struct json *auths = map_without(json_get(config->root, "auths"), registry);
    if (entry)
        json_set_take(auths, registry, entry);
    json_set_take(root, "auths", auths);
    json_free(config->root);
    config->root = root;
}

/* ---- credentials ---- */

const char *docker_config_registry_key(const char *domain)
{
    bool is_index =
        str_eq(domain, "docker.io") || str_eq(domain, "index.docker.io") || str_eq(domain, "registry-1.docker.io");
    return is_index ? INDEX_SERVER : domain;
}

/* "https://host/v1/" -> "host" */
static char *host_of(const char *registry)
{
    const char *start = strstr(registry, "://");
    start = start ? start + 3 : registry;
    return xstrndup(start, strcspn(start, "/"));
}

static const char *helper_for(const struct docker_config *config, const char *registry)
{
    const char *own = json_text(json_get(json_get(config->root, "credHelpers"), registry));
    return str_empty(own) ? docker_config_text(config, "credsStore") : own;
}

/* The entry under this very name, or under another spelling of the same host. */
static const struct json *find_auth(const struct docker_config *config, const char *registry)
{
    const struct json *auths = json_get(config->root, "auths"), *value, *exact = json_get(auths, registry);
    AUTO_FREE char *host = host_of(registry);
    const char *key;
    void *cursor = NULL;
    if (exact)
        return exact;
    while (json_map_next(auths, &cursor, &key, &value)) {
        AUTO_FREE char *other = host_of(key);
        if (str_eq(host, other))
            return value;
    }
    return NULL;
}

bool docker_config_knows(const struct docker_config *config, const char *registry)
{
    return json_get(json_get(config->root, "auths"), registry);
}

static void from_file(const struct json *entry, const char *registry, struct auth_config *ret)
{
    const char *auth = json_text(json_get(entry, "auth"));
    size_t length;
    AUTO_FREE char *pair = str_empty(auth) ? NULL : base64_decode(auth, &length);
    char *colon = pair ? strchr(pair, ':') : NULL;
    if (colon) {
        *colon = '\0';
        ret->username = xstrdup(pair);
        ret->password = xstrdup(colon + 1);
    } else {
        ret->username = xstrdup(json_text(json_get(entry, "username")));
        ret->password = xstrdup(json_text(json_get(entry, "password")));
    }
    ret->email = xstrdup(json_text(json_get(entry, "email")));
    ret->identity_token = xstrdup(json_text(json_get(entry, "identitytoken")));
    ret->registry_token = xstrdup(json_text(json_get(entry, "registrytoken")));
    ret->server_address = xstrdup(registry);
}

int docker_config_get(const struct docker_config *config, const char *registry, struct auth_config *ret,
                      struct err *err)
{
    const char *helper = helper_for(config, registry);
    *ret = (struct auth_config){ 0 };
    if (helper) {
        struct err failed = { 0 };
        if (credentials_get(helper, registry, ret, &failed) == 0 || failed.kind == ERR_NOT_FOUND)
            return 0;
        *err = failed;
        return -1;
    }
    const struct json *entry = find_auth(config, registry);
    if (entry)
        from_file(entry, registry, ret);
    return 0;
}

static struct json *auth_json(const struct auth_config *auth)
{
    AUTO_FREE char *text = codec_encode_dup(&auth_config_type, auth);
    struct json *json = NULL;
    struct err err = { 0 };
    return json_parse(text, strlen(text), &json, &err) < 0 ? json_new_map() : json;
}

static void add_credentials(const struct docker_config *config, const char *registry, struct json *all)
{
    struct auth_config auth;
    struct err err = { 0 };
    if (docker_config_get(config, registry, &auth, &err) < 0)
        return;
    if (auth.server_address)
        json_set_take(all, registry, auth_json(&auth));
    codec_clear(&auth_config_type, &auth);
}

char *docker_config_all(const struct docker_config *config)
{
    AUTO_BUF struct buf text = BUF_INIT(CONFIG_MAX), listed = BUF_INIT(CONFIG_MAX);
    CLEANUP(json_free) struct json *all = json_new_map(), *servers = NULL;
    const char *store = docker_config_text(config, "credsStore"), *key;
    const struct json *value;
    struct err err = { 0 };
    void *cursor = NULL;
    if (store && credentials_list(store, &listed, &err) == 0 && listed.data)
        (void)json_parse(listed.data, strlen(listed.data), &servers, &err);
    while (json_map_next(servers, &cursor, &key, &value))
        add_credentials(config, key, all);
    cursor = NULL;
    while (!store && json_map_next(json_get(config->root, "auths"), &cursor, &key, &value))
        add_credentials(config, key, all);
    cursor = NULL;
    while (json_map_next(json_get(config->root, "credHelpers"), &cursor, &key, &value))
        add_credentials(config, key, all);
    json_write(all, &text);
    return buf_take(&text);
}

int docker_config_store(struct docker_config *config, const struct auth_config *auth, bool *ret_plain, struct err *err)
{
    const char *registry = auth->server_address, *helper = helper_for(config, registry);
    struct json *entry = json_new_map();
    *ret_plain = !helper;
    if (helper && credentials_store(helper, auth, err) < 0) {
        json_free(entry);
        return -1;
    }
    if (!helper) {
        bool token = !str_empty(auth->identity_token);
        AUTO_FREE char *pair =
            str_format("%s:%s", auth->username ? auth->username : "", token || !auth->password ? "" : auth->password);
        AUTO_FREE char *coded = base64_encode(pair, strlen(pair), false);
        json_set_take(entry, "auth", json_new_text(coded));
        if (token)
            json_set_take(entry, "identitytoken", json_new_text(auth->identity_token));
    }
    set_auth(config, registry, entry);
    return save(config, err);
}

int docker_config_erase(struct docker_config *config, const char *registry, struct err *err)
{
    const char *helper = helper_for(config, registry);
    struct err failed = { 0 };
    if (helper && credentials_erase(helper, registry, &failed) < 0 && failed.kind != ERR_NOT_FOUND) {
        *err = failed;
        return -1;
    }
    if (!docker_config_knows(config, registry))
        return 0;
    set_auth(config, registry, NULL);
    return save(config, err);
}

char *docker_config_auth_header(const char *dir, const char *domain)
{
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    struct auth_config auth;
    struct err err = { 0 };
    if (docker_config_get(config, docker_config_registry_key(domain), &auth, &err) < 0)
        fprintf(stderr, "WARNING: %s\n", err.text);
    AUTO_FREE char *json = codec_encode_dup(&auth_config_type, &auth);
    AUTO_FREE char *coded = base64_encode(json, strlen(json), true);
    codec_clear(&auth_config_type, &auth);
    return str_format("X-Registry-Auth: %s", coded);
}
