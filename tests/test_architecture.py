"""What the code promises about itself, held by machine."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = sorted((ROOT / "kanfunc").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MODULE_LINES, FUNCTION_LINES = 250, 30
Function = ast.FunctionDef | ast.AsyncFunctionDef


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def body_lines(path: Path, function: Function) -> int:
    """Lines of code: without signature, docstring, comments and blank lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    code = lines[body[0].lineno - 1 : function.end_lineno]
    return sum(1 for line in code if line.strip() and not line.strip().startswith("#"))


def dotted(node: ast.expr) -> str:
    """A name such as `os.system`; empty for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, ast.Call))


def is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def test_there_is_something_to_look_at() -> None:
    assert len(PRODUCT) > 20
    assert len(TESTS) > 20


@pytest.mark.parametrize("path", PRODUCT, ids=names(PRODUCT))
def test_module_is_small_enough_to_have_one_reason_to_change(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {lines} lines"
        for path in PRODUCT
        for function in functions(path)
        if (lines := body_lines(path, function)) > FUNCTION_LINES
    ]
    assert long == []


def test_import_contracts_are_kept() -> None:
    kept = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert kept.returncode == 0, kept.stdout + kept.stderr


def test_every_test_is_in_a_file_that_pytest_selects() -> None:
    unseen = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in TESTS
        if not path.name.startswith("test_")
        for node in parse(path).body
        if isinstance(node, Function) and node.name.startswith("test_")
    ]
    assert unseen == []


def test_every_folder_of_tests_is_a_package() -> None:
    assert [
        str(path.parent.relative_to(ROOT)) for path in TESTS if not (path.parent / "__init__.py").exists()
    ] == []


def test_no_test_has_the_name_of_another_in_its_file() -> None:
    doubled = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in TESTS
        for found in [[node.name for node in parse(path).body if isinstance(node, Function)]]
        for name in {name for name in found if found.count(name) > 1}
    ]
    assert doubled == []


def test_no_shell_is_given_text() -> None:
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    offenders = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in [*PRODUCT, *TESTS]
        for call in calls(path)
        if dotted(call.func) in shells
        or any(keyword.arg == "shell" and is_true(keyword.value) for keyword in call.keywords)
    ]
    assert offenders == []


def test_only_the_clock_sleeps() -> None:
    sleepers = {
        f"{path.relative_to(ROOT)} {dotted(call.func)}"
        for path in PRODUCT
        for call in calls(path)
        if dotted(call.func) in {"sleep", "time.sleep", "asyncio.sleep"}
    }
    assert sleepers == {"kanfunc/gateways/console.py time.sleep"}


def test_product_starts_no_processes() -> None:
    imported = {
        f"{path.relative_to(ROOT)} {alias.name}"
        for path in PRODUCT
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in {"subprocess", "pty", "multiprocessing"}
    }
    assert imported == set()


def test_no_test_file_is_left_unselected() -> None:
    """`make test` runs all but the rings that need more than this machine; each of these has its target."""
    makefile = (ROOT / "Makefile").read_text()
    rings = ["image", "cluster"]
    assert f'--dist loadscope --no-loadscope-reorder -m "not {" and not ".join(rings)}"' in makefile
    for path in (ROOT / "tests").rglob("test_*.py"):
        ring = path.relative_to(ROOT / "tests").parts[0]
        marked = {each for each in rings if f"pytest.mark.{each}" in path.read_text()}
        assert path == Path(__file__) or marked == ({ring} & set(rings)), path
    for ring in rings:
        assert f"pytest -m {ring} tests/{ring}" in makefile
