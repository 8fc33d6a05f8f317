"""The README's commands do what it says; quickstart goes through and leaves nothing."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import fixtures
import leaks
from fixtures import ROOT
from harness import contains, equal, eventually, options

# A machine of its own for commands that use the default paths: own mounts over /run and /var/lib/holk, own network, an own copy of nothing else.
BOX = """set -eu
ip link set lo up
mount -t tmpfs none /run
mount --bind "$BOX/lib" /var/lib/holk
mount --bind "$BOX/etc" /etc/holk
mount --bind "$BOX/log" /var/log
cd "$BOX/work"
for entry in "$ROOT"/* "$ROOT"/.ci; do ln -s "$entry" .; done
trap 'set +ex; holk rm -f $(holk ps -aq) 2>/dev/null; kill %%1; wait' EXIT
set -x
%s
"""


def blocks(path):
    """The shell blocks of a document."""
    with open(os.path.join(ROOT, path)) as file:
        return re.findall(r"(?ms)^```sh\n(.*?)^```$", file.read())


@options(timeout=600)
def test_readme_commands():
    found = blocks("README.md")
    equal(len(found), 4)
    script = "".join(block for block in found if "tests/run" not in block)
    box = tempfile.mkdtemp(dir=fixtures.scratch_root())
    made = [path for path in ("/var/lib/holk", "/etc/holk") if not os.path.isdir(path)]
    try:
        for name in ("lib", "etc", "log", "work"):
            os.mkdir(os.path.join(box, name))
        for path in made:
            os.mkdir(path)
        done = subprocess.run(
            ["unshare", "--mount", "--net", "bash", "-c", BOX % script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "BOX": box, "ROOT": ROOT},
        )
        log = open(box + "/log/holkd.log").read() if os.path.exists(box + "/log/holkd.log") else ""
        equal(done.returncode, 0, done.stdout[-3000:] + log)
        contains(done.stdout, "hello from a container\n")
        contains(done.stdout, "HTTP/1.")
        contains(done.stdout, "127.0.0.1:8080->80/tcp")
        web = re.search(r"(?m)^[0-9a-f]{64}$", done.stdout)[0]
        eventually(lambda: not [path for path in leaks.cgroup_dirs("/holk") if web in path], "no cgroup is left")
    finally:
        shutil.rmtree(box)
        leaks.remove_cgroups("/holk")
        for path in made:
            os.rmdir(path)


def test_readme_names_what_is_there():
    for document in ["README.md", "CONTRIBUTING.md"] + glob.glob(ROOT + "/docs/*.md"):
        path = os.path.join(ROOT, document)
        with open(path) as file:
            text = file.read()
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            equal(os.path.exists(os.path.join(os.path.dirname(path), target)), True, "%s links to %s" % (document, target))
        for target in re.findall(r"`((?:tests|lib|daemon|cli|builder|registry|docs)/[\w./-]+?)`", text):
            equal(os.path.exists(os.path.join(ROOT, target)), True, "%s names %s" % (document, target))


def machine():
    """What quickstart may not change for good."""
    with open("/proc/sys/net/ipv4/ip_forward") as file:
        forward = file.read()
    with open("/proc/self/mountinfo") as file:
        mounts = sorted(line.split()[4] for line in file if "holk-quickstart" in line)
    return forward, mounts, leaks.cgroup_tops("/holk-quickstart"), os.path.exists("/var/tmp/holk-quickstart")


def bridges():
    done = subprocess.run(["ip", "-o", "link", "show", "type", "bridge"], stdout=subprocess.PIPE, text=True, check=True)
    return set(re.findall(r"(holk-[0-9a-f]{8})", done.stdout))


@options(timeout=1200, alone=True)
def test_quickstart():
    before = machine()
    done = subprocess.run(
        [ROOT + "/quickstart"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TERM": "dumb"},
        cwd="/",
    )
    equal(done.returncode, 0, done.stdout[-4000:])
    for text in (
        "$ holk push ",
        "$ holk rmi ",
        "$ holk pull ",
        "Status: Downloaded newer image for ",
        "$ holk build ",
        "Successfully tagged site:latest",
        "$ holk run -d ",
        "<h1>good day from holk</h1>",
        "$ holk ps",
        "$ holk logs web",
        "--keep",
        "Everything worked.",
    ):
        contains(done.stdout, text)
    equal(machine(), before)


@options(timeout=1200, alone=True)
def test_quickstart_keep():
    before = machine()
    home = "/var/tmp/holk-quickstart"
    done = subprocess.run(
        [ROOT + "/quickstart", "--keep"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TERM": "dumb"},
        cwd="/",
    )
    try:
        equal(done.returncode, 0, done.stdout[-4000:])
        with open(home + "/bridges") as file:
            kept = set(file.read().split())
        equal(kept <= bridges() and len(kept), 1)
        listed = subprocess.run(
            [ROOT + "/build-release/cli/holk", "-H", "unix://" + home + "/holk.sock", "ps", "--format", "{{.Names}}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        equal(listed.stdout, "web\n")
        again = subprocess.run(
            [ROOT + "/quickstart"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        equal(again.returncode, 1)
        contains(again.stdout, home + "/stop")
    finally:
        if os.path.exists(home + "/stop"):
            subprocess.run([home + "/stop"], check=True)
    equal(machine(), before)
    equal(bridges() & kept, set())
