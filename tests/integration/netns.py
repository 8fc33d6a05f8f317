"""Network namespaces for tests: a daemon lives in one, another host is a second one with a veth between them."""
import ctypes
import json
import os
import subprocess
import threading

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace held by a small process that ends when this process does (its standard input closes)."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("cannot make a network namespace")
        self.path = "/proc/%d/ns/net" % self.holder.pid
        self.inode = os.stat(self.path).st_ino

    def command(self, *args):
        return ["nsenter", "--net=" + self.path, "--", *args]

    def run(self, *args, check=True, **more):
        """Runs a command inside; returns its output."""
        done = subprocess.run(self.command(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
        if check and done.returncode:
            raise AssertionError("%s: exit %d: %s" % (" ".join(args), done.returncode, done.stdout.strip()))
        return done.stdout

    def call(self, function, *args, **more):
        """Calls a function on a thread that has entered the namespace: the sockets it makes belong there."""
        outcome = {}

        def body():
            try:
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _libc.setns(fd, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(fd)
                outcome["value"] = function(*args, **more)
            except BaseException as error:  # handed to the caller's thread
                outcome["error"] = error

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    def links(self):
        """name -> the row of `ip -j link`."""
        done = subprocess.run(self.command("ip", "-j", "link"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return {row["ifname"]: row for row in json.loads(done.stdout or "[]") if row}

    def connect(self, other, name, near, far):
        """A veth pair to another namespace; near and far are addresses with prefix length, far's default route is near."""
        self.run("ip", "link", "add", name, "type", "veth", "peer", "name", name + "p", "netns", str(other.holder.pid))
        self.run("ip", "addr", "add", near, "dev", name)
        self.run("ip", "link", "set", name, "up")
        other.run("ip", "addr", "add", far, "dev", name + "p")
        other.run("ip", "link", "set", name + "p", "up")
        other.run("ip", "route", "add", "default", "via", near.split("/")[0])

    def processes(self):
        """pid -> command line of everybody inside, without the holder."""
        found = {}
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                if pid != self.holder.pid and os.stat("/proc/%d/ns/net" % pid).st_ino == self.inode:
                    with open("/proc/%d/cmdline" % pid, "rb") as file:
                        found[pid] = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
        return found

    def close(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()
