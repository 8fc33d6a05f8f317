#!/usr/bin/env python3
"""Calls that this house does without, and calls that belong to one room only.

usage: check-banned.py [ROOT]
"""
import re
import sys

from csource import code_only, default_root, read, sources

BANNED = {
    "strcpy": "str_copy", "strcat": "struct buf", "sprintf": "snprintf, buf_printf, str_format", "vsprintf": "vsnprintf",
    "strtok": "strv_split", "atoi": "str_to_i64", "atol": "str_to_i64", "atoll": "str_to_i64",
    "system": "proc_spawn", "popen": "proc_spawn", "gets": "io_read_fd",
}
# Between fork and exec only the single-threaded rooms may run code of ours.
FORKING = ("daemon/monitor/", "lib/runtime/", "tests/bench/")
ROOMS = {"fork": FORKING, "vfork": FORKING}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(list(BANNED) + list(ROOMS)))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else default_root()
    complaints = files = 0
    for path in sources(root):
        files += 1
        code = code_only(read(root, path))
        for found in CALL.finditer(code):
            word = found[1]
            if word in ROOMS and (path.startswith(ROOMS[word]) or path.endswith("_test.c")):
                continue  # a test may play another process
            line = code.count("\n", 0, found.start()) + 1
            advice = "use " + BANNED[word] if word in BANNED else "only in " + " ".join(ROOMS[word])
            print("%s:%d: %s(): %s" % (path, line, word, advice))
            complaints += 1
    print("%d files, %d complaints" % (files, complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
