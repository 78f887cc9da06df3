"""The 3D viewer: a small three.js view of a head inside ``gr.HTML``.

Its JavaScript is built from ``viewer_src`` into ``static/viewer.js`` and served by
gradio itself, so that the page works offline. Everything the visitor does to a
head happens in the browser.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

STATIC = Path(__file__).parent / "static"
BUNDLE = STATIC / "viewer.js"

_TEMPLATE = '<div class="fr-viewer" style="--fr-height: {height}px; min-height: 120px"></div>'
# Values that come while the bundle still loads are not lost: the last one is shown when it is there.
_ON_LOAD = """
const host = element.querySelector('.fr-viewer');
const { label, placeholder, sync } = props.settings;
let viewer = null;
watch('value', () => viewer && viewer.show(props.value));
import(new URL(props.bundle.url, document.baseURI).href).then((bundle) => {
  viewer = bundle.mount(host, { label, placeholder, sync });
  if (!viewer.supported) trigger('unsupported');
  viewer.show(props.value);
}).catch((error) => {
  console.error('3D viewer:', error);
  host.textContent = 'The 3D viewer could not be loaded. Reload the page.';
  trigger('unsupported');
});
"""


def head_viewer(
    value: dict[str, Any] | None = None,
    *,
    label: str = "3D head",
    height: int = 480,
    sync: str | None = None,
    placeholder: str = "The head appears here.",
    **options: Any,
) -> gr.HTML:
    """A viewer in the surrounding ``gr.Blocks``; its values are those of ``viewer_value``.

    The component has one event, ``unsupported``, for browsers without WebGL 2 (or
    where the viewer cannot be loaded): show something else then.

    Args:
        value: a head to show at first.
        label: for screen readers.
        height: of the view, pixels; less on narrow screens.
        sync: viewers with the same word turn, light up and move together.
        placeholder: shown while there is no head.
        options: of ``gr.HTML``: ``elem_id``, ``visible``, ``scale``, ``min_width`` and so on.
    """
    return gr.HTML(
        value,
        label=label,
        html_template=_TEMPLATE.format(height=int(height)),
        js_on_load=_ON_LOAD,
        apply_default_css=False,
        bundle=_bundle(),
        settings={"label": label, "placeholder": placeholder, "sync": sync},
        **options,
    )


def viewer_value(
    glb: str | Path | None, *, rotation: np.ndarray | None = None, name: str = ""
) -> dict[str, Any] | None:
    """What a viewer shows; None, an empty viewer, where ``glb`` is None.

    Args:
        glb: a GLB of ``facerecon.export``, where gradio may serve it from: its cache or an allowed path.
        rotation: (3, 3) ``HeadParameters.rotation``; lets the visitor turn the head as in the photo.
        name: shown beside the head when there is one.
    """
    if glb is None:
        return None
    return {
        "glb": _file(Path(glb)),
        "rotation": None if rotation is None else [round(float(v), 6) for v in np.asarray(rotation).reshape(9)],
        "name": name,
    }


@cache
def _bundle() -> dict[str, Any]:
    """The built viewer as a file of gradio's, with a version in its address so that no browser keeps an old one."""
    gr.set_static_paths(STATIC)
    path = BUNDLE.resolve()
    version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return {**_file(path), "url": f"/gradio_api/file={path.as_posix()}?v={version}"}


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}
