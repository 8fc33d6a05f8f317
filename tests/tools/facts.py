#!/usr/bin/env python3
"""Prints the facts file of a monitor (EXEC_ROOT/<id>/facts), one line per fact.

usage: facts.py FILE"""
import re
import struct
import sys
import time

SIZE = 512
LAYOUT = struct.Struct("<IIQqiiiIQQqI65s3s352s")
KINDS = {1: "start", 2: "exit", 3: "oom", 4: "restart"}


def kinds():
    """Names from the header, when this runs inside of a source tree."""
    try:
        with open(__file__.rsplit("/tests/", 1)[0] + "/lib/plan/monitor.h") as file:
            return {int(number): name.lower() for name, number in re.findall(r"MON_FACT_(\w+) = (\d+)", file.read())}
    except OSError:
        return KINDS


def main():
    names = kinds()
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    for offset in range(0, len(data) - SIZE + 1, SIZE):
        (_, kind, number, when, pid, code, signal, flags, ticks, count, delay, restarts, exec_id, _, text) = LAYOUT.unpack_from(
            data, offset
        )
        stamp = time.strftime("%H:%M:%S", time.gmtime(when // 10**9)) + ".%06d" % (when % 10**9 // 1000)
        fields = {
            "pid": pid,
            "exit_code": code if names.get(kind) == "exit" or code else 0,
            "signal": signal,
            "flags": flags,
            "start_ticks": ticks,
            "count": count,
            "delay_ms": delay,
            "restarts": restarts,
            "exec": exec_id.rstrip(b"\0").decode(errors="replace"),
            "text": text.rstrip(b"\0").decode(errors="replace"),
        }
        print(
            number, stamp, names.get(kind, kind), *("%s=%s" % pair for pair in fields.items() if pair[1] or pair[0] == "exit_code")
        )
    if len(data) % SIZE:
        print("torn: %d bytes" % (len(data) % SIZE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
