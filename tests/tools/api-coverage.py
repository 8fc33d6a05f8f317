#!/usr/bin/env python3
"""Writes docs/api-coverage.md from the route tables and handlers in daemon/routes: which endpoint of the Engine API 1.51 is
served, which is refused by name, and which query parameters are read.

usage: api-coverage.py [ROOT] [--check]     --check: says whether the file is current, and writes nothing"""
import os
import re
import sys

ROUTE = re.compile(r'\{\s*HTTP_(\w+),\s*"([^"]+)",\s*(\w+),')
FUNCTION = re.compile(r"^(?:static |const )*[\w \*]+?(\w+)\(([^;{}]*)\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
QUERY = re.compile(r'(?:request_query(?:_bool|_int|_all)?|time_query|map_query|list_query|size_of)\(req, "([\w-]+)"')
NAMED_LIST = re.compile(r'(?:numbers|texts)\[\] = \{(.*?)\};', re.DOTALL)
REFUSAL = re.compile(r'return err_set\(err, ERR_(UNSUPPORTED|UNAVAILABLE), "([^"]*)"')
GROUPS = ["System", "Container", "Exec", "Image", "Distribution", "Network", "Volume", "Session", "Plugin", "Swarm", "Node", "Service", "Task",
          "Secret", "Config"]
HEAD = """# What of Docker's Engine API is served

Made by `tests/tools/api-coverage.py` from the route tables in `daemon/routes/`; do not edit. The left columns are the
endpoints of API 1.51; every version from 1.24 on has the same ones, shaped by `lib/api/compat.c`. "Refused" endpoints
answer 501 (503 for swarm, in Docker's words) with a sentence that names them; all others answer 404 `page not found`.
What is in a request's body and not supported is refused by name, too. `tests/compat/differences.py` lists where answers
differ from Docker 28's.
"""


def read_sources(root):
    folder = os.path.join(root, "daemon/routes")
    return {name: open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder)) if name.endswith(".c")}


def read_functions(sources):
    """(file, function) -> body; a call is looked up in its own file first, then in common.c."""
    return {(file, found[1]): found[3] for file, text in sources.items() for found in FUNCTION.finditer(text)}


def queries(functions, file, name, seen=None):
    seen = seen if seen is not None else set()
    key = (file, name) if (file, name) in functions else ("common.c", name)
    if key not in functions or key in seen:
        return set()
    seen.add(key)
    body = functions[key]
    found = set(QUERY.findall(body))
    for items in NAMED_LIST.findall(body):
        found |= set(re.findall(r'\{ "([\w-]+)",', items))
    if "request_filters(" in body:
        found.add("filters")
    for call in set(re.findall(r"\b(\w+)\(", body)) - {name}:
        found |= queries(functions, key[0], call, seen)
    return found


def refusal(functions, file, name):
    """The sentence of a handler that ends in a refusal, whatever it looked at before."""
    lines = functions.get((file, name), "").strip().splitlines()
    found = REFUSAL.match(lines[-1].strip()) if lines and not lines[-1].startswith(" " * 8) else None
    return found[2] if found else None


def read_routes(sources, functions):
    routes = []
    for file, text in sources.items():
        for method, pattern, handler in ROUTE.findall(text):
            routes.append((method, pattern, refusal(functions, file, handler), queries(functions, file, handler)))
    return routes


def pattern_key(pattern):
    return re.sub(r"\{[^}]*\}", "{}", pattern)


def find_route(routes, method, path):
    for wanted in (method, "GET" if method == "HEAD" else method):
        for route in routes:
            if route[0] == wanted and pattern_key(route[1]) == pattern_key(path):
                return route
    return None


def row(method, path, wanted, route):
    if not route:
        return "| %s %s | no | | |" % (method, path)
    if route[2] is not None:
        return "| %s %s | refused | | |" % (method, path)
    there = [name for name in wanted if name in route[3]]
    missing = [name for name in wanted if name not in route[3]]
    more = sorted(route[3] - set(wanted))
    return "| %s %s | yes | %s | %s |" % (method, path, ", ".join(there + ["*%s*" % name for name in more]), ", ".join(missing))


def document(root):
    sources = read_sources(root)
    functions = read_functions(sources)
    routes = read_routes(sources, functions)
    endpoints = {}
    with open(os.path.join(root, "tests/compat/engine-1.51.txt")) as file:
        for line in file:
            if not line.startswith("#"):
                group, method, path, names = line.split()
                endpoints.setdefault(group, []).append((method, path, [] if names == "-" else names.split(",")))
    out = [HEAD]
    counts = {"yes": 0, "refused": 0, "no": 0}
    tables = []
    for group in GROUPS:
        tables.append("\n## %s\n\n| endpoint | served | query parameters read (*older or newer ones*) | not read |\n| --- | --- | --- | --- |" % group)
        for method, path, names in endpoints.pop(group):
            tables.append(row(method, path, names, find_route(routes, method, path)))
            counts[tables[-1].split("|")[2].strip()] += 1
    if endpoints:
        raise SystemExit("groups without a place: %s" % ", ".join(endpoints))
    out.append("Of %d endpoints %d are served, %d refused, %d unknown." % (sum(counts.values()), counts["yes"], counts["refused"], counts["no"]))
    return "\n".join(out + tables) + "\n"


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.path.join(root, "docs/api-coverage.md")
    text = document(root)
    if "--check" in sys.argv:
        current = os.path.exists(path) and open(path).read() == text
        print("docs/api-coverage.md is %s" % ("current" if current else "not current: run tests/tools/api-coverage.py"))
        return 0 if current else 1
    with open(path, "w") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
