from __future__ import annotations

import numpy as np
import pytest

from facerecon.video.benchmark import lag


@pytest.mark.parametrize("frames", [0.0, 1.5, -2.0, 3.0])
def test_lag_is_found_to_a_tenth_of_a_frame(frames):
    t = np.arange(100)
    true, late = (np.stack((np.sin((t - s) / 7), 3 * np.cos((t - s) / 11)), axis=1) for s in (0, frames))
    assert lag(late + 5, true) == pytest.approx(frames, abs=0.1)
