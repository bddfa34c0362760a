"""Count how many planted faults the tests find. Run: python tests/benchmarks/planted_faults.py [--count 40] [--seed 0]

Faults are planted one at a time in a temporary copy: another sign or operator, another comparison, a constant that is
one larger, a dropped line, a loop the other way round. The tests nearest to the file run until one fails, or until they
take longer than `LIMIT_SECONDS`. What failed must pass once the fault is gone. Prints a line for each fault, then the
survivors and the share that was found. The exit status is 0 if that is at least `WANTED`.

Not planted, because no result of the program could differ: docstrings, annotations and messages (all text, and all
inside of `raise`), numbers outside functions (sizes of steps and blocks, limits of time), and the order of loops that
only count, look for what equals something, add products, or change each item on its own.
"""

import argparse
import ast
import functools
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
sys.path.insert(0, str(ROOT))

from tests.slow import is_slow  # noqa: E402 - found only from here on

PARTS = ("density", "zoo", "kernels", "engine", "media", "library")
LIMIT_SECONDS = 3600
"""Far above what all tests of a fault take. pytest ends a test that hangs, unless it hangs in a compiled loop."""
WANTED = 0.95
MOST_TESTS = 16
"""The most files of tests that run for a fault."""
CONTRACTS = {"density", "kernels", "zoo"}
"""Parts whose faults must break a promise that every model makes (`test_…contract.py`)."""
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
            case ast.For(iter=over) if not any(alike(node) for alike in (counts, searches, adds, changes_each)):
                self.add(over, "reversed order", f"reversed(list({ast.unparse(over)}))")

    def changed(self, node: ast.expr, kind: str, **fields: object) -> None:
        """Add the node with other fields as a fault."""
        copy = type(node)(**{name: getattr(node, name) for name in node._fields})
        for name, value in fields.items():
            setattr(copy, name, value)
        self.add(node, kind, f"({ast.unparse(copy)})")


def counts(loop: ast.For) -> bool:
    """Return whether a loop never looks at what it loops over."""
    return isinstance(loop.target, ast.Name) and loop.target.id == "_"


def searches(loop: ast.For) -> bool:
    """Return whether a loop only returns the item that equals something."""
    match loop.body:
        case [ast.If(test=test, body=[ast.Return()], orelse=[])]:
            parts = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
            return all(isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.Eq) for part in parts)
    return False


def adds(loop: ast.For) -> bool:
    """Return whether a loop only adds products to a sum: another order changes how it is rounded."""
    match loop.body:
        case [ast.AugAssign(target=target, op=ast.Add(), value=ast.BinOp(op=ast.Mult()) as product)]:
            array = target.value if isinstance(target, ast.Subscript) else target
            return names_in(array).isdisjoint(names_in(product))
        case [ast.Assign([ast.Name(id=name)], ast.BinOp(ast.Name(id=left), ast.Add(), product))]:
            multiplies = isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult)
            return multiplies and left == name and name not in names_in(product)
    return False


def changes_each(loop: ast.For) -> bool:
    """Return whether a loop only sets attributes of its items, or entries of arrays at the numbers of a range."""
    items = names_in(loop.target)
    ranged = isinstance(loop.iter, ast.Call) and isinstance(loop.iter.func, ast.Name) and loop.iter.func.id == "range"
    for line in loop.body:
        match line:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name))]) if name in items:
                continue
            case ast.AugAssign(target=ast.Attribute(value=ast.Name(id=name))) if name in items:
                continue
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=array), slice=at)], value=value) if ranged:
                index = at.elts[0] if isinstance(at, ast.Tuple) else at
                if isinstance(index, ast.Name) and index.id in items and array not in names_in(value):
                    continue
        return False
    return True


def names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


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
    """Return the files of tests nearest to a file: first those with its name, then by how many imports lie between.

    Tests that reach it by as many imports are in the order of how near their folder is, then the fast ones. The others
    of its folder are last: they may run it as a program.
    """
    module = module_name(file)
    folder = file.relative_to("studio").parent
    every = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py") if "desktop" not in path.parts]
    beside = {module_name(test): len(every) for test in every if test.parent == "tests" / folder}
    distances = beside | imports_between(module)

    def place(test: Path) -> tuple[int, int, bool, str]:
        """Return what a file of tests is sorted by."""
        shared = len(Path(os.path.commonpath(["/" / folder, "/" / test.relative_to("tests").parent])).parts) - 1
        contract = folder.parts[:1] and folder.parts[0] in CONTRACTS and "contract" in test.stem
        distance = min(distances[module_name(test)], 2) if contract else distances[module_name(test)]
        named = shared and test.stem.startswith(f"test_{file.stem}")
        return 0 if named else distance, -shared, is_slow(ROOT / test), str(test)

    reaching = [test for test in every if module_name(test) in distances]
    return [str(test) for test in sorted(reaching, key=place)][:MOST_TESTS]


def module_name(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def importers() -> dict[str, set[str]]:
    """Return which modules of ours, tests among them, import each module of ours."""
    files = [path.relative_to(ROOT) for part in ("studio", "tests") for path in (ROOT / part).rglob("*.py")]
    by = {module_name(file): set[str]() for file in files}
    for file in files:
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                if name in by:
                    by[name].add(module_name(file))
    return by


def imports_between(module: str) -> dict[str, int]:
    """Return how many imports lie between a module and each of those that reach it."""
    distances = {module: 0}
    waiting = [module]
    for name in waiting:
        for importer in importers()[name] - distances.keys():
            distances[importer] = distances[name] + 1
            waiting.append(importer)
    return distances


def copied() -> Iterator[Path]:
    """Copy the repository, with its compiled loops and with links to its models."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "copy"
        left_out = (".git", ".venv", "models", "__pycache__", ".mypy_cache", ".ruff_cache", "lastfailed")
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*left_out))
        (root / "models").symlink_to(ROOT / "models")
        (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        yield root


def found(fault: Fault, root: Path) -> bool:
    """Return whether a test fails or never ends with the fault. Ends the program if it does so without the fault."""
    whole = (root / fault.file).read_bytes()
    tests = tests_of(fault.file)
    (root / ".pytest_cache/v/cache/lastfailed").unlink(missing_ok=True)
    fault.plant(root)
    try:
        passed = passes(tests, root)
    finally:
        (root / fault.file).write_bytes(whole)
    if not passed and not passes(["--last-failed", *tests], root):
        raise SystemExit(f"A test fails without any fault, so it tells nothing of {fault}. Mend it, then use --from.")
    return not passed


def passes(tests: list[str], root: Path) -> bool:
    """Return whether tests pass, in a limited time. Stops at the first that fails."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", *tests]
    kept = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return not subprocess.run(
            words,
            cwd=root,
            env=os.environ | kept,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return False


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
