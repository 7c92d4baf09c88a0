"""That the contestants of the bench do the same work. Run by ``nox -s bench``, which installs them."""

import pytest

for each in ("jose", "jwcrypto", "jwt"):
    pytest.importorskip(each, reason=f"{each} is installed by nox -s bench")

from bench import cold_start, hs256, peers  # noqa: E402 - after the skip above
from bench.measure import Effort  # noqa: E402 - the same
from bench.neighbours import Neighbours  # noqa: E402 - the same

ONCE = Effort(share=0, least=1, bits=(2048,))


@pytest.mark.parametrize("more", [peers.SMALL, peers.LARGE], ids=["small", "large"])
@pytest.mark.parametrize("parsed", [True, False])
def test_every_peer_signs_what_we_sign(more: dict[str, object], *, parsed: bool) -> None:
    case = peers.Case(more=more)
    pair = case.builder.build(case.user)
    assert pair is not None
    tokens = {name: (first(), second()) for name, (first, second) in peers.peers(case, parsed=parsed).items()}
    tokens["ours"] = (pair.intercom_user_jwt, pair.salesforce_identity_token)
    peers.check_same(case, tokens)


def test_who_signs_less_is_found_out() -> None:
    large, small = peers.Case(more=peers.LARGE), peers.Case(more=peers.SMALL)
    with pytest.raises(ValueError, match="ours does not sign what the others sign"):
        peers.check_same(large, {"ours": (peers.ours_hs256(small)(),)})


def test_the_floor_signs_messages_of_our_size() -> None:
    case = peers.Case()
    signed = peers.floor(case)()
    assert isinstance(signed, tuple)
    assert [len(each) for each in signed] == [32, 256]


def test_other_languages_take_their_turns_and_the_missing_are_named() -> None:
    with Neighbours() as neighbours:
        slots = neighbours.slots(peers.Case(more=peers.LARGE), "pair")
        assert all(slot(2) > 0 for slot in slots.values())
        assert bool(slots) or neighbours.missing


def test_a_machine_without_the_programs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with Neighbours() as neighbours:
        assert neighbours.slots(peers.Case(), "pair") == {}
        assert [what.split()[0] for what in neighbours.missing] == ["ruby", "node"]


def test_hs256_has_our_ratio_to_the_best_peer() -> None:
    with Neighbours() as neighbours:
        small, large = hs256.measure(ONCE, neighbours)
    assert (small.key, large.key) == ("hs256_small", "hs256_large")
    assert small.ratios["HS256 ÷ best Python peer"].unit == "×"


def test_every_cold_start_makes_its_pair() -> None:
    keys = [section.key for section in cold_start.measure(ONCE)]
    assert keys == ["cold_start_cpu", "cold_start_wall", "import_cpu", "import_wall"]
