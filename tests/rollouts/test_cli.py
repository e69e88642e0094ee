import subprocess
import sys

import pytest

from refergym.rollouts import cli
from refergym.rollouts.errors import ConfigError, PoolError


def test_help_lists_every_command(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)


def test_without_a_command_help_goes_to_stderr(capsys):
    assert cli.main([]) == 2
    assert "usage: refergym" in capsys.readouterr().err


def test_an_unknown_command_lists_the_known_ones(capsys):
    assert cli.main(["evalute"]) == 2
    assert "'evalute'; did you mean evaluate? commands: " in capsys.readouterr().err


def test_help_of_evaluate_lists_keys_meanings_and_choices(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["evaluate", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for part in (
        "episodes=20",
        "seed=0",
        "how many",
        "center, cheat, nano, narrator, openai, oracle, random",
        "kinematic",
    ):
        assert part in shown
    assert "null  null" not in shown


@pytest.mark.parametrize("command", ["generate", "sft", "train"])
def test_help_has_choices_that_are_put_in_another_place(capsys, command):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert "keys of the default choices:" in capsys.readouterr().out


def test_a_mistake_of_the_user_is_one_message_without_a_traceback(capsys):
    assert cli.main(["evaluate", "epsiodes=3"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("refergym evaluate: epsiodes: unknown key; did you mean episodes?")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigError("x: wrong"), 2), (PoolError("none starts"), 1), (KeyboardInterrupt(), 130)],
)
def test_exit_status_says_whose_fault_it_was(monkeypatch, capsys, error, status):
    import refergym.rollouts.evaluate as module

    def fail(argv):
        raise error

    monkeypatch.setattr(module, "main", fail)
    assert cli.main(["evaluate"]) == status
    assert "refergym evaluate: " in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch):
    import refergym.rollouts.evaluate as module

    def fail(argv):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "main", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["evaluate"])


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from refergym.rollouts.cli import main; main(['--help']);"
        "heavy = {'numpy', 'hydra', 'pybullet', 'rich', 'scipy', 'PIL'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
