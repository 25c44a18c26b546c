"""What code a result depends on: a module and everything of ours that it imports.

Comments and docstrings do not count, so that explaining something better retrains
nothing.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def _file(module: str) -> Path | None:
    """The source of one of our modules, or None."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    found = (base.with_suffix(".py"), base / "__init__.py")
    return next((p for p in found if p.is_file()), None)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST, module: str = "", is_package: bool = False) -> set[str]:
    """Our modules that a tree imports, with absolute names; ``module`` is its own."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".") if is_package else module.split(".")[:-1]
            start = base[: len(base) - node.level + 1] if node.level else []
            name = ".".join([*start, *([node.module] if node.module else [])])
            found |= {name, *(f"{name}.{alias.name}" for alias in node.names)}
    return {name for name in found
            if name.split(".")[0] == PACKAGE.name and _file(name) is not None}


@cache
def closure(module: str) -> frozenset[str]:
    """The module and all of ours that it imports, directly or not."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        path = _file(name)
        if path is not None:
            package = path.name == "__init__.py"
            waiting |= imports(_tree(path), name, package) - found
    return frozenset(found)


@cache
def code_digest(module: str) -> str:
    """A digest of the code in ``closure(module)``, comments and docstrings aside."""
    digest = hashlib.sha256()
    for name in sorted(closure(module)):
        path = _file(name)
        if path is not None:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            digest.update(f"{name}\n{_bare(tree)}\n".encode())
    return digest.hexdigest()


def function_digest(function: Callable) -> str:
    """A digest of a function's code and of all functions and classes of its own file
    that it uses, directly or not, comments and docstrings aside; and of the constants,
    whose names are in capitals."""
    parts = used_by(function)
    code = "\n".join(f"{name} {parts[name]}" for name in sorted(parts))
    return hashlib.sha256(code.encode()).hexdigest()


def used_by(function: Callable) -> dict[str, str]:
    """Code of a function, and code or value of all that it uses, by name; of other
    files only what is asked for is given, not its code."""
    function = inspect.unwrap(function)
    found: dict[str, str] = {}
    waiting: list[Any] = [function]
    while waiting:
        one = inspect.unwrap(waiting.pop())
        if one.__qualname__ in found:
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        found[one.__qualname__] = _bare(tree)
        for name in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}:
            value = function.__globals__.get(name)
            if inspect.isfunction(value) or inspect.isclass(value):
                if value.__module__ == function.__module__:
                    waiting.append(value)
                else:
                    found[name] = value.__module__
            elif inspect.ismodule(value):
                found[name] = value.__name__
            elif name.isupper() and value is not None and " at 0x" not in repr(value):
                found[name] = repr(value)
    return found


def _bare(tree: ast.Module) -> str:
    """The tree as text, without docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and (
                isinstance(body[0].value, ast.Constant)
                and isinstance(body[0].value.value, str)):
            node.body = body[1:]
    return ast.dump(tree)
