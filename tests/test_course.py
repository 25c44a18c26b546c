"""course.py: old Pythons read it, the environment is made once, trouble is a line."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import types

import pytest

from minillama.build import cli
from minillama.build.paths import OFFLINE, ROOT

SOURCE = (ROOT / "course.py").read_text(encoding="utf-8")


def newer_than_python_2(source: str) -> list[str]:
    """Names of the constructs in a source that Python 2.7 stops at."""
    found = [] if source.isascii() else ["text beyond ASCII"]
    for node in ast.walk(ast.parse(source)):
        functions = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if functions and (node.returns or node.args.kwonlyargs or any(
                a.annotation for a in node.args.args)):
            found.append(f"signature of {node.name}")
        if isinstance(node, ast.Raise) and node.cause is not None:
            found.append("raise from")
        if isinstance(node, ast.ClassDef) and node.keywords:
            found.append("class keywords")
        if isinstance(node, ast.Starred) and isinstance(node.ctx, ast.Store):
            found.append("starred assignment")
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)) and isinstance(
                node.ctx if hasattr(node, "ctx") else ast.Load(), ast.Load) and any(
                isinstance(e, ast.Starred) for e in node.elts):
            found.append("unpacking in a display")
        if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal,
                             ast.AsyncFunctionDef, ast.Await, ast.YieldFrom,
                             ast.MatMult)):
            found.append(type(node).__name__)
    return found


@pytest.mark.parametrize("line", [
    "f'{1}'", "x: int = 1", "(y := 2)", "def f(a: int): pass", "def f() -> int: pass",
    "def f(*, a): pass", "a, *b = 1, 2", "[*range(3)]", "async def f(): pass",
    "raise OSError from None", "a @ b", "x = '\u00e9'"])
def test_the_test_for_old_syntax_notices(line):
    assert newer_than_python_2(line)


def test_old_pythons_can_read_it():
    assert newer_than_python_2(SOURCE) == []
    # without this line print("a", "b") would print a tuple there
    assert "from __future__ import print_function" in SOURCE


def test_the_grammar_of_python_2_takes_it():
    pytest.importorskip("lib2to3", reason="a grammar of Python 2, gone in 3.13")
    from lib2to3 import pygram, pytree
    from lib2to3.pgen2 import driver
    grammar = pygram.python_grammar_no_print_statement
    reader = driver.Driver(grammar, convert=pytree.convert)
    assert str(reader.parse_string(SOURCE)) == SOURCE


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.9"])
def test_a_real_old_python_says_one_line(version):
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""],
                                        capture_output=True).returncode:
        pytest.skip(f"no Python {version} here")
    done = subprocess.run([python, str(ROOT / "course.py"), "build"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and f"this is {version}:" in done.stderr


class World:
    """What course.py would do to the machine, written down instead of done."""

    def __init__(self, folder):
        self.folder, self.done = folder, []
        self.pip_status, self.status, self.interrupts = 0, 0, 0

    def create(self, folder, with_pip):
        self.done.append("venv")
        assert with_pip
        os.makedirs(os.path.join(folder, "bin"), exist_ok=True)
        for name in (("Scripts", "python.exe"), ("bin", "python")):
            os.makedirs(os.path.join(folder, name[0]), exist_ok=True)
            open(os.path.join(folder, *name), "w").close()

    def call(self, command, cwd):
        self.done.append("pip")
        assert command[1:4] == ["-m", "pip", "install"] and cwd == str(self.folder)
        if self.pip_status == "Ctrl-C":
            raise KeyboardInterrupt
        return self.pip_status

    def popen(self, command):
        self.done.append(command[3:])
        return self

    def wait(self):
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        return self.status


@pytest.fixture
def course(tmp_path, monkeypatch):
    """course.py as a module, with its files in a folder of their own."""
    spec = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HERE = str(tmp_path)
    for name in ("ENVIRONMENT", "STAMP", "PYTHON"):
        moved = os.path.relpath(getattr(module, name), ROOT)
        setattr(module, name, str(tmp_path / moved))
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("torch\n", encoding="utf-8")
    world = module.world = World(tmp_path)
    module.subprocess = types.SimpleNamespace(
        call=world.call, Popen=world.popen,
        CalledProcessError=subprocess.CalledProcessError)
    monkeypatch.setattr("venv.create", world.create)
    monkeypatch.setattr("shutil.disk_usage",
                        lambda _: types.SimpleNamespace(free=2**40))
    return module


def run(course, monkeypatch, *arguments):
    """Run main; returns what it stopped with and what it did."""
    course.world.done.clear()
    monkeypatch.setattr(sys, "argv", ["course.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        course.main()
    return stopped.value.code, list(course.world.done)


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 9, 19)])
def test_an_old_version_is_refused_before_anything_is_done(course, monkeypatch,
                                                           version):
    fake = types.SimpleNamespace(version_info=version, argv=["course.py", "build"],
                                 exit=sys.exit)
    monkeypatch.setattr(course, "sys", fake)
    with pytest.raises(SystemExit) as stopped:
        course.main()
    said = stopped.value.code
    assert "\n" not in said and "3.10 or newer" in said
    assert "%d.%d" % version[:2] in said and course.world.done == []


@pytest.mark.parametrize("arguments, passed", [
    (("build", "03"), ["build", "03"]), ((), ["--help"])])
def test_the_environment_is_made_once(course, monkeypatch, arguments, passed):
    assert run(course, monkeypatch, *arguments) == (0, ["venv", "pip", "pip", passed])
    assert run(course, monkeypatch, *arguments) == (0, [passed])


@pytest.mark.parametrize("change", ["requirements.txt", "pyproject.toml", "folder",
                                    "python", "interpreter"])
def test_the_environment_is_made_anew_after_a_change(course, monkeypatch, change):
    run(course, monkeypatch, "build")
    if change == "folder":
        monkeypatch.setattr(course, "HERE", course.HERE + os.sep)
        course.world.folder = course.HERE
    elif change == "python":
        fake = types.SimpleNamespace(version_info=(3, 99, 0), argv=["", "build"],
                                     exit=sys.exit)
        monkeypatch.setattr(course, "sys", fake)
    elif change == "interpreter":
        os.remove(course.PYTHON)
    else:
        (course.world.folder / change).write_text("torch==9\n", encoding="utf-8")
    done = run(course, monkeypatch, "build")[1]
    assert done == ["venv", "pip", "pip", ["build"]]


@pytest.mark.parametrize("trouble, says", [(1, "pip could not install"),
                                           ("Ctrl-C", "stopped")])
def test_a_broken_installation_is_begun_again(course, monkeypatch, trouble, says):
    course.world.pip_status = trouble
    code, done = run(course, monkeypatch, "build")
    assert says in code and code.strip().count("\n") == 0 and done == ["venv", "pip"]
    course.world.pip_status = 0
    assert run(course, monkeypatch, "build")[1] == ["venv", "pip", "pip", ["build"]]


def fails(error):
    def function(*_args, **_kwargs):
        raise error
    return function


@pytest.mark.parametrize("error, says", [
    (subprocess.CalledProcessError(1, "ensurepip"), "python3-venv"),
    (PermissionError(13, "Permission denied"), "Permission denied"),
    (OSError(28, "No space left on device"), "No space left"),
    (ImportError("venv"), "no venv module")])
def test_trouble_with_the_environment_is_one_line(course, monkeypatch, error, says):
    monkeypatch.setattr("venv.create", fails(error))
    code, done = run(course, monkeypatch, "build")
    assert says in code and "\n" not in code and done == []


def test_a_full_disk_is_said_before_the_download(course, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage",
                        lambda _: types.SimpleNamespace(free=2**31))
    code, done = run(course, monkeypatch, "build")
    assert "make room" in code and "\n" not in code and done == []


def test_status_and_interruption_are_those_of_the_command(course, monkeypatch):
    course.world.status, course.world.interrupts = 3, 2
    code, done = run(course, monkeypatch, "build")
    assert code == 3 and done[-1] == ["build"]


# The verbs behind it ------------------------------------------------------------

def says(arguments, capsys) -> tuple[int, str]:
    """Status of a command, and what it wrote to stderr."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    code = stopped.value.code
    return (1, code) if isinstance(code, str) else (code, capsys.readouterr().err)


@pytest.mark.parametrize("arguments, fragments", [
    (["bild"], ["bild", "build"]), ([], ["VERB"]),
    (["build", "77"], ["no notebook '77'", "03_rope"]),
    (["check", "nonsense"], ["no notebook 'nonsense'"]),
    (["slides", "77"], ["no notebook '77'"]),
    (["student", "77"], ["no notebook '77'"]),
    (["stages", "bace"], ["no stage 'bace'", "base"]),
    (["build", "--fast"], ["unknown option --fast"])])
def test_what_is_unknown_is_one_line_and_a_status(arguments, fragments, capsys):
    status, text = says(arguments, capsys)
    assert status != 0 and text.strip().count("\n") == 0
    assert all(fragment in text for fragment in fragments), text
    assert len(text) < 400 and "Traceback" not in text


def test_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and set(cli.VERBS) == set(cli.COMMANDS)
    assert all(f"  {verb} " in text for verb in cli.VERBS)


def test_a_command_needs_no_network():
    environment = {**os.environ, "PYTHONPATH": str(OFFLINE)}
    command = [sys.executable, "-m", "minillama.build.cli"]
    done = subprocess.run([*command, "stages"], env=environment, capture_output=True,
                          text=True)
    assert (done.returncode, done.stderr) == (0, "") and "base" in done.stdout


@pytest.mark.parametrize("call", [
    "s.connect(('192.0.2.1', 80))", "s.connect_ex(('192.0.2.1', 80))",
    "u.sendto(b'x', ('192.0.2.1', 80))"])
def test_the_guard_lets_nothing_out(call):
    code = ("import socket as k\ns, u = k.socket(), k.socket(type=k.SOCK_DGRAM)\n"
            f"try:\n    {call}\nexcept OSError as error:\n    print(error)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(OFFLINE)})
    assert "without a network: 192.0.2.1 refused" in done.stdout, done.stderr


@pytest.mark.parametrize("error, says_", [
    (OSError(28, "No space left on device", "notes.txt"), "No space left on device"),
    (PermissionError(13, "Permission denied", "notes.txt"), "Permission denied"),
    (KeyboardInterrupt(), "the same command goes on")])
def test_trouble_of_the_machine_is_one_line(monkeypatch, capsys, error, says_):
    monkeypatch.setitem(cli.COMMANDS, "build", fails(error))
    status, text = says(["build"], capsys)
    assert status == 1 and says_ in text and text.strip().count("\n") == 0
    assert isinstance(error, KeyboardInterrupt) or "notes.txt" in text
