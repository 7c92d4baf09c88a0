"""The signer for AWS KMS, against an emulator that treats digests and disabled keys as AWS does."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config

from fin_messenger_auth import IntercomMinter, SalesforceMinter, TokenPairBuilder, with_deadline
from fin_messenger_auth._deadline import FAILURES, PROBES
from fin_messenger_auth.backends.aws_kms import AWSKMSSigner
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.testing import acheck_signer, check_signer, throwaway_builder, verify

CREDENTIALS = "AKIDEXAMPLE", "wJalrXUtnFEMI-secret"
PATIENT, IMPATIENT = 15.0, 1.5  # seconds: for a busy machine, and for answers that are held back


def client_at(port: int, time_out: float = PATIENT) -> Any:
    return boto3.client(
        "kms",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id=CREDENTIALS[0],
        aws_secret_access_key=CREDENTIALS[1],
        config=Config(connect_timeout=time_out, read_timeout=time_out, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="session")
def kms(kms_port: int) -> Any:
    return client_at(kms_port)


def new_key(kms: Any, spec: str = "RSA_2048", usage: str = "SIGN_VERIFY") -> str:
    key_id: str = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
    return key_id


@pytest.fixture(scope="session")
def key_id(kms: Any) -> str:
    return new_key(kms)


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_it_keeps_the_contract(kms: Any, key_id: str, alg: Any) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", alg=alg, client=lambda: kms)
    assert (signer.alg, signer.kid) == (alg, "key-1")
    check_signer(signer, signer.public_key)
    asyncio.run(acheck_signer(with_deadline(signer), signer.public_key))


def test_a_pair_is_signed_with_it(kms: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: kms)
    settings = builder_with(signer).build_settings("42")
    assert verify(settings, public_key=signer.public_key).salesforce is not None


def builder_with(signer: Any, **options: Any) -> TokenPairBuilder:
    local = throwaway_builder()
    salesforce = SalesforceMinter(signer, issuer="https://issuer.example", audience="https://a.my.salesforce-scrt.com")
    return TokenPairBuilder(
        app_id="throwaway", intercom=IntercomMinter(local.intercom.signer), salesforce=salesforce, **options
    )


def test_only_the_digest_travels(wire: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port))
    signer.sign(b"header.claims-of-a-person")
    request = wire.requests[-1]
    assert request["MessageType"] == "DIGEST"
    assert len(b64decode(request["Message"])) == 32
    assert request["KeyId"] == key_id


def test_the_public_key_is_fetched_once(wire: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port))
    at_start = len(wire.requests)
    assert at_start == 2, "the public key, and a signature to see that it works"
    signer.sign(b"a")
    assert signer.public_key is signer.public_key
    assert len(wire.requests) == at_start + 1


@pytest.mark.parametrize(
    ("spec", "usage", "error", "message"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT", InvalidKeyError, "not made for RSASSA_PKCS1_V1_5_SHA_256"),
        ("ECC_NIST_P256", "SIGN_VERIFY", InvalidKeyError, "not made for RSASSA_PKCS1_V1_5_SHA_256"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", KeyUnavailableError, "it must be an RSA key for SIGN_VERIFY"),
    ],
)
def test_a_key_for_something_else_is_refused_at_start_up(
    kms: Any, spec: str, usage: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        AWSKMSSigner(new_key(kms, spec, usage), kid="key-1", client=lambda: kms)


def test_a_key_that_is_not_there_is_found_out_at_start_up(kms: Any) -> None:
    with pytest.raises(KeyUnavailableError, match=r"^AWS KMS did not give out the public key: there is no such key"):
        AWSKMSSigner("00000000-0000-0000-0000-000000000000", kid="key-1", client=lambda: kms)


def test_a_disabled_key_is_found_out_at_start_up(kms: Any) -> None:
    disabled = new_key(kms)
    kms.disable_key(KeyId=disabled)
    with pytest.raises(KeyUnavailableError, match="the key is disabled"):
        AWSKMSSigner(disabled, kid="key-1", client=lambda: kms)


def test_a_key_that_is_disabled_later_fails_and_works_again_when_enabled(kms: Any) -> None:
    key_id = new_key(kms)
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: kms)
    kms.disable_key(KeyId=key_id)
    with pytest.raises(SigningError, match=r"^AWS KMS did not sign: the key is disabled\.$"):
        signer.sign(b"message")
    kms.enable_key(KeyId=key_id)
    check_signer(signer, signer.public_key)


# Faults on the wire. Each is given the request as it arrived and answers, or does not.


def slow(handler: Any, _body: bytes) -> None:
    handler.wait()


def cut(handler: Any, body: bytes) -> None:
    status, answer = handler.forward(body)
    handler.answer(status, answer[: len(answer) // 2], announced=len(answer))


def hung_up(_handler: Any, _body: bytes) -> None:
    """Close the connection without an answer."""


def garbage(handler: Any, _body: bytes) -> None:
    handler.answer(200, b"<html>a proxy's login page</html>")


def refusal(status: int, code: str) -> Callable[[Any, bytes], None]:
    text = "The security token wJalrXUtnFEMI-secret included in the request is no good"
    return lambda handler, _body: handler.answer(status, json.dumps({"__type": code, "message": text}).encode())


def signature_of(length: int) -> Callable[[Any, bytes], None]:
    def shortened(handler: Any, body: bytes) -> None:
        status, answer = handler.forward(body)
        fields = json.loads(answer)
        fields["Signature"] = b64encode(b64decode(fields["Signature"])[:length]).decode()
        handler.answer(status, json.dumps(fields).encode())

    return shortened


def without_signature(handler: Any, _body: bytes) -> None:
    handler.answer(200, b"{}")


def code_of_no_string(handler: Any, _body: bytes) -> None:
    handler.answer(400, b'{"__type": ["a"], "message": 7}')


FAULTS: dict[str, tuple[Callable[[Any, bytes], None], str]] = {
    "slow": (slow, "AWS KMS did not sign: it did not answer in time."),
    "cut in mid-answer": (cut, "AWS KMS did not sign: "),
    "hung up": (hung_up, "AWS KMS did not sign: "),
    "garbage": (garbage, "AWS KMS did not sign: "),
    "throttled": (refusal(400, "ThrottlingException"), "AWS throttles the requests"),
    "expired credentials": (refusal(400, "ExpiredTokenException"), "the credentials have expired"),
    "no permission": (refusal(400, "AccessDeniedException"), "the credentials lack kms:Sign"),
    "code of no list": (refusal(400, "Secret\nException"), "did not sign: ClientError with HTTP status 400."),
    "server error": (refusal(500, "InternalFailure"), "did not sign: ClientError with HTTP status 500."),
    "signature too short": (signature_of(128), "The answer is not a signature of 256 bytes"),
    "no signature": (without_signature, "AWS KMS did not sign: its answer lacks a field."),
    "code that is no string": (code_of_no_string, "AWS KMS did not sign: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_on_the_wire_is_a_signing_error_and_the_next_call_works(wire: Any, key_id: str, name: str) -> None:
    fault, message = FAULTS[name]
    client = client_at(wire.port, IMPATIENT if fault is slow else PATIENT)
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client)
    wire.fault = fault
    before = time.monotonic()
    with pytest.raises(SigningError) as caught:
        signer.sign(b"message")
    assert time.monotonic() - before < 20, "the wire would hold an answer back for 30 seconds"
    assert message in str(caught.value)
    wire.fault = None
    assert len(signer.sign(b"message")) == 256


def test_a_refused_connection_is_a_signing_error_and_the_next_call_works(wire: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port))
    wire.down()
    with pytest.raises(SigningError, match="there is no connection to it"):
        signer.sign(b"message")
    wire.up()
    assert len(signer.sign(b"message")) == 256


def test_an_answer_of_another_key_is_never_used(wire: Any, kms: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port))
    other = new_key(kms)

    def swapped(handler: Any, body: bytes) -> None:
        handler.answer(*handler.forward(json.dumps(json.loads(body) | {"KeyId": other}).encode()))

    wire.fault = swapped
    with pytest.raises(SigningError, match="signs with another key, or version of it"):
        signer.sign(b"message")


@pytest.mark.parametrize("name", ["slow", "throttled", "garbage"])
def test_the_page_is_there_as_to_an_anonymous_visitor(
    wire: Any, key_id: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port, IMPATIENT))
    builder = builder_with(with_deadline(signer), on_signing_error="anonymous")
    wire.fault = FAULTS[name][0]
    settings = asyncio.run(asyncio.wait_for(builder.abuild_settings("42"), 20))
    assert settings == builder.build_settings(None)
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["fin_messenger_auth"]


def test_a_service_that_sends_a_byte_now_and_then_holds_a_page_for_the_time_out_only(wire: Any, key_id: str) -> None:
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port, IMPATIENT))

    def dripping(handler: Any, body: bytes) -> None:
        status, answer = handler.forward(body)
        handler.answer(status, b"", announced=len(answer))
        with suppress(OSError):  # the client has gone
            for byte in answer[:20]:
                handler.wfile.write(bytes([byte]))
                time.sleep(0.5)

    wire.fault = dripping
    start = time.monotonic()
    with pytest.raises(SigningError, match=r"^There was no signature within 1 seconds\.$"):
        with_deadline(signer, timeout=1.0).sign(b"message")
    assert time.monotonic() - start < 5, "the service would send for ten seconds"


def test_a_fault_at_start_up_is_an_unavailable_key(wire: Any, key_id: str) -> None:
    wire.fault = slow
    with pytest.raises(KeyUnavailableError, match="did not give out the public key: it did not answer in time"):
        AWSKMSSigner(key_id, kid="key-1", client=lambda: client_at(wire.port, IMPATIENT))


@pytest.mark.parametrize("field", ["KeyUsage", "PublicKey", "SigningAlgorithms"])
@pytest.mark.parametrize(
    "value", [None, 7, "c2VjcmV0LWxvb2tpbmc=", ["secret-looking"], {"secret-looking": 1}], ids=repr
)
def test_an_answer_with_a_field_that_is_missing_or_wrong_is_an_error_of_ours(
    kms: Any, key_id: str, field: str, value: Any
) -> None:
    class Proxied:
        sign = kms.sign

        def get_public_key(self, **request: Any) -> dict[str, Any]:
            answer = kms.get_public_key(**request)
            return answer | {field: value} if value else {name: answer[name] for name in answer.keys() - {field}}

    with pytest.raises((KeyUnavailableError, InvalidKeyError)) as caught:
        AWSKMSSigner(key_id, kid="key-1", client=Proxied)
    if value is None:
        assert str(caught.value) == "AWS KMS did not give out the public key: its answer lacks a field."
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("answer", [None, [], b"", {"Signature": None}, {"Signature": "secret-looking"}], ids=repr)
def test_an_answer_that_is_no_signature_is_a_signing_error(kms: Any, key_id: str, answer: Any) -> None:
    class Proxied:
        get_public_key = kms.get_public_key
        answers = iter([kms.sign])

        def sign(self, **request: Any) -> Any:
            return next(self.answers, lambda **_: answer)(**request)

    signer = AWSKMSSigner(key_id, kid="key-1", client=Proxied)
    with pytest.raises(SigningError) as caught:
        signer.sign(b"message")
    assert "secret" not in "".join(traceback.format_exception(caught.value))


# A service that repeats what it was told, the credentials in the request's headers among it, wherever it can.

ECHO = "every word of this text is the service's"


def echoed(handler: Any) -> str:
    return f"{ECHO} {handler.headers['Authorization']} {' '.join(CREDENTIALS)}"


def in_the_message(handler: Any, _body: bytes) -> None:
    error = {"__type": "AccessDeniedException", "message": echoed(handler)}
    handler.answer(400, json.dumps(error).encode())


def in_the_code(handler: Any, _body: bytes) -> None:
    handler.answer(400, json.dumps({"__type": echoed(handler), "code": echoed(handler)}).encode())


def in_the_status_line(handler: Any, _body: bytes) -> None:
    handler.wfile.write(f"{echoed(handler)}\r\n\r\n".encode())


def in_a_header(handler: Any, _body: bytes) -> None:
    handler.wfile.write(f"HTTP/1.1 500 {echoed(handler)}\r\nX-Amzn-ErrorType: {echoed(handler)}\r\n\r\n".encode())


def in_a_body_that_is_no_json(handler: Any, _body: bytes) -> None:
    handler.answer(200, echoed(handler).encode())


def in_the_signature(handler: Any, _body: bytes) -> None:
    handler.answer(200, json.dumps({"Signature": b64encode(echoed(handler).encode()).decode()}).encode())


def in_a_redirect(handler: Any, _body: bytes) -> None:
    address = f"http://{'-'.join(CREDENTIALS)}.invalid/"
    handler.wfile.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {address}\r\nContent-Length: 0\r\n\r\n".encode())


HOSTILE = [
    in_the_message,
    in_the_code,
    in_the_status_line,
    in_a_header,
    in_a_body_that_is_no_json,
    in_the_signature,
    in_a_redirect,
]


@pytest.mark.parametrize("fault", HOSTILE, ids=lambda fault: fault.__name__)
def test_no_text_of_the_service_and_no_credential_is_in_an_error_or_in_the_log(
    wire: Any, key_id: str, fault: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = client_at(wire.port)
    signer = AWSKMSSigner(key_id, kid="key-1", client=lambda: client)
    wire.fault = fault
    said = []
    with pytest.raises(KeyUnavailableError) as unavailable:
        AWSKMSSigner(key_id, kid="key-1", client=lambda: client)
    for each in (signer, with_deadline(signer)):
        for _ in range(FAILURES + 1):
            with pytest.raises(SigningError) as caught:
                each.sign(b"message")
            said += ["".join(traceback.format_exception(caught.value)), repr(vars(caught.value))]
    builder = builder_with(with_deadline(signer), on_signing_error="anonymous")
    assert asyncio.run(builder.abuild("42")) is None
    said += ["".join(traceback.format_exception(unavailable.value)), caplog.text]
    assert "Signing" in caplog.text
    for word in (*CREDENTIALS, ECHO[:20], "AWS4-HMAC-SHA256"):
        assert word not in "".join(said)


def test_without_a_client_one_is_made_with_short_time_outs(
    kms_port: int, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{kms_port}")
    signer = AWSKMSSigner(key_id, kid="key-1")
    assert len(signer.sign(b"message")) == 256
    config = signer._clients().meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (1.5, 1.5, 2)
    assert config.max_pool_connections == inspect.signature(with_deadline).parameters["threads"].default + PROBES


def test_boto3_without_a_region_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match=r"AWS KMS: it has no region; set AWS_DEFAULT_REGION\.$"):
        AWSKMSSigner("any", kid="key-1")
