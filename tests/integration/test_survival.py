"""kill -9 of the daemon and of monitors while containers run, write and have clients: nothing that ran is lost or told wrong."""
import os
import random
import signal
import threading
import time

import leaks
from harness import contains, equal, eventually, options

WRITER = "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo line $i; echo err $i >&2; %s; done; exit %d"


class Attached:
    """A client that reads a container's stream to its end on a thread of its own."""

    def __init__(self, stream):
        self.stream, self.out = stream, b""
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        self.out, self.err = self.stream.split()

    def join(self):
        self.thread.join(30)
        equal(self.thread.is_alive(), False, "the attached client's stream ends")
        self.stream.close()


def numbered(data, word):
    """The count of lines `word 1`, `word 2`, ...; anything else is an error."""
    lines = data.decode().splitlines()
    equal(lines, ["%s %d" % (word, i + 1) for i in range(len(lines))])
    return len(lines)


def kill_rounds(d, rounds, seed):
    chance = random.Random(seed)
    slow = d.start_new(["sh", "-c", WRITER % ("sleep 0.005", 7)], name="slow")
    fast = d.create(["sh", "-c", WRITER % (":", 3)], name="fast", AttachStdout=True, AttachStderr=True)
    client = Attached(d.api.hijack("/containers/fast/attach", stream=True, stdout=True, stderr=True, timeout=300))
    d.api.post("/containers/fast/start")
    pump = d.create(["cat"], name="pump", OpenStdin=True, StdinOnce=True, AttachStdin=True, AttachStdout=True)
    pumped = d.api.hijack("/containers/pump/attach", stream=True, stdin=True, stdout=True, timeout=300)
    d.api.post("/containers/pump/start")
    started = {name: d.state(name)["StartedAt"] for name in ("slow", "fast", "pump")}
    short, died = {}, 0
    for number in range(rounds):
        code = chance.randrange(1, 100)
        thread = threading.Thread(target=lambda: busy(d, short, number, code))
        thread.start()
        time.sleep(chance.random() * 0.12)
        d.kill()
        died += 1
        pumped.send(b"round %d\n" % number)
        equal(pumped.frame(), (1, b"round %d\n" % number), "the attached client goes on without a daemon")
        time.sleep(chance.random() * 0.05)
        d.start()
        thread.join()  # what it asks for meanwhile waits in the listening socket for the next daemon
        for name in ("slow", "fast", "pump"):
            state = d.state(name)
            equal((state["Status"], state["StartedAt"]), ("running", started[name]), name)
    equal(died, rounds)
    pumped.half_close()
    equal(pumped.split()[0], b"")
    pumped.close()
    before = time.time()
    for name in ("slow", "fast"):
        d.exec(name, ["touch", "/stop"])
    equal((d.wait("slow"), d.wait("fast"), d.wait("pump")), (7, 3, 0))
    client.join()
    out, err = d.logs("fast")
    equal(out == client.out and err == client.err, True, "log and attached stream are the same, byte for byte")
    equal(numbered(out, "line") - numbered(err, "err"), 0)
    out, err = d.logs("slow")
    equal(numbered(out, "line") - numbered(err, "err"), 0)
    finished = d.state("slow")["FinishedAt"]
    equal(abs(time.mktime(time.strptime(finished[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - before) < 10, True, finished)
    check_short(d, short)


def busy(d, short, number, code):
    """Work in flight when the daemon dies: a container that may be half created, half started, half removed."""
    name = "short%d" % number
    try:
        container = d.api.post(
            "/containers/create",
            {"Image": "busybox", "Cmd": ["sh", "-c", "echo %s; exit %d" % (name, code)]},
            name=name,
            timeout=20,
        )["Id"]
        short[name] = (container, code, False)
        d.api.post("/containers/%s/start" % container, timeout=20)
        short[name] = (container, code, True)
        d.run(["true"], timeout=20)
    except (OSError, AssertionError, ValueError):
        pass  # the daemon died under it


def check_short(d, short):
    """What was answered is true: a container that start was answered for has run, with its own exit code and output."""
    rows = {row["Names"][0][1:]: row for row in d.api.get("/containers/json", all=True)}
    for name, (container, code, started) in short.items():
        contains(rows, name, "a container whose create was answered")
        eventually(lambda: d.state(container)["Status"] in ("exited", "created"), "%s ends" % name)
        state = d.state(container)
        if started or state["Status"] == "exited":
            equal((state["Status"], state["ExitCode"]), ("exited", code), name)
            equal(d.logs(container)[0], name.encode() + b"\n")


@options(timeout=180)
def test_kill_the_daemon_20_times(d):
    kill_rounds(d, 20, seed=20)


@options(timeout=1800, long=True)
def test_kill_the_daemon_300_times(d):
    for seed in range(10):
        kill_rounds(d, 30, seed)
        d.remove_containers()


@options(timeout=120)
def test_kill_during_pull_and_build_work(d):
    """Loads and imports that are cut off leave nothing half-made."""
    import fixtures

    archive = fixtures.docker_archive(
        [fixtures.add_busybox(fixtures.Tar()).add("big", data=os.urandom(8 << 20)).bytes()], ["big:1"]
    )
    chance = random.Random(7)
    for _ in range(8):

        def load():
            try:
                d.load(archive)
            except (OSError, AssertionError, ValueError):
                pass

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(chance.random() * 0.15)
        d.kill()
        thread.join()
        d.start()
        rows = [row for row in d.api.get("/images/json") if "big:1" in (row["RepoTags"] or [])]
        if rows:
            equal(d.run(["wc", "-c", "/big"], image="big:1").out, b"8388608 /big\n")
            d.api.delete("/images/big:1")
        eventually(lambda: not os.listdir(d.data_root + "/tmp"), "tmp is empty after a start")


def test_kill_a_monitor(d):
    """Its container dies with it: exited 137 with State.Error, nothing left."""
    victim = d.start_new(["sh", "-c", "sleep 1000 & echo up; sleep 1000"], name="victim")
    other = d.start_new(["sleep", "1000"], name="other")
    eventually(lambda: d.logs(victim)[0] == b"up\n")
    pid = d.state(victim)["Pid"]
    waiting = {}
    waiter = threading.Thread(target=lambda: waiting.update(code=d.wait(victim)))
    waiter.start()
    os.kill(d.monitor_pid(victim), signal.SIGKILL)
    waiter.join(20)
    equal(waiting, {"code": 137})
    state = d.state(victim)
    equal((state["Status"], state["ExitCode"], state["Running"], state["Pid"]), ("exited", 137, False, 0))
    contains(state["Error"], "monitor")
    eventually(lambda: not os.path.exists("/proc/%d" % pid), "the container's processes are gone", 5)
    eventually(lambda: not [folder for folder in leaks.cgroup_dirs(d.cgroup_parent) if victim in folder], "its cgroups are gone", 5)
    equal(d.state(other)["Running"], True)
    equal(d.logs(victim)[0], b"up\n")
    d.api.post("/containers/victim/start")
    equal(d.state(victim)["Running"], True)


def test_kill_monitor_and_daemon_together(d):
    victim = d.start_new(["sleep", "1000"])
    monitor, pid = d.monitor_pid(victim), d.state(victim)["Pid"]
    d.kill()
    os.kill(monitor, signal.SIGKILL)
    d.start()
    eventually(lambda: d.state(victim)["Status"] == "exited", "the loss is noticed at start")
    state = d.state(victim)
    equal(state["ExitCode"], 137)
    contains(state["Error"], "monitor")
    eventually(lambda: not os.path.exists("/proc/%d" % pid), "the container's processes are gone", 5)


def test_killed_monitor_of_a_restarting_container(d):
    """No policy hides the loss of a monitor: the error is told, and a start works."""
    victim = d.start_new(["sleep", "1000"], host={"RestartPolicy": {"Name": "unless-stopped"}})
    os.kill(d.monitor_pid(victim), signal.SIGKILL)
    eventually(lambda: (d.state(victim)["Status"], d.state(victim)["ExitCode"]) == ("exited", 137))
    d.api.post("/containers/%s/start" % victim)
    equal(d.state(victim)["Running"], True)


def test_requests_right_after_the_kill_of_a_monitor(d):
    for method, path in (("DELETE", "?force=1"), ("POST", "/stop"), ("POST", "/kill"), ("POST", "/restart")):
        victim = d.start_new(["sleep", "1000"])
        os.kill(d.monitor_pid(victim), signal.SIGKILL)
        answer = d.api.request(method, "/containers/" + victim + path)
        equal(answer.status in (204, 304, 409), True, "%s %s: %d %r" % (method, path, answer.status, answer.read()))
        answer.close()


def test_exec_client_survives(d):
    container = d.start_new(["sleep", "1000"])
    name = d.api.post("/containers/%s/exec" % container, {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True})["Id"]
    stream = d.api.hijack("/exec/%s/start" % name, {"Detach": False}, timeout=30)
    stream.send(b"before\n")
    equal(stream.frame(), (1, b"before\n"))
    d.restart(hard=True)
    stream.send(b"after\n")
    equal(stream.frame(), (1, b"after\n"))
    stream.half_close()
    equal(stream.split(), (b"", b""))
    stream.close()


def test_published_port_survives(d):
    from test_network import fetch, serve

    container, _ = serve(d, [{"HostIp": "", "HostPort": "18080"}])
    d.kill()
    equal(d.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")
    d.start()
    equal(d.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")
    status, message = d.api.refused(
        "POST",
        "/containers/%s/start"
        % d.create(["true"], ExposedPorts={"1/tcp": {}}, host={"PortBindings": {"1/tcp": [{"HostPort": "18080"}]}}),
    )
    contains(message, "port is already allocated")
    d.remove(container)


@options(timeout=1200, long=True)
def test_soak(d):
    """Ten minutes of everything at once: no growth of memory, fds or files."""

    def size():
        with open("/proc/%d/smaps_rollup" % d.process.pid) as file:
            pss = [int(line.split()[1]) for line in file if line.startswith("Pss:")][0]
        return pss, len(os.listdir("/proc/%d/fd" % d.process.pid))

    def work(end):
        while time.monotonic() < end:
            equal(d.run(["sh", "-c", "echo x; exit 4"]).code, 4)
            container = d.start_new(["sleep", "100"])
            equal(d.exec(container, ["cat"], stdin=b"through").out, b"through")
            d.logs(container)
            d.remove(container)

    work(time.monotonic() + 20)
    before = size()
    threads = [threading.Thread(target=work, args=(time.monotonic() + 600,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = eventually(
        lambda: (lambda now: now if now[0] < before[0] + 2048 and now[1] <= before[1] + 2 else None)(size()), "%s" % (before,), 40
    )
    equal(bool(after), True)
