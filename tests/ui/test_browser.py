"""The page in a real browser, as a visitor uses it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from facerecon.ui import limits
from tests.ui.viewer_page import CHROMIUM, SOFTWARE

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="needs a chromium on the PATH and Python's playwright",
)
PATIENCE = 60_000  # milliseconds
UNNAMED = """() => [
  ...[...document.querySelectorAll('img')].filter((i) => !i.alt),
  ...[...document.querySelectorAll('button')].filter((b) => !b.innerText.trim() && !b.ariaLabel && !b.title),
].map((e) => e.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def page(url: str):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        opened = browser.new_page(viewport={"width": 390, "height": 844})
        opened.set_default_timeout(PATIENCE)
        opened.goto(url)
        opened.wait_for_selector("#go")
        yield opened
        browser.close()


def test_a_bad_file_is_explained(page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    page.set_input_files("#photo input[type=file]", bad)
    assert "is not a picture" in page.wait_for_selector("#photo-message [role=alert]").inner_text()
    assert page.is_disabled("#go")


def test_a_file_too_large_to_send_is_explained_beside_the_photo(page, photo: Path, tmp_path: Path) -> None:
    page.reload()
    page.wait_for_selector("#go")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(limits.MAX_UPLOAD_BYTES + 1)
    page.set_input_files("#photo input[type=file]", tmp_path / "large.png")
    told = page.wait_for_selector(".fr-refused[role=alert]")
    assert "has 26 MB; at most 25 MB" in told.inner_text() and "smaller copy" in told.inner_text()
    assert page.locator(".toast-body").count() == 0 and page.is_disabled("#go")
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#go:enabled")
    assert page.locator(".fr-refused").count() == 0


def test_a_camera_that_is_not_there_is_explained(page) -> None:
    page.reload()
    page.wait_for_selector("#go")
    none = "Promise.reject(new DOMException('none', 'NotFoundError'))"
    page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = () => {none}; }}")
    page.click("#photo button[aria-label='Capture from camera']")
    page.click("#photo >> text=Click to Access Webcam")
    assert "No camera" in page.wait_for_selector(".fr-refused[role=alert]").inner_text()


def test_a_visitor_gets_a_head_and_its_files(page, photo: Path) -> None:
    page.reload()
    page.wait_for_selector("#go")
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#go:enabled")
    assert page.get_by_label("All 2 faces").is_checked()
    page.get_by_label("Face 2").check()
    page.click("#go")
    page.wait_for_selector("#photo-steps li[data-state=total]")
    assert not page.is_visible("#photo-message")  # what was to be pressed has been
    page.wait_for_function("window.faceReconViewers[0].status === 'ready'")
    assert "Vertices" in page.inner_text("#figures")
    for kind, name in (("json", "face_01.json"), ("ply", "face_01.ply"), ("zip", "facerecon_results.zip")):
        with page.expect_download() as download:
            page.click(f"#file-{kind}")
        assert download.value.suggested_filename == name


def test_a_link_opens_the_result_for_others(page, url: str) -> None:
    page.click("#share")
    link = page.wait_for_selector("#link textarea, #link input")
    page.wait_for_function("document.querySelector('#link textarea, #link input').value.includes('?share=')")
    other = page.context.browser.new_page()
    other.goto(link.input_value(), timeout=PATIENCE)
    other.wait_for_function("window.faceReconViewers && window.faceReconViewers[0].status === 'ready'", timeout=PATIENCE)
    assert "Vertices" in other.inner_text("#figures") and "shared" in other.inner_text("#notice")
    other.close()


def test_the_divider_is_moved_by_keys(page) -> None:
    divider = page.locator("#slider [role=slider]")
    divider.focus()
    where = "parseFloat(document.querySelector('#slider [role=slider]').style.transform.slice(11))"
    before = page.evaluate(where)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"{where} > {before} + 30")
    assert divider.get_attribute("aria-valuenow") == "65"


def test_a_wrong_estimate_is_corrected_beside_it(page) -> None:
    page.click("#correct")
    page.wait_for_selector("#who input[type=range]")
    assert page.get_by_label("Face 2").first.is_checked()  # the one whose head is shown


def test_who_is_quicker_than_the_form_has_not_emptied_it(page, photo: Path) -> None:
    page.reload()
    page.wait_for_selector("#go")
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#go:enabled")
    page.evaluate("document.querySelectorAll('#faces input')[2].click(); document.querySelector('#go').click()")
    page.wait_for_selector("#photo-steps li[data-state=total]")
    assert page.wait_for_selector("#figures dl").inner_text().count("estimated from the photo") == 1


def test_everything_has_a_name_and_fits_a_phone(page) -> None:
    page.wait_for_timeout(600)
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.query_selector_all("#photo .source-selection button"):
        box = button.bounding_box()
        assert box["width"] >= 44 and box["height"] >= 32


def test_another_photo_takes_the_former_results_away(page, tmp_path: Path) -> None:
    assert page.locator("#slider img").count() == 2
    black = tmp_path / "black.png"
    PillowImage.new("RGB", (64, 64)).save(black)
    page.set_input_files("#photo input[type=file]", black)
    page.wait_for_selector("#photo-message [role=alert]")
    assert page.locator("#slider img").count() == 0 and "Vertices" not in page.inner_text("#figures")
    assert page.evaluate("window.faceReconViewers[0].status") == "empty" and not page.is_visible("#viewer .fr-name")
    for button in ("#file-glb", "#file-zip", "#file-mp4", "#share"):
        assert page.is_disabled(button)
    assert not page.is_visible("#correct") and not page.is_visible("#link")
