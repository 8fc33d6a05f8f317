"""The client `holk` on a daemon of its own: container commands, their output, streams, terminals and exit codes."""
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tarfile
import termios
import threading
import time

from harness import contains, equal, eventually, options

SLEEP = ["sleep", "1000"]


def ok(ran):
    if ran.code:
        raise AssertionError("exit %d: %r %r" % (ran.code, ran.out[-800:], ran.err[-800:]))
    return ran.text


def start(d, name, *flags):
    return ok(d.cli("run", "-d", "--name", name, "--network", "none", *flags, "busybox", *SLEEP)).strip()


def run(d, *args, **more):
    return d.cli("run", "--rm", "--network", "none", *args, **more)


# ---- run ----

def test_run_output_and_exit_code(d):
    ran = run(d, "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    equal((ran.code, ran.out, ran.err), (7, b"out\n", b"err\n"))
    equal(ok(d.cli("ps", "-aq")), "", "--rm left it")


def test_run_stdin_through_and_back(d):
    data = os.urandom(3 << 20)
    ran = run(d, "-i", "busybox", "cat", stdin=data)
    equal(ran.code, 0)
    equal(ran.out == data, True, "3 MiB through cat")


def test_run_without_stdin_is_not_given_any(d):
    equal(run(d, "busybox", "wc", "-c", stdin=b"never read").text.strip(), "0")


def test_run_failures_have_docker_codes(d):
    ran = run(d, "busybox", "no-such-program")
    equal(ran.code, 127)
    contains(ran.err.decode(), "executable file not found")
    contains(ran.err.decode(), "holk: Error response from daemon:")
    contains(ran.err.decode(), "\n\nRun 'holk run --help' for more information\n")
    equal(run(d, "busybox", "/etc").code, 126)
    equal(run(d, "--memory", "1k", "busybox").code, 125)
    equal(run(d, "--no-such-flag", "busybox").code, 125)
    equal(ok(d.cli("ps", "-aq")), "")


def test_run_detached_prints_the_id(d):
    name = start(d, "one", "-e", "A=b", "-l", "k=v")
    equal(re.fullmatch("[0-9a-f]{64}", name) is not None, True, name)
    config = json.loads(ok(d.cli("inspect", "one")))[0]["Config"]
    equal((config["Labels"]["k"], "A=b" in config["Env"]), ("v", True))


def test_run_pull_never(d):
    ran = d.cli("run", "--pull", "never", "absent")
    equal(ran.code, 125)
    contains(ran.err.decode(), "No such image: absent:latest")


def test_run_pulls_what_is_missing(d):
    registry = d.registry()
    ok(d.cli("tag", "busybox", registry + "/b:1"))
    ok(d.cli("push", registry + "/b:1"))
    ok(d.cli("rmi", registry + "/b:1", "busybox"))
    ran = run(d, registry + "/b:1", "echo", "hi")
    equal((ran.code, ran.out), (0, b"hi\n"))
    contains(ran.err.decode(), "Unable to find image '%s/b:1' locally\n" % registry)


def test_cidfile(d):
    path = d.directory + "/cid"
    ok(run(d, "--cidfile", path, "busybox", "true"))
    with open(path) as file:
        equal(len(file.read()), 64)
    ran = run(d, "--cidfile", path, "busybox", "true")
    equal(ran.code, 125)
    contains(ran.err.decode(), "container ID file found, make sure the other container isn't running or delete")


def test_env_file_and_client_environment(d):
    with open(d.directory + "/env", "w") as file:
        file.write("# no\nFROM_FILE=1\nHANDED\nUNSET_HERE\n\n")
    text = ok(run(d, "--env-file", d.directory + "/env", "-e", "OTHER", "busybox", "env", HANDED="over", OTHER="too"))
    for line in ("FROM_FILE=1", "HANDED=over", "OTHER=too"):
        contains(text.split("\n"), line)
    equal("UNSET_HERE" in text, False)


def test_signals_are_proxied(d):
    command = d.holk_command("run", "--rm", "--network", "none", "--name", "sig", "busybox", "sh", "-c",
                             "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=d.environment_for_clients()) as client:
        equal(client.stdout.readline(), b"ready\n")
        client.send_signal(signal.SIGUSR1)
        equal(client.stdout.read(), b"caught\n")
        equal(client.wait(30), 9)


def test_published_port(d):
    ok(d.cli("run", "-d", "--name", "web", "-p", "127.0.0.1:18080:80", "busybox", *SLEEP))
    equal(ok(d.cli("port", "web")), "80/tcp -> 127.0.0.1:18080\n")
    equal(ok(d.cli("port", "web", "80")), "127.0.0.1:18080\n")
    contains(ok(d.cli("ps")), "127.0.0.1:18080->80/tcp")
    ran = d.cli("port", "web", "81")
    equal((ran.code, ran.err), (1, b"Error: No public port '81' published for web\n"))


# ---- lists and looks ----

def test_ps(d):
    name = start(d, "lister", "-l", "a=b")
    lines = ok(d.cli("ps")).splitlines()
    equal(lines[0].split("   ")[0], "CONTAINER ID")
    equal(lines[1].split()[0], name[:12])
    contains(lines[1], '"sleep 1000"')
    contains(lines[1], "Up ")
    equal(lines[1].split()[-1], "lister")
    equal(ok(d.cli("ps", "-q", "--no-trunc")).strip(), name)
    equal(ok(d.cli("ps", "--format", '{{.Names}} {{.Label "a"}} {{.State}}')), "lister b running\n")
    equal(json.loads(ok(d.cli("ps", "--format", "json")))["Names"], "lister")
    equal(ok(d.cli("ps", "--filter", "label=a=c", "-q")), "")
    equal(ok(d.cli("ps", "--filter", "label=a=b", "-q")).strip(), name[:12])
    equal(d.cli("ps", "--filter", "nonsense").code, 125)


def test_inspect(d):
    start(d, "seen")
    equal(ok(d.cli("inspect", "-f", "{{.Name}} {{.State.Running}} {{json .Config.Cmd}}", "seen")),
          '/seen true ["sleep","1000"]\n')
    ran = d.cli("inspect", "seen", "absent")
    equal((ran.code, ran.err, len(json.loads(ran.out))), (1, b"Error: No such object: absent\n", 1))
    equal(ok(d.cli("inspect", "--type", "image", "-f", "{{.Architecture}}", "busybox")) != "", True)
    equal(d.cli("container", "inspect", "absent").err, b"Error response from daemon: No such container: absent\n")


def test_logs(d):
    ok(d.cli("run", "--name", "talker", "--network", "none", "busybox", "sh", "-c", "echo one; echo two >&2; echo three"))
    ran = d.cli("logs", "talker")
    equal((ran.code, ran.out, ran.err), (0, b"one\nthree\n", b"two\n"))
    ran = d.cli("logs", "-n", "2", "talker") # two pipes: which line came last is not certain
    equal((ran.out + ran.err).count(b"\n"), 2)
    equal(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z one\n", ok(d.cli("logs", "-t", "talker"))) is not None, True)
    equal(d.cli("logs", "--since", "1h", "talker").out, b"one\nthree\n")
    ran = d.cli("logs", "--since", "nonsense", "talker")
    equal(ran.code, 1)


def test_logs_follow_ends_with_the_container(d):
    ok(d.cli("run", "-d", "--name", "talker", "--network", "none", "busybox", "sh", "-c", "echo a; exec sleep 1000"))
    with subprocess.Popen(d.holk_command("logs", "-f", "talker"), stdout=subprocess.PIPE,
                          env=d.environment_for_clients()) as client:
        equal(client.stdout.readline(), b"a\n")
        ok(d.cli("kill", "talker"))
        equal(client.wait(20), 0)


def test_top_and_diff(d):
    start(d, "busy")
    contains(ok(d.cli("top", "busy")), "sleep 1000")
    equal(ok(d.cli("top", "busy", "-ef")).splitlines()[0].split()[:2], ["UID", "PID"])
    ok(d.cli("exec", "busy", "sh", "-c", "echo x >/new; rm /etc/hostname /bin/ls || true"))
    contains(ok(d.cli("diff", "busy")).splitlines(), "A /new")


# ---- control ----

def test_stop_start_restart_rm(d):
    start(d, "cycle", "--init")
    equal(ok(d.cli("stop", "-t", "1", "cycle")), "cycle\n")
    equal(ok(d.cli("stop", "cycle")), "cycle\n", "a stopped one")
    equal(ok(d.cli("wait", "cycle")).strip(), str(d.state("cycle")["ExitCode"]))
    equal(ok(d.cli("start", "cycle")), "cycle\n")
    equal(ok(d.cli("restart", "-t", "0", "cycle")), "cycle\n")
    equal(ok(d.cli("pause", "cycle")), "cycle\n")
    equal(d.state("cycle")["Paused"], True)
    equal(ok(d.cli("unpause", "cycle")), "cycle\n")
    ok(d.cli("rename", "cycle", "bicycle"))
    ran = d.cli("rm", "bicycle", "absent")
    equal(ran.code, 1)
    contains(ran.err.decode(), "No such container: absent")
    equal(ok(d.cli("rm", "-f", "bicycle")), "bicycle\n")
    equal(ok(d.cli("ps", "-aq")), "")


def test_many_are_stopped_side_by_side(d):
    names = ["n%d" % i for i in range(4)]
    for name in names:
        start(d, name)
    begun = time.monotonic()
    equal(ok(d.cli("stop", "-t", "2", *names)).split(), names)
    equal(time.monotonic() - begun < 7, True, "one after the other would take 8 s")


def test_update_commit_export_prune(d):
    start(d, "work")
    ok(d.cli("update", "-m", "32m", "--memory-swap", "-1", "work"))
    equal(d.inspect("work")["HostConfig"]["Memory"], 32 << 20)
    equal(d.cli("update", "work").code, 1)
    ok(d.cli("exec", "work", "sh", "-c", "echo kept >/kept"))
    image = ok(d.cli("commit", "-m", "note", "work", "mine:1")).strip()
    equal(image.startswith("sha256:"), True)
    equal(ok(run(d, "mine:1", "cat", "/kept")), "kept\n")
    ok(d.cli("export", "-o", d.directory + "/root.tar", "work"))
    with tarfile.open(d.directory + "/root.tar") as archive:
        contains([name.lstrip("./") for name in archive.getnames()], "kept")
    ok(d.cli("rm", "-f", "work"))
    ok(d.cli("create", "--name", "idle", "busybox", "true"))
    text = ok(d.cli("container", "prune", "-f"))
    contains(text, "Deleted Containers:\n")
    contains(text, "Total reclaimed space: ")
    equal(ok(d.cli("ps", "-aq")), "")


# ---- exec and attach ----

def test_exec(d):
    start(d, "box")
    ran = d.cli("exec", "-e", "A=1", "-w", "/tmp", "box", "sh", "-c", "echo $A; pwd; echo e >&2; exit 5")
    equal((ran.code, ran.out, ran.err), (5, b"1\n/tmp\n", b"e\n"))
    equal(d.cli("exec", "-i", "box", "cat", stdin=b"through").out, b"through")
    equal(d.cli("exec", "box", "absent").code, 127)
    ok(d.cli("exec", "-d", "box", "sh", "-c", "echo done >/flag"))
    eventually(lambda: d.cli("exec", "box", "cat", "/flag").out == b"done\n")
    ran = d.cli("exec", "absent", "true")
    equal((ran.code, ran.err), (1, b"Error response from daemon: No such container: absent\n"))


def test_attach_and_start_attached(d):
    ok(d.cli("create", "-i", "--name", "reader", "--network", "none", "busybox", "sh", "-c", "read x; echo got $x; exit 3"))
    ran = d.cli("start", "-ai", "reader", stdin=b"word\n")
    equal((ran.code, ran.out), (3, b"got word\n"))
    ran = d.cli("attach", "reader")
    equal((ran.code, ran.err), (1, b"You cannot attach to a stopped container, start it first\n"))
    ok(d.cli("start", "reader"))
    ran = d.cli("attach", "reader", stdin=b"more\n")
    equal((ran.code, ran.out), (3, b"got more\n"))


class Terminal:
    """holk with a terminal of its own."""

    def __init__(self, d, *args, rows=33, columns=99):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            command = d.holk_command(*args)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, d.environment_for_clients())
        self.seen = b""

    def expect(self, text, seconds=20):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError("%r does not come: %r" % (text, self.seen))
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:
                raise AssertionError("ended before %r: %r" % (text, self.seen)) from None
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, data):
        os.write(self.fd, data)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_terminal(d):
    shell = Terminal(d, "run", "--rm", "-it", "--network", "none", "--name", "term", "busybox", "sh")
    shell.type(b"stty size\n")
    shell.expect(b"33 99")
    shell.resize(44, 111)

    def size_seen():
        shell.type(b"stty size\n")
        shell.expect(b"44 111", 1)
        return True
    eventually(size_seen)
    shell.type(b"echo so on; sleep 100\n")
    shell.expect(b"\r\nso on\r\n")

    def interrupted(): # the shell may not have begun to sleep yet
        shell.type(b"\x03")
        shell.expect(b"# ", 1)
        return True
    eventually(interrupted)
    shell.type(b"echo alive; exit 6\n")
    shell.expect(b"alive\r\n")
    equal(shell.end(), 6)


def test_detach_keys(d):
    shell = Terminal(d, "run", "-it", "--network", "none", "--name", "term", "busybox", "sh")
    shell.type(b"A=kept; echo up$A\n")
    shell.expect(b"upkept")
    shell.type(b"\x10\x11")
    equal(shell.end(), 0)
    equal(d.state("term")["Running"], True)
    again = Terminal(d, "attach", "--detach-keys", "ctrl-x,y", "term")
    again.type(b"echo $A\n")
    again.expect(b"kept\r\n")
    again.type(b"\x18y")
    again.expect(b"read escape sequence")
    equal(again.end(), 1)
    other = Terminal(d, "exec", "-it", "term", "sh", rows=22, columns=55)
    other.type(b"stty size; exit 4\n")
    other.expect(b"22 55")
    equal(other.end(), 4)


def test_a_terminal_is_required(d):
    ran = d.cli("run", "-it", "busybox")
    equal((ran.code, ran.err), (1, b"the input device is not a TTY\n"))


@options(timeout=90)
def test_clients_do_not_notice_the_daemon_die(d):
    command = d.holk_command("run", "-i", "--network", "none", "--name", "stays", "busybox", "sh", "-c",
                             "echo up; read x; echo got $x; exit 8")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=d.environment_for_clients()) as client:
        equal(client.stdout.readline(), b"up\n")
        d.restart(hard=True)
        client.stdin.write(b"word\n")
        client.stdin.close()
        equal(client.stdout.read(), b"got word\n")
        equal(client.wait(30), 8)


@options(timeout=90)
def test_an_exec_goes_on_without_the_daemon(d):
    start(d, "box")
    command = d.holk_command("exec", "-i", "box", "sh", "-c", "echo up; read x; echo got $x; exit 8")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=d.environment_for_clients()) as client:
        equal(client.stdout.readline(), b"up\n")
        d.kill()
        client.stdin.write(b"word\n")
        client.stdin.close()
        equal(client.stdout.readline(), b"got word\n")
        d.start()
        client.wait(30) # its exit code went with the daemon that knew the exec


# ---- cp ----

def test_cp(d):
    start(d, "box")
    work = d.directory + "/work"
    os.makedirs(work + "/tree/sub")
    for name in ("file", "tree/a", "tree/sub/b"):
        with open(work + "/" + name, "w") as file:
            file.write(name)
    os.link(work + "/tree/a", work + "/tree/hard")
    os.symlink("a", work + "/tree/soft")
    ok(d.cli("cp", work + "/file", "box:/tmp/"))
    ok(d.cli("cp", work + "/tree", "box:/tmp/new"))
    ok(d.cli("cp", work + "/tree/.", "box:/tmp/into"))
    text = ok(d.cli("exec", "box", "sh", "-c", "cd /tmp; cat file new/a new/sub/b into/soft; ls -i new/a new/hard"))
    contains(text, "filetree/atree/sub/btree/a")
    inodes = [line.split()[0] for line in text.splitlines()[-2:]]
    equal(inodes[0][-3:], inodes[1][-3:], "a hard link stays one")
    ok(d.cli("cp", "box:/tmp/new/.", work + "/back"))
    with open(work + "/back/sub/b") as file:
        equal(file.read(), "tree/sub/b")
    equal(os.readlink(work + "/back/soft"), "a")
    ok(d.cli("cp", "box:/tmp/file", work + "/renamed"))
    equal(os.path.getsize(work + "/renamed"), 4)
    with tarfile.open(fileobj=io.BytesIO(d.cli("cp", "box:/tmp/new", "-").out)) as archive:
        contains(archive.getnames(), "new/sub/b")
    for args, text in ((("box:/absent", work), "Could not find the file /absent in container box"),
                       (("box:/tmp/file", work + "/no/x"), 'invalid output path: directory "%s/no" does not exist' % work),
                       (("box:/tmp/new", work + "/file"), "cannot copy directory"),
                       (("a", "b"), "must specify at least one container source"),
                       (("a:b", "c:d"), "copying between containers is not supported")):
        ran = d.cli("cp", *args)
        equal(ran.code, 1)
        contains(ran.err.decode(), text)


def test_cp_stopped_and_stdin(d):
    ok(d.cli("create", "--name", "idle", "busybox", "true"))
    ok(d.cli("cp", "idle:/bin/busybox", d.directory + "/busybox"))
    equal(os.path.getsize(d.directory + "/busybox") > 100000, True)
    path = d.directory + "/in.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(d.directory + "/busybox", "copied")
    with open(path, "rb") as file:
        ok(d.cli("cp", "-", "idle:/tmp", stdin=file.read()))
    ok(d.cli("cp", "idle:/tmp/copied", d.directory + "/again"))
    with open(d.directory + "/again", "rb") as one, open(d.directory + "/busybox", "rb") as two:
        equal(one.read() == two.read(), True)


# ---- words ----

def test_help_and_mistakes(d):
    contains(ok(d.cli("help", "run")), "Usage:  holk run [OPTIONS] IMAGE [COMMAND] [ARG...]\n")
    contains(ok(d.cli("container", "--help")), "  prune       Remove all stopped containers\n")
    ran = d.cli("strat")
    equal(ran.code, 1)
    contains(ran.err.decode(), "holk: unknown command: holk strat\n\nDid you mean this?\n\tstart\n")
    ran = d.cli("rm")
    equal((ran.code, ran.err.decode().splitlines()[0]), (1, "holk: 'holk rm' requires at least 1 argument"))
    ran = d.cli("-H", "unix://" + d.directory + "/nobody.sock", "ps")
    equal((ran.code, ran.err.decode()),
          (1, "Cannot connect to the holk daemon at unix://%s/nobody.sock. Is holkd running?\n" % d.directory))


def test_completion(d):
    start(d, "box")
    contains(ok(d.cli("completion", "bash")), "complete -o default -F _holk holk")
    words = [line.split("\t")[0] for line in ok(d.cli("__complete", "sto")).splitlines()]
    equal(words, ["stop"])
    words = [line.split("\t")[0] for line in ok(d.cli("__complete", "run", "--net")).splitlines()]
    equal(words, ["--network", "--network-alias"])
    words = [line.split("\t")[0] for line in ok(d.cli("__complete", "stop", "b")).splitlines()]
    equal(words, ["box"])


def test_one_request_each(d):
    """run asks for what it needs and for nothing else: create, attach, wait, start."""
    seen = []
    relay = Relay(d, seen)
    d.closers.append(relay.close)
    ok(run(d, "busybox", "true", DOCKER_HOST="unix://" + relay.path))
    paths = [re.sub("[0-9a-f]{64}", "ID", line.split(b"?")[0].decode()) for line in seen]
    equal(paths, ["POST /containers/create", "POST /containers/ID/attach", "POST /containers/ID/wait", "POST /containers/ID/start"])


class Relay:
    """A socket before the daemon's that notes the first line of every request of small bodies."""

    def __init__(self, d, seen):
        self.path, self.seen, self.target = d.directory + "/relay.sock", seen, d.socket
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            threading.Thread(target=self.copy, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, False), daemon=True).start()

    def copy(self, source, sink, note):
        while True:
            data = source.recv(65536)
            if not data:
                break
            if note:
                self.seen.extend(re.findall(rb"^((?:GET|POST|PUT|DELETE|HEAD) \S+) HTTP/1.1\r$", data, re.M))
            sink.sendall(data)
        try:
            sink.shutdown(1)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        os.unlink(self.path)
