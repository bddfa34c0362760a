"""Count how many planted faults the tests find. Run: python tests/benchmarks/planted_faults.py [--count 40] [--seed 0]

Faults are planted one at a time in a temporary copy: another sign or operator, another comparison, a constant that is
one larger, a dropped line, a loop the other way round. The tests that belong to the file run until one fails, or until
they take longer than `LIMIT_SECONDS`, which counts as found. Prints a line for each fault, then the survivors and the
share that was found. The exit status is 0 if that is at least `WANTED`.

Not planted, because no result of the program could differ: docstrings, annotations and messages (all text, and all
inside of `raise`), numbers outside functions (sizes of steps and blocks, limits of time), and loops that only count.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("density", "zoo", "kernels", "engine", "media", "library")
LIMIT_SECONDS = 900
WANTED = 0.95
MOST_TESTS = 8
"""The most files of tests that run for a fault."""
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
SILENT = (ast.Raise, ast.Assert, ast.JoinedStr)
"""Nodes without faults: messages, and what only mypy or the author reads."""


@dataclass(frozen=True)
class Fault:
    """Describes a piece of a file, and what replaces it."""

    file: Path
    line: int
    kind: str
    begin: int
    end: int
    """Places in the file, in bytes."""
    before: str
    after: str

    def __str__(self) -> str:
        shown = f"{' '.join(self.before.split())} → {' '.join(self.after.split())}"
        return f"{self.file}:{self.line} {self.kind}: {shown[:110]}"

    def plant(self, root: Path) -> None:
        data = (root / self.file).read_bytes()
        (root / self.file).write_bytes(data[: self.begin] + self.after.encode() + data[self.end :])


class Finder(ast.NodeVisitor):
    """Collects the faults that a file can have."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.source = (ROOT / file).read_text()
        lines = self.source.encode().splitlines(keepends=True)
        self.starts = [sum(map(len, lines[:i])) for i in range(len(lines))]
        self.faults: list[Fault] = []
        self.depth = 0
        self.visit(ast.parse(self.source))

    def add(self, node: ast.expr | ast.stmt, kind: str, after: str) -> None:
        begin = self.starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        before = self.source.encode()[begin:end].decode()
        self.faults.append(Fault(self.file, node.lineno, kind, begin, end, before, after))

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, SILENT):
            return
        if isinstance(node, ast.FunctionDef):
            self.depth += 1
            for inner in node.body:
                self.visit(inner)
            self.depth -= 1
            return
        if isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.visit(node.value)
            return
        if self.depth:
            self.look(node)
        self.generic_visit(node)

    def look(self, node: ast.AST) -> None:
        match node:
            case ast.BinOp(op=op) if type(op) in OPERATORS:
                self.changed(node, "operator", op=OPERATORS[type(op)]())
            case ast.UnaryOp(op=ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
                self.add(node, "sign", ast.unparse(operand))
            case ast.BoolOp(op=op):
                self.changed(node, "operator", op=OPERATORS[type(op)]())
            case ast.Compare(ops=[op]) if type(op) in OPERATORS:
                self.changed(node, "comparison", ops=[OPERATORS[type(op)]()])
            case ast.Constant(value=bool()):
                self.add(node, "constant", str(not node.value))
            case ast.Constant(value=int() | float()):
                self.add(node, "constant", repr(node.value + 1))
            case ast.Expr(value=ast.Call()) | ast.AugAssign():
                self.add(node, "dropped line", "pass")
            case ast.For(target=target, iter=over) if not (isinstance(target, ast.Name) and target.id == "_"):
                self.add(over, "reversed order", f"reversed(list({ast.unparse(over)}))")

    def changed(self, node: ast.expr, kind: str, **fields: object) -> None:
        """Add the node with other fields as a fault."""
        copy = type(node)(**{name: getattr(node, name) for name in node._fields})
        for name, value in fields.items():
            setattr(copy, name, value)
        self.add(node, kind, f"({ast.unparse(copy)})")


def chosen(count: int, seed: int) -> list[Fault]:
    """Choose faults evenly among the parts, and among the kinds that a part has."""
    stream = random.Random(seed)
    found: dict[tuple[str, str], list[Fault]] = {}
    for part in PARTS:
        for path in sorted((ROOT / "studio" / part).rglob("*.py")):
            for fault in Finder(path.relative_to(ROOT)).faults:
                found.setdefault((part, fault.kind), []).append(fault)
    picked: list[Fault] = []
    while len(picked) < count:
        part = PARTS[len(picked) % len(PARTS)]
        kind = stream.choice(sorted(kind for of, kind in found if of == part))
        fault = stream.choice(found[part, kind])
        if fault not in picked:
            picked.append(fault)
    return picked


def tests_of(file: Path) -> list[str]:
    """Return the files of tests that belong to a file.

    First are those with its name, then those that import it, then the contract of its part.
    """
    module = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
    package, _, stem = module.rpartition(".")
    part = file.parts[1]
    every = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if "desktop" not in path.parts)
    named = [path for path in every if path.stem.startswith(f"test_{file.stem}") and path.parent.name == part]
    words = (f"from {module} import", f"import {module}\n", f"from {package} import {stem}\n")
    texts = {path: path.read_text() for path in every}
    importing = [path for path, text in texts.items() if any(word in text for word in words)]
    listed = [path for path, text in texts.items() if f"from {package} import" in text and f" {stem}" in text]
    contract = [path for path in every if "contract" in path.stem] if part in ("density", "zoo", "kernels") else []
    same = [path for path in every if path.parent.name == part]
    found = dict.fromkeys([*named, *importing, *listed, *contract, *same])
    return [str(path.relative_to(ROOT)) for path in found][:MOST_TESTS]


def copied() -> Iterator[Path]:
    """Copy the repository, with its compiled loops and with links to its models."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "copy"
        left_out = shutil.ignore_patterns(".git", ".venv", "models", "__pycache__", ".mypy_cache", ".ruff_cache")
        shutil.copytree(ROOT, root, ignore=left_out)
        (root / "models").symlink_to(ROOT / "models")
        (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        yield root


def found(fault: Fault, root: Path) -> bool:
    """Return whether a test fails, or never ends."""
    whole = (root / fault.file).read_bytes()
    fault.plant(root)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", *tests_of(fault.file)]
    kept = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        with subprocess.Popen(
            words, cwd=root, env=os.environ | kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            try:
                return running.wait(LIMIT_SECONDS) == 1
            except subprocess.TimeoutExpired:
                running.kill()
                return True
    finally:
        (root / fault.file).write_bytes(whole)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--count", type=int, default=40)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--from", dest="first", type=int, default=0, help="the number of the first to plant")
    args = asked.parse_args()
    survivors: list[Fault] = []
    faults = chosen(args.count, args.seed)[args.first :]
    for root in copied():
        for number, fault in enumerate(faults, args.first):
            dead = found(fault, root)
            survivors += [] if dead else [fault]
            print(f"{number} {'found' if dead else 'SURVIVED'} {fault}", flush=True)
    share = 1 - len(survivors) / len(faults)
    print(f"{len(faults) - len(survivors)} of {len(faults)} found ({share:.0%}); survivors:")
    print("\n".join(map(str, survivors)) or "none")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
