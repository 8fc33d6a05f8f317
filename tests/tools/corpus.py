#!/usr/bin/env python3
"""Runs the build corpus (tests/corpus) on a holkd of its own; closes with `N passed, N failed`.

usage: corpus.py [--build DIR] [--all] [--jobs N] [CASE...]

Cases that only a client can run are not for POST /build. Cases of features that are refused by name so far are listed in
tests/corpus/beyond (`NUMBER reason`); they are left out here unless --all or named."""
import argparse
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = ROOT + "/tests/corpus"
sys.path.insert(0, ROOT + "/tests/integration")
import fixtures  # noqa: E402
import harness  # noqa: E402


def beyond():
    """The numbers of cases that ask for what is not built yet."""
    try:
        with open(CORPUS + "/beyond") as file:
            return {line.split()[0] for line in file if line.strip() and not line.startswith("#")}
    except FileNotFoundError:
        return set()


def needs(name):
    with open("%s/cases/%s/case.json" % (CORPUS, name)) as file:
        return set(json.load(file).get("needs", []))


def choose(everything):
    left_out = set() if everything else beyond()
    names = sorted(os.listdir(CORPUS + "/cases"))
    return [name for name in names if name.split("-")[0] not in left_out and not needs(name) & {"client", "cli"}]


def bases():
    """NAME=TAR of both base images; made once and kept."""

    def make(part):
        subprocess.run(
            [CORPUS + "/make-base", part, "--debian"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PATH": os.path.dirname(fixtures.busybox()) + ":" + os.environ["PATH"]},
        )

    path = fixtures.locked_make("corpus-bases", make)
    return ["busybox=%s/bb.tar" % path, "debian:12=%s/deb12.tar" % path]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", default=str((os.cpu_count() or 1) * 2))
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    names = arguments.cases or choose(arguments.all)
    with harness.Daemon(build=arguments.build, base=False) as daemon:
        command = daemon.namespace.command(
            CORPUS + "/check", "--socket", daemon.socket, "--builder", "api", "--quiet", "--jobs", arguments.jobs
        )
        for base in bases():
            command += ["--base", base]
        daemon.watch.allowed_pids.add(os.getpid())
        done = subprocess.run(
            command + names, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    print(re.sub(r"(?m)^(\d+ skipped\n)?\d+ passed, \d+ failed\n", "", done.stdout), end="")
    counts = re.findall(r"(?m)^(\d+) passed, (\d+) failed", done.stdout)
    skipped = re.findall(r"(?m)^(\d+) skipped", done.stdout)
    passed, failed = counts[-1] if counts else ("0", "1")
    print("%s passed, %s failed%s" % (passed, failed, ", %s skipped" % skipped[-1] if skipped else ""))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
