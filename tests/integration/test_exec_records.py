"""Execs outlive the daemon: their records, their exit codes; top by the host's ps."""
import os
import signal

from harness import contains, equal, eventually, raises


def test_exec_records_survive_the_daemon(d):
    container = d.start_new(["sleep", "100"])
    quick = d.api.post("/containers/%s/exec" % container, {"Cmd": ["sh", "-c", "exit 7"], "Env": ["A=b"]})["Id"]
    d.api.post("/exec/%s/start" % quick, {"Detach": True})
    eventually(lambda: d.api.get("/exec/%s/json" % quick)["ExitCode"] == 7)
    slow = d.api.post("/containers/%s/exec" % container, {"Cmd": ["sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; exit 9"]})["Id"]
    d.api.post("/exec/%s/start" % slow, {"Detach": True})
    d.kill()
    d.start()
    answer = d.api.get("/exec/%s/json" % quick)
    equal((answer["ExitCode"], answer["Running"], answer["ProcessConfig"]["entrypoint"]), (7, False, "sh"))
    equal(d.api.get("/exec/%s/json" % slow)["Running"], True)
    d.kill()
    d.start()
    d.exec(container, ["touch", "/go"])
    eventually(lambda: d.api.get("/exec/%s/json" % slow)["ExitCode"] == 9)
    d.remove(container)
    raises(404, d.api.get, "/exec/%s/json" % quick)
    d.restart()
    raises(404, d.api.get, "/exec/%s/json" % quick)


def test_execs_of_a_killed_monitor_have_ended(d):
    container = d.start_new(["sleep", "100"])
    name = d.api.post("/containers/%s/exec" % container, {"Cmd": ["sleep", "100"]})["Id"]
    d.api.post("/exec/%s/start" % name, {"Detach": True})
    eventually(lambda: d.api.get("/exec/%s/json" % name)["Running"])
    os.kill(d.monitor_pid(container), signal.SIGKILL)
    eventually(lambda: d.api.get("/exec/%s/json" % name)["ExitCode"] == 137)


def test_top_with_other_columns(d):
    container = d.start_new(["sh", "-c", "sleep 100 & wait"])
    eventually(lambda: len(d.api.get("/containers/%s/top" % container)["Processes"]) == 2)
    eventually(lambda: "sleep 100" in [row[-1] for row in d.api.get("/containers/%s/top" % container)["Processes"]])
    table = d.api.get("/containers/%s/top" % container, ps_args="-o pid,args")
    equal(table["Titles"], ["PID", "COMMAND"])
    equal(sorted(row[1] for row in table["Processes"]), ["sh -c sleep 100 & wait", "sleep 100"])
    table = d.api.get("/containers/%s/top" % container, ps_args="aux")
    equal(table["Titles"][:2], ["USER", "PID"])
    equal(len(table["Processes"]), 2)
    contains(raises(500, d.api.get, "/containers/%s/top" % container, ps_args="-o comm"), "Couldn't find PID field in ps output")
    contains(raises(500, d.api.get, "/containers/%s/top" % container, ps_args="-o pid,comm=PID"), "is not allowed")
    contains(raises(500, d.api.get, "/containers/%s/top" % container, ps_args="--nonsense"), "ps: ")


def test_answers_have_plain_angle_brackets(d):
    container = d.create(["sh", "-c", "a <b >c & d \\u003c"])
    equal(d.inspect(container)["Args"], ["-c", "a <b >c & d \\u003c"])
    data = d.api.request("GET", "/containers/%s/json" % container).read()
    contains(data, b'"a <b >c & d \\\\u003c"')
