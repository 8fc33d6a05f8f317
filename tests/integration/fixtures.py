"""What tests need besides the daemon: a cache of Debian packages, base images, tar archives, a registry."""
import fcntl
import glob
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("HOLK_TEST_CACHE") or os.path.join(ROOT, "build-cache")


class Skip(Exception):
    """The machine lacks what this test needs; the text says what."""


def locked_make(name, make):
    """The path of a cached file or directory; make(temporary path) is called once, whoever comes first."""
    path = os.path.join(CACHE, name)
    if os.path.exists(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, ".lock-" + name.replace("/", "-")), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            part = path + ".part"
            shutil.rmtree(part, ignore_errors=True) if os.path.isdir(part) else None
            make(part)
            os.rename(part, path)
    return path


def debian_package(name):
    """The directory of an unpacked Debian package; nothing is installed."""

    def make(part):
        os.makedirs(part)
        with tempfile.TemporaryDirectory() as work:
            os.chmod(work, 0o777)
            for refresh in (False, True):
                if refresh:
                    subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
                done = subprocess.run(
                    ["apt-get", "download", "-qq", name], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
                debs = glob.glob(work + "/*.deb")
                if done.returncode == 0 and debs:
                    break
            else:
                raise Skip("package %s cannot be had: %s" % (name, done.stdout.strip()[-200:]))
            subprocess.run(["dpkg", "-x", debs[0], part], check=True)

    return locked_make(name, make)


def is_static(path):
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF" and b"/ld-linux" not in file.read(4096)
    except OSError:
        return False


def busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if is_static(path):
            return path
    return os.path.join(debian_package("busybox-static"), "bin/busybox")


PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www:x:33:33:web:/www:/bin/sh
alice:x:1000:1000:Alice:/home/alice:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = """root:x:0:
daemon:x:1:
www:x:33:
audio:x:29:alice
staff:x:50:alice,www
alice:x:1000:
nogroup:x:65534:
"""


class Tar:
    """Builds a tar archive entry by entry; every method returns self. Times are fixed."""

    def __init__(self, format=tarfile.PAX_FORMAT):
        self.file = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.file, mode="w", format=format)

    def add(self, name, type=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, **more):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.mtime = type, mode, uid, gid, 1700000000
        for key, value in more.items():
            setattr(info, key, value)
        if type == tarfile.REGTYPE:
            data = data.encode() if isinstance(data, str) else data
            info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, mode=0o755, **more):
        return self.add(name, tarfile.DIRTYPE, mode=mode, **more)

    def link(self, name, target, **more):
        return self.add(name, tarfile.SYMTYPE, linkname=target, mode=0o777, **more)

    def hard(self, name, target, **more):
        return self.add(name, tarfile.LNKTYPE, linkname=target, **more)

    def bytes(self):
        self.tar.close()
        return self.file.getvalue()


def probe():
    """The path of tests/fixtures/probe.c as a static program."""
    source = ROOT + "/tests/fixtures/probe.c"
    with open(source, "rb") as file:
        name = "probe-" + hashlib.sha256(file.read()).hexdigest()[:8]
    return locked_make(name, lambda part: subprocess.run(["musl-gcc", "-static", "-O2", "-o", part, source], check=True))


def add_busybox(tar):
    path = busybox()
    with open(path, "rb") as file:
        program = file.read()
    for name, mode in (
        ("bin", 0o755),
        ("etc", 0o755),
        ("home", 0o755),
        ("proc", 0o755),
        ("sys", 0o755),
        ("dev", 0o755),
        ("root", 0o700),
        ("tmp", 0o1777),
        ("var", 0o755),
        ("www", 0o755),
    ):
        tar.dir(name, mode)
    tar.dir("home/alice", uid=1000, gid=1000)
    tar.add("etc/passwd", data=PASSWD).add("etc/group", data=GROUP)
    tar.add("www/index.html", data="hello from holk\n")
    tar.add("bin/busybox", data=program, mode=0o755)
    with open(probe(), "rb") as file:
        tar.add("bin/probe", data=file.read(), mode=0o755)
    applets = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            tar.link("bin/" + applet, "busybox")
    return tar


def base_tar():
    """The path of busybox:latest as a plain tar for POST /images/create?fromSrc=-."""

    def make(part):
        with open(part, "wb") as file:
            file.write(add_busybox(Tar()).bytes())

    return locked_make("base-%s.tar" % os.path.basename(probe())[6:], make)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image_config(layers, **config):
    """An image config document as bytes; layers are tar bytes. Names in `config` are those of the API (Env, Cmd, ...)."""
    return json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(l) for l in layers]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "layer %d" % i} for i in range(len(layers))],
        }
    ).encode()


def docker_archive(layers, names=("test:latest",), **config):
    """What `docker save` writes: for POST /images/load."""
    document = image_config(layers, **config)
    name = digest(document)[7:] + ".json"
    tar = Tar().add(name, data=document)
    paths = []
    for index, layer in enumerate(layers):
        paths.append("layer%d/layer.tar" % index)
        tar.dir("layer%d" % index).add(paths[-1], data=layer)
    manifest = [{"Config": name, "RepoTags": list(names), "Layers": paths}]
    return tar.add("manifest.json", data=json.dumps(manifest)).bytes()


def compress(data):
    return gzip.compress(data, 6, mtime=0)


class Registry:
    """Debian's docker-registry on a loopback port of a namespace, unpacked from its package."""

    def __init__(self, directory, namespace, port=5000, htpasswd=None):
        package = debian_package("docker-registry")
        self.address, self.directory = "127.0.0.1:%d" % port, directory
        os.makedirs(directory + "/data", exist_ok=True)
        lines = [
            "version: 0.1",
            "log: {level: warn}",
            "storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}" % directory,
            "http: {addr: '%s'}" % self.address,
        ]
        if htpasswd:
            with open(directory + "/htpasswd", "w") as file:
                file.write(htpasswd + "\n")
            lines.append("auth: {htpasswd: {realm: holk-test, path: %s/htpasswd}}" % directory)
        with open(directory + "/config.yml", "w") as file:
            file.write("\n".join(lines) + "\n")
        with open(directory + "/log", "ab") as log:
            self.process = subprocess.Popen(
                namespace.command(package + "/usr/bin/docker-registry", "serve", directory + "/config.yml"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_ready(namespace)

    def wait_ready(self, namespace):
        import httpapi

        host, port = self.address.split(":")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                client = httpapi.Client((host, int(port)), version="")
                answer = namespace.call(client.request, "GET", "/v2/")
                answer.close()
                if answer.status in (200, 401):
                    return
            except OSError:
                time.sleep(0.02)
        with open(self.directory + "/log", errors="replace") as file:
            raise AssertionError("docker-registry does not come up: " + file.read()[-1000:])

    def close(self):
        self.process.kill()
        self.process.wait()


def is_fit_for_overlay(path):
    """False for file systems that overlayfs refuses as upper directory."""
    kind = subprocess.run(["stat", "-f", "-c", "%t", path], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return kind not in ("794c7630", "1021994", "6969", "1021997")


def scratch_root():
    """The directory below which every daemon of the tests lives."""
    chosen = os.environ.get("HOLK_TEST_DIR")
    for path in [chosen] if chosen else ["/var/tmp/holk-tests", os.path.join(CACHE, "scratch")]:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH)
        if is_fit_for_overlay(path):
            return path
    raise Skip("no file system for overlayfs: set HOLK_TEST_DIR to a directory on ext4, xfs or btrfs")
