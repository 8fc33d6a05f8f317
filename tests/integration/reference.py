"""Another engine in place of holkd, to ask it what a behaviour is: run.py --reference SOCKET. Tests that look only at the API
run on it unchanged; those that touch the process, its files or its leaks are skipped there."""
import contextlib
import os
import shutil
import uuid

import fixtures
import harness
from harness import Skip
from httpapi import ApiError, Client


class Reference(harness.Daemon):
    """Has the names of Daemon that speak HTTP; all others are skipped."""

    def __init__(self, socket, base=True, **_):
        self.socket, self.api = socket, Client(socket)
        self.id = uuid.uuid4().hex[:6]
        self.directory = os.path.join(fixtures.scratch_root(), "ref-" + self.id)
        os.makedirs(self.directory)
        self.build, self.closers, self.outside_ns, self.before = harness.find_build(), [], None, self.everything()
        if base and not any("busybox:latest" in (row["RepoTags"] or []) for row in self.api.get("/images/json")):
            self.import_image(fixtures.base_tar(), "busybox", "latest")

    def everything(self):
        volumes = self.api.get("/volumes")["Volumes"] or []
        return (
            {row["Id"] for row in self.api.get("/containers/json", all=True)},
            {row["Name"] for row in volumes},
            {tag for row in self.api.get("/images/json") for tag in row["RepoTags"] or [row["Id"]]},
        )

    def close(self, check=True):
        containers, volumes, images = self.everything()
        for path in (
            ["/containers/" + name for name in containers - self.before[0]]
            + ["/volumes/" + name for name in volumes - self.before[1]]
            + ["/images/" + name for name in images - self.before[2] if "busybox:latest" not in name]
        ):
            with contextlib.suppress(ApiError):
                self.api.delete(path, force=True, v=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        return ""

    def docker_command(self, *args):
        return [harness.docker_client(), *args]

    def _no(self, *_, **__):
        raise Skip("not for another engine")

    start = stop = kill = restart = spawn = registry = outside = instance = monitor_pid = running = _no
    namespace = watch = data_root = exec_root = cgroup_parent = process = property(_no)
