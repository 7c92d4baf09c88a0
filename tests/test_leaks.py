"""Secrets, keys and tokens show nowhere."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pickle
import subprocess
import sys
import traceback
from typing import Any

import pytest

from fin_messenger_auth import (
    EnvKeySource,
    HMACSigner,
    MessengerUser,
    RSASigner,
    StringKeySource,
    TokenPair,
    TokenPairBuilder,
    with_deadline,
)
from fin_messenger_auth.errors import FinMessengerAuthError, InvalidKeyError
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

SECRET = throwaway_secret()
PEM = pem_of(throwaway_rsa_key()).decode()
PEM_LINE = PEM.splitlines()[5]
HOLDERS: list[Any] = [
    StringKeySource(SECRET),
    StringKeySource(PEM),
    EnvKeySource("SECRET", environ={"SECRET": SECRET}),
    HMACSigner(StringKeySource(SECRET)),
    RSASigner(StringKeySource(PEM), kid="k"),
    throwaway_builder(),
    throwaway_builder().intercom,
    throwaway_builder().salesforce,
]


def everything_seen_of(value: Any) -> str:
    """All that a debugger, a log or an error page shows of a value without reaching for private names."""
    seen = [repr(value), str(value), f"{value}"]
    seen += [repr(getattr(value, name)) for name in dir(value) if not name.startswith("_")]
    if hasattr(value, "__dict__"):
        seen.append(repr(vars(value)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        seen.append(repr(dataclasses.asdict(value)))
    return "\n".join(seen)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_nothing_that_holds_a_key_shows_it(holder: Any) -> None:
    seen = everything_seen_of(holder)

    assert SECRET not in seen
    assert PEM_LINE not in seen


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_nothing_that_holds_a_key_can_be_pickled(holder: Any) -> None:
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(holder)


def with_locals(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize(
    "key", [PEM[:700], PEM.replace("MII", "QUJ"), SECRET[:15]], ids=["cut off", "damaged", "short"]
)
def test_a_traceback_with_local_variables_shows_no_key(key: str) -> None:
    sources = {"source": StringKeySource(key)}

    for make in (HMACSigner, RSASigner):
        with pytest.raises(InvalidKeyError) as caught:
            make(sources["source"])
        seen = with_locals(caught.value).replace(repr(key), "")  # this test's own variable
        assert key[:15] not in seen
        assert PEM_LINE not in seen


@pytest.mark.parametrize(
    "name", ["SALESFORCE_AUDIENCE", "INTERCOM_APP_ID", "INTERCOM_REGION", "SALESFORCE_PRIVATE_KEY"]
)
def test_a_traceback_of_a_bad_environment_shows_no_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in throwaway_environ().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(name, "mars" if name == "INTERCOM_REGION" else "")

    with pytest.raises(FinMessengerAuthError) as caught:
        TokenPairBuilder.from_env()

    error = caught.value
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # this test's own frame
    assert SECRET not in with_locals(error)
    assert PEM_LINE not in with_locals(error)


ENVIRON = throwaway_environ()
WITHOUT_A_CHOICE = {name: value for name, value in ENVIRON.items() if name != "SALESFORCE_PRIVATE_KEY"}
BAD_MAPPINGS: dict[str, dict[str, Any]] = {
    "missing": WITHOUT_A_CHOICE,
    "a lone surrogate in the secret": ENVIRON | {"INTERCOM_MESSENGER_SECRET": f"{SECRET}\ud800"},
    "quotes around the secret": ENVIRON | {"INTERCOM_MESSENGER_SECRET": f'"{SECRET}"'},
    "the secret as bytes": ENVIRON | {"INTERCOM_MESSENGER_SECRET": SECRET.encode()},
    "the secret as a path": WITHOUT_A_CHOICE | {"SALESFORCE_PRIVATE_KEY_FILE": SECRET},
    "the key as a path": WITHOUT_A_CHOICE | {"SALESFORCE_PRIVATE_KEY_FILE": PEM},
    "the secret as the region": ENVIRON | {"INTERCOM_REGION": SECRET},
    "the secret as the choice": ENVIRON | {"SALESFORCE_IDENTITY": SECRET},
    "the secret as the lifetime": ENVIRON | {"INTERCOM_TOKEN_LIFETIME": SECRET},
    "the key as the key ID": ENVIRON | {"SALESFORCE_KEY_ID": PEM},
    "the secret as the key": ENVIRON | {"SALESFORCE_PRIVATE_KEY": SECRET},
    "a damaged key": ENVIRON | {"SALESFORCE_PRIVATE_KEY": PEM.replace("MII", "QUJ")},
    "a password that is not needed": ENVIRON | {"SALESFORCE_PRIVATE_KEY_PASSWORD": SECRET},
}


@pytest.mark.parametrize("prefix", ["", "MY_"])
@pytest.mark.parametrize("name", BAD_MAPPINGS)
def test_a_traceback_of_a_bad_mapping_shows_no_key(name: str, prefix: str) -> None:
    with pytest.raises(FinMessengerAuthError) as caught:
        TokenPairBuilder.from_env(
            {f"{prefix}{each}": value for each, value in BAD_MAPPINGS[name].items()}, prefix=prefix
        )

    error = caught.value
    assert error.__traceback__
    assert error.__traceback__.tb_next
    error.__traceback__ = error.__traceback__.tb_next  # this test's own frame
    seen = with_locals(error)
    assert "self = <" in seen or "environ" in seen  # local variables are shown
    assert SECRET not in seen
    assert PEM_LINE not in seen


def test_the_help_of_no_public_name_shows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import fin_messenger_auth as f, pydoc; [print(pydoc.render_doc(getattr(f, name))) for name in f.__all__]"
    monkeypatch.setenv("SOME_SECRET", SECRET)

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "Signer" in shown
    assert SECRET not in shown


def test_a_token_pair_shows_its_expiry_only() -> None:
    pair = throwaway_builder().build("42")

    assert pair is not None
    assert repr(pair) == f"TokenPair(expires_at={pair.expires_at})"


class Failing:
    alg = "HS256"
    kid = None

    def sign(self, signing_input: bytes, /) -> bytes:
        raise RuntimeError(f"could not sign {signing_input!r} with {SECRET}")


def test_the_log_line_of_a_failed_signature_holds_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    builder = throwaway_builder()
    failing: TokenPairBuilder = dataclasses.replace(
        builder, intercom=dataclasses.replace(builder.intercom, signer=Failing()), on_signing_error="anonymous"
    )

    with caplog.at_level(logging.DEBUG):
        assert failing.build("someone@home") is None

    [record] = caplog.records
    assert record.name == "fin_messenger_auth"
    assert record.levelno == logging.ERROR
    assert "RuntimeError" in caplog.text
    for hidden in (SECRET, "someone", "eyJ"):
        assert hidden not in caplog.text


class Tracker(logging.Handler):
    """Keeps what an error tracker records of a log record when it is written: the local variables of all frames."""

    seen = ""

    def emit(self, record: logging.LogRecord) -> None:
        assert record.exc_info
        error = record.exc_info[1]
        assert error
        self.seen += "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize("wrapped", [lambda signer: signer, with_deadline], ids=["signer", "with_deadline"])
def test_the_log_record_of_a_failed_signature_has_no_local_variables_of_the_signer(wrapped: Any) -> None:
    builder = throwaway_builder()
    failing: TokenPairBuilder = dataclasses.replace(
        builder, intercom=dataclasses.replace(builder.intercom, signer=wrapped(Failing())), on_signing_error="anonymous"
    )
    log, tracker = logging.getLogger("fin_messenger_auth"), Tracker()
    log.addHandler(tracker)
    try:
        user = MessengerUser("someone@home", name="Ada")
        assert failing.build(user) is None
        again = dataclasses.replace(failing, intercom=dataclasses.replace(failing.intercom))  # with records of its own
        assert asyncio.run(again.abuild(user)) is None
    finally:
        log.removeHandler(tracker)

    assert tracker.seen.count("Failing raised RuntimeError.\n") == 2
    for hidden in (SECRET, "someone", "Ada", "eyJ"):
        assert hidden not in tracker.seen


def test_a_token_pair_is_made_of_its_three_fields() -> None:
    assert [field.name for field in dataclasses.fields(TokenPair)] == [
        "intercom_user_jwt",
        "salesforce_identity_token",
        "expires_at",
    ]
