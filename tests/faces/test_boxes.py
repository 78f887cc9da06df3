"""What boxes have in common."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facerecon.faces import center_network
from facerecon.faces.boxes import overlaps


def test_shares_by_hand():
    shares = overlaps([[0, 0, 4, 4]], [[0, 0, 4, 4], [2, 0, 6, 4], [1, 1, 3, 3], [9, 9, 10, 10], [5, 5, 5, 5]])
    assert shares[0] == pytest.approx([1, 8 / 24, 4 / 16, 0, 0])
    assert overlaps([[0, 0, 4, 4]], [[1, 1, 3, 3], [2, 0, 12, 4]], of_smaller=True)[0] == pytest.approx([1, 0.5])
    assert overlaps(np.zeros((2, 4)), np.zeros((0, 4))).shape == (2, 0) and overlaps([[1, 1, 1, 1]], [[1, 1, 1, 1]]) == 0


@pytest.mark.parametrize("of_smaller", [False, True])
def test_the_networks_twin_says_the_same(of_smaller):
    corner = np.random.default_rng(0).uniform(0, 60, (2, 9, 2))
    first, second = np.concatenate((corner, corner + 25), 2)
    theirs = center_network.overlaps(torch.from_numpy(first), torch.from_numpy(second), of_smaller)
    assert np.allclose(overlaps(first, second, of_smaller), theirs)
