"""A bounded run of what `make fuzz` does at length."""

import pytest

from picam_webrtc_test.fuzz.run import fuzz

COUNTS = {"offers": 150, "answers": 100, "fragments": 300, "requests": 500, "rtcp": 500}
SEED = 5


@pytest.mark.heavy
async def test_damaged_inputs_break_nothing_and_the_running_viewer_notices_nothing() -> None:
    finding = await fuzz(COUNTS, SEED)

    assert finding.unnoticed, finding
    assert {"201", "400", "422"} <= finding.outcomes["offers"].keys()
    assert {"204", "400"} <= finding.outcomes["answers"].keys()
    assert {"204", "400"} <= finding.outcomes["fragments"].keys()
    assert {"200", "400", "404"} <= finding.outcomes["requests"].keys()
