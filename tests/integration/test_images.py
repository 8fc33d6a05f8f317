"""Images: import, load, save, tag, list, history, delete; pull and push with a real registry."""
import base64
import contextlib
import io
import json
import tarfile

import fixtures
from harness import ApiError, contains, equal, raises
from test_isolation import sh


def save(d, *names):
    """docker save: name -> bytes of the archive's entries."""
    answer = d.api.request("GET", "/images/get", names=list(names), timeout=120)
    with contextlib.closing(answer):
        equal(answer.status, 200)
        with tarfile.open(fileobj=io.BytesIO(answer.read())) as tar:
            return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isreg()}


def statuses(lines):
    return [line.get("status", "") for line in lines]


def test_import_inspect_history(d):
    tar = fixtures.add_busybox(fixtures.Tar()).bytes()
    image_id = d.import_image(tar, "mine", "v1")
    row = d.api.get("/images/mine:v1/json")
    equal(row["Id"], image_id)
    equal(row["RepoTags"], ["mine:v1"])
    equal((row["Os"], len(row["RootFS"]["Layers"])), ("linux", 1))
    equal(row["RootFS"]["Layers"], [fixtures.digest(tar)])
    equal(d.run(["echo", "hi"], image="mine:v1").out, b"hi\n")
    equal([entry["Tags"] for entry in d.api.get("/images/mine:v1/history")], [["mine:v1"]])
    equal(d.api.get("/images/%s/json" % image_id[7:19])["Id"], image_id)


def test_load_and_save(d):
    base = fixtures.add_busybox(fixtures.Tar()).bytes()
    top = fixtures.Tar().add("etc/motd", data="from the second layer\n").add("etc/.wh.group").bytes()
    lines = d.load(fixtures.docker_archive([base, top], ["loaded:1", "other/name:2"], Cmd=["cat", "/etc/motd"], Env=["X=1"]))
    text = "".join(line.get("stream", "") for line in lines)
    equal(text, "Loaded image: loaded:1\nLoaded image: other/name:2\n")
    equal(d.run(image="loaded:1").out, b"from the second layer\n")
    equal(d.run(["ls", "/etc/group"], image="other/name:2").code, 1)
    before = d.api.get("/images/loaded:1/json")
    saved = save(d, "loaded:1")
    manifest = json.loads(saved["manifest.json"])
    equal(manifest[0]["RepoTags"], ["loaded:1"])
    equal([fixtures.digest(saved[path]) for path in manifest[0]["Layers"]], before["RootFS"]["Layers"])
    equal(fixtures.digest(saved[manifest[0]["Config"]]), before["Id"])
    for name in ("loaded:1", "other/name:2"):
        d.api.delete("/images/" + name)
    raises(404, d.api.get, "/images/loaded:1/json", text="No such image: loaded:1")
    archive = fixtures.Tar()
    for name, data in saved.items():
        archive.add(name, data=data)
    d.load(archive.bytes())
    equal(d.api.get("/images/loaded:1/json")["RootFS"], before["RootFS"])
    equal(d.run(image="loaded:1").out, b"from the second layer\n")


def test_compressed_load(d):
    layer = fixtures.add_busybox(fixtures.Tar()).bytes()
    document = fixtures.image_config([layer], Cmd=["echo", "zipped"])
    archive = fixtures.Tar().add("c.json", data=document).add("l.tar", data=fixtures.compress(layer))
    archive.add("manifest.json", data=json.dumps([{"Config": "c.json", "RepoTags": ["z:1"], "Layers": ["l.tar"]}]))
    d.load(fixtures.compress(archive.bytes()))
    equal(d.run(image="z:1").out, b"zipped\n")


def test_saved_archive_of_a_changed_container(d):
    container = d.run(["sh", "-c", "echo new >/file; rm /etc/group"], keep=True).id
    made = d.api.post(
        "/commit", {"Cmd": ["cat", "/file"]}, container=container, repo="changed", tag="1", comment="why", author="me"
    )
    row = d.api.get("/images/changed:1/json")
    equal((row["Id"], row["Comment"], row["Author"], len(row["RootFS"]["Layers"])), (made["Id"], "why", "me", 2))
    equal(d.run(image="changed:1").out, b"new\n")
    equal(d.run(["ls", "/etc/group"], image="changed:1").code, 1)
    saved = save(d, "changed:1")
    layers = json.loads(saved["manifest.json"])[0]["Layers"]
    equal([fixtures.digest(saved[path]) for path in layers], row["RootFS"]["Layers"])
    with tarfile.open(fileobj=io.BytesIO(saved[layers[1]])) as tar:
        equal(set(tar.getnames()) - {"", "."}, {"etc", "etc/.wh.group", "file"})


def test_instructions_on_import_and_commit(d):
    """Dockerfile instructions given to import and commit: carried out, or refused by name."""
    changes = ['CMD ["echo", "hi"]', "ENV A=b", "WORKDIR /tmp", "EXPOSE 80"]
    container = d.create(["true"])
    for make in (
        lambda: d.import_image(fixtures.base_tar(), "mine", "v1", changes=changes),
        lambda: d.api.post("/commit", {}, container=container, repo="mine", tag="v1", changes=changes),
    ):
        try:
            make()
        except ApiError as error:
            equal(error.status, 501, error.message)
            contains(error.message, "with changes is not supported yet")
            raises(404, d.api.get, "/images/mine:v1/json")
            continue
        config = d.api.get("/images/mine:v1/json")["Config"]
        equal(
            (config["Cmd"], config["Env"], config["WorkingDir"], config["ExposedPorts"]),
            (["echo", "hi"], ["A=b"], "/tmp", {"80/tcp": {}}),
        )
        d.api.delete("/images/mine:v1")


def test_bad_changes(d):
    container = d.create(["true"])
    archive = fixtures.Tar().add("file", data="x").bytes()
    before = len(d.api.get("/images/json"))
    for changes, text in (
        (["CMD a", "RUN b"], "RUN is not a valid change command"),
        (["ENV X"], "ENV must have two arguments"),
        (["CMD [1]"], "when using JSON array syntax, arrays must be comprised of strings only"),
        (["LABEL =x"], "LABEL names can not be blank"),
        (["ENV X=${Q:?boom}"], "Q: boom"),
        ([""], "file with no instructions"),
        (["WORKDIR $NOTHING"], "cannot normalize nothing"),
        (["STOPSIGNAL FOO"], "invalid signal: FOO"),
    ):
        raises(400, d.api.post, "/commit", {}, container=container, changes=changes, text=text)
        raises(400, d.import_image, archive, "bad", changes=changes, text=text)
    equal(len(d.api.get("/images/json")), before)


def test_changed_configs(d):
    """The request's own configuration wins over the container's, the changes over both."""
    container = d.create(["sh", "-c", "x"], Env=["A=1"], Labels={"l": "1"}, ExposedPorts={"9/udp": {}}, WorkingDir="/w", User="1:2")

    def made(body, *changes):
        image = d.api.post("/commit", body, container=container, changes=list(changes))["Id"]
        config = d.api.get("/images/%s/json" % image)["Config"]
        return {name: value for name, value in config.items() if value}

    plain = made(None)
    equal((plain["Cmd"], plain["User"], plain["WorkingDir"], plain["Labels"]), (["sh", "-c", "x"], "1:2", "/w", {"l": "1"}))
    equal(made({}), plain)
    own = made({"Cmd": ["q"], "Env": ["C=3"], "Labels": {"m": "2"}}, "ENV D=$C-$A", "EXPOSE 80\nWORKDIR y")
    equal((own["Cmd"], own["Env"][:3], own["WorkingDir"]), (["q"], ["C=3", "D=3-", "A=1"], "/y"))
    equal((own["Labels"], own["ExposedPorts"]), ({"l": "1", "m": "2"}, {"9/udp": {}, "80/tcp": {}}))
    entry = made(None, 'ENTRYPOINT ["e"]')
    equal((entry.get("Cmd"), entry["Entrypoint"]), (None, ["e"]))
    both = made(None, "CMD echo hi", 'ENTRYPOINT ["e"]', "ENV A=$A$A")
    equal((both["Cmd"], both["Env"][0]), (["/bin/sh", "-c", "echo hi"], "A=11"))


def test_export_import_round(d):
    container = d.run(["sh", "-c", "echo x >/x; rm /etc/group; mknod /fifo p; ln -s x /link; chown 33:33 /x"], keep=True).id
    tar = d.api.call("GET", "/containers/%s/export" % container, timeout=120)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = {member.name.rstrip("/"): member for member in archive}
    equal((members["x"].uid, members["fifo"].isfifo(), members["link"].linkname, "etc/group" in members), (33, True, "x", False))
    d.import_image(tar, "again")
    equal(sh(d, "cat /link; stat -c %u /x", image="again"), "x\n33\n")


def test_tags_and_delete(d):
    image = d.api.get("/images/busybox/json")["Id"]
    d.api.post("/images/busybox/tag", repo="localhost:5000/a/b", tag="v2")
    d.api.post("/images/%s/tag" % image, repo="second")
    equal(sorted(d.api.get("/images/busybox/json")["RepoTags"]), ["busybox:latest", "localhost:5000/a/b:v2", "second:latest"])
    for bad in ("UPPER", "a//b", "-x"):
        raises(400, d.api.post, "/images/busybox/tag", repo=bad, text="invalid reference format")
    raises(404, d.api.post, "/images/nothing/tag", repo="x", text="No such image: nothing:latest")
    contains(raises(409, d.api.delete, "/images/" + image), "must be forced")
    equal(d.api.delete("/images/second"), [{"Untagged": "second:latest"}])
    container = d.create(["true"])
    d.api.delete("/images/localhost:5000/a/b:v2")
    message = raises(409, d.api.delete, "/images/busybox")
    contains(
        message,
        'conflict: unable to remove repository reference "busybox" (must force) - container %s is using its referenced '
        "image %s" % (container[:12], image[7:19]),
    )
    d.api.delete("/containers/" + container)
    deleted = d.api.delete("/images/busybox")
    equal(deleted[0], {"Untagged": "busybox:latest"})
    contains(deleted, {"Deleted": image})
    equal(d.api.get("/images/json"), [])
    raises(404, d.api.delete, "/images/busybox", text="No such image: busybox:latest")
    raises(404, d.create, ["true"], text="No such image: busybox:latest")


def test_list_filters(d):
    tar = fixtures.add_busybox(fixtures.Tar()).add("x", data="x").bytes()
    d.load(fixtures.docker_archive([tar], ["app:1", "app:2"], Labels={"role": "web"}))

    def tags(**filters):
        return sorted(tag for row in d.api.get("/images/json", filters=filters) for tag in row["RepoTags"])

    equal(tags(), ["app:1", "app:2", "busybox:latest"])
    equal(tags(reference=["app"]), ["app:1", "app:2"])
    equal(tags(reference=["app:1"]), ["app:1"])
    equal(tags(label=["role=web"]), ["app:1", "app:2"])
    equal(tags(dangling=["true"]), [])
    raises(400, d.api.get, "/images/json", filters={"colour": ["red"]}, text="invalid filter")
    row = [row for row in d.api.get("/images/json") if "app:1" in row["RepoTags"]][0]
    equal(row["Labels"], {"role": "web"})
    equal(row["Size"] > 1000000, True)


def test_dangling_and_prune(d):
    tar = fixtures.add_busybox(fixtures.Tar()).add("x", data="x").bytes()
    first = d.import_image(tar, "again")
    d.import_image(fixtures.add_busybox(fixtures.Tar()).add("y", data="y").bytes(), "again")
    equal([row["Id"] for row in d.api.get("/images/json", filters={"dangling": ["true"]})], [first])
    pruned = d.api.post("/images/prune")
    contains(pruned["ImagesDeleted"], {"Deleted": first})
    equal(pruned["SpaceReclaimed"] > 0, True)


def test_push_and_pull(d):
    registry = d.registry()
    name = registry + "/team/app"
    d.api.post("/images/busybox/tag", repo=name, tag="v1")
    auth = {"X-Registry-Auth": base64.urlsafe_b64encode(b"{}").decode()}
    lines = d.api.progress("POST", "/images/%s/push" % name, b"", tag="v1", headers=auth, timeout=120)
    contains(statuses(lines)[0], "The push refers to repository [%s]" % name)
    contains(statuses(lines), "Pushed")
    pushed = [line["aux"] for line in lines if "aux" in line][0]
    equal(pushed["Tag"], "v1")
    equal(any(status.startswith("v1: digest: %s size: " % pushed["Digest"]) for status in statuses(lines)), True)
    again = d.api.progress("POST", "/images/%s/push" % name, b"", tag="v1", headers=auth)
    contains(statuses(again), "Layer already exists")
    before = d.api.get("/images/%s:v1/json" % name)
    contains(before["RepoDigests"], name + "@" + pushed["Digest"])
    for tag in ("busybox:latest", name + ":v1"):
        d.api.delete("/images/" + tag)
    equal(d.api.get("/images/json"), [])
    lines = d.api.progress("POST", "/images/create", b"", fromImage=name, tag="v1", timeout=120)
    contains(statuses(lines)[0], "Pulling from team/app")
    contains(statuses(lines), "Pull complete")
    equal(statuses(lines)[-2:], ["Digest: " + pushed["Digest"], "Status: Downloaded newer image for %s:v1" % name])
    after = d.api.get("/images/%s:v1/json" % name)
    equal((after["Id"], after["RootFS"], after["RepoDigests"]), (before["Id"], before["RootFS"], before["RepoDigests"]))
    lines = d.api.progress("POST", "/images/create", b"", fromImage=name, tag="v1")
    equal(statuses(lines)[-1], "Status: Image is up to date for %s:v1" % name)
    by_digest = d.api.progress("POST", "/images/create", b"", fromImage=name, tag=pushed["Digest"])
    contains(statuses(by_digest)[-1], "Status: ")
    equal(d.run(["echo", "pulled"], image=name + "@" + pushed["Digest"]).out, b"pulled\n")


def test_pull_refusals(d):
    registry = d.registry()
    for reference, tag, words in (
        (registry + "/no/such", "latest", "not found"),
        (registry + "/no/such", "sha256:" + "0" * 64, "not found"),
    ):
        try:
            d.api.progress("POST", "/images/create", b"", fromImage=reference, tag=tag)
        except ApiError as error:
            contains(error.message.lower(), words)
            continue
        raise AssertionError("pulled what is not there: " + reference)
    raises(400, d.api.progress, "POST", "/images/create", b"", fromImage="ok/UPPER", text="invalid reference format")
    status, message = d.api.refused("POST", "/images/create", b"", fromImage="127.0.0.1:1/x", tag="y")
    equal(status, 500)
    contains(message, "connection refused")
    equal(len(d.api.get("/images/json")), 1)


def test_basic_auth(d):
    # bcrypt of "secret", cost 5
    user = "holk:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
    registry = d.registry(port=5001, htpasswd=user)
    d.api.post("/images/busybox/tag", repo=registry + "/private", tag="1")
    good = {"username": "holk", "password": "secret", "serveraddress": registry}
    equal(d.api.post("/auth", good)["Status"], "Login Succeeded")
    status, message = d.api.refused("POST", "/auth", {**good, "password": "wrong"})
    equal(status in (401, 500), True, message)
    contains(message, "401 Unauthorized")

    def header(value):
        return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(value).encode()).decode()}

    try:
        d.api.progress("POST", "/images/%s/private/push" % registry, b"", tag="1", headers=header({}))
        raise AssertionError("pushed without a password")
    except ApiError as error:
        contains(error.message, "no basic auth credentials")
    d.api.progress("POST", "/images/%s/private/push" % registry, b"", tag="1", headers=header(good))
    d.api.delete("/images/%s/private:1" % registry)
    d.api.progress("POST", "/images/create", b"", fromImage=registry + "/private", tag="1", headers=header(good))
