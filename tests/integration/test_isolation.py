"""What a container sees and may: namespaces, users, environment, files of its own, masks, capabilities, limits."""
import os
import re
import time

from harness import ApiError, contains, equal, raises

DEFAULT_CAPS = "00000000a80425fb"


def sh(d, script, **more):
    ran = d.run(["sh", "-c", script], **more)
    equal((ran.code, ran.err), (0, b""), script)
    return ran.text


def refused(d, host, words=""):
    """Create or start must refuse this HostConfig (Docker finds some mistakes only at start, and calls them 500)."""
    try:
        d.start_new(["true"], host=host)
    except ApiError as error:
        equal(error.status in (400, 404, 409, 500), True, str(error))
        contains(error.message.lower(), words.lower())
        return
    raise AssertionError("accepted: %r" % host)


def status(text):
    return dict(re.findall(r"(?m)^(\w+):\s*(.*)$", text))


def test_namespaces_are_its_own(d):
    names = ["pid", "mnt", "uts", "ipc", "net"] + (["cgroup"] if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else [])
    inside = sh(d, "for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(names)).split()
    daemon = [os.readlink("/proc/%d/ns/%s" % (d.process.pid, name)) for name in names]
    for name, own, outer in zip(names, inside, daemon):
        equal(own != outer, True, name)
    equal(sh(d, "echo $$").strip(), "1")
    outer = sh(
        d,
        "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts; readlink /proc/self/ns/net",
        host={"PidMode": "host", "IpcMode": "host", "UTSMode": "host", "NetworkMode": "host"},
    ).split()
    equal(outer, [os.readlink("/proc/%d/ns/%s" % (d.process.pid, name)) for name in ("pid", "ipc", "uts", "net")])


def test_join_another_container(d):
    first = d.start_new(["sleep", "100"], host={"IpcMode": "shareable"})
    ns = {name: d.exec(first, ["readlink", "/proc/1/ns/" + name]).text for name in ("pid", "ipc", "net")}
    joined = sh(
        d,
        "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/net",
        host={"PidMode": "container:" + first, "IpcMode": "container:" + first, "NetworkMode": "container:" + first},
    )
    equal(joined, ns["pid"] + ns["ipc"] + ns["net"])


def test_environment(d):
    lines = sh(d, "env", Env=["A=1", "B=two words", "EMPTY=", "PATH=/bin"], Hostname="box").splitlines()
    equal(sorted(lines), ["A=1", "B=two words", "EMPTY=", "HOME=/root", "HOSTNAME=box", "PATH=/bin", "PWD=/", "SHLVL=1"])
    contains(sh(d, "env").splitlines(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    contains(d.run(["env"], Tty=True).text, "TERM=xterm")


def test_users(d):
    for user, wanted in (
        ("", "uid=0(root) gid=0(root) groups=0(root)"),
        ("alice", "uid=1000(alice) gid=1000(alice) groups=29(audio),50(staff),1000(alice)"),
        ("1000", "uid=1000(alice) gid=1000(alice) groups=29(audio),50(staff),1000(alice)"),
        ("1000:33", "uid=1000(alice) gid=33(www) groups=33(www)"),
        ("alice:staff", "uid=1000(alice) gid=50(staff) groups=50(staff)"),
        ("4242", "uid=4242 gid=0(root) groups=0(root)"),
        ("4242:4343", "uid=4242 gid=4343 groups=4343"),
        (":33", "uid=0(root) gid=33(www) groups=33(www)"),
    ):
        equal(sh(d, "id", User=user).strip(), wanted, "user " + user)
    equal(sh(d, "id -G", User="1000:33", host={"GroupAdd": ["audio", "777"]}).split(), ["33", "29", "777"])
    equal(sh(d, "echo $HOME", User="alice"), "/home/alice\n")
    for bad, words in (
        ("nobodyhere", "unable to find user nobodyhere: no matching entries in passwd file"),
        ("0:nogrouphere", "unable to find group nogrouphere: no matching entries in group file"),
        ("4294967296", ""),
        ("-1", ""),
        ("2147483648", ""),
    ):
        container = d.create(["true"], User=bad)
        status_code, message = d.api.refused("POST", "/containers/%s/start" % container)
        equal(status_code in (400, 500), True, message)
        contains(message, words, bad)


def test_workdir(d):
    equal(sh(d, "pwd", WorkingDir="/tmp"), "/tmp\n")
    equal(sh(d, "pwd; stat -c %U:%a /new/deep/dir", WorkingDir="/new/deep/dir"), "/new/deep/dir\nroot:755\n")
    message = raises(400, d.create, ["true"], WorkingDir="relative")
    contains(message, "the working directory 'relative' is invalid, it needs to be an absolute path")


def test_hostname_and_files(d):
    text = sh(
        d,
        "hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf; cat /proc/sys/kernel/domainname",
        Hostname="web",
        Domainname="example.test",
        host={"ExtraHosts": ["db:10.1.2.3"], "Dns": ["192.0.2.53"], "DnsSearch": ["corp.test"], "DnsOptions": ["ndots:2"]},
    )
    equal(text.splitlines()[:2], ["web", "web"])
    equal(text.splitlines()[-1], "example.test")
    contains(text, "10.1.2.3\tdb\n")
    contains(text, "127.0.0.1\tlocalhost\n")
    contains(text, "web.example.test web\n")
    for line in ("nameserver 192.0.2.53", "search corp.test", "options ndots:2"):
        contains(text.splitlines(), line)
    container = d.start_new(["sleep", "100"])
    row = d.inspect(container)
    equal(d.exec(container, ["hostname"]).text, container[:12] + "\n")
    equal(row["Config"]["Hostname"], container[:12])
    address = row["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    contains(d.exec(container, ["cat", "/etc/hosts"]).text, "%s\t%s\n" % (address, container[:12]))
    for name in ("HostnamePath", "HostsPath", "ResolvConfPath"):
        equal(os.path.basename(os.path.dirname(row[name])), container, name)


def test_capabilities(d):
    rows = status(sh(d, "cat /proc/self/status"))
    equal(
        {name: rows[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        {"CapInh": "0" * 16, "CapPrm": DEFAULT_CAPS, "CapEff": DEFAULT_CAPS, "CapBnd": DEFAULT_CAPS, "CapAmb": "0" * 16},
    )
    rows = status(sh(d, "cat /proc/self/status", User="1000"))
    equal((rows["CapEff"], rows["CapPrm"], rows["CapBnd"]), ("0" * 16, "0" * 16, DEFAULT_CAPS))
    rows = status(sh(d, "cat /proc/self/status", host={"CapDrop": ["ALL"], "CapAdd": ["NET_ADMIN", "CAP_CHOWN"]}))
    equal(rows["CapEff"], "%016x" % (1 << 12 | 1 << 0))
    rows = status(sh(d, "cat /proc/self/status", host={"CapDrop": ["mknod"], "CapAdd": ["sys_time"]}))
    equal(rows["CapEff"], "%016x" % (int(DEFAULT_CAPS, 16) & ~(1 << 27) | 1 << 25))
    raises(400, d.create, ["true"], host={"CapAdd": ["CAP_NONSENSE"]}, text="CAP_NONSENSE")


def test_privileged(d):
    with open("/proc/sys/kernel/cap_last_cap") as file:
        every = (1 << (int(file.read()) + 1)) - 1
    with open("/proc/self/status") as file:
        own = int(status(file.read())["CapBnd"], 16)
    rows = status(sh(d, "cat /proc/self/status", host={"Privileged": True}))
    equal(int(rows["CapEff"], 16), every & own)
    equal(rows["Seccomp"], "0")
    equal(
        sh(
            d, "mount -t tmpfs none /tmp && ls /dev/null && test -c /dev/mem -o -c /dev/kmsg && echo yes", host={"Privileged": True}
        )[-4:],
        "yes\n",
    )
    equal(sh(d, "echo ok; [ ! -w /proc/sys/kernel/domainname ] || echo rw", host={"Privileged": True}), "ok\nrw\n")


def test_seccomp_and_no_new_privileges(d):
    rows = status(sh(d, "cat /proc/self/status"))
    equal((rows["Seccomp"], rows["NoNewPrivs"]), ("2", "0"))
    rows = status(sh(d, "cat /proc/self/status", host={"SecurityOpt": ["no-new-privileges"]}))
    equal(rows["NoNewPrivs"], "1")
    equal(status(sh(d, "cat /proc/self/status", host={"SecurityOpt": ["seccomp=unconfined"]}))["Seccomp"], "0")
    equal(d.run(["unshare", "-U", "true"]).code != 0, True)
    equal(d.run(["unshare", "-m", "true"]).code != 0, True)
    profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}'
    ran = d.run(["mkdir", "/x"], host={"SecurityOpt": ["seccomp=" + profile]})
    equal(ran.code, 1)
    contains(ran.err, b"Operation not permitted")
    refused(d, {"SecurityOpt": ["seccomp={broken"]}, "seccomp profile")
    refused(d, {"SecurityOpt": ["colour=red"]}, "colour=red")


def test_read_only_root(d):
    ran = d.run(
        ["sh", "-c", "touch /x; touch /tmp/x; echo more >>/etc/hosts"], host={"ReadonlyRootfs": True, "Tmpfs": {"/tmp": ""}}
    )
    contains(ran.err, b"/x: Read-only file system")
    equal(ran.err.count(b"Read-only"), 2)


def test_masked_and_read_only_paths(d):
    equal(
        sh(
            d,
            "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware /proc/scsi /proc/acpi 2>/dev/null | grep -v : | "
            "grep -c . || true",
        ).split(),
        ["0", "0"],
    )
    ran = d.run(["sh", "-c", "echo 1 >/proc/sys/kernel/hostname; echo 1 >/proc/irq/default_smp_affinity"])
    equal(ran.err.count(b"Read-only file system"), 2, repr(ran.err))
    ran = d.run(["sh", "-c", "umount /proc/kcore; umount /sys/firmware; mount -o remount,rw /proc/sys"])
    equal(ran.err.lower().count(b"permi") + ran.err.lower().count(b"not permitted") > 0 and ran.code != 0, True, repr(ran))
    row = d.inspect(d.create(["true"]))["HostConfig"]
    contains(row["MaskedPaths"], "/proc/kcore")
    contains(row["ReadonlyPaths"], "/proc/sys")


def test_dev(d):
    lines = sh(
        d,
        "cd /dev; for n in null zero full random urandom tty; do stat -c '%n %t:%T %a' $n; done; for n in fd stdin stdout stderr ptmx; do readlink $n; done; "
        "mount | grep -E ' /dev(/[a-z]+)? ' | awk '{print $3, $5}'",
    ).splitlines()
    equal(lines[:6], ["null 1:3 666", "zero 1:5 666", "full 1:7 666", "random 1:8 666", "urandom 1:9 666", "tty 5:0 666"])
    equal(lines[6:11], ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"])
    equal(set(lines[11:]), {"/dev tmpfs", "/dev/pts devpts", "/dev/mqueue mqueue", "/dev/shm tmpfs"})
    equal(sh(d, "df -k /dev/shm | tail -1 | awk '{print $2}'").strip(), "65536")
    equal(sh(d, "df -k /dev/shm | tail -1 | awk '{print $2}'", host={"ShmSize": 8 << 20}).strip(), "8192")
    ran = d.run(["sh", "-c", "mknod /d b 254 0 && dd if=/d of=/dev/null count=1"])
    contains(ran.err, b"Operation not permitted")


def test_file_descriptors_of_the_payload(d):
    equal(sh(d, "ls /proc/self/fd").split(), ["0", "1", "2", "3"])  # 3 is ls's own directory
    container = d.start_new(["sleep", "100"])
    equal(d.exec(container, ["ls", "/proc/self/fd"]).text.split(), ["0", "1", "2", "3"])
    equal(d.exec(container, ["ls", "/proc/1/fd"]).text.split(), ["0", "1", "2"])


def test_mount_table_of_a_container(d):
    text = sh(d, "cat /proc/self/mountinfo")
    equal(text.splitlines()[0].split()[4:5] == ["/"] and " overlay overlay " in text.splitlines()[0], True)
    equal(d.directory in "\n".join(line for line in text.splitlines() if " overlay " not in line and "/etc/" not in line), False)


def test_ulimits_and_oom(d):
    equal(sh(d, "ulimit -n; ulimit -Hn", host={"Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}]}).split(), ["100", "200"])
    refused(d, {"Ulimits": [{"Name": "colour", "Soft": 1, "Hard": 1}]}, "colour")
    refused(d, {"Ulimits": [{"Name": "nofile", "Soft": 300, "Hard": 200}]})
    equal(sh(d, "cat /proc/self/oom_score_adj", host={"OomScoreAdj": 500}).strip(), "500")
    raises(400, d.create, ["true"], host={"OomScoreAdj": 5000})


def test_init_process(d):
    lines = sh(d, "ps -o pid,args", host={"Init": True}).splitlines()
    contains(lines[1], "init")
    equal(any("sh -c ps" in line and not line.strip().startswith("1 ") for line in lines), True, str(lines))
    container = d.start_new(["sh", "-c", "(sleep 0.2 &) ; sleep 0.1; while :; do sleep 0.05; done"], host={"Init": True})
    time.sleep(0.5)
    states = d.exec(container, ["sh", "-c", "cat /proc/[0-9]*/stat | awk '{print $3}'"]).text.split()
    equal("Z" in states, False, "zombies are reaped")


def test_sysctls(d):
    equal(
        sh(
            d,
            "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax",
            host={"Sysctls": {"net.core.somaxconn": "333", "kernel.msgmax": "9999"}},
        ).split(),
        ["333", "9999"],
    )
    for name in ("kernel.core_pattern", "vm.swappiness", "net.ipv4/../../kernel.core_pattern", "net.core.somaxconn=1"):
        refused(d, {"Sysctls": {name: "1"}}, "sysctl")
