"""What a daemon may leave behind when its containers are gone: nothing. One helper looks everywhere."""
import json
import os

CGROUPS = "/sys/fs/cgroup"


def cgroup_dirs(parent):
    """Every cgroup directory below (not at) parent, in all hierarchies."""
    parent = parent.strip("/")
    roots = [CGROUPS] + [os.path.join(CGROUPS, name) for name in sorted(os.listdir(CGROUPS))]
    found, seen = [], set()
    for root in roots:
        top = os.path.join(root, parent)
        if not os.path.isdir(top) or os.path.realpath(top) in seen:
            continue
        seen.add(os.path.realpath(top))
        for folder, names, _ in os.walk(top):
            found += [os.path.join(folder, name) for name in names]
    return found


def cgroup_tops(parent):
    parent = parent.strip("/")
    roots = [CGROUPS] + [os.path.join(CGROUPS, name) for name in sorted(os.listdir(CGROUPS))]
    return [os.path.join(root, parent) for root in roots if os.path.isdir(os.path.join(root, parent))]


def cgroup_pids(parent):
    """Processes in parent or below it: pid -> command line."""
    pids = set()
    for folder in cgroup_tops(parent) + cgroup_dirs(parent):
        try:
            with open(folder + "/cgroup.procs") as file:
                pids.update(int(line) for line in file)
        except OSError:
            continue
    return {pid: command_line(pid) for pid in pids}


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"


def remove_cgroups(parent):
    for folder in sorted(cgroup_dirs(parent) + cgroup_tops(parent), key=len, reverse=True):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def mounts(text, pid="self"):
    """Lines of a mount table that name the text (a directory of the test)."""
    try:
        with open("/proc/%s/mountinfo" % pid) as file:
            return [line.strip() for line in file if text in line]
    except OSError:
        return []


def listening(namespace):
    """(protocol, local address) of every listening TCP and bound UDP socket of a namespace."""
    found = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        try:
            with open("/proc/%d/net/%s" % (namespace.holder.pid, protocol)) as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        found.update((protocol, row[1]) for row in rows if protocol.startswith("udp") or row[3] == "0A")
    return found


def nft_ruleset(namespace):
    """The ruleset without handles and counters, so that two moments compare."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in ("handle", "packets", "bytes", "expires")}
        return [plain(item) for item in value] if isinstance(value, list) else value

    ruleset = json.loads(namespace.run("nft", "-j", "list", "ruleset") or "{}")
    return [json.dumps(plain(row), sort_keys=True) for row in ruleset.get("nftables", []) if "metainfo" not in row]


def entries(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


class Watch:
    """Remembers how the machine looked when a daemon was up and empty; tells what has been added since."""

    def __init__(self, directory, data_root, exec_root, cgroup_parent, namespace):
        self.directory, self.data_root, self.exec_root = directory, data_root, exec_root
        self.cgroup_parent, self.namespace = cgroup_parent, namespace
        self.links = set(namespace.links())
        self.nft = nft_ruleset(namespace)
        self.listening = listening(namespace)
        self.exec_entries = set(entries(exec_root))
        self.allowed_pids = set()

    def processes(self):
        found = self.namespace.processes()
        found.update(cgroup_pids(self.cgroup_parent))
        return {pid: line for pid, line in found.items() if pid not in self.allowed_pids}

    def storage(self):
        """Left-overs on disk while the daemon is up and has no containers."""
        found = []
        for name in ("tmp", "containers"):  # not trash: a queue that the daemon empties when it has nothing better to do
            path = os.path.join(self.data_root, name)
            found += ["file %s" % os.path.join(path, entry) for entry in entries(path)]
        found += ["state %s" % os.path.join(self.exec_root, name) for name in set(entries(self.exec_root)) - self.exec_entries]
        return found

    def network(self):
        found = ["link %s" % name for name in sorted(set(self.namespace.links()) - self.links)]
        nft = nft_ruleset(self.namespace)
        found += ["nft added: %s" % row for row in nft if row not in self.nft]
        found += ["nft missing: %s" % row for row in self.nft if row not in nft]
        found += ["socket %s %s" % pair for pair in sorted(listening(self.namespace) - self.listening)]
        return found

    def kernel(self, may_live):
        """Processes, cgroups, mounts; may_live: the pid of the daemon while it is up."""
        found = ["process %d: %s" % (pid, line) for pid, line in self.processes().items() if pid not in may_live]
        found += ["cgroup %s" % path for path in cgroup_dirs(self.cgroup_parent)]
        found += ["mount %s" % line for line in mounts(self.directory)]
        for pid in may_live:
            found += ["mount of the daemon %s" % line for line in mounts(self.directory, pid)]
        return found
