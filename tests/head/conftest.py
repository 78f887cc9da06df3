"""The shipped head, loaded once."""

from __future__ import annotations

import pytest

from facerecon.head import HeadModel


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return HeadModel.from_pretrained()
