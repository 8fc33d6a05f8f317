"""ping, version, info: what every client asks first."""
import json
import time

from harness import Client, contains, equal, json_lines, options


@options(base=False)
def test_ping(d):
    for method in ("GET", "HEAD"):
        answer = d.api.request(method, "/_ping")
        equal(answer.status, 200)
        equal(answer.read(), b"OK" if method == "GET" else b"")
        equal(answer.headers["api-version"], "1.51")
        equal(answer.headers["ostype"], "linux")
        equal(answer.headers["builder-version"] in ("1", "2"), True)
        equal(answer.headers["swarm"], "inactive")
        equal(answer.headers["docker-experimental"], "false")
        equal(answer.headers["cache-control"], "no-cache, no-store, must-revalidate")
        equal(answer.headers["pragma"], "no-cache")
        contains(answer.headers["server"], "linux")
        answer.close()


def test_version_and_info(d):
    version = d.api.get("/version")
    equal(version["ApiVersion"], "1.51")
    equal(version["MinAPIVersion"], "1.24")
    equal(version["Os"], "linux")
    contains([part["Name"] for part in version["Components"]], "Engine")
    info = d.api.get("/info")
    for name, value in {
        "Driver": "overlay2",
        "OSType": "linux",
        "LoggingDriver": "json-file",
        "Images": 1,
        "Containers": 0,
        "DefaultRuntime": "runc",
        "MemoryLimit": True,
        "PidsLimit": True,
    }.items():
        equal(info[name], value, name)
    contains([row for row in info["SecurityOptions"] if "seccomp" in row], "name=seccomp,profile=builtin")
    equal(info["NCPU"] > 0 and info["MemTotal"] > 1 << 20, True)
    d.start_new(["sleep", "100"])
    info = d.api.get("/info")
    equal((info["Containers"], info["ContainersRunning"], info["ContainersStopped"]), (1, 1, 0))


def test_every_version_prefix(d):
    for version in ("/v1.24", "/v1.40", "/v1.51", ""):
        equal(Client(d.socket, version=version.strip("/")).get("/version")["ApiVersion"], "1.51")
    status, message = d.api.refused("GET", "/v1.99/version")
    equal(status, 400)
    contains(message, "client version 1.99 is too new. Maximum supported API version is 1.51")
    answer = d.api.request("GET", "/v1.12/version")
    equal(answer.status, 400)
    contains(answer.read(), b"client version 1.12 is too old. Minimum supported API version is 1.24")


def test_unknown_endpoints(d):
    for method, path in (("GET", "/nothing"), ("POST", "/containers/json/more"), ("GET", "/containers")):
        status, message = d.api.refused(method, path)
        equal((status, message), (404, "page not found"), path)
    status, message = d.api.refused("GET", "/services")
    equal(status, 503)
    contains(
        message,
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
        "and try again.",
    )


def test_events(d):
    since = str(int(time.time()))
    stream = d.api.request("GET", "/events", timeout=20)
    equal(stream.headers["content-type"].split(";")[0], "application/json")
    container = d.start_new(["true"], name="seen", Labels={"colour": "red"})
    d.wait(container)
    d.api.delete("/containers/seen")
    seen = []
    for line in stream.body.lines():
        event = json.loads(line)
        if event["Type"] == "container":
            seen.append(event["Action"])
            equal(event["Actor"]["ID"], container)
            equal(event["Actor"]["Attributes"]["name"], "seen")
            equal(event["Actor"]["Attributes"]["colour"], "red")
            equal(event["scope"], "local")
            equal(event["timeNano"] // 10**9, event["time"])
            equal((event["status"], event["id"], event["from"]), (event["Action"], container, "busybox"))
            if event["Action"] == "die":
                equal(event["Actor"]["Attributes"]["exitCode"], "0")
        if event["Action"] == "destroy":
            break
    stream.close()
    equal(seen, ["create", "start", "die", "destroy"])
    until = str(time.time() + 1)

    def past(**filters):
        answer = d.api.request("GET", "/events", since=since, until=until, filters=filters)
        return json_lines(answer.read())

    again = past(type=["container"])
    equal([event["Action"] for event in again], seen)
    only = past(event=["die"], container=["seen"])
    equal([event["Action"] for event in only], ["die"])
    equal(past(label=["colour=blue"]), [])


def test_system_df(d):
    d.create(["true"])
    d.api.post("/volumes/create", {"Name": "v-df"})
    usage = d.api.get("/system/df")
    equal((len(usage["Images"]), len(usage["Containers"]), [v["Name"] for v in usage["Volumes"]]), (1, 1, ["v-df"]))
    equal(usage["LayersSize"] > 1000000, True)
    d.api.delete("/volumes/v-df", force=True)
