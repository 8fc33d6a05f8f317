"""import of an archive behind a URL, and for a platform."""
import os
import subprocess
import sys

import fixtures
from harness import contains, equal, eventually


class FileServer:
    """Serves a directory on the loopback of the daemon's network namespace."""

    def __init__(self, d, directory, port=8123):
        self.base = "http://127.0.0.1:%d/" % port
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", directory, str(port)]
        self.process = subprocess.Popen(d.namespace.command(*command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        probe = [sys.executable, "-c", "import urllib.request as r; r.urlopen(%r)" % self.base]
        eventually(lambda: subprocess.run(d.namespace.command(*probe), stderr=subprocess.DEVNULL).returncode == 0)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.terminate()
        self.process.wait()


def test_import_from_a_url(d):
    directory = os.path.join(d.directory, "www")
    os.makedirs(directory)
    os.symlink(fixtures.base_tar(), directory + "/base.tar")
    with FileServer(d, directory) as server:
        lines = d.api.progress("POST", "/images/create", b"", fromSrc=server.base + "base.tar", repo="fetched", tag="v1")
        contains([line.get("status") for line in lines], "Downloading from %sbase.tar" % server.base)
        image = d.api.get("/images/fetched:v1/json")
        equal((lines[-1]["status"], image["Comment"]), (image["Id"], "Imported from %sbase.tar" % server.base))
        equal(d.run(["echo", "it runs"], image="fetched:v1").text, "it runs\n")
        try:
            d.api.progress("POST", "/images/create", b"", fromSrc=server.base + "nothing.tar")
        except Exception as error:
            contains(str(error), "404")
        else:
            raise AssertionError("imported what is not there")
    equal([name for name in os.listdir(d.data_root + "/tmp")], [])


def test_import_for_a_platform(d):
    with open(fixtures.base_tar(), "rb") as tar:
        d.api.progress("POST", "/images/create", tar.read(), fromSrc="-", repo="other", platform="linux/arm/v7")
    image = d.api.get("/images/other/json")
    equal((image["Os"], image["Architecture"], image["Variant"]), ("linux", "arm", "v7"))
    status, message = d.api.refused("POST", "/images/create", b"", fromSrc="-", platform="not/a/plat/form")
    equal(status, 400)
    contains(message, "platform")
