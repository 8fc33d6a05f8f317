"""The readers of strangers' bytes under many more mutated inputs than the unit suite has time for. Other inputs every day;
the seed is printed by a failure and gives the same inputs again: fuzz --seed S TARGET."""
import os
import subprocess
import time

import fixtures
import harness
from harness import Skip, options


def find_fuzz():
    for build in (fixtures.ROOT + "/build-debug", harness.find_build()):  # the one with sanitizers first
        path = build + "/tests/fuzz/fuzz"
        if os.access(path, os.X_OK):
            return path
    raise Skip("the fuzz program is not built")


@options(long=True, timeout=1500)
def test_mutations():
    seed = str(int(time.time()) // 86400)
    done = subprocess.run([find_fuzz(), "--iterations", "400000", "--seed", seed], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise AssertionError("seed %s, exit status %d:\n%s" % (seed, done.returncode, done.stdout[-6000:]))
