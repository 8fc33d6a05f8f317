"""The daemon itself: flags, one per data root, stops that leave containers running, its socket, its libraries."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import leaks
from harness import Daemon, contains, equal, eventually, options
from test_network import HTTPD, fetch, wait_listening

TICK = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"]


def test_stop_leaves_containers_running(d):
    container = d.start_new(TICK, name="ticker")
    pid, started = d.state(container)["Pid"], d.state(container)["StartedAt"]
    eventually(lambda: len(d.logs(container)[0]) > 100)
    equal(d.stop(), 0)
    contains(d.log(), "containers run on")
    equal(os.path.exists("/proc/%d" % pid), True)
    time.sleep(0.3)
    d.start()
    state = d.state("ticker")
    equal((state["Status"], state["Pid"], state["StartedAt"]), ("running", pid, started))
    d.api.post("/containers/ticker/kill")
    equal(d.wait(container), 137)
    lines = d.logs(container)[0].decode().splitlines()
    equal(lines, ["line %d" % (i + 1) for i in range(len(lines))])


def test_exit_while_the_daemon_is_away(d):
    container = d.start_new(["sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done; echo bye; exit 9"])
    gone = d.start_new(["sleep", "100"], host={"AutoRemove": True})
    pid = d.state(container)["Pid"]
    d.kill()
    with open("/proc/%d/root/go" % pid, "w"):
        pass
    for name in (container, gone):
        for process in leaks.cgroup_pids(d.cgroup_parent):
            if name == gone and "sleep 100" in leaks.command_line(process):
                os.kill(process, signal.SIGKILL)
    eventually(lambda: not os.path.exists("/proc/%d" % pid), "the container's end")
    ended = time.time()
    time.sleep(1.2)
    d.start()
    state = d.state(container)
    equal((state["Status"], state["ExitCode"], state["Pid"]), ("exited", 9, 0))
    finished = time.mktime(time.strptime(state["FinishedAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    equal(abs(finished - ended) <= 1.1, True, "FinishedAt %s" % state["FinishedAt"])
    equal(d.logs(container)[0], b"bye\n")
    eventually(lambda: gone not in [row["Id"] for row in d.api.get("/containers/json", all=True)], "--rm is carried out")


def test_restart_policy_works_without_the_daemon(d):
    container = d.start_new(["sh", "-c", "echo again; sleep 0.2"], host={"RestartPolicy": {"Name": "always"}})
    eventually(lambda: d.inspect(container)["RestartCount"] >= 1)
    d.kill()
    time.sleep(1.5)
    d.start()
    eventually(lambda: d.inspect(container)["RestartCount"] >= 2, "restarts while away are counted")
    d.api.post("/containers/%s/stop" % container, t=0)
    equal(d.state(container)["Status"], "exited")
    count = d.inspect(container)["RestartCount"]
    equal(len(d.logs(container)[0].splitlines()) in (count, count + 1), True, "one line per start")


def test_reboot(d):
    """An empty exec root and no process: what ran counts as exited 255, and policy starts what it must."""
    plain = d.start_new(["sleep", "100"], name="plain")
    wanted = d.start_new(["sleep", "100"], name="wanted", host={"RestartPolicy": {"Name": "always"}})
    stopped = d.start_new(["sleep", "100"], name="stopped", host={"RestartPolicy": {"Name": "unless-stopped"}})
    d.api.post("/containers/stopped/stop", t=0)
    d.kill()
    for pid in list(d.namespace.processes()) + list(leaks.cgroup_pids(d.cgroup_parent)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    eventually(lambda: not leaks.cgroup_pids(d.cgroup_parent) and not d.namespace.processes())
    subprocess.run(["rm", "-rf", d.exec_root], check=True)
    leaks.remove_cgroups(d.cgroup_parent)
    d.start()
    equal((d.state(plain)["Status"], d.state(plain)["ExitCode"]), ("exited", 255))
    eventually(lambda: d.state(wanted)["Running"], "policy starts it")
    equal((d.state(stopped)["Status"], d.state(stopped)["ExitCode"]), ("exited", 137))


def test_second_start_on_the_same_root_is_refused(d):
    second = subprocess.run(
        d.namespace.command(
            d.build + "/daemon/holkd",
            "-H",
            "unix://" + d.directory + "/other.sock",
            "--data-root",
            d.data_root,
            "--exec-root",
            d.directory + "/other-exec",
            "--config-file",
            d.config_file(),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
    )
    equal(second.returncode, 1)
    contains(second.stdout, "data root %s is in use by another holkd (pid %d)" % (d.data_root, d.process.pid))
    equal(len(second.stdout.strip().splitlines()), 1)
    equal(d.api.request("GET", "/_ping").status, 200)
    equal(os.path.exists(d.directory + "/other.sock"), False)


def test_socket_inode_survives(d):
    """A socket that is bind-mounted into a container keeps working; nobody gets ECONNREFUSED while a container runs."""
    container = d.start_new(["sleep", "1000"], host={"Binds": [d.socket + ":/docker.sock"]})
    inode = os.stat(d.socket).st_ino
    refused, done = [], threading.Event()

    def connect():
        while not done.is_set():
            with socket.socket(socket.AF_UNIX) as sock:
                try:
                    sock.connect(d.socket)
                except OSError as error:
                    refused.append(str(error))
            time.sleep(0.002)

    thread = threading.Thread(target=connect)
    thread.start()
    waiting = {}
    for hard in (False, True, True):
        if hard:
            d.kill()
        else:
            equal(d.stop(), 0)
        late = threading.Thread(target=lambda: waiting.update(answer=d.api.request("GET", "/_ping", timeout=30).read()))
        late.start()  # connects while nobody is there; answered by the next daemon
        time.sleep(0.2)
        d.start()
        late.join(20)
        equal(waiting.pop("answer", None), b"OK")
        equal(os.stat(d.socket).st_ino, inode)
    done.set()
    thread.join()
    equal(refused, [])
    with open("/proc/%d/mountinfo" % d.state(container)["Pid"]) as file:
        contains(file.read(), "/docker.sock")


def test_socket_permissions(d):
    """A7: 0660 from the first instant; group docker when it exists."""
    mode = os.stat(d.socket)
    equal(stat.S_IMODE(mode.st_mode), 0o660)
    equal(mode.st_uid, 0)
    with open("/etc/group") as file:
        docker = [int(line.split(":")[2]) for line in file if line.startswith("docker:")]
    equal(mode.st_gid, docker[0] if docker else 0)
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "python3",
            "-c",
            "import socket; socket.socket(socket.AF_UNIX).connect(%r)" % d.socket,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    contains(done.stderr, "PermissionError")
    equal(stat.S_IMODE(os.stat(d.data_root).st_mode) & 0o007, 0)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", d.data_root + "/layers"],
        stderr=subprocess.PIPE,
        text=True,
    )
    contains(done.stderr, "Permission denied")


@options(base=False)
def test_socket_is_never_open_to_others(d):
    """A7, the race: watch the socket from before it exists."""
    equal(d.stop(), 0)
    if os.path.exists(d.socket):
        os.unlink(d.socket)
    modes, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            try:
                modes.add(stat.S_IMODE(os.lstat(d.socket).st_mode))
            except FileNotFoundError:
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(10):
        d.start()
        equal(d.stop(), 0)
    done.set()
    thread.join()
    equal([oct(mode) for mode in modes if mode & 0o007], [])
    d.start()


def test_libraries(d):
    """No curl, archive, crypto or seccomp in the daemon's address space; the monitor links nothing at all."""
    listed = subprocess.run(["ldd", d.build + "/daemon/holkd"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for word in ("curl", "archive", "crypto", "ssl", "seccomp", "gnutls", "nftables", "readline"):
        if word == "gnutls" and "microhttpd" in listed:
            continue  # comes with libmicrohttpd; unused
        with open("/proc/%d/maps" % d.process.pid) as file:
            direct = subprocess.run(["readelf", "-d", d.build + "/daemon/holkd"], stdout=subprocess.PIPE, text=True).stdout
            equal(re.findall(r"lib%s[\w.-]*\.so" % word, direct + file.read()), [], word)
    static = subprocess.run(
        ["ldd", d.build + "/daemon/monitor/holk-monitor"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout
    contains(static, "not a dynamic executable")


def test_memory_when_idle(d):
    """Proportional set size: at most 10 MB."""

    def pss():
        with open("/proc/%d/smaps_rollup" % d.process.pid) as file:
            return [int(line.split()[1]) for line in file if line.startswith("Pss:")][0]

    for _ in range(30):
        d.run(["true"])
    eventually(lambda: pss() <= 10 * 1024, "%d kB" % pss(), 5)


@options(base=False)
def test_flags(d):
    def run(*args):
        done = subprocess.run(
            ["unshare", "--net", d.build + "/daemon/holkd", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
        )
        return done.returncode, done.stdout

    code, text = run("--version")
    equal(code, 0)
    contains(text, "holkd ")
    code, text = run("--help")
    equal(code, 0)
    for flag in (
        "--data-root",
        "--exec-root",
        "--host",
        "--bip",
        "--bridge",
        "--insecure-registry",
        "--cgroup-parent",
        "--pidfile",
    ):
        contains(text, flag)
    config = d.directory + "/other.json"
    for content, words in (("{", "other.json"), ('{"debug": "perhaps"}', "debug"), ("[]", "other.json")):
        with open(config, "w") as file:
            file.write(content)
        code, text = run("--config-file", config, "--validate")
        equal(code, 1, content)
        contains(text, words)
    with open(config, "w") as file:
        json.dump({"debug": True, "data-root": d.directory + "/d2", "hosts": ["unix://" + d.directory + "/two.sock"]}, file)
    code, text = run("--config-file", config, "--validate")
    equal((code, text.strip()), (0, "configuration OK"))
    for args, words in (
        (["--nonsense"], "nonsense"),
        (["extra"], "unexpected argument extra"),
        (["--data-root", "relative"], "absolute"),
        (["-l", "loud"], "loud"),
        (["--bip", "1.2.3"], "1.2.3"),
        (["-H", "ftp://x"], "ftp"),
    ):
        code, text = run(
            "--data-root", d.directory + "/d3", "--exec-root", d.directory + "/e3", "-H", "unix://" + d.directory + "/3.sock", *args
        )
        equal(code, 1, str(args) + text)
        contains(text, words)


def test_data_root_on_overlay_is_refused(d):
    script = (
        "mkdir -p lower upper work merged && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged && "
        "exec timeout 10 %s/daemon/holkd --data-root $PWD/merged/data --exec-root $PWD/e -H unix://$PWD/5.sock --config-file %s"
        % (d.build, d.config_file())
    )
    os.makedirs(d.directory + "/on-overlay")
    done = subprocess.run(
        d.namespace.command("unshare", "--mount", "sh", "-c", script),
        cwd=d.directory + "/on-overlay",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    equal(done.returncode, 1, done.stdout)
    contains(done.stdout, "overlay")


@options(base=False)
def test_database_that_cannot_be_used(d):
    """Corrupt, or of a newer release: a refusal in one sentence, and the file is left as it is."""
    equal(d.stop(), 0)
    path = d.data_root + "/holk.db"
    with open(path, "rb") as file:
        whole = file.read()
    newer = bytearray(whole)
    newer[60:64] = (9999).to_bytes(4, "big")  # sqlite's user_version
    for content, words in (
        (b"no database at all" * 500, "holk.db"),
        (whole[:100] + b"\xff" * (len(whole) - 100), "holk.db"),
        (bytes(newer), "newer"),
    ):
        for name in ("-wal", "-shm"):
            if os.path.exists(path + name):
                os.unlink(path + name)
        with open(path, "wb") as file:
            file.write(content)
        done = subprocess.run(
            d.namespace.command(*d.command()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20
        )
        equal(done.returncode, 1, done.stdout)
        contains(done.stdout, words)
        equal(len(done.stdout.strip().splitlines()), 1, done.stdout)
        with open(path, "rb") as file:
            equal(file.read() == content, True, "the file is untouched")
    with open(path, "wb") as file:
        file.write(whole)
    d.start()


def test_pidfile_and_tcp():
    with Daemon(base=False, start=False) as d:
        d.args = ["--pidfile", d.directory + "/pid", "-H", "tcp://127.0.0.1:2375"]
        d.start()
        eventually(lambda: os.path.exists(d.directory + "/pid"))
        with open(d.directory + "/pid") as file:
            equal(int(file.read()), d.process.pid)
        client = type(d.api)(("127.0.0.1", 2375))
        equal(d.namespace.call(lambda: client.request("GET", "/_ping").read()), b"OK")
        equal(d.stop(), 0)
        equal(os.path.exists(d.directory + "/pid"), False)


def test_two_daemons_side_by_side():
    """Different roots, sockets and bridges in one network namespace: neither touches the other's objects."""
    with Daemon() as first:
        command = [
            first.build + "/daemon/holkd",
            "-H",
            "unix://" + first.directory + "/b.sock",
            "--data-root",
            first.directory + "/b-data",
            "--exec-root",
            first.directory + "/b-exec",
            "--cgroup-parent",
            first.cgroup_parent + "/b",
            "--bip",
            "10.99.0.1/24",
            "--config-file",
            first.config_file(),
        ]
        second = subprocess.Popen(first.namespace.command(*command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            api = type(first.api)(first.directory + "/b.sock")
            eventually(lambda: api.request("GET", "/_ping").status == 200, "the second daemon")
            container = first.start_new(
                HTTPD, ExposedPorts={"8080/tcp": {}}, host={"PortBindings": {"8080/tcp": [{"HostPort": "18080"}]}}
            )
            wait_listening(first, container, "tcp", 8080)
            equal((len(api.get("/containers/json", all=True)), len(api.get("/images/json"))), (0, 0))
            equal(first.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")
            equal(len([name for name in first.namespace.links() if name.startswith("holk-")]), 2)
        finally:
            second.send_signal(signal.SIGTERM)
            equal(second.wait(20), 0)
        equal(first.namespace.call(fetch, "127.0.0.1", 18080), b"hello from holk\n")
        extra = [name for name in first.namespace.links() if name.startswith("holk-")]
        first.watch.links.update(extra)
        first.watch.nft = leaks.nft_ruleset(first.namespace)
        first.remove(container)
        first.watch.nft = leaks.nft_ruleset(first.namespace)


def test_dump_on_sigusr1(d):
    container = d.start_new(["sleep", "100"])
    stream = d.api.request("GET", "/events")
    d.process.send_signal(signal.SIGUSR1)
    eventually(lambda: "events" in d.log() or container[:12] in d.log(), "a dump in the log", 5)
    stream.close()
    equal(d.api.request("GET", "/_ping").status, 200)


def test_bad_host_leaves_nothing(d):
    """Refused before a data root, bridge or table is made."""
    root = d.directory + "/other"
    for host, words in (("tcp://nonsense", "needs a port"), ("foo", "expected unix:///path or tcp://ip:port"), ("unix://x", "must be absolute")):
        done = subprocess.run(
            d.namespace.command(d.build + "/daemon/holkd", "-H", host, "--data-root", root, "--exec-root", root + "-exec", "--config-file", d.config_file()),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=20,
        )
        equal((done.returncode, os.path.exists(root)), (1, False), done.stdout)
        contains(done.stdout, words)
