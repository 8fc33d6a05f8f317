"""Every scenario of shapes.py against holkd, in every version: what differs from Docker 28 and is not listed in
differences.py fails. One test per scenario."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenarios  # noqa: E402
import shapes  # noqa: E402
from harness import options  # noqa: E402


def make_test(name, function):
    @options(timeout=300)
    def test(d):
        shapes.prepare_engine(d.socket)
        bad = []
        for version in shapes.VERSIONS:
            for step, place, wanted, got, why in shapes.check(d.socket, name, function, version):
                if why is None:
                    bad.append("v%s %s%s: Docker says %.300r, holkd %.300r" % (version or "-", step, place, wanted, got))
        if bad:
            raise AssertionError("%d differences:\n%s" % (len(bad), "\n".join(bad[:40])))
    test.__name__ = "test_" + name
    return test


for scenario_name, scenario_function in scenarios.SCENARIOS.items():
    globals()["test_" + scenario_name] = make_test(scenario_name, scenario_function)
