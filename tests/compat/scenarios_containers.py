"""Questions about containers and execs."""
import json
import urllib.parse

from scenarios import create, running, scenario, small_tar

BAD_BODIES = {
    "no image": {"Image": "shapes-none"},
    "blank image": {"Image": " "},
    "bad image": {"Image": "Shapes"},
    "bad reference": {"Image": "a b"},
    "unknown tag": {"Image": "{image}:none"},
    "unknown digest": {"Image": "{image}@sha256:" + "0" * 64},
    "unknown id": {"Image": "sha256:" + "0" * 64},
    "no command": {"Cmd": [], "Entrypoint": [""], "Image": "{image}"},
    "memory low": {"HostConfig": {"Memory": 1000}},
    "memory negative": {"HostConfig": {"Memory": -1}},
    "swap below memory": {"HostConfig": {"Memory": 16777216, "MemorySwap": 8388608}},
    "swap alone": {"HostConfig": {"MemorySwap": 16777216}},
    "reservation above memory": {"HostConfig": {"Memory": 16777216, "MemoryReservation": 33554432}},
    "reservation low": {"HostConfig": {"MemoryReservation": 1000}},
    "swappiness": {"HostConfig": {"MemorySwappiness": 101}},
    "cpus": {"HostConfig": {"NanoCpus": 1000000000000}},
    "cpus negative": {"HostConfig": {"NanoCpus": -1}},
    "cpus and quota": {"HostConfig": {"NanoCpus": 500000000, "CpuQuota": 50000}},
    "cpus and period": {"HostConfig": {"NanoCpus": 500000000, "CpuPeriod": 50000}},
    "cpu period": {"HostConfig": {"CpuPeriod": 10}},
    "cpu quota": {"HostConfig": {"CpuQuota": 10}},
    "cpu shares negative": {"HostConfig": {"CpuShares": -1}},
    "cpuset": {"HostConfig": {"CpusetCpus": "x"}},
    "cpuset far": {"HostConfig": {"CpusetCpus": "900"}},
    "cpuset mems": {"HostConfig": {"CpusetMems": "x"}},
    "blkio weight": {"HostConfig": {"BlkioWeight": 5}},
    "oom score": {"HostConfig": {"OomScoreAdj": 2000}},
    "shm negative": {"HostConfig": {"ShmSize": -1}},
    "restart policy": {"HostConfig": {"RestartPolicy": {"Name": "nonsense"}}},
    "restart count": {"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
    "restart negative": {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}},
    "restart and remove": {"HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}},
    "no network": {"HostConfig": {"NetworkMode": "container:shapes-none"}},
    "empty container mode": {"HostConfig": {"NetworkMode": "container:"}},
    "network and ports": {"HostConfig": {"NetworkMode": "container:x", "PortBindings": {"80/tcp": [{}]}}},
    "network and hostname": {"Hostname": "a", "HostConfig": {"NetworkMode": "container:x"}},
    "network and dns": {"HostConfig": {"NetworkMode": "container:x", "Dns": ["1.1.1.1"]}},
    "network and hosts": {"HostConfig": {"NetworkMode": "container:x", "ExtraHosts": ["a:1.1.1.1"]}},
    "host and links": {"HostConfig": {"NetworkMode": "host", "Links": ["a:b"]}},
    "no link": {"HostConfig": {"Links": ["shapes-none:b"]}},
    "hostname": {"Hostname": "a b"},
    "hostname long": {"Hostname": "a" * 64},
    "uts and hostname": {"Hostname": "a", "HostConfig": {"UTSMode": "host"}},
    "uts": {"HostConfig": {"UTSMode": "nonsense"}},
    "pid": {"HostConfig": {"PidMode": "nonsense"}},
    "pid of none": {"HostConfig": {"PidMode": "container:shapes-none"}},
    "ipc": {"HostConfig": {"IpcMode": "nonsense"}},
    "ipc of none": {"HostConfig": {"IpcMode": "container:shapes-none"}},
    "userns": {"HostConfig": {"UsernsMode": "nonsense"}},
    "cgroupns": {"HostConfig": {"CgroupnsMode": "nonsense"}},
    "capability": {"HostConfig": {"CapAdd": ["NONSENSE"]}},
    "capability dropped": {"HostConfig": {"CapDrop": ["NONSENSE"]}},
    "port": {"HostConfig": {"PortBindings": {"x/tcp": [{"HostPort": "80"}]}}},
    "port large": {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}},
    "port text": {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "x"}]}}},
    "port protocol": {"HostConfig": {"PortBindings": {"80/x": [{"HostPort": "80"}]}}},
    "port address": {"HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "x", "HostPort": "80"}]}}},
    "exposed": {"ExposedPorts": {"x": {}}},
    "exposed range": {"ExposedPorts": {"80-70/tcp": {}}},
    "bind": {"HostConfig": {"Binds": ["x"]}},
    "bind relative": {"HostConfig": {"Binds": ["./a:/b"]}},
    "bind target": {"HostConfig": {"Binds": ["/tmp:b"]}},
    "bind root": {"HostConfig": {"Binds": ["/tmp:/"]}},
    "bind mode": {"HostConfig": {"Binds": ["/tmp:/b:nonsense"]}},
    "bind parts": {"HostConfig": {"Binds": ["/tmp:/b:ro:x"]}},
    "bind twice": {"HostConfig": {"Binds": ["/tmp:/b", "/var:/b"]}},
    "bind missing": {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/shapes-none", "Target": "/b"}]}},
    "mount type": {"HostConfig": {"Mounts": [{"Type": "nonsense", "Target": "/b"}]}},
    "mount without type": {"HostConfig": {"Mounts": [{"Source": "/tmp", "Target": "/b"}]}},
    "mount target": {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp"}]}},
    "mount target relative": {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "b"}]}},
    "mount source": {"HostConfig": {"Mounts": [{"Type": "bind", "Target": "/b"}]}},
    "mount source relative": {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "tmp", "Target": "/b"}]}},
    "mount propagation": {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/b", "BindOptions": {"Propagation": "nonsense"}}]}},
    "mount tmpfs source": {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Source": "/tmp", "Target": "/b"}]}},
    "mount tmpfs size": {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": -1}}]}},
    "mount volume name": {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "../x", "Target": "/b"}]}},
    "mount twice": {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/b"}, {"Type": "tmpfs", "Target": "/b"}]}},
    "mount and bind": {"HostConfig": {"Binds": ["/tmp:/b"], "Mounts": [{"Type": "tmpfs", "Target": "/b"}]}},
    "mount options of others": {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "shapes-v", "Target": "/b", "BindOptions": {"Propagation": "shared"}}]}},
    "tmpfs option": {"HostConfig": {"Tmpfs": {"/t": "nonsense=1"}}},
    "tmpfs path": {"HostConfig": {"Tmpfs": {"t": ""}}},
    "volume path": {"Volumes": {"relative": {}}},
    "volume root": {"Volumes": {"/": {}}},
    "volumes from none": {"HostConfig": {"VolumesFrom": ["shapes-none"]}},
    "volumes from mode": {"HostConfig": {"VolumesFrom": ["shapes-none:nonsense"]}},
    "log driver": {"HostConfig": {"LogConfig": {"Type": "nonsense"}}},
    "log option": {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"nonsense": "1"}}}},
    "log size": {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"max-size": "x"}}}},
    "log files": {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"max-file": "0"}}}},
    "runtime": {"HostConfig": {"Runtime": "nonsense"}},
    "isolation": {"HostConfig": {"Isolation": "hyperv"}},
    "security option": {"HostConfig": {"SecurityOpt": ["nonsense"]}},
    "security option value": {"HostConfig": {"SecurityOpt": ["no-new-privileges=maybe"]}},
    "seccomp": {"HostConfig": {"SecurityOpt": ["seccomp={"]}},
    "ulimit": {"HostConfig": {"Ulimits": [{"Name": "nonsense", "Soft": 1, "Hard": 1}]}},
    "ulimit order": {"HostConfig": {"Ulimits": [{"Name": "nofile", "Soft": 20, "Hard": 10}]}},
    "device": {"HostConfig": {"Devices": [{"PathOnHost": "/dev/shapes-none", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]}},
    "device rule": {"HostConfig": {"DeviceCgroupRules": ["nonsense"]}},
    "sysctl": {"HostConfig": {"Sysctls": {"nonsense": "1"}}},
    "sysctl host network": {"HostConfig": {"NetworkMode": "host", "Sysctls": {"net.ipv4.ip_forward": "1"}}},
    "extra host": {"HostConfig": {"ExtraHosts": ["nonsense"]}},
    "extra host address": {"HostConfig": {"ExtraHosts": ["a:nonsense"]}},
    "dns": {"HostConfig": {"Dns": ["nonsense"]}},
    "storage option": {"HostConfig": {"StorageOpt": {"size": "1G"}}},
    "stop signal": {"StopSignal": "NONSENSE"},
    "stop timeout": {"StopTimeout": -5},
    "env": {"Env": ["=x"]},
    "env empty": {"Env": [""]},
    "workdir": {"WorkingDir": "relative"},
    "workdir of a file": {"WorkingDir": "/etc/passwd"},
    "mac": {"MacAddress": "nonsense"},
    "health": {"Healthcheck": {"Test": ["NONSENSE"]}},
    "health interval": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5}},
    "health timeout": {"Healthcheck": {"Test": ["CMD", "true"], "Timeout": 5}},
    "health retries": {"Healthcheck": {"Test": ["CMD", "true"], "Retries": -1}},
    "health start period": {"Healthcheck": {"Test": ["CMD", "true"], "StartPeriod": 5}},
    "endpoints": {"NetworkingConfig": {"EndpointsConfig": {"shapes-none": {}}}},
    "two endpoints": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {}, "shapes-none": {}}}},
    "endpoint address": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "nonsense"}}}}},
    "endpoint mac": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "nonsense"}}}},
    "address on bridge": {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.99"}}}}},
    "annotations": {"HostConfig": {"Annotations": {"": "x"}}},
    "pids": {"HostConfig": {"PidsLimit": -5}},
    "console": {"HostConfig": {"ConsoleSize": [1]}},
    "masked and privileged": {"HostConfig": {"Privileged": True, "UsernsMode": "host"}},
    "group add": {"HostConfig": {"GroupAdd": ["nonsense"]}},
    "cgroup parent": {"HostConfig": {"CgroupParent": "x.slice"}},
}
WITHOUT_IMAGE = ("no image", "blank image", "bad image", "bad reference")


@scenario
def create_bad(s):
    """What is refused, and what is not: the container is removed again, what it would say is compared elsewhere."""
    for number, (name, body) in enumerate(BAD_BODIES.items()):
        body = {"Image": "{image}", "Cmd": ["true"], **body}
        answer = s.ask(name, "POST", "/containers/create?name={p}%d" % number, body)
        if answer.status == 201:
            s.plain("DELETE", "/containers/" + answer.json["Id"] + "?force=1&v=1")
    s.plain("DELETE", "/volumes/shapes-v")


@scenario
def create_names(s):
    create(s, "c")
    for name in ("{p}c", "a", "-a", "a b", "a/b", "/{p}d", "", "_x", "ä"):
        answer = s.ask("name " + name, "POST", "/containers/create?name=" + urllib.parse.quote(s.fill(name)), {"Image": "{image}"})
        if answer.status == 201:
            s.plain("DELETE", "/containers/" + answer.json["Id"])
    for platform in ("linux/amd64", "linux/arm64", "nonsense", "a/b/c/d", "windows"):
        answer = s.ask("platform " + platform, "POST", "/containers/create", {"Image": "{image}"}, platform=platform)
        if answer.status == 201:
            s.plain("DELETE", "/containers/" + answer.json["Id"])


def brief_inspect(v):
    v["GraphDriver"]["Data"] = sorted(set(v["GraphDriver"]["Data"]) - {"ID", "MergedDir"})
    v["HostConfig"].pop("CgroupnsMode")  # the machine's cgroups decide
    v["HostConfig"].pop("OomKillDisable")
    return v


FULL = {
    "Hostname": "box", "Domainname": "example.com", "User": "1000:1000", "Env": ["B=c"], "Cmd": ["sleep", "1000"], "Entrypoint": None, "WorkingDir": "/tmp/x/",
    "Labels": {"a": "b"}, "ExposedPorts": {"81/tcp": {}, "82/udp": {}}, "Volumes": {"/anon": {}}, "StopSignal": "SIGUSR1", "StopTimeout": 3, "Tty": True, "OpenStdin": True,
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 60000000000, "StartInterval": 1000000000},
    "HostConfig": {
        "Binds": ["/tmp:/host:ro", "{p}vol:/vol"], "Memory": 67108864, "NanoCpus": 500000000, "PidsLimit": 50, "CapAdd": ["net_admin", "CAP_SYS_TIME"], "CapDrop": ["ALL"],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}, "ExtraHosts": ["a:1.2.3.4"], "Dns": ["9.9.9.9"], "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
        "Tmpfs": {"/t": "size=1m"}, "ReadonlyRootfs": True, "Init": True, "ShmSize": 1048576, "Sysctls": {"net.ipv4.ip_forward": "0"}, "Annotations": {"k": "v"},
        "GroupAdd": ["audio"], "SecurityOpt": ["no-new-privileges"], "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "ConsoleSize": [24, 80],
        "Mounts": [{"Type": "tmpfs", "Target": "/m", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 448}}, {"Type": "bind", "Source": "/usr", "Target": "/v", "ReadOnly": True}],
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/xnull", "CgroupPermissions": "rwm"}], "OomScoreAdj": 100, "CgroupParent": "",
    },
}


@scenario
def inspect(s):
    create(s, "c", Cmd=["true"], HostConfig={"NetworkMode": "none"})
    s.ask("plain", "GET", "/containers/{c}/json", only=brief_inspect)
    s.ask("size", "GET", "/containers/{c}/json?size=1", only=lambda v: {name: v.get(name) for name in ("SizeRw", "SizeRootFs")})
    s.ask("by name", "GET", "/containers/{p}c/json", only=lambda v: v["Name"])
    s.ask("by slash name", "GET", "/containers/%2F{p}c/json", only=lambda v: v["Name"])
    s.ask("by prefix", "GET", "/containers/" + s.words["c"][:20] + "/json", only=lambda v: v["Name"])
    s.ask("none", "GET", "/containers/{p}none/json")
    s.later("DELETE", "/volumes/{p}vol?force=1")
    create(s, "full", **FULL)
    s.ask("full", "GET", "/containers/{full}/json", only=brief_inspect)
    create(s, "bridge", Entrypoint="/bin/echo", Cmd="one", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": ""}]}, "PublishAllPorts": True})
    s.ask("bridge", "GET", "/containers/{bridge}/json", only=brief_inspect)


@scenario
def lifecycle(s):
    none = {"HostConfig": {"NetworkMode": "none"}}
    create(s, "c", **none)
    for verb in ("stop", "kill", "pause", "unpause", "restart?t=x", "stop?t=x", "resize?h=1&w=1", "top"):
        s.ask("created " + verb, "GET" if verb == "top" else "POST", "/containers/{c}/" + verb)
    s.ask("start", "POST", "/containers/{c}/start")
    s.ask("start twice", "POST", "/containers/{c}/start")
    s.ask("start with body", "POST", "/containers/{c}/start", {"Binds": []})
    s.ask("running", "GET", "/containers/{c}/json", only=lambda v: v["State"])
    s.ask("unpause", "POST", "/containers/{c}/unpause")
    s.ask("pause", "POST", "/containers/{c}/pause")
    s.ask("pause twice", "POST", "/containers/{c}/pause")
    s.ask("paused", "GET", "/containers/{c}/json", only=lambda v: v["State"])
    s.ask("paused exec", "POST", "/containers/{c}/exec", {"Cmd": ["true"]})
    s.ask("paused start", "POST", "/containers/{c}/start")
    s.ask("paused remove", "DELETE", "/containers/{c}")
    s.ask("unpause now", "POST", "/containers/{c}/unpause")
    s.ask("rename to itself", "POST", "/containers/{c}/rename?name={p}c")
    s.ask("rename empty", "POST", "/containers/{c}/rename")
    s.ask("rename bad", "POST", "/containers/{c}/rename?name=a/b")
    create(s, "other", **none)
    s.ask("rename taken", "POST", "/containers/{c}/rename?name={p}other")
    s.ask("rename", "POST", "/containers/{c}/rename?name={p}new")
    s.ask("renamed", "GET", "/containers/{p}new/json", only=lambda v: v["Name"])
    s.ask("old name", "GET", "/containers/{p}c/json")
    s.ask("kill bad", "POST", "/containers/{c}/kill?signal=NONSENSE")
    s.ask("kill number", "POST", "/containers/{c}/kill?signal=1000")
    s.ask("kill 0", "POST", "/containers/{c}/kill?signal=0")
    s.ask("remove running", "DELETE", "/containers/{c}")
    s.ask("remove link", "DELETE", "/containers/{c}?link=1")
    s.ask("stop bad signal", "POST", "/containers/{c}/stop?signal=NONSENSE&t=1")
    s.ask("kill", "POST", "/containers/{c}/kill")
    s.plain("POST", "/containers/{c}/wait")
    s.ask("killed", "GET", "/containers/{c}/json", only=lambda v: v["State"])
    s.ask("stop stopped", "POST", "/containers/{c}/stop")
    s.ask("kill stopped", "POST", "/containers/{c}/kill")
    s.ask("pause stopped", "POST", "/containers/{c}/pause")
    s.ask("restart", "POST", "/containers/{c}/restart?t=0")
    s.ask("stop", "POST", "/containers/{c}/stop?t=0")
    s.ask("remove", "DELETE", "/containers/{c}")
    s.ask("remove twice", "DELETE", "/containers/{c}")
    for method, verb in (("POST", "start"), ("POST", "stop"), ("POST", "kill"), ("POST", "restart"), ("POST", "pause"), ("POST", "unpause"), ("POST", "wait"), ("POST", "rename?name={p}z"),
                         ("POST", "resize?h=1&w=1"), ("POST", "update"), ("GET", "json"), ("GET", "top"), ("GET", "logs?stdout=1"), ("GET", "stats?stream=0"), ("GET", "changes"),
                         ("GET", "export"), ("GET", "archive?path=/"), ("HEAD", "archive?path=/"), ("PUT", "archive?path=/"), ("POST", "attach?stdout=1"), ("POST", "exec")):
        body = {"Cmd": ["true"]} if verb == "exec" else {} if verb == "update" else None
        s.ask("none " + method + " " + verb, method, "/containers/{p}none/" + verb, body)
    s.ask("none remove", "DELETE", "/containers/{p}none")


@scenario
def failing_starts(s):
    for word, body in (("nofile", {"Cmd": ["/shapes-none"]}), ("noexec", {"Cmd": ["/etc/passwd"]}), ("directory", {"Cmd": ["/etc"]}), ("nopath", {"Cmd": ["shapes-none"]}),
                       ("nouser", {"Cmd": ["true"], "User": "shapes-none"}), ("nogroup", {"Cmd": ["true"], "User": "0:shapes-none"})):
        create(s, word, **{"HostConfig": {"NetworkMode": "none"}, **body})
        s.ask(word, "POST", "/containers/{%s}/start" % word)
        s.ask(word + " state", "GET", "/containers/{%s}/json" % word, only=lambda v: v["State"])
    create(s, "nonet", HostConfig={"NetworkMode": "shapes-none"})
    s.ask("nonet", "POST", "/containers/{nonet}/start")


@scenario
def wait(s):
    create(s, "c", Cmd=["sh", "-c", "exit 3"], HostConfig={"NetworkMode": "none"})
    s.ask("bad condition", "POST", "/containers/{c}/wait?condition=nonsense")
    s.plain("POST", "/containers/{c}/start")
    s.ask("exited", "POST", "/containers/{c}/wait")
    s.ask("not running", "POST", "/containers/{c}/wait?condition=not-running")
    s.ask("state", "GET", "/containers/{c}/json", only=lambda v: {name: v["State"][name] for name in ("Status", "ExitCode", "Error", "OOMKilled")})


@scenario
def listing(s):
    running(s, "up", Labels={"k": "{p}"}, HostConfig={"NetworkMode": "none", "Annotations": {"a": "b"}}, ExposedPorts={"80/tcp": {}})
    create(s, "made", Labels={"k": "{p}", "m": "1"}, Cmd=["echo", "a b"])
    ours = ["k={p}"]
    s.ask("all", "GET", "/containers/json?all=1", filters={"label": ours})
    s.ask("running", "GET", "/containers/json", only=lambda v: [c["Names"] for c in v], filters={"label": ours})
    s.ask("size", "GET", "/containers/json?size=1", only=lambda v: [sorted(c) for c in v], filters={"label": ours})
    s.ask("limit", "GET", "/containers/json?limit=1", only=lambda v: [c["Names"] for c in v], filters={"label": ours})
    s.ask("bad limit", "GET", "/containers/json?limit=x")
    s.ask("bad filter", "GET", "/containers/json", filters={"nonsense": ["x"]})
    s.ask("bad status", "GET", "/containers/json", filters={"status": ["x"]})
    s.ask("bad exited", "GET", "/containers/json", filters={"exited": ["x"]})
    s.ask("bad health", "GET", "/containers/json", filters={"health": ["x"]})
    s.ask("bad before", "GET", "/containers/json", filters={"before": ["{p}none"]})
    s.ask("bad since", "GET", "/containers/json", filters={"since": ["{p}none"]})
    s.ask("bad is-task", "GET", "/containers/json", filters={"is-task": ["x"]})
    s.ask("bad publish", "GET", "/containers/json", filters={"publish": ["x"]})
    s.ask("no json", "GET", "/containers/json?filters=x")

    def names(v):
        return sorted(c["Names"][0] for c in v)
    for name, filters in (("status created", {"status": ["created"]}), ("two labels", {"label": ["k={p}", "m"]}), ("label value", {"label": ["k={p}", "m=2"]}), ("name", {"name": ["{p}up"]}),
                          ("name expression", {"name": ["^/{p}.*$"]}), ("name anchored", {"name": ["^{p}up$"]}), ("id", {"id": ["{up}"]}), ("ancestor", {"ancestor": ["{image}"]}),
                          ("ancestor none", {"ancestor": ["shapes-none"]}), ("network", {"network": ["none"]}), ("before", {"before": ["{p}made"]}), ("since", {"since": ["{p}up"]}),
                          ("expose", {"expose": ["80"]}), ("expose range", {"expose": ["80-90/tcp"]}), ("is-task", {"is-task": ["false"]}), ("health", {"health": ["none"]}),
                          ("exited", {"exited": ["0"]}), ("volume", {"volume": ["/shapes-none"]})):
        filters = {**filters, "label": filters.get("label", ours)}
        s.ask("filter " + name, "GET", "/containers/json?all=1", only=names, filters=filters)
    s.ask("dialect", "GET", "/containers/json?all=1", only=names, filters={"label": {"k={p}": True}})
    s.ask("prune none", "POST", "/containers/prune", filters={"label": ["{p}=none"]})
    s.ask("prune bad", "POST", "/containers/prune", filters={"nonsense": ["x"]})
    s.ask("prune until", "POST", "/containers/prune", filters={"until": ["x"]})


@scenario
def execs(s):
    create(s, "dead")
    s.ask("not running", "POST", "/containers/{dead}/exec", {"Cmd": ["true"]})
    running(s, "c", HostConfig={"NetworkMode": "none"})
    s.ask("no command", "POST", "/containers/{c}/exec", {"Cmd": []})
    s.ask("null command", "POST", "/containers/{c}/exec", {})
    s.ask("create", "POST", "/containers/{c}/exec", {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True}, save="e")
    s.ask("inspect created", "GET", "/exec/{e}/json")
    s.ask("start", "POST", "/exec/{e}/start", {"Detach": False}, mode="status")
    s.ask("inspect done", "GET", "/exec/{e}/json")
    s.ask("start twice", "POST", "/exec/{e}/start", {"Detach": True})
    s.ask("create detached", "POST", "/containers/{c}/exec", {"Cmd": ["sleep", "100"], "User": "alice", "Env": ["A=b"], "WorkingDir": "/tmp", "Privileged": True, "Tty": True}, save="d")
    s.ask("start detached", "POST", "/exec/{d}/start", {"Detach": True, "Tty": True})
    s.ask("inspect running", "GET", "/exec/{d}/json")
    s.ask("start running", "POST", "/exec/{d}/start", {"Detach": True})
    s.ask("resize", "POST", "/exec/{d}/resize?h=10&w=20")
    s.ask("resize bad", "POST", "/exec/{d}/resize?h=x&w=20")
    s.ask("resize missing", "POST", "/exec/{d}/resize")
    s.ask("container", "GET", "/containers/{c}/json", only=lambda v: [i == s.words["d"] for i in v["ExecIDs"]])
    s.ask("string command", "POST", "/containers/{c}/exec", '{"Cmd":"true"}', mode="status")
    s.ask("bad user", "POST", "/containers/{c}/exec", {"Cmd": ["true"], "User": "shapes-none"}, save="u")
    s.ask("start bad user", "POST", "/exec/{u}/start", {"Detach": True})
    s.ask("missing program", "POST", "/containers/{c}/exec", {"Cmd": ["/shapes-none"]}, save="m")
    s.ask("start missing program", "POST", "/exec/{m}/start", {"Detach": True})
    s.ask("inspect missing program", "GET", "/exec/{m}/json")
    s.ask("bad env", "POST", "/containers/{c}/exec", {"Cmd": ["true"], "Env": ["=x"]}, mode="status")
    s.ask("console size", "POST", "/containers/{c}/exec", {"Cmd": ["true"], "ConsoleSize": [1]})
    for method, verb in (("GET", "json"), ("POST", "start"), ("POST", "resize?h=1&w=1")):
        s.ask("none " + verb, method, "/exec/{p}none/" + verb, {} if verb == "start" else None)
    s.plain("POST", "/containers/{c}/kill")
    s.plain("POST", "/containers/{c}/wait")
    s.ask("after death", "GET", "/exec/{d}/json", mode="status")


@scenario
def logs(s):
    create(s, "c", Cmd=["sh", "-c", "echo out; echo err >&2"], HostConfig={"NetworkMode": "none"})
    s.ask("of created", "GET", "/containers/{c}/logs?stdout=1")
    s.plain("POST", "/containers/{c}/start")
    s.plain("POST", "/containers/{c}/wait")
    s.ask("no stream", "GET", "/containers/{c}/logs")
    s.ask("both", "GET", "/containers/{c}/logs?stdout=1&stderr=1", mode="status")
    s.ask("stdout", "GET", "/containers/{c}/logs?stdout=1")
    s.ask("stderr", "GET", "/containers/{c}/logs?stderr=1")
    s.ask("times", "GET", "/containers/{c}/logs?stdout=1&timestamps=1", mode="status")
    s.ask("tail", "GET", "/containers/{c}/logs?stdout=1&tail=0")
    s.ask("bad tail", "GET", "/containers/{c}/logs?stdout=1&tail=x")
    s.ask("negative tail", "GET", "/containers/{c}/logs?stdout=1&tail=-1")
    s.ask("bad since", "GET", "/containers/{c}/logs?stdout=1&since=x")
    s.ask("bad until", "GET", "/containers/{c}/logs?stdout=1&until=x")
    s.ask("far since", "GET", "/containers/{c}/logs?stdout=1&since=4000000000")
    s.ask("until past", "GET", "/containers/{c}/logs?stdout=1&until=1")
    create(s, "tty", Cmd=["echo", "out"], Tty=True, HostConfig={"NetworkMode": "none"})
    s.plain("POST", "/containers/{tty}/start")
    s.plain("POST", "/containers/{tty}/wait")
    s.ask("tty", "GET", "/containers/{tty}/logs?stdout=1&stderr=1")
    create(s, "quiet", HostConfig={"NetworkMode": "none", "LogConfig": {"Type": "none"}})
    s.ask("no logs", "GET", "/containers/{quiet}/logs?stdout=1")


@scenario
def attach(s):
    create(s, "c", HostConfig={"NetworkMode": "none"})
    s.ask("bad keys", "POST", "/containers/{c}/attach?stream=1&detachKeys=nonsense", mode="status")
    s.ask("websocket", "GET", "/containers/{c}/attach/ws", mode="status")
    s.ask("logs of created", "POST", "/containers/{c}/attach?logs=1&stdout=1", mode="status")
    s.ask("nothing", "POST", "/containers/{c}/attach", mode="status")


@scenario
def top_stats(s):
    running(s, "c", HostConfig={"NetworkMode": "none"})
    s.ask("top", "GET", "/containers/{c}/top", only=lambda v: [v["Titles"], len(v["Processes"])])
    s.ask("top aux", "GET", "/containers/{c}/top?ps_args=aux", only=lambda v: [v["Titles"], len(v["Processes"])])
    s.ask("top pid", "GET", "/containers/{c}/top?ps_args=-o%20pid,comm", only=lambda v: [v["Titles"], [row[1:] for row in v["Processes"]]])
    s.ask("top without pid", "GET", "/containers/{c}/top?ps_args=-o%20comm")
    s.ask("top bad", "GET", "/containers/{c}/top?ps_args=--nonsense", mode="status")
    s.ask("stats", "GET", "/containers/{c}/stats?stream=0&one-shot=1", mode="shape", only=lambda v: {name: v.get(name) for name in ("name", "id", "read", "preread", "num_procs")})
    s.ask("stats cpu", "GET", "/containers/{c}/stats?stream=0&one-shot=1", only=lambda v: sorted(v["cpu_stats"]))
    create(s, "made", HostConfig={"NetworkMode": "none"})
    s.ask("stats of created", "GET", "/containers/{made}/stats?stream=0", mode="shape")
    s.ask("changes", "GET", "/containers/{made}/changes")
    s.ask("resize", "POST", "/containers/{c}/resize?h=10&w=10")
    s.ask("resize bad", "POST", "/containers/{c}/resize?h=x&w=10")
    s.ask("resize missing", "POST", "/containers/{c}/resize")


@scenario
def update(s):
    create(s, "c", HostConfig={"NetworkMode": "none"})
    s.ask("nothing", "POST", "/containers/{c}/update", {})
    s.ask("memory", "POST", "/containers/{c}/update", {"Memory": 67108864, "MemorySwap": 134217728})
    s.ask("memory low", "POST", "/containers/{c}/update", {"Memory": 1000})
    s.ask("restart policy", "POST", "/containers/{c}/update", {"RestartPolicy": {"Name": "always"}})
    s.ask("bad policy", "POST", "/containers/{c}/update", {"RestartPolicy": {"Name": "nonsense"}})
    s.ask("values", "GET", "/containers/{c}/json", only=lambda v: {name: v["HostConfig"][name] for name in ("Memory", "MemorySwap", "RestartPolicy")})
    s.ask("not json", "POST", "/containers/{c}/update", "nonsense")


@scenario
def archive(s):
    create(s, "c", HostConfig={"NetworkMode": "none"})

    def stat(answer):
        import base64
        header = answer.headers.get("X-Docker-Container-Path-Stat")
        return json.loads(base64.b64decode(header)) if header else None
    for name, path in (("file", "/etc/passwd"), ("directory", "/etc"), ("link", "/bin/sh"), ("root", "/")):
        answer = s.ask("head " + name, "HEAD", "/containers/{c}/archive?path=" + path)
        s.results["head " + name]["stat"] = s.normal.value(stat(answer))
    s.ask("head none", "HEAD", "/containers/{c}/archive?path=/shapes-none")
    s.ask("head no path", "HEAD", "/containers/{c}/archive")
    s.ask("get", "GET", "/containers/{c}/archive?path=/etc/passwd", mode="status")
    s.ask("get none", "GET", "/containers/{c}/archive?path=/shapes-none")
    s.ask("get no path", "GET", "/containers/{c}/archive")
    s.ask("get file slash", "GET", "/containers/{c}/archive?path=/etc/passwd/")
    s.ask("put", "PUT", "/containers/{c}/archive?path=/tmp", small_tar(**{"{p}f": "x"}), {"Content-Type": "application/x-tar"})
    s.ask("put nowhere", "PUT", "/containers/{c}/archive?path=/shapes-none", small_tar(f="x"), {"Content-Type": "application/x-tar"})
    s.ask("put on file", "PUT", "/containers/{c}/archive?path=/etc/passwd", small_tar(f="x"), {"Content-Type": "application/x-tar"})
    s.ask("put no path", "PUT", "/containers/{c}/archive", small_tar(f="x"), {"Content-Type": "application/x-tar"})
    s.ask("put garbage", "PUT", "/containers/{c}/archive?path=/tmp", b"nonsense" * 200, {"Content-Type": "application/x-tar"}, mode="status")
    s.ask("put over directory", "PUT", "/containers/{c}/archive?path=/&noOverwriteDirNonDir=1", small_tar(etc="x"), {"Content-Type": "application/x-tar"}, mode="status")
    s.ask("changes", "GET", "/containers/{c}/changes", only=lambda v: [c for c in v if c["Path"] == "/tmp"])
    s.ask("export", "GET", "/containers/{c}/export", mode="status")
