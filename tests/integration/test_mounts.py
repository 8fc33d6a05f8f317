"""The mount table inside: our mounts, the user's, and nothing of the host."""
import os

from harness import equal

OWN = ["/", "/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys"]
NAMES = {"/": "overlay", "/dev": "tmpfs", "/dev/mqueue": "mqueue", "/dev/pts": "devpts", "/dev/shm": "shm", "/proc": "proc", "/sys": "sysfs"}


def table(d, **more):
    """(mount point, source, options) of every mount, leaving out cgroups and what is masked or made read-only below /proc and /sys."""
    ran = d.run(["cat", "/proc/self/mountinfo"], **more)
    equal((ran.code, ran.err), (0, b""))
    rows = []
    for line in ran.text.splitlines():
        left, right = line.split(" - ")
        point = left.split()[4]
        if not point.startswith(("/proc/", "/sys/")):
            rows.append((point, right.split()[1], left.split()[5]))
    return sorted(rows)


def test_only_our_mounts(d):
    rows = table(d)
    equal([row[0] for row in rows], OWN)
    for point, source, _ in rows:
        equal(source, NAMES.get(point, source), point)


def test_propagation_brings_nothing_of_the_host(d):
    """Shared and slave binds keep the host's propagation until the pivot: the old root must be gone all the same."""
    source = os.path.join(d.directory, "source")
    os.makedirs(source)
    for mode in ("rprivate", "rslave", "rshared"):
        rows = table(d, host={"Mounts": [{"Type": "bind", "Source": source, "Target": "/bound", "BindOptions": {"Propagation": mode}}]})
        equal([row[0] for row in rows], sorted(OWN + ["/bound"]), mode)


def test_the_host_sees_no_mount(d):
    container = d.start_new(["sleep", "100"], host={"Binds": ["/tmp:/t"]})
    equal([line for line in open("/proc/self/mountinfo") if d.directory in line or container in line], [])


def test_processes_of_the_host_are_not_there(d):
    pids = d.run(["sh", "-c", "cd /proc; echo [0-9]*"]).text.split()
    equal(pids, ["1"])
    equal(d.run(["sh", "-c", "ls -d /proc/1/root/work /proc/1/root/var/tmp/* 2>/dev/null | wc -l"]).text.strip(), "0")
