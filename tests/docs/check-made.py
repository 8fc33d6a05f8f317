#!/usr/bin/env python3
"""Is a generated document what its program prints now? UPDATE_GOLDEN=1 writes it anew.

usage: check-made.py DOCUMENT PROGRAM [ARGUMENT...]
"""
import difflib
import os
import subprocess
import sys


def main():
    path, command = sys.argv[1], sys.argv[2:]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    if os.environ.get("UPDATE_GOLDEN"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(made)
        return 0
    try:
        with open(path) as kept_file:
            kept = kept_file.read()
    except FileNotFoundError:
        kept = ""
    if kept == made:
        return 0
    lines = difflib.unified_diff(kept.splitlines(), made.splitlines(), path, " ".join(command), lineterm="")
    print("\n".join(list(lines)[:40]))
    print("%s is not current; UPDATE_GOLDEN=1 writes it" % path)
    return 1


if __name__ == "__main__":
    sys.exit(main())
