"""holk in the place of docker: the same commands, the same output."""
import test_docker_cli as shared


def with_holk(function):
    def test(d):
        d.docker_command = d.holk_command
        function(d)

    test.options = getattr(function, "options", {})
    return test


for _name in (
    "run_rm",
    "run_on_a_terminal",
    "detached_with_a_port",
    "exec",
    "attach_detach_and_signals",
    "logs",
    "cp",
    "pull_and_push",
    "classic_build",
    "inspect",
    "save_load_import_export_commit",
    "many_small_commands",
):
    globals()["test_holk_" + _name] = with_holk(getattr(shared, "test_" + _name))
