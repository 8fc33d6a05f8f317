"""Bad requests to every endpoint: Docker's status, one clear sentence, the daemon alive and nothing half-made."""
import json
import os
import socket
import struct

from harness import contains, equal, options

ID = "0" * 64
# method, path, statuses, part of the message. {c} is a stopped container, {r} a running one.
WRONG = [
    ("POST", "/containers/create?name=ok", b"{", (400,), ""),
    ("POST", "/containers/create?name=ok", b"[]", (400,), ""),
    ("POST", "/containers/create?name=ok", b"", (400,), ""),
    ("POST", "/containers/create?name=ok", b'{"Image": 7}', (400,), "Image"),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"PortBindings":[]}}',
        (400,),
        "PortBindings",
    ),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"Memory":"much"}}', (400,), "Memory"),
    ("POST", "/containers/create?name=ok", b'{"Image":"no-such-image"}', (404,), "No such image: no-such-image:latest"),
    ("POST", "/containers/create?name=ok", b'{"Image":"UPPER"}', (400, 404), ""),
    ("POST", "/containers/create?name=ok", b'{"Cmd":["true"]}', (400,), ""),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"]}{"more":1}', (400,), ""),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"],"ExposedPorts":{"eighty/tcp":{}}}', (400,), ""),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"99999"}]}}}',
        (400,),
        "",
    ),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"PortBindings":{"80/tcp":[{"HostIp":"1.2.3","HostPort":"80"}]}}}',
        (400,),
        "",
    ),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"Runtime":"nosuch"}}',
        (400, 501),
        "untime",
    ),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"LogConfig":{"Type":"nosuch"}}}',
        (400,),
        "nosuch",
    ),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"],"Env":["=x"]}', (400,), ""),
    (
        "POST",
        "/containers/create?name=ok",
        b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"container:"}}',
        (400,),
        "",
    ),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"IpcMode":"colour"}}', (400,), ""),
    ("POST", "/containers/create?name=ok", b'{"Image":"busybox","Cmd":["true"],"HostConfig":{"PidMode":"colour"}}', (400,), ""),
    ("GET", "/containers/json?filters=%7Bbroken", None, (400,), ""),
    ("GET", "/containers/json?filters=%5B1%5D", None, (400,), ""),
    ("GET", "/containers/json?limit=many", None, (400, 500), ""),
    ("GET", "/containers/json?all=perhaps&limit=-3", None, (200, 400), ""),
    ("POST", "/containers/{c}/stop?t=soon", None, (400, 500), ""),
    ("POST", "/containers/{c}/kill?signal=0", None, (400, 409), ""),
    ("POST", "/containers/{r}/kill?signal=99", None, (400,), ""),
    ("POST", "/containers/{r}/kill?signal=-1", None, (400,), ""),
    ("POST", "/containers/{c}/rename?name=", None, (400,), ""),
    ("POST", "/containers/{r}/resize?h=x&w=1", None, (400,), ""),
    ("POST", "/containers/{r}/exec", b"not json", (400,), ""),
    ("POST", "/containers/{r}/exec", b'{"Cmd":{"a":1}}', (400,), "Cmd"),
    ("POST", "/containers/{c}/update", b"{", (400,), ""),
    ("GET", "/containers/{c}/archive", None, (400,), ""),
    ("GET", "/containers/{c}/archive?path=", None, (400,), ""),
    ("GET", "/containers/{c}/archive?path=/no/such", None, (404,), "Could not find the file /no/such in container"),
    ("PUT", "/containers/{c}/archive?path=/tmp", b"this is no tar archive" * 100, (400, 500), ""),
    ("PUT", "/containers/{c}/archive?path=/no/such", b"\0" * 1024, (404,), ""),
    ("PUT", "/containers/{c}/archive?path=/etc/passwd", b"\0" * 1024, (400,), ""),
    ("POST", "/containers/{c}/wait?condition=sometimes", None, (400,), "sometimes"),
    ("GET", "/containers/{c}/logs?stdout=1&tail=few", None, (200, 400), ""),
    ("POST", "/exec/%s/start" % ID, b"{}", (404,), "No such exec instance: " + ID),
    ("POST", "/exec/%s/resize?h=1&w=1" % ID, None, (404,), ""),
    ("GET", "/exec/nothing/json", None, (404,), ""),
    ("GET", "/images/no-such/json", None, (404,), "No such image: no-such"),
    ("GET", "/images/UPPER/json", None, (400, 404), ""),
    ("GET", "/images/no-such/history", None, (404,), ""),
    ("DELETE", "/images/no-such", None, (404,), ""),
    ("POST", "/images/no-such/push", b"", (200, 404), "does not exist"),
    ("POST", "/images/no-such/tag?repo=x", None, (404,), ""),
    ("POST", "/images/create", b"", (400,), ""),
    ("POST", "/images/create?fromSrc=-&repo=UPPER", b"", (400,), "invalid reference format"),
    ("GET", "/images/json?filters=nothing", None, (400,), ""),
    ("GET", "/images/get?names=no-such", None, (404,), "No such image: no-such"),
    ("POST", "/build?t=UPPER", b"", (400, 500), ""),
    ("POST", "/build?buildargs=%7B", b"", (400,), ""),
    ("POST", "/build?memory=much", b"", (400, 500), ""),
    ("POST", "/auth", b"{", (400,), ""),
    ("POST", "/volumes/create", b"{", (400,), ""),
    ("POST", "/volumes/create", b'{"Name":[]}', (400,), "Name"),
    ("GET", "/volumes?filters=%7B%22colour%22%3A%5B%22red%22%5D%7D", None, (400,), "colour"),
    ("GET", "/volumes/no-such", None, (404,), "no such volume"),
    ("DELETE", "/volumes/no-such", None, (404,), ""),
    ("GET", "/networks/no-such", None, (404,), "network no-such not found"),
    ("DELETE", "/networks/no-such", None, (404,), ""),
    ("POST", "/networks/create", b"{", (400,), ""),
    ("POST", "/networks/create", b'{"Name":""}', (400,), ""),
    ("GET", "/networks?filters=x", None, (400,), ""),
    ("GET", "/events?since=yesterday&until=1", None, (400, 500), ""),
    ("GET", "/events?until=1&filters=x", None, (400,), ""),
    ("POST", "/commit?container=nobody", b"{}", (404,), "No such container: nobody"),
    ("PUT", "/_ping", None, (404, 405), ""),
    ("GET", "/containers//json", None, (301, 400, 404), ""),
]


def containers(d):
    return d.create(["true"], name="stopped"), d.start_new(["sleep", "100"], name="running")


def picture(d):
    """What must not change: containers, volumes, images, files of the store."""
    return (
        {row["Id"] for row in d.api.get("/containers/json", all=True)},
        [v["Name"] for v in d.api.get("/volumes")["Volumes"] or []],
        [row["Id"] for row in d.api.get("/images/json")],
        sorted(os.listdir(d.data_root + "/containers")),
        os.listdir(d.data_root + "/tmp"),
    )


@options(timeout=120)
def test_wrong_requests(d):
    stopped, running = containers(d)
    before, complaints = picture(d), []
    for method, path, body, statuses, words in WRONG:
        path = path.replace("{c}", stopped).replace("{r}", running)
        headers = {"Content-Type": "application/json"} if body and body[:1] in b"{[n" else {}
        answer = d.api.request(method, path, body, headers=headers, timeout=20)
        data = answer.read()
        answer.close()
        line = "%s %s %r: %d %r" % (method, path, body and body[:60], answer.status, data[:200])
        if answer.status not in statuses:
            complaints.append("expected %s: %s" % (statuses, line))
        elif answer.status >= 400:
            try:
                value = json.loads(data)
                if set(value) != {"message"} or not value["message"] or words not in value["message"]:
                    complaints.append("expected %r: %s" % (words, line))
            except ValueError:
                complaints.append("no JSON: " + line)
    equal(complaints, [])
    equal(picture(d), before)
    equal(d.exec(running, ["echo", "alive"]).out, b"alive\n")


def test_every_object_path_with_hostile_names(d):
    """A11: ids and names are never paths."""
    canary = d.directory + "/canary"
    os.makedirs(canary)
    with open(canary + "/file", "w") as file:
        file.write("canary\n")
    names = [
        "../../canary",
        "..%2f..%2fcanary",
        "%2e%2e%2f%2e%2e%2fcanary",
        "a%00b",
        "x" * 300,
        "%00",
        "..",
        ".",
        "a%2Fb",
        "%ff%fe",
        "-rf",
        "%0a",
        "$(id)",
        "..%5c..",
        "%c0%ae%c0%ae",
    ]
    paths = [
        ("GET", "/containers/%s/json"),
        ("POST", "/containers/%s/start"),
        ("DELETE", "/containers/%s?force=1&v=1"),
        ("GET", "/containers/%s/logs?stdout=1"),
        ("GET", "/volumes/%s"),
        ("DELETE", "/volumes/%s?force=1"),
        ("GET", "/networks/%s"),
        ("DELETE", "/networks/%s"),
        ("GET", "/images/%s/json"),
        ("DELETE", "/images/%s?force=1"),
        ("GET", "/exec/%s/json"),
        ("POST", "/exec/%s/start"),
        ("GET", "/images/%s/history"),
        ("GET", "/images/%s/get"),
    ]
    complaints = []
    for name in names:
        for method, path in paths:
            answer = d.api.request(method, path % name, {} if method == "POST" else None, timeout=20)
            data = answer.read()
            answer.close()
            if answer.status not in (301, 400, 404) and not (method == "DELETE" and "/volumes/" in path and answer.status == 204):
                complaints.append("%s %s: %d %r" % (method, path % name, answer.status, data[:200]))
        body = {"Image": "busybox", "Cmd": ["true"]}
        for bad in ["/containers/create?name=" + name]:
            answer = d.api.request("POST", bad, body)
            if answer.status != 400:
                complaints.append("%s: %d %r" % (bad, answer.status, answer.read()[:200]))
            answer.close()
    equal(complaints, [])
    equal(os.listdir(canary), ["file"])


# A5: requests that two parsers could read in two ways. Each must get exactly one answer, and the connection must end after an error.
def request_smuggling():
    get = b"GET /_ping HTTP/1.1\r\nHost: x\r\n"
    post = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    hidden = b"DELETE /containers/victim?force=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    return [
        (post + b"Content-Length: 4\r\nContent-Length: %d\r\n\r\n" % (4 + len(hidden)) + b"{}\r\n" + hidden, 400),
        (post + b"Content-Length: 2, 2\r\n\r\n{}", 400),
        (post + b"Content-Length: +2\r\n\r\n{}", 400),
        (post + b"Content-Length: -1\r\n\r\n{}", 400),
        (post + b"Content-Length: 0x2\r\n\r\n{}", 400),
        (post + b"Content-Length: 99999999999999999999\r\n\r\n{}", (400, 413)),
        (post + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(hidden)) + hidden, 400),
        (post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, 400),
        (post + b"Transfer-Encoding: gzip\r\n\r\n" + hidden, (400, 501)),
        (post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden, (400, 501)),
        (post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, (400, 501)),
        (post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden, (400, 501)),
        (post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + hidden, 400),
        (b"GET /volumes/a%00b HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404)),
        (b"GET /containers/a\x00b/json HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET  /_ping HTTP/1.1\r\nHost: x\r\n\r\n", (200, 400, 404)),
        (b"\x00\x01\x02\x03\r\n\r\n", (400, None)),
        (b"GET /_ping HTTP/9.9\r\nHost: x\r\n\r\n", (400, 505, None)),
        (get + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden, 200),
        (b"G" * 70000, (400, 413, 414, 431, None)),
        (get + b"X: " + b"y" * 2000000 + b"\r\n\r\n", (400, 413, 431, None)),
        (b"".join([get] + [b"H%d: x\r\n" % i for i in range(100000)]) + b"\r\n", (400, 413, 431, None)),
        (b"GET /" + b"a/" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 404, 414, 431, None)),
    ]


def answers(data):
    """Statuses of all answers in a byte stream."""
    return [int(part.split(b" ", 1)[0]) for part in data.split(b"HTTP/1.1 ")[1:]] + [
        int(part.split(b" ", 1)[0]) for part in data.split(b"HTTP/1.0 ")[1:]
    ]


@options(timeout=120)
def test_raw_requests(d):
    victim = d.create(["true"], name="victim")
    complaints = []
    for data, allowed in request_smuggling():
        got = d.api.raw(data, timeout=10)
        statuses = answers(got)
        wanted = allowed if isinstance(allowed, tuple) else (allowed,)
        if len(statuses) > 1 or (statuses[0] if statuses else None) not in wanted:
            complaints.append("%r...: %s, expected one of %s" % (data[:160], statuses, wanted))
        from_library = statuses[:1] == [431] or b"chunked encoding" in got  # seen by the HTTP library alone: a page of its own
        if statuses and statuses[0] >= 400 and b'{"message":' not in got and not from_library:
            complaints.append("%r...: error without a message: %r" % (data[:160], got[:300]))
    equal(complaints, [])
    equal(d.inspect(victim)["Id"], victim)


def test_headers_that_arrive_in_pieces(d):
    stream = d.api.connect()
    for byte in b"GET /v1.51/_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
        stream.send(bytes([byte]))
    contains(stream.rest(), b"\r\n\r\nOK")
    stream.close()


def test_two_requests_on_one_connection(d):
    stream = d.api.connect()
    for _ in range(3):
        stream.send(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.until(b"\r\n\r\nOK")
    stream.send(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.until(b"\r\n\r\nOK")
    stream.until(b"\r\n\r\nOK")
    stream.close()


def test_clients_that_leave(d):
    """Half a request, a reset in the middle of a body, an abandoned pull: no thread or file is left."""

    def fds():
        return len(os.listdir("/proc/%d/fd" % d.process.pid))

    before = fds()
    for piece in (
        b"",
        b"GET /_pi",
        b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf",
        b"POST /images/create?fromSrc=-&repo=half HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"POST /build HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ):
        for _ in range(5):
            stream = d.api.connect()
            stream.send(piece)
            stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
    equal(d.api.request("GET", "/_ping").status, 200)
    d.require_nothing(lambda: ["%d fds more" % (fds() - before)] if fds() > before + 2 else [], "after clients left")
    equal([row["RepoTags"] for row in d.api.get("/images/json")], [["busybox:latest"]])


@options(timeout=120)
def test_large_and_deep_json(d):
    """A10: limits of a JSON body."""
    for body, statuses in (
        (b'{"Image":"busybox","Cmd":["true"],"Env":[' + b'"x",' * (3 << 20) + b'"y"]}', (400, 413)),
        (b"[" * 1000000, (400, 413)),
        (b'{"a":' * 100000 + b"1" + b"}" * 100000, (400, 413)),
    ):
        answer = d.api.request("POST", "/containers/create", body, headers={"Content-Type": "application/json"})
        equal(answer.status in statuses, True, "%d for %r" % (answer.status, body[:30]))
        answer.close()
    with open("/proc/%d/status" % d.process.pid) as file:
        peak = [int(line.split()[1]) for line in file if line.startswith("VmHWM")][0]
    equal(peak < 128 * 1024, True, "peak memory of holkd: %d kB" % peak)
