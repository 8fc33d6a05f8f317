"""A holkd of one's own per test: own directory, network namespace, socket, bridge and cgroup parent; and the check that
nothing is left when it ends. Standard library only.

    from harness import Daemon, Skip, equal, options

    def test_true(d):                          # d: a fresh Daemon with the image busybox:latest
        equal(d.run(["true"]).code, 0)

    @options(timeout=120, args=["--debug"])    # for the runner: seconds, flags of holkd
    def test_other(d): ...

    def test_alone(): ...                      # no parameter: makes what it needs itself, `with Daemon() as d:`

d.api is an httpapi.Client. The runner (run.py) collects functions named test_*; a test fails by any exception, and by
anything it leaves behind; raise Skip("reason") when the machine lacks something."""
import contextlib
import glob
import inspect
import json
import os
import shutil
import signal
import subprocess
import time
import uuid

import fixtures
import leaks
from fixtures import ROOT, Skip
from httpapi import ApiError, Client
from netns import Namespace

__all__ = ["ApiError", "Client", "Daemon", "Skip", "contains", "equal", "eventually", "options", "raises"]

SANITIZER_WORDS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion `", "double free", "stack smashing")


# ---- small words for tests ----


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError("%sexpected %r, got %r" % (what + ": " if what else "", wanted, got))


def contains(text, part, what=""):
    if part not in text:
        raise AssertionError("%sexpected %r in %r" % (what + ": " if what else "", part, text))


def raises(status, function, *args, text=None, **more):
    """The call must be refused with this status (and this text in its message). Returns the message."""
    try:
        value = function(*args, **more)
    except ApiError as error:
        equal(error.status, status, error.message)
        if text:
            contains(error.message, text)
        return error.message
    raise AssertionError("expected %d, got an answer: %r" % (status, value))


def eventually(check, what="", seconds=15, pause=0.02):
    """Waits until check() is true (returns its value); exceptions of the checks count as not yet."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            value = check()
            if value:
                return value
            last = value
        except (AssertionError, ApiError, OSError, KeyError, IndexError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError("%s: not within %g s (last: %r)" % (what or inspect.getsource(check).strip(), seconds, last))
        time.sleep(pause)


def options(**values):
    """timeout=seconds, args=[flags of holkd], base=False (no image), long=True (only in `tests/run long`), alone=True
    (no other test beside it)."""

    def mark(function):
        function.options = {**getattr(function, "options", {}), **values}
        return function

    return mark


class Ran:
    """How a command in a container ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    text = property(lambda self: self.out.decode(errors="replace"))

    def __repr__(self):
        return "exit %s, stdout %r, stderr %r" % (self.code, self.out[-600:], self.err[-600:])


def find_build(build=None):
    """The build directory: the argument, HOLK_BUILD, or the usual ones below the source tree."""
    chosen = build or os.environ.get("HOLK_BUILD")
    for path in [chosen] if chosen else [ROOT + "/build-release", ROOT + "/build", ROOT + "/build-debug"]:
        if os.access(path + "/daemon/holkd", os.X_OK):
            return os.path.abspath(path)
    raise SystemExit("no holkd found: build first (meson setup build-release && ninja -C build-release), or give --build DIR")


class Daemon:
    """One holkd. As a context manager it ends with the leak check."""

    def __init__(self, build=None, args=(), base=True, start=True, version="v1.51", environment=None):
        self.build = find_build(build)
        self.id = os.environ.get("HOLK_TEST_ID", "") + uuid.uuid4().hex[:6]
        self.directory = os.path.join(fixtures.scratch_root(), self.id)
        os.makedirs(self.directory)
        self.data_root, self.exec_root = self.directory + "/data", self.directory + "/exec"
        self.socket, self.log_path = self.directory + "/holk.sock", self.directory + "/log"
        self.cgroup_parent = "/holk-test-" + self.id
        self.namespace = Namespace()
        self.args, self.environment = list(args), dict(environment or {})
        self.api = Client(self.socket, version)
        self.process = self.watch = None
        self.closers, self.outside_ns = [], None
        try:
            if start:
                self.start()
                self.watch = leaks.Watch(self.directory, self.data_root, self.exec_root, self.cgroup_parent, self.namespace)
            if start and base:
                self.import_image(fixtures.base_tar(), "busybox", "latest")
        except BaseException:
            self.destroy()
            raise

    # ---- life ----

    def command(self, *more):
        return [
            self.build + "/daemon/holkd",
            "-H",
            "unix://" + self.socket,
            "--data-root",
            self.data_root,
            "--exec-root",
            self.exec_root,
            "--cgroup-parent",
            self.cgroup_parent,
            "--config-file",
            self.config_file(),
            *self.args,
            *more,
        ]

    def config_file(self):
        """The machine's own /etc/holk/daemon.json must not matter here."""
        path = self.directory + "/daemon.json"
        if not os.path.exists(path):
            with open(path, "w") as file:
                file.write("{}\n")
        return path

    def spawn(self, *more, prefix=()):
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1", **self.environment}
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(
                self.namespace.command(*prefix, *self.command(*more)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def start(self, *more, wait=True):
        self.process = self.spawn(*more)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise AssertionError("holkd ended with %d: %s" % (self.process.returncode, self.log()[-2000:]))
            with contextlib.suppress(OSError, AssertionError):
                if self.api.request("GET", "/_ping", timeout=2).read() == b"OK":
                    return
            if time.monotonic() > deadline:
                raise AssertionError("holkd does not answer: %s" % self.log()[-2000:])
            time.sleep(0.003)

    def stop(self, seconds=20):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("holkd does not stop within %d s: %s" % (seconds, self.log()[-2000:]))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self, hard=False):
        if hard:
            self.kill()
        else:
            equal(self.stop(), 0, "exit status of holkd")
        self.start()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        with contextlib.suppress(OSError):
            with open(self.log_path, errors="replace") as file:
                return file.read()
        return ""

    # ---- the end ----

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(check=kind is None)

    def close(self, check=True):
        """Removes what the test left in the engine, requires that nothing else is left, and removes all."""
        try:
            if check and self.process and self.watch:
                self.check()
        finally:
            self.destroy()

    def remove_containers(self):
        for row in self.api.get("/containers/json", all=True):
            with contextlib.suppress(ApiError):
                self.api.delete("/containers/" + row["Id"], force=True, v=True)

    def check(self):
        for close in reversed(self.closers):
            close()
        self.closers = []
        if not self.running():
            equal(
                self.process.returncode in (0, -9),
                True,
                "holkd ended by itself (%s): %s" % (self.process.returncode, self.log()[-3000:]),
            )
            self.start()
        self.remove_containers()
        alive = {self.process.pid}
        self.require_nothing(
            lambda: self.watch.kernel(alive) + self.watch.network() + self.watch.storage(), "left behind while holkd runs"
        )
        equal(self.stop(), 0, "exit status of holkd after SIGTERM")
        self.require_nothing(lambda: self.watch.kernel(set()), "left behind after holkd's end")
        log = self.log()
        for word in SANITIZER_WORDS:
            if word in log:
                raise AssertionError("in the daemon's log: " + log[max(0, log.index(word) - 200) :][:3000])

    @staticmethod
    def require_nothing(look, what, seconds=15):
        deadline, pause = time.monotonic() + seconds, 0.02
        while True:
            found = look()
            if not found:
                return
            if time.monotonic() > deadline:
                raise AssertionError("%s:\n  %s" % (what, "\n  ".join(found[:20])))
            time.sleep(pause)
            pause = min(pause * 1.5, 0.3)

    def destroy(self):
        """Ends every process of this daemon by force and removes its directory; for after a failure, too."""
        for close in reversed(self.closers):
            with contextlib.suppress(Exception):
                close()
        if self.running():
            self.process.kill()
            self.process.wait()
        for _ in range(40):
            pids = set(self.namespace.processes()) | set(leaks.cgroup_pids(self.cgroup_parent))
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                break
            time.sleep(0.05)
        self.namespace.close()
        if self.outside_ns:
            self.outside_ns.close()
        for _ in range(20):
            leaks.remove_cgroups(self.cgroup_parent)
            if not leaks.cgroup_tops(self.cgroup_parent):
                break
            time.sleep(0.05)
        keep = os.environ.get("HOLK_TEST_KEEP")
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    # ---- images ----

    def import_image(self, tar, repo, tag="latest", changes=()):
        """tar: path or bytes of a root file system; the new image's id."""
        if isinstance(tar, str):
            with open(tar, "rb") as file:
                tar = file.read()
        lines = self.api.progress(
            "POST",
            "/images/create",
            tar,
            fromSrc="-",
            repo=repo,
            tag=tag,
            changes=list(changes),
            headers={"Content-Type": "application/x-tar"},
            timeout=120,
        )
        return lines[-1]["status"]

    def load(self, archive):
        return self.api.progress("POST", "/images/load", archive, headers={"Content-Type": "application/x-tar"}, timeout=120)

    def registry(self, **more):
        """A docker-registry on loopback of the daemon's namespace; its address."""
        registry = fixtures.Registry(self.directory + "/registry%d" % more.get("port", 5000), self.namespace, **more)
        self.closers.append(registry.close)
        if self.watch:
            self.watch.allowed_pids.add(registry.process.pid)
        return registry.address

    # ---- containers by API ----

    def create(self, cmd=None, image="busybox", name=None, host=None, **config):
        """POST /containers/create; host: HostConfig; others are members of the config. The id."""
        body = {"Image": image, "HostConfig": host or {}, **config}
        if cmd is not None:
            body["Cmd"] = cmd
        return self.api.post("/containers/create", body, name=name)["Id"]

    def start_new(self, cmd=None, **more):
        container = self.create(cmd, **more)
        self.api.post("/containers/%s/start" % container)
        return container

    def run(self, cmd=None, stdin=None, timeout=60, keep=False, **more):
        """create, attach, start, wait, remove: a Ran. A start that is refused raises ApiError (the container is removed)."""
        if stdin is not None:
            more.update(OpenStdin=True, StdinOnce=True, AttachStdin=True)
        container = self.create(cmd, AttachStdout=True, AttachStderr=True, **more)
        try:
            stream = self.api.hijack(
                "/containers/%s/attach" % container, stream=True, stdout=True, stderr=True, stdin=stdin is not None, timeout=timeout
            )
            with stream:
                self.api.post("/containers/%s/start" % container)
                if stdin is not None:
                    stream.send(stdin)
                    stream.half_close()
                out, err = (stream.rest(), b"") if more.get("Tty") else stream.split()
            code = self.wait(container, timeout=timeout)
        finally:
            if not keep:
                with contextlib.suppress(ApiError):
                    self.api.delete("/containers/" + container, force=True, v=True)
        ran = Ran(code, out, err)
        ran.id = container
        return ran

    def wait(self, container, condition=None, timeout=60):
        return self.api.post("/containers/%s/wait" % container, condition=condition, timeout=timeout)["StatusCode"]

    def inspect(self, container):
        return self.api.get("/containers/%s/json" % container)

    def state(self, container):
        return self.inspect(container)["State"]

    def remove(self, container):
        self.api.delete("/containers/" + container, force=True, v=True)

    def logs(self, container, **more):
        """(stdout, stderr) of a container without a tty."""
        answer = self.api.request("GET", "/containers/%s/logs" % container, **{"stdout": True, "stderr": True, **more})
        with contextlib.closing(answer):
            equal(answer.status, 200, "logs")
            return answer.body.split()

    def exec(self, container, cmd, stdin=None, timeout=60, **config):
        """Runs a command in a running container: a Ran."""
        body = {"Cmd": cmd, "AttachStdout": True, "AttachStderr": True, "AttachStdin": stdin is not None, **config}
        name = self.api.post("/containers/%s/exec" % container, body)["Id"]
        with self.api.hijack("/exec/%s/start" % name, {"Detach": False, "Tty": bool(config.get("Tty"))}, timeout=timeout) as stream:
            if stdin is not None:
                stream.send(stdin)
                stream.half_close()
            out, err = (stream.rest(), b"") if config.get("Tty") else stream.split()
        code = eventually(
            lambda: (lambda row: None if row["Running"] else (row["ExitCode"],))(self.api.get("/exec/%s/json" % name)),
            "the exec's end",
        )[0]
        return Ran(code, out, err)

    def monitor_pid(self, container):
        """The pid of the monitor: the parent of the container's init."""
        pid = self.state(container)["Pid"]
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])

    # ---- programs ----

    def environment_for_clients(self, **more):
        home = self.directory + "/home"
        os.makedirs(home + "/.docker", exist_ok=True)
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "HOME": home,
            "DOCKER_CONFIG": home + "/.docker",
            "DOCKER_HOST": "unix://" + self.socket,
            **more,
        }

    def holk_command(self, *args):
        return self.namespace.command(self.build + "/cli/holk", *args)

    def docker_command(self, *args):
        return self.namespace.command(docker_client(), *args)

    def cli(self, *args, stdin=None, timeout=120, **environment):
        """Runs holk on this daemon: a Ran."""
        return self.program(self.holk_command(*args), stdin, timeout, environment)

    def docker(self, *args, stdin=None, timeout=120, **environment):
        """Runs the real docker client on this daemon: a Ran."""
        return self.program(self.docker_command(*args), stdin, timeout, environment)

    def program(self, command, stdin=None, timeout=120, environment=None):
        done = subprocess.run(
            command,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            cwd=self.directory,
            env=self.environment_for_clients(**(environment or {})),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    # ---- network ----

    def outside(self):
        """The namespace of another host, 198.51.100.2, on the same wire as the daemon's host, 198.51.100.1."""
        if not self.outside_ns:
            self.outside_ns = Namespace()
            self.namespace.connect(self.outside_ns, "wire0", "198.51.100.1/24", "198.51.100.2/24")
            self.watch.links.add("wire0")
        return self.outside_ns

    def instance(self):
        """The 8 hex digits in the names of bridge, veths and nft table."""
        names = [name for name in self.namespace.links() if name.startswith("holk-")]
        return names[0][5:] if names else None


def docker_client():
    """The path of the unmodified docker CLI, fetched into the cache (tests/compat/clients)."""
    found = os.environ.get("HOLK_DOCKER_CLI")
    if found:
        return found

    def make(part):
        done = subprocess.run([ROOT + "/tests/compat/clients", part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Skip("the docker client cannot be had: " + done.stdout.strip()[-300:])

    return fixtures.locked_make("clients", make) + "/bin/docker"


def json_lines(data):
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def sweep():
    """Ends what an interrupted run of the tests left on the machine (named holk-test-*)."""
    tag = os.environ.get("HOLK_TEST_ID")
    if not tag:
        return
    for top in glob.glob(leaks.CGROUPS + "/**/holk-test-%s*" % tag, recursive=True):
        parent = "/" + os.path.basename(top)
        for pid in leaks.cgroup_pids(parent):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not leaks.cgroup_pids(parent), "end of processes in " + parent, 5)
        leaks.remove_cgroups(parent)
    for directory in glob.glob(os.path.join(fixtures.scratch_root(), tag + "*")):
        for pid in processes_below(directory):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)


def processes_below(directory):
    """Processes that name the directory in their command line, or have an open file in it."""
    found = set()
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            links = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
            if directory in leaks.command_line(pid) or any(link.startswith(directory) for link in links):
                found.add(pid)
    return found
