#include "lib/api/compat.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#define V(minor_) ((struct api_version){ 1, minor_ })

static void version(const char *text, int major, int minor)
{
    struct api_version got = { 0 };
    struct err err = { 0 };
    CHECK_INT(api_version_parse(text, &got, &err), 0);
    CHECK_INT(got.major, major);
    CHECK_INT(got.minor, minor);
}

TEST(versions_are_read)
{
    version("1.41", 1, 41);
    version("1", 1, 0);
    version("1.024", 1, 24);
    version("1.24.7", 1, 24);
    version("99999999999999999999.1", 99999, 1);
    static const char *const bad[] = { "", ".", "1.", ".1", "v1.24", "1.x", "1.24-rc", "-1.2", " 1.2" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct api_version got = { 0 };
        struct err err = { 0 };
        CHECK_INT(api_version_parse(bad[i], &got, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
    }
}

TEST(versions_have_bounds)
{
    struct err err = { 0 };
    CHECK_INT(api_version_check(V(24), &err), 0);
    CHECK_INT(api_version_check(V(51), &err), 0);
    CHECK_INT(api_version_check(V(23), &err), -1);
    CHECK_STR(err.text, "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version");
    CHECK_INT(api_version_check(V(52), &err), -1);
    CHECK_STR(err.text, "client version 1.52 is too new. Maximum supported API version is 1.51");
    CHECK_INT(api_version_check((struct api_version){ 2, 0 }, &err), -1);
    CHECK(api_before(V(41), 42));
    CHECK(!api_before(V(42), 42));
    CHECK(!api_before((struct api_version){ 2, 0 }, 42));
}

/* The request as the engine gets it, or the sentence of the refusal. */
static char *created(int minor, const char *body)
{
    struct container_create_request request;
    struct err err = { 0 };
    CLEANUP(strv_free) char **warnings = NULL;
    CHECK_INT(codec_decode(&container_create_request_type, body, strlen(body), &request, &err), 0);
    int result = compat_create_request(V(minor), &request, &warnings, &err);
    AUTO_FREE char *first = warnings ? xstrdup(warnings[0]) : NULL;
    AUTO_FREE char *text = result < 0 ? xstrdup(err.text) : codec_encode_dup(&container_create_request_type, &request);
    if (result < 0)
        CHECK_INT(err.kind, ERR_INVALID);
    codec_clear(&container_create_request_type, &request);
    return first ? str_format("%s %s", first, text) : take_ptr(&text);
}

static void has(int minor, const char *body, const char *want, bool wanted)
{
    AUTO_FREE char *got = created(minor, body);
    if ((strstr(got, want) != NULL) != wanted) {
        printf("# 1.%d: %s\n# %s %s\n", minor, got, wanted ? "lacks" : "has", want);
        CHECK(false);
    }
}

/* `want` is there in all versions from `since` on and in none before. */
static void since(int since_minor, const char *body, const char *want)
{
    has(since_minor - 1, body, want, false);
    has(since_minor, body, want, true);
    has(51, body, want, true);
}
static void until(int until_minor, const char *body, const char *want)
{
    has(24, body, want, true);
    has(until_minor - 1, body, want, true);
    has(until_minor, body, want, false);
}

TEST(create_forgets_what_came_later)
{
    has(51, "{}", "\"HostConfig\":{", true);
    since(25, "{\"HostConfig\":{\"AutoRemove\":true}}", "\"AutoRemove\":true");
    since(40, "{\"HostConfig\":{\"KernelMemoryTCP\":5}}", "KernelMemoryTCP");
    since(42, "{\"HostConfig\":{\"ConsoleSize\":[10,20]}}", "\"ConsoleSize\":[10,20]");
    since(43, "{\"HostConfig\":{\"Annotations\":{\"a\":\"b\"}}}", "\"Annotations\":{\"a\"");
    since(44, "{\"Healthcheck\":{\"StartInterval\":5}}", "StartInterval");
    since(40, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"BindOptions\":{\"NonRecursive\":true}}]}}", "\"NonRecursive\":true");
    since(42, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"BindOptions\":{\"CreateMountpoint\":true}}]}}", "CreateMountpoint");
    since(48, "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{\"GwPriority\":7},\"b\":null}}}", "\"GwPriority\":7");
    until(42, "{\"HostConfig\":{\"KernelMemory\":5}}", "\"KernelMemory\":5");
    until(40, "{}", "\"IpcMode\":\"shareable\"");
    has(24, "{\"HostConfig\":{\"IpcMode\":\"private\"}}", "\"IpcMode\":\"private\"", true);
    has(51, "{\"HostConfig\":{\"PidsLimit\":-1}}", "\"PidsLimit\":null", true);
    has(51, "{\"HostConfig\":{\"PidsLimit\":7}}", "\"PidsLimit\":7", true);
}

TEST(create_refuses_what_came_later)
{
    static const char bind[] = "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"VolumeOptions\":{\"NoCopy\":true}}]}}";
    since(42, bind, "VolumeOptions must not be specified on mount type \"bind\"");
    since(42, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"TmpfsOptions\":{\"SizeBytes\":1}}]}}", "TmpfsOptions must not be specified on mount type \"volume\"");
    since(42, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"VolumeOptions\":{\"NoCopy\":true}}]}}", "VolumeOptions must not be specified on mount type \"tmpfs\"");
    has(41, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"VolumeOptions\":{\"NoCopy\":true}}]}}", "VolumeOptions", false);
    has(41, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"TmpfsOptions\":{\"SizeBytes\":1}}]}}", "TmpfsOptions", false);
    has(51, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"tmpfs\",\"TmpfsOptions\":{\"SizeBytes\":1}}]}}", "\"TmpfsOptions\":{\"SizeBytes\":1}", true);
    until(44, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"BindOptions\":{\"ReadOnlyForceRecursive\":true}}]}}", "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    until(45, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"volume\",\"VolumeOptions\":{\"Subpath\":\"x\"}}]}}", "VolumeOptions.Subpath needs API v1.45 or newer");
    until(48, "{\"HostConfig\":{\"Mounts\":[{\"Type\":\"image\",\"Source\":\"x\"}]}}", "Mount type \"Image\" needs API v1.48 or newer");
    until(44, "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"a\":{},\"b\":{}}}}", "Container cannot be created with multiple network endpoints: a, b");
}

#define MAC "02:42:ac:11:00:09"
#define OTHER "02:42:ac:11:00:08"

TEST(the_mac_address_moved_to_the_endpoint)
{
    static const char warning[] = "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.";
    static const char plain[] = "{\"MacAddress\":\"" MAC "\"}";
    since(44, plain, warning);
    has(43, plain, "\"EndpointsConfig\":{\"bridge\":{", true);
    has(51, plain, "\"EndpointsConfig\":{\"bridge\":{", true);
    static const char host[] = "{\"MacAddress\":\"" MAC "\",\"HostConfig\":{\"NetworkMode\":\"host\"}}";
    until(44, host, "conflicting options: mac-address and the network mode");
    has(44, host, "EndpointsConfig\":{\"", false);
    static const char other_net[] = "{\"MacAddress\":\"" MAC "\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"foo\":{}}}}";
    has(43, other_net, "\"EndpointsConfig\":{\"foo\":{\"IPAMConfig\":null,\"Links\":null,\"Aliases\":null,\"MacAddress\":\"" MAC "\"", true);
    has(44, other_net, "unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks", true);
    static const char two[] = "{\"MacAddress\":\"" MAC "\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"MacAddress\":\"" OTHER "\"}}}}";
    has(43, two, OTHER, false);
    has(44, two, "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty", true);
    static const char endpoint[] = "{\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":{\"MacAddress\":\"" OTHER "\"}}}}";
    since(44, endpoint, OTHER);
    has(51, endpoint, warning, false);
}

TEST(inspect_repeats_names_for_old_clients)
{
    for (int minor = 44; minor <= 45; minor++) {
        struct container_inspect inspect = { .id = xstrdup("0123456789abcdef0123456789abcdef"), .config = { .hostname = xstrdup("box") } };
        struct endpoint_settings *own = obj_map_add(&inspect.network_settings.networks, "web", sizeof *own);
        struct endpoint_settings *bridge = obj_map_add(&inspect.network_settings.networks, "bridge", sizeof *bridge);
        strv_append(&own->aliases, "box");
        compat_container_inspect(V(minor), &inspect);
        AUTO_FREE char *aliases = strv_join(own->aliases, ",");
        CHECK_STR(aliases, minor == 44 ? "box,0123456789ab" : "box");
        CHECK(!bridge->aliases);
        codec_clear(&container_inspect_type, &inspect);
    }
}

TEST(summaries_show_annotations_since_1_46)
{
    for (int minor = 45; minor <= 46; minor++) {
        struct container_summary summary = { 0 };
        str_map_set(&summary.host_config.annotations, "a", "b");
        compat_container_summary(V(minor), &summary);
        CHECK_INT(str_map_count(&summary.host_config.annotations), minor == 45 ? 0 : 1);
        codec_clear(&container_summary_type, &summary);
    }
}

static char *image_text(int minor)
{
    struct image_inspect inspect = { .size = 5 };
    AUTO_BUF struct buf out = BUF_INIT(65536);
    inspect.config = xcalloc(1, sizeof *inspect.config);
    strv_append(&inspect.config->cmd, "sh");
    inspect.config->user = xstrdup("nobody");
    compat_image_inspect(V(minor), &inspect);
    compat_image_inspect_encode(V(minor), &inspect, &out);
    codec_clear(&image_inspect_type, &inspect);
    return buf_take(&out);
}

TEST(images_had_more_members)
{
    AUTO_FREE char *v43 = image_text(43), *v44 = image_text(44), *v45 = image_text(45), *v49 = image_text(49), *v50 = image_text(50);
    CHECK(strstr(v43, "\"VirtualSize\":5"));
    CHECK(strstr(v43, "\"Created\":\"0001-01-01T00:00:00Z\""));
    CHECK(!strstr(v44, "VirtualSize"));
    CHECK(!strstr(v44, "\"Created\""));
    CHECK(strstr(v44, "\"ContainerConfig\":{\"Hostname\":\"\""));
    CHECK(!strstr(v45, "ContainerConfig"));
    CHECK(strstr(v49, "\"AttachStdin\":false"));
    CHECK(strstr(v49, "\"User\":\"nobody\""));
    CHECK(strstr(v49, "\"Cmd\":[\"sh\"]"));
    CHECK(!strstr(v50, "AttachStdin"));
    CHECK(strstr(v50, "\"User\":\"nobody\""));
}

TEST(image_summaries)
{
    struct image_summary summary = { .size = 5, .containers = 3 };
    compat_image_summary(V(51), &summary);
    CHECK_INT(summary.containers, 3);
    CHECK_INT(summary.virtual_size, 0);
    compat_image_summary(V(50), &summary);
    CHECK_INT(summary.containers, -1);
    compat_image_summary(V(43), &summary);
    CHECK_INT(summary.virtual_size, 5);
    CHECK_INT(strv_length(summary.repo_tags), 0);
    compat_image_summary(V(42), &summary);
    CHECK_STR(summary.repo_tags[0], "<none>:<none>");
    CHECK_STR(summary.repo_digests[0], "<none>@<none>");
    codec_clear(&image_summary_type, &summary);
}

static char *info_text(int minor)
{
    struct info info = { .kernel_memory_tcp = true, .runc_commit = { .id = xstrdup("r1") } };
    struct runtime_info *runtime = obj_map_add(&info.runtimes, "runc", sizeof *runtime);
    str_map_set(&runtime->status, "k", "v");
    strv_append(&info.security_options, "name=seccomp,profile=builtin");
    strv_append(&info.security_options, "name=rootless");
    info.containerd = xcalloc(1, sizeof *info.containerd);
    info.firewall_backend = xcalloc(1, sizeof *info.firewall_backend);
    compat_info(V(minor), &info);
    char *text = codec_encode_dup(&info_type, &info);
    codec_clear(&info_type, &info);
    return text;
}

TEST(info_by_version)
{
    static const struct {
        int from, before;
        const char *text;
    } cases[] = {
        { 24, 25, "\"SecurityOptions\":[\"seccomp\",\"rootless\"]" },
        { 25, 52, "\"SecurityOptions\":[\"name=seccomp,profile=builtin\",\"name=rootless\"]" },
        { 24, 42, "\"KernelMemory\":true" },
        { 24, 52, "\"KernelMemoryTCP\":true" },
        { 44, 52, "\"status\":{\"k\":\"v\"}" },
        { 46, 52, "\"Containerd\":" },
        { 24, 47, "\"AllowNondistributableArtifactsCIDRs\":null" },
        { 24, 49, "\"Expected\":\"r1\"" },
        { 49, 52, "\"FirewallBackend\":" },
        { 24, 50, "\"BridgeNfIptables\":false" },
    };
    for (int minor = 24; minor < 52; minor++) {
        AUTO_FREE char *text = info_text(minor);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            bool want = minor >= cases[i].from && minor < cases[i].before;
            if ((strstr(text, cases[i].text) != NULL) != want)
                printf("# 1.%d %s %s\n", minor, want ? "lacks" : "has", cases[i].text);
            CHECK((strstr(text, cases[i].text) != NULL) == want);
        }
    }
}

TEST(disk_usage_by_version)
{
    for (int minor = 41; minor <= 42; minor++) {
        struct disk_usage usage = { 0 };
        list_add(&usage.build_cache)->size = 4;
        list_add(&usage.build_cache)->size = 3;
        struct image_summary *image = list_add(&usage.images);
        image->containers = 2;
        image->size = 9;
        compat_disk_usage(V(minor), &usage);
        CHECK_INT(usage.builder_size, minor == 41 ? 7 : 0);
        CHECK_INT(image->containers, 2);
        CHECK_INT(image->virtual_size, 9);
        codec_clear(&disk_usage_type, &usage);
    }
}

TESTS(T(versions_are_read), T(versions_have_bounds), T(create_forgets_what_came_later), T(create_refuses_what_came_later), T(the_mac_address_moved_to_the_endpoint),
      T(inspect_repeats_names_for_old_clients), T(summaries_show_annotations_since_1_46), T(images_had_more_members), T(image_summaries), T(info_by_version),
      T(disk_usage_by_version))
