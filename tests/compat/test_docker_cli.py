"""The unmodified docker client on holkd's socket."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from harness import contains, docker_client, equal, eventually, options


def docker(d, *args, code=0, **more):
    """Runs docker; its standard output as text."""
    ran = d.docker(*args, **more)
    if ran.code != code:
        raise AssertionError("docker %s: %r" % (" ".join(args), ran))
    return ran.text


class Terminal:
    """docker on a terminal of its own."""

    def __init__(self, d, *args):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            d.docker_command(*args),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=d.environment_for_clients(TERM="xterm"),
            cwd=d.directory,
        )
        os.close(slave)
        self.seen = b""

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            if not select.select([self.master], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise AssertionError("no %r within %d s: %r" % (text, seconds, self.seen[-2000:]))
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:
                raise AssertionError("the terminal ended before %r: %r" % (text, self.seen[-2000:]))
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode(errors="replace")

    def end(self, seconds=20):
        """The exit status."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.master, 65536)
        status = self.process.wait(1)
        os.close(self.master)
        return status


def test_run_rm(d):
    equal(docker(d, "run", "--rm", "busybox", "echo", "hello"), "hello\n")
    ran = d.docker(
        "run",
        "--rm",
        "-e",
        "A=b c",
        "-w",
        "/tmp",
        "-u",
        "alice",
        "busybox",
        "sh",
        "-c",
        "echo $A; pwd; id -un; echo oops >&2; exit 7",
    )
    equal((ran.code, ran.text, ran.err), (7, "b c\n/tmp\nalice\n", b"oops\n"))
    equal(docker(d, "run", "--rm", "-i", "busybox", "cat", stdin=b"through\nand back"), "through\nand back")
    equal(docker(d, "ps", "-aq"), "")
    for command, code in ((["no-such-command"], 127), (["/etc"], 126)):
        equal(d.docker("run", "--rm", "busybox", *command).code, code)
    equal(d.docker("run", "--rm", "--memory", "1k", "busybox", "true").code, 125)
    equal(docker(d, "ps", "-aq"), "")


def test_run_on_a_terminal(d):
    terminal = Terminal(d, "run", "-it", "--rm", "--name", "term", "busybox", "sh")
    terminal.type("tty; echo $TERM; echo o$((1))k\n")
    contains(terminal.until("o1k"), "/dev/pts/0")
    equal(docker(d, "ps", "--format", "{{.Names}}"), "term\n")
    terminal.type("exit 3\n")
    equal(terminal.end(), 3)
    equal(docker(d, "ps", "-aq"), "")


def test_detached_with_a_port(d):
    name = docker(d, "run", "-d", "--name", "web", "-p", "18080:8080", "busybox", "httpd", "-f", "-p", "8080", "-h", "/www").strip()
    equal(len(name), 64)
    equal(docker(d, "port", "web").splitlines()[0], "8080/tcp -> 0.0.0.0:18080")
    eventually(lambda: d.namespace.run("curl", "-s", "http://127.0.0.1:18080/") == "hello from holk\n")
    row = docker(d, "ps", "--format", "{{.Names}}|{{.Image}}|{{.Command}}|{{.Status}}|{{.Ports}}").strip().split("|")
    equal(row[:3], ["web", "busybox", '"httpd -f -p 8080 -h…"'])
    contains(row[3], "Up ")
    contains(row[4], "0.0.0.0:18080->8080/tcp")
    table = docker(d, "ps", "-a", "--no-trunc").splitlines()
    equal(table[0].split()[:2], ["CONTAINER", "ID"])
    equal(table[1].split()[0], name)
    equal(json.loads(docker(d, "ps", "--format", "json"))["ID"], name[:12])
    equal(docker(d, "stop", "-t", "0", "web"), "web\n")
    equal(docker(d, "rm", "web"), "web\n")


def test_exec(d):
    docker(d, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
    equal(docker(d, "exec", "-e", "X=1", "box", "sh", "-c", "echo $X; exit 4", code=4), "1\n")
    equal(docker(d, "exec", "-i", "box", "wc", "-c", stdin=b"12345"), "5\n")
    terminal = Terminal(d, "exec", "-it", "box", "sh")
    terminal.type("stty size; echo o$((2))k\n")
    terminal.until("o2k")
    terminal.type("exit 5\n")
    equal(terminal.end(), 5)
    docker(d, "exec", "-d", "box", "touch", "/made")
    eventually(lambda: docker(d, "exec", "box", "ls", "/made") == "/made\n")
    equal(d.docker("exec", "box", "no-such").code, 127)


def test_attach_detach_and_signals(d):
    docker(d, "run", "-dit", "--name", "shell", "busybox", "sh")
    terminal = Terminal(d, "attach", "shell")
    terminal.type("echo o$((3))k\n")
    terminal.until("o3k")
    terminal.type("\x10\x11")
    equal(terminal.end(), 1)  # what the client ends with after "read escape sequence"
    equal(docker(d, "inspect", "-f", "{{.State.Status}}", "shell"), "running\n")
    docker(
        d,
        "run",
        "-d",
        "--name",
        "trap",
        "busybox",
        "sh",
        "-c",
        "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.05; done",
    )
    eventually(lambda: docker(d, "logs", "trap") == "up\n")
    process = subprocess.Popen(
        d.docker_command("attach", "--no-stdin", "trap"), env=d.environment_for_clients(), stdout=subprocess.PIPE
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    equal((process.stdout.read(), process.wait(20)), (b"got\n", 9))


def test_logs(d):
    docker(
        d,
        "run",
        "-d",
        "--name",
        "talk",
        "busybox",
        "sh",
        "-c",
        "echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two; echo err >&2",
    )
    eventually(lambda: docker(d, "logs", "talk") == "one\n")
    process = subprocess.Popen(
        d.docker_command("logs", "-f", "talk"), env=d.environment_for_clients(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    equal(process.stdout.readline(), b"one\n")
    docker(d, "exec", "talk", "touch", "/go")
    equal(process.communicate(timeout=20), (b"two\n", b"err\n"))
    equal(process.returncode, 0)
    equal(docker(d, "logs", "--tail", "2", "talk"), "two\n")  # the last line is that of stderr
    equal(bool(re.match(r"\d{4}-.*Z one\n", docker(d, "logs", "-t", "talk"))), True)
    equal(docker(d, "wait", "talk"), "0\n")


def test_cp(d):
    docker(d, "run", "-d", "--name", "box", "busybox", "sleep", "1000")
    os.makedirs(d.directory + "/tree/sub")
    with open(d.directory + "/tree/sub/file", "w") as file:
        file.write("copied\n")
    os.symlink("sub/file", d.directory + "/tree/link")
    docker(d, "cp", "tree", "box:/tmp")
    equal(docker(d, "exec", "box", "cat", "/tmp/tree/link"), "copied\n")
    docker(d, "cp", "box:/tmp/tree", "back")
    equal(os.readlink(d.directory + "/back/link"), "sub/file")
    with open(d.directory + "/back/sub/file") as file:
        equal(file.read(), "copied\n")
    equal(docker(d, "cp", "box:/etc/passwd", "-")[:6], "passwd")
    docker(d, "cp", "tree/sub/file", "box:/tmp/renamed")
    equal(docker(d, "exec", "box", "cat", "/tmp/renamed"), "copied\n")
    ran = d.docker("cp", "box:/no/such", "x")
    equal(ran.code, 1)
    contains(ran.err, b"Could not find the file /no/such in container box")


def test_pull_and_push(d):
    registry = d.registry()
    name = registry + "/compat/app:1"
    docker(d, "tag", "busybox", name)
    text = docker(d, "push", name)
    contains(text, "The push refers to repository [%s/compat/app]" % registry)
    digest = re.search(r"1: digest: (sha256:\w+) size: \d+", text)[1]
    docker(d, "rmi", "busybox", name)
    text = docker(d, "pull", name)
    contains(text, "Digest: " + digest)
    contains(text, "Status: Downloaded newer image for " + name)
    equal(
        docker(d, "images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"),
        "%s/compat/app 1 %s\n" % (registry, digest),
    )
    equal(docker(d, "run", "--rm", name, "echo", "pulled"), "pulled\n")
    docker(d, "pull", registry + "/compat/app@" + digest)
    docker(d, "rmi", "-f", name)
    equal(docker(d, "run", "--rm", name, "echo", "pulled by run"), "pulled by run\n")
    ran = d.docker("pull", registry + "/compat/none:1")
    equal(ran.code, 1)
    contains(ran.err, b"not found")


DOCKERFILE = """FROM busybox AS make
ARG WORD=default
RUN mkdir /out && echo "built $WORD" >/out/file
COPY data /out/data
FROM busybox
LABEL kind=test
ENV PLACE=/app
WORKDIR $PLACE
COPY --from=make /out .
COPY --chown=1000:1000 data owned
RUN ls -l owned && cat file
USER alice
ENTRYPOINT ["cat"]
CMD ["file"]
"""


@options(timeout=120)
def test_classic_build(d):
    context = d.directory + "/context"
    os.makedirs(context)
    for name, text in (("Dockerfile", DOCKERFILE), ("data", "data\n"), ("ignored", "x"), (".dockerignore", "ignored\n")):
        with open(context + "/" + name, "w") as file:
            file.write(text)
    classic = {"DOCKER_BUILDKIT": "0"}
    text = docker(d, "build", "-t", "made:1", "--build-arg", "WORD=word", "context", **classic)
    contains(text, "Step 1/14 : FROM busybox AS make")
    image = re.search(r"Successfully built (\w+)\nSuccessfully tagged made:1\n$", text)[1]
    equal(docker(d, "inspect", "-f", "{{.Id}}", "made:1")[7:19], image)
    equal(docker(d, "run", "--rm", "made:1"), "built word\n")
    equal(docker(d, "run", "--rm", "--entrypoint", "stat", "made:1", "-c", "%u:%g", "owned"), "1000:1000\n")
    again = docker(d, "build", "-t", "made:1", "--build-arg", "WORD=word", "context", **classic)
    equal(again.count("Using cache") >= 6, True, again)
    contains(again, "Successfully built " + image)
    contains(docker(d, "history", "--no-trunc", "--format", "{{.CreatedBy}}", "made:1").splitlines()[0], 'CMD ["file"]')
    with open(context + "/Dockerfile", "a") as file:
        file.write("RUN exit 3\n")
    ran = d.docker("build", "context", **classic)
    equal(ran.code != 0, True)
    contains(ran.err, b"returned a non-zero code: 3")
    with open(context + "/Dockerfile", "a") as file:
        file.write("NONSENSE\n")
    ran = d.docker("build", "context", **classic)
    contains(ran.err.lower(), b"unknown instruction: nonsense")


def test_inspect(d):
    docker(
        d,
        "create",
        "--name",
        "box",
        "--label",
        "a=b",
        "-v",
        "vol:/data",
        "--memory",
        "64m",
        "--restart",
        "on-failure:3",
        "busybox",
        "true",
    )
    row = json.loads(docker(d, "inspect", "box"))[0]
    equal(
        (row["Name"], row["Config"]["Labels"], row["HostConfig"]["Memory"], row["HostConfig"]["RestartPolicy"]),
        ("/box", {"a": "b"}, 64 << 20, {"Name": "on-failure", "MaximumRetryCount": 3}),
    )
    equal(docker(d, "inspect", "-f", "{{range .Mounts}}{{.Name}}:{{.Destination}}{{end}}", "box"), "vol:/data\n")
    equal(docker(d, "inspect", "-f", "{{.Os}}", "busybox"), "linux\n")
    equal(json.loads(docker(d, "volume", "inspect", "vol"))[0]["Name"], "vol")
    equal(json.loads(docker(d, "network", "inspect", "bridge"))[0]["Driver"], "bridge")
    ran = d.docker("inspect", "nobody")
    equal((ran.code, ran.text), (1, "[]\n"))
    contains(ran.err.lower(), b"no such object: nobody")


def test_save_load_import_export_commit(d):
    docker(d, "run", "--name", "box", "busybox", "sh", "-c", "echo new >/new")
    docker(d, "commit", "-m", "why", "box", "changed:1")
    equal(docker(d, "run", "--rm", "changed:1", "cat", "/new"), "new\n")
    docker(d, "save", "-o", "saved.tar", "changed:1")
    docker(d, "rmi", "changed:1")
    contains(docker(d, "load", "-i", "saved.tar"), "Loaded image: changed:1")
    docker(d, "export", "-o", "flat.tar", "box")
    docker(d, "import", "flat.tar", "flat:1")
    equal(docker(d, "run", "--rm", "flat:1", "cat", "/new"), "new\n")
    equal(docker(d, "diff", "box").splitlines(), ["A /new"])


def test_many_small_commands(d):
    contains(docker(d, "version"), "API version:       1.51")
    contains(docker(d, "info"), "Storage Driver: overlay2")
    docker(d, "run", "-d", "--name", "first", "busybox", "sleep", "1000")
    contains(docker(d, "top", "first"), "sleep 1000")
    docker(d, "pause", "first")
    contains(docker(d, "ps"), "(Paused)")
    docker(d, "unpause", "first")
    docker(d, "rename", "first", "second")
    docker(d, "restart", "-t", "0", "second")
    docker(d, "update", "--memory", "64m", "--memory-swap", "64m", "second")
    docker(d, "kill", "second")
    equal(docker(d, "wait", "second"), "137\n")
    docker(d, "start", "second")
    docker(d, "rm", "-f", "second")
    docker(d, "volume", "create", "vol")
    equal(docker(d, "volume", "ls", "-q"), "vol\n")
    docker(d, "volume", "rm", "vol")
    equal(docker(d, "network", "ls", "--format", "{{.Name}}").split(), ["bridge", "host", "none"])
    since = str(int(time.time()) - 60)
    contains(
        docker(d, "events", "--since", since, "--until", str(int(time.time()) + 1), "--filter", "event=rename"), "container rename"
    )
    contains(docker(d, "system", "df"), "Local Volumes")
    docker(d, "container", "prune", "-f")


def test_buildx_is_refused_by_name(d):
    """BuildKit's own protocol is not spoken yet; the client says so and names what works."""
    with open(d.directory + "/Dockerfile", "w") as file:
        file.write("FROM busybox\n")
    ran = d.docker("build", ".", DOCKER_BUILDKIT="1", DOCKER_CONFIG=os.path.dirname(os.path.dirname(docker_client())) + "/config")
    equal(ran.code != 0, True)
    equal(d.api.request("GET", "/_ping").status, 200)
