#!/usr/bin/env python3
"""Asks an engine's socket many questions in several API versions and compares the answers (status, headers, JSON, messages)
with what Docker 28 answered to the same ones: expect/*.json. What differs from run to run (ids, times, sizes, addresses) is
replaced by words before it is compared or stored. Standard library only; test_shapes.py runs it as tests.

usage: shapes.py --socket PATH [--record] [--all] [PATTERN...]     PATTERN: parts of scenario names
  --record   writes expect/*.json from these answers (for a real Docker)
  --all      shows known differences as well, and the rows of differences.py that nothing needed"""
import argparse
import http.client
import importlib
import json
import os
import re
import socket
import sys
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = ["", "1.24", "1.41", "1.44", "1.51"]
HEADERS = ["Api-Version", "Builder-Version", "Cache-Control", "Content-Type", "Docker-Experimental", "Ostype", "Pragma", "Server",
           "Swarm", "X-Docker-Container-Path-Stat", "X-Registry-Auth", "Location"]
IMAGE = "shapes-base"
USED = set()  # rows of differences.py that were needed


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def ask(path, method, target, body=None, headers=None):
    connection = Connection(path)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    elif body is not None:
        sent.setdefault("Content-Type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    connection.request(method, target, body, {name: value for name, value in sent.items() if value is not None})
    response = connection.getresponse()
    try:
        data = response.read()
    except http.client.IncompleteRead as error:
        data = error.partial
    connection.close()
    return Answer(response.status, response.headers, data.decode(errors="replace"))


# ---- words in the place of what changes ----

TEXTS = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b"), "ID12"),
    (re.compile(r"\b(?!0001-01-01)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
    (re.compile(r"Docker/\S+ \(linux\)"), "Docker/VERSION (linux)"),
    (re.compile(r"^Up .*?( \(.*\))?$"), r"Up\1"),
    (re.compile(r"^(Exited \(\d+\)) .*"), r"\1 AGO"),
    (re.compile(r"\b172\.\d+\.\d+\.\d+\b"), "IP"),
    (re.compile(r"^invalid JSON: (?!got EOF).*", re.DOTALL), "invalid JSON: ..."),  # the rest is the decoder's own
]
NUMBERS = {"Created", "Pid", "Size", "SizeRw", "SizeRootFs", "SharedSize", "VirtualSize", "SpaceReclaimed", "time", "timeNano", "size", "mtime"}
UNORDERED = {"Mounts", "Containers", "Volumes", "Networks", "Warnings", "DNSNames", "Aliases"}


class Normal:
    def __init__(self, names):
        self.names = [(name, word) for name, word in names if name]  # run-dependent texts

    def text(self, text):
        for name, word in self.names:
            text = text.replace(name, word)
        for pattern, word in TEXTS:
            text = pattern.sub(word, text)
        return text

    def value(self, value, key=None):
        if isinstance(value, dict):
            return {self.text(name): self.value(item, name) for name, item in sorted(value.items())}
        if isinstance(value, list):
            items = [self.value(item, key) for item in value]
            return sorted(items, key=json.dumps) if key in UNORDERED else items
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and key in NUMBERS and value > 0:
            return "N"
        return value


def shape(value):
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return {type(None): None, bool: "bool", int: "number", float: "number", str: "string"}[type(value)]


# ---- asking ----

class Session:
    """One scenario in one version. Words in braces of paths and bodies are filled from self.words."""

    def __init__(self, path, version, more_names=()):
        self.path, self.version = path, version
        self.run = "sh" + uuid.uuid4().hex[:6] + "x"
        self.words = {"p": self.run, "image": IMAGE}
        root = ask(path, "GET", "/info").json["DockerRootDir"]
        self.normal = Normal([(self.run, "P"), (root, "ROOT"), *more_names])
        self.results, self.undo = {}, []

    def fill(self, text):
        return re.sub(r"\{(\w+)\}", lambda found: str(self.words.get(found[1], found[0])), text) if isinstance(text, str) else text

    def fill_all(self, value):
        if isinstance(value, dict):
            return {self.fill(name): self.fill_all(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.fill_all(item) for item in value]
        return self.fill(value)

    def plain(self, method, path, body=None, headers=None, **query):
        """Asks without noting the answer."""
        target = self.fill(path)
        if self.version:
            target = "/v" + self.version + target
        if query:
            words = {name: json.dumps(value) if isinstance(value, (dict, list)) else value for name, value in self.fill_all(query).items()}
            target += ("&" if "?" in target else "?") + urllib.parse.urlencode(words)
        return ask(self.path, method, target, body if isinstance(body, bytes) else self.fill_all(body), headers)

    def ask(self, name, method, path, body=None, headers=None, mode="values", save=None, only=None, **query):
        """mode: values, shape (kinds of JSON values), status (no body). save: word for the answer's Id. only: a function that
        picks the part of the JSON to be compared."""
        answer = self.plain(method, path, body, headers, **query)
        self.note(name, answer, mode, only)
        if save and answer.status < 300:
            self.words[save] = answer.json["Id"]
        return answer

    def note(self, name, answer, mode="values", only=None):
        found = {"status": answer.status}
        for header in HEADERS:
            if header in answer.headers:
                text = answer.headers[header]
                found[header] = "SET" if header == "X-Docker-Container-Path-Stat" else self.normal.text(text)
        if mode != "status":
            found["body"] = self.body(answer, mode, only)
        if name in self.results:
            raise ValueError("two steps named " + name)
        self.results[name] = found

    def body(self, answer, mode, only):
        if not answer.headers.get("Content-Type", "").startswith("application/json") or not answer.body.strip():
            return self.normal.text(answer.body)
        try:
            documents = [json.loads(line) for line in answer.body.splitlines() if line.strip()]
        except ValueError:
            return self.normal.text(answer.body)
        value = documents[0] if len(documents) == 1 else documents
        value = only(value) if only and answer.status < 300 else value
        return shape(value) if mode == "shape" and answer.status < 300 else self.normal.value(value)

    def later(self, method, path):
        """To be asked at the end, whatever happens."""
        self.undo.append((method, self.fill(path)))

    def close(self):
        for method, path in reversed(self.undo):
            ask(self.path, method, path)

    def before(self, minor):
        return bool(self.version) and int(self.version.split(".")[1]) < minor


def run_scenario(path, function, version, more_names=()):
    session = Session(path, version, more_names)
    try:
        function(session)
    finally:
        session.close()
    return session.results


# ---- what is stored: per step, the different answers and the versions that gave them ----

def expect_path(name):
    return os.path.join(HERE, "expect", name + ".json")


def fold(by_version):
    steps = {}
    for version, results in by_version.items():
        for name, found in results.items():
            entries = steps.setdefault(name, [])
            for entry in entries:
                if entry["answer"] == found:
                    entry["versions"].append(version)
                    break
            else:
                entries.append({"versions": [version], "answer": found})
    return steps


def lines(steps):
    """JSON with one line per answer."""
    def entry(row):
        return json.dumps({"answer": row["answer"], "versions": " ".join(version or "-" for version in row["versions"])}, sort_keys=True, ensure_ascii=False)
    return "{\n" + ",\n".join('%s: [\n %s]' % (json.dumps(name, ensure_ascii=False), ",\n ".join(map(entry, rows))) for name, rows in sorted(steps.items())) + "\n}\n"


def unfold(steps, version):
    return {name: entry["answer"] for name, entries in steps.items() for entry in entries if (version or "-") in entry["versions"].split()}


def compare(wanted, got, place=""):
    """Places where two values part, as (place, wanted, got)."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in sorted(set(wanted) | set(got)):
            yield from compare(wanted.get(name, "(absent)"), got.get(name, "(absent)"), place + "." + name)
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for index, (one, other) in enumerate(zip(wanted, got)):
            yield from compare(one, other, "%s[%d]" % (place, index))
    elif wanted != got or isinstance(wanted, bool) != isinstance(got, bool):
        yield place, wanted, got


def known(differences, scenario, step, place, wanted, got):
    if place == ".status" and wanted == 500 and isinstance(got, int) and 400 <= got < 500:
        return "a mistake of the client is a 4xx here"
    for where, looks, why in differences:
        if re.fullmatch(where, "%s/%s%s" % (scenario, step, place), re.DOTALL) and (looks is None or re.fullmatch(looks, json.dumps(wanted), re.DOTALL)):
            USED.add(where)
            return why
    return None


def check(path, name, function, version, more_names=()):
    """Every difference of one scenario in one version: (step, place, wanted, got, why it is known or None)."""
    with open(expect_path(name)) as file:
        wanted = unfold(json.load(file), version)
    got = run_scenario(path, function, version, more_names)
    differences = load()[1]
    normal = Normal([])
    wanted = {step: {name: normal.text(value) if isinstance(value, str) else normal.value(value) for name, value in found.items()} for step, found in wanted.items()}
    found = []
    for step in sorted(set(wanted) | set(got)):
        for place, one, other in compare(wanted.get(step, {"status": "(no such step)"}), got.get(step, {"status": "(not asked)"})):
            found.append((step, place, one, other, known(differences, name, step, place, one, other)))
    return found


def load():
    sys.path.insert(0, HERE)
    module = importlib.import_module("scenarios")
    return module.SCENARIOS, importlib.import_module("differences").DIFFERENCES, module.prepare


def prepare_engine(path):
    load()[2](path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--versions", default=",".join(VERSIONS))
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()
    path = options.socket.replace("unix://", "")
    scenarios, _, prepare = load()
    prepare(path)
    bad = 0
    for name, function in scenarios.items():
        if options.patterns and not any(pattern in name for pattern in options.patterns):
            continue
        if options.record:
            steps = fold({version: run_scenario(path, function, version) for version in VERSIONS})
            with open(expect_path(name), "w") as file:
                file.write(lines(steps))
            print("%s: %d steps" % (name, len(steps)))
            continue
        for version in options.versions.split(","):
            for step, place, wanted, got, why in check(path, name, function, version):
                bad += why is None
                if why is None or options.all:
                    print("%s v%s %s%s: expected %s, got %s%s" % (name, version or "-", step, place, json.dumps(wanted)[:300],
                                                                  json.dumps(got)[:300], " (known: %s)" % why if why else ""))
    if options.all and not options.record and not options.patterns:
        for where in [row[0] for row in load()[1] if row[0] not in USED]:
            print("no longer needed: %s" % where)
    if not options.record:
        print("%d differences" % bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
