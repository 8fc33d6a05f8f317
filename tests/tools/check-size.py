#!/usr/bin/env python3
"""Functions of at most 100 lines, files of at most 600.

usage: check-size.py [ROOT]
"""
import re
import sys

from csource import code_only, default_root, read, sources

FUNCTION_LINES = 100
FILE_LINES = 600
LONG_FUNCTIONS = set()  # "path:name"
LONG_FILES = set()  # "path"

# Linux braces: a function's body opens and closes in the first column.
NAME = re.compile(r"([A-Za-z_]\w*)\s*\((?:[^()]|\([^()]*\))*\)[^;{}()]*$")


def functions(code):
    """Yields name, first line and length of every function body."""
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            head = "\n".join(lines[max(0, start - 12):start - 1])
            head = re.split(r"[;}]|^\s*$|^#.*$", head, flags=re.MULTILINE)[-1]
            found = NAME.search(head.strip())
            yield found[1] if found else "?", start, number - start + 1
            start = None


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else default_root()
    complaints = files = 0
    for path in sources(root):
        files += 1
        text = read(root, path)
        length = text.count("\n")
        if length > FILE_LINES and path not in LONG_FILES:
            print("%s: %d lines, at most %d" % (path, length, FILE_LINES))
            complaints += 1
        for name, line, size in functions(code_only(text)):
            if size > FUNCTION_LINES and "%s:%s" % (path, name) not in LONG_FUNCTIONS:
                print("%s:%d: %s has %d lines, at most %d" % (path, line, name, size, FUNCTION_LINES))
                complaints += 1
    print("%d files, %d complaints" % (files, complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
