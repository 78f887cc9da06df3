"""The page served with stand-ins for the networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PillowImage

pytest.importorskip("gradio_client")

import gradio_client  # noqa: E402

from facerecon.head.model import HeadModel  # noqa: E402
from facerecon.pipeline import FaceReconstructor  # noqa: E402
from facerecon.types import Demographics  # noqa: E402
from facerecon.ui.page import build_page, launch_options  # noqa: E402
from tests.fakes import FakeDetector, FakeReconstructor, FakeRestorer, make_face, make_photo  # noqa: E402

FACES = [make_face(10, 10, 60), make_face(90, 40, 40)]


class Encoding(FakeReconstructor):
    """Takes everybody of whom nothing is said for a woman of 34."""

    def encode(self, images, faces):
        """What it sees."""
        return [head.parameters for head in self.reconstruct(images, faces, [None] * len(faces), [None] * len(faces))]

    def _one(self, image, face, known, focal_px):
        return super()._one(image, face, known or Demographics(34.2, "female", "Caucasian", source="estimated"), focal_px)


@pytest.fixture(scope="session")
def pipeline() -> FaceReconstructor:
    """Two faces in every photo that is not black."""
    head = HeadModel.from_pretrained()
    return FaceReconstructor(FakeDetector(FACES), FakeRestorer(), Encoding(head), head)


@pytest.fixture(scope="session")
def url(pipeline: FaceReconstructor, tmp_path_factory: pytest.TempPathFactory):
    """The page's address."""
    cache = tmp_path_factory.mktemp("page") / "gradio"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(cache))
        page = build_page(pipeline)
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
        yield address
        page.close()


@pytest.fixture(scope="session")
def client(url: str, tmp_path_factory: pytest.TempPathFactory):
    """A visitor's program."""
    downloads = tmp_path_factory.mktemp("downloads")
    client = gradio_client.Client(url, verbose=False, download_files=str(downloads), httpx_kwargs={"timeout": 120})
    yield client
    client.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo file."""
    PillowImage.fromarray(make_photo()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"
