"""GET /containers/{id}/logs: every option, and the bytes exactly as they were written."""
import json
import os
import re
import time

from harness import contains, equal, eventually, options, raises

STAMP = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


def test_streams_and_selection(d):
    ran = d.run(["sh", "-c", "echo out; echo err >&2; printf 'no newline'"], keep=True)
    equal(d.logs(ran.id), (b"out\nno newline", b"err\n"))
    equal(d.logs(ran.id, stderr=None), (b"out\nno newline", b""))
    equal(d.logs(ran.id, stdout=None), (b"", b"err\n"))
    raises(400, d.api.get, "/containers/%s/logs" % ran.id, text="Bad parameters: you must choose at least one stream")
    raises(404, d.api.get, "/containers/nobody/logs", stdout=True, text="No such container: nobody")


def test_tail(d):
    ran = d.run(["sh", "-c", "for i in 1 2 3 4 5; do echo line$i; done"], keep=True)
    for tail, wanted in (
        ("2", b"line4\nline5\n"),
        ("all", b"line1\nline2\nline3\nline4\nline5\n"),
        ("0", b""),
        ("99", b"line1\nline2\nline3\nline4\nline5\n"),
        ("-1", b"line1\nline2\nline3\nline4\nline5\n"),
    ):
        equal(d.logs(ran.id, tail=tail)[0], wanted, "tail=" + tail)


def test_timestamps_since_until(d):
    container = d.start_new(["sh", "-c", "for i in 1 2 3; do echo line$i; sleep 0.6; done"])
    d.wait(container)
    lines = d.logs(container, timestamps=True)[0].splitlines()
    equal(len(lines), 3)
    for line in lines:
        equal(bool(STAMP.match(line)), True, repr(line))
    stamps = [line.split(b" ")[0].decode() for line in lines]
    equal(sorted(stamps), stamps)
    started = d.state(container)["StartedAt"]
    equal(stamps[0] >= started[:19], True)

    def unix(stamp):
        whole, _, fraction = stamp.rstrip("Z").partition(".")
        return "%d.%s" % (int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone), fraction)

    equal(d.logs(container, since=unix(stamps[1]))[0], b"line2\nline3\n")
    equal(d.logs(container, until=unix(stamps[1]))[0] in (b"line1\n", b"line1\nline2\n"), True)
    equal(d.logs(container, since=str(int(time.time()) + 100))[0], b"")
    status, message = d.api.refused("GET", "/containers/%s/logs" % container, stdout=True, since="yesterday")
    equal(status in (400, 500), True)
    contains(message, "yesterday")


def test_follow(d):
    container = d.start_new(["sh", "-c", "echo first; while [ ! -e /go ]; do sleep 0.02; done; echo second; exit 3"])
    eventually(lambda: d.logs(container)[0] == b"first\n")
    answer = d.api.request("GET", "/containers/%s/logs" % container, stdout=True, follow=True, timeout=20)
    equal(answer.headers["content-type"], "application/vnd.docker.multiplexed-stream")
    equal(answer.body.frame(), (1, b"first\n"))
    d.exec(container, ["touch", "/go"])
    equal(answer.body.frame(), (1, b"second\n"))
    equal(answer.body.frame(), None)  # the stream ends with the container
    answer.close()
    d.wait(container)
    answer = d.api.request("GET", "/containers/%s/logs" % container, stdout=True, follow=True, tail=1, timeout=20)
    equal(answer.body.split(), (b"second\n", b""))


def test_follow_before_start_and_of_silent(d):
    container = d.create(["sh", "-c", "echo late"])
    answer = d.api.request("GET", "/containers/%s/logs" % container, stdout=True, follow=True, timeout=20)
    equal(answer.status, 200)
    answer.close()
    quiet = d.start_new(["sleep", "100"])
    answer = d.api.request("GET", "/containers/%s/logs" % quiet, stdout=True, follow=True, timeout=20)
    equal(answer.status, 200)  # the head comes at once
    d.api.post("/containers/%s/kill" % quiet)
    equal(answer.read(), b"")


def test_tty_has_no_frames(d):
    container = d.start_new(["sh", "-c", "echo out; echo err >&2"], Tty=True)
    d.wait(container)
    answer = d.api.request("GET", "/containers/%s/logs" % container, stdout=True, stderr=True)
    equal(answer.headers["content-type"], "application/vnd.docker.raw-stream")
    equal(answer.read(), b"out\r\nerr\r\n")


def test_bytes_survive(d):
    """What is not UTF-8 becomes U+FFFD in the json-file format; all else comes back as it was."""
    text = 'plain "quoted" back\\slash tab\t <&> \x01\x1f\x7f é 漢字 🚢 \u2028\u2029 end\n'.encode()
    ran = d.run(["sh", "-c", "cat"], stdin=text + b"\r\n\n" + text * 50, keep=True)
    equal(ran.out, text + b"\r\n\n" + text * 50)
    equal(d.logs(ran.id)[0], text + b"\r\n\n" + text * 50)


def test_long_lines(d):
    line = bytes(97 + i % 26 for i in range(100000)) + b"\n"
    ran = d.run(["cat"], stdin=line + b"short\n" + line[:16384] + b"\n" + line[:16383] + b"\n", keep=True)
    equal(d.logs(ran.id)[0], ran.out)
    equal(ran.out, line + b"short\n" + line[:16384] + b"\n" + line[:16383] + b"\n")


def test_much_output(d):
    size = 20 << 20
    ran = d.run(["sh", "-c", "yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c %d" % size], keep=True)
    equal(len(ran.out), size)
    logged = d.logs(ran.id)[0]
    equal(logged == ran.out, True, "log and attached stream are the same")
    equal(d.logs(ran.id, tail=3)[0], logged[logged.rstrip(b"\n").rfind(b"\n", 0, -80) + 1 :][-len(d.logs(ran.id, tail=3)[0]) :])


def test_rotation(d):
    host = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "20k", "max-file": "3"}}}
    container = d.start_new(["sh", "-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done"], host=host)
    equal(d.wait(container), 0)
    lines = d.logs(container)[0].decode().splitlines()
    equal(lines[-1], "line 3000")
    first = int(lines[0].split()[1])
    equal(1 < first < 2900, True, "oldest lines are gone, newest are kept")
    equal(lines, ["line %d" % i for i in range(first, 3001)])
    equal(len(d.logs(container, tail=700)[0].splitlines()), min(700, len(lines)))


def test_rotation_on_disk(d):
    """A file ends at the first batch of lines (at most 64 KiB) that passes max-size."""
    host = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "100k", "max-file": "3"}}}
    container = d.start_new(["sh", "-c", "yes | head -n 10000"], host=host)
    d.wait(container)
    path = d.inspect(container)["LogPath"]
    sizes = {
        name: os.path.getsize(os.path.join(os.path.dirname(path), name))
        for name in os.listdir(os.path.dirname(path))
        if name.startswith(os.path.basename(path))
    }
    equal(len(sizes), 3, str(sizes))
    equal(max(sizes.values()) <= 165 * 1024, True, str(sizes))


def test_file_format(d):
    """Tools read the json-file directly."""
    ran = d.run(["sh", "-c", "echo '<out>'; echo err >&2"], keep=True)
    with open(d.inspect(ran.id)["LogPath"], "rb") as file:
        raw = file.read()
    rows = sorted(map(json.loads, raw.splitlines()), key=lambda row: row["stream"])
    equal([(row["log"], row["stream"]) for row in rows], [("err\n", "stderr"), ("<out>\n", "stdout")])
    equal(all(list(row) == ["log", "stream", "time"] for row in rows), True)
    contains(raw, b"\\u003cout\\u003e")


def test_driver_none_and_refusals(d):
    container = d.run(["echo", "gone"], host={"LogConfig": {"Type": "none"}}, keep=True).id
    raises(
        501, d.api.get, "/containers/%s/logs" % container, stdout=True, text="configured logging driver does not support reading"
    )
    raises(400, d.create, ["true"], host={"LogConfig": {"Type": "json-file", "Config": {"colour": "red"}}}, text="colour")


@options(timeout=60)
def test_follower_that_leaves(d):
    """A client that goes away while its log is followed costs nothing."""
    container = d.start_new(["sh", "-c", "while :; do echo x; sleep 0.01; done"])
    for _ in range(20):
        answer = d.api.request("GET", "/containers/%s/logs" % container, stdout=True, follow=True)
        answer.body.frame()
        answer.close()
    before = len(os.listdir("/proc/%d/fd" % d.process.pid))
    equal(before < 100, True, "fds of the daemon: %d" % before)
    eventually(lambda: len(os.listdir("/proc/%d/fd" % d.process.pid)) < 40, "fds are given back")
