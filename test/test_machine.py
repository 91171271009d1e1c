"""Tests are not failed by what others do to the machine."""

import textwrap
from pathlib import Path

import pytest

from picam_webrtc_test.machine import TICKS_PER_S, WINDOW_S, CpuTimes

pytest_plugins = ["pytester"]

FAILS_ONCE = """
    import pytest
    ran = []

    @pytest.fixture
    def name(request):
        yield request.node.name

    {mark}
    def test_of_a_rate(name):
        ran.append(name)
        assert ran == ["test_of_a_rate", "test_of_something", "test_of_a_rate"]

    def test_of_something(name):
        ran.append(name)
"""
CONFTEST = """
    import pytest
    from picam_webrtc_test import reruns
    from picam_webrtc_test.machine import CpuTimes

    reruns.wait_for_calm = lambda timeout_s: None
    times = iter(CpuTimes(100 * n, {stolen} * n, n / 10) for n in range(100))
    CpuTimes.now = classmethod(lambda cls: next(times))
    pytest_runtest_protocol = reruns.pytest_runtest_protocol

    def pytest_configure(config):
        config.addinivalue_line("markers", "heavy: alone")
"""


@pytest.mark.parametrize(
    ("mark", "stolen", "passes"),
    [("@pytest.mark.heavy", 50, True), ("@pytest.mark.heavy", 1, False), ("", 50, False)],
    ids=["while others ran", "on a calm machine", "of another kind"],
)
def test_a_failure_counts_unless_others_had_the_processors(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mark: str, stolen: int, passes: bool
) -> None:
    pytester.makeconftest(textwrap.dedent(CONFTEST.format(stolen=stolen)))
    pytester.makepyfile(textwrap.dedent(FAILS_ONCE.format(mark=mark)))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))

    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    outcome.assert_outcomes(passed=1 + passes, failed=1 - passes)


def test_the_share_that_others_had_is_that_of_the_time_wanted() -> None:
    before, after = CpuTimes(busy=100, stolen=5, at_s=0.0), CpuTimes(busy=160, stolen=45, at_s=0.5)

    assert after.share_stolen_since(before) == pytest.approx(0.4)


def test_what_is_taken_while_nobody_could_look_is_spread_over_that_time() -> None:
    before, after = CpuTimes(busy=0, stolen=0, at_s=0.0), CpuTimes(busy=0, stolen=TICKS_PER_S // 2, at_s=5 * WINDOW_S)

    assert after.window_stolen_s_since(before) == pytest.approx(0.1)
