"""Whether a job's code has changed, by its meaning: not by its layout, its comments or its documentation."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from lake.promote.declare import Job

TOLD = {"description", "owner", "units", "pii", "timeout"}
"""What a declaration tells of a table, or of its making, and what does not make it."""


def digest(*parts: str) -> str:
    """A short fingerprint of some texts.

    >>> digest("a", "b") == digest("ab")
    False
    """
    whole = hashlib.sha256()
    for part in parts:
        body = part.encode()
        whole.update(len(body).to_bytes(8, "big") + body)
    return whole.hexdigest()[:16]


def of_files(paths: Iterable[str]) -> str:
    """A fingerprint of a table's contents: its files, which never change, in any order."""
    return digest(*sorted(paths))


def of_function(job: Job, folder: Path) -> str:
    """A fingerprint of a job in Python: its file without the other jobs, and the project's files it imports.

    What it imports from elsewhere is not looked into: a new version of a library is no change of the job.
    """
    tree = ast.parse(job.path.read_text(encoding="utf-8"))
    _drop_other_jobs(tree, job.line)
    seen: dict[Path, str] = {}
    _follow(tree, job.path, folder, seen)
    return digest(str(job.table), _meaning(tree), *(text for _, text in sorted(seen.items())))


def _drop_other_jobs(tree: ast.Module, line: int) -> None:
    """Take out the jobs that are neither this one nor named anywhere else in the file."""
    others = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and _is_job(node) and _first_line(node) != line
    ]
    rest = [node for node in tree.body if node not in others]
    named = {found.id for node in rest for found in ast.walk(node) if isinstance(found, ast.Name)}
    tree.body = [node for node in tree.body if node not in others or getattr(node, "name", "") in named]


def _is_job(node: ast.FunctionDef) -> bool:
    return any(_declares(each) for each in node.decorator_list if isinstance(each, ast.Call))


def _declares(call: ast.Call) -> bool:
    return getattr(call.func, "id", getattr(call.func, "attr", "")) == "job"


def _first_line(node: ast.FunctionDef) -> int:
    return min((each.lineno for each in node.decorator_list), default=node.lineno)


def _follow(tree: ast.Module, path: Path, folder: Path, seen: dict[Path, str]) -> None:
    """Read the project's own files that ``tree`` imports: ``from .common import clean``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        home = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for file in (home.with_suffix(".py"), *(home / f"{alias.name}.py" for alias in node.names)):
            if file.is_file() and file.is_relative_to(folder) and file not in seen:
                imported = ast.parse(file.read_text(encoding="utf-8"))
                seen[file] = _meaning(imported)
                _follow(imported, file, folder, seen)


def _meaning(tree: ast.Module) -> str:
    return ast.dump(_Essence().visit(tree))


class _Essence(ast.NodeTransformer):
    """Drops docstrings, and of a job's declaration what is told of the table but does not make it."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST | None:
        if _declares(node):
            node.keywords = [each for each in node.keywords if each.arg not in TOLD]
        return self.generic_visit(node)
