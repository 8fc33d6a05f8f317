"""ping, version, info: what every client asks first."""
from harness import contains, equal, options


@options(base=False)
def test_ping(d):
    for method in ("GET", "HEAD"):
        answer = d.api.request(method, "/_ping")
        equal(answer.status, 200)
        equal(answer.read(), b"OK" if method == "GET" else b"")
        equal(answer.headers["api-version"], "1.51")
        equal(answer.headers["ostype"], "linux")
        equal(answer.headers["builder-version"], "1")
        equal(answer.headers["swarm"], "inactive")
        equal(answer.headers["docker-experimental"], "false")
        equal(answer.headers["cache-control"], "no-cache, no-store, must-revalidate")
        equal(answer.headers["pragma"], "no-cache")
        contains(answer.headers["server"], "linux")
        answer.close()
