"""The arithmetic of the bench, and its report from given results. What it measures is in no test."""

from xml.etree import ElementTree as ET

import pytest

from bench import bars, chart, paper
from bench.measure import FULL, QUICK, Figure, Rounds, Section, compare, in_rounds, steepest, timed
from bench.report import RESULTS, Report, shown


def figure(name: str, median: float, unit: str = "s") -> Figure:
    return Figure(name, unit, median, median * 0.9, median * 1.1, 7)


def results(**ratios: float) -> tuple[Section, ...]:
    pair = Section(
        key="pair_2048_small",
        title="A pair",
        note="Both tokens.",
        figures=(
            figure("the floor: one HMAC, one RSA operation", 0.00024),
            figure("this library, build", 0.00025),
            figure("Peer, PEM on each call", 0.040),
        ),
        ratios={name: figure(name, value, "×") for name, value in ratios.items()},
    )
    alone = Section("hs256_small", "HS256", "", (figure("this library, claims and jws.encode", 5e-6),))
    return pair, alone


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine is ten times slower in the last round, and both feel it.
    rounds = Rounds({"ours": [1.0, 1.0, 10.0], "theirs": [2.0, 2.0, 20.0]})
    ratio = rounds.ratio("ours", "theirs")
    assert (ratio.median, ratio.low, ratio.high, ratio.unit) == (0.5, 0.5, 0.5, "×")


def test_a_figure_is_a_median_with_quartiles() -> None:
    assert Figure.of("it", [5.0, 1.0, 2.0, 3.0, 4.0]) == Figure("it", "s", 3.0, 2.0, 4.0, 5)
    assert Figure.of("it", [3.0]) == Figure("it", "s", 3.0, 3.0, 3.0, 1)


def test_the_best_peer_is_the_one_with_the_smallest_median() -> None:
    rounds = Rounds({"a": [1.0, 9.0, 9.0], "b": [5.0, 5.0, 5.0], "c": [6.0, 6.0, 6.0]})
    assert rounds.best(["a", "b", "c"]) == "b"
    assert rounds.best(["a", "c"]) == "c"


def test_every_contestant_has_one_turn_a_round_and_the_order_changes() -> None:
    taken: list[str] = []

    def turn(name: str) -> float:
        taken.append(name)
        return 1.0

    rounds = in_rounds({name: lambda name=name: turn(name) for name in "abc"}, 30)  # type: ignore[misc]
    orders = {"".join(taken[start : start + 3]) for start in range(0, 90, 3)}
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(orders) > 1
    assert {len(values) for values in rounds.seconds.values()} == {30}


def test_compare_divides_a_turn_by_its_operations() -> None:
    rounds = compare({"fast": lambda count: count * 0.001, "slow": lambda count: count * 2.0}, rounds=3, seconds=0.01)
    assert rounds.seconds["fast"] == pytest.approx([0.001] * 3)
    assert rounds.seconds["slow"] == pytest.approx([2.0] * 3)


def test_a_timed_slot_does_as_many_operations_as_it_is_told() -> None:
    done: list[int] = []
    assert timed(lambda: done.append(1))(7) > 0
    assert len(done) == 7


def test_a_quick_run_does_less_and_never_nothing() -> None:
    assert FULL.times(100) == 100
    assert QUICK.times(1000) == 40
    assert QUICK.times(10) == 3
    assert QUICK.times(1) == 1


@pytest.mark.parametrize(
    ("measured", "word"),
    [(1.04, "met"), (1.05, "met"), (1.051, "NOT met")],
)
def test_a_bar_says_whether_it_is_met(measured: float, word: str) -> None:
    verdict = bars.verdicts(results(**{"build ÷ floor": measured}))[0]
    assert (verdict.bar.measure, verdict.word) == ("build(user) ÷ floor", word)


def test_a_bar_may_ask_for_more_instead_of_less() -> None:
    bar = bars.Bar("threads", "threads", "two threads ÷ one", "≥", 1.85)
    assert bars.Verdict(bar, figure("threads", 1.9, "×")).met
    assert not bars.Verdict(bar, figure("threads", 1.8, "×")).met


def test_what_was_not_measured_is_said_loudly() -> None:
    report = Report(results(), ("ruby is not installed: its libraries were not measured",), {"cores": "2"})
    tables = report.as_markdown()
    assert "**Missing here:** ruby is not installed" in tables
    assert tables.count("**NOT MEASURED**") == len(bars.BARS)


def test_the_docs_show_tables_sentences_and_a_chart() -> None:
    pages = Report(results(**{"build ÷ floor": 1.2}), (), {"cores": "2"}).pages()
    tables = pages["performance_tables.md"]
    assert "| build(user) ÷ floor | ≤ 1.05 | 1.200 | 1.080 to 1.320 | **NOT met** |" in tables
    assert "| this library, build | 250 µs | 225 µs to 275 µs | 7 |" in tables
    drawn = pages["performance.svg"]
    assert "this library, build" in drawn
    assert "PEM on each call" not in drawn


def test_the_summary_holds_every_figure() -> None:
    report = Report(results(**{"build ÷ floor": 1.2}), ("ruby is not installed",), {"cores": "2"})
    assert Report.from_summary(report.as_summary()).pages() == report.pages()


def test_the_committed_summary_is_read_and_written_alike() -> None:
    assert Report.from_summary(summary := RESULTS.read_text("utf-8")).as_summary() == summary


def test_the_sentences_reckon_from_the_figures() -> None:
    text = paper.sentences(results())
    assert "A pair takes 0.25 ms of one core, of which 0.24 ms are the two signatures" in text
    assert "about 4,000 pairs a second and core" in text
    assert "about 200,000 a second and core" in text
    # 1e9 / 86 400 s × 3 = 34 722 a second; × 0.25 ms = 8.7 cores, twice that at half load.
    assert "9 cores sign at the peak" in text
    assert "**18 cores**" in text
    assert "35 times the default quota" in text


def test_the_sentences_leave_out_what_was_not_measured() -> None:
    assert paper.sentences(()).startswith("A quota of 1,000 signatures a second")


def test_the_chart_is_xml_and_cuts_off_what_would_dwarf_the_rest() -> None:
    drawn = chart.draw("a & b", [figure("short", 1.0), figure("<ours>", 1.2), figure("long", 500.0)], ours=["<ours>"])
    root = ET.fromstring(drawn)
    bars_drawn = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") != "back"]
    assert [each.get("class") for each in bars_drawn] == ["bar", "ours", "bar"]
    assert "(cut off)" in drawn


def test_a_cliff_shows_as_a_steep_step() -> None:
    assert steepest({0: 1.0, 10: 2.0, 20: 3.0}) == pytest.approx(1.0)
    assert steepest({0: 1.0, 10: 1.0, 20: 3.0}) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00025, "s", "250 µs"),
        (0.0213, "s", "21.3 ms"),
        (1.5, "s", "1.5 s"),
        (4e-7, "s", "0.4 µs"),
        (1.0456, "×", "1.046"),
        (3999.6, "1/s", "4,000/s"),
        (0, "bytes", "0 bytes"),
        (2 * 1024 * 1024, "bytes", "2 MB"),
    ],
)
def test_values_are_shown_in_the_unit_that_suits_them(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
