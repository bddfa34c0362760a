"""Check what the architecture demands of a source file: the import table and the banned calls.

`faults(name, source)` takes text, so that tests can plant a fault and check that it is found.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Floor(NamedTuple):
    """Holds what a part may import: modules of the studio, and other packages."""

    ours: frozenset[str]
    world: frozenset[str]


def _floor(ours: str = "", world: str = "") -> Floor:
    return Floor(frozenset(ours.split()), frozenset(world.split()))


FEATURES = (
    "studio.app.core studio.app.widgets studio.app.engine studio.app.audio studio.app.maps studio.app.model_browser"
    " studio.app.files"
)


def _app(ours: str) -> Floor:
    """Return the row of a part of the window. `_layer_faults` checks imports of Qt and of views by file name."""
    return _floor(ours + " studio.wire studio.media studio.library", "PySide6 pyqtgraph numpy msgspec")


TABLE = {  # the longest name that fits a file is its part; a part may always import itself
    "studio": _floor("studio.app.main studio.cli studio.engine studio.media.decoder_process studio.streams"),
    "studio.streams": _floor(),
    "studio.nets": _floor(world="torch"),
    "studio.density": _floor(world="torch"),
    "studio.kernels": _floor(world="numpy numba llvmlite platformdirs"),
    "studio.zoo": _floor("studio.nets studio.density studio.kernels", "torch numpy msgspec"),
    "studio.wire": _floor(world="numpy msgspec"),
    "studio.media": _floor(world="numpy msgspec PIL soundfile soxr sounddevice"),
    "studio.library": _floor("studio.media", "numpy msgspec platformdirs safetensors"),
    "studio.engine": _floor(
        "studio.streams studio.zoo studio.density studio.kernels studio.wire studio.media studio.library"
        " studio.engine.audio",
        "torch numpy msgspec safetensors",
    ),
    "studio.engine.audio": _floor(world="torchaudio"),
    "studio.cli": _floor(
        "studio.streams studio.engine studio.zoo studio.wire studio.media studio.library studio.cli.tensorboard_export",
        "numpy msgspec",
    ),
    "studio.cli.tensorboard_export": _floor("studio.library", "tensorboard"),
    "studio.app": _floor(world="PySide6 numpy msgspec"),
    "studio.app.core": _floor("studio.wire studio.library studio.media", "PySide6.QtCore numpy msgspec"),
    "studio.app.engine": _app("studio.app.core"),
    "studio.app.widgets": _app("studio.app.core"),
    "studio.app.audio": _app("studio.app.core studio.app.widgets"),
    "studio.app.maps": _app("studio.app.core studio.app.widgets"),
    "studio.app.model_browser": _app("studio.app.core studio.app.widgets"),
    "studio.app.files": _app("studio.app.core studio.app.widgets"),
    "studio.app.takes": _app(FEATURES),
    "studio.app.generation": _app(FEATURES + " studio.app.takes"),
    "studio.app.panels": _app(FEATURES + " studio.app.takes studio.app.generation"),
    "studio.app.file_opener": _app(FEATURES + " studio.app.panels"),
    "studio.app.app_state": _app(
        FEATURES + " studio.app.takes studio.app.generation studio.app.panels studio.app.file_opener"
    ),
    "studio.app.window": _app("studio.app"),
    "studio.app.main": _app("studio.app"),
    "studio.app.fault_log": _app("studio.app"),
}
VIEW_FOLDERS = ("studio.app.widgets", "studio.app.window")
ROOTS = {"studio.app.main", "studio.app.app_state", "studio.app.fault_log"}
WRITER = "studio.library.storage"
READERS = {  # of files; a file of the user is read by the child of studio.media.decoder alone
    "open_picture": "studio.media.pictures.image",
    "open_recording": "studio.media.sounds.audio_file",
    "read_wave": "studio.media.sounds.single_cycle",
    "read_cycle": "studio.media.sounds.single_cycle",
    "read_members": "studio.media.pack",
    "read_headers": "studio.media.tar_headers",
    "unpack_picture_text": "studio.media.pictures.enlarging",
}
CHILD = "studio.media.decoder_process"
PIPES = {"studio.media.decoder", CHILD}
"""Modules that write into pipes and into no file."""
KNOWN_FILES = {"studio.app.generation.run", "studio.app.panels.complete.canvas"}
"""Modules that read pictures which the studio wrote, after a digest has shown that no byte has changed."""
DECODERS = {  # calls of libraries that read files, by the end of their dotted name
    "Image.open", "SoundFile", "soundfile.read", "soundfile.info", "soundfile.blocks", "np.load", "read_array",
    "ZipFile", "tarfile.open", "TarFile", "gzip.open", "wave.open", "QImageReader", "QMovie",
}  # fmt: skip
IN_PROCESS = {
    "studio.media.dataset", "studio.media.sounds.audio_dataset", "studio.media.decoder", "studio.media.folder_scan",
    "studio.media.preparing", "studio.media.shards", "studio.media.shard_stream", "studio.media.similarity",
}  # fmt: skip
"""Modules of media that run in the engine and in the window. The others run in the child process."""
UNPICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "multiprocessing"}
NETWORK = {"socket", "socketserver", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "asyncio"}
RUNNERS = {"eval", "exec", "compile", "__import__"}  # the builtins alone: model.eval() and app.exec() are fine
LAYOUT_ITEMS = {  # calls that may stand nowhere, not even in a test; use studio.app.widgets.controls.widgets_of
    # Seen as a QWidgetItem in place of a widget: PySide 6.11 looks objects up by the address of what they stand for.
    "itemAt": "keeps an object for an item that Qt deletes, and the next thing at its address is taken for it",
    "takeAt": "leaves an item that neither Python nor Qt deletes",
}
NEVER = {  # calls that may stand nowhere, by the end of their dotted name
    "torch.load": "unpickles",
    "torch.save": "pickles",
    "yaml.load": "builds objects named in a file",
    "extractall": "writes wherever an archive says",
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "np.memmap": "dies when the file shrinks",
    "np.fromfile": "reads without looking first",
    # Without its compiled part, torchaudio lacks some functions, and its filters are loops of Python.
    "functional.lfilter": "takes a second for a second of sound",
    "functional.loudness": "filters by lfilter",
    "functional.forced_align": "is missing without the compiled part of torchaudio",
    "torchaudio.load": "needs torchcodec, which cannot be imported",
    # PySide 6.11's clear() has Python destroy every other item, while Qt still removes its row: a model of our own.
    "QListWidgetItem": "is destroyed by Python and by Qt when its list is cleared",
    "QTreeWidgetItem": "is destroyed by Python and by Qt when its tree is cleared",
    "QTableWidgetItem": "is destroyed by Python and by Qt when its table is cleared",
    **LAYOUT_ITEMS,
}
WRITING = {  # calls that write, rename or delete, by the end of their dotted name
    "write_text", "write_bytes", "os.replace", "os.rename", "os.renames", "os.remove", "os.unlink", "os.rmdir",
    "os.truncate", "shutil.move", "shutil.rmtree", "shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree",
    "unlink", "rmdir", "touch", "np.save", "np.savez", "np.savez_compressed", "save_file", "tofile",
    "NamedTemporaryFile", "mkstemp", "mkdtemp", "TemporaryDirectory", "TemporaryFile",
}  # fmt: skip
ENCODERS = {"save", "write"}  # Pillow's and soundfile's: fine into memory, a ban when a path is given
QT_VIRTUALS = re.compile(r"[a-z]+[A-Z]\w*|event|data|paint|flags|parent|index")


def module(path: Path, root: Path = ROOT) -> str:
    """Return the module's name: `studio.app.main` for studio/app/main.py. A package has its folder's name."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, str]:
    """Return the text of every module of the studio, by its name."""
    return {module(path): path.read_text("utf-8") for path in sorted((ROOT / "studio").rglob("*.py"))}


def part(name: str) -> str:
    """Return the row of the table for a module: the longest name that fits."""
    return max((row for row in TABLE if within(name, row)), key=len)


def within(name: str, package: str) -> bool:
    """Return whether a name is the package itself or lies below it."""
    return name == package or name.startswith(package + ".")


def imports(name: str, tree: ast.AST, is_package: bool = False) -> Iterator[str]:
    """Yield the dotted names of all imports anywhere in the file. Relative ones are made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            near = name.split(".") if is_package else name.split(".")[:-1]
            base = ".".join(near[: len(near) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [base, node.module]))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def may_import(name: str, wanted: str) -> bool:
    """Return whether the table lets a module import this."""
    here = part(name)
    floor = TABLE[here]
    top = wanted.split(".")[0]
    if top == "studio":
        bare = wanted in {"studio.__version__", "studio"}
        return bare or any(within(wanted, row) for row in floor.ours) or part(wanted) == here != "studio"
    if top in sys.stdlib_module_names:
        return top not in UNPICKLERS | NETWORK
    return any(within(wanted, package) for package in floor.world)


def is_view(name: str) -> bool:
    """Return whether a file of the window may import widgets, by its name or its folder."""
    stem = name.rpartition(".")[2]
    return stem == "view" or stem.endswith("_view") or any(within(name, folder) for folder in VIEW_FOLDERS)


PURE = {
    "studio.media.pictures.enlarging", "studio.media.pictures.surprisal_map", "studio.media.sounds.peaks",
    "studio.media.sounds.single_cycle", "studio.media.sounds.spectrogram", "studio.media.sounds.wavetable",
}  # fmt: skip
"""Functions of media that a view may call: they map arrays to arrays."""
RECORDS = {"studio.library.card.Card", "studio.library.models.InstalledModel", "studio.library.runs.RunSamples"}
"""Records that views show."""


def _layer_faults(name: str, tree: ast.AST) -> Iterator[str]:
    """Yield the forbidden imports of a file of the window, by its name: a view, a panel, the root."""
    panel = re.match(r"studio\.app\.panels\.\w+", name)
    for wanted in imports(name, tree):
        if not is_view(name) and name not in ROOTS:
            if within(wanted, "PySide6") and wanted != "PySide6" and not within(wanted, "PySide6.QtCore"):
                yield f"{wanted} is for views"
            if any(is_view(module) for module in (wanted, wanted.rpartition(".")[0]) if within(module, "studio.app")):
                yield f"{wanted} is a view"
        elif is_view(name) and not name.endswith(".main"):
            pure = any(within(wanted, module) for module in PURE)
            if (within(wanted, "studio.library") and wanted not in RECORDS) or (
                within(wanted, "studio.media") and not pure
            ):
                yield f"{wanted} is not for views"
        if within(wanted, "studio.app.main"):
            yield f"{wanted} is the entry point"
        other = re.match(r"studio\.app\.panels\.(?!base\b|panel_view\b)\w+", wanted)
        if panel and other and other[0] != panel[0]:
            yield f"{wanted} is another panel"
        known = within(name, "studio.app.window") or name in ROOTS
        if within(wanted, "studio.app.app_state") and not known:
            yield f"{wanted} is the root"


def faults(name: str, source: str) -> list[str]:
    """Return everything that the architecture forbids in one file, each as `line: what`."""
    tree = ast.parse(source)
    found = [f"imports {wanted}" for wanted in imports(name, tree) if not may_import(name, wanted)]
    if within(name, "studio.app"):
        found += _layer_faults(name, tree)
    memory = _in_memory(tree)
    found += (f"reads files of the user in this process: {wanted}" for wanted in _readers(name, tree))
    managed = {id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += (f"{node.lineno}: {what}" for what in _call_faults(name, node, memory, id(node) in managed))
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{node.lineno}: a bare except, which catches Ctrl-C too")
        elif isinstance(node, ast.ClassDef) and within(name, "studio.app"):
            found += _unguarded(node)
    return found


def layout_items(source: str) -> list[int]:
    """Return the lines that ask a layout for its items."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if any(_ends(_dotted(call.func), name) for name in LAYOUT_ITEMS)]


def _call_faults(name: str, call: ast.Call, memory: set[str], managed: bool) -> Iterator[str]:
    called = _dotted(call.func)
    keywords = {word.arg: word.value for word in call.keywords}
    if called.removeprefix("builtins.") in RUNNERS:
        yield f"{called}() runs text as a program"
    for banned, why in NEVER.items():
        if _ends(called, banned):
            yield f"{called}() {why}"
    if "allow_pickle" in keywords and not _is(keywords["allow_pickle"], False):
        yield "allow_pickle unpickles"
    if "shell" in keywords and not _is(keywords["shell"], False):
        yield "shell= runs a shell"
    if called == "QPainter" and not managed:
        yield "a QPainter outside `with` is a crash when something raises"
    if not within(name, "studio.media") or name in IN_PROCESS:
        for banned in DECODERS:
            if _ends(called, banned):
                yield f"{called}() decodes a file, which {CHILD} alone may do"
    if name != WRITER and _writes(name, call, called, memory):
        yield f"{called}() writes, which {WRITER} alone may do"


def _readers(name: str, tree: ast.AST) -> Iterator[str]:
    """Yield the readers that this file calls or imports, although only the child process may."""
    if name in {CHILD, *KNOWN_FILES} or within(name, "studio.media") and name in READERS.values():
        return
    for wanted in imports(name, tree):
        module, _, reader = wanted.rpartition(".")
        if READERS.get(reader) == module:
            yield wanted
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            owner, _, called = _dotted(node.func).rpartition(".")
            module = READERS.get(called, "")
            if owner and module.rpartition(".")[2] == owner.rpartition(".")[2]:
                yield f"{owner}.{called}"


def _writes(name: str, call: ast.Call, called: str, memory: set[str]) -> bool:
    if any(_ends(called, writing) for writing in WRITING):
        return True
    if called in {"open", "io.open"} or called.endswith((".open", ".fdopen")):
        return _opens_to_write(call, called)
    into_file = (
        called.rpartition(".")[2] in ENCODERS and within(name, "studio.media") and "." in called and name not in PIPES
    )
    return into_file and not (call.args and _dotted(call.args[0]) in memory)


def _opens_to_write(call: ast.Call, called: str) -> bool:
    if called == "os.open" and not (call.args and _dotted(call.args[0]) == "os.devnull"):
        return any(isinstance(node, ast.Attribute) and node.attr in {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"}
                   for node in ast.walk(call))  # fmt: skip
    words = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    modes = [word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)]
    return any(re.fullmatch(r"[rwxabt+]{1,4}", mode) and set(mode) & set("wxa+") for mode in modes)


def _in_memory(tree: ast.AST) -> set[str]:
    """Return the names that hold a BytesIO anywhere in the file."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=ast.Call(func=made)) if _ends(_dotted(made), "BytesIO"):
                names |= {_dotted(target) for target in targets}
    return names


def _unguarded(owner: ast.ClassDef) -> Iterator[str]:
    """Yield overrides of Qt's virtual methods without `@guarded`.

    On CPython 3.11 an exception that leaves such a method crashes the program.
    """
    if not any(_dotted(base).rpartition(".")[2].startswith("Q") for base in owner.bases):
        return
    for method in owner.body:
        if isinstance(method, ast.FunctionDef) and QT_VIRTUALS.fullmatch(method.name):
            decorators = {_dotted(d.func if isinstance(d, ast.Call) else d) for d in method.decorator_list}
            if not any(_ends(decorator, "guarded") for decorator in decorators):
                yield f"{method.lineno}: {owner.name}.{method.name} overrides Qt without @guarded"


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _ends(called: str, name: str) -> bool:
    return called == name or called.endswith("." + name)


def _is(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def circle(texts: Mapping[str, str]) -> list[str]:
    """Return one import circle among these modules, in order; empty if there is none."""
    graph: dict[str, set[str]] = {}
    for name, text in texts.items():
        is_package = any(other.startswith(name + ".") for other in texts)
        reached = {_nearest(wanted, texts) for wanted in imports(name, ast.parse(text), is_package)}
        graph[name] = reached - {"", name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _nearest(wanted: str, texts: Mapping[str, str]) -> str:
    while wanted and wanted not in texts:
        wanted = wanted.rpartition(".")[0]
    return wanted
