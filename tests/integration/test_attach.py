"""Attach and exec: hijacked streams with and without Upgrade, frames, half-close, terminals, detach keys, early bytes."""
import socket
import threading
import time

from harness import contains, equal, eventually, options, raises


def attach(d, container, upgrade=True, early=b"", **more):
    chosen = {"stream": True, "stdin": True, "stdout": True, "stderr": True, **more}
    return d.api.hijack("/containers/%s/attach" % container, upgrade=upgrade, early=early, timeout=20, **chosen)


def interactive(d, cmd, **more):
    return d.create(cmd, OpenStdin=True, StdinOnce=True, AttachStdin=True, AttachStdout=True, AttachStderr=True, **more)


def test_upgrade_heads(d):
    container = interactive(d, ["cat"])
    for upgrade, status, kind in (
        (True, 101, "application/vnd.docker.multiplexed-stream"),
        (False, 200, "application/vnd.docker.raw-stream"),
    ):
        stream = attach(d, container, upgrade)
        equal(stream.answer.status, status)
        equal(stream.answer.headers["content-type"], kind)
        if upgrade:
            equal((stream.answer.headers["connection"].lower(), stream.answer.headers["upgrade"]), ("upgrade", "tcp"))
        stream.close()


def test_stdin_half_close(d):
    for upgrade in (True, False):
        container = interactive(d, ["sh", "-c", "cat; echo done; echo err >&2; exit 5"])
        stream = attach(d, container, upgrade)
        d.api.post("/containers/%s/start" % container)
        stream.send(b"some bytes\n")
        equal(stream.frame(), (1, b"some bytes\n"))
        stream.half_close()
        equal(stream.split(), (b"done\n", b"err\n"))
        stream.close()
        equal(d.wait(container), 5)


def test_early_bytes(d):
    """What a client sends together with its request is standard input."""
    container = interactive(d, ["cat"])
    stream = attach(d, container, early=b"early bytes\n")
    d.api.post("/containers/%s/start" % container)
    stream.send(b"later\n")
    stream.half_close()
    equal(stream.split()[0], b"early bytes\nlater\n")
    stream.close()


def test_big_stream_both_ways(d):
    container = interactive(d, ["cat"])
    stream = attach(d, container)
    d.api.post("/containers/%s/start" % container)
    data = bytes(range(256)) * 40000
    sender = threading.Thread(target=lambda: (stream.send(data), stream.half_close()))
    sender.start()
    equal(stream.split()[0] == data, True)
    sender.join()
    stream.close()


def test_output_only_and_several_clients(d):
    container = interactive(d, ["sh", "-c", "read line; echo got $line; echo err >&2"])
    first, second = attach(d, container), attach(d, container, stdin=None, stderr=None)
    d.api.post("/containers/%s/start" % container)
    first.send(b"hello\n")
    first.half_close()
    equal(first.split(), (b"got hello\n", b"err\n"))
    equal(second.split(), (b"got hello\n", b""))
    first.close()
    second.close()


def test_logs_replay(d):
    container = d.start_new(["sh", "-c", "echo before; while [ ! -e /go ]; do sleep 0.02; done; echo after"])
    eventually(lambda: d.logs(container)[0] == b"before\n")
    stream = attach(d, container, stdin=None, logs=True)
    equal(stream.frame(), (1, b"before\n"))
    d.exec(container, ["touch", "/go"])
    equal(stream.split()[0], b"after\n")
    stream.close()
    stream = attach(d, container, stdin=None, logs=True, stream=None)
    equal(stream.split()[0], b"before\nafter\n")
    stream.close()


def test_attach_refusals(d):
    raises(404, attach, d, "nobody", text="No such container: nobody")
    container = d.start_new(["sleep", "100"])
    d.api.post("/containers/%s/pause" % container)
    raises(409, attach, d, container, text="is paused")


def test_terminal(d):
    container = interactive(d, ["sh"], Tty=True)
    stream = attach(d, container)
    equal(stream.answer.headers["content-type"], "application/vnd.docker.raw-stream")
    d.api.post("/containers/%s/start" % container)
    d.api.post("/containers/%s/resize" % container, h=33, w=101)
    stream.send(b"stty size; tty; echo o$((1))k\n")
    seen = stream.until(b"o1k")
    contains(seen, b"33 101")
    contains(seen, b"/dev/pts/0")
    stream.send(b"exit 4\n")
    stream.rest()
    stream.close()
    equal(d.wait(container), 4)


def test_detach_keys(d):
    container = interactive(d, ["sh"], Tty=True)
    stream = attach(d, container, detachKeys="ctrl-a,x")
    d.api.post("/containers/%s/start" % container)
    stream.send(b"echo o$((1))k\n")
    stream.until(b"o1k")
    stream.send(b"\x01x")
    stream.rest()  # ends: detached
    stream.close()
    equal(d.state(container)["Running"], True)
    again = attach(d, container)
    again.send(b"echo o$((2))k\n")
    again.until(b"o2k")
    again.send(b"\x10\x11")  # the default: ctrl-p,ctrl-q
    again.rest()
    again.close()
    equal(d.state(container)["Running"], True)
    raises(400, attach, d, container, detachKeys="ctrl-Ω,x")


def test_exec_streams(d):
    container = d.start_new(["sleep", "100"])
    equal(
        d.exec(container, ["sh", "-c", "cat; echo err >&2; exit 9"], stdin=b"through\n").__dict__,
        {"code": 9, "out": b"through\n", "err": b"err\n"},
    )
    equal(d.exec(container, ["sh", "-c", "read x || echo eof"]).out, b"eof\n")
    name = d.api.post("/containers/%s/exec" % container, {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True})["Id"]
    stream = d.api.hijack("/exec/%s/start" % name, {"Detach": False}, upgrade=False, timeout=20)
    stream.send(b"plain hijack\n")
    stream.half_close()
    equal(stream.split(), (b"plain hijack\n", b""))
    stream.close()


def test_exec_details(d):
    container = d.start_new(["sleep", "100"], Env=["FROM=image"])
    ran = d.exec(
        container, ["sh", "-c", "echo $FROM $MORE $(pwd) $(id -u) $HOME"], Env=["MORE=exec"], WorkingDir="/tmp", User="alice"
    )
    equal(ran.text, "image exec /tmp 1000 /home/alice\n")
    name = d.api.post("/containers/%s/exec" % container, {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True})["Id"]
    row = d.api.get("/exec/%s/json" % name)
    equal((row["ID"], row["Running"], row["ExitCode"], row["ContainerID"]), (name, False, None, container))
    equal(row["ProcessConfig"]["entrypoint"], "sh")
    equal(row["ProcessConfig"]["arguments"], ["-c", "exit 3"])
    contains(d.inspect(container)["ExecIDs"], name)
    d.api.post("/exec/%s/start" % name, {"Detach": True})
    eventually(lambda: d.api.get("/exec/%s/json" % name)["ExitCode"] == 3)
    raises(409, d.api.post, "/exec/%s/start" % name, {"Detach": True})
    raises(404, d.api.post, "/exec/%s/start" % ("0" * 64), {}, text="No such exec instance")
    raises(404, d.api.post, "/containers/nobody/exec", {"Cmd": ["true"]}, text="No such container: nobody")
    raises(400, d.api.post, "/containers/%s/exec" % container, {"Cmd": []}, text="No exec command specified")
    raises(409, d.api.post, "/containers/%s/exec" % d.create(["true"]), {"Cmd": ["true"]}, text="is not running")


def test_exec_that_cannot_start(d):
    container = d.start_new(["sleep", "100"])
    for command, code, words in (("/no/such", 127, b"no such file or directory"), ("/etc", 126, b"permission denied")):
        name = d.api.post("/containers/%s/exec" % container, {"Cmd": [command], "AttachStdout": True, "AttachStderr": True})["Id"]
        stream = d.api.connect(20)
        body = b'{"Detach":false,"Tty":false}'
        stream.send(
            d.api.head(
                "POST",
                "/exec/%s/start" % name,
                {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"},
                len(body),
            )
            + body
        )
        contains(stream.rest().lower(), words)
        stream.close()
        equal(d.api.get("/exec/%s/json" % name)["ExitCode"], code)


def test_exec_terminal(d):
    container = d.start_new(["sleep", "100"])
    name = d.api.post(
        "/containers/%s/exec" % container,
        {"Cmd": ["sh"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": True, "ConsoleSize": [40, 120]},
    )["Id"]
    stream = d.api.hijack("/exec/%s/start" % name, {"Detach": False, "Tty": True, "ConsoleSize": [40, 120]}, timeout=20)
    equal(stream.answer.headers["content-type"], "application/vnd.docker.raw-stream")
    stream.send(b"stty size; echo o$((1))k\n")
    contains(stream.until(b"o1k"), b"40 120")
    d.api.post("/exec/%s/resize" % name, h=20, w=70, ok=(200, 201))
    stream.send(b"stty size; echo o$((2))k\n")
    contains(stream.until(b"o2k"), b"20 70")
    stream.send(b"exit 6\n")
    stream.rest()
    stream.close()
    eventually(lambda: d.api.get("/exec/%s/json" % name)["ExitCode"] == 6)


def test_stop_ends_exec_and_attach(d):
    container = d.start_new(["sleep", "100"])
    name = d.api.post("/containers/%s/exec" % container, {"Cmd": ["sh", "-c", "echo up; sleep 100"], "AttachStdout": True})["Id"]
    stream = d.api.hijack("/exec/%s/start" % name, {"Detach": False}, timeout=20)
    equal(stream.frame(), (1, b"up\n"))
    watcher = attach(d, container, stdin=None)
    d.api.post("/containers/%s/kill" % container)
    equal(stream.split(), (b"", b""))
    equal(watcher.split(), (b"", b""))
    stream.close()
    watcher.close()
    eventually(lambda: d.api.get("/exec/%s/json" % name)["ExitCode"] == 137)


def test_stdin_stays_open_for_the_next(d):
    """Without StdinOnce a client's end is not the end of standard input."""
    container = d.create(["sh", "-c", "read a; echo 1 $a; read b; echo 2 $b"], OpenStdin=True, AttachStdin=True)
    d.api.post("/containers/%s/start" % container)
    first = attach(d, container)
    first.send(b"one\n")
    first.frames_until(b"1 one\n")
    first.close()
    time.sleep(0.1)
    second = attach(d, container)
    second.send(b"two\n")
    second.frames_until(b"2 two\n")
    second.close()
    equal(d.wait(container), 0)


@options(timeout=120)
def test_slow_client_does_not_stop_the_container(d):
    container = d.create(["sh", "-c", "yes %s | head -c 30000000" % ("x" * 99)], AttachStdout=True)
    stream = attach(d, container, stdin=None)  # never reads
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    d.api.post("/containers/%s/start" % container)
    time.sleep(0.5)
    stream.close()
    equal(d.wait(container, timeout=60), 0)
    equal(len(d.logs(container)[0]), 30000000)
