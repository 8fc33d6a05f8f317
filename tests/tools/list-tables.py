#!/usr/bin/env python3
"""Writes a C initialiser list with every codec table that the given headers declare."""
import pathlib
import re
import sys

out, headers = pathlib.Path(sys.argv[1]), sys.argv[2:]
names = []
for header in headers:
    names += re.findall(r"^CODEC_DECLARE\((\w+)\);", pathlib.Path(header).read_text(), re.M)
out.write_text("".join(f"&{name}_type,\n" for name in names))
