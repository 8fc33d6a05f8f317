#!/usr/bin/env python3
"""A room may include only itself and rooms on lower floors; a few doors are shut besides. No exceptions.

usage: check-floors.py [ROOT]
"""
import os
import re
import sys

from csource import default_root, read, sources

FLOORS = {
    "lib/base": 0,
    "lib/sys": 1, "lib/plan": 1, "lib/loop": 1, "lib/json": 1, "lib/db": 1, "lib/archive": 1, "lib/http": 1, "lib/nft": 1,
    "lib/oci": 2, "lib/api": 2, "lib/jobs": 2,
    "lib/store": 3, "lib/unpack": 3, "lib/net": 3, "lib/volume": 3, "lib/runtime": 3,
    "registry": 3,
    "builder": 4,
    "daemon/monitor": 4,
    "daemon/worker": 5, "daemon/engine": 5, "daemon/server": 5,
    "daemon/routes": 6,
    "daemon": 7,  # main.c
    "cli": 3,
    "tests": 8,  # programs over whole processes; they may look anywhere but into cli
}
# A room outside of both lists may not include the target at all.
ONLY_FROM = {
    "cli": {"cli"},
}
FORBIDDEN = {("daemon/engine", "lib/runtime")}
ALLOWED = {"cli": {"cli", "lib/base", "lib/json", "lib/api", "lib/http"}}
# Foreign headers and the only room that may include each.
FOREIGN = {
    "jansson.h": "lib/json",
    "sqlite3.h": "lib/db",
    "lzma.h": "lib/archive",
    "bzlib.h": "lib/archive",
    "curl/": "registry",
    "microhttpd.h": "daemon/server",
    "libmnl/": "lib/nft",
    "linux/netfilter/nf_tables.h": "lib/nft",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def room_of(path):
    """The longest room name that is a folder of path, or None."""
    folder = os.path.dirname(path)
    while folder:
        if folder in FLOORS:
            return folder
        folder = os.path.dirname(folder)
    return None


def judge(room, target):
    """What is wrong with room including a header of target; None when nothing is."""
    if room == target:
        return None
    if (room, target) in FORBIDDEN:
        return "this door is shut"
    if target in ONLY_FROM and room not in ONLY_FROM[target]:
        return "nobody includes this room"
    if room in ALLOWED and target not in ALLOWED[room]:
        return "may use only " + " ".join(sorted(ALLOWED[room] - {room}))
    if FLOORS[target] == FLOORS[room]:
        return "another room of the same floor (%d)" % FLOORS[room]
    if FLOORS[target] > FLOORS[room]:
        return "upwards, floor %d to %d" % (FLOORS[room], FLOORS[target])
    return None


def check_include(root, path, room, quoted, name):
    for prefix, owner in FOREIGN.items():
        if (name == prefix or (prefix.endswith("/") and name.startswith(prefix))) and room != owner:
            return "only %s includes <%s>" % (owner, name)
    if not quoted:
        return None
    target = room_of(name)
    if target is None:
        generated = os.path.splitext(name)[0] + ".h.in"
        if "/" not in name and (os.path.exists(os.path.join(root, generated)) or name == "config.h"):
            return None
        return "includes start at the root of the tree, in a room of the table"
    return judge(room, target)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else default_root()
    complaints = files = 0
    for path in sources(root):
        room = room_of(path)
        files += 1
        if room is None:
            print("%s: not in a room of the table" % path)
            complaints += 1
            continue
        text = read(root, path)
        for found in INCLUDE.finditer(text):
            wrong = check_include(root, path, room, found[1] == '"', found[2])
            if wrong:
                line = text.count("\n", 0, found.start()) + 1
                print("%s:%d: %s includes %s: %s" % (path, line, room, found[2], wrong))
                complaints += 1
    print("%d files, %d complaints" % (files, complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
