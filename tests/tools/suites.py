#!/usr/bin/env python3
"""The suites of tests/run: builds what each needs, runs it, adds up.

usage: suites.py [SUITE [PATTERN...]]      SUITE: unit integration compat corpus docs, or long"""
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBUG, RELEASE = ROOT + "/build-debug", ROOT + "/build-release"
CLOSING = re.compile(rb"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.MULTILINE)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed, self.failed, self.skipped = (
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self):
        return "%d passed, %d failed%s" % (self.passed, self.failed, ", %d skipped" % self.skipped if self.skipped else "")


class BuildFailed(Exception):
    pass


def quietly(command):
    """Runs a command; its output is shown when it fails."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace")[-12000:])
        raise BuildFailed(" ".join(command))


def build(directory, *settings):
    began = time.monotonic()
    if not os.path.exists(directory + "/build.ninja"):
        quietly(["meson", "setup", directory, ROOT, *settings])
    quietly(["ninja", "-C", directory])
    print("built %s in %.0f s" % (os.path.basename(directory), time.monotonic() - began), flush=True)


def build_debug():
    build(DEBUG, "--buildtype=debug", "-Db_sanitize=address,undefined", "-Db_lundef=false")


def build_release():
    build(RELEASE, "--buildtype=release")


def count_unit_log(path):
    """The points of TAP tests, and one for each other program."""
    count = Count()
    with open(path) as file:
        for test in map(json.loads, file):
            output = test.get("stdout") or ""
            good = len(re.findall(r"^ok\b(?!.*# SKIP)", output, re.MULTILINE))
            bad = len(re.findall(r"^not ok\b", output, re.MULTILINE))
            skipped = len(re.findall(r"^ok\b.*# SKIP", output, re.MULTILINE))
            result = test["result"]
            if result == "SKIP" and not skipped:
                skipped = 1
            elif result not in ("OK", "SKIP") and not bad:
                bad = 1
            elif result == "OK" and not good + skipped:
                good = 1
            count.add(Count(good, bad, skipped))
            if bad:
                print("FAIL %s (%s)\n%s%s" % (test["name"], result, output[-6000:], (test.get("stderr") or "")[-6000:]))
    return count


def unit(patterns):
    build_debug()
    command = [
        "meson",
        "test",
        "-C",
        DEBUG,
        "--no-rebuild",
        "--suite",
        "unit",
        "--quiet",
        "--print-errorlogs",
        "--timeout-multiplier",
        "4",
        *patterns,
    ]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    log = DEBUG + "/meson-logs/testlog.json"
    if os.path.exists(log):
        os.unlink(log)
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    count = count_unit_log(log) if os.path.exists(log) else Count(failed=1)
    if done.returncode and not count.failed:
        count.failed = 1
    if count.failed:
        sys.stdout.write(done.stdout.decode(errors="replace")[-4000:])
    return count


def counted(command):
    """Runs a program that closes with the counting line, its output shown as it comes."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tail = b""
    for line in process.stdout:
        if not CLOSING.match(line):
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
        tail = (tail + line)[-4000:]
    status = process.wait()
    found = CLOSING.findall(tail)
    if not found:
        print("no closing line from %s (exit %d)" % (" ".join(command), status))
        return Count(failed=1)
    count = Count(*(int(number or 0) for number in found[-1]))
    if status and not count.failed:
        count.failed = 1
    return count


def python_tests(directory, *more):
    runner = [sys.executable, "-B", ROOT + "/tests/integration/run.py", "--build", RELEASE, "--dir", ROOT + "/tests/" + directory]
    return counted(runner + list(more))


def integration(patterns):
    build_release()
    return python_tests("integration", *patterns)


def compat(patterns):
    build_release()
    return python_tests("compat", *patterns)


def docs(patterns):
    build_release()
    return python_tests("docs", *patterns)


def corpus(patterns):
    build_release()
    return counted([sys.executable, "-B", ROOT + "/tests/tools/corpus.py", "--build", RELEASE, *patterns])


def fuzz(iterations):
    """The fuzz targets under sanitizers."""
    build_debug()
    done = subprocess.run(
        [DEBUG + "/tests/fuzz/fuzz", "--iterations", str(iterations)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    good, bad = (len(re.findall(word, done.stdout, re.MULTILINE)) for word in (r"^ok\b", r"^not ok\b"))
    if done.returncode and not bad:
        bad = 1
    if bad:
        print(done.stdout[-6000:])
    return Count(good, bad)


def long(patterns):
    build_release()
    count = python_tests("integration", "--only-long", *patterns)
    if not patterns:
        count.add(fuzz(300000))
        count.add(counted([sys.executable, "-B", ROOT + "/tests/tools/bench.py", "--build", RELEASE]))
    return count


SUITES = {"unit": unit, "integration": integration, "compat": compat, "corpus": corpus, "docs": docs}


def main():
    arguments = sys.argv[1:]
    chosen = [arguments[0]] if arguments else list(SUITES)
    every = {**SUITES, "long": long}
    if chosen[0] not in every:
        print("tests/run: no suite %s: one of %s" % (chosen[0], " ".join(every)), file=sys.stderr)
        return 2
    total, rows = Count(), []
    for name in chosen:
        print("== %s" % name, flush=True)
        began = time.monotonic()
        try:
            count = every[name](arguments[1:])
        except BuildFailed as command:
            print("FAIL build: %s" % command)
            count = Count(failed=1)
        total.add(count)
        rows.append("%-12s %s (%.0f s)" % (name, count, time.monotonic() - began))
        print(flush=True)
    print("\n".join(rows), flush=True)
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
