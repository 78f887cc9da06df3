"""The shipped head, loaded once, and its average vertices."""

from __future__ import annotations

import numpy as np
import pytest

from facerecon.head import HeadModel


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.from_pretrained()


@pytest.fixture(scope="session")
def bald(head) -> np.ndarray:
    return head.vertices()[0].numpy()
