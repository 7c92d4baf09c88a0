"""Writes the keys and the keyset as Salesforce metadata, to be deployed rather than set up by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from fin_messenger_auth.errors import ConfigurationError, raise_first

from ._jwk import jwks_problems, without_dummies
from ._key_directory import checked_issuer

API_VERSION = "62.0"  # the first version of Salesforce's Metadata API that has these types
KEYSET_NAME = "FinMessengerKeyset"  # the developer name of the keyset
_PACKAGE = "package.xml"
_Fields = Sequence[tuple[str, Any]]  # elements in order, each with its text or the elements in it


def salesforce_metadata(
    jwks: Iterable[Mapping[str, Any]], *, issuer: str, endpoint: str | None = None
) -> dict[str, str]:
    """Return the files of a metadata package: a keyset, its keys, which are active, and ``package.xml``.

    Args:
        jwks: The JWKs of the keys, each with its certificate. None with an ``endpoint``.
        issuer: The keyset's issuer, byte for byte the ``iss`` of the tokens.
        endpoint: The ``https`` address of a JWKS, for a keyset of type *Endpoint URL*.

    Returns:
        The content of each file by its path in the package.

    Raises:
        ConfigurationError: The issuer is not a valid string or is Fin's own; neither or both of keys and endpoint are
            given; the endpoint is not an ``https`` address; two JWKs have the same ``kid``; a JWK has an error that
            :func:`~fin_messenger_auth.diagnosis.check_jwk` lists.
    """
    keys = list(jwks)
    checked_issuer(issuer)
    if bool(keys) == (endpoint is not None):
        raise ConfigurationError("Expected either jwks or endpoint.")
    if endpoint is not None and not endpoint.startswith("https://"):
        raise ConfigurationError("endpoint: expected an address that starts with https://.")
    raise_first(jwks_problems(keys, served=False) if keys else ())
    # A developer name has letters, digits and single underscores only; a kid may have anything.
    named = {f"FinMessengerKey_{sha256(key['kid'].encode()).hexdigest()[:12]}": without_dummies(key) for key in keys}
    keyset: _Fields = [
        *([] if endpoint is None else [("jwksEndPoint", endpoint)]),
        ("jwtIssuer", issuer),
        ("masterLabel", KEYSET_NAME),
        *(("publicKeyCertificateSetKeys", [("publicKeyCertificate", name)]) for name in named),
        ("type", "JWKS" if endpoint is None else "JWKS_URL"),
    ]
    kinds = (("PublicKeyCertificate", list(named)), ("PublicKeyCertificateSet", [KEYSET_NAME]))
    types = [("types", [*(("members", name) for name in names), ("name", kind)]) for kind, names in kinds if names]
    files = {
        f"PublicKeyCertificate/{name}.PublicKeyCertificate": _xml(
            "PublicKeyCertificate", [("isActive", "true"), ("jsonWebKey", json.dumps(key)), ("masterLabel", name)]
        )
        for name, key in named.items()
    }
    files[f"PublicKeyCertificateSet/{KEYSET_NAME}.PublicKeyCertificateSet"] = _xml("PublicKeyCertificateSet", keyset)
    return {**files, _PACKAGE: _xml("Package", [*types, ("version", API_VERSION)])}


def write_metadata(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files of a package under ``directory``. An existing package is not changed.

    Args:
        directory: It is made if it does not exist.
        files: What :func:`salesforce_metadata` returned.

    Raises:
        ConfigurationError: There is already a package; a file cannot be written.
    """
    if os.path.lexists(directory / _PACKAGE):
        raise ConfigurationError(f"{directory} already contains a package; choose another directory.")
    for name, text in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


def _xml(name: str, fields: _Fields) -> str:
    root = ET.Element(name, xmlns="http://soap.sforce.com/2006/04/metadata")
    _add(root, fields)
    ET.indent(root, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add(parent: ET.Element, fields: _Fields) -> None:
    for name, value in fields:
        child = ET.SubElement(parent, name)
        if isinstance(value, str):
            child.text = value
        else:
            _add(child, value)
