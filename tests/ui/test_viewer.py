"""The 3D viewer, in a real browser without a GPU."""

from __future__ import annotations

import hashlib
import importlib.util
import re

import cv2
import numpy as np
import pytest

from facerecon.ui import viewer as module
from facerecon.ui.viewer import viewer_value
from tests.ui.viewer_page import CHROMIUM, TURNED, browse, serve, write_glb

SOURCES = module.STATIC.parent / "viewer_src" / "src"
browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="needs a chromium on the PATH and Python's playwright",
)


def test_value_carries_file_pose_and_name(tmp_path):
    value = viewer_value(tmp_path / "a.glb", rotation=TURNED, name="Face 1")
    assert value["glb"]["path"] == str(tmp_path / "a.glb") and value["name"] == "Face 1"
    np.testing.assert_allclose(np.reshape(value["rotation"], (3, 3)), TURNED, atol=1e-6)
    assert viewer_value(None) is None


def test_bundle_is_built_from_the_sources_and_small():
    text = module.BUNDLE.read_text(encoding="utf-8")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir())))
    assert digest.hexdigest() in text[:300], "run `npm ci && npm run build` in facerecon/ui/viewer_src"
    assert len(text.encode()) <= 900_000
    assert "MIT License" in (module.STATIC / "three.LICENSE.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?://[^\"'` ]*(cdn|unpkg|jsdelivr)", text)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    with serve(write_glb(folder, "red", (200, 30, 30), smile=0.8), write_glb(folder, "blue", (30, 30, 200))) as url:
        yield url


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def page(playwright, address):
    with browse(playwright, address, reduced_motion="reduce") as opened:
        yield opened


@pytest.fixture
def single(page):
    """The viewer on its own, showing the red head as at first; calls as `single("expression of v")`."""
    page.get_by_role("button", name="Red", exact=True).click()

    def call(expression: str):
        return page.evaluate(f"(async () => {{ const v = viewerAt('single'); return {expression} }})()")

    page.wait_for_function("viewerAt('single').status === 'ready' && viewerAt('single').ui.name.textContent === 'Red'")
    call("v.reset()")
    call("v.set({ panel: false, stats: false })")
    return call


def picture(page, single) -> np.ndarray:
    """What the canvas shows when it has come to rest, (H, W, 3) BGR."""
    page.locator("#single .fr-stage").scroll_into_view_if_needed()
    page.wait_for_timeout(100)  # for the viewer to notice that it is seen again
    page.wait_for_function("viewerAt('single').resting")
    shot = page.locator("#single .fr-stage").screenshot()
    return cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR).astype(int)


def moved(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(before - after).mean())


@browser
def test_head_fills_the_view_and_modes_change_it(page, single):
    shown = picture(page, single)
    height, width = shown.shape[:2]
    red = (shown[..., 2] - shown[..., 0]) > 60
    assert red[height // 2, width // 2] and not red[:, :20].any()
    rows = np.flatnonzero(red.any(axis=1))
    assert 0.6 * height < len(rows) < 0.95 * height
    page.get_by_role("radio", name="Geometry").first.click()
    clay = picture(page, single)
    assert (clay[..., 2] - clay[..., 0])[height // 2, width // 2] < 60
    page.keyboard.press("ArrowRight")
    assert single("v.state.mode") == "normals" and moved(clay, picture(page, single)) > 3
    page.get_by_role("button", name="Wireframe").first.click()
    assert single("v.state.wireframe")


@browser
def test_sliders_move_the_mouth_without_the_server(page, single):
    assert single("v.head.names.length") == 52
    assert single("v.state.expression.mouthSmileLeft") == pytest.approx(0.8, abs=1e-4)
    shown = picture(page, single)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("button", name="Expression, light and look").first.click()
    assert page.locator("#single details").count() == 7
    page.locator("#single summary", has_text="Jaw").click()
    slider = page.locator("#single input[data-name=jawOpen]")
    slider.fill("1")
    assert slider.get_attribute("aria-valuetext") == "1.00"
    slider = page.locator("#single input[data-name=eyeBlinkLeft]")
    slider.fill("0.5")
    assert single("v.state.expression.eyeBlinkRight") == 0.5  # both sides together
    single("v.set({ panel: false })")
    assert moved(shown, picture(page, single)) > 0.5
    assert requests == []
    single("v.set({ expression: v.head.photo })")
    assert moved(shown, picture(page, single)) < 0.2


TIP = "document.querySelector('#single button[aria-label=\"Full screen\"]')"


@browser
def test_a_button_says_what_it_does(page, single):
    tip = f"(({{ content, opacity }}) => content + opacity)(getComputedStyle({TIP}, '::after'))"
    assert page.evaluate(tip) == '"Full screen"0'
    page.get_by_role("button", name="Full screen").first.hover()
    page.wait_for_function(f"{tip} === '\"Full screen\"1'")
    page.mouse.move(0, 0)
    page.get_by_role("button", name="Reset").first.focus()
    page.keyboard.press("Tab")
    page.wait_for_function(f"{tip} === '\"Full screen\"1'")


@browser
def test_buttons_fit_a_phone_and_a_thumb_with_their_captions(page, single):
    page.set_viewport_size({"width": 390, "height": 844})
    boxes = page.evaluate("""[...document.querySelectorAll('#single .fr-toolbar button')].map((b) => {
        const { left, right, width, height } = b.getBoundingClientRect();
        return { left, right, width, height, cut: b.scrollWidth > b.clientWidth, caption: b.innerText.trim() };
    })""")
    page.set_viewport_size({"width": 900, "height": 1000})
    assert len(boxes) == 9 and all(box["caption"] and not box["cut"] for box in boxes)
    assert all(box["width"] >= 40 and box["height"] >= 44 and 0 <= box["left"] < box["right"] <= 390 for box in boxes)


@browser
def test_idle_clip_blinks_and_talks(page, single):
    single("v.seen = new Set()")
    page.get_by_role("button", name="Blink and talk").first.click()
    shapes = "Math.round(1e4 * v.head.geometry.attributes.position.array.reduce((sum, x) => sum + Math.abs(x), 0))"
    page.wait_for_function(f"(() => {{ const v = viewerAt('single'); return v.seen.add({shapes}).size > 4 }})()")
    single("v.set({ idle: false })")
    assert len({single(shapes) for _ in range(3)}) == 1


@browser
def test_pose_of_the_photo(page, single):
    shown = picture(page, single)
    page.get_by_role("button", name="Turned as in the photo").first.click()
    turned = picture(page, single)
    assert moved(shown, turned) > 2
    angle = single("2 * Math.acos(Math.abs(v.head.root.quaternion.w))")
    assert angle == pytest.approx(np.arccos(0.8), abs=0.02)


@browser
def test_mouse_and_keys_turn_zoom_and_reset(page, single):
    canvas = page.locator("#single canvas")
    home = single("v.eye.view")
    canvas.drag_to(canvas, source_position={"x": 200, "y": 150}, target_position={"x": 280, "y": 150})
    page.wait_for_function(f"Math.abs(viewerAt('single').eye.view.theta - {home['theta']}) > 0.2")
    page.wait_for_function("viewerAt('single').resting")
    canvas.focus()
    radius = single("v.eye.view.radius")
    page.keyboard.press("+")
    assert single("v.eye.view.radius") < radius
    page.keyboard.press("0")
    page.wait_for_function(f"Math.abs(viewerAt('single').eye.view.theta - {home['theta']}) < 0.01")


@browser
def test_two_viewers_move_as_one(page):
    page.wait_for_function("[viewerAt('left'), viewerAt('right')].every(v => v.status === 'ready')")
    canvas = page.locator("#left canvas")
    canvas.scroll_into_view_if_needed()
    canvas.drag_to(canvas, source_position={"x": 200, "y": 150}, target_position={"x": 120, "y": 170})
    page.wait_for_function("Math.abs(viewerAt('left').eye.view.theta) > 0.2 && viewerAt('left').resting")
    left, right = page.evaluate("[viewerAt('left'), viewerAt('right')].map(v => v.eye.view)")
    assert right["theta"] == pytest.approx(left["theta"], abs=1e-3)
    page.evaluate("viewerAt('right').set({ mode: 'normals', expression: { jawOpen: 0.5 }, panel: true })")
    assert page.evaluate("[viewerAt('left').state.mode, viewerAt('left').state.expression.jawOpen]") == ["normals", 0.5]
    assert not page.evaluate("viewerAt('left').state.panel || viewerAt('single').state.mode === 'normals'")


@browser
def test_new_heads_free_the_old_ones(page, single):
    picture(page, single)
    held = single("v.memory")
    for title, name in (("Blue", ""), ("Red", "Red")) * 2:
        page.get_by_role("button", name=title, exact=True).click()
        page.wait_for_function(f"viewerAt('single').status === 'ready' && viewerAt('single').ui.name.textContent === '{name}'")
        picture(page, single)
    assert single("v.memory") == held
    page.get_by_role("button", name="Nothing").click()
    page.wait_for_function("viewerAt('single').status === 'empty'")
    assert single("v.memory.geometries") == 0
    assert page.locator("#single .fr-message").inner_text() == "The head appears here."


@browser
def test_broken_file_is_said_in_a_sentence(page, single):
    page.get_by_role("button", name="Broken").click()
    page.wait_for_function("viewerAt('single').status === 'error'")
    assert "could not be shown" in page.locator("#single [role=status]").inner_text()


@browser
def test_without_webgl_the_page_is_told(playwright, address):
    with browse(playwright, address, "--disable-3d-apis") as page:
        assert "WebGL 2" in page.locator("#single .fr-message").inner_text()
        page.get_by_label("Fallback").wait_for(state="visible")
