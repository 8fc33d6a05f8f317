"""The registry jobs of holk-fetch alone, without a holkd, against a registry that lies, stumbles and hangs up."""
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from fixtures import ROOT
from harness import contains, equal, find_build, options
from netns import Namespace
from workerjob import Job, JobError, Pull, Push

sys.path.insert(0, ROOT + "/tests/fixtures")
from registry_stub import DOCKER, OCI, Stub, digest_of, layer_tar  # noqa: E402

FAR = "192.0.2.1"  # an address that is not loopback


def worker():
    return find_build() + "/daemon/worker/holk-fetch"


def pull(stub, name="a/one:v1", **more):
    return Pull(worker(), "%s/%s" % (stub.address, name), **more)


def refused(function, *args, text, kind="internal", **more):
    try:
        function(*args, **more)
    except JobError as error:
        contains(error.text, text)
        equal(error.kind, kind, error.text)
        return error.text
    raise AssertionError("not refused: %r" % (text,))


def faulty(text, faults, kind="internal", most=None, **more):
    """A pull from a registry with these faults is refused with this text; within `most` requests."""
    with Stub(faults=faults) as stub:
        stub.add_image("a/one", "v1", [1000, 200000, 300000])
        refused(pull, stub, text=text, kind=kind, **more)
        if most and len(stub.log) > most:
            raise AssertionError("%d requests: %s" % (len(stub.log), [r["path"] for r in stub.log]))
        return stub.log


def works(faults, sizes=(1000, 200000, 300000), **more):
    with Stub(faults=faults) as stub:
        stub.add_image("a/one", "v1", sizes)
        done = pull(stub, **more)
        equal(len(done.blobs), len(sizes))
        equal(done.left, [])
        return done, stub.log


# ---- pull ----

def test_pull_tells_what_it_does():
    with Stub() as stub:
        descriptor = stub.add_image("a/one", "v1", [1000, 200000, 300000, 3000])
        done = pull(stub)
        equal(done.result, {"digests": [descriptor["digest"]], "tags": ["v1"]})
        equal(done.left, [])
        document = json.loads(stub.manifests["a/one", "v1"][1])
        message = done.manifests[0]
        equal(message["manifest"].encode(), stub.manifests["a/one", "v1"][1])
        equal(message["manifest_media_type"], DOCKER["manifest"])
        equal(message["config"].encode(), stub.blobs[document["config"]["digest"]])
        equal((message["digest"], message["tag"], message["index"]), (descriptor["digest"], "v1", ""))
        equal([row["digest"] for row in message["layers"]], [row["digest"] for row in document["layers"]])
        equal([row["diff_id"] for row in message["layers"]], json.loads(message["config"])["rootfs"]["diff_ids"])
        equal(sorted(done.blobs), sorted(row["digest"] for row in document["layers"]))
        equal((done.lines[0]["status"], done.lines[0]["id"]), ("Pulling from a/one", "v1"))
        short = [row["digest"][7:19] for row in document["layers"]]
        equal([line["id"] for line in done.lines if line["status"] == "Pulling fs layer"], short)
        for index, name in enumerate(short):
            words = ["Pulling fs layer"] + ["Waiting"] * (index > 2) + ["Verifying Checksum", "Download complete"]
            equal(done.statuses(name), words)
            counts = [line for line in done.lines if line["id"] == name and line["status"] == "Downloading"]
            equal(counts[-1]["current"], counts[-1]["total"])
            equal(counts[-1]["total"], document["layers"][index]["size"])


def test_pull_connections_are_kept():
    done, log = works({}, sizes=[100] * 12)
    equal(len(log), 14)
    equal(len({row["peer"] for row in log}) <= 4, True, "connections")


def test_pull_what_is_there():
    with Stub() as stub:
        stub.add_image("a/one", "v1", [1000, 2000])
        everything = pull(stub).manifests[0]
        ids = [row["diff_id"] for row in everything["layers"]]
        done = pull(stub, have=ids[:1])
        equal((len(done.blobs), done.statuses(everything["layers"][0]["digest"][7:19])), (1, ["Already exists"]))
        done = pull(stub, have=ids)
        equal((len(done.blobs), done.statuses()), (0, ["Pulling from a/one", "Already exists", "Already exists"]))
        done = pull(stub, have=ids + [everything["config_digest"]])  # the image itself is known
        equal((len(done.blobs), done.statuses()), (0, ["Pulling from a/one"]))


def test_pull_one_layer_twice():
    with Stub() as stub:
        tar = layer_tar("same", 1000)
        stub.add_image("a/one", "v1", [tar, layer_tar("other", 10), tar])
        done = pull(stub)
        equal((len(done.blobs), len(done.manifests[0]["layers"]), len(stub.seen("GET", "/blobs/"))), (2, 3, 3))


def test_pull_choice_of_platform():
    with Stub() as stub:
        made = {name: stub.add_image("a/i", None, [100 + len(name)], platform=name.split("/"))
                for name in ("linux/arm64", "linux/amd64", "linux/arm/v7")}
        index = stub.add_index("a/i", "v1", [(made[name], name.split("/")) for name in made] + [(made["linux/arm64"], ("unknown", "unknown"))])
        for name in made:
            done = pull(stub, "a/i:v1", platform=name)
            equal(done.result["digests"], [index["digest"]])
            equal(done.manifests[0]["index"].encode(), stub.manifests["a/i", "v1"][1])
            equal(digest_of(done.manifests[0]["manifest"].encode()), made[name]["digest"], name)
        refused(pull, stub, "a/i:v1", platform="linux/s390x", kind="not_found",
                text="no matching manifest for linux/s390x in the manifest list entries")
        refused(pull, stub, "a/i:v1", platform="a/b/c/d", kind="invalid", text="cannot parse platform specifier")
        done = pull(stub, "a/i@" + made["linux/arm64"]["digest"])
        equal(done.lines[0]["id"], made["linux/arm64"]["digest"])
        equal(done.result, {"digests": [made["linux/arm64"]["digest"]], "tags": [""]})
        # Tag and digest: the digest decides.
        done = pull(stub, "a/i:v1@" + made["linux/arm64"]["digest"])
        equal(done.result["digests"], [made["linux/arm64"]["digest"]])
        stub.add_image("a/i", "win", [100], platform=("windows", "amd64"))
        refused(pull, stub, "a/i:win", kind="invalid", text='image operating system "windows" cannot be used on this platform')


def test_pull_oci():
    with Stub() as stub:
        inner = stub.add_image("a/o", None, [100, 200], types=OCI)
        stub.add_index("a/o", "v1", [(inner, ("linux", "amd64"))], types=OCI)
        done = pull(stub, "a/o:v1")
        equal(done.manifests[0]["manifest_media_type"], OCI["manifest"])
        equal({row["media_type"] for row in done.manifests[0]["layers"]}, {OCI["layer"]})


def test_pull_all_tags():
    with Stub(faults={"page": 2}) as stub:
        digests = [stub.add_image("a/one", "v%d" % i, [1000 + i])["digest"] for i in range(5)]
        done = pull(stub, "a/one", all_tags=True)
        equal(done.result, {"digests": digests, "tags": ["v0", "v1", "v2", "v3", "v4"]})
        equal(len(stub.seen("GET", "/tags/list")), 3)
        equal((len(done.blobs), done.committed), (5, 5))
        refused(pull, stub, "no/one", all_tags=True, kind="not_found", text="no/one not found: name unknown: repository name not known to registry")


# ---- what must be refused ----

def test_flipped_bytes_and_sizes():
    faulty("filesystem layer verification failed for digest sha256:", {"flip": "blob"})
    faulty("error pulling image configuration: image config verification failed for digest sha256:", {"flip": "config"}, most=2)
    faulty("manifest verification failed for digest sha256:", {"flip": "manifest"}, most=1)
    faulty("size mismatch: blob sha256:", {"wrong_size": "layer"})
    faulty("the manifest says", {"wrong_size": "config"}, most=2)
    with Stub(faults={"flip": "manifest", "no_digest_header": True}) as stub:
        digest = stub.add_image("a/one", "v1", [1000])["digest"]
        refused(pull, stub, "a/one@" + digest, text="manifest verification failed for digest " + digest)
    with Stub() as stub:
        inner = stub.add_image("a/one", None, [1000])
        stub.add_index("a/one", "v1", [(dict(inner, size=inner["size"] + 1), ("linux", "amd64"))])
        refused(pull, stub, text="the manifest list says")
        stub.faults = {"flip": "index"}
        refused(pull, stub, text="manifest verification failed for digest sha256:")


def test_documents():
    faulty("ambiguous manifest: it has both layers and manifests", {"ambiguous": True}, "invalid", 1)
    faulty("version 2, schema 1", {"schema1": True}, "invalid", 1)
    faulty("if present, mediaType in manifest should be", {"mismatch": True}, "invalid", 1)
    faulty("unsupported manifest media type application/vnd.example.thing+json", {"unknown_type": True}, "invalid", 1)
    faulty("error unmarshalling content", {"status": {"match": "/manifests/", "code": 200, "body": "<html>hello"}}, most=1)
    with Stub() as stub:
        for change, text, kind in (
                ({"layers": [{"mediaType": DOCKER["layer"], "size": 1, "digest": "sha256:" + "0" * 64}] * 2}, "the image's manifest has 2 layers", "internal"),
                ({"layers": []}, "the image's manifest has 0 layers", "internal"),
                ({"layers": [{"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "size": 1, "digest": "sha256:" + "0" * 64,
                              "urls": ["http://127.0.0.1:1/x"]}]}, "foreign layer", "unsupported"),
                ({"layers": [{"mediaType": "text/plain", "size": 1, "digest": "sha256:" + "0" * 64}]}, "unsupported layer media type text/plain", "unsupported"),
                ({"layers": [{"mediaType": DOCKER["layer"], "size": -1, "digest": "sha256:" + "0" * 64}]}, "negative size", "internal"),
                ({"layers": [{"mediaType": DOCKER["layer"], "size": 1, "digest": "../../etc/passwd"}]}, "digest", "internal"),
                ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "size": 2, "digest": digest_of(b"{}")}}, "not a container image", "unsupported"),
                ({"config": {"mediaType": DOCKER["config"], "size": 1 << 40, "digest": digest_of(b"{}")}}, "larger than", "internal")):
            stub.add_image("a/one", "v1", [100])
            document = dict(json.loads(stub.manifests["a/one", "v1"][1]), **change)
            stub.add_manifest("a/one", "v1", DOCKER["manifest"], document)
            refused(pull, stub, text=text, kind=kind)
        huge = json.dumps({"schemaVersion": 2, "layers": [], "x": "y" * (5 << 20)}).encode()
        stub.add_manifest("a/one", "v1", DOCKER["manifest"], huge)
        refused(pull, stub, text="is larger than", kind="invalid")


def test_words_of_the_registry():
    def told(code, name, message):
        return {"status": {"match": "/manifests/", "code": code, "type": "application/json",
                           "body": json.dumps({"errors": [{"code": name, "message": message}]})}}
    text = faulty_text("manifest for %s/a/one:v1 not found: manifest unknown: manifest unknown", told(404, "MANIFEST_UNKNOWN", "manifest unknown"))
    equal(text[1], "not_found")
    text = faulty_text("pull access denied for %s/a/one, repository does not exist or may require 'docker login': denied: "
                       "requested access to the resource is denied", told(403, "DENIED", "requested access to the resource is denied"))
    equal(text[1], "not_found")
    faulty("toomanyrequests: slow down", told(429, "TOOMANYREQUESTS", "slow down"), "unavailable", 1)
    faulty("unknown: boom", {"status": {"match": "/manifests/", "code": 404, "body": "boom"}}, most=1)


def faulty_text(pattern, faults):
    with Stub(faults=faults) as stub:
        stub.add_image("a/one", "v1", [1000])
        try:
            pull(stub)
        except JobError as error:
            equal(error.text, pattern % stub.address)
            return error.text, error.kind
    raise AssertionError("not refused")


# ---- broken connections ----

def test_resume():
    done, log = works({"hangup": {"after": 100000, "times": 1}})
    equal(sorted(row["headers"]["Range"] for row in log if "Range" in row["headers"]), ["bytes=100000-"] * 2)
    done, log = works({"hangup": {"after": 100000, "times": 1}, "no_range": True})
    equal(len([row for row in log if "/blobs/" in row["path"]]), 6)
    done, log = works({"hangup": {"after": 100000, "times": 1}, "no_range": "lie"})
    equal([row["headers"].get("Range") for row in log][-1], None)


def test_retries():
    works({"status": {"match": "/manifests/", "code": 500, "times": 2}})
    works({"status": {"match": "/blobs/", "code": 503, "times": 2}})
    began = time.monotonic()
    works({"status": {"match": "/manifests/", "code": 429, "retry_after": 1, "times": 1}})
    equal(time.monotonic() - began >= 1, True, "Retry-After")


def test_gives_up():
    log = faulty("received unexpected HTTP status: 500 Internal Server Error", {"status": {"match": "/manifests/", "code": 500}})
    equal(len(log), 5)
    faulty("unexpected EOF", {"short": "manifest"}, most=5)
    with Stub(faults={"hangup": {"after": 100}}) as stub:
        stub.add_image("a/one", "v1", [3000])
        refused(pull, stub, text="unexpected EOF")
        equal([row["headers"].get("Range") for row in stub.seen("GET", "/blobs/")][1:], [None] + ["bytes=%d-" % (100 * i) for i in range(1, 5)])


def test_slow_is_not_broken():
    works({"trickle": {"bytes": 50000, "every": 0.05}})


@options(long=True, timeout=200)
def test_stall():
    began = time.monotonic()
    done, log = works({"stall": {"after": 100000, "times": 1}})
    equal(20 < time.monotonic() - began < 90, True, "seconds until a silent registry is asked again")
    equal(sorted(row["headers"]["Range"] for row in log if "Range" in row["headers"]), ["bytes=100000-"] * 2)


def test_disk_full():
    spool = tempfile.mkdtemp(prefix="spool-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", spool], check=True)
    try:
        faulty("no space left on device", {}, most=6, spool=spool)
    finally:
        subprocess.run(["umount", spool], check=True)
        os.rmdir(spool)


def test_nobody_there():
    refused(Pull, worker(), "127.0.0.1:1/x:y", text='Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused')
    refused(Pull, worker(), "no.such.host.invalid/x:y", text='Get "https://no.such.host.invalid/v2/": dial tcp: lookup no.such.host.invalid')


# ---- redirects ----

def test_redirects():
    good = {"auth": {"type": "basic", "user": "u", "password": "p"}, "redirect": "other"}
    done, log = works(good, auth={"username": "u", "password": "p"})
    elsewhere = [row for row in log if row["server"] == "127.0.0.2"]
    equal(len(elsewhere), 4)
    equal([row["headers"].get("Authorization") for row in elsewhere], [None] * 4)
    equal(all("Authorization" in row["headers"] for row in log[1:] if row["server"] == "127.0.0.1"), True)
    faulty("stopped after 5 redirects", {"redirect": "loop"}, most=7)
    faulty("invalid URL", {"redirect": "file:///etc/passwd"}, most=2)
    faulty("must not carry a user name", {"redirect": "http://u:p@127.0.0.1/"}, most=2)
    with Stub(faults={"redirect": "http"}, tls=True) as stub:
        stub.add_image("a/one", "v1", [1000])
        refused(pull, stub, text="refused to follow a redirect from https to http")


# ---- credentials ----

BEARER = {"type": "bearer", "user": "u", "password": "p"}
BASIC = {"type": "basic", "user": "u", "password": "p"}
RIGHT, WRONG = {"username": "u", "password": "p"}, {"username": "u", "password": "wrong"}


def test_basic():
    works({"auth": BASIC}, auth=RIGHT)
    faulty('/v2/a/one/manifests/v1": no basic auth credentials', {"auth": BASIC}, most=1)
    faulty("unauthorized: authentication required", {"auth": BASIC}, "unauthorized", 2, auth=WRONG)


def test_bearer():
    for faults, auth in ((BEARER, RIGHT), ({"type": "bearer"}, {}), (dict(BEARER, refresh="r-1"), {"identity_token": "r-1"})):
        done, log = works({"auth": faults, "redirect": "other"}, auth=auth)
        tokens = [row for row in log if row["path"].startswith("/token")]
        equal(len(tokens), 1, "one token for one scope")
        contains(tokens[0]["path"] + str(tokens[0]["length"]), "token")
        if auth == RIGHT:
            contains(tokens[0]["path"], "scope=repository%3Aa%2Fone%3Apull")
            contains(tokens[0]["path"], "service=stub")
        if "identity_token" in auth:
            equal((tokens[0]["method"], tokens[0]["path"]), ("POST", "/token"))
        equal([row["headers"].get("Authorization") for row in log if row["server"] == "127.0.0.2"], [None] * 4)
    faulty("unauthorized: incorrect username or password", {"auth": BEARER}, "unauthorized", 2, auth=WRONG)
    faulty("unauthorized: incorrect username or password", {"auth": dict(BEARER, refresh="r")}, "unauthorized", 2, auth={"identity_token": "x"})
    faulty("unauthorized: authentication required", {"auth": {"type": "loop"}}, "unauthorized", 4)


def test_ready_token():
    with Stub(faults={"auth": BEARER}) as stub:
        stub.add_image("a/one", "v1", [1000])
        token = stub.server.RequestHandlerClass.token_for("repository:a/one:pull")
        pull(stub, auth={"registry_token": token})
        equal(stub.seen(part="/token"), [])


def test_hostile_challenges():
    faulty("refused to ask 127.0.0.2 for a token", {"auth": {"type": "bearer", "realm": "http://127.0.0.2:1/token"}}, "forbidden", 1, auth=RIGHT)
    faulty('unsupported protocol scheme "gopher"', {"auth": {"type": "bearer", "realm": "gopher://127.0.0.1/"}}, most=1)
    for challenge in ('Bearer realm="x, Basic =,,=" ; \x7f Bearer', "Bearer", "Bearer realm=", "Negotiate", "", "," * 9000, 'Bearer realm="' + "a" * 7000):
        faulty("", {"auth": {"type": "garbage", "challenge": challenge}}, kind_of_any(challenge), 3)
    with Stub(faults={"auth": {"type": "bearer", "realm": "http://127.0.0.1:1/token"}}, tls=True) as stub:
        stub.add_image("a/one", "v1", [1000])
        refused(pull, stub, text="refused to ask 127.0.0.1 for a token: the registry speaks https", kind="forbidden", auth=RIGHT)


def kind_of_any(challenge):
    return "internal" if challenge.startswith("Bearer") else "unauthorized"


# ---- TLS, insecure registries, mirrors, proxies ----

class Far:
    """A namespace with an address that is not loopback, and a stub on it."""

    def __init__(self, **more):
        self.namespace = Namespace()
        self.namespace.run("ip", "address", "add", FAR + "/32", "dev", "lo")
        self.stub = self.namespace.call(Stub, FAR, **more).start()
        self.stub.add_image("a/one", "v1", [1000])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stub.stop()
        self.namespace.close()

    def pull(self, **more):
        return pull(self.stub, prefix=self.namespace.command(), **more)


def test_tls():
    with Far(tls=True) as far:
        unknown = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        refused(far.pull, text=unknown)
        for more in ({"insecure_registries": [far.stub.address]}, {"insecure_registries": ["192.0.2.0/24"]}, {"insecure": True}):
            far.pull(**more)
        refused(far.pull, insecure_registries=["192.0.3.0/24", FAR + ":1", "192.0.2.0/99"], text=unknown)
        certs = tempfile.mkdtemp(prefix="certs-")
        try:
            mine = certs + "/" + far.stub.address
            os.makedirs(mine, 0o700)  # root's alone: read before the job becomes nobody
            shutil.copy(far.stub.cert, mine + "/ca.crt")
            far.pull(certs_dir=certs)
            shutil.copy(far.stub.cert, mine + "/client.cert")
            refused(far.pull, certs_dir=certs, kind="invalid", text="missing key client.key for client certificate client.cert")
            shutil.copy(far.stub.key, mine + "/client.key")
            os.chmod(mine + "/client.key", 0o600)
            far.pull(certs_dir=certs)
        finally:
            shutil.rmtree(certs)
    with Stub(tls=True) as stub:  # loopback: certificates do not matter
        stub.add_image("a/one", "v1", [1000])
        pull(stub)


def test_http_only_where_allowed():
    with Far() as far:
        text = refused(far.pull, text="http: server gave HTTP response to HTTPS client")
        contains(text, 'Get "https://%s/v2/"' % far.stub.address)
        for more in ({"insecure_registries": [far.stub.address]}, {"insecure_registries": [FAR + "/32"]}, {"insecure": True}):
            far.pull(**more)


def test_mirrors():
    with Stub() as mirror, Stub(faults={"status": {"match": "/", "code": 500}}) as broken:
        mirror.add_image("library/thing", "v1", [1000])
        urls = ["http://%s/" % stub.address for stub in (broken, mirror)]
        done = Pull(worker(), "docker.io/library/thing:v1", mirrors=urls, auth=RIGHT)
        equal(done.lines[0]["status"], "Pulling from library/thing")
        equal([row["headers"].get("Authorization") for row in mirror.log + broken.log if "Authorization" in row["headers"]], [])
        text = refused(Pull, worker(), "docker.io/library/thing:v2", mirrors=urls, text="registry-1.docker.io")
        contains(text, "https://registry-1.docker.io")


def test_a_blob_the_mirror_lost():
    with Stub() as first, Stub() as second:
        for stub in (first, second):
            stub.add_image("library/thing", "v1", [1000, 2000])
        lost = json.loads(first.manifests["library/thing", "v1"][1])["layers"][1]["digest"]
        del first.blobs[lost]
        done = Pull(worker(), "docker.io/library/thing:v1", mirrors=["http://" + first.address, "http://" + second.address])
        equal(len(done.blobs), 2)
        equal([row["path"].rsplit("/", 1)[1] for row in second.log], [lost])


def test_proxies():
    with Far() as far, far.namespace.call(Stub) as proxy:
        proxy.blobs, proxy.manifests = far.stub.blobs, far.stub.manifests
        where = {"HTTP_PROXY": "http://" + proxy.address}
        far.pull(insecure_registries=[FAR + "/32"], environment=where)
        equal(len([row for row in proxy.log if row["path"].startswith("http://" + far.stub.address)]), 3)
        equal(far.stub.log, [])
        del proxy.log[:]
        far.pull(insecure_registries=[FAR + "/32"], environment=dict(where, NO_PROXY=FAR))
        equal((proxy.log, len(far.stub.log)), ([], 3))


# ---- push ----

def image(sizes, types=DOCKER):
    tars = [layer_tar("f%d" % index, size) for index, size in enumerate(sizes)]
    layers = {}
    for tar in tars:
        data = gzip.compress(tar, 1, mtime=0)
        layers[digest_of(tar)] = (digest_of(data), types["layer"], data)
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]}}
    return json.dumps(config), layers


def push(stub, what, **more):
    return Push(worker(), stub.address + "/x/y:t", *what, **more)


def pushed(faults, what, before=False, check=True, **more):
    """Pushes and pulls back; gives the job and the log of the push."""
    with Stub(faults=faults) as stub:
        if before:
            for _, _, data in what[1].values():
                stub.add_blob(data)
        done = push(stub, what, **more)
        log = list(stub.log)
        stub.faults = {}
        again = pull(stub, "x/y:t")
        equal(again.result["digests"], [done.result["digest"]])
        equal({digest: again.blobs[digest] for digest, _, _ in what[1].values()}, {digest: data for digest, _, data in what[1].values()})
        equal(again.manifests[0]["config"], what[0])
        return done, log, json.loads(stub.manifests["x/y", "t"][1])


def test_push_tells_what_it_does():
    what = image([100, 200000, 3000000, 50, 60, 70, 80])
    done, log, document = pushed({}, what)
    short = [diff_id[7:19] for diff_id in reversed(list(what[1]))]
    equal([line["id"] for line in done.lines if line["status"] == "Preparing"], short)
    equal([line["id"] for line in done.lines if line["status"] == "Waiting"], short[5:])
    for name in short:
        equal(done.statuses(name)[-1], "Pushed")
    size = len(json.dumps(document, indent=3))
    last = done.lines[-2:]
    equal(last[0]["status"], "t: digest: %s size: %d" % (done.result["digest"], size))
    equal(last[1]["aux"], {"Tag": "t", "Digest": done.result["digest"], "Size": size})
    equal([row["digest"] for row in done.result["layers"]], [digest for digest, _, _ in what[1].values()])
    equal(sorted(done.wanted), sorted(what[1]))
    equal(document["mediaType"], DOCKER["manifest"])


def test_push_what_is_there():
    what = image([100, 200000])
    done, log, _ = pushed({}, what, before=True)
    equal([line["status"] for line in done.lines].count("Layer already exists"), 2)
    done, log, _ = pushed({}, what, before=True, known=list(what[1]))
    equal((done.wanted, len([row for row in log if row["method"] == "PUT"])), ([], 2))  # config and manifest
    more = {"before": True, "known": list(what[1]), "mount_from": ["x/other", "y/other"]}
    done, log, _ = pushed({"push": {"no_head": True}}, what, **more)
    equal(sorted(line["status"] for line in done.lines if "Mounted" in line["status"]), ["Mounted from x/other", "Mounted from y/other"])
    done, log, _ = pushed({"push": {"no_head": True, "no_mount": True}}, what, **more)
    equal(([line["status"] for line in done.lines].count("Pushed"), len(done.wanted)), (2, 2))
    done, log, _ = pushed({"push": {"no_head": True}, "auth": BEARER}, what, auth=RIGHT, **more)
    equal(len([row for row in log if row["path"].startswith("/token") and "other" in row["path"]]), 2)


def test_push_ways_up():
    what = image([100, 200000, 0])
    pushed({"push": {"relative": True}}, what)
    pushed({"push": {"put": 500, "times": 2}}, what)
    pushed({"push": {"drop_after": 1000, "times": 1}}, what)
    done, log, _ = pushed({"push": {"no_monolithic": True}}, what)
    pieces = [row for row in log if row["method"] == "PATCH"]
    equal(len(pieces), 4)
    equal(all(row["headers"]["Content-Range"] == "0-%d" % (row["length"] - 1) for row in pieces), True)


def test_push_oci_and_known_manifests():
    what = image([100, 200], OCI)
    done, _, document = pushed({}, what)
    equal((document["mediaType"], document["config"]["mediaType"], document["layers"][0]["mediaType"]), (OCI["manifest"], OCI["config"], OCI["layer"]))
    # The manifest it came with is used as it is, as long as it tells of the same bytes.
    own = json.dumps(dict(document, annotations={"a": "b"}))
    done, _, _ = pushed({}, what, manifest=own, manifest_media_type=OCI["manifest"])
    equal(done.result["digest"], digest_of(own.encode()))
    other = image([100, 201], OCI)
    done, _, document = pushed({}, other, manifest=own, manifest_media_type=OCI["manifest"])
    equal("annotations" in document, False)


def test_push_refused():
    what = image([100, 200000])
    denied = {"status": {"method": "POST", "match": "uploads", "code": 403, "type": "application/json",
                         "body": json.dumps({"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]})}}
    for faults, text, kind, auth in (
            ({"auth": BASIC}, "no basic auth credentials", "internal", {}), ({"auth": BASIC}, "unauthorized: authentication required", "unauthorized", WRONG),
            (denied, "denied: requested access to the resource is denied", "forbidden", {}),
            ({"push": {"digest": "x"}}, "digest invalid: provided digest did not match uploaded content", "internal", {}),
            ({"push": {"put": 500}}, "received unexpected HTTP status: 500 Internal Server Error", "internal", {}),
            ({"status": {"method": "PUT", "match": "manifests", "code": 400, "body": "bad"}}, "unknown: bad", "internal", {})):
        with Stub(faults=faults) as stub:
            refused(push, stub, what, text=text, kind=kind, auth=auth)
            equal(("x/y", "t") in stub.manifests, False)
    refused(Push, worker(), "127.0.0.1:1/x/y:t", *what, text='Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused')


# ---- login, distribution ----

def login(stub, **auth):
    return Job(worker(), "registry-auth", {"auth": dict(auth, server_address="http://%s/v2/" % stub.address)}).result


def test_login():
    good = {"status": "Login Succeeded", "identity_token": ""}
    for faults, auth, want in (({}, RIGHT, good), ({"auth": BASIC}, RIGHT, good), ({"auth": BEARER}, RIGHT, dict(good, identity_token="refreshed")),
                               ({"auth": dict(BEARER, refresh="r")}, {"identity_token": "r"}, dict(good, identity_token="r"))):
        with Stub(faults=faults) as stub:
            equal(login(stub, **auth), want)
    for faults, auth, text, kind in (
            ({"auth": BASIC}, WRONG, 'login attempt to http://%s/v2/ failed with status: 401 Unauthorized', "internal"),
            ({"auth": BASIC}, {}, 'Get "http://%s/v2/": no basic auth credentials', "internal"),
            ({"auth": BEARER}, WRONG, 'Get "http://%s/v2/": unauthorized: incorrect username or password', "unauthorized"),
            ({"status": {"match": "/v2/", "code": 500}}, RIGHT, "login attempt to http://%s/v2/ failed with status: 500 Internal Server Error", "internal"),
            ({"auth": {"type": "loop"}}, {}, "login attempt to http://%s/v2/ failed with status: 401 Unauthorized", "internal")):
        with Stub(faults=faults) as stub:
            refused(login, stub, text=text % stub.address, kind=kind, **auth)
    refused(Job, worker(), "registry-auth", {"auth": {"server_address": "foo bar"}}, text="foo bar", kind="invalid")


def test_distribution():
    with Stub() as stub:
        arm, amd = (stub.add_image("a/i", None, [100], platform=("linux", name)) for name in ("arm64", "amd64"))
        index = stub.add_index("a/i", "v1", [(arm, ("linux", "arm64")), (amd, ("linux", "amd64"))])

        def look(name):
            return Job(worker(), "distribution", {"reference": stub.address + "/" + name, "auth": {}}).result["json"]

        equal(look("a/i:v1"), {"Descriptor": {"mediaType": DOCKER["index"], "digest": index["digest"], "size": index["size"]},
                               "Platforms": [{"architecture": "arm64", "os": "linux"}, {"architecture": "amd64", "os": "linux"}]})
        equal(look("a/i@" + arm["digest"])["Platforms"], [{"architecture": "arm64", "os": "linux"}])
        refused(look, "a/i:none", text="manifest unknown: manifest unknown", kind="not_found")
