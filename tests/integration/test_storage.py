"""Binds, mounts, volumes with copy-up, tmpfs; and the volume endpoints."""
import os

import fixtures
from harness import contains, equal, options, raises
from test_isolation import refused, sh


def test_binds(d):
    os.makedirs(d.directory + "/src/deep")
    with open(d.directory + "/src/file", "w") as file:
        file.write("from the host\n")
    src = d.directory + "/src"
    equal(sh(d, "cat /b/file; echo new >/b/made; ls /b", host={"Binds": [src + ":/b"]}), "from the host\ndeep\nfile\nmade\n")
    equal(os.path.exists(src + "/made"), True)
    ran = d.run(["sh", "-c", "touch /b/x"], host={"Binds": [src + ":/b:ro"]})
    contains(ran.err, b"Read-only file system")
    equal(sh(d, "cat /etc/motd", host={"Binds": [src + "/file:/etc/motd"]}), "from the host\n")
    equal(sh(d, "ls -d /b && ls /b", host={"Binds": [src + "/made-by-engine:/b"]}), "/b\n")
    equal(os.path.isdir(src + "/made-by-engine"), True)
    refused(d, {"Binds": ["relative/path:/b"]}, "includes invalid characters for a local volume name")
    refused(d, {"Binds": [src + ":relative"]}, "invalid")
    refused(d, {"Binds": [src + ":/b:colour"]}, "invalid mode")
    refused(d, {"Binds": [src + ":/b", src + "/deep:/b"]}, "Duplicate mount point: /b")


def test_mount_structs(d):
    os.makedirs(d.directory + "/src")
    source = d.directory + "/src"
    equal(sh(d, "touch /m/x; ls /m", host={"Mounts": [{"Type": "bind", "Source": source, "Target": "/m"}]}), "x\n")
    ran = d.run(["touch", "/m/y"], host={"Mounts": [{"Type": "bind", "Source": source, "Target": "/m", "ReadOnly": True}]})
    contains(ran.err, b"Read-only file system")
    refused(
        d,
        {"Mounts": [{"Type": "bind", "Source": source + "/none", "Target": "/m"}]},
        "bind source path does not exist: %s/none" % source.lower(),
    )
    equal(
        sh(
            d,
            "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t",
            host={"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 4 << 20, "Mode": 0o700}}]},
        ).split(),
        ["4096", "700"],
    )
    refused(d, {"Mounts": [{"Type": "colour", "Target": "/t"}]}, "mount type unknown")
    refused(d, {"Mounts": [{"Type": "volume", "Target": ""}]}, "field Target must not be empty")


def test_tmpfs(d):
    text = sh(d, "mount | grep ' /t '; df -k /t | tail -1 | awk '{print $2}'", host={"Tmpfs": {"/t": "size=1m,noexec"}})
    for word in ("nosuid", "nodev", "noexec", "1024\n"):
        contains(text, word)


def test_named_volume(d):
    equal(sh(d, "echo kept >/v/file; stat -c %a:%u /v", host={"Binds": ["data1:/v"]}), "755:0\n")
    equal(sh(d, "cat /v/file", host={"Binds": ["data1:/v:ro"]}), "kept\n")
    volume = d.api.get("/volumes/data1")
    equal((volume["Name"], volume["Driver"], volume["Scope"]), ("data1", "local", "local"))
    equal(volume["Mountpoint"].endswith("/volumes/data1/_data"), True)
    contains([row["Name"] for row in d.api.get("/volumes")["Volumes"]], "data1")
    holder = d.create(["true"], host={"Binds": ["data1:/v"]})
    contains(raises(409, d.api.delete, "/volumes/data1"), "volume is in use - [%s]" % holder)
    row = d.inspect(holder)["Mounts"]
    equal([(m["Type"], m["Name"], m["Destination"], m["RW"]) for m in row], [("volume", "data1", "/v", True)])
    d.api.delete("/containers/" + holder)
    d.api.delete("/volumes/data1")
    raises(404, d.api.get, "/volumes/data1", text="get data1: no such volume")
    raises(404, d.api.delete, "/volumes/data1", text="no such volume")


def test_copy_up(d):
    """What the image has at a volume's place is copied in, once, with owners and modes."""
    tar = (
        fixtures.add_busybox(fixtures.Tar())
        .dir("seed", 0o750, uid=1000, gid=33)
        .add("seed/file", data="seed\n", mode=0o640, uid=1000, gid=33)
    )
    tar.link("seed/link", "file").dir("seed/sub", 0o711).add("seed/sub/x", data="x")
    d.load(fixtures.docker_archive([tar.bytes()], ["seeded:latest"], Volumes={"/seed": {}}))
    look = "stat -c '%a %u %g %n' /seed /seed/file /seed/sub; readlink /seed/link; cat /seed/file /seed/sub/x"
    wanted = "750 1000 33 /seed\n640 1000 33 /seed/file\n711 0 0 /seed/sub\nfile\nseed\nx"
    equal(sh(d, look, image="seeded"), wanted)  # an anonymous volume
    equal(sh(d, look, image="seeded", host={"Binds": ["named:/seed"]}), wanted)
    sh(d, "rm /seed/file; echo changed >/seed/other", image="seeded", host={"Binds": ["named:/seed"]})
    equal(sh(d, "ls /seed", image="seeded", host={"Binds": ["named:/seed"]}), "link\nother\nsub\n")
    equal(sh(d, "ls /seed", image="seeded", host={"Binds": ["empty:/seed:nocopy"]}), "")


def test_anonymous_volumes_go_with_their_container(d):
    container = d.create(["true"], Volumes={"/anon": {}})
    name = d.inspect(container)["Mounts"][0]["Name"]
    equal(len(name), 64)
    d.api.delete("/containers/" + container, v=True)
    raises(404, d.api.get, "/volumes/" + name)
    keeper = d.create(["true"], Volumes={"/anon": {}})
    name = d.inspect(keeper)["Mounts"][0]["Name"]
    d.api.delete("/containers/" + keeper)
    equal(d.api.get("/volumes/" + name)["Name"], name)
    equal(d.api.post("/volumes/prune")["VolumesDeleted"], [name])


def test_volumes_from(d):
    first = d.create(["true"], name="first", host={"Binds": ["shared:/data"]})
    sh(d, "echo hi >/data/x", host={"VolumesFrom": ["first"]})
    equal(sh(d, "cat /data/x", host={"VolumesFrom": [first + ":ro"]}), "hi\n")
    raises(400, d.create, ["true"], host={"VolumesFrom": ["nobody"]}, text="No such container: nobody")


def test_volume_endpoints(d):
    made = d.api.post("/volumes/create", {"Name": "v1", "Labels": {"a": "b"}})
    equal((made["Name"], made["Labels"]), ("v1", {"a": "b"}))
    equal(d.api.post("/volumes/create", {"Name": "v1"})["Labels"], {"a": "b"})
    unnamed = d.api.post("/volumes/create", {})["Name"]
    equal(len(unnamed), 64)

    def names(**filters):
        return sorted(row["Name"] for row in d.api.get("/volumes", filters=filters)["Volumes"] or [])

    equal(names(label=["a=b"]), ["v1"])
    equal(names(name=["v1"]), ["v1"])
    equal(names(dangling=["true"]), sorted(["v1", unnamed]))
    equal(names(driver=["other"]), [])
    for bad in ("-x", "a/b", "x" * 300, "é"):
        raises(400, d.api.post, "/volumes/create", {"Name": bad})
    d.api.refused("POST", "/volumes/create", {"Name": "v2", "Driver": "nosuch"})
    d.api.refused("POST", "/volumes/create", {"Name": "v2", "DriverOpts": {"colour": "red"}})
    equal(names(name=["v2"]), [])
    pruned = d.api.post("/volumes/prune", filters={"all": ["true"]})
    equal(sorted(pruned["VolumesDeleted"]), sorted(["v1", unnamed]))


def test_image_files_are_not_changed_by_containers(d):
    d.run(["sh", "-c", "rm -rf /etc/group /home; echo x >/bin/newfile; chmod 000 /etc/passwd"])
    equal(
        sh(d, "ls /etc/group; ls -d /home/alice; ls /bin/newfile 2>/dev/null || stat -c %a /etc/passwd"),
        "/etc/group\n/home/alice\n644\n",
    )


@options(timeout=120)
def test_many_layers(d):
    layers = [fixtures.add_busybox(fixtures.Tar()).bytes()]
    layers += [fixtures.Tar().add("layer%d" % i, data=str(i)).add("common", data=str(i)).bytes() for i in range(100)]
    d.load(fixtures.docker_archive(layers, ["deep:latest"], Cmd=["sh", "-c", "ls / | grep -c layer; cat /common"]))
    ran = d.run(image="deep")
    equal((ran.code, ran.out), (0, b"100\n99"), repr(ran))
