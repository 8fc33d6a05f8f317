"""Builds as a whole: what they leave behind, who sees them, the cache, hostile contexts and archives. The semantics of
instructions are the corpus's (tests/corpus)."""
import contextlib
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time

from fixtures import Tar
from harness import ApiError, contains, equal, eventually, options, raises
from test_archive import canary_of, check_canary


def context(dockerfile, tar=None):
    return (tar or Tar()).add("Dockerfile", data=dockerfile).bytes()


def build(d, dockerfile, tar=None, timeout=120, **params):
    """The text of the answer; a failed build is an ApiError."""
    lines = d.api.progress("POST", "/build", context(dockerfile, tar), headers={"Content-Type": "application/x-tar"}, timeout=timeout, **params)
    return "".join(line.get("stream", "") for line in lines)


def failure(d, dockerfile, tar=None, **params):
    try:
        said = build(d, dockerfile, tar, **params)
    except ApiError as error:
        return error.message
    raise AssertionError("the build went well: " + said)


class Following:
    """A build whose answer is read as it comes."""

    def __init__(self, d, dockerfile, **params):
        self.answer = d.api.request("POST", "/build", context(dockerfile), headers={"Content-Type": "application/x-tar"}, **params)
        self.seen = ""

    def until(self, text):
        while text not in self.seen:
            data = self.answer.body.recv()
            assert data, "the answer ended without %r: %r" % (text, self.seen)
            self.seen += data.decode(errors="replace")


def file_server(d, files):
    """Serves name -> bytes on loopback of the daemon's namespace; the URL's beginning."""
    where = d.directory + "/served"
    os.makedirs(where)
    for name, data in files.items():
        with open(where + "/" + name, "wb") as file:
            file.write(data)
        os.utime(where + "/" + name, (1500000000, 1500000000))
    server = subprocess.Popen(d.namespace.command(sys.executable, "-m", "http.server", "8123", "--bind", "127.0.0.1", "--directory", where),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    d.watch.allowed_pids.add(server.pid)
    d.closers.append(lambda: (server.kill(), server.wait()))
    url = "http://127.0.0.1:8123/"
    probe = "import urllib.request; urllib.request.urlopen('%s').read()" % url
    eventually(lambda: subprocess.run(d.namespace.command(sys.executable, "-c", probe), stderr=subprocess.DEVNULL).returncode == 0)
    return url


def leftovers(d):
    found = []
    for name in ("tmp", "containers"):
        found += ["%s/%s" % (name, entry) for entry in os.listdir(d.data_root + "/" + name)]
    return found


# ---- whole builds ----

def test_output_in_order_and_exit_code(d):
    said = build(d, "FROM busybox\nRUN for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf 'no end'\n", t="a:1")
    said = said[said.index("Running in"):]
    positions = [said.index(word) for word in ("out1", "out2", "out3", "no end")]
    equal(positions, sorted(positions))
    assert all("err%d" % i in said for i in (1, 2, 3)), said
    contains(failure(d, "FROM busybox\nRUN exit 9\n"), "returned a non-zero code: 9")
    contains(failure(d, "FROM busybox\nRUN [\"/nosuch\"]\n"), "/nosuch")
    contains(failure(d, "FROM nowhere.invalid/none:1\n"), "nowhere.invalid")


def test_long_output_is_whole(d):
    said = build(d, "FROM busybox\nRUN i=0; while [ $i -lt 20000 ]; do echo line$i; i=$((i+1)); done\n")
    equal(re.findall(r"line(\d+)\n", said), [str(i) for i in range(20000)])


def test_hidden_from_lists_and_events(d):
    since = int(time.time()) - 1
    going = Following(d, "FROM busybox\nRUN echo begun; while [ ! -e /stop ]; do sleep 0.1; done\n")
    going.until("begun")
    equal(d.api.get("/containers/json", all=True), [])
    info = d.api.get("/info")
    equal((info["Containers"], info["ContainersRunning"]), (0, 0))
    raises(404, d.api.get, "/containers/build/json")
    equal(d.api.post("/containers/prune")["ContainersDeleted"] or [], [])
    equal(d.api.get("/system/df")["Containers"] or [], [])
    equal(d.api.get("/networks/bridge")["Containers"], {})
    going.answer.close()
    eventually(lambda: not leftovers(d))
    events = d.api.request("GET", "/events", since=since, until=int(time.time()) + 1)
    equal([line for line in events.body.lines() if b'"container"' in (line if isinstance(line, bytes) else line.encode())], [])


def test_client_leaves(d):
    going = Following(d, "FROM busybox\nRUN echo begun; sleep 600\n")
    going.until("begun")
    assert leftovers(d)
    going.answer.close()
    eventually(lambda: not leftovers(d) and not os.listdir(d.exec_root), seconds=20)
    build(d, "FROM busybox\nRUN true\n")


def test_client_leaves_amid_its_own_context(d):
    tar = Tar().add("f", data=b"x" * (1 << 20)).bytes()
    with d.api.connect() as stream:
        stream.send(d.api.head("POST", "/build", {"Content-Type": "application/x-tar"}, len(tar)) + tar[:50000])
        eventually(lambda: leftovers(d))
    eventually(lambda: not leftovers(d), seconds=20)


def test_killed_daemon_leaves_nothing(d):
    going = Following(d, "FROM busybox\nRUN --mount=type=cache,target=/c echo begun; sleep 600\n")
    going.until("begun")
    pids = set(d.namespace.processes())
    d.restart(hard=True)
    eventually(lambda: not leftovers(d) and not os.listdir(d.exec_root), seconds=20)
    eventually(lambda: not [pid for pid in set(d.namespace.processes()) & pids if "sleep" in open("/proc/%d/cmdline" % pid).read()])
    going.answer.close()
    build(d, "FROM busybox\nRUN true\n")


@options(timeout=180)
def test_many_at_once(d):
    failures = []

    def one(number):
        try:
            said = build(d, "FROM busybox\nRUN echo n%d > /n\nCOPY f /f\nRUN cat /n /f\n" % number, Tar().add("f", data="f%d\n" % number), t="many:%d" % number)
            contains(said, "n%d\nf%d\n" % (number, number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [])
    for i in range(8):
        equal(d.run(["cat", "/f"], image="many:%d" % i).text, "f%d\n" % i)
    equal(leftovers(d), [])


def test_stages_side_by_side(d):
    text = "".join("FROM busybox AS s%d\nRUN sleep 2; echo %d > /o\n" % (i, i) for i in range(4))
    text += "FROM busybox\n" + "".join("COPY --from=s%d /o /o%d\n" % (i, i) for i in range(4))
    began = time.monotonic()
    build(d, text, t="stages:1")
    assert time.monotonic() - began < 7, "four stages that sleep for 2 s took %.1f s" % (time.monotonic() - began)
    equal(d.run(["cat", "/o0", "/o1", "/o2", "/o3"], image="stages:1").text, "0\n1\n2\n3\n")


# ---- layers ----

def test_run_leaves_no_mount_points(d):
    build(d, "FROM busybox AS b\nFROM scratch\nCOPY --from=b /bin /bin\nRUN --mount=type=tmpfs,target=/made/here ls /made/here && echo x > /x\n", t="bare:1")
    layer = newest_layer(d, "bare:1")
    equal(sorted(layer), ["x"])


def newest_layer(d, image):
    """Names of the entries of an image's last layer."""
    with tarfile.open(fileobj=io.BytesIO(d.api.get("/images/%s/get" % image))) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][-1])) as layer:
            return [entry.name.strip("/") for entry in layer]


def test_layers_do_not_share_what_is_written(d):
    """Files of the context may be links to one inode on the disk; nobody may see that."""
    tar = Tar().add("a", data="same\n").add("b/c", data="other\n")
    build(d, "FROM busybox\nCOPY a /one/\nCOPY a /two/\nRUN echo more >> /one/a\nCOPY a b /three/\n", tar, t="links:1")
    said = d.run(["sh", "-c", "cat /one/a; echo -; cat /two/a; echo -; cat /three/a /three/c; stat -c %i /two/a /three/a | sort | uniq | wc -l"],
                 image="links:1").text
    equal(said, "same\nmore\n-\nsame\n-\nsame\nother\n2\n")
    eventually(lambda: d.run(["stat", "-c", "%h", "/one/a", "/two/a", "/three/c"], image="links:1").text == "1\n1\n1\n")
    box = d.start_new(["sh", "-c", "echo mine > /two/a; sleep 600"], image="links:1")
    eventually(lambda: d.exec(box, ["cat", "/two/a"]).text == "mine\n")
    equal(d.run(["cat", "/two/a", "/three/a"], image="links:1").text, "same\nsame\n")


def test_writable_bind_of_the_context_changes_nothing(d):
    tar = Tar().add("a", data="same\n").add("d/b", data="same\n")
    build(d, "FROM busybox\nCOPY . /one/\nRUN --mount=type=bind,rw,target=/ctx echo more >> /ctx/a && echo more >> /ctx/d/b\nCOPY . /two/\n", tar, t="rw:1")
    equal(d.run(["sh", "-c", "cat /one/a /one/d/b /two/a /two/d/b"], image="rw:1").text, "same\n" * 4)


# ---- the cache ----

def test_cache_over_restart_and_prune(d):
    text = "FROM busybox AS s\nRUN head -c 16 /dev/urandom > /r\nFROM busybox\nCOPY --from=s /r /r\nCOPY f /f\n"

    def content():
        build(d, text, Tar().add("f", data="x"), t="cached:1")
        return d.run(["sha256sum", "/r"], image="cached:1").text

    first = content()
    equal(content(), first)
    d.restart()
    equal(content(), first)  # also of the stage that is in no image
    assert [row for row in d.api.get("/system/df")["BuildCache"] if row["Size"] > 0]
    d.api.delete("/images/cached:1", force=True)
    pruned = d.api.post("/build/prune", all=True)
    assert pruned["CachesDeleted"] and pruned["SpaceReclaimed"] > 0, pruned
    equal(d.api.get("/system/df")["BuildCache"] or [], [])
    assert content() != first
    raises(400, d.api.post, "/build/prune", filters='{"nosuch":["x"]}')
    equal(d.api.post("/build/prune", all=True, filters='{"until":["24h"]}')["CachesDeleted"] or [], [])


def test_cache_follows_content_not_time(d):
    def cached(tar):
        return "Using cache" in build(d, "FROM busybox\nCOPY . /x/\n", tar)

    assert not cached(Tar().add("a/f", data="1", mtime=1000))
    assert cached(Tar().add("a/f", data="1", mtime=2000))
    assert not cached(Tar().add("a/f", data="2", mtime=1000))
    assert not cached(Tar().add("a/f", data="1", mode=0o755))
    assert not cached(Tar().add("a/g", data="1"))
    assert not cached(Tar().add("a/f", data="1").link("l", "a/f"))
    assert not cached(Tar().add("a/f", data="1").link("l", "a/g"))
    assert cached(Tar().add("a/f", data="1").link("l", "a/f"))


def test_cache_is_not_fooled_by_names_written_twice(d):
    """The digests of a context are taken while it is unpacked."""
    def digest(tar):
        return "Using cache" in build(d, "FROM busybox\nCOPY d /x/\n", tar)

    assert not digest(Tar().add("d/f", data="AAAA"))
    assert not digest(Tar().add("d/f", data="AAAA").add("d/f", data="BBBB"))
    assert not digest(Tar().add("d/f", data="AAAA").link("l", "d").add("l/f", data="CCCC"))
    assert not digest(Tar().add("d/f", data="AAAA").add("other", data="DDDD").hard("d/f", "other"))
    assert digest(Tar().add("d/f", data="BBBB"))
    assert digest(Tar().add("d/f", data="CCCC"))
    assert digest(Tar().add("d/f", data="DDDD"))


# ---- hostile input ----

def test_b5_context_cannot_reach_out(d):
    canary = canary_of(d)
    up = "../" * 20
    tar = lambda: Tar().link("l", up + canary.lstrip("/") + "/secret").link("abs", canary + "/secret").link("dir", canary).link("proc", "/proc/self/root")
    for source in ("l", "abs", "dir/secret", "proc" + canary, "../" * 10 + canary.lstrip("/") + "/secret", "d*/secret"):
        try:
            build(d, "FROM busybox\nCOPY %s /x\nRUN ! grep -r secret /x\n" % source, tar())
        except ApiError as error:
            assert any(words in error.message for words in ("not found", "no such file", "too many links")), error.message
    contains(failure(d, "FROM busybox\nRUN --mount=type=bind,source=dir/secret,target=/x cat /x\n", tar()), "secret")
    build(d, "FROM busybox\nRUN --mount=type=bind,target=/x ! cat /x/l /x/abs /x/dir/secret\n", tar())
    failure(d, "FROM busybox\nCOPY . /x\n", Tar().add("../up", data="x"))
    failure(d, "FROM busybox\nCOPY . /x\n", Tar().link("d", canary).add("d/evil", data="x").add(".dockerignore", data="!d/evil"))
    failure(d, "FROM busybox\nCOPY . /x\n", Tar().hard("h", up + canary.lstrip("/") + "/secret"))
    check_canary(canary)


def test_b7_hostile_archives(d):
    canary = canary_of(d)
    up = "../" * 20 + canary.lstrip("/")
    hostile = [
        Tar().add("../up", data="x"), Tar().add("a/../../up", data="x"), Tar().link("l", canary).add("l/evil", data="x", mode=0o777),
        Tar().link("l", up).add("l/evil", data="x"), Tar().hard("h", up + "/secret").add("h", data="x"), Tar().link("secret", canary + "/secret").hard("h", "secret"),
        Tar().dir("d", mode=0o777).link("d", canary).dir("d", mode=0o777), Tar().add("x", tarfile.CHRTYPE, devmajor=0, devminor=0),
    ]
    for number, archive in enumerate(hostile):
        try:
            build(d, "FROM busybox\nADD a.tar /o/\nRUN ! grep -r 'secret of the host' /o\n", Tar().add("a.tar", data=archive.bytes()), t="hostile:1")
        except ApiError as error:
            assert "invalid entry" in error.message, (number, error.message)
    check_canary(canary)


def test_destination_links_stay_inside(d):
    canary = canary_of(d)
    build(d, "FROM busybox\nRUN ln -s %s /l && ln -s %s/secret /s && ln -s /proc/1/root /p\nCOPY f /l/evil\nCOPY f /s\nCOPY f /p%s/evil\nWORKDIR /l/w\n" % (canary, canary, canary),
          Tar().add("f", data="evil"), t="dest:1")
    check_canary(canary)
    equal(d.run(["cat", canary + "/evil", canary + "/secret"], image="dest:1").text, "evilevil")


def test_add_of_urls(d):
    url = file_server(d, {"a file.txt": b"remote\n", "a.tar": Tar().add("in", data="x").bytes()})
    said = build(d, "FROM busybox\nADD %sa%%20file.txt /o/\nADD %sa.tar /o/\nRUN cd /o && stat -c '%%n %%a %%u:%%g %%Y' *\n" % (url, url), t="url:1")
    contains(said, "a file.txt 600 0:0 1500000000\na.tar 600 0:0 1500000000\n")
    contains(failure(d, "FROM busybox\nADD %snosuch /x\n" % url), "invalid response status 404")
    contains(failure(d, "FROM busybox\nADD --checksum=sha256:%s %sa.tar /x\n" % ("0" * 64, url)), "digest mismatch")
    link_local = failure(d, "FROM busybox\nADD http://169.254.169.254/latest/meta-data /x\n")
    contains(link_local, "link-local")
    contains(failure(d, "FROM busybox\nADD http://[fe80::1]/x /x\n"), "x")
    contains(failure(d, "FROM busybox\nADD http://127.0.0.1:1/x /x\n"), "http://127.0.0.1:1/x")
    contains(failure(d, "FROM busybox\nADD file:///etc/passwd /x\n"), "not found")
    equal(leftovers(d), [])


def test_context_from_a_url(d):
    tar = context("FROM busybox\nCOPY f /f\nRUN cat /f\n", Tar().add("f", data="from the tar\n"))
    url = file_server(d, {"c.tar.gz": gzip.compress(tar), "Dockerfile": b"FROM busybox\nRUN echo alone\n"})

    def said(remote):
        return "".join(line.get("stream", "") for line in d.api.progress("POST", "/build", remote=remote, timeout=60))

    contains(said(url + "c.tar.gz"), "from the tar\n")
    contains(said(url + "Dockerfile"), "alone\n")
    raises(400, said, url + "nosuch", text="404")
    raises(501, said, "https://example.com/a/b.git", text="git repository is not supported")
    raises(400, said, "http://169.254.169.254/x", text="link-local")
    equal(leftovers(d), [])


def test_bomb_in_a_context(d):
    zeros = Tar().add("z", data=b"\0" * (80 << 20)).add("Dockerfile", data="FROM busybox\n").bytes()
    for packed in (gzip.compress(gzip.compress(zeros, 9), 9), gzip.compress(zeros, 9)[:-9], b"\x1f\x8b" + os.urandom(5000), os.urandom(5000)):
        with contextlib.suppress(ApiError):
            d.api.progress("POST", "/build", packed, headers={"Content-Type": "application/x-tar"}, timeout=120)
            raise AssertionError("the build went well")
    equal(leftovers(d), [])


def test_secrets_of_other_builds_are_not_there(d):
    """Two builds at once: neither's context, layers or output is seen by the other."""
    going = Following(d, "FROM busybox\nRUN echo begun; while [ ! -e /stop ]; do sleep 0.1; done\n")
    going.until("begun")
    said = build(d, "FROM busybox\nRUN ps; ls /; cat /proc/mounts\n")
    assert "begun" not in said
    going.answer.close()
    eventually(lambda: not leftovers(d))


def test_entitlements_are_refused(d):
    contains(failure(d, "FROM busybox\nRUN --network=host true\n"), "network.host is not allowed")
    message = failure(d, "FROM busybox\nRUN --security=insecure true\n")
    assert "insecure" in message, message


@options(timeout=120)
def test_interrupted_at_random_points(d):
    """A21 for builds: the daemon dies, comes back, and nothing is left of the build."""
    text = "FROM busybox\n" + "".join("RUN echo %d > /f%d\nCOPY f /c%d\n" % (i, i, i) for i in range(6))
    for pause in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        going = Following(d, text, nocache=True) if pause else None
        if going:
            time.sleep(pause)
            os.kill(d.process.pid, signal.SIGKILL)
            d.process.wait()
            d.start()
            going.answer.close()
            eventually(lambda: not leftovers(d) and not os.listdir(d.exec_root), seconds=20)
    build(d, text, Tar().add("f", data="x"), t="after:1")
