"""The private environment gets the right PyTorch, is set up again when needed, and survives a failed set-up."""

import re
import threading
import tomllib
from pathlib import Path

import environment
import pytest

from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that set-up takes for its clone. Its Python is a file; installs write their names to `done`."""
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("torch==2.13.0\n")
    env = tmp_path / ".venv"
    for name, value in {
        "HERE": tmp_path,
        "ENV": env,
        "PYTHON": env / "python",
        "CONSTRAINTS": constraints,
        "UNFINISHED": env / "unfinished",
        "SPACE_NEEDED": 0,
    }.items():
        monkeypatch.setattr(environment, name, value)
    monkeypatch.setattr(environment.venv.EnvBuilder, "create", lambda self, folder: (folder / "python").touch())
    monkeypatch.setattr(environment, "works", lambda: (env / "python").exists())
    for part in environment.INSTALLS:
        monkeypatch.setitem(environment.INSTALLS, part, lambda part=part: done(tmp_path, part))
    return tmp_path


def done(clone: Path, part: str = "") -> list[str]:
    """Return what was installed so far. With a part, note it as installed."""
    notes = clone / "done"
    words = notes.read_text().split() if notes.exists() else []
    if part:
        notes.write_text(" ".join([*words, part]))
    return words


# ── which packages ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pin", ["torch==2.13.0", "torchaudio==2.11.0"])
def test_linux_without_nvidia_gets_only_the_build_without_cuda(pin: str) -> None:
    words = environment.cpu_build(pin, "linux", nvidia=False)
    assert words[-1] == f"{pin}+cpu"
    assert "--no-deps" in words
    assert words[words.index("--extra-index-url") + 1] == environment.CPU_WHEELS


def test_pips_own_sources_stay_in_use_beside_pytorchs_index() -> None:
    """Wheels in a folder named in pip.conf or PIP_FIND_LINKS are found: no argument switches them off."""
    words = environment.cpu_build("torch==2.13.0", "linux", nvidia=False)
    assert not {"--index-url", "-i", "--no-index", "--isolated"} & set(words)


@pytest.mark.parametrize(("system", "nvidia"), [("linux", True), ("darwin", False), ("win32", False), ("win32", True)])
def test_everywhere_else_the_ordinary_build_is_right(system: str, nvidia: bool) -> None:
    assert environment.cpu_build("torch==2.13.0", system, nvidia) == []


TORCH, TORCHAUDIO = "torch==2.13.0+cpu", "torchaudio==2.11.0+cpu"


@pytest.mark.parametrize(
    ("missing", "tried"),
    [([], [TORCH, TORCHAUDIO]), ([TORCHAUDIO], [TORCH, TORCHAUDIO]), ([TORCH, TORCHAUDIO], [TORCH])],
)
def test_if_that_build_is_missing_pips_sources_decide_and_the_user_is_told(
    missing: list[str], tried: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def pip(*words: str) -> str | None:
        ran.append(words[-1])
        return "ERROR: No matching distribution found" if words[-1] in missing else None

    monkeypatch.setattr(environment, "pip", pip)
    monkeypatch.setattr(environment, "has_nvidia", lambda: False)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    environment.install_app()
    assert ran == [*tried, str(ROOT)]
    assert ("CUDA" in capsys.readouterr().err) is (TORCH in missing)


def test_pip_and_python_stay_in_the_environment() -> None:
    person = {"HOME": "/h", "PYTHONPATH": "/ros", "PYTHONHOME": "/x", "PIP_TARGET": "/y", "PIP_USER": "1"}
    env = environment.clean_env({**person, "PIP_PROXY": "p"})
    assert not {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET"} & env.keys()
    assert (env["HOME"], env["PIP_PROXY"], env["PIP_USER"], env["PYTHONSAFEPATH"]) == ("/h", "p", "0", "1")


def test_the_constraints_pin_all_packages_of_the_project_and_name_no_url() -> None:
    lines = [line for line in environment.CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*( ; .+)?", line)] == []
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*table["project"]["dependencies"], *table["dependency-groups"]["dev"]]
    wanted = {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in named}
    assert wanted <= {line.split("==")[0] for line in lines}


def test_the_qt_that_crashes_python_3_11_is_never_installed() -> None:
    pins = re.findall("^pyside6-essentials==(.*)", environment.CONSTRAINTS.read_text(), re.M)
    assert pins and "6.12.0" not in pins
    assert "!=6.12.0" in (ROOT / "pyproject.toml").read_text()


def test_the_torch_of_the_constraints_is_found() -> None:
    constraints = "a==1\ntorchaudio==2.11.0\ntorch==2.13.0 ; sys_platform == 'linux'"
    assert environment.pin_of("torch", constraints) == "torch==2.13.0"
    assert environment.pin_of("torchaudio", constraints) == "torchaudio==2.11.0"


# ── when it is set up ────────────────────────────────────────────────────────────────────────────


def test_a_second_start_installs_nothing(clone: Path) -> None:
    environment.set_up("app")
    environment.set_up("app")
    assert done(clone) == ["app"]


def test_the_tools_of_the_tests_are_installed_only_for_the_tests(clone: Path) -> None:
    environment.set_up("app")
    environment.set_up("app", "test")
    environment.set_up("app")
    assert done(clone) == ["app", "test"]


def test_changed_requirements_are_installed_into_the_same_environment(clone: Path) -> None:
    environment.set_up("app")
    (clone / ".venv" / "kept").touch()
    (clone / "constraints.txt").write_text("torch==2.13.1\n")
    environment.set_up("app")
    assert done(clone) == ["app", "app"]
    assert (clone / ".venv" / "kept").exists()


def test_settings_of_the_tools_do_not_set_up_again(clone: Path) -> None:
    environment.set_up("app")
    with (clone / "pyproject.toml").open("a") as file:
        file.write("\n[tool.other]\nx = 1\n")
    environment.set_up("app")
    assert done(clone) == ["app"]


def test_an_interrupted_set_up_begins_again(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut() -> None:
        (clone / ".venv" / "half a package").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as now, pytest.raises(KeyboardInterrupt):
        now.setitem(environment.INSTALLS, "app", cut)
        environment.set_up("app")
    assert not environment.is_ready("app")
    environment.set_up("app")
    assert environment.is_ready("app")
    assert not (clone / ".venv" / "half a package").exists()


def test_a_broken_environment_is_made_again(clone: Path) -> None:
    environment.set_up("app")
    (clone / ".venv" / "python").unlink()
    environment.set_up("app")
    assert done(clone) == ["app", "app"] and environment.is_ready("app")


def test_a_failed_download_changes_nothing_and_the_next_start_continues(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline() -> None:
        (clone / ".venv" / "torch").touch()
        raise environment.pip_failed("Failed to establish a new connection: [Errno -2] Name or service not known")

    with monkeypatch.context() as now, pytest.raises(SystemExit, match="No package server"):
        now.setitem(environment.INSTALLS, "app", offline)
        environment.set_up("app")
    environment.set_up("app")
    assert environment.is_ready("app") and (clone / ".venv" / "torch").exists()


def test_too_little_space_is_reported_before_anything_changes(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "SPACE_NEEDED", 1e18)
    with pytest.raises(SystemExit, match="Make room"):
        environment.set_up("app")
    assert not (clone / ".venv").exists()


def test_a_folder_that_cannot_be_written_is_named(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(environment.venv.EnvBuilder, "create", refuse)
    with pytest.raises(SystemExit, match=re.escape(str(clone / ".venv"))):
        environment.set_up("app")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError('Temporary failure in name resolution')", "No package server could be reached"),
        ("ERROR: No matching distribution found for soxr>=1.0\nnote: ignore me", "No matching distribution"),
    ],
)
def test_pips_last_lines_are_explained(words: str, sentence: str) -> None:
    said = environment.pip_problem(words)
    assert sentence in said and "start again" in said and "ignore me" not in said


def test_two_starts_at_once_set_up_one_after_the_other(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first_is_in, first_may_go, second_waits = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(environment, "say", lambda text: second_waits.set() if "waiting" in text else None)

    def first() -> None:
        with environment.alone():
            first_is_in.set()
            first_may_go.wait(LIMIT)
            done(clone, "first")

    def second() -> None:
        first_is_in.wait(LIMIT)
        with environment.alone():
            done(clone, "second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    assert second_waits.wait(LIMIT)
    assert done(clone) == []
    first_may_go.set()
    for thread in threads:
        thread.join(LIMIT)
    assert done(clone) == ["first", "second"]
