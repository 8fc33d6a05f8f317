#include "lib/api/create_check.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

/* NULL: nothing is wrong with it. */
static void check(const char *body, const char *sentence)
{
    struct container_create_request request;
    struct err err = { 0 };
    CHECK_INT(codec_decode(&container_create_request_type, body, strlen(body), &request, &err), 0);
    int result = create_check(&request, &err);
    if ((result == 0) != (sentence == NULL))
        printf("# %s\n", body);
    CHECK_STR(result < 0 ? err.text : NULL, sentence);
    if (result < 0)
        CHECK_INT(err.kind, ERR_INVALID);
    codec_clear(&container_create_request_type, &request);
}

static void check_host(const char *members, const char *sentence)
{
    AUTO_FREE char *body = str_format("{\"HostConfig\":{%s}}", members);
    check(body, sentence);
}

static void check_mounts(const char *members, const char *sentence)
{
    AUTO_FREE char *body = str_format("{\"HostConfig\":{\"Mounts\":[{%s}]}}", members);
    check(body, sentence);
}

TEST(emptiness)
{
    static const struct {
        const char *body;
        bool empty;
    } cases[] = { { "{}", true }, { "null", true }, { "{\"HostConfig\":{\"Memory\":5}}", true }, { "{\"Image\":\"a\"}", false }, { "{\"Tty\":true}", false } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct container_create_request request;
        struct err err = { 0 };
        if (codec_decode(&container_create_request_type, cases[i].body, strlen(cases[i].body), &request, &err) < 0)
            continue;
        CHECK_INT(create_config_is_empty(&request), cases[i].empty);
        codec_clear(&container_create_request_type, &request);
    }
}

TEST(network_modes)
{
    check("{}", NULL);
    check_host("\"NetworkMode\":\"container:x\"", NULL);
    check_host("\"NetworkMode\":\"container:\"", "invalid network mode: invalid container format container:<name|id>");
    check("{\"Hostname\":\"a\",\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", "conflicting options: hostname and the network mode");
    check_host("\"NetworkMode\":\"container:x\",\"Dns\":[\"1.1.1.1\"]", "conflicting options: dns and the network mode");
    check_host("\"NetworkMode\":\"container:x\",\"ExtraHosts\":[\"a:1.1.1.1\"]", "conflicting options: custom host-to-IP mapping and the network mode");
    check_host("\"NetworkMode\":\"container:x\",\"PortBindings\":{\"80/tcp\":[{}]}", "conflicting options: port publishing and the container type network mode");
    check("{\"ExposedPorts\":{\"80\":{}},\"HostConfig\":{\"NetworkMode\":\"container:x\"}}", "conflicting options: port exposing and the container type network mode");
    check_host("\"NetworkMode\":\"host\",\"Links\":[\"a:b\"]", "conflicting options: host type networking can't be used with links. This would result in undefined behavior");
    check("{\"Hostname\":\"a\",\"HostConfig\":{\"UTSMode\":\"host\"}}", "conflicting options: hostname and the UTS mode");
    check_host("\"Isolation\":\"hyperv\"", "invalid isolation (hyperv): linux only supports 'default'");
    check_host("\"Isolation\":\"default\"", NULL);
}

TEST(health)
{
    check("{\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":1000000,\"Retries\":3}}", NULL);
    check("{\"Healthcheck\":{\"Interval\":5}}", "Interval in Healthcheck cannot be less than 1ms");
    check("{\"Healthcheck\":{\"Timeout\":-1}}", "Timeout in Healthcheck cannot be less than 1ms");
    check("{\"Healthcheck\":{\"StartPeriod\":5}}", "StartPeriod in Healthcheck cannot be less than 1ms");
    check("{\"Healthcheck\":{\"StartInterval\":5}}", "StartInterval in Healthcheck cannot be less than 1ms");
    check("{\"Healthcheck\":{\"Retries\":-1,\"StartPeriod\":5}}", "Retries in Healthcheck cannot be negative");
}

TEST(ports)
{
    check_host("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"\"},{\"HostPort\":\"8000-8010\"},{}],\"81\":null}", NULL);
    check_host("\"PortBindings\":{\"x/tcp\":[]}", "invalid port specification: \"x\"");
    check_host("\"PortBindings\":{\"/tcp\":[]}", "invalid port specification: \"\"");
    check_host("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"99999\"}]}", "invalid port specification: \"99999\"");
    check_host("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"-5\"}]}", "invalid port specification: \"-5\"");
}

TEST(restart_policies)
{
    check_host("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}", NULL);
    check_host("\"RestartPolicy\":{\"Name\":\"no\"},\"AutoRemove\":true", NULL);
    check_host("\"RestartPolicy\":{\"Name\":\"always\"},\"AutoRemove\":true", "can't create 'AutoRemove' container with restart policy");
    check_host("\"RestartPolicy\":{\"Name\":\"x\"}", "invalid restart policy: unknown policy 'x'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
    check_host("\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":3}", "invalid restart policy: maximum retry count can only be used with 'on-failure'");
    check_host("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-1}", "invalid restart policy: maximum retry count cannot be negative");
}

TEST(hosts)
{
    check_host("\"ExtraHosts\":[\"a:1.2.3.4\",\"b=::1\",\"c:[::1]\",\"d:host-gateway\"]", NULL);
    check_host("\"ExtraHosts\":[\"a\"]", "bad format for add-host: \"a\"");
    check_host("\"ExtraHosts\":[\":1.2.3.4\"]", "bad format for add-host: \":1.2.3.4\"");
    check_host("\"ExtraHosts\":[\"a:b\"]", "invalid IP address in add-host: \"b\"");
    check_host("\"ExtraHosts\":[\"a:[\"]", "invalid IP address in add-host: \"[\"");
    check_host("\"Annotations\":{\"\":\"x\"}", "invalid Annotations: the empty string is not permitted as an annotation key");
}

TEST(modes)
{
    check_host("\"IpcMode\":\"shareable\",\"PidMode\":\"container:x\",\"UTSMode\":\"host\",\"CgroupnsMode\":\"private\"", NULL);
    check_host("\"IpcMode\":\"container:x\",\"PidMode\":\"host\",\"CgroupnsMode\":\"host\"", NULL);
    check_host("\"IpcMode\":\"none\"", NULL);
    check_host("\"IpcMode\":\"x\"", "invalid IPC mode: x");
    check_host("\"PidMode\":\"private\"", "invalid PID mode: private");
    check_host("\"UTSMode\":\"container:x\"", "invalid UTS mode: container:x");
    check_host("\"CgroupnsMode\":\"x\"", "invalid cgroup namespace mode: x");
}

TEST(limits)
{
    check_host("\"CpuShares\":5,\"Memory\":6291456,\"CpusetCpus\":\"0\",\"CpusetMems\":\"0-0\",\"OomScoreAdj\":-1000,\"ShmSize\":1", NULL);
    check_host("\"CpuShares\":-1", "invalid CPU shares (-1): value must be a positive integer");
    check_host("\"Memory\":5", "Minimum memory limit allowed is 6MB");
    check_host("\"Memory\":-1", "Minimum memory limit allowed is 6MB");
    check_host("\"MemoryReservation\":5", "Minimum memory reservation allowed is 6MB");
    check_host("\"CpusetCpus\":\"x\"", "Invalid value x for cpuset cpus: invalid format: x");
    check_host("\"CpusetCpus\":\"3-1\"", "Invalid value 3-1 for cpuset cpus: invalid format: 3-1");
    check_host("\"CpusetCpus\":\"0,\"", "Invalid value 0, for cpuset cpus: invalid format: 0,");
    check_host("\"CpusetMems\":\"-1\"", "Invalid value -1 for cpuset mems: invalid format: -1");
    check_host("\"OomScoreAdj\":1001", "Invalid value 1001, range for oom score adj is [-1000, 1000]");
    check_host("\"ShmSize\":-1", "SHM size can not be less than 0");
}

TEST(mounts)
{
    check_mounts("\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"BindOptions\":{\"Propagation\":\"rslave\"}", NULL);
    check_mounts("\"Type\":\"volume\",\"Target\":\"/b\",\"VolumeOptions\":{}", NULL);
    check_mounts("\"Type\":\"tmpfs\",\"Target\":\"/b\"", NULL);
    check_mounts("\"Type\":\"image\",\"Source\":\"x\",\"Target\":\"/b\",\"ImageOptions\":{}", NULL);
    check_mounts("\"Type\":\"bind\",\"Source\":\"/a\"", "invalid mount config for type \"bind\": field Target must not be empty");
    check_mounts("\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"b\"", "invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute");
    check_mounts("\"Type\":\"tmpfs\",\"Target\":\"/\"", "invalid mount config for type \"tmpfs\": invalid specification: destination can't be '/'");
    check_mounts("\"Type\":\"bind\",\"Target\":\"/b\"", "invalid mount config for type \"bind\": field Source must not be empty");
    check_mounts("\"Type\":\"bind\",\"Source\":\"a\",\"Target\":\"/b\"", "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute");
    check_mounts("\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"BindOptions\":{\"Propagation\":\"x\"}", "invalid mount config for type \"bind\": invalid propagation mode: x");
    check_mounts("\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"VolumeOptions\":{}", "invalid mount config for type \"bind\": field VolumeOptions must not be specified");
    check_mounts("\"Type\":\"volume\",\"Target\":\"/b\",\"BindOptions\":{}", "invalid mount config for type \"volume\": field BindOptions must not be specified");
    check_mounts("\"Type\":\"tmpfs\",\"Source\":\"/a\",\"Target\":\"/b\"", "invalid mount config for type \"tmpfs\": field Source must not be specified");
    check_mounts("\"Type\":\"x\",\"Target\":\"/b\"", "invalid mount config for type \"x\": mount type unknown");
    check_mounts("\"Target\":\"/b\"", "invalid mount config for type \"\": mount type unknown");
}

static void check_endpoint(const char *network, const char *members, const char *sentence)
{
    AUTO_FREE char *body = str_format("{\"NetworkingConfig\":{\"EndpointsConfig\":{\"%s\":{%s}}}}", network, members);
    check(body, sentence);
}

TEST(endpoints)
{
    check("{\"NetworkingConfig\":{\"EndpointsConfig\":{\"bridge\":null}}}", NULL);
    check_endpoint("own", "\"IPAMConfig\":{\"IPv4Address\":\"10.0.0.9\",\"IPv6Address\":\"fd00::9\",\"LinkLocalIPs\":[\"169.254.1.1\"]},\"MacAddress\":\"02:42:ac:11:00:09\"", NULL);
    check_endpoint("bridge", "\"IPAMConfig\":{\"IPv4Address\":\"172.17.0.9\"}",
                   "invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n"
                   "* user specified IP address is supported only when connecting to networks with user configured subnets");
    check_endpoint("own", "\"IPAMConfig\":{\"IPv4Address\":\"x\",\"IPv6Address\":\"1.2.3.4\"}",
                   "invalid config for network own: invalid endpoint settings:\n* invalid IPv4 address: x\n* invalid IPv6 address: 1.2.3.4");
    check_endpoint("own", "\"MacAddress\":\"x\"", "invalid config for network own: invalid MAC address x");
    check_endpoint("own", "\"MacAddress\":\"02:42:ac:11:00:0\"", "invalid config for network own: invalid MAC address 02:42:ac:11:00:0");
    check_endpoint("own", "\"MacAddress\":\"02:42:ac:11:00:099\"", "invalid config for network own: invalid MAC address 02:42:ac:11:00:099");
}

static void check_update(const char *body, const char *sentence)
{
    struct container_update_request request;
    struct err err = { 0 };
    CHECK_INT(codec_decode(&container_update_request_type, body, strlen(body), &request, &err), 0);
    CHECK_STR(update_check(&request, &err) < 0 ? err.text : NULL, sentence);
    codec_clear(&container_update_request_type, &request);
}

TEST(updates)
{
    check_update("{}", NULL);
    check_update("{\"Memory\":6291456,\"RestartPolicy\":{\"Name\":\"always\"}}", NULL);
    check_update("{\"Memory\":1000}", "Minimum memory limit allowed is 6MB");
    check_update("{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-1}}", "invalid restart policy: maximum retry count cannot be negative");
}

TESTS(T(emptiness), T(network_modes), T(health), T(ports), T(restart_policies), T(hosts), T(modes), T(limits), T(mounts), T(endpoints), T(updates))
