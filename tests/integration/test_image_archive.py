"""Image archives of every maker, in and out: docker save, podman save, OCI layouts, compressed whole or in part; and those
that lie (design/security.md I5 to I10, I17, I18)."""
import bz2
import contextlib
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile

import fixtures
from fixtures import Tar, compress, digest, image_config
from harness import ApiError, contains, equal, eventually
from test_images import save

OCI = "application/vnd.oci.image."


def layers_of(count=2):
    base = fixtures.add_busybox(Tar()).bytes()
    return [base] + [Tar().add("layer%d" % i, data="%d\n" % i).bytes() for i in range(1, count)]


def archive(entries):
    """[(name, bytes)] -> tar"""
    tar = Tar()
    for name, data in entries:
        tar.add(name, data=data)
    return tar.bytes()


def blob(data):
    return "blobs/sha256/" + digest(data)[7:], data


def descriptor(media_type, data, **more):
    return {"mediaType": OCI + media_type, "digest": digest(data), "size": len(data), **more}


def oci_image(layers, kind="", pack=None, **config):
    """(manifest bytes, all blobs) of an image whose layers are compressed by pack."""
    packed = [pack(layer) if pack else layer for layer in layers]
    document = image_config(layers, **config)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                           "config": descriptor("config.v1+json", document),
                           "layers": [descriptor("layer.v1.tar" + kind, data) for data in packed]}).encode()
    return manifest, [blob(data) for data in [document, manifest] + packed]


def oci_layout(manifests, blobs):
    """manifests: [(bytes, annotations)]"""
    index = {"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", data, annotations=notes) for data, notes in manifests]}
    return archive([("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", json.dumps(index).encode())] + blobs)


def load_text(d, data):
    return "".join(line.get("stream", "") for line in d.load(data))


def zstd(data):
    program = shutil.which("zstd")
    if not program:
        raise fixtures.Skip("no zstd")
    return subprocess.run([program, "-q", "-3"], input=data, stdout=subprocess.PIPE, check=True).stdout


# ---- who writes what ----

def test_podman_save(d):
    """Layers under their digests, the old names as links, names with the registry."""
    layers = layers_of(2)
    document = image_config(layers, Cmd=["cat", "/layer1"])
    tar = Tar(tarfile.GNU_FORMAT)
    for layer in layers:
        tar.add(digest(layer)[7:] + ".tar", data=layer)
    tar.add(digest(document)[7:] + ".json", data=document)
    for i, layer in enumerate(layers):
        tar.link("%d/layer.tar" % i, "../%s.tar" % digest(layer)[7:]).add("%d/VERSION" % i, data="1.0").add("%d/json" % i, data="{}")
    tar.add("manifest.json", data=json.dumps([{"Config": digest(document)[7:] + ".json", "Layers": ["0/layer.tar", "1/layer.tar"],
                                               "RepoTags": ["docker.io/library/podman:1", "quay.io/some/where:2"]}]))
    equal(load_text(d, tar.bytes()), "Loaded image: podman:1\nLoaded image: quay.io/some/where:2\n")
    equal(d.run(image="podman:1").out, b"1\n")
    equal(d.api.get("/images/quay.io/some/where:2/json")["Id"], digest(document))


def test_old_docker_save(d):
    """A directory per layer and ids that are no digests; the manifest comes last or first."""
    layers = layers_of(3)
    document = image_config(layers, Cmd=["cat", "/layer1", "/layer2"])
    entries = [("%s/layer.tar" % (str(i) * 64), layer) for i, layer in enumerate(layers)] + [("config.json", document)]
    for last in (True, False):
        manifest = [{"Config": "config.json", "RepoTags": ["old:%d" % last], "Layers": [name for name, _ in entries[:3]]}]
        entry = ("manifest.json", json.dumps(manifest).encode())
        equal(load_text(d, archive(entries + [entry] if last else [entry] + entries)), "Loaded image: old:%d\n" % last)
        equal(d.run(image="old:%d" % last).out, b"1\n2\n")


def test_oci_layouts(d):
    layers = layers_of(2)
    packs = [("", None), ("+gzip", compress)]
    with contextlib.suppress(fixtures.Skip):
        zstd(b"")
        packs.append(("+zstd", zstd))
    for kind, pack in packs:
        for notes, name in (({"io.containerd.image.name": "docker.io/library/oci:1"}, "oci:1"),
                            ({"org.opencontainers.image.ref.name": "some/oci:2"}, "some/oci:2"),
                            ({"org.opencontainers.image.ref.name": "latest"}, None)):
            manifest, blobs = oci_image(layers, kind, pack, Cmd=["cat", "/layer1"], Labels={"kind": kind})
            text = load_text(d, oci_layout([(manifest, notes)], blobs))
            image_id = json.loads(manifest)["config"]["digest"]
            equal(text, "Loaded image: %s\n" % name if name else "Loaded image ID: %s\n" % image_id)
            equal(d.run(image=name or image_id).out, b"1\n")
            saved = save(d, name or image_id)
            row = json.loads(saved["manifest.json"])[0]
            equal([digest(saved[path]) for path in row["Layers"]], [digest(layer) for layer in layers])
            equal(row["RepoTags"] or [], [name] if name else [])
            d.api.delete("/images/" + image_id, force=True)


def test_oci_index_of_platforms(d):
    """An index inside the index: the machine's own manifest is taken."""
    architecture = json.loads(image_config([]))["architecture"]
    other = "s390x" if architecture != "s390x" else "amd64"
    rows, blobs = [], []
    for name in (other, architecture):
        manifest, more = oci_image(layers_of(1), "+gzip", compress, Cmd=["echo", name])
        rows.append(descriptor("manifest.v1+json", manifest, platform={"os": "linux", "architecture": name}))
        blobs += more
    inner = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": rows}).encode()
    index = {"schemaVersion": 2, "manifests": [descriptor("index.v1+json", inner, annotations={"io.containerd.image.name": "multi:1"})]}
    equal(load_text(d, archive([("index.json", json.dumps(index).encode()), blob(inner)] + blobs)), "Loaded image: multi:1\n")
    equal(d.run(image="multi:1").out, architecture.encode() + b"\n")


def test_compressed_archives(d):
    for i, pack in enumerate((compress, bz2.compress, lzma.compress)):
        data = fixtures.docker_archive(layers_of(1), ["packed:%d" % i], Cmd=["echo", str(i)])
        equal(load_text(d, pack(data)), "Loaded image: packed:%d\n" % i)
        equal(d.run(image="packed:%d" % i).out, b"%d\n" % i)


# ---- out ----

def test_save_has_both_layouts(d):
    layers = layers_of(3)
    d.load(fixtures.docker_archive(layers, ["a:1", "a:2"], Cmd=["a"]))
    d.load(fixtures.docker_archive(layers[:2], ["b/c:1"], Cmd=["b"]))
    answer = d.api.request("GET", "/images/get", names=["a:1", "b/c:1", "a:2"], timeout=120)
    with contextlib.closing(answer):
        equal((answer.status, answer.headers["content-type"]), (200, "application/x-tar"))
        data = answer.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        equal(len(names), len(set(names)), "each entry once")
        saved = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isreg()}
    manifest = json.loads(saved["manifest.json"])
    equal([row["RepoTags"] for row in manifest], [["a:1", "a:2"], ["b/c:1"]])
    equal([len(row["Layers"]) for row in manifest], [3, 2])
    index = json.loads(saved["index.json"])
    equal([row["annotations"]["io.containerd.image.name"] for row in index["manifests"]],
          ["docker.io/library/a:1", "docker.io/library/a:2", "docker.io/b/c:1"])
    for name, content in saved.items():
        if name.startswith("blobs/"):
            equal(name, blob(content)[0])
    for row in index["manifests"]:
        document = json.loads(saved["blobs/sha256/" + row["digest"][7:]])
        for part in [document["config"]] + document["layers"]:
            equal(len(saved["blobs/sha256/" + part["digest"][7:]]), part["size"])
    equal(json.loads(saved["oci-layout"])["imageLayoutVersion"], "1.0.0")
    equal(json.loads(saved["repositories"])["a"]["2"], digest(layers[2])[7:])
    # each of the two layouts alone brings the images back
    for name in ("a:1", "a:2", "b/c:1"):
        d.api.delete("/images/" + name)
    for missing in ("index.json", "manifest.json"):
        d.load(archive([(name, content) for name, content in saved.items() if name != missing]))
        equal(d.api.get("/images/b/c:1/json")["RootFS"]["Layers"], [digest(layer) for layer in layers[:2]])
        equal(sorted(d.api.get("/images/a:1/json")["RepoTags"]), ["a:1", "a:2"])
        for name in ("a:1", "a:2", "b/c:1"):
            d.api.delete("/images/" + name)


def test_foreign_tars_come_back_byte_for_byte(d):
    """A layer's diff id names its bytes: what others wrote unsorted, padded or in other formats must be given back so."""
    tar = Tar(tarfile.GNU_FORMAT).add("./z", data="last first").dir("./d", mtime=1234567890.75).add("d/" + "n" * 150, data="long")
    tar.link("./l", "d").hard("./h", "z").add("./user", data="u", uname="alice", gname="staff", uid=1000)
    odd = tar.bytes() + b"\0" * 4096
    pax = Tar().add("x", data="x", mtime=1700000000.123456789, pax_headers={"SCHILY.xattr.user.note": "kept"}).bytes()
    layers = layers_of(1) + [odd, pax]
    d.load(fixtures.docker_archive(layers, ["odd:1"], Cmd=["true"]))
    saved = save(d, "odd:1")
    equal([saved[path] == layer for path, layer in zip(json.loads(saved["manifest.json"])[0]["Layers"], layers)], [True] * 3)
    d.import_image(odd, "imported")
    saved = save(d, "imported")
    equal(saved[json.loads(saved["manifest.json"])[0]["Layers"][0]] == odd, True)


# ---- those that lie ----

def hostile(d):
    """[(what is wrong, archive, words of the error)]"""
    layers = layers_of(2)
    good = fixtures.docker_archive(layers, ["x:1"])
    document = image_config(layers)
    manifest, blobs = oci_image(layers, "+gzip", compress)
    packed = compress(layers[1])

    def docker(config="c.json", paths=("0", "1"), content=None, **more):
        entries = {"c.json": document, "0": layers[0], "1": layers[1], **(content or {})}
        entries["manifest.json"] = json.dumps([{"Config": config, "RepoTags": ["x:1"], "Layers": list(paths), **more}]).encode()
        return archive([(name, data) for name, data in entries.items() if data is not None])

    def layer(tar):
        data = tar.bytes()
        return fixtures.docker_archive([layers[0], data], ["x:1"])

    def flipped(data):
        return [(name, content if content != data else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]) for name, content in blobs]

    yield "nothing", b"", "manifest.json"
    yield "garbage", b"what is this" * 1000, "invalid tar header"
    yield "an empty tar", b"\0" * 1024, "neither manifest.json nor index.json"
    yield "cut off", good[:len(good) // 2], "unexpected EOF"
    yield "gzip cut off", compress(good)[:-100], "unexpected EOF"
    yield "broken manifest", docker(content={"x": b"", "manifest.json": b""}).replace(b'[{"Config"', b'[[[{"Conf'), "manifest.json"
    yield "no list", archive([("manifest.json", b"{}")]), "manifest.json is not a list"
    yield "no config", docker(config="none.json"), "none.json is not in the archive"
    yield "config elsewhere", docker(config="../../../../etc/passwd"), "is not in the archive"
    yield "layer elsewhere", docker(paths=("0", "../../../../../etc/passwd")), "is not in the archive"  # I18
    yield "absolute layer", docker(paths=("0", "/etc/passwd")), "is not in the archive"
    yield "missing layer", docker(content={"1": None}), "layer 1 is not in the archive"
    yield "layers swapped", docker(paths=("1", "0")), "invalid diffID for layer 0"  # I10
    yield "layer twice", docker(paths=("0", "0")), "invalid diffID for layer 1"
    yield "one too many", docker(paths=("0", "1", "1")), "layers length mismatch: expected 2, got 3"
    yield "one too few", docker(paths=("0",)), "layers length mismatch: expected 2, got 1"
    yield "config of text", docker(content={"c.json": b"no json"}), "image config c.json"
    yield "deep config", docker(content={"c.json": b"[" * 100000}), "image config c.json"
    yield "big manifest", archive([("manifest.json", b" " * (5 << 20))]), "larger than"
    yield "links in a circle", Tar().link("manifest.json", "b").link("b", "manifest.json").bytes(), "neither manifest.json nor index.json"
    yield "blob changed", oci_layout([(manifest, {})], flipped(packed)), "layer blobs/sha256/"  # I9
    yield "config changed", oci_layout([(manifest, {})], flipped(document)), "digest mismatch"
    yield "manifest changed", oci_layout([(manifest, {})], flipped(manifest)), "digest mismatch"
    yield "name out of the archive", Tar().add("../manifest.json", data="[]").bytes(), 'invalid entry "../manifest.json"'
    for name in ("../evil", "a/../../evil", "a/..", ".wh..", "d/.wh.."):  # I1, I5
        yield "layer with " + name, layer(Tar().add(name, data="evil")), "layer"
    yield "link, then file", layer(Tar().link("l", d.directory).add("l/evil", data="evil")), "l/evil"  # I2
    yield "hard link out", layer(Tar().hard("h", "../../../../etc/passwd")), "escapes the root"  # I3
    yield "bomb", archive([("manifest.json", b'[{"Config":"c","Layers":["l"]}]'), ("c", image_config([b""])),
                           ("l", compress(compress(b"\0" * (200 << 20))))]), "l"  # I8, twice compressed
    with contextlib.suppress(fixtures.Skip):
        yield "zstd bomb", archive([("manifest.json", b'[{"Config":"c","Layers":["l"]}]'), ("c", image_config([b""])),
                                    ("l", zstd(b"\0" * (200 << 20)))]), "more than 1000-fold"


def stored(d):
    return {name: sorted(os.listdir(d.data_root + "/" + name)) for name in ("layers", "blobs/sha256", "tmp")}


def test_hostile_archives(d):
    before, images = stored(d), d.api.get("/images/json", all=True)
    failures = []
    for what, data, words in hostile(d):
        try:
            lines = d.load(data)
            failures.append("%s: accepted: %r" % (what, lines[-1:]))
        except ApiError as error:
            if words not in error.message:
                failures.append("%s: %r is not in %r" % (what, words, error.message))
    equal(failures, [])
    equal(d.api.get("/images/json", all=True), images)
    eventually(lambda: stored(d) == before, "nothing is left of them")
    equal("evil" in os.listdir(d.directory), False)
    equal(d.run(["true"]).code, 0)


def test_overlay_marks_in_layers(d):
    """I6: a layer cannot forge what overlay itself writes."""
    forged = Tar().dir("shown", pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc"})
    forged.add("etc/group", tarfile.CHRTYPE, devmajor=0, devminor=0)
    base = Tar().dir("shown").add("shown/file", data="still here\n").bytes()
    d.load(fixtures.docker_archive(layers_of(1) + [base, forged.bytes()], ["forged:1"], Cmd=["sh", "-c", "cat /shown/file; test -s /etc/group && echo group"]))
    equal(d.run(image="forged:1").out, b"still here\ngroup\n")
    for top, dirs, _ in os.walk(d.data_root + "/layers"):
        for name in dirs:
            found = [attribute for attribute in os.listxattr(top + "/" + name, follow_symlinks=False) if attribute.startswith("trusted.")]
            equal(found, [], top + "/" + name)


def test_whiteouts_of_layers(d):
    base = fixtures.add_busybox(Tar()).dir("a").add("a/gone", data="1").add("a/kept", data="1").dir("o").add("o/old", data="1").bytes()
    top = Tar().add("a/.wh.gone").dir("o").add("o/.wh..wh..opq").add("o/new", data="2").add(".wh.www").bytes()
    again = Tar().add("a/gone", data="back").dir("www").add("www/n", data="3").bytes()
    d.load(fixtures.docker_archive([base, top], ["white:1"], Cmd=["true"]))
    d.load(fixtures.docker_archive([base, top, again], ["white:2"], Cmd=["true"]))
    equal(d.run(["sh", "-c", "ls /a /o; ls /www"], image="white:1").text, "/a:\nkept\n\n/o:\nnew\n")
    equal(d.run(["sh", "-c", "cat /a/gone; ls /o /www"], image="white:2").text, "back/o:\nnew\n\n/www:\nn\n")
    saved = save(d, "white:2")
    equal([saved[path] for path in json.loads(saved["manifest.json"])[0]["Layers"]] == [base, top, again], True)


def test_import_of_compressed_tars(d):
    tar = fixtures.add_busybox(Tar()).bytes()
    for i, pack in enumerate((compress, bz2.compress, lzma.compress)):
        d.import_image(pack(tar), "imported", str(i))
        equal(d.api.get("/images/imported:%d/json" % i)["RootFS"]["Layers"], [digest(tar)])
    try:
        d.import_image(b"no tar " * 500, "broken")
        raise AssertionError("accepted")
    except ApiError as error:
        contains(error.message, "invalid tar header")
