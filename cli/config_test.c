/* config.json and the programs that keep credentials, in a directory of its own. */
#include "cli/base64.h"
#include "cli/docker_config.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/holk-config-XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
    AUTO_FREE char *path = path_join(dir, name);
    CHECK_INT(io_replace_file_at(AT_FDCWD, path, text, strlen(text), mode, false), 0);
}

static char *get(const char *name)
{
    AUTO_FREE char *path = path_join(dir, name);
    char *text = NULL;
    size_t length;
    return io_read_file_at(AT_FDCWD, path, 1 << 20, &text, &length) < 0 ? xstrdup("") : text;
}

static void begin(void)
{
    snprintf(dir, sizeof dir, "/tmp/holk-config-XXXXXX");
    CHECK(mkdtemp(dir));
}

static void end(void)
{
    CHECK_INT(path_remove_tree_at(AT_FDCWD, dir), 0);
}

static char *user_of(const char *registry)
{
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    struct auth_config auth;
    struct err err = { 0 };
    if (docker_config_get(config, registry, &auth, &err) < 0)
        return str_format("! %s", err.text);
    char *text = str_format("%s:%s:%s", auth.username ? auth.username : "-", auth.password ? auth.password : "-",
                            auth.identity_token ? auth.identity_token : "-");
    codec_clear(&auth_config_type, &auth);
    return text;
}
#define CHECK_USER(registry, want)                                                                                     \
    do {                                                                                                               \
        AUTO_FREE char *user_ = user_of(registry);                                                                     \
        CHECK_STR(user_, want);                                                                                        \
    } while (0)

TEST(missing_and_broken)
{
    begin();
    CHECK_USER("x", "-:-:-");
    put("config.json", "[1]", 0600);
    CHECK_USER("x", "-:-:-");
    end();
}

TEST(reads_credentials)
{
    begin();
    put("config.json",
        "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"YTpiOmM=\"},\"https://reg.example/v2/"
        "\":{\"username\":\"u\","
        "\"password\":\"p\"},\"tok\":{\"auth\":\"eDo=\",\"identitytoken\":\"T\"}},\"psFormat\":\"{{.ID}}\","
        "\"detachKeys\":\"\"}",
        0600);
    CHECK_USER(docker_config_registry_key("docker.io"), "a:b:c:-");
    CHECK_USER("reg.example", "u:p:-");
    CHECK_USER("tok", "x::T");
    CHECK_USER("other", "-:-:-");
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    CHECK_STR(docker_config_text(config, "psFormat"), "{{.ID}}");
    CHECK(!docker_config_text(config, "detachKeys"));
    AUTO_FREE char *header = docker_config_auth_header(dir, "reg.example");
    size_t length;
    AUTO_FREE char *json = base64_decode(str_after(header, "X-Registry-Auth: "), &length);
    CHECK_STR(json, "{\"username\":\"u\",\"password\":\"p\",\"serveraddress\":\"reg.example\"}");
    AUTO_FREE char *all = docker_config_all(config);
    CHECK(strstr(all, "\"https://reg.example/v2/\":{\"username\":\"u\",\"password\":\"p\""));
    end();
}

TEST(writes_whole_and_keeps_the_rest)
{
    begin();
    put("real.json", "{\"psFormat\":\"<x>\",\"auths\":{\"old\":{\"auth\":\"YTpi\"}},\"plugins\":{\"a\":{\"b\":\"c\"}}}",
        0644);
    AUTO_FREE char *target = path_join(dir, "real.json"), *link = path_join(dir, "config.json");
    CHECK_INT(symlink(target, link), 0);
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    char registry[] = "new", user[] = "u", password[] = "p";
    struct auth_config auth = { .server_address = registry, .username = user, .password = password };
    struct err err = { 0 };
    struct stat st;
    bool plain = false;
    CHECK_INT(docker_config_store(config, &auth, &plain, &err), 0);
    CHECK(plain);
    AUTO_FREE char *text = get("real.json");
    CHECK_STR(text, "{\n\t\"psFormat\": \"<x>\",\n\t\"plugins\": {\n\t\t\"a\": {\n\t\t\t\"b\": "
                    "\"c\"\n\t\t}\n\t},\n\t\"auths\": {\n\t\t\"old\": "
                    "{\n\t\t\t\"auth\": \"YTpi\"\n\t\t},\n\t\t\"new\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}");
    CHECK_INT(lstat(link, &st), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_INT(stat(link, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(docker_config_erase(config, "old", &err), 0);
    CHECK(!docker_config_knows(config, "old"));
    CHECK(docker_config_knows(config, "new"));
    CHECK_INT(docker_config_erase(config, "never", &err), 0);
    end();
}

static const char helper[] =
    "#!/bin/sh\n"
    "read server || true\n"
    "case \"$1:$server\" in\n"
    "get:good) echo '{\"ServerURL\":\"good\",\"Username\":\"hu\",\"Secret\":\"hp\"}' ;;\n"
    "get:token) echo '{\"ServerURL\":\"token\",\"Username\":\"<token>\",\"Secret\":\"T\"}' ;;\n"
    "get:bad) echo 'it broke'; exit 1 ;;\n"
    "get:*) echo 'credentials not found in native keychain'; exit 1 ;;\n"
    "store:*) echo \"$server\" > \"$HELPER_LOG\" ;;\n"
    "esac\n";

TEST(helpers)
{
    begin();
    put("docker-credential-holktest", helper, 0755);
    put("config.json", "{\"credsStore\":\"holktest\",\"credHelpers\":{\"own\":\"missing-one\"}}", 0600);
    AUTO_FREE char *path = str_format("%s:%s", dir, getenv("PATH")), *log = path_join(dir, "log");
    setenv("PATH", path, 1);
    setenv("HELPER_LOG", log, 1);
    CHECK_USER("good", "hu:hp:-");
    CHECK_USER("token", "-:-:T");
    CHECK_USER("nothing", "-:-:-");
    CHECK_USER("bad", "! error getting credentials - err: exit status 1, out: `it broke`");
    CHECK_USER("own", "! error getting credentials - err: exec: \"docker-credential-missing-one\": executable file not "
                      "found in $PATH, out: ``");
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    char registry[] = "good", user[] = "u", password[] = "secret-p";
    struct auth_config auth = { .server_address = registry, .username = user, .password = password };
    struct err err = { 0 };
    bool plain = true;
    CHECK_INT(docker_config_store(config, &auth, &plain, &err), 0);
    CHECK(!plain);
    AUTO_FREE char *stored = get("log"), *text = get("config.json");
    CHECK_STR(stored, "{\"ServerURL\":\"good\",\"Username\":\"u\",\"Secret\":\"secret-p\"}\n");
    CHECK(strstr(text, "\"good\": {}"));
    CHECK(!strstr(text, "secret-p"));
    end();
}

TEST(proxies)
{
    begin();
    put("config.json",
        "{\"proxies\":{\"default\":{\"httpProxy\":\"http://p\",\"noProxy\":\"\"},\"unix:///x\":{\"allProxy\":\"q\"}}}",
        0600);
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(dir);
    CLEANUP(strv_free)
    char **standard = docker_config_proxies(config, "unix:///other"),
         **own = docker_config_proxies(config, "unix:///x");
    AUTO_FREE char *first = strv_join(standard, " "), *second = strv_join(own, " ");
    CHECK_STR(first, "HTTP_PROXY=http://p http_proxy=http://p");
    CHECK_STR(second, "ALL_PROXY=q all_proxy=q");
    end();
}

TESTS(T(missing_and_broken), T(reads_credentials), T(writes_whole_and_keeps_the_rest), T(helpers), T(proxies))
