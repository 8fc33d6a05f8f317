"""memory, cpus, pids: written where the kernel reads them, and felt by the container."""
import os
import time

import leaks
from harness import Skip, contains, equal, eventually, raises
from test_isolation import refused


def control(d, container, v2_name, v1_name):
    """The content of a cgroup file of the container."""
    for folder in leaks.cgroup_dirs(d.cgroup_parent):
        if os.path.basename(folder) != container and container not in folder:
            continue
        for name in (v2_name, v1_name):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                with open(path) as file:
                    return file.read().strip()
    raise Skip("no controller for %s here" % v2_name)


def test_memory(d):
    container = d.start_new(["sleep", "100"], host={"Memory": 32 << 20, "MemorySwap": 32 << 20})
    equal(control(d, container, "memory.max", "memory.limit_in_bytes"), str(32 << 20))
    raises(400, d.create, ["true"], host={"Memory": 1 << 20}, text="Minimum memory limit allowed is 6MB")
    refused(d, {"Memory": 32 << 20, "MemorySwap": 16 << 20}, "minimum memoryswap limit should be larger than memory limit")


def test_out_of_memory(d):
    container = d.start_new(["tail", "/dev/zero"], host={"Memory": 16 << 20, "MemorySwap": 16 << 20})
    equal(d.wait(container), 137)
    state = d.state(container)
    equal((state["OOMKilled"], state["ExitCode"]), (True, 137))


def test_pids(d):
    container = d.start_new(["sleep", "100"], host={"PidsLimit": 10})
    equal(control(d, container, "pids.max", "pids.max"), "10")
    ran = d.exec(container, ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait"])
    contains(ran.err, b"can't fork")
    equal(d.state(container)["Running"], True)


def test_cpus(d):
    container = d.start_new(["sh", "-c", "while :; do :; done"], host={"NanoCpus": 250000000, "CpuShares": 512})
    pid = d.state(container)["Pid"]

    def used():
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    time.sleep(0.3)
    before, began = used(), time.monotonic()
    time.sleep(2)
    share = (used() - before) / (time.monotonic() - began)
    equal(0.05 < share < 0.4, True, "used %.2f of a processor, 0.25 allowed" % share)
    refused(d, {"NanoCpus": 1000 * 10**9}, "range of cpus is from 0.01 to")
    refused(d, {"CpusetCpus": "999"}, "requested cpus are not available")


def test_cpuset(d):
    container = d.start_new(["grep", "Cpus_allowed_list", "/proc/self/status"], host={"CpusetCpus": "0"})
    d.wait(container)
    equal(d.logs(container)[0].split(), [b"Cpus_allowed_list:", b"0"])


def test_update_is_felt(d):
    container = d.start_new(["sleep", "100"], host={"Memory": 32 << 20, "MemorySwap": -1})
    d.api.post("/containers/%s/update" % container, {"Memory": 48 << 20, "MemorySwap": -1, "PidsLimit": 77})
    equal(control(d, container, "memory.max", "memory.limit_in_bytes"), str(48 << 20))
    equal(control(d, container, "pids.max", "pids.max"), "77")
    d.api.post("/containers/%s/restart" % container, t=0)
    equal(control(d, container, "memory.max", "memory.limit_in_bytes"), str(48 << 20))


def test_cgroup_is_gone_at_once_after_the_end(d):
    container = d.start_new(["sh", "-c", "(sleep 100 &); exit 0"])
    equal(d.wait(container), 0)
    eventually(lambda: not leaks.cgroup_dirs(d.cgroup_parent), "cgroups are removed", 5)


def test_cgroup_parent_of_a_container(d):
    container = d.start_new(["sleep", "100"], host={"CgroupParent": d.cgroup_parent + "/nested"})
    folders = [folder for folder in leaks.cgroup_dirs(d.cgroup_parent) if container in folder]
    equal(bool(folders) and all("/nested/" in folder for folder in folders), True, str(folders))
    d.remove(container)
    eventually(lambda: not [f for f in leaks.cgroup_dirs(d.cgroup_parent) if container in f])
    leaks.remove_cgroups(d.cgroup_parent + "/nested")
