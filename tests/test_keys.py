"""Where keys are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fin_messenger_auth import EnvKeySource, FileKeySource, StringKeySource
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError

PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"


def test_sources_read_anew_each_time(tmp_path: Path) -> None:
    environ = {"SECRET": "one"}
    path = tmp_path / "secret"
    path.write_text("one")
    in_environment, in_file = EnvKeySource("SECRET", environ=environ), FileKeySource(path)
    assert (in_environment.read(), in_file.read()) == (b"one", b"one")

    environ["SECRET"] = "two"
    path.write_text("two")

    assert (in_environment.read(), in_file.read()) == (b"two", b"two")


def test_written_out_line_ends_become_real_ones_in_pem_only() -> None:
    environ = {"PEM": PEM.replace("\n", r"\n"), "SECRET": r"a\nb"}

    assert EnvKeySource("PEM", environ=environ).read() == PEM.encode()
    assert EnvKeySource("SECRET", environ=environ).read() == rb"a\nb"


@pytest.mark.parametrize("environ", [{}, {"SECRET": ""}, {"SECRET": " \n"}])
def test_a_variable_that_is_missing_or_empty_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(KeyUnavailableError, match="SECRET is not set or blank") as caught:
        EnvKeySource("SECRET", environ=environ).read()
    assert caught.value.code == "key-unavailable"


@pytest.mark.parametrize("value", ["hunter2\ud800", None, 42], ids=["lone surrogate", "None", "int"])
def test_a_variable_that_is_not_a_valid_string_is_named(value: Any) -> None:
    with pytest.raises(
        KeyUnavailableError, match=r"^The environment variable SECRET is not a valid string\.$"
    ) as caught:
        EnvKeySource("SECRET", environ={"SECRET": value}).read()
    assert (caught.value.code, caught.value.__cause__) == ("key-unavailable", None)


def test_the_process_s_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "here")

    assert EnvKeySource("SOME_SECRET").read() == b"here"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match=r"absent\.pem' cannot be read: No such file") as caught:
        FileKeySource(tmp_path / "absent.pem").read()
    assert caught.value.code == "key-unavailable"
    with pytest.raises(KeyUnavailableError, match="not valid in a path") as caught:
        FileKeySource("a\0b.pem").read()
    assert caught.value.code == "key-unavailable"
    with pytest.raises(KeyUnavailableError, match="Is a directory"):
        FileKeySource(tmp_path).read()


def test_a_secret_where_its_path_belongs_is_not_repeated() -> None:
    source = FileKeySource("hunter2-hunter2-hunter2-hunter2")

    with pytest.raises(KeyUnavailableError) as caught:
        source.read()

    assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {source!r}"


def test_a_path_is_a_path() -> None:
    with pytest.raises(ConfigurationError, match="expected a file path, got NoneType") as caught:
        FileKeySource(None)  # type: ignore[arg-type]
    assert caught.value.code == "argument-invalid"


def test_a_pem_document_where_its_path_belongs_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="got PEM data") as caught:
        FileKeySource(PEM)
    assert caught.value.code == "argument-invalid"
    assert "MIIE" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 7, bytearray(b"x")])
def test_a_string_source_takes_str_and_bytes(value: Any) -> None:
    assert StringKeySource("ä").read() == "ä".encode()
    assert StringKeySource(b"\xff").read() == b"\xff"
    with pytest.raises(ConfigurationError, match="expected a str or bytes") as caught:
        StringKeySource(value)
    assert caught.value.code == "argument-invalid"


def test_sources_name_themselves() -> None:
    assert repr(EnvKeySource("NAME", environ={"NAME": "hunter2"})) == "EnvKeySource('NAME')"
    assert repr(FileKeySource("/run/secrets/key.pem")) == "FileKeySource('/run/secrets/key.pem')"
    assert repr(StringKeySource("hunter2")) == "StringKeySource(<masked>)"
