"""Colours of the page that can be read."""

from __future__ import annotations

import pytest

from facerecon.ui.style import THEME


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return sum(w * (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4) for w, v in zip((0.2126, 0.7152, 0.0722), parts))


@pytest.mark.parametrize("state", ["", "_hover", "_dark", "_hover_dark"])
def test_the_words_on_the_main_buttons_stand_out(state: str) -> None:
    text, fill = THEME.button_primary_text_color, getattr(THEME, f"button_primary_background_fill{state}")
    assert (luminance(text) + 0.05) / (luminance(fill) + 0.05) >= 4.5
