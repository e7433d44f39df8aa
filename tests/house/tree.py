"""The tree under inspection: its files, parsed once, and how its modules are named."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sre_agent"


@functools.cache
def sources(top: str = "sre_agent") -> tuple[Path, ...]:
    """Every Python file under a top-level folder."""
    return tuple(sorted(path for path in (ROOT / top).rglob("*.py") if "__pycache__" not in path.parts))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    """The path as messages show it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, nested ones included."""
    return [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported(path: Path) -> set[str]:
    """Every module a file names in an import, wherever the import stands; "a.b" for `from a import b` too."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@functools.cache
def committed() -> tuple[Path, ...]:
    """Every file that is, or would be, in the repository: all but what .gitignore names."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        return tuple(path for line in listed.stdout.decode().split("\0") if line and (path := ROOT / line).is_file())
    # An unpacked archive has no git: everything but what building and testing leave behind.
    left = {".venv", "dist", "build", "__pycache__", ".demo"}
    return tuple(p for p in ROOT.rglob("*") if p.is_file() and not any(x in left or x.endswith("_cache") for x in p.parts))
