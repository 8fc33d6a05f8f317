"""Rows of the security plan that concern running containers; requests are in test_bad_input.py, the socket in test_daemon.py,
archives in test_archive.py. The names are those of the classes that went wrong elsewhere."""
import hashlib
import os
import re
import stat
import subprocess
import threading

import fixtures
from harness import ApiError, contains, equal, eventually, options
from test_isolation import DEFAULT_CAPS, sh, status


def hashes(d):
    found = {}
    for path in ("/daemon/holkd", "/daemon/monitor/holk-monitor", "/daemon/worker/holk-worker"):
        with open(d.build + path, "rb") as file:
            found[path] = hashlib.sha256(file.read()).hexdigest()
    return found


def canary(d):
    """A tree beside the data root that nobody may touch; returns what it looks like now."""
    path = d.directory + "/canary"
    if not os.path.exists(path):
        os.makedirs(path + "/dir", 0o700)
        with open(path + "/file", "w") as file:
            file.write("canary\n")
    rows = []
    for folder, names, files in os.walk(path):
        for name in [folder] + [os.path.join(folder, n) for n in files]:
            info = os.lstat(name)
            rows.append((name, stat.S_IMODE(info.st_mode), info.st_uid, info.st_nlink, info.st_size, info.st_mtime_ns))
    return sorted(rows)


@options(timeout=180)
def test_r1_runtime_binary_through_proc_exe(d):
    """CVE-2019-5736: exec's process, before it is the payload, must not lend its own executable."""
    tar = fixtures.add_busybox(fixtures.Tar())
    tar.add("bin/trap", data="#!/proc/self/exe\n", mode=0o755).link("bin/exe-link", "/proc/self/exe")
    d.load(fixtures.docker_archive([tar.bytes()], ["r1:latest"]))
    before = hashes(d)
    container = d.start_new(["probe", "write-exe", "12"], image="r1", host={"CapAdd": ["SYS_PTRACE"]})
    eventually(lambda: b"ready" in d.logs(container)[0])

    def exec_many(command, count):
        for _ in range(count):
            d.exec(container, command)

    threads = [threading.Thread(target=exec_many, args=(command, 70)) for command in (["/bin/trap"], ["true"], ["/bin/exe-link"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    d.exec(container, ["true"], User="1000")
    equal(d.wait(container), 0, d.logs(container)[0])
    contains(d.logs(container)[0], b" opened 0 ")
    lines = [line for line in d.logs(container)[0].decode().splitlines() if line != "ready" and not line.startswith("rounds")]
    equal(lines, [])
    for entrypoint in ("/bin/trap", "/proc/self/exe", "/bin/exe-link"):
        try:
            equal(d.run([entrypoint, "x"], image="r1").code != 0, True)
        except ApiError as error:
            equal(error.status in (400, 500), True)
    equal(hashes(d), before)


@options(timeout=180)
def test_r3_working_directory_through_a_leaked_fd(d):
    """CVE-2024-21626: neither WORKDIR nor exec -w may end up outside of the root."""
    for number in list(range(3, 20)) + [64]:
        for path in ("/proc/self/fd/%d" % number, "/proc/self/fd/%d/../../.." % number):
            try:
                ran = d.run(["sh", "-c", "probe cwd; ls ../../../../../../../.. 2>/dev/null"], WorkingDir=path)
            except ApiError as error:
                equal(error.status in (400, 500), True, error.message)
                continue
            equal(ran.text.startswith("/") and "(unreachable)" not in ran.text, True, "%s: %r" % (path, ran))
            equal("canary" in ran.text or "sbin" in ran.text, False, "%s: %r" % (path, ran))
    container = d.start_new(["sleep", "1000"])
    for number in range(3, 20):
        path = "/proc/self/fd/%d" % number
        ran = d.exec(container, ["probe", "cwd"], WorkingDir=path)
        equal(ran.code != 0 or (ran.text.startswith("/") and "(unreachable)" not in ran.text), True, "%s: %r" % (path, ran))
    tar = fixtures.add_busybox(fixtures.Tar()).link("cwd", "/proc/self/fd/7").link("up", "../../../../../..")
    d.load(fixtures.docker_archive([tar.bytes()], ["r3:latest"], WorkingDir="/cwd"))
    try:
        ran = d.run(["probe", "cwd"], image="r3")
        equal(ran.code != 0 or ran.text.startswith("/"), True, repr(ran))
    except ApiError as error:
        equal(error.status in (400, 500), True)
    equal(sh(d, "probe cwd", image="r3", WorkingDir="/up"), "/\n")
    equal(sh(d, "ls /proc/self/fd").split(), ["0", "1", "2", "3"])  # 3 is ls's own
    equal(d.exec(container, ["ls", "/proc/self/fd"]).text.split(), ["0", "1", "2", "3"])


def test_r9_mount_points_are_made_inside_the_root(d):
    """CVE-2024-45310: making a mount's place follows no link out of the root."""
    before = canary(d)
    d.api.post("/volumes/create", {"Name": "evil"})
    volume = d.api.get("/volumes/evil")["Mountpoint"]
    os.symlink("../../../../../../../../../../.." + d.directory + "/canary", volume + "/a")
    os.symlink(d.directory + "/canary", volume + "/b")
    for target in ("/v/a/new", "/v/b/new", "/v/a/dir", "/v/b/../escaped"):
        for extra in ({"Tmpfs": {target: ""}}, {"Binds": ["evil:/v", "other:" + target]}):
            try:
                d.run(["true"], host={"Binds": ["evil:/v"], **extra})
            except ApiError as error:
                equal(error.status in (400, 500), True, error.message)
            equal(canary(d), before, "%s %s" % (target, extra))
    equal(os.path.exists(d.directory + "/escaped"), False)
    tar = (
        fixtures.add_busybox(fixtures.Tar())
        .link("data", d.directory + "/canary")
        .link("rel", "../../../../.." + d.directory + "/canary")
    )
    d.load(fixtures.docker_archive([tar.bytes()], ["r9:latest"]))
    for target in ("/data", "/data/new", "/rel/x"):
        try:
            d.run(["touch", target + "/inside"], image="r9", host={"Tmpfs": {target: ""}})
        except ApiError as error:
            contains(error.message, target)
        equal(canary(d), before, target)


def test_r5_proc_and_sys_must_be_directories(d):
    before = canary(d)
    for name, target in (("proc", "/tmp"), ("sys", "etc"), ("dev", "proc")):
        base = fixtures.add_busybox(fixtures.Tar()).bytes()
        layers = [base, fixtures.Tar().add(".wh." + name).bytes(), fixtures.Tar().link(name, target).bytes()]
        d.load(fixtures.docker_archive(layers, ["r5%s:latest" % name]))
        status_code, message = d.api.refused("POST", "/containers/%s/start" % d.create(["true"], image="r5" + name))
        contains(message, "/" + name)
    equal(canary(d), before)


def test_r10_inheritable_capabilities(d):
    """CVE-2022-29162, CVE-2022-24769: also in exec, also for users."""
    container = d.start_new(["sleep", "1000"])
    for user in ("", "1000", "alice"):
        for ran in (d.run(["cat", "/proc/self/status"], User=user), d.exec(container, ["cat", "/proc/self/status"], User=user)):
            rows = status(ran.text)
            equal((rows["CapInh"], rows["CapAmb"], rows["CapBnd"]), ("0" * 16, "0" * 16, DEFAULT_CAPS))
            equal(rows["CapEff"], "0" * 16 if user else DEFAULT_CAPS)


def test_r11_cgroup_files(d):
    ran = d.run(
        [
            "sh",
            "-c",
            "for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name memory.max 2>/dev/null); do echo 1 2>/dev/null >$f "
            "&& echo wrote $f; done; for m in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $m/new 2>/dev/null && echo made $m; done; true",
        ]
    )
    equal((ran.code, ran.out), (0, b""), repr(ran))


def test_r13_masks(d):
    """Everything that Docker masks reads empty or fails; what is read-only stays so; nothing can be unmounted."""
    masked = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ]
    text = sh(
        d,
        "for p in %s; do if [ -d $p ]; then ls -A $p | wc -l; elif [ -e $p ]; then head -c 10 $p | wc -c; else echo 0; fi; done"
        % " ".join(masked),
    )
    equal(text.split(), ["0"] * len(masked))
    row = d.inspect(d.create(["true"]))["HostConfig"]
    equal(set(masked) - set(row["MaskedPaths"]), set())
    equal(set(row["ReadonlyPaths"]), {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"})
    for path in ["/proc/kcore", "/proc/timer_list", "/sys/firmware", "/proc/sys"]:
        ran = d.run(["umount", path])
        equal(ran.code != 0, True, path)
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/panic",
        "/sys/kernel/uevent_helper",
        "/proc/sys/vm/drop_caches",
    ):
        ran = d.run(["sh", "-c", "echo x >%s" % path])
        equal(ran.code != 0, True, path)


def test_r15_dangerous_calls(d):
    """EPERM or ENOSYS for each; some give EINVAL or EFAULT after the filter would have let them through: not these."""
    rows = dict(line.split() for line in sh(d, "probe syscalls").splitlines())
    allowed = {"1", "38"}  # EPERM, ENOSYS
    equal({name: number for name, number in rows.items() if number not in allowed}, {})
    equal(rows["clone3"], "38")


def test_r16_devices(d):
    ran = d.run(
        ["sh", "-c", "mknod /raw b %d %d && head -c 1 /raw" % ((os.stat("/").st_dev >> 8) & 0xFFF, os.stat("/").st_dev & 0xFF)]
    )
    contains(ran.err, b"Operation not permitted")
    ran = d.run(["sh", "-c", "mknod /mem c 1 1 && head -c 1 /mem"])
    contains(ran.err, b"Operation not permitted")


def test_r17_setuid_and_no_new_privileges(d):
    tar = fixtures.add_busybox(fixtures.Tar())
    with open(fixtures.busybox(), "rb") as file:
        tar.add("bin/suid", data=file.read(), mode=0o4755)
    d.load(fixtures.docker_archive([tar.bytes()], ["suid:latest"]))
    equal(status(d.run(["cat", "/proc/self/status"], image="suid", User="1000").text)["Uid"].split(), ["1000"] * 4)


def test_a8_no_abstract_sockets(d):
    """CVE-2020-15257: a container in the host's network sees no control socket of ours, and cannot reach a monitor's."""
    container = d.start_new(["sleep", "1000"], host={"NetworkMode": "host"})
    text = d.exec(container, ["cat", "/proc/net/unix"]).text
    equal([line for line in text.splitlines() if "@" in line and re.search(r"holk|docker|contain|monitor", line)], [])
    equal(len(re.findall(r"(?m)/sock$", text)) >= 1, True, "the monitor's socket is a path")
    for path in [os.path.join(d.exec_root, container, "sock")]:
        info = os.stat(path)
        equal((stat.S_IMODE(info.st_mode) & 0o077, info.st_uid), (0, 0), path)
        equal(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        equal(d.exec(container, ["ls", path]).code, 1)
        done = subprocess.run(
            [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "python3",
                "-c",
                "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(%r)" % path,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        contains(done.stderr, "PermissionError")


def test_a22_copy_up_follows_no_link(d):
    """CVE-2022-23648: an image whose VOLUME is a link to somewhere on the host."""
    before = canary(d)
    tar = (
        fixtures.add_busybox(fixtures.Tar())
        .link("v", "/../../../../../.." + d.directory + "/canary")
        .link("w", "../../../.." + d.directory)
    )
    d.load(fixtures.docker_archive([tar.bytes()], ["a22:latest"], Volumes={"/v": {}, "/w/canary": {}, "/../../x": {}}))
    try:
        ran = d.run(["sh", "-c", "cat /v/file /w/canary/file 2>/dev/null; true"], image="a22")
        equal(b"canary" in ran.out, False, repr(ran))
    except ApiError as error:
        equal(error.status in (400, 500), True)
    equal(canary(d), before)


def test_a23_removal_follows_no_link(d):
    before = canary(d)
    d.api.post("/volumes/create", {"Name": "evil"})
    volume = d.api.get("/volumes/evil")["Mountpoint"]
    os.symlink(d.directory + "/canary", volume + "/link")
    d.run(["ln", "-s", d.directory + "/canary", "/link"])
    d.api.delete("/volumes/evil")
    eventually(lambda: not os.path.exists(volume))
    equal(canary(d), before)


@options(timeout=120)
def test_r20_bombs(d):
    """A fork bomb within its limit, memory beyond its limit: the daemon answers all the while."""
    bomb = d.start_new(["sh", "-c", "b() { b | b & }; b; sleep 100"], host={"PidsLimit": 100, "NanoCpus": 500000000})
    hungry = d.start_new(["tail", "/dev/zero"], host={"Memory": 64 << 20, "MemorySwap": 64 << 20})
    equal(d.wait(hungry), 137)
    equal(d.state(hungry)["OOMKilled"], True)
    for _ in range(20):
        equal(d.api.request("GET", "/_ping", timeout=5).read(), b"OK")
    d.remove(bomb)
