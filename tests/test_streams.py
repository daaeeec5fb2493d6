"""Commands whose output is closed, cut off, or of few letters; and an environment left behind."""

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exercises import results
from exercises.__main__ import main
from nnscratch.streams import NOBODY_READS, run_command
from tests.test_faults import only_posix

CHECKOUT = Path(__file__).parents[1]
COMMANDS = (
    *sorted((CHECKOUT / "exercises").rglob("*.py")),
    *sorted((CHECKOUT / "nnscratch").rglob("*.py")),
    *sorted((CHECKOUT / "tests").rglob("__main__.py")),
)


def started(*arguments, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NNSCRATCH_")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error"}
    environment |= options.pop("environment", {})
    return subprocess.Popen(
        [sys.executable, "-u", "-m", *arguments], env=environment, stderr=subprocess.PIPE, **options
    )


def test_every_command_begins_with_run_command():
    """Or with run_as_script, which calls it."""
    found = 0
    for path in COMMANDS:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
                (only,) = node.body
                assert isinstance(only, ast.Expr), path
                assert ast.unparse(only).startswith(("run_command(", "run_as_script(")), path
                found += 1
    assert found > 20


@only_posix
@pytest.mark.parametrize(
    "command",
    [
        ("exercises", "--list"),
        ("exercises.ex00_backprop", "--list"),
        ("nnscratch.gradcheck", "Flatten"),
    ],
)
def test_a_reader_that_goes_away_ends_the_command_quietly(command):
    process = started(*command, stdout=subprocess.PIPE)
    process.stdout.close()  # as `| head -1` does, only sooner
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (NOBODY_READS, b"")


@only_posix
@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_no_fault(closed):
    python = "sys.executable, [sys.executable, *sys.argv[1:]]"
    code = f"import os, sys; os.close({closed}); os.execv({python})"
    command = ["-m", "nnscratch.gradcheck", "Flatten"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=CHECKOUT, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == b""
    assert (b"cases passed" in done.stdout) == (closed == 2)


def test_letters_that_an_encoding_lacks_become_question_marks():
    process = started(
        "exercises", "--table", stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii"}
    )
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert b"| ? |" in out


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_is_not_there_swallows_what_is_written(monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    run_command(lambda: print("hello", file=getattr(sys, name)))
    getattr(sys, name).close()


@pytest.mark.parametrize(("code", "ends"), [(None, False), (0, False), (1, True), (2, True)])
def test_the_exit_code_is_that_of_main(code, ends):
    if not ends:
        return run_command(lambda: code)
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda: code)
    assert stopped.value.code == code


def test_a_pipe_that_breaks_at_the_last_flush(monkeypatch):
    class Broken(io.RawIOBase):
        def writable(self):
            return True

        def write(self, content):
            raise BrokenPipeError

        def fileno(self):
            return spare

    spare = os.open(os.devnull, os.O_WRONLY)
    stream = io.TextIOWrapper(io.BufferedWriter(Broken()))
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda: print("hello"))
    assert stopped.value.code == NOBODY_READS


def test_the_table_needs_a_checkout(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "GALLERY", tmp_path)
    monkeypatch.setattr("sys.argv", ["exercises", "--table"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert "not part of an installed package; run this in a checkout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backend", "left"),
    [
        ("module://matplotlib_inline.backend_inline", None),
        ("module://ipympl.backend_nbagg", None),
        ("svg", "svg"),
    ],
)
def test_a_backend_that_is_not_installed_is_forgotten(backend, left):
    """Of the notebook from which a command was started; others are left as they are."""
    code = (
        "import os, sys; sys.modules['matplotlib_inline'] = sys.modules['ipympl'] = None; "
        "from exercises.common import Figure; Figure().savefig(sys.stdout.buffer); "
        "print(os.environ.get('MPLBACKEND'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=CHECKOUT, capture_output=True, check=False,
        env=os.environ | {"MPLBACKEND": backend},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(f"{left}\n".encode())
