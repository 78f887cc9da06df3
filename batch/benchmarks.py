"""The tables of docs/BENCHMARKS.md by name: what measures each, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.tables import Table


@dataclass(frozen=True)
class Asked:
    """What a user asked for.

    Attributes:
        name: of the table.
        output: folder for the results.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        data: what is measured on, where the table needs any.
        limit: measure on about so many only.
        peers: a Python that has the judges and the rival.
    """

    name: str
    output: Path
    device: str = "auto"
    data: Path | None = None
    limit: int | None = None
    peers: Path | None = None


@dataclass(frozen=True)
class Benchmark:
    """A table that can be measured.

    Attributes:
        sentence: what it says.
        measure: ``"module:function"``, which takes :class:`Asked` and gives a table; or a module that
            prints JSON when it is run.
        data: what ``--data`` is; None where none is needed.
        limit, peers: whether it follows these options.
        arguments: of a module that is run; ``{data}`` and ``{output}`` are filled in.
    """

    sentence: str
    measure: str
    data: str | None = None
    limit: bool = False
    peers: bool = False
    arguments: tuple[str, ...] = ()

    def function(self) -> Callable[[Asked], Table]:
        """What measures it; imported here, as some need more packages than others."""
        module, _, name = self.measure.partition(":")
        if name:
            return getattr(import_module(module), name)
        from batch.measurements import script

        return partial(script, title=self.sentence, module=module, arguments=self.arguments)


_QUALITY, _SPEED, _HEADS = "batch.measurements", "batch.speeds", "batch.measurements:reconstruction"
_RENDERS = "a folder of train.reconstruction.prerender"
_DAMAGED = "the folder with degradations.csv"

BENCHMARKS = {
    "restoration": Benchmark("Restored photos against clean ones, by level of damage and by group.", f"{_QUALITY}:restoration", _DAMAGED, True, True),
    "restoration-choices": Benchmark(
        "The face alone or with its surroundings; what becomes of a clean photo.", f"{_QUALITY}:restoration_choices", _DAMAGED, True
    ),
    "restoration-speed": Benchmark("Milliseconds of each step of restoring a photo.", f"{_SPEED}:restoration_speed"),
    "onnx": Benchmark(
        "The restorer in onnxruntime against torch.", "train.restoration.export_onnx", arguments=("--output", "{output}/restorer.onnx")
    ),
    "detector": Benchmark("Faces found and missed, beside MTCNN.", f"{_QUALITY}:detector", "a folder of train.detector.testset", True),
    "landmarker": Benchmark(
        "Landmarks by the landmark network.", "train.landmarks.evaluate", "the folder with YTF/landmarks68.csv", arguments=("ytf", "--data", "{data}")
    ),
    "landmarker-degraded": Benchmark(
        "The same after degradations.", "train.landmarks.evaluate", "the folder with YTF/landmarks68.csv", arguments=("degraded", "--data", "{data}")
    ),
    "mouths": Benchmark(
        "Open and shut mouths told apart.", "train.landmarks.evaluate", "the folder with YTF/landmarks68.csv", arguments=("mouths", "--data", "{data}")
    ),
    "parsing": Benchmark(
        "Face, hair and what covers them on renders never trained on.", "train.parsing.evaluate", "a folder of train.parsing.prerender", True,
        arguments=("renders", "--data", "{data}"),
    ),
    "parsing-photos": Benchmark(
        "What is called face against the hull of true landmarks.", "train.parsing.evaluate", "the folder with YTF/landmarks68.csv", True,
        arguments=("photos", "--data", "{data}"),
    ),
    "landmarks": Benchmark("Landmarks of reconstructed heads.", _HEADS, "the folder with YTF/landmarks68.csv", True),
    "shape": Benchmark("Vertex errors on rendered heads.", _HEADS, _RENDERS, True),
    "now": Benchmark("Scans of the NoW challenge; or NoW's protocol on rendered heads.", _HEADS, f"NoW in its official layout, or {_RENDERS}", True),
    "scut": Benchmark("Landmarks of portraits by gender and ancestry.", _HEADS, "SCUT-FBP5500 in its official layout, or landmarks86_scut.tar", True),
    "aflw2000": Benchmark("Landmarks and pose by yaw.", _HEADS, "AFLW2000-3D in its official layout", True),
    "people": Benchmark("Shapes of the same person and of others, of one photo and of several.", _HEADS, "the folder with LFW", True),
    "groups": Benchmark("Landmarks of heads by age, race and gender.", _HEADS, "UTKFace in its official layout", True),
    "hair": Benchmark("How much heads, bald or not, cover of people above the eyes, and of hair below.", _HEADS, "photos of one face each", True),
    "metric-shape": Benchmark(
        "Vertex errors of the metric shape on rendered heads.", "train.shape.evaluate", "a folder of train.shape.prepare",
        arguments=("rendered", "--data", "{data}", "--coarse-too"),
    ),
    "metric-agreement": Benchmark(
        "Whether shapes look of the true gender, ancestry and age.", "train.shape.evaluate", "a folder of train.shape.prepare",
        arguments=("agreement", "--data", "{data}", "--coarse-too"),
    ),
    "metric-modes": Benchmark(
        "What the finer modes of identity are worth.", "train.shape.evaluate", "a folder of train.shape.prepare",
        arguments=("modes", "--data", "{data}"),
    ),
    "metric-people": Benchmark(
        "Spread of one person's shapes, with and without the metric shape.", "train.shape.evaluate", "a folder in LFW's layout",
        arguments=("people", "--data", "{data}"),
    ),
    "detail": Benchmark(
        "Relief recovered from made-up wrinkles, and what it explains of photos.", "train.detail.evaluate", "the folder with clean photos", True,
        arguments=("--data", "{data}"),
    ),
    "skin": Benchmark(
        "Hidden skin completed by the mean skin and by the statistical one.", "train.skin.evaluate", "the folder with clean photos", True,
        arguments=("--data", "{data}"),
    ),
    "registration": Benchmark("Heads registered to made-up scans.", "train.head.evaluate_registration"),
    "reconstruction-speed": Benchmark("Milliseconds of encoding a face, of its texture and its detail.", f"{_SPEED}:reconstruction_speed"),
    "demographics": Benchmark(
        "Age, gender and ancestry against labels, by group.", f"{_QUALITY}:demographics", "UTKFace or FairFace in its official layout", True
    ),
    "demographics-ab": Benchmark(
        "Whether it helps a head to know who somebody is.", "train.demographics.ab", _RENDERS, True, arguments=("--synthetic", "{data}")
    ),
    "demographics-restoration": Benchmark(
        "Whether it helps restoration to know who somebody is.", "train.demographics.ab_restoration", _DAMAGED, True, arguments=("--data", "{data}")
    ),
    "identity": Benchmark("Verification of pairs of faces, clean and damaged.", f"{_QUALITY}:identity", "the folder with LFW/pairs.csv", True),
    "clusters": Benchmark("Photos grouped by person.", f"{_QUALITY}:clusters", "the folder with LFW", True),
    "head": Benchmark("Size and speed of the head model.", f"{_SPEED}:head"),
    "video": Benchmark("Jitter, lag and error of heads followed in videos of known motion.", f"{_QUALITY}:video", limit=True),
    "way": Benchmark("Seconds and memory for one photo.", f"{_SPEED}:way"),
    "throughput": Benchmark("Photos a second against a plain loop.", "batch.throughput:throughput", "a folder of photos", True),
    "viewer": Benchmark("Frames a second of the viewer in a browser without a GPU.", "tests.ui.measure_viewer"),
}
