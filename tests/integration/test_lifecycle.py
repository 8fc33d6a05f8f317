"""create, start, stop, restart, kill, wait, rename, pause, top, remove: states, exit codes and the words of refusals."""
import threading
import time

from harness import ApiError, contains, equal, eventually, raises


def test_states_of_a_life(d):
    container = d.create(["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"], name="life")
    state = d.state("life")
    equal((state["Status"], state["Running"], state["Pid"], state["ExitCode"]), ("created", False, 0, 0))
    equal((state["StartedAt"], state["FinishedAt"]), ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"))
    d.api.post("/containers/life/start")
    state = d.state("life")
    equal((state["Status"], state["Running"], state["Paused"], state["Dead"]), ("running", True, False, False))
    equal(state["Pid"] > 1, True)
    equal(d.api.request("POST", "/containers/life/start").status, 304)
    eventually(lambda: d.logs(container)[0] == b"ready\n")
    equal(d.api.request("POST", "/containers/life/stop").status, 204)
    state = d.state("life")
    equal((state["Status"], state["Running"], state["ExitCode"], state["Pid"]), ("exited", False, 7, 0))
    equal(state["StartedAt"] < state["FinishedAt"], True)
    equal(d.api.request("POST", "/containers/life/stop").status, 304)
    d.api.post("/containers/life/restart", t=1)
    equal(d.state("life")["Status"], "running")
    d.api.post("/containers/life/kill", signal="KILL")
    equal(d.wait("life"), 137)
    d.api.delete("/containers/life")
    raises(404, d.inspect, container, text="No such container: " + container)


def test_exit_codes(d):
    for command, code in ((["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "exit 255"], 255)):
        equal(d.run(command).code, code, str(command))
    container = d.start_new(["sleep", "100"])
    d.api.post("/containers/%s/kill" % container, signal="SIGKILL")
    equal(d.wait(container), 137)


def test_signal_death_is_128_plus_n(d):
    for signal, code in (("SIGUSR1", 138), ("SIGQUIT", 131), ("15", 143), ("9", 137)):
        container = d.start_new(["sleep", "100"], host={"Init": True})
        eventually(lambda: len(d.api.get("/containers/%s/top" % container)["Processes"]) == 2)
        d.api.post("/containers/%s/kill" % container, signal=signal)
        equal(d.wait(container), code, signal)


def test_first_process_ignores_what_it_does_not_handle(d):
    container = d.start_new(["sleep", "100"])
    d.api.post("/containers/%s/kill" % container, signal="TERM")
    equal(d.exec(container, ["true"]).code, 0)
    equal(d.state(container)["Running"], True)


def test_command_that_cannot_start(d):
    for command, code, words in (
        (["/no/such"], 127, "no such file or directory"),
        (["not-there"], 127, "executable file not found in $PATH"),
        (["/etc"], 126, "is a directory: permission denied"),
        (["/etc/passwd"], 126, "permission denied"),
    ):
        container = d.create(command)
        message = raises(400, d.api.post, "/containers/%s/start" % container)
        contains(message.lower(), words.lower())
        state = d.state(container)
        equal((state["Status"], state["ExitCode"]), ("created", code), str(command))
        contains(state["Error"].lower(), words.lower())


def test_wait_conditions(d):
    container = d.create(["sleep", "100"])
    equal(d.wait(container), 0)  # not-running: a created container is that
    results = {}

    def wait(condition):
        results[condition] = d.wait(container, condition=condition)

    threads = [threading.Thread(target=wait, args=(name,)) for name in ("next-exit", "removed")]
    for thread in threads:
        thread.start()
    d.api.post("/containers/%s/start" % container)
    time.sleep(0.1)
    equal(results, {})
    d.api.post("/containers/%s/kill" % container)
    threads[0].join(10)
    equal(results, {"next-exit": 137})
    equal(d.wait(container), 137)
    d.api.delete("/containers/" + container)
    threads[1].join(10)
    equal(results.get("removed"), 137)
    raises(
        400, d.api.post, "/containers/%s/wait" % d.create(["true"]), condition="sometimes", text='invalid condition: "sometimes"'
    )


def test_wait_answers_its_head_at_once(d):
    container = d.start_new(["sleep", "100"])
    answer = d.api.request("POST", "/containers/%s/wait" % container, timeout=10)
    equal(answer.status, 200)
    d.api.post("/containers/%s/kill" % container)
    equal(answer.json()["StatusCode"], 137)
    answer.close()


def test_names(d):
    container = d.create(["true"], name="one")
    message = raises(409, d.create, ["true"], name="one")
    contains(
        message,
        'Conflict. The container name "/one" is already in use by container "%s". You have to remove (or rename) that '
        "container to be able to reuse that name." % container,
    )
    for bad in ("a", "-x", "a b", "a/b", "ü", "../x"):
        contains(raises(400, d.create, ["true"], name=bad), "Invalid container name")
    equal(d.inspect("one")["Id"], container)
    equal(d.inspect(container[:12])["Name"], "/one")
    d.api.post("/containers/one/rename", name="two")
    raises(404, d.inspect, "one")
    equal(d.inspect("two")["Id"], container)
    other = d.create(["true"], name="one")
    raises(409, d.api.post, "/containers/two/rename", name="one")
    raises(400, d.api.post, "/containers/two/rename", name="no way")
    equal(d.inspect(other)["Name"], "/one")
    unnamed = d.inspect(d.create(["true"]))["Name"]
    equal(unnamed.startswith("/") and "_" in unnamed, True, unnamed)


def test_pause(d):
    container = d.start_new(["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"])
    eventually(lambda: len(d.logs(container)[0]) > 10)
    d.api.post("/containers/%s/pause" % container)
    state = d.state(container)
    equal((state["Status"], state["Paused"], state["Running"]), ("paused", True, True))
    raises(409, d.api.post, "/containers/%s/pause" % container, text="is already paused")
    raises(
        409, d.api.post, "/containers/%s/exec" % container, {"Cmd": ["true"]}, text="is paused, unpause the container before exec"
    )
    size = len(d.logs(container)[0])
    time.sleep(0.2)
    equal(len(d.logs(container)[0]), size)
    d.api.post("/containers/%s/unpause" % container)
    eventually(lambda: len(d.logs(container)[0]) > size)
    equal(d.state(container)["Status"], "running")
    raises(500, d.api.post, "/containers/%s/unpause" % container, text="is not paused")
    d.api.post("/containers/%s/pause" % container)
    d.api.post("/containers/%s/stop" % container, t=1)
    equal(d.state(container)["Status"], "exited")
    raises(409, d.api.post, "/containers/%s/pause" % container, text="is not running")


def test_stop_uses_signal_and_timeout(d):
    script = "trap 'echo got usr1; exit 5' USR1; echo up; while :; do sleep 0.05; done"
    container = d.start_new(["sh", "-c", script], StopSignal="SIGUSR1")
    eventually(lambda: d.logs(container)[0])
    d.api.post("/containers/%s/stop" % container)
    equal(d.state(container)["ExitCode"], 5)
    equal(d.logs(container)[0], b"up\ngot usr1\n")
    deaf = d.start_new(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"])
    eventually(lambda: d.logs(deaf)[0])
    began = time.monotonic()
    d.api.post("/containers/%s/stop" % deaf, t=1)
    equal(0.9 < time.monotonic() - began < 6, True, "seconds until SIGKILL")
    equal(d.state(deaf)["ExitCode"], 137)
    quick = d.start_new(["sleep", "100"], StopTimeout=0)
    d.api.post("/containers/%s/stop" % quick)
    equal(d.state(quick)["ExitCode"], 137)


def test_kill_refusals(d):
    container = d.create(["true"])
    raises(409, d.api.post, "/containers/%s/kill" % container, text="is not running")
    running = d.start_new(["sleep", "100"])
    raises(400, d.api.post, "/containers/%s/kill" % running, signal="SIGNOTHING", text="invalid signal: SIGNOTHING")
    raises(404, d.api.post, "/containers/nobody/kill", text="No such container: nobody")
    d.api.post("/containers/%s/kill" % running, signal="9")
    equal(d.wait(running), 137)


def test_remove(d):
    running = d.start_new(["sleep", "100"], name="busy")
    message = raises(409, d.api.delete, "/containers/busy")
    contains(message, 'cannot remove container "busy": container is running: stop the container before removing or force remove')
    d.api.delete("/containers/busy", force=True)
    raises(404, d.api.delete, "/containers/" + running, text="No such container: " + running)


def test_auto_remove(d):
    container = d.start_new(["sh", "-c", "exit 3"], host={"AutoRemove": True})
    try:
        equal(d.wait(container, condition="removed"), 3)
    except ApiError as error:  # gone before we could wait
        equal(error.status, 404)
    eventually(lambda: not [row for row in d.api.get("/containers/json", all=True) if row["Id"] == container])
    raises(
        400,
        d.create,
        ["true"],
        host={"AutoRemove": True, "RestartPolicy": {"Name": "always"}},
        text="can't create 'AutoRemove' container with restart policy",
    )


def test_restart_policies(d):
    limited = d.start_new(
        ["sh", "-c", "echo again; exit 1"], host={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    )
    eventually(lambda: d.state(limited)["Status"] == "exited" and d.inspect(limited)["RestartCount"] == 2, "two retries", 20)
    equal(d.logs(limited)[0], b"again\n" * 3)
    equal(d.state(limited)["ExitCode"], 1)
    fine = d.start_new(["true"], host={"RestartPolicy": {"Name": "on-failure"}})
    equal(d.wait(fine), 0)
    equal(d.inspect(fine)["RestartCount"], 0)
    always = d.start_new(["sh", "-c", "echo again; sleep 0.1"], host={"RestartPolicy": {"Name": "always"}})
    eventually(lambda: d.inspect(always)["RestartCount"] >= 2, "restarts", 20)
    d.api.post("/containers/%s/stop" % always)
    count = d.inspect(always)["RestartCount"]
    time.sleep(0.5)
    equal((d.state(always)["Status"], d.inspect(always)["RestartCount"]), ("exited", count))
    raises(400, d.create, ["true"], host={"RestartPolicy": {"Name": "sometimes"}}, text="invalid restart policy")
    raises(400, d.create, ["true"], host={"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}})


def test_top(d):
    container = d.start_new(["sh", "-c", "sleep 77 & sleep 78; true"])
    commands = {"sh -c sleep 77 & sleep 78; true", "sleep 77", "sleep 78"}  # the sleeps begin as copies of the shell
    eventually(lambda: {row[-1] for row in d.api.get("/containers/%s/top" % container)["Processes"]} == commands)
    top = d.api.get("/containers/%s/top" % container)
    equal(top["Titles"], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
    contains([int(row[1]) for row in top["Processes"]], d.state(container)["Pid"])
    raises(409, d.api.get, "/containers/%s/top" % d.create(["true"]), text="is not running")


def test_list_and_filters(d):
    one = d.start_new(["sleep", "100"], name="one", Labels={"role": "web", "tier": "1"})
    two = d.create(["sleep", "5"], name="two", Labels={"role": "db"})
    three = d.start_new(["sh", "-c", "exit 4"], name="three")
    d.wait(three)

    def names(**more):
        return [row["Names"][0][1:] for row in d.api.get("/containers/json", **more)]

    equal(names(), ["one"])
    equal(names(all=True), ["three", "two", "one"])
    equal(names(limit=2), ["three", "two"])
    for filters, wanted in (
        ({"status": ["created"]}, ["two"]),
        ({"label": ["role"]}, ["two", "one"]),
        ({"label": ["role=web", "tier=1"]}, ["one"]),
        ({"exited": ["4"]}, ["three"]),
        ({"name": ["^/t"]}, ["three", "two"]),
        ({"id": [two[:20]]}, ["two"]),
        ({"ancestor": ["busybox"]}, ["three", "two", "one"]),
        ({"before": ["two"]}, ["one"]),
        ({"since": ["two"]}, ["three"]),
        ({"network": ["bridge"]}, ["three", "two", "one"]),
        ({"status": ["running", "exited"]}, ["three", "one"]),
        ({"name": ["nobody"]}, []),
    ):
        equal(names(all=True, filters=filters), wanted, str(filters))
    raises(400, d.api.get, "/containers/json", filters={"colour": ["red"]}, text="invalid filter 'colour'")
    raises(400, d.api.get, "/containers/json", filters={"status": ["sleepy"]})
    row = d.api.get("/containers/json")[0]
    equal((row["Id"], row["Image"], row["Command"], row["State"]), (one, "busybox", "sleep 100", "running"))
    contains(row["Status"], "Up ")
    equal(row["Labels"], {"role": "web", "tier": "1"})
    equal(row["HostConfig"]["NetworkMode"], "bridge")
    contains(row["NetworkSettings"]["Networks"], "bridge")
    stopped = [row for row in d.api.get("/containers/json", all=True) if row["Id"] == three][0]
    contains(stopped["Status"], "Exited (4) ")


def test_prune_and_changes(d):
    container = d.run(["sh", "-c", "echo x >/new; rm /etc/group; echo y >>/etc/passwd"], keep=True).id
    changes = {(row["Path"], row["Kind"]) for row in d.api.get("/containers/%s/changes" % container)}
    equal(changes, {("/new", 1), ("/etc", 0), ("/etc/group", 2), ("/etc/passwd", 0)})
    running = d.start_new(["sleep", "100"])
    pruned = d.api.post("/containers/prune")
    equal(pruned["ContainersDeleted"], [container])
    equal([row["Id"] for row in d.api.get("/containers/json", all=True)], [running])


def test_update(d):
    container = d.start_new(["sleep", "100"], host={"Memory": 64 << 20})
    d.api.post(
        "/containers/%s/update" % container,
        {"Memory": 96 << 20, "MemorySwap": 192 << 20, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 4}},
    )
    host = d.inspect(container)["HostConfig"]
    equal((host["Memory"], host["RestartPolicy"]), (96 << 20, {"Name": "on-failure", "MaximumRetryCount": 4}))
