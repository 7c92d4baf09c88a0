"""What a pair is made of: the profile that says where the time beyond the floor goes."""

from __future__ import annotations

import time
from functools import partial

from fin_messenger_auth import HMACSigner, RSASigner, StringKeySource, _jws

from . import peers
from .measure import Effort, Section, compare, timed
from .pair import FLOOR, OURS, SETTINGS
from .peers import Case


def measure(effort: Effort) -> list[Section]:
    """Measure each step of ``build`` alone, and all of it."""
    case, now = Case(), int(time.time())
    builder, user = case.builder, case.user
    intercom, salesforce = builder.intercom, RSASigner(StringKeySource(case.pem), kid=peers.KID)
    claims, message = intercom.claims(user, now), _jws.unsigned(intercom.claims(user, now), intercom.signer).message
    long_claims = case.salesforce_claims()
    long_message = _jws.unsigned(long_claims, salesforce).message
    secret_signer = HMACSigner(StringKeySource(case.secret))
    rounds = compare(
        {
            "claims of the token for Intercom": timed(partial(intercom.claims, user, now)),
            "its signing input: JSON and Base64": timed(partial(_jws.unsigned, claims, intercom.signer)),
            "the signing input for Salesforce": timed(partial(_jws.unsigned, long_claims, salesforce)),
            "HMACSigner.sign": timed(partial(secret_signer.sign, message)),
            "RSASigner.sign": timed(partial(salesforce.sign, long_message)),
            FLOOR: timed(peers.floor(case)),
            OURS: timed(partial(builder.build, user)),
            SETTINGS: timed(partial(builder.build_settings, user)),
        },
        rounds=effort.times(300),
        seconds=0.003,
    )
    return [
        Section(
            key="parts",
            title="What a pair is made of",
            note="Each step by itself, RSA 2048 bits, a user with an id alone. A step that is done again and again has "
            "its code and data at hand, so that inside a pair, after an RSA operation, each takes somewhat longer.",
            figures=rounds.figures(),
        )
    ]
