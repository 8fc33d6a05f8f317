"""One job of a holk-worker without a holkd: what holkd would say on the job's socket is said here (lib/jobs/jobs.h). For
tests of the registry jobs: pull, push, registry-auth, distribution. Standard library only."""
import array
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile

MAGIC = 0x486F6C6B
HELLO, RUN, PROGRESS, REQUEST, REPLY, REPLY_ERR, DONE, FAILED = range(1, 9)
KINDS = ["none", "internal", "invalid", "unauthorized", "forbidden", "not_found", "conflict", "not_modified", "unsupported",
         "unavailable", "cancelled"]
FRAME = struct.Struct("=5I")


class JobError(Exception):
    def __init__(self, text, kind):
        super().__init__("%s (%s)" % (text, kind))
        self.text, self.kind = text, kind


class Job:
    """Runs a job to its end. on_request(name, message) gives (reply dict, fds) or raises JobError."""

    def __init__(self, worker, kind, params, fds=(), on_request=None, environment=None, prefix=()):
        self.lines, self.requests, self.result, self.on_request = [], [], None, on_request
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(120)
        os.set_inheritable(theirs.fileno(), True)
        self.process = subprocess.Popen([*prefix, "bash", "-c", 'exec "$0" "$1" 3<&%d' % theirs.fileno(), worker, kind],
                                        pass_fds=[theirs.fileno()], env={"PATH": os.environ["PATH"], **(environment or {})})
        theirs.close()
        self.sock = ours
        try:
            self.run(params, fds)
        finally:
            ours.close()
            self.status = self.process.wait()

    def run(self, params, fds):
        self.expect(HELLO)
        self.send(RUN, 0, params, fds)
        while True:
            kind, number, message, _ = self.recv()
            if kind == PROGRESS:
                self.lines.append(message)
            elif kind == REQUEST:
                self.requests.append(message)
                self.answer(number, message)
            elif kind == DONE:
                self.result = message
                return
            elif kind == FAILED:
                raise JobError(message["text"], KINDS[message["kind"]])
            else:
                raise AssertionError("unknown frame %d" % kind)

    def answer(self, number, message):
        try:
            reply, fds = self.on_request(message["request"], message) if self.on_request else ({}, ())
        except JobError as error:
            self.send(REPLY_ERR, number, {"text": error.text, "kind": KINDS.index(error.kind), "errno": 0})
            return
        self.send(REPLY, number, reply, fds)
        for fd in fds:
            os.close(fd)

    def send(self, kind, number, message, fds=()):
        text = json.dumps(message).encode()
        head = FRAME.pack(MAGIC, kind, number, len(text), len(fds))
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.sock.sendmsg([head], extra)
            self.sock.sendall(text)
        except BrokenPipeError:
            pass  # it has ended meanwhile; its last frame is still to be read

    def read(self, length):
        parts = []
        while length:
            part = self.sock.recv(length)
            if not part:
                raise AssertionError("the worker ended without a result")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def recv(self):
        head = self.read(FRAME.size)  # no fds come from these jobs
        magic, kind, number, length, fd_count = FRAME.unpack(head)
        assert magic == MAGIC and fd_count == 0
        return kind, number, json.loads(self.read(length)), ()

    def expect(self, kind):
        got = self.recv()
        assert got[0] == kind, got
        return got

    def statuses(self, identity=None):
        """The words of the lines, of one layer or all, byte counts left out."""
        return [line["status"] for line in self.lines if line.get("total", 0) == 0 and identity in (None, line.get("id"))]


class Pull(Job):
    """A pull into a spool of its own; keeps what was handed over: blobs, manifests."""

    def __init__(self, worker, reference, have=(), spool=None, environment=None, prefix=(), on_blob=None, **params):
        self.spool = spool or tempfile.mkdtemp(prefix="spool-")
        os.chmod(os.path.dirname(self.spool) if spool else self.spool, 0o755)
        self.committed = 0
        self.have, self.manifests, self.blobs, self.on_blob = list(have), [], {}, on_blob
        fd = os.open(self.spool, os.O_RDONLY | os.O_DIRECTORY)
        try:
            super().__init__(worker, "pull", {"reference": reference, "platform": "linux/amd64", "auth": {}, **params}, [fd],
                             self.take, environment, prefix)
        finally:
            os.close(fd)
            self.left = os.listdir(self.spool)
            if not spool:
                shutil.rmtree(self.spool)

    def take(self, name, message):
        if name == "manifest":
            self.manifests.append(message)
            return {"have": self.have}, ()
        if name == "commit":
            self.committed += 1
            return {}, ()
        assert name == "blob", name
        path = os.path.join(self.spool, message["file"])
        with open(path, "rb") as file:
            data = file.read()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        assert digest == message["digest"] and len(data) == message["size"], (digest, len(data), message)
        self.blobs[digest] = data
        if self.on_blob:
            self.on_blob(message)
        os.unlink(path)
        return {}, ()


class Push(Job):
    """A push of layers given as {diff_id: (digest, media_type, bytes)}, bottom first."""

    def __init__(self, worker, reference, config, layers, known=(), mount_from=(), environment=None, prefix=(), **params):
        self.layers, self.wanted = layers, []
        rows = [{"diff_id": d, "digest": layers[d][0] if d in known else "", "media_type": layers[d][1] if d in known else "",
                 "size": len(layers[d][2]) if d in known else 0} for d in layers]
        super().__init__(worker, "push", {"reference": reference, "config": config, "layers": rows, "auth": {}, "manifest": "",
                                          "mount_from": list(mount_from), **params}, (), self.give, environment, prefix)

    def give(self, name, message):
        assert name == "layer", name
        digest, media_type, data = self.layers[message["diff_id"]]
        self.wanted.append(message["diff_id"])
        fd = os.memfd_create("layer")
        os.write(fd, data) if data else None
        return {"digest": digest, "media_type": media_type, "diff_id": message["diff_id"], "size": len(data)}, [fd]
