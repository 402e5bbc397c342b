"""The house's own rules, executed: sizes, commands with tests, documents that name what exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = (
    *("analyticsproject", "operations", "replay", "ingest", "warehouse", "timeseries"),
    *("access", "feed"),
)
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50


def python_files(*folders: str) -> list[Path]:
    """Every module of ours in these folders, migrations aside."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods included."""
    tree = ast.parse(path.read_text())
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_no_module_has_more_than_400_lines() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in python_files(*OURS, "tests", "benchmarks")
    }

    assert {name: size for name, size in sizes.items() if size > MAX_MODULE_LINES} == {}


def test_no_function_of_the_product_has_more_than_50_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": body_lines(function)
        for path in python_files(*OURS)
        for function in functions(path)
        if body_lines(function) > MAX_FUNCTION_LINES
    }

    assert long == {}


def test_every_module_of_the_product_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files(*OURS)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_every_command_has_a_test_that_names_it() -> None:
    commands = [
        path.stem
        for app in OURS
        for path in (ROOT / app / "management" / "commands").glob("[a-z]*.py")
    ]
    tests = "\n".join(path.read_text() for path in python_files("tests"))

    assert [name for name in commands if f'"{name}"' not in tests] == []


@pytest.mark.parametrize(
    "document",
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_documents_name_only_files_that_exist(document: Path) -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[\w.-]*)`", document.read_text())
    outside = ("var/", "tests-out/")

    missing = [
        name for name in named if not name.startswith(outside) and not (ROOT / name).exists()
    ]

    assert missing == []
