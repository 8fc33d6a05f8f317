"""The questions of shapes.py. Each scenario gets a Session; every step has a name of its own. The engine may be in use by
others: lists are filtered, and nothing that is not ours is touched."""
import io
import os
import sys
import tarfile
import time

from shapes import IMAGE, ask

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
import fixtures  # noqa: E402

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def prepare(path):
    """Our own base image, with the same config everywhere."""
    if ask(path, "GET", "/images/%s/json" % IMAGE).status == 200:
        return
    with open(fixtures.base_tar(), "rb") as file:
        archive = fixtures.docker_archive([file.read()], [IMAGE + ":latest"], Cmd=["sh"], Env=["A=b"])
    answer = ask(path, "POST", "/images/load", archive, {"Content-Type": "application/x-tar"})
    if answer.status != 200 or "error" in answer.body:
        raise SystemExit("cannot load the base image: %s" % answer.body)


def small_tar(**files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


def create(s, word, name=None, **body):
    """A container outside of the comparison; removed at the end."""
    answer = s.plain("POST", "/containers/create?name=%s" % (name or "{p}" + word), {"Image": "{image}", "Cmd": ["sleep", "1000"], **body})
    assert answer.status == 201, answer.body
    s.words[word] = answer.json["Id"]
    s.later("DELETE", "/containers/{%s}?force=1&v=1" % word)


def running(s, word, **body):
    create(s, word, **body)
    answer = s.plain("POST", "/containers/{%s}/start" % word)
    assert answer.status == 204, answer.body


# ---- the daemon ----

@scenario
def ping(s):
    for method in ("GET", "HEAD"):
        s.ask(method.lower(), method, "/_ping")
    s.ask("options", "OPTIONS", "/_ping")
    s.ask("post", "POST", "/_ping")
    s.ask("slash", "GET", "/_ping/")


@scenario
def version(s):
    names = ("ApiVersion", "MinAPIVersion", "Os", "Arch")
    s.ask("values", "GET", "/version", only=lambda v: {name: v.get(name) for name in names})
    s.ask("shape", "GET", "/version", mode="shape", only=lambda v: {name: v[name] for name in v if name != "Components"})
    s.ask("engine", "GET", "/version", only=lambda v: [c["Name"] for c in v["Components"][:1]] + sorted(v["Components"][0]["Details"]))


@scenario
def info(s):
    def typical(v):
        del v["Warnings"]
        v["Runtimes"] = v["Runtimes"]["runc"].keys() >= {"path"} and {"status": "status" in v["Runtimes"]["runc"]}
        v["RegistryConfig"]["IndexConfigs"] = v["RegistryConfig"]["IndexConfigs"]["docker.io"]
        v["RegistryConfig"].pop("InsecureRegistryCIDRs")
        return v
    s.ask("shape", "GET", "/info", mode="shape", only=typical)
    names = ("Driver", "LoggingDriver", "OSType", "Architecture", "IndexServerAddress", "ExperimentalBuild", "DefaultRuntime", "LiveRestoreEnabled",
             "Isolation", "Swarm", "GenericResources", "ServerVersion", "Labels")
    s.ask("values", "GET", "/info", only=lambda v: {name: v.get(name) for name in names if name != "ServerVersion"})


@scenario
def disk_usage(s):
    s.ask("shape", "GET", "/system/df", mode="shape", only=lambda v: {"LayersSize": v["LayersSize"], "keys": sorted(v), "image": sorted(v["Images"][0])})
    s.ask("bad type", "GET", "/system/df?type=nonsense", only=lambda v: sorted(set(v) - {"BuilderSize"}))
    s.ask("one type", "GET", "/system/df?type=volume", only=lambda v: sorted(set(v) - {"BuilderSize"}))


@scenario
def paths(s):
    s.ask("unknown", "GET", "/nonsense")
    s.ask("unknown below", "GET", "/containers/x/nonsense")
    s.ask("wrong method", "POST", "/version")
    s.ask("wrong method of one", "PUT", "/containers/json")
    s.ask("patch", "PATCH", "/info")
    s.ask("root", "GET", "/")
    s.ask("trailing slash", "GET", "/info/")
    s.ask("double slash", "GET", "//info", mode="status")
    s.ask("case", "GET", "/Info")
    s.ask("options", "OPTIONS", "/containers/json")
    s.ask("encoded", "GET", "/%69nfo", mode="status")
    s.ask("grpc", "POST", "/grpc", mode="status")


@scenario
def versions(s):
    if s.version:
        return
    for text in ("1.23", "1.0", "1.52", "2.0", "99.99", "1", "1.24.1", "1.024", "0.1", "x", "1.x", "1.", ".1", "-1.24", "1.24x"):
        s.ask(text, "GET", "/v%s/_ping" % text)
    s.ask("V1.24", "GET", "/V1.24/_ping")
    s.ask("bare", "GET", "/v1.24")


@scenario
def swarm(s):
    for method, path in (("GET", "/swarm"), ("POST", "/swarm/leave"), ("POST", "/swarm/update?version=1"), ("GET", "/swarm/unlockkey"), ("POST", "/swarm/unlock"),
                         ("GET", "/services"), ("GET", "/services/x"), ("POST", "/services/create"), ("DELETE", "/services/x"), ("POST", "/services/x/update?version=1"),
                         ("GET", "/services/x/logs?stdout=1"), ("GET", "/nodes"), ("GET", "/nodes/x"), ("DELETE", "/nodes/x"), ("POST", "/nodes/x/update?version=1"),
                         ("GET", "/tasks"), ("GET", "/tasks/x"), ("GET", "/tasks/x/logs?stdout=1"), ("GET", "/secrets"), ("POST", "/secrets/create"), ("GET", "/secrets/x"),
                         ("DELETE", "/secrets/x"), ("POST", "/secrets/x/update?version=1"), ("GET", "/configs"), ("POST", "/configs/create"), ("GET", "/configs/x"),
                         ("DELETE", "/configs/x"), ("POST", "/configs/x/update?version=1")):
        s.ask(method + " " + path, method, path, {} if method == "POST" else None)


@scenario
def auth(s):
    s.ask("bad json", "POST", "/auth", "{")
    s.ask("bad type", "POST", "/auth", '{"username":1}')
    s.ask("no body", "POST", "/auth", mode="status")


# ---- JSON bodies in general ----

@scenario
def bodies(s):
    s.ask("empty", "POST", "/containers/create")
    s.ask("empty object", "POST", "/containers/create", "{}")
    s.ask("null", "POST", "/containers/create", "null")
    s.ask("not json", "POST", "/containers/create", "nonsense")
    s.ask("cut", "POST", "/containers/create", '{"Image":')
    s.ask("list", "POST", "/containers/create", "[]")
    s.ask("text", "POST", "/containers/create", '"x"')
    s.ask("two", "POST", "/containers/create", "{}{}")
    s.ask("two apart", "POST", "/containers/create", "{} {}")
    s.ask("space", "POST", "/containers/create", '   {"Image":"shapes-none"}  \n')
    s.ask("no content type", "POST", "/containers/create", '{"Image":"shapes-none"}', headers={"Content-Type": None})
    s.ask("wrong content type", "POST", "/containers/create", '{"Image":"shapes-none"}', headers={"Content-Type": "text/plain"})
    s.ask("charset", "POST", "/containers/create", '{"Image":"shapes-none"}', headers={"Content-Type": "application/json; charset=utf-8"})
    s.ask("upper case", "POST", "/containers/create", '{"IMAGE":"shapes-none"}', headers={"Content-Type": "Application/JSON"})
    s.ask("odd content type", "POST", "/containers/create", '{"Image":"shapes-none"}', headers={"Content-Type": "application/jsonx"})
    s.ask("empty content type", "POST", "/containers/create", '{"Image":"shapes-none"}', headers={"Content-Type": ""})
    s.ask("wrong kind", "POST", "/containers/create", '{"Image":5}')
    s.ask("wrong kind deep", "POST", "/containers/create", '{"Image":"a","HostConfig":{"Memory":"1g"}}')
    s.ask("wrong kind list", "POST", "/containers/create", '{"Env":"a"}')
    s.ask("wrong kind in list", "POST", "/containers/create", '{"Env":[1]}')
    s.ask("fraction", "POST", "/containers/create", '{"HostConfig":{"Memory":1.5}}')
    s.ask("too large", "POST", "/containers/create", '{"HostConfig":{"Memory":99999999999999999999}}')
    s.ask("map", "POST", "/containers/create", '{"Labels":["a"]}')
    s.ask("bad utf-8", "POST", "/containers/create", b'{"Image":"\xff\xfe"}', mode="status")
    s.ask("networks not json", "POST", "/networks/create", "nonsense")
    s.ask("networks empty", "POST", "/networks/create")
    s.ask("volumes not json", "POST", "/volumes/create", "nonsense")
    s.ask("exec not json", "POST", "/containers/x/exec", "nonsense")
    s.ask("exec empty", "POST", "/containers/x/exec")


# ---- volumes ----

@scenario
def volumes(s):
    s.later("DELETE", "/volumes/{p}v?force=1")
    s.ask("create", "POST", "/volumes/create", {"Name": "{p}v", "Labels": {"a": "b"}, "DriverOpts": {}})
    s.ask("again", "POST", "/volumes/create", {"Name": "{p}v"})
    s.ask("again other driver", "POST", "/volumes/create", {"Name": "{p}v", "Driver": "nonsense"})
    s.ask("inspect", "GET", "/volumes/{p}v")
    s.ask("inspect none", "GET", "/volumes/{p}none")
    s.ask("list", "GET", "/volumes", filters={"name": ["{p}"]})
    s.ask("list label", "GET", "/volumes", filters={"label": ["a=b"], "name": ["{p}"]})
    s.ask("list nothing", "GET", "/volumes", filters={"name": ["{p}none"]})
    s.ask("list dangling", "GET", "/volumes", filters={"dangling": ["true"], "name": ["{p}"]})
    s.ask("list bad filter", "GET", "/volumes", filters={"nonsense": ["x"]})
    s.ask("list bad dangling", "GET", "/volumes", filters={"dangling": ["x"]})
    s.ask("list no filter", "GET", "/volumes?filters=nonsense")
    s.ask("bad name", "POST", "/volumes/create", {"Name": "../x"})
    s.ask("short name", "POST", "/volumes/create", {"Name": "x"})
    s.ask("no driver", "POST", "/volumes/create", {"Name": "{p}w", "Driver": "nonsense"})
    s.ask("bad option", "POST", "/volumes/create", {"Name": "{p}w", "DriverOpts": {"nonsense": "x"}})
    s.ask("half mount", "POST", "/volumes/create", {"Name": "{p}w", "DriverOpts": {"type": "tmpfs"}})
    s.later("DELETE", "/volumes/{p}t?force=1")
    s.ask("tmpfs", "POST", "/volumes/create", {"Name": "{p}t", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}})
    create(s, "user", HostConfig={"Binds": ["{p}v:/v"]})
    s.ask("remove used", "DELETE", "/volumes/{p}v")
    s.ask("remove used by force", "DELETE", "/volumes/{p}v?force=1")
    s.ask("list not dangling", "GET", "/volumes", filters={"dangling": ["0"], "name": ["{p}v"]})
    s.plain("DELETE", "/containers/{user}?force=1")
    s.ask("remove", "DELETE", "/volumes/{p}v")
    s.ask("remove none", "DELETE", "/volumes/{p}v")
    s.ask("remove none by force", "DELETE", "/volumes/{p}v?force=1")
    s.ask("prune", "POST", "/volumes/prune", filters={"label": ["{p}=none"]})
    s.ask("prune bad", "POST", "/volumes/prune", filters={"nonsense": ["x"]})
    if not s.before(42):
        s.ask("cluster", "PUT", "/volumes/{p}none?version=1", {}, mode="status")
    anonymous = s.ask("anonymous", "POST", "/volumes/create", {})
    s.later("DELETE", "/volumes/%s" % anonymous.json["Name"])


# ---- networks ----

@scenario
def networks(s):
    s.ask("bridge", "GET", "/networks/bridge", mode="shape", only=lambda v: {name: v[name] for name in v if name not in ("Containers", "Options", "IPAM")})
    s.ask("host", "GET", "/networks/host", only=lambda v: {**v, "Containers": None})
    s.ask("none", "GET", "/networks/none", only=lambda v: {**v, "Containers": None})
    s.ask("inspect none", "GET", "/networks/{p}none")
    s.ask("list", "GET", "/networks", only=lambda v: sorted(n["Name"] for n in v), filters={"name": ["^bridge$", "^host$", "^none$"]})
    s.ask("list builtin", "GET", "/networks", only=lambda v: sorted(n["Name"] for n in v), filters={"type": ["builtin"]})
    s.ask("list driver", "GET", "/networks", only=lambda v: sorted(n["Name"] for n in v), filters={"driver": ["host", "null"]})
    s.ask("list bad filter", "GET", "/networks", filters={"nonsense": ["x"]})
    s.ask("list bad type", "GET", "/networks", filters={"type": ["x"]})
    s.ask("list scope", "GET", "/networks", only=lambda v: sorted(n["Name"] for n in v), filters={"scope": ["swarm"]})
    for name in ("bridge", "host", "none"):
        s.ask("remove " + name, "DELETE", "/networks/" + name)
        s.ask("create " + name, "POST", "/networks/create", {"Name": name})
    s.ask("remove nothing", "DELETE", "/networks/{p}none")
    s.ask("create without name", "POST", "/networks/create", {})
    s.ask("create blank", "POST", "/networks/create", {"Name": " "})
    s.ask("create slash", "POST", "/networks/create", {"Name": "{p}a/b"})
    s.later("DELETE", "/networks/{p}a%2Fb")
    s.ask("create bad driver", "POST", "/networks/create", {"Name": "{p}n", "Driver": "nonsense"})
    s.ask("create bad subnet", "POST", "/networks/create", {"Name": "{p}n", "IPAM": {"Config": [{"Subnet": "nonsense"}]}})
    s.ask("create bad gateway", "POST", "/networks/create", {"Name": "{p}n", "IPAM": {"Config": [{"Subnet": "10.201.0.0/24", "Gateway": "10.202.0.1"}]}})
    s.later("DELETE", "/networks/{p}n")
    s.ask("create two null", "POST", "/networks/create", {"Name": "{p}n", "Driver": "null"})
    s.ask("create two host", "POST", "/networks/create", {"Name": "{p}n", "Driver": "host"})
    s.ask("create ingress", "POST", "/networks/create", {"Name": "{p}n", "Ingress": True})
    s.ask("create scope", "POST", "/networks/create", {"Name": "{p}n", "Scope": "swarm"})
    s.ask("connect bad json", "POST", "/networks/bridge/connect", "nonsense")
    s.ask("connect none", "POST", "/networks/{p}none/connect", {"Container": "x"})
    s.ask("connect no container", "POST", "/networks/bridge/connect", {"Container": "{p}none"})
    s.ask("connect empty", "POST", "/networks/bridge/connect", {})
    s.ask("disconnect none", "POST", "/networks/{p}none/disconnect", {"Container": "x"})
    s.ask("disconnect no container", "POST", "/networks/bridge/disconnect", {"Container": "{p}none"})
    s.ask("prune", "POST", "/networks/prune", filters={"label": ["{p}=none"]})
    s.ask("prune bad", "POST", "/networks/prune", filters={"nonsense": ["x"]})


@scenario
def networks_of_users(s):
    s.later("DELETE", "/networks/{p}n")
    s.ask("create", "POST", "/networks/create", {"Name": "{p}n", "Labels": {"a": "b"}, "IPAM": {"Config": [{"Subnet": "10.203.7.0/24", "Gateway": "10.203.7.1"}]}}, save="n")
    s.ask("again", "POST", "/networks/create", {"Name": "{p}n"})
    s.ask("overlap", "POST", "/networks/create", {"Name": "{p}m", "IPAM": {"Config": [{"Subnet": "10.203.7.0/25"}]}})
    s.ask("inspect", "GET", "/networks/{p}n")
    s.ask("inspect by id", "GET", "/networks/{n}", only=lambda v: v["Name"])
    s.ask("list", "GET", "/networks", filters={"name": ["{p}n"]})
    s.ask("list label", "GET", "/networks", only=lambda v: [n["Name"] for n in v], filters={"label": ["a=b"], "name": ["{p}"]})
    s.ask("list custom", "GET", "/networks", only=lambda v: [n["Name"] for n in v if n["Name"] == s.run + "n"], filters={"type": ["custom"]})
    s.ask("list dangling", "GET", "/networks", only=lambda v: [n["Name"] for n in v if n["Name"] == s.run + "n"], filters={"dangling": ["true"]})
    running(s, "c", HostConfig={"NetworkMode": "{p}n"}, NetworkingConfig={"EndpointsConfig": {"{p}n": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.203.7.9"}}}})
    s.ask("inspect user", "GET", "/containers/{c}/json", only=lambda v: {name: v["NetworkSettings"][name] for name in ("Networks", "IPAddress", "Gateway", "MacAddress")})
    s.ask("inspect used", "GET", "/networks/{p}n")
    s.ask("remove used", "DELETE", "/networks/{p}n")
    s.ask("connect twice", "POST", "/networks/{p}n/connect", {"Container": "{c}"})
    s.ask("connect bridge", "POST", "/networks/bridge/connect", {"Container": "{c}"})
    s.ask("two networks", "GET", "/containers/{c}/json", only=lambda v: sorted(v["NetworkSettings"]["Networks"]))
    s.ask("connect host", "POST", "/networks/host/connect", {"Container": "{c}"})
    s.ask("disconnect", "POST", "/networks/{p}n/disconnect", {"Container": "{c}"})
    s.ask("disconnect twice", "POST", "/networks/{p}n/disconnect", {"Container": "{c}"})
    s.plain("DELETE", "/containers/{c}?force=1")
    s.ask("remove", "DELETE", "/networks/{p}n")


# ---- events ----

@scenario
def events(s):
    s.ask("bad filter", "GET", "/events?until=1", filters={"nonsense": ["x"]})
    s.ask("bad since", "GET", "/events?since=x&until=1")
    s.ask("bad until", "GET", "/events?since=1&until=x")
    s.ask("since after until", "GET", "/events?since=2&until=1")
    s.ask("no json", "GET", "/events?until=1&filters=x")
    s.ask("nothing", "GET", "/events?since=1&until=2")
    began = "%.9f" % time.time()
    s.plain("POST", "/volumes/create", {"Name": "{p}v"})
    create(s, "c", Cmd=["true"], Labels={"k": "{p}"}, HostConfig={"NetworkMode": "none", "Binds": ["{p}v:/v"]})
    s.plain("POST", "/containers/{c}/start")
    s.plain("POST", "/containers/{c}/wait")
    s.plain("POST", "/containers/{c}/rename?name={p}renamed")
    s.plain("POST", "/images/{image}/tag?repo={p}image")
    s.plain("DELETE", "/images/{p}image")
    s.plain("DELETE", "/containers/{c}")
    s.plain("DELETE", "/volumes/{p}v")
    until = "%.9f" % time.time()

    def brief(v):
        rows = v if isinstance(v, list) else [v]
        for row in rows:
            row["Actor"]["Attributes"].pop("execDuration", None)
        return rows
    s.ask("containers", "GET", "/events", since=began, until=until, only=brief, filters={"type": ["container"], "label": ["k={p}"]})
    s.ask("start", "GET", "/events", since=began, until=until, only=brief, filters={"event": ["start"], "label": ["k={p}"]})
    s.ask("by container", "GET", "/events", since=began, until=until, only=lambda v: [row["Action"] for row in brief(v)], filters={"container": ["{c}"]})
    s.ask("volumes", "GET", "/events", since=began, until=until, only=brief, filters={"type": ["volume"], "volume": ["{p}v"]})
    s.ask("images", "GET", "/events", since=began, until=until, only=brief, filters={"type": ["image"], "event": ["tag", "untag"], "image": ["{p}image"]})
    s.ask("networks", "GET", "/events", since=began, until=until, only=brief, filters={"type": ["network"], "container": ["{c}"], "event": ["connect", "disconnect"]})


import scenarios_containers  # noqa: E402,F401  registers its own
import scenarios_images  # noqa: E402,F401
