#!/usr/bin/env python3
"""The benchmark (tests/bench) on a holkd of its own; further engines may be named to be measured beside it.

usage: bench.py [--build DIR] [--reps R] [--only MEASURE,...] [--json FILE] [NAME=SOCKET...]"""
import argparse
import os
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/tests/integration")
import fixtures  # noqa: E402
import harness  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build")
    parser.add_argument("--reps", default="1")
    parser.add_argument("--only")
    parser.add_argument("--json")
    parser.add_argument("others", nargs="*", metavar="NAME=SOCKET")
    arguments = parser.parse_args()
    work = os.path.join(fixtures.scratch_root(), "bench")
    docker, registry = harness.docker_client(), fixtures.debian_package("docker-registry") + "/usr/bin/docker-registry"
    with harness.Daemon(build=arguments.build, base=False, start=False) as daemon:
        daemon.args = ["--pidfile", daemon.directory + "/pid"]
        daemon.start()
        launch = " ".join(
            [
                daemon.build + "/daemon/holkd",
                "-H",
                "unix://{sock}",
                "--data-root",
                "{state}",
                "--exec-root",
                "{state}-exec",
                "--cgroup-parent",
                daemon.cgroup_parent + "/launched",
                "--config-file",
                daemon.config_file(),
            ]
        )
        command = daemon.namespace.command(
            sys.executable,
            "-B",
            ROOT + "/tests/bench/bench.py",
            "holk=" + daemon.socket,
            *arguments.others,
            "--work",
            work,
            "--rootfs",
            fixtures.base_tar(),
            "--docker",
            docker,
            "--registry",
            registry + " serve",
            "--pid",
            "holk=%s/pid" % daemon.directory,
            "--helpers",
            "holk=holk-monitor",
            "--cli",
            "holk=" + daemon.build + "/cli/holk",
            "--api",
            "1.51",
            "--reps",
            arguments.reps,
            "--launch",
            "holk=" + launch,
            "--state",
            "holk=%s/launched" % daemon.directory
        )
        command += ["--only", arguments.only] if arguments.only else []
        command += ["--json", arguments.json] if arguments.json else []
        status = subprocess.run(
            command, env={**os.environ, "DOCKER_CONFIG": os.path.dirname(os.path.dirname(docker)) + "/config"}
        ).returncode
    print("1 passed, 0 failed" if status == 0 else "0 passed, 1 failed")
    return status


if __name__ == "__main__":
    sys.exit(main())
