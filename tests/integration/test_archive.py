"""Files in and out of containers: the archive endpoints (docker cp), export, diff, commit; security rows A1, A2, A3."""
import base64
import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
import urllib.parse

from fixtures import Skip, Tar, add_busybox, compress
from harness import ApiError, contains, equal, eventually, options, raises
from httpapi import query

GO_DIR, GO_LINK, GO_PIPE, GO_DEVICE, GO_CHAR, GO_SETUID, GO_STICKY = (1 << bit for bit in (31, 27, 25, 26, 21, 23, 20))


def url(container, path, **more):
    rest = query("", **more)
    return "/containers/%s/archive?path=%s%s" % (container, urllib.parse.quote(path, ""), rest.replace("?", "&"))


def put(d, container, path, tar, **more):
    return d.api.call("PUT", url(container, path, **more), tar, headers={"Content-Type": "application/x-tar"}, timeout=120)


def path_stat(d, container, path):
    answer = d.api.request("HEAD", url(container, path))
    with contextlib.closing(answer):
        if answer.status != 200:
            raise ApiError(answer.status, "", path)
        return json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))


def get_tar(d, container, path):
    return d.api.call("GET", url(container, path), timeout=60)


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name.rstrip("/"): entry for entry in tar}


def names(d, container, path):
    return sorted(members(get_tar(d, container, path)))


def content(d, container, path):
    with tarfile.open(fileobj=io.BytesIO(get_tar(d, container, path))) as tar:
        entry = tar.next()
        return tar.extractfile(entry).read() if entry.isreg() else b""


def both_states(d, **more):
    """A container that never ran, and one that runs."""
    yield d.create(["sleep", "600"], **more)
    yield d.start_new(["sleep", "600"], **more)


# ---- stat and out ----

def test_stat(d):
    setup = Tar().dir("t", 0o1777).add("t/f", data="12345", mode=0o4711, uid=5).link("t/l", "f").link("t/abs", "/t/l")
    setup.link("t/loose", "none/../gone").add("t/p", tarfile.FIFOTYPE).add("t/null", tarfile.CHRTYPE, devmajor=1, devminor=3)
    tar = setup.link("t/circle", "circle").bytes()
    for box in both_states(d):
        put(d, box, "/", tar)
        row = path_stat(d, box, "/t/f")
        equal((row["name"], row["size"], row["mode"], row["linkTarget"]), ("f", 5, GO_SETUID | 0o711, ""))
        equal(row["mtime"], "2023-11-14T22:13:20Z")
        equal((path_stat(d, box, "/t")["mode"], path_stat(d, box, "/t")["name"]), (GO_DIR | GO_STICKY | 0o777, "t"))
        for path, name in (("/", "/"), ("/t/", "t"), ("/t/.", "."), ("t", "t"), ("/t/../t", "t"), ("../../t", "t")):
            equal(path_stat(d, box, path)["name"], name, path)
        row = path_stat(d, box, "/t/l")
        equal((row["mode"], row["linkTarget"]), (GO_LINK | 0o777, "/t/f"))
        equal(path_stat(d, box, "/t/abs")["linkTarget"], "/t/f")
        equal(path_stat(d, box, "/t/loose")["linkTarget"], "/t/gone")
        equal(path_stat(d, box, "/t/p")["mode"], GO_PIPE | 0o644)
        equal(path_stat(d, box, "/t/null")["mode"], GO_DEVICE | GO_CHAR | 0o644)
        raises(404, path_stat, d, box, "/t/none")
        raises(500, path_stat, d, box, "/t/f/below")
        raises(500, path_stat, d, box, "/t/circle")


def test_out(d):
    tar = Tar().dir("t").dir("t/sub").add("t/sub/f", data="data").link("t/l", "sub").hard("t/h", "t/sub/f").bytes()
    for box in both_states(d):
        put(d, box, "/", tar)
        equal(names(d, box, "/t"), ["t", "t/h", "t/l", "t/sub", "t/sub/f"])
        equal(names(d, box, "/t/"), names(d, box, "/t"))
        equal(names(d, box, "/t/."), [".", "./h", "./l", "./sub", "./sub/f"])
        equal(names(d, box, "t/sub/f"), ["f"])
        equal(content(d, box, "/t/l/f"), b"data")
        equal(members(get_tar(d, box, "/t/l"))["l"].linkname, "sub")
        found = members(get_tar(d, box, "/t"))
        equal(sorted([found["t/h"].islnk(), found["t/sub/f"].islnk()]), [False, True])
        whole = members(get_tar(d, box, "/"))
        equal(["/t/sub/f" in whole, "/bin/busybox" in whole, "/etc/hosts" in whole], [True] * 3)
        box_id = d.inspect(box)["Id"][:12]
        raises(404, get_tar, d, box_id, "/none", text="Could not find the file /none in container " + box_id)
        raises(400, get_tar, d, box, "")


def test_out_of_volumes_and_host_files(d):
    host = {"Binds": ["vol:/data", d.directory + "/bound:/bound:ro"]}
    os.makedirs(d.directory + "/bound")
    with open(d.directory + "/bound/f", "w") as file:
        file.write("from the host")
    box = d.start_new(["sleep", "600"], host=host)
    d.exec(box, ["sh", "-c", "echo kept >/data/k; echo own >/own"])
    for running in (True, False):
        equal(d.state(box)["Running"], running)
        equal(content(d, box, "/data/k"), b"kept\n")
        equal(content(d, box, "/bound/f"), b"from the host")
        equal(content(d, box, "/own"), b"own\n")
        contains(content(d, box, "/etc/hosts"), b"localhost")
        found = members(get_tar(d, box, "/"))
        contains(found, "/data/k")
        equal([name for name in found if name.startswith(("/proc/", "/sys/"))], [])
        if running:
            d.api.post("/containers/%s/kill" % box)
            d.wait(box)


def test_out_of_what_never_ran(d):
    """A volume whose mount point the image does not have; nothing is made in the container by looking."""
    d.run(["sh", "-c", "echo kept >/v/k"], host={"Binds": ["vol:/v"]})
    box = d.create(["true"], host={"Binds": ["vol:/new/place"]})
    equal(content(d, box, "/new/place/k"), b"kept\n")
    equal(path_stat(d, box, "/new/place")["mode"], GO_DIR | 0o755)
    equal(content(d, box, "/etc/hosts"), b"")
    equal(d.api.call("GET", "/containers/%s/changes" % box), None)


# ---- in ----

def test_in(d):
    tar = Tar().dir("new", 0o750, uid=7).add("new/f", data="in", mode=0o4755, uid=1000, gid=50).link("new/l", "/etc/passwd")
    tar.hard("new/h", "new/f").add("deep/er/f", data="made").add("/abs", data="abs").add("new/p", tarfile.FIFOTYPE, mode=0o622)
    data = tar.bytes()
    for box in both_states(d):
        for form in (data, compress(data)):
            put(d, box, "/tmp", form)
        found = members(get_tar(d, box, "/tmp"))
        equal((found["tmp/new/f"].mode & 0o7777, found["tmp/new/f"].uid, found["tmp/new/f"].gid), (0o4755, 1000, 50))
        equal((found["tmp/new"].mode & 0o7777, found["tmp/new"].uid, found["tmp/new"].mtime), (0o750, 7, 1700000000))
        equal((found["tmp/new/l"].linkname, found["tmp/new/p"].mode & 0o777), ("/etc/passwd", 0o622))
        equal((found["tmp/deep"].mode & 0o777, found["tmp/deep"].uid), (0o755, 0))
        contains(found, "tmp/abs")
        equal(found["tmp"].mode & 0o7777, 0o1777)
        put(d, box, "/tmp/new/.", Tar().add("f", data="again").bytes())
        equal(content(d, box, "/tmp/new/f"), b"again")
        put(d, box, "/tmp", b"")  # an empty archive
        d.remove(box)


def test_in_and_start(d):
    box = d.create(["cat", "/etc/motd", "/data/x"], host={"Binds": ["vol:/data"]}, AttachStdout=True)
    put(d, box, "/etc", Tar().add("motd", data="welcome\n").bytes())
    put(d, box, "/data", Tar().add("x", data="in the volume\n").bytes())
    d.api.post("/containers/%s/start" % box)
    equal(d.wait(box), 0)
    equal(d.logs(box)[0], b"welcome\nin the volume\n")
    equal(d.run(["cat", "/v/x"], host={"Binds": ["vol:/v"]}).out, b"in the volume\n")


def test_in_through_links_of_the_container(d):
    """Links on the way to the place are the container's; below it they lead nowhere else."""
    for box in both_states(d):
        put(d, box, "/", Tar().dir("usr/lib").link("lib64", "usr/lib").link("usr/local", "/opt/local").dir("opt/local").dir("usr/opt").bytes())
        put(d, box, "/", Tar().add("lib64/a.so", data="a").bytes())
        put(d, box, "/usr/local", Tar().add("b", data="b").bytes())
        equal([content(d, box, p) for p in ("/usr/lib/a.so", "/opt/local/b")], [b"a", b"b"])
        equal(path_stat(d, box, "/lib64")["mode"], GO_LINK | 0o777)
        with contextlib.suppress(ApiError):
            put(d, box, "/usr", Tar().add("local/c", data="c").bytes())
        raises(404, path_stat, d, box, "/opt/local/c")


def test_in_refusals(d):
    one = Tar().add("a", data="1").bytes()
    host = {"Binds": [d.directory + ":/host:ro", "vol:/vol"]}
    for box in both_states(d, host=host):
        put(d, box, "/tmp", Tar().dir("d").add("f", data="f").bytes())
        raises(404, put, d, box, "/none", one, text="Could not find the file /none in container " + box)
        raises(400, put, d, box, "/tmp/f", one, text="extraction point is not a directory")
        raises(400, put, d, box, "/host", one, text="mounted volume is marked read-only")
        raises(400, put, d, box, "/host/below/../x", one, text="mounted volume is marked read-only")
        raises(400, put, d, box, "/tmp", Tar().add("d", data="x").bytes(), noOverwriteDirNonDir=True,
               text='cannot overwrite directory "d" with non-directory "/tmp"')
        raises(400, put, d, box, "/tmp", Tar().dir("f").bytes(), noOverwriteDirNonDir=True,
               text='cannot overwrite non-directory "f" with directory "/tmp"')
        put(d, box, "/tmp", Tar().add("d", data="a file now").bytes())
        equal(content(d, box, "/tmp/d"), b"a file now")
        for bad in (b"garbage " * 200, one[:512], compress(one)[:40], b"\x1f\x8b\x08 no gzip"):
            raises(400, put, d, box, "/tmp", bad)
        for name in ("../x", "a/../../x", "a/..", "./../x"):
            message = raises(400, put, d, box, "/tmp", Tar().add(name, data="x").bytes())
            contains(message, "invalid entry")
        put(d, box, "/vol", one)
    closed = d.create(["true"], host={"ReadonlyRootfs": True, "Binds": ["vol:/vol"]})
    raises(400, put, d, closed, "/tmp", one, text="container rootfs is marked read-only")
    put(d, closed, "/vol", one)


def test_copy_uid_gid(d):
    tar = Tar().dir("d", uid=3, gid=4).add("d/f", data="x", uid=3, gid=4).bytes()
    for user, owner in (("alice", (1000, 1000)), ("alice:staff", (1000, 50)), ("7:8", (7, 8)), ("1000", (1000, 1000)), ("", (3, 4))):
        box = d.create(["true"], User=user)
        put(d, box, "/tmp", tar, copyUIDGID=True)
        found = members(get_tar(d, box, "/tmp/d"))
        equal([(row.uid, row.gid) for row in found.values()], [owner, owner], user)
        put(d, box, "/tmp", tar)
        equal(members(get_tar(d, box, "/tmp/d"))["d/f"].uid, 3)


def test_large_and_many(d):
    box = d.create(["true"])
    blob = os.urandom(1 << 20) * 40
    tar = Tar().add("big", data=blob)
    for i in range(1500):
        tar.add("tree/%d/%d" % (i % 30, i), data="%d" % i)
    put(d, box, "/tmp", tar.bytes())
    equal(content(d, box, "/tmp/big"), blob)
    equal(len(names(d, box, "/tmp/tree")), 1 + 30 + 1500)


# ---- export, diff, commit ----

def test_export(d):
    box = d.run(["sh", "-c", "rm /www/index.html; echo x >/x; chmod 700 /x; ln /x /y"], keep=True, host={"Binds": ["vol:/vol"]}).id
    found = members(d.api.call("GET", "/containers/%s/export" % box, timeout=60))
    equal(("www/index.html" in found, found["x"].mode & 0o777, "vol" in found, "." in found), (False, 0o700, True, False))
    equal(found["y"].linkname or found["x"].linkname, "x")
    for name in (".dockerenv", "etc/hosts", "dev/console"):
        contains(found, name)
    equal(found["etc/hosts"].size, 0)


CHANGES = """echo x >>/etc/group; rm /www/index.html; rm -r /home/alice; mkdir /home/alice; mkdir -p /new/a; echo 1 >/new/a/f
chmod 711 /var; touch /tmp/t; rm /tmp/t; cat /etc/passwd >/dev/null; chown 1 /etc/passwd; chown 0 /etc/passwd; mkfifo /root/p"""


def test_diff(d):
    box = d.run(["sh", "-c", CHANGES], keep=True, host={"Binds": ["vol:/vol"]}).id
    rows = d.api.get("/containers/%s/changes" % box)
    equal(sorted("%s %s" % ("CAD"[row["Kind"]], row["Path"]) for row in rows),
          ["A /new", "A /new/a", "A /new/a/f", "A /root/p", "A /vol", "C /etc", "C /etc/group", "C /home", "C /home/alice", "C /root", "C /var", "C /www",
           "D /www/index.html"])
    equal(d.api.call("GET", "/containers/%s/changes" % d.create(["true"])), None)


def test_commit(d):
    box = d.run(["sh", "-c", CHANGES + "; rm -r /www; mkdir /www; echo new >/www/n"], keep=True).id
    d.api.post("/commit", {}, container=box, repo="made", tag="1")
    text = d.run(["sh", "-c", "ls /www /home; cat /new/a/f; tail -n 1 /etc/group; stat -c %a /var; ls -A /home/alice; test -p /root/p && echo pipe"],
                 image="made:1").out
    equal(text, b"/home:\nalice\n\n/www:\nn\n1\nx\n711\npipe\n")
    layers = [d.api.get("/images/%s/json" % name)["RootFS"]["Layers"] for name in ("busybox", "made:1")]
    equal((layers[1][:-1], len(layers[1])), (layers[0], len(layers[0]) + 1))
    running = d.start_new(["sh", "-c", "echo live >/live; sleep 600"])
    eventually(lambda: d.exec(running, ["cat", "/live"]).code == 0)
    d.api.post("/commit", {}, container=running, repo="made", tag="2")
    equal(d.run(["cat", "/live"], image="made:2").out, b"live\n")
    equal(d.state(running)["Paused"], False)


# ---- security ----

def canary_of(d):
    """A directory of the host that no cp may touch or read."""
    path = d.directory + "/canary"
    os.makedirs(path, 0o700)
    with open(path + "/secret", "w") as file:
        file.write("the secret of the host")
    os.chmod(path + "/secret", 0o600)
    return path


def check_canary(path):
    equal(sorted(os.listdir(path)), ["secret"])
    for name, mode in (("", 0o700), ("/secret", 0o600)):
        row = os.lstat(path + name)
        equal((stat.S_IMODE(row.st_mode), row.st_uid, row.st_gid), (mode, 0, 0), name)
    with open(path + "/secret") as file:
        equal(file.read(), "the secret of the host")


def swap_and_copy(d, rounds):
    """A1: the container exchanges a directory and a link to the host's path while files go in and out through it."""
    canary = canary_of(d)
    loop = "mkdir -p /s/x /s/back; echo inside >/s/x/secret; ln -s %s /s/l; while :; do mv -T /s/x /s/back/x; mv -T /s/l /s/x; mv -T /s/x /s/l; mv -T /s/back/x /s/x; done"
    box = d.start_new(["sh", "-c", loop % canary])
    eventually(lambda: d.exec(box, ["ls", "/s/l"], timeout=10).code is not None)
    tar = Tar().dir("x").add("x/evil", data="evil", mode=0o777).add("x/secret", data="inside\n", mode=0o644).bytes()
    below = Tar().add("evil", data="evil", mode=0o777).add("pipe", tarfile.FIFOTYPE, mode=0o777).bytes()
    done = {"in": 0, "out": 0}
    for i in range(rounds):
        with contextlib.suppress(ApiError):
            put(d, box, *(("/s", tar), ("/s/x", below))[i % 2])
            done["in"] += 1
        with contextlib.suppress(ApiError, AssertionError, tarfile.TarError, AttributeError):
            data = content(d, box, ("/s/x/secret", "/s/x")[i % 3 == 0])
            done["out"] += 1
            equal(b"secret of the host" in data, False, "what cp read")
    check_canary(canary)
    equal(done["in"] > 0 and done["out"] > 0, True, str(done))


def test_a1_swapped_links(d):
    swap_and_copy(d, 60)


@options(long=True, timeout=1800)
def test_a1_swapped_links_for_long(d):
    swap_and_copy(d, 2000)


EVIL = """
#include <fcntl.h>
__attribute__((constructor)) static void evil(void) { creat("%s/loaded", 0666); creat("/loaded", 0666); }
"""


def test_a2_no_code_of_the_image_is_loaded(d):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise Skip("no C compiler")
    canary = canary_of(d)
    with open(d.directory + "/evil.c", "w") as file:
        file.write(EVIL % canary)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", d.directory + "/evil.so", d.directory + "/evil.c"], check=True)
    with open(d.directory + "/evil.so", "rb") as file:
        evil = file.read()
    tar = add_busybox(Tar()).add("etc/nsswitch.conf", data="passwd: files\ngroup: files\nhosts: files dns\n")
    for directory in ("lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
        for name in ("libnss_files.so.2", "libnss_dns.so.2", "libnss_compat.so.2", "libc.so.6"):
            tar.add(directory + "/" + name, data=evil, mode=0o755)
    d.import_image(tar.bytes(), "evil")
    archive = Tar().add("f", data="x", uid=1000).bytes()
    for box in both_states(d, image="evil", User="alice"):
        put(d, box, "/tmp", archive, copyUIDGID=True)
        content(d, box, "/tmp/f")
        d.api.call("GET", "/containers/%s/export" % box, timeout=60)
        d.api.get("/containers/%s/changes" % box)
        raises(404, path_stat, d, box, "/loaded")
    check_canary(canary)


def test_a3_modes_of_the_host(d):
    canary = canary_of(d)
    up = "../" * 12 + canary[1:]
    for box in both_states(d):
        for target in (canary, up):
            tar = Tar().link("dir", target).dir("dir/", 0o777, uid=1).add("dir/secret", data="evil", mode=0o777, uid=1)
            tar.link("l", target + "/secret").hard("h", "l").add("h", data="evil", mode=0o666, uid=1)
            tar.add("dir/pipe", tarfile.FIFOTYPE, mode=0o777, uid=1)
            put(d, box, "/tmp", tar.bytes())
            equal(content(d, box, "/tmp/dir/secret"), b"evil")  # the later directory took the link's place
            for name in ("secret", "new"):
                with contextlib.suppress(ApiError):
                    put(d, box, "/tmp", Tar().link("out", target).add("out/" + name, data="evil", mode=0o777).bytes())
            raises(400, put, d, box, "/tmp", Tar().hard("hard", target + "/secret").bytes())
    check_canary(canary)
