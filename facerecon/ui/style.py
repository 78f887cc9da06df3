"""How the page looks."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

CSS = Path(__file__).with_name("page.css")
_SCRIPT = Path(__file__).with_name("page.js")
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
TITLE = "facerecon"
RESULT_ROOM = 500  # pixels below a button in which a visitor sees that something begins

# Rules that page.css cannot hold: gradio keeps what stands in media queries there from what lies around its container.
OUTER = """
body.dark { --color-accent: #ea580c !important; }
@media (max-width: 640px) { .gradio-container .main.app { padding: 8px 10px; } }
"""
HEADER = f"<style>{OUTER}</style>" + """
<header class="fr-header">
  <div class="fr-brand">
    <svg viewBox="0 0 48 48" width="44" height="44" aria-hidden="true">
      <path d="M24 3c9 0 15 6.500 15 16 0 11-7 26-15 26S9 30 9 19C9 9.500 15 3 24 3z" class="fr-logo-face"/>
      <path d="M24 3c9 0 15 6.500 15 16 0 11-7 26-15 26z" class="fr-logo-mesh"/>
      <path d="M24 3v42M24 14l14 1M24 24l14.500 0M24 34l10 0M24 3l9 11.500L24 24l9 10L24 45M38 15L24 24l14.500 0M33 34l5.500-10"
        class="fr-logo-lines"/>
    </svg>
    <div>
      <h1>facerecon</h1>
      <p>A bad photo of a face in. A restored photo and a 3D head that moves out.</p>
    </div>
  </div>
  <button type="button" class="fr-theme" aria-label="Switch between dark and light"
    onclick="document.body.classList.toggle('dark')"><svg
    viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><circle cx="12" cy="12" r="9" fill="none" stroke="currentColor"
    stroke-width="2"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/></svg></button>
</header>
"""

FOOTER = """
<footer class="fr-footer">
  <p>Every network here was trained from scratch. A restored face is a plausible one, not evidence of who was in the
  photo; what one view hides is a guess. Use photos of people who agree to it.</p>
</footer>
"""

THEME = gr.themes.Base(
    primary_hue="orange", secondary_hue="orange", neutral_hue="stone", radius_size="lg", font=FONTS,
    font_mono=["ui-monospace", "SFMono-Regular", "monospace"],
).set(
    body_background_fill="#faf8f5",
    body_background_fill_dark="#141210",
    block_background_fill="#ffffff",
    block_background_fill_dark="#1d1a17",
    block_border_color="#e7e2da",
    block_border_color_dark="#332e29",
    block_label_background_fill="#ffffff",
    block_label_background_fill_dark="#1d1a17",
    background_fill_secondary_dark="#1d1a17",
    button_primary_background_fill="#c2410c",
    button_primary_background_fill_hover="#9a3412",
    button_primary_background_fill_dark="#c2410c",
    button_primary_background_fill_hover_dark="#9a3412",
    button_primary_text_color="#ffffff",
    body_text_color_subdued="#6b645e",
    body_text_color_subdued_dark="#b3aaa2",
    block_info_text_color="#6b645e",
    block_info_text_color_dark="#b3aaa2",
    color_accent="#c2410c",
    slider_color="#c2410c",
    checkbox_background_color_selected="#c2410c",
    checkbox_border_color_selected="#c2410c",
)  # fmt: skip


def script(largest_upload: int) -> str:
    """The page's own JavaScript; files of more bytes than ``largest_upload`` are refused where they are chosen."""
    return _SCRIPT.read_text(encoding="utf-8").replace("__MAX_UPLOAD_BYTES__", str(largest_upload))


def scroll_to(selector: str, room: int = 120) -> str:
    """JavaScript that brings the first visible element of a CSS selector to the top, where little below it is in view.

    Args:
        room: pixels of the window that are to lie below the element's upper edge.
    """
    return f"""() => {{
  const place = [...document.querySelectorAll({selector!r})].find((each) => each.offsetParent);
  const top = place ? place.getBoundingClientRect().top : 0;
  if (top < 0 || top > window.innerHeight - {room}) place.scrollIntoView({{ behavior: 'smooth', block: 'start' }});
}}"""
