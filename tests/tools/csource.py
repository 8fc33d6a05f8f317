"""C source with comments and literals blanked out, so that the checks see code only. Lines and columns stay."""
import os
import re

TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def blank(found):
    text = found[0]
    inner = re.sub(r"[^\n]", " ", text[1:-1])
    keep = text[0] if text[0] in "\"'" else " "
    return keep + inner + keep


def code_only(text):
    return TOKEN.sub(blank, text)


def default_root():
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def sources(root, endings=(".c", ".h")):
    for folder, folders, names in os.walk(root):
        here = os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build")) or (here == "." and f == "builder"))
        for name in sorted(names):
            if name.endswith(endings):
                yield os.path.normpath(os.path.join(here, name))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as source:
        return source.read()
