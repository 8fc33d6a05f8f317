"""A small HTTP/1.1 client over Unix and TCP sockets that shows every byte: what http.client hides (hijacked
streams, early bytes, half-close, raw requests) is what these tests are about."""
import json
import socket
import struct
import urllib.parse


class ApiError(Exception):
    """An answer with a status that the caller did not expect."""

    def __init__(self, status, message, what=""):
        super().__init__("%s: %d %s" % (what, status, message) if what else "%d %s" % (status, message))
        self.status, self.message = status, message


class Stream:
    """A socket with the bytes that were read beyond the head."""

    def __init__(self, sock, early=b""):
        self.sock, self.buffer = sock, early

    def recv(self, size=65536):
        if self.buffer:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return data
        try:
            return self.sock.recv(size)
        except ConnectionResetError:
            return b""

    def exactly(self, size):
        """size bytes; fewer only at the end of the stream."""
        parts = []
        while size > 0:
            data = self.recv(size)
            if not data:
                break
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def line(self, limit=1 << 20):
        while b"\n" not in self.buffer and len(self.buffer) < limit:
            data = self.sock.recv(65536)
            if not data:
                break
            self.buffer += data
        cut = self.buffer.find(b"\n") + 1 or len(self.buffer)
        data, self.buffer = self.buffer[:cut], self.buffer[cut:]
        return data

    def until(self, text, limit=1 << 22):
        """Reads until text has been seen; returns all up to and with it. Raises when the stream ends before."""
        seen = b""
        while text not in seen:
            data = self.recv()
            if not data or len(seen) > limit:
                raise AssertionError("stream ended before %r; seen: %r" % (text, seen[-2000:]))
            seen += data
        cut = seen.index(text) + len(text)
        self.buffer = seen[cut:] + self.buffer
        return seen[:cut]

    def rest(self):
        parts = []
        while True:
            data = self.recv()
            if not data:
                return b"".join(parts)
            parts.append(data)

    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def timeout(self, seconds):
        self.sock.settimeout(seconds)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The frames of attach, exec and logs without a tty: 1 stream byte, 3 zeros, 4 length, payload.
    def frame(self):
        """(stream, payload), or None at the end."""
        head = self.exactly(8)
        if not head:
            return None
        if len(head) < 8 or head[1:4] != b"\0\0\0" or head[0] > 3:
            raise AssertionError("not a frame head: %r" % head)
        size = struct.unpack(">I", head[4:])[0]
        payload = self.exactly(size)
        if len(payload) < size:
            raise AssertionError("frame of %d bytes ends after %d" % (size, len(payload)))
        return head[0], payload

    def frames(self):
        while True:
            frame = self.frame()
            if frame is None:
                return
            yield frame

    def split(self):
        """All frames to the end: (stdout, stderr)."""
        out = {0: [], 1: [], 2: [], 3: []}
        for stream, payload in self.frames():
            out[stream].append(payload)
        if out[3]:
            raise AssertionError("system error frame: %r" % b"".join(out[3]))
        return b"".join(out[1]), b"".join(out[2])

    def frames_until(self, text, stream=1, limit=1 << 22):
        """Payload of one stream until text was seen in it."""
        seen = b""
        while text not in seen:
            frame = self.frame()
            if frame is None or len(seen) > limit:
                raise AssertionError("stream ended before %r; seen: %r" % (text, seen[-2000:]))
            if frame[0] == stream:
                seen += frame[1]
        return seen


class Body:
    """The body of an answer as a stream of bytes, whatever its transfer coding. Looks like Stream to readers."""

    def __init__(self, stream, headers, bodyless):
        self.stream, self.chunked = stream, "chunked" in headers.get("transfer-encoding", "").lower()
        self.left = 0 if bodyless or self.chunked else int(headers.get("content-length", -1))
        self.ended = bodyless
        self.buffer = b""

    def recv(self, size=65536):
        if self.buffer:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return data
        if self.ended:
            return b""
        if self.chunked and self.left == 0 and not self._next_chunk():
            return b""
        if self.left < 0:
            return self.stream.recv(size)
        data = self.stream.recv(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        if self.left and not data:
            raise AssertionError("body ends %d bytes too early" % self.left)
        if self.chunked and self.left == 0:
            self.stream.line()
        elif self.left == 0:
            self.ended = True
        return data

    def _next_chunk(self):
        line = self.stream.line()
        if not line:
            raise AssertionError("chunked body without an end")
        self.left = int(line.split(b";")[0], 16)
        if self.left == 0:
            self.ended = True
            while self.stream.line().strip():
                pass
        return self.left > 0

    sock = property(lambda self: self.stream.sock)
    exactly, until, rest = Stream.exactly, Stream.until, Stream.rest
    frame, frames, split, frames_until = Stream.frame, Stream.frames, Stream.split, Stream.frames_until

    def line(self):
        """One line (with its newline), b"" at the end."""
        while b"\n" not in self.buffer:
            kept, self.buffer = self.buffer, b""
            data = self.recv()
            self.buffer = kept + data
            if not data:
                break
        cut = self.buffer.find(b"\n") + 1 or len(self.buffer)
        data, self.buffer = self.buffer[:cut], self.buffer[cut:]
        return data

    def lines(self):
        while True:
            line = self.line()
            if not line:
                return
            if line.strip():
                yield line

    def close(self):
        self.stream.close()


class Answer:
    def __init__(self, stream, head_only=False):
        line = stream.line().decode("latin-1")
        if not line.startswith("HTTP/1."):
            raise AssertionError("not an HTTP answer: %r" % line)
        self.status, self.reason = int(line.split(" ", 2)[1]), line.strip().split(" ", 2)[-1]
        self.headers, self.stream = {}, stream
        self.raw_headers = []
        while True:
            line = stream.line().decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
            self.raw_headers.append((name.strip(), value.strip()))
        self.body = Body(stream, self.headers, head_only or self.status in (101, 204, 304))
        self.data = None

    def read(self):
        if self.data is None:
            self.data = self.body.rest()
        return self.data

    def json(self):
        return json.loads(self.read())

    def message(self):
        """The text of an error answer, which must be exactly {"message": "..."}."""
        value = self.json()
        if set(value) != {"message"} or not isinstance(value["message"], str):
            raise AssertionError("not an error body: %r" % value)
        return value["message"]

    def text(self):
        """The text of an error answer: Docker's body, or what there is."""
        data = self.read()
        try:
            return json.loads(data)["message"]
        except (ValueError, KeyError, TypeError):
            return data.decode(errors="replace")

    def close(self):
        self.stream.close()


def query(path, **params):
    """path with a query string; lists repeat, dicts become JSON, True is 1, None is left out."""
    pairs = []
    for name, value in params.items():
        if value is None:
            continue
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, bool):
                item = "1" if item else "0"
            elif isinstance(item, dict):
                item = json.dumps(item)
            pairs.append((name, item))
    return path + ("?" + urllib.parse.urlencode(pairs) if pairs else "")


class Client:
    """address: the path of a Unix socket, or (host, port)."""

    def __init__(self, address, version="v1.51", timeout=60):
        self.address, self.version, self.default_timeout = address, version, timeout

    def connect(self, timeout=None):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(timeout or self.default_timeout)
        sock.connect(self.address)
        return Stream(sock)

    def raw(self, data, timeout=10):
        """Sends the bytes, closes its half, returns all that comes back."""
        with self.connect(timeout) as stream:
            try:
                stream.send(data)
                stream.half_close()
            except (BrokenPipeError, ConnectionResetError):
                pass
            return stream.rest()

    def head(self, method, path, headers, length):
        if self.version and not path.startswith(("/_ping", "/v1.", "http:")):
            path = "/" + self.version + path
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: holk"]
        lines += ["%s: %s" % pair for pair in headers.items()]
        if length is not None and not any(name.lower() in ("transfer-encoding", "content-length") for name in headers):
            lines.append("Content-Length: %d" % length)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def request(self, method, path, body=None, headers=None, timeout=None, **params):
        """Sends one request on a connection of its own and returns the Answer once its head is there.
        body: None, bytes, anything else is sent as JSON; a generator is sent chunked."""
        headers = dict(headers or {})
        path = query(path, **params)
        chunked = hasattr(body, "__next__")
        if body is not None and not isinstance(body, bytes) and not chunked:
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        length = None if chunked or (body is None and method in ("GET", "HEAD", "DELETE")) else len(body or b"")
        stream = self.connect(timeout)
        try:
            stream.send(self.head(method, path, headers, length))
            for piece in body if chunked else [body or b""]:
                if chunked and piece:
                    piece = b"%x\r\n%s\r\n" % (len(piece), piece)
                stream.send(piece)
            if chunked:
                stream.send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused early: the answer tells why
        try:
            return Answer(stream, method == "HEAD")
        except BaseException:
            stream.close()
            raise

    def call(self, method, path, body=None, ok=(200, 201, 204, 304), **more):
        """request() that reads the whole answer; returns parsed JSON, or bytes. Raises ApiError on another status."""
        answer = self.request(method, path, body, **more)
        try:
            data = answer.read()
        finally:
            answer.close()
        is_json = "json" in answer.headers.get("content-type", "")
        if answer.status not in ([ok] if isinstance(ok, int) else ok):
            try:
                message = json.loads(data)["message"]
            except (ValueError, KeyError, TypeError):
                message = repr(data[:400])
            raise ApiError(answer.status, message, "%s %s" % (method, path))
        if is_json and data and b"\n{" not in data.strip():
            return json.loads(data)
        return data

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    def refused(self, method, path, body=None, **more):
        """The (status, message) of a request that must be refused with Docker's error body."""
        answer = self.request(method, path, body, **more)
        try:
            if answer.status < 400:
                raise AssertionError("%s %s was accepted: %d %r" % (method, path, answer.status, answer.read()[:300]))
            return answer.status, answer.message()
        finally:
            answer.close()

    def progress(self, method, path, body=None, **more):
        """A request that answers with lines of JSON: the list of them. Raises ApiError when one tells an error."""
        answer = self.request(method, path, body, **more)
        try:
            if answer.status != 200:
                raise ApiError(answer.status, answer.message(), "%s %s" % (method, path))
            lines = [json.loads(line) for line in answer.body.lines()]
        finally:
            answer.close()
        for line in lines:
            if "error" in line:
                raise ApiError(200, line["error"], "%s %s" % (method, path))
        return lines

    def hijack(self, path, body=None, upgrade=True, early=b"", timeout=None, **params):
        """POST that turns the connection into a stream. early: bytes sent along with the request."""
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {}
        data = b"" if body is None else json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
        stream = self.connect(timeout)
        try:
            stream.send(self.head("POST", query(path, **params), headers, len(data)) + data + early)
            answer = Answer(stream)
            if answer.status != (101 if upgrade else 200):
                raise ApiError(answer.status, answer.text(), path)
        except BaseException:
            stream.close()
            raise
        stream.answer = answer
        return stream
