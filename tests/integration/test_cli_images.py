"""The client's side of images, builds, volumes, networks and the daemon's own commands."""
import json
import os
import pty
import re
import subprocess

import fixtures
from harness import Skip, contains, equal, eventually

HEX = re.compile(r"[0-9a-f]{64}")


def text(ran, code=0):
    """The output of a command that must end with this code."""
    equal(ran.code, code, repr(ran))
    return ran.out.decode()


def error(ran, code=1):
    equal(ran.code, code, repr(ran))
    return ran.err.decode()


def cells(output):
    """Rows of a table, split where columns are."""
    return [re.split(r" {2,}", line.strip()) for line in output.splitlines()]


# ---- images ----

def test_images_columns_and_formats(d):
    rows = cells(text(d.cli("images")))
    equal(rows[0], ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"])
    equal(rows[1][:2], ["busybox", "latest"])
    image = d.api.get("/images/busybox/json")["Id"]
    equal(text(d.cli("images", "-q")), image[7:19] + "\n")
    equal(text(d.cli("image", "ls", "-q", "--no-trunc", "busybox")), image + "\n")
    row = json.loads(text(d.cli("images", "--format", "json")))
    equal((row["Repository"], row["Tag"], row["ID"], row["Digest"]), ("busybox", "latest", image[7:19], "<none>"))
    equal(text(d.cli("images", "--format", "table {{.ID}}\\t{{.Repository | upper}}")),
          "IMAGE ID       REPOSITORY\n%s   BUSYBOX\n" % image[7:19])
    equal(error(d.cli("images", "--format", "{{.Nope}}")),
          "template parsing error: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *formatter.imageContext\n")
    contains(error(d.cli("images", "-f", "x"), 125), "bad format of filter (expected name=value)")
    contains(error(d.cli("images", "ls"), 0), "did you mean \"holk image ls\"?")
    equal(error(d.cli("images", "--tree")), "--tree is not supported\n")


def test_tag_inspect_history_rmi(d):
    image = d.api.get("/images/busybox/json")["Id"]
    text(d.cli("tag", "busybox", "other/name:v1"))
    equal(text(d.cli("image", "inspect", "-f", "{{.ID}} {{len .RepoTags}} {{.Os}} {{.Config.Labels}}", "other/name:v1")), image + " 2 linux map[]\n")
    equal(json.loads(text(d.cli("image", "inspect", "busybox")))[0]["Id"], image)
    equal(cells(text(d.cli("history", "busybox")))[0], ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"])
    equal(text(d.cli("history", "-q", "--no-trunc", "busybox")), image + "\n")
    equal(text(d.cli("rmi", "other/name:v1")), "Untagged: other/name:v1\n")
    equal(error(d.cli("rmi", "nosuch", "nosuch2")), "Error response from daemon: No such image: nosuch:latest\nError response from daemon: No such image: nosuch2:latest\n")
    equal(d.cli("rmi", "-f", "nosuch").code, 0)
    contains(error(d.cli("tag", "busybox", "BAD")), "Error parsing reference: \"BAD\" is not a valid repository/tag: invalid reference format")
    missing = d.cli("image", "inspect", "nosuch")
    equal((missing.code, missing.text, missing.err.decode()), (1, "[]\n", "Error response from daemon: No such image: nosuch:latest\n"))


def test_save_load_import(d):
    archive = d.directory + "/saved.tar"
    image = d.api.get("/images/busybox/json")["Id"]
    text(d.cli("save", "-o", archive, "busybox"))
    equal(os.stat(archive).st_mode & 0o777, 0o600)
    piped = d.cli("save", "busybox")
    equal(piped.code, 0, repr(piped.err))
    text(d.cli("rmi", "busybox"))
    equal(text(d.cli("load", "-i", archive)), "Loaded image: busybox:latest\n")
    text(d.cli("rmi", "busybox"))
    equal(text(d.cli("load", stdin=piped.out)), "Loaded image: busybox:latest\n")
    equal(d.api.get("/images/busybox/json")["Id"], image)
    equal(error(d.cli("load", "-i", "/nonexistent/x")), "open /nonexistent/x: no such file or directory\n")
    equal(error(d.cli("save", "-o", "/nonexistent/x", "busybox")), "failed to save image: invalid output path: stat /nonexistent: no such file or directory\n")
    equal(error(d.cli("save", "-o", d.directory + "/none.tar", "nosuch"))[:26], "Error response from daemon")
    equal(os.path.exists(d.directory + "/none.tar"), False)
    made = text(d.cli("import", "-c", "CMD [\"echo\", \"made\"]", "-m", "why", "-", "made:1",
                      stdin=fixtures.add_busybox(fixtures.Tar()).bytes())).strip()
    equal(d.api.get("/images/made:1/json")["Id"], made)
    equal(d.run(image="made:1").out, b"made\n")


def test_push_and_pull(d):
    registry = d.registry()
    name = registry + "/team/box:v1"
    text(d.cli("tag", "busybox", name))
    pushed = text(d.cli("push", name))
    contains(pushed, "The push refers to repository [%s/team/box]\n" % registry)
    contains(pushed, "v1: digest: sha256:")
    equal(text(d.cli("push", "-q", name)), name + "\n")
    text(d.cli("rmi", name, "busybox"))
    pulled = text(d.cli("pull", name)).splitlines()
    equal((pulled[0], pulled[-1]), ("v1: Pulling from team/box", name))
    contains(pulled[-2], "Status: Downloaded newer image for " + name)
    equal(text(d.cli("pull", "-q", name)), name + "\n")
    digest = cells(text(d.cli("images", "--digests")))[1][2]
    equal(digest[:7], "sha256:")
    contains(error(d.cli("pull", registry + "/team/box:none")), "manifest")
    contains(text(d.cli("pull", registry + "/team/box"), 1), "Using default tag: latest\n")
    equal(error(d.cli("pull", "-a", name)), "tag can't be used with --all-tags/-a\n")


def test_login_keeps_credentials_out_of_sight(d):
    registry = d.registry(htpasswd="holk:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", port=5010)  # "secret"
    path = d.directory + "/home/.docker/config.json"
    refused = d.cli("login", "-u", "holk", "--password-stdin", registry, stdin=b"wrong\n")
    equal(refused.code, 1, repr(refused))
    equal(os.path.exists(path), False)
    done = d.cli("login", "-u", "holk", "--password-stdin", registry, stdin=b"secret\n")
    equal(text(done), "Login Succeeded\n")
    contains(done.err.decode(), "WARNING! Your credentials are stored unencrypted in '%s'." % path)
    equal(os.stat(path).st_mode & 0o777, 0o600)
    with open(path) as file:
        equal(list(json.load(file)["auths"]), [registry])
    name = registry + "/box:1"
    text(d.cli("tag", "busybox", name))
    text(d.cli("push", name))
    text(d.cli("pull", name))
    equal(text(d.cli("logout", registry)), "Removing login credentials for %s\n" % registry)
    with open(path) as file:
        equal(json.load(file)["auths"], {})
    equal(d.cli("push", name).code, 1)
    equal("secret" in d.log(), False)


# ---- build ----

def context(d, files):
    directory = d.directory + "/context"
    for name, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(directory, name)), exist_ok=True)
        with open(os.path.join(directory, name), "w") as file:
            file.write(data)
    return directory


def test_build_output_and_exit_codes(d):
    where = context(d, {"Dockerfile": "FROM busybox\nARG WHO=you\nRUN echo hello $WHO\nCOPY . /data\n", ".dockerignore": "hidden\n",
                        "hidden/x": "1", "seen/y": "2"})
    out = text(d.cli("build", "-t", "built:1", "--build-arg", "WHO=me", "--iidfile", d.directory + "/id", where))
    contains(out, "Sending build context to holk daemon")
    contains(out, "Step 1/4 : FROM busybox\n")
    contains(out, "hello me\n")
    contains(out, "Successfully tagged built:1\n")
    image = d.api.get("/images/built:1/json")["Id"]
    with open(d.directory + "/id") as file:
        equal(file.read(), image)
    equal(d.run(["ls", "-A", "/data", "/data/seen"], image="built:1").text, "/data:\n.dockerignore\nDockerfile\nseen\n\n/data/seen:\ny\n")
    contains(text(d.cli("build", "--build-arg", "WHO=me", where)), " ---> Using cache\n")
    equal(text(d.cli("build", "-q", "--build-arg", "WHO=me", where)), image + "\n")
    failed = d.cli("build", "-", stdin=b"FROM busybox\nRUN exit 7\n")
    equal(failed.code, 7, repr(failed))
    contains(failed.err.decode(), "The command '/bin/sh -c exit 7' returned a non-zero code: 7")
    contains(error(d.cli("build", "-", stdin=b"FRM x\n")), "unknown instruction: FRM")
    contains(error(d.cli("build", "nosuchdir")), "unable to prepare context: path \"nosuchdir\" not found")
    contains(error(d.cli("build", "-t", "BAD", where), 125), "invalid argument \"BAD\" for \"-t, --tag\" flag: invalid reference format")
    equal(error(d.cli("build", "--squash", where)), "--squash is not supported\n")


def test_build_from_stdin_and_elsewhere(d):
    where = context(d, {"f": "content\n"})
    other = d.directory + "/Other"
    with open(other, "w") as file:
        file.write("FROM busybox\nCOPY . /data\nRUN ls -A /data\n")
    out = text(d.cli("build", "-f", other, where))
    contains(out, "\nf\n")
    equal(".dockerfile." in out, False, out)
    equal(d.docker("build", "-f", other, where, DOCKER_BUILDKIT="0").code, 0)  # its tar ends without padding
    contains(text(d.cli("build", "-f", "-", where, stdin=b"FROM busybox\nCOPY f /x\nRUN cat /x\n")), "content\n")
    tar = fixtures.Tar().add("Dockerfile", data="FROM busybox\nCOPY in /in\nRUN cat /in\n").add("in", data="from a tar\n").bytes()
    contains(text(d.cli("build", "-", stdin=tar)), "from a tar\n")
    contains(text(d.cli("build", "-", stdin=fixtures.compress(tar))), " ---> Using cache\n")
    contains(error(d.cli("build", "-f", "-", "-")), "can't use stdin for both build context and dockerfile")


# ---- volumes, networks ----

def test_volumes(d):
    equal(text(d.cli("volume", "create", "--label", "a=b", "v1")), "v1\n")
    name = text(d.cli("volume", "create")).strip()
    equal(bool(HEX.fullmatch(name)), True, name)
    equal(cells(text(d.cli("volume", "ls"))), [["DRIVER", "VOLUME NAME"], *[["local", n] for n in sorted([name, "v1"])]])
    equal(text(d.cli("volume", "ls", "-q", "-f", "label=a=b")), "v1\n")
    equal(text(d.cli("volume", "ls", "-f", "name=v1", "--format", "{{.Name}} {{.Labels}} {{.Label \"a\"}} {{.Links}}")), "v1 a=b b N/A\n")
    equal(text(d.cli("volume", "inspect", "-f", "{{.Name}} {{.Driver}} {{.Labels.a}}", "v1")), "v1 local b\n")
    equal(text(d.cli("volume", "rm", "v1", name)), "v1\n%s\n" % name)
    equal(error(d.cli("volume", "rm", "v1")), "Error response from daemon: get v1: no such volume\n")
    equal(text(d.cli("volume", "rm", "-f", "v1")), "v1\n")
    text(d.cli("volume", "create"))
    pruned = text(d.cli("volume", "prune", "-f"))
    equal(bool(re.fullmatch(r"Deleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: \S+B\n", pruned)), True, pruned)
    declined = d.cli("volume", "prune", stdin=b"n\n")
    equal((declined.code, declined.text), (0, "WARNING! This will remove anonymous local volumes not used by at least one container.\n"
                                              "Are you sure you want to continue? [y/N] "))


def test_networks(d):
    rows = cells(text(d.cli("network", "ls")))
    equal(rows[0], ["NETWORK ID", "NAME", "DRIVER", "SCOPE"])
    equal([row[1] for row in rows[1:]], ["bridge", "host", "none"])
    created = d.cli("network", "create", "--subnet", "10.239.7.0/24", "--label", "x=y", "n1")
    if created.code and "501" in created.err.decode() + str(created.code):
        raise Skip("networks of users are not there yet")
    network = text(created).strip()
    equal(text(d.cli("network", "ls", "-q", "-f", "name=n1", "--no-trunc")), network + "\n")
    equal(text(d.cli("network", "inspect", "-f", "{{.Name}} {{range .IPAM.Config}}{{.Subnet}}{{end}} {{.Labels.x}}", "n1")), "n1 10.239.7.0/24 y\n")
    box = d.start_new(["sleep", "60"], name="box")
    text(d.cli("network", "connect", "--alias", "other", "n1", "box"))
    equal(sorted(d.inspect(box)["NetworkSettings"]["Networks"]), ["bridge", "n1"])
    text(d.cli("network", "disconnect", "n1", "box"))
    equal(sorted(d.inspect(box)["NetworkSettings"]["Networks"]), ["bridge"])
    equal(text(d.cli("network", "rm", "n1")), "n1\n")
    contains(error(d.cli("network", "rm", "n1")), "network n1 not found")
    contains(error(d.cli("network", "create", "--subnet", "10.239.7.0/24", "--gateway", "10.1.1.1", "n2")), "no matching subnet for gateway 10.1.1.1")


# ---- the daemon itself ----

def test_info_version_df(d):
    out = text(d.cli("info"))
    contains(out, "\nServer:\n Containers: 0\n")
    contains(out, " Storage Driver: overlay2\n")
    info = d.api.get("/info")
    equal(text(d.cli("info", "-f", "{{.ID}} {{.NCPU}} {{.Swarm.LocalNodeState}}")), "%s %d inactive\n" % (info["ID"], info["NCPU"]))
    contains(error(d.cli("info", "-f", "{{.Nope}}")), "can't evaluate field Nope in type system.dockerInfo")
    version = d.api.get("/version")
    equal(text(d.cli("version", "-f", "{{.Server.Version}} {{.Server.APIVersion}}")), "%s %s\n" % (version["Version"], version["ApiVersion"]))
    contains(text(d.cli("version")), "\nServer:")
    rows = cells(text(d.cli("system", "df")))
    equal(rows[0], ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"])
    equal([row[0] for row in rows[1:]], ["Images", "Containers", "Local Volumes", "Build Cache"])
    equal(rows[1][1], "1")
    contains(text(d.cli("system", "df", "-v")), "Images space usage:\n\nREPOSITORY   TAG ")
    equal(json.loads(text(d.cli("system", "df", "-v", "--format", "json")))["Images"][0]["Repository"], "busybox")


def test_a_daemon_that_is_not_there(d):
    gone = d.program(d.holk_command("-H", "unix:///nonexistent/s.sock", "version"))
    equal(gone.code, 1)
    contains(gone.text, "Client:\n Version:")
    equal(gone.err.decode(), "Cannot connect to the holk daemon at unix:///nonexistent/s.sock. Is holkd running?\n")


def test_events(d):
    start = "2020-01-01"
    container = d.run(["true"], name="seen").id
    out = text(d.cli("events", "--since", start, "--until", "0s", "-f", "container=" + container))
    lines = out.splitlines()
    equal([line.split()[1:3] for line in lines if "create" in line or "die" in line], [["container", "create"], ["container", "die"]])
    contains(lines[0], "name=seen)")
    equal(bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) ", lines[0])), True, lines[0])
    names = text(d.cli("events", "--since", start, "--until", "0s", "-f", "event=create", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"))
    equal(names, "container create seen\n")
    equal(d.cli("events", "--format", "{{.Nope}}", "--until", "0s").code, 64)
    equal(d.cli("events", "--since", "bogus").code, 1)


def test_prune_everything(d):
    d.run(["true"], keep=True)
    text(d.cli("tag", "busybox", "kept:1"))
    out = text(d.cli("system", "prune", "-f"))
    contains(out, "Deleted Containers:\n")
    contains(out, "Total reclaimed space: ")
    equal(d.api.get("/containers/json", all=True), [])
    equal(cells(text(d.cli("images")))[1:] != [], True)
    out = text(d.cli("image", "prune", "-a", "-f"))
    contains(out, "untagged: kept:1\n")
    equal(d.api.get("/images/json"), [])


# ---- the screen ----

def on_terminal(d, *args):
    """Output and exit code of holk on a terminal of 80 columns."""
    screen, inner = pty.openpty()
    process = subprocess.Popen(d.holk_command(*args), stdin=inner, stdout=inner, stderr=inner, env=d.environment_for_clients())
    os.close(inner)
    out = b""
    while True:
        try:
            piece = os.read(screen, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(screen)
    return out.decode(), process.wait()


def test_bars_on_a_terminal(d):
    registry = d.registry()
    name = registry + "/bars:1"
    text(d.cli("tag", "busybox", name))
    text(d.cli("push", name))
    text(d.cli("rmi", name, "busybox"))
    out, code = on_terminal(d, "pull", name)
    equal(code, 0, out)
    contains(out, "\x1b[1A\x1b[2K\r")
    contains(out, ": Pull complete ")
    equal(on_terminal(d, "save", name), ("cowardly refusing to save to a terminal. Use the -o flag or redirect\r\n", 1))


def test_the_same_words_as_docker(d):
    """Both clients on this daemon: what they print is the same, but for their names."""
    d.run(["true"], keep=True, name="old")
    text(d.cli("volume", "create", "--label", "a=b", "vol"))
    commands = [("images",), ("images", "--digests", "--no-trunc"), ("images", "--format", "json"), ("history", "--no-trunc", "busybox"),
                ("image", "inspect", "busybox"), ("image", "inspect", "-f", "{{.Id}} {{.RepoTags}} {{.Config.Env}}", "busybox"),
                ("volume", "ls", "--format", "json"), ("volume", "inspect", "vol"), ("network", "ls", "--no-trunc"), ("network", "inspect", "bridge"),
                ("network", "ls", "--format", "json"), ("system", "df", "--format", "json"), ("rmi", "nosuch"), ("volume", "rm", "nosuch"),
                ("pull", "BAD"), ("images", "-f", "nosuch=1"), ("events", "--since", "1", "--until", "0s", "-f", "container=old"),
                ("info", "-f", "{{.Driver}} {{.Plugins.Network}} {{.DriverStatus}}"), ("images", "--format", "{{")]
    for command in commands:
        def same():
            """Ages in seconds may differ from one client's run to the other's; once in a few runs they do not."""
            wanted, got = d.docker(*command), d.cli(*command)
            equal((got.code, got.text, got.err.decode()), (wanted.code, wanted.text, wanted.err.decode()), " ".join(command))
            return True
        eventually(same, " ".join(command))
