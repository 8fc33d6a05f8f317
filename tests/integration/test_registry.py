"""Pull, push, login through a daemon: against Debian's docker-registry, and against one that lies and hangs up. Whatever
fails must leave nothing behind."""
import base64
import json
import os
import sys
import threading
import time

from fixtures import ROOT
from harness import ApiError, contains, equal, eventually, options, raises

sys.path.insert(0, ROOT + "/tests/fixtures")
from registry_stub import DOCKER, OCI, Stub, digest_of, layer_tar  # noqa: E402

HTPASSWD = "u:$2b$05$4DgKuNBByoZ03eOK/EX7I.tXzCt9xTgVI42Gamor79AVYnmntn1pK"  # "secret"


def auth(**values):
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(values).encode()).decode()}


NOBODY = auth()


def stub_in(d, **more):
    stub = d.namespace.call(Stub, **more).start()
    d.closers.append(stub.stop)
    return stub


def pull(d, name, tag="", headers=NOBODY, **more):
    return d.api.progress("POST", "/images/create", fromImage=name, tag=tag, headers=headers, **more)


def push(d, name, tag="", headers=NOBODY, **more):
    return d.api.progress("POST", "/images/%s/push" % name, tag=tag, headers=headers, **more)


def tag(d, source, repo, name="latest"):
    d.api.post("/images/%s/tag" % source, repo=repo, tag=name)


def statuses(lines):
    return [line["status"] for line in lines if "status" in line and not line.get("progress")]


def stored(d):
    """Every file of the store, and what waits in its temporary directories."""
    found = set()
    for name in ("blobs", "layers", "tmp"):
        for folder, folders, files in os.walk(os.path.join(d.data_root, name)):
            found.update(os.path.join(folder, entry) for entry in files + folders)
    return found


def fails(d, text, call, *args, status=None, **more):
    """The call fails with this text, and the store is as it was."""
    before, images = stored(d), d.api.get("/images/json")
    try:
        call(d, *args, **more)
    except ApiError as error:
        contains(error.message, text)
        if status:
            equal(error.status, status, error.message)
    else:
        raise AssertionError("not refused: %s" % text)
    eventually(lambda: stored(d) == before, "the store as before: %s" % sorted(stored(d) ^ before)[:5])
    equal(d.api.get("/images/json"), images)


# ---- the whole way ----

def test_push_remove_pull_run(d):
    registry = d.registry()
    name, began = registry + "/team/box", time.time()
    tag(d, "busybox", name, "v1")
    lines = push(d, name, "v1")
    equal(lines[0], {"status": "The push refers to repository [%s]" % name})
    equal(lines[1]["status"], "Preparing")
    equal(lines[-3]["status"], "Pushed")
    aux = lines[-1]["aux"]
    equal(lines[-1]["progressDetail"], {})
    equal(lines[-2], {"status": "v1: digest: %s size: %d" % (aux["Digest"], aux["Size"])})
    again = push(d, name, "v1")
    contains(statuses(again), "Layer already exists")
    equal(again[-1]["aux"], aux)
    image = d.api.get("/images/%s:v1/json" % name)
    equal(image["RepoDigests"], ["%s@%s" % (name, aux["Digest"])])
    for other in ("busybox", name + ":v1"):
        d.api.delete("/images/" + other, force=True)
    raises(404, d.api.get, "/images/%s:v1/json" % name)
    lines = pull(d, name, "v1")
    equal(lines[0], {"status": "Pulling from team/box", "progressDetail": {}, "id": "v1"})
    equal(statuses(lines)[1], "Pulling fs layer")
    equal(statuses(lines)[-5:], ["Verifying Checksum", "Download complete", "Pull complete", "Digest: " + aux["Digest"],
                                 "Status: Downloaded newer image for %s:v1" % name])
    back = d.api.get("/images/%s:v1/json" % name)
    equal((back["Id"], back["RootFS"], back["RepoDigests"]), (image["Id"], image["RootFS"], image["RepoDigests"]))
    equal(d.run(["echo", "back"], image=name + ":v1").out, b"back\n")
    equal(statuses(pull(d, name, "v1")), ["Pulling from team/box", "Digest: " + aux["Digest"], "Status: Image is up to date for %s:v1" % name])
    events = [json.loads(line) for line in d.api.request("GET", "/events", since=int(began), until=int(time.time()) + 1,
              filters=json.dumps({"type": ["image"], "event": ["pull", "push"]})).read().splitlines()]
    equal([(row["Action"], row["Actor"]["ID"], row["Actor"]["Attributes"]["name"]) for row in events],
          [(action, name + ":v1", name) for action in ("push", "push", "pull", "pull")])
    # Pushed again under another name its layer is mounted and the digest stays.
    other = registry + "/team/other"
    tag(d, name + ":v1", other, "v2")
    lines = push(d, other, "v2")
    contains(statuses(lines), "Mounted from team/box")
    equal(lines[-1]["aux"]["Digest"], aux["Digest"])


def test_pull_by_digest_and_of_all_tags(d):
    registry = d.registry()
    name = registry + "/box"
    for number in ("1", "2"):
        tag(d, "busybox", name, number)
    lines = push(d, name)  # without a tag: all of them
    digests = [line["aux"]["Digest"] for line in lines if "aux" in line]
    equal([line["aux"]["Tag"] for line in lines if "aux" in line], ["1", "2"])
    for number in ("1", "2"):
        d.api.delete("/images/%s:%s" % (name, number))
    lines = pull(d, name)
    equal(sorted(line["id"] for line in lines if line["status"] == "Pulling from box"), ["1", "2"])
    equal([status.partition(":")[0] for status in statuses(lines)], ["Pulling from box", "Digest"] * 2 + ["Status"])
    equal(statuses(lines)[-1], "Status: Downloaded newer image for " + name)
    equal(digests[0], digests[1])
    equal(sorted(d.api.get("/images/%s:1/json" % name)["RepoTags"]), [name + ":1", name + ":2", "busybox:latest"])
    for number in ("1", "2"):
        d.api.delete("/images/%s:%s" % (name, number))
    lines = pull(d, name, digests[0])
    equal(lines[0]["id"], digests[0])
    equal(d.api.get("/images/%s@%s/json" % (name, digests[0]))["RepoTags"], ["busybox:latest"])


def test_words_when_nothing_is_there(d):
    registry = d.registry()
    name = registry + "/nothing"
    for what, wanted in (("v1", "manifest for %s:v1 not found: manifest unknown: manifest unknown" % name),
                         ("sha256:" + "0" * 64, "manifest for %s@sha256:%s not found: manifest unknown: manifest unknown" % (name, "0" * 64)),
                         ("", "repository %s not found: name unknown: repository name not known to registry" % name)):
        fails(d, wanted, pull, name, what, status=404)
    equal(d.api.refused("GET", "/distribution/%s:v1/json" % name), (404, "manifest unknown: manifest unknown"))
    gone = "127.0.0.1:1/x"
    dial = 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'
    fails(d, dial, pull, gone, "v1", status=500)
    equal(d.api.refused("GET", "/distribution/%s:v1/json" % gone), (500, dial))
    raises(500, d.api.post, "/auth", {"username": "u", "password": "p", "serveraddress": "127.0.0.1:1"}, text=dial)
    tag(d, "busybox", gone, "v1")
    fails(d, dial, push, gone, "v1", status=200)
    fails(d, "tag does not exist: %s:v2" % gone, push, gone, "v2", status=200)
    fails(d, "An image does not exist locally with the tag: %s" % name, push, name, "v2", status=200)
    d.api.delete("/images/%s:v1" % gone)


@options(args=["--debug"])
def test_login_and_credentials(d):
    registry = d.registry(htpasswd=HTPASSWD, port=5001)
    name = registry + "/box"
    right = {"username": "u", "password": "secret", "serveraddress": registry}
    equal(d.api.post("/auth", right), {"IdentityToken": "", "Status": "Login Succeeded"})
    raises(500, d.api.post, "/auth", dict(right, password="no"), text="login attempt to http://%s/v2/ failed with status: 401 Unauthorized" % registry)
    raises(500, d.api.post, "/auth", {"serveraddress": registry}, text='Get "http://%s/v2/": no basic auth credentials' % registry)
    tag(d, "busybox", name, "v1")
    fails(d, "no basic auth credentials", push, name, "v1", status=200)
    fails(d, "unauthorized: authentication required", push, name, "v1", headers=auth(**dict(right, password="no")), status=200)
    push(d, name, "v1", headers=auth(**right))
    d.api.delete("/images/%s:v1" % name)
    fails(d, 'Get "http://%s/v2/box/manifests/v1": no basic auth credentials' % registry, pull, name, "v1", status=500)
    fails(d, "unauthorized: authentication required", pull, name, "v1", headers=auth(**dict(right, password="no")), status=401)
    pull(d, name, "v1", headers=auth(**right))
    status, found = 200, d.api.get("/distribution/%s:v1/json" % name, headers=auth(**right))
    equal((status, found["Platforms"], found["Descriptor"]["mediaType"]), (200, [{"architecture": "amd64", "os": "linux"}], DOCKER["manifest"]))
    log = d.log()
    for secret in ("secret", base64.b64encode(b"u:secret").decode()):
        equal(secret in log, False, "a password in the log")


# ---- what fails leaves nothing ----

@options(timeout=240)
def test_lies(d):
    stub = stub_in(d)
    stub.add_image("a/one", "v1", [1000, 200000, 300000])
    name = stub.address + "/a/one"
    for faults, text, status in (
            ({"flip": "blob"}, "filesystem layer verification failed for digest sha256:", 200),
            ({"flip": "config"}, "error pulling image configuration: image config verification failed for digest sha256:", 200),
            ({"flip": "manifest"}, "manifest verification failed for digest sha256:", 500),
            ({"ambiguous": True}, "ambiguous manifest", 400), ({"schema1": True}, "version 2, schema 1", 400),
            ({"mismatch": True}, "if present, mediaType in manifest should be", 400),
            ({"short": "blob"}, "unexpected EOF", 200), ({"redirect": "loop"}, "stopped after 5 redirects", 200),
            ({"auth": {"type": "loop"}}, "unauthorized: authentication required", 401),
            ({"auth": {"type": "bearer", "realm": "http://127.0.0.2:1/"}}, "refused to ask 127.0.0.2 for a token", 403),
            ({"status": {"match": "/v2/", "code": 500}}, "received unexpected HTTP status: 500 Internal Server Error", 500)):
        stub.set_faults(faults)
        fails(d, text, pull, name, "v1", status=status)
    for wrong in ("layer", "config"):
        stub.set_faults({"wrong_size": wrong})
        stub.add_image("a/size", "v1", [1000, 2000])
        fails(d, "the manifest says", pull, stub.address + "/a/size", "v1", status=200)
    stub.set_faults({})
    pull(d, name, "v1")
    equal(d.api.get("/images/%s:v1/json" % name)["RepoTags"], [name + ":v1"])


def test_lies_about_diff_ids(d):
    """The config may be what its digest says and still lie about the layers: the unpacked bytes decide."""
    stub = stub_in(d)
    stub.add_image("a/lie", "v1", [1000, 2000])
    kind, data = stub.manifests["a/lie", "v1"]
    document = json.loads(data)
    config = json.loads(stub.blobs[document["config"]["digest"]])
    right = config["rootfs"]["diff_ids"]
    for diff_ids in (right[::-1], [right[0], right[0]], [right[0], digest_of(b"x")]):
        config["rootfs"]["diff_ids"] = diff_ids
        text = json.dumps(config).encode()
        stub.add_manifest("a/lie", "v1", kind, dict(document, config=dict(document["config"], size=len(text), digest=stub.add_blob(text))))
        fails(d, "", pull, stub.address + "/a/lie", "v1", status=200)
    # A layer that is no tar, and one that is no gzip.
    for bad in (b"not a tar" * 100, b"\x1f\x8b\x08" + b"x" * 100):
        layer = {"mediaType": DOCKER["layer"], "size": len(bad), "digest": stub.add_blob(bad)}
        stub.add_manifest("a/lie", "v1", kind, dict(document, layers=[document["layers"][0], layer]))
        fails(d, "", pull, stub.address + "/a/lie", "v1", status=200)
    equal(d.run(["true"]).code, 0)


def test_resume(d):
    stub = stub_in(d, faults={"hangup": {"after": 100000, "times": 1}})
    stub.add_image("a/one", "v1", [1000, 200000, 300000])
    pull(d, stub.address + "/a/one", "v1")
    equal(sorted(row["headers"]["Range"] for row in stub.log if "Range" in row["headers"]), ["bytes=100000-"] * 2)


def test_shared_layers(d):
    stub = stub_in(d)
    base, top, other = (layer_tar(name, 5000) for name in ("base", "top", "other"))
    stub.add_image("a/one", "v1", [base, top])
    stub.add_image("a/two", "v1", [base, other], types=OCI)
    pull(d, stub.address + "/a/one", "v1")
    lines = pull(d, stub.address + "/a/two", "v1")
    equal(statuses(lines)[1:3], ["Already exists", "Pulling fs layer"])
    d.api.delete("/images/%s/a/one:v1" % stub.address)
    equal(len(d.api.get("/images/%s/a/two:v1/json" % stub.address)["RootFS"]["Layers"]), 2)
    d.api.delete("/images/%s/a/two:v1" % stub.address)


def test_other_platform(d):
    stub = stub_in(d)
    arm = stub.add_image("a/arm", "v1", [100], platform=("linux", "arm64"))
    stub.add_index("a/arm", "list", [(arm, ("linux", "arm64"))])
    name = stub.address + "/a/arm"
    lines = statuses(pull(d, name, "v1", platform="linux/s390x"))
    equal(lines[-1], "WARNING: image with reference %s:v1 was found but its platform (linux/arm64) does not match the specified platform "
                     "(linux/s390x)" % name)
    contains(lines[-2], "Status: Downloaded newer image for")
    contains(statuses(pull(d, name, "v1"))[-1], "Status: Image is up to date for")
    fails(d, "no matching manifest for linux/amd64 in the manifest list entries", pull, name, "list", status=200)
    pull(d, name, "list", platform="linux/arm64")
    equal(d.api.get("/images/%s:list/json" % name)["Architecture"], "arm64")


def test_many_pulls_at_once(d):
    stub = stub_in(d)
    for number in range(4):
        stub.add_image("a/n%d" % number, "v1", [layer_tar("base", 300000), layer_tar("own%d" % number, 100000)])
    outcome = []

    def one(number):
        try:
            outcome.append(statuses(pull(d, "%s/a/n%d" % (stub.address, number % 4), "v1"))[-1])
        except Exception as error:  # told below
            outcome.append(repr(error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal([line for line in outcome if not line.startswith("Status: ")], [])
    equal(len([row for row in d.api.get("/images/json") if any("/a/n" in name for name in row["RepoTags"])]), 4)


# ---- leaving early ----

def test_client_leaves(d):
    stub = stub_in(d, faults={"trickle": {"bytes": 1000, "every": 0.05}})
    stub.add_image("a/slow", "v1", [300000, 300000])
    before = stored(d)
    answer = d.api.request("POST", "/images/create", fromImage=stub.address + "/a/slow", tag="v1", headers=NOBODY)
    contains(answer.body.line().decode(), "Pulling from a/slow")
    eventually(lambda: stored(d) != before)
    answer.close()
    eventually(lambda: stored(d) == before, "the spool is gone")
    equal(d.run(["true"]).code, 0)


def test_daemon_dies(d):
    stub = stub_in(d, faults={"trickle": {"bytes": 1000, "every": 0.05}})
    stub.add_image("a/slow", "v1", [1000, 300000])
    before = stored(d)
    answer = d.api.request("POST", "/images/create", fromImage=stub.address + "/a/slow", tag="v1", headers=NOBODY)
    eventually(lambda: stored(d) != before)
    d.restart(hard=True)
    answer.close()
    eventually(lambda: stored(d) == before, "the next daemon sweeps")
    stub.set_faults({})
    pull(d, stub.address + "/a/slow", "v1")
    equal(d.api.get("/images/%s/a/slow:v1/json" % stub.address)["RepoTags"], [stub.address + "/a/slow:v1"])


def test_push_broken_off(d):
    stub = stub_in(d, faults={"push": {"drop_after": 1000, "times": 2}})
    name = stub.address + "/x/box"
    tag(d, "busybox", name, "v1")
    push(d, name, "v1")
    stub.set_faults({"push": {"put": 500}})
    stub.blobs.clear()
    fails(d, "received unexpected HTTP status: 500 Internal Server Error", push, name, "v1", status=200)
    d.api.delete("/images/%s:v1" % name)


def test_built_layers_keep_their_digest(d):
    """What has no blob of its own is packed when it is pushed: the same bytes each time."""
    first, second = d.registry(), d.registry(port=5002)
    container = d.create(["sh", "-c", "mkdir -p /a/b; echo hello >/a/b/c; ln -s c /a/b/d"])
    d.api.post("/containers/%s/start" % container)
    d.wait(container)
    d.api.post("/commit", {}, container=container, repo=first + "/made", tag="v1")
    d.remove(container)
    tag(d, first + "/made:v1", second + "/made", "v1")
    digests = [push(d, registry + "/made", "v1")[-1]["aux"]["Digest"] for registry in (first, second)]
    equal(digests[0], digests[1])
    image = d.api.get("/images/%s/made:v1/json" % first)
    for registry in (first, second):
        d.api.delete("/images/%s/made:v1" % registry, force=True)
    pull(d, first + "/made", "v1")
    equal(d.api.get("/images/%s/made:v1/json" % first)["Id"], image["Id"])
    equal(d.run(["cat", "/a/b/d"], image=first + "/made:v1").out, b"hello\n")
