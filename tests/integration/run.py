#!/usr/bin/env python3
"""Collects and runs the tests of a directory, each in a process of its own, several at once.

usage: run.py [--build DIR] [--jobs N] [--list] [--long | --only-long]
              [--reference SOCKET] [--dir DIR] [-v] [PATTERN...]

A test is a function test_* in a file test_*.py. PATTERN is part of "file::function". One line per test is printed, and the
output of those that failed; the closing line is `N passed, N failed[, N skipped]`. Exit status 0 when none has failed."""
import argparse
import concurrent.futures
import importlib
import inspect
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
SKIPPED = 77


def collect(directory):
    """name -> (options, takes a daemon), in the order of files and lines."""
    sys.path.insert(0, directory)
    found = {}
    for file in sorted(os.listdir(directory)):
        if not (file.startswith("test_") and file.endswith(".py")):
            continue
        module = importlib.import_module(file[:-3])
        functions = [
            (f.__code__.co_firstlineno, name, f)
            for name, f in vars(module).items()
            if name.startswith("test_") and inspect.isfunction(f) and f.__module__ == module.__name__
        ]
        for _, name, function in sorted(functions, key=lambda row: row[0]):
            found["%s::%s" % (file[:-3], name)] = function
    return found


def run_here(name, directory):
    """The one test, in this process: exit status."""
    import harness

    sys.path.insert(0, directory)
    file, _, function_name = name.partition("::")
    try:
        function = getattr(importlib.import_module(file), function_name)
        chosen = getattr(function, "options", {})
        if inspect.signature(function).parameters:
            more = {key: chosen[key] for key in ("args", "base", "environment") if key in chosen}
            reference = os.environ.get("HOLK_REFERENCE")
            daemon = importlib.import_module("reference").Reference(reference, **more) if reference else harness.Daemon(**more)
            try:
                function(daemon)
            except BaseException:
                log = daemon.log()
                daemon.close(check=False)
                print("---- the daemon's log, its end ----\n" + log[-4000:] + "----", flush=True)
                raise
            daemon.close()
        else:
            function()
    except harness.Skip as reason:
        print("skipped: %s" % reason)
        return SKIPPED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


class Runner:
    def __init__(self, arguments):
        self.arguments = arguments
        self.lock = threading.Lock()
        self.count = {"passed": 0, "failed": 0, "skipped": 0}
        self.slow = []

    def one(self, name, function):
        tag = uuid.uuid4().hex[:4]
        limit = getattr(function, "options", {}).get("timeout", 90) * float(os.environ.get("HOLK_TEST_SLOWNESS", "1"))
        environment = {**os.environ, "HOLK_TEST_ID": tag, "HOLK_BUILD": self.arguments.build}
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--dir", self.arguments.dir, "--one", name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self.sweep(tag)
            output.seek(0)
            text = output.read().decode(errors="replace")
        self.report(name, status, text, time.monotonic() - began, limit)

    @staticmethod
    def sweep(tag):
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, %r); " "import harness; harness.sweep()" % HERE,
            ],
            env={**os.environ, "HOLK_TEST_ID": tag},
            check=False,
        )

    def report(self, name, status, text, seconds, limit):
        result = {0: "passed", SKIPPED: "skipped"}.get(status, "failed")
        with self.lock:
            self.count[result] += 1
            self.slow.append((seconds, name))
            word = {"passed": "ok", "skipped": "skip", "failed": "FAIL"}[result]
            reason = " (%s)" % text.strip().splitlines()[-1] if result == "skipped" and text.strip() else ""
            if status is None:
                reason = " (no end within %g s)" % limit
            print("%-4s %s %.1fs%s" % (word, name, seconds, reason), flush=True)
            if result == "failed" or (self.arguments.verbose and text.strip()):
                print("     " + text.strip().replace("\n", "\n     "), flush=True)

    def all(self, tests):
        alone = {name: f for name, f in tests.items() if getattr(f, "options", {}).get("alone")}
        together = sorted(
            (name for name in tests if name not in alone), key=lambda name: -getattr(tests[name], "options", {}).get("timeout", 0)
        )
        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            list(pool.map(lambda name: self.one(name, tests[name]), together))
        for name, function in alone.items():
            self.one(name, function)

    def close(self):
        if self.arguments.verbose:
            for seconds, name in sorted(self.slow, reverse=True)[:10]:
                print("%6.1fs %s" % (seconds, name))
        skipped = ", %(skipped)d skipped" % self.count if self.count["skipped"] else ""
        print("%(passed)d passed, %(failed)d failed" % self.count + skipped, flush=True)
        return 1 if self.count["failed"] or not sum(self.count.values()) else 0


def wanted(name, function, arguments):
    is_long = bool(getattr(function, "options", {}).get("long"))
    return (not arguments.patterns or any(pattern in name for pattern in arguments.patterns)) and (
        is_long if arguments.only_long else arguments.long or not is_long
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build")
    parser.add_argument("--dir", default=HERE)
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) * 2)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true", help="the long tests too")
    parser.add_argument("--only-long", action="store_true")
    parser.add_argument("--reference", metavar="SOCKET", help="another engine: what does it do?")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("patterns", nargs="*")
    arguments = parser.parse_args()
    arguments.dir = os.path.abspath(arguments.dir)
    if arguments.one:
        return run_here(arguments.one, arguments.dir)
    import harness

    arguments.build = harness.find_build(arguments.build)
    os.environ["HOLK_BUILD"] = arguments.build
    if arguments.reference:
        os.environ["HOLK_REFERENCE"] = arguments.reference
        arguments.jobs = 1
    tests = {name: function for name, function in collect(arguments.dir).items() if wanted(name, function, arguments)}
    if arguments.list:
        print("\n".join(tests))
        return 0
    if os.geteuid() != 0:
        print("these tests need root")
        return SKIPPED
    runner = Runner(arguments)
    runner.all(tests)
    return runner.close()


if __name__ == "__main__":
    sys.exit(main())
