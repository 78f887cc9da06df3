"""Frames a second of the viewer in a browser without a GPU: ``python -m tests.ui.measure_viewer``."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.ui.viewer_page import browse, serve, write_glb

SIZE = 640  # pixels, width and height of the view
SECONDS = 5


def main() -> None:
    """Prints, as JSON, what the page's own counter says while the head talks and turns, and how busy the machine was."""
    with tempfile.TemporaryDirectory() as folder:
        glb = write_glb(Path(folder), "head", (190, 140, 120))
        with serve(glb, glb, SIZE) as address, sync_playwright() as playwright:
            with browse(playwright, address, viewport={"width": 1000, "height": 800}) as page:
                page.add_style_tag(content=f"#single .fr-viewer {{ width: {SIZE + 2}px; position: fixed; top: 0; left: 0 }}")
                page.get_by_role("button", name="Red", exact=True).click()
                page.wait_for_function("viewerAt('single').status === 'ready'")
                results = {}
                for line in ("as it adapts", "at full resolution"):
                    if line != "as it adapts":
                        page.evaluate("viewerAt('single').resolution.fix(1)")
                    results[line] = page.evaluate(f"viewerAt('single').measure({SECONDS})")
    print(json.dumps({**results, "load_of_the_machine": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()
