"""The degradation lab."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from facerecon.faces.parsing import FaceParser
from facerecon.pipeline import FaceReconstructor
from facerecon.restoration.scoring import FaceScorer
from facerecon.ui.engine import Engine, Seen, Step
from facerecon.ui.lab_work import DAMAGES, SIDE, Trial, cut_out, try_damages
from tests.fakes import FakeDetector, FakeRestorer, make_photo


def split(news: Iterator[Step | Trial]) -> tuple[list[Step], list[Trial]]:
    """Steps and trials; each trial comes after its step."""
    heard = list(news)
    assert [isinstance(each, Step) for each in heard] == [True, False] * (len(heard) // 2)
    return heard[::2], heard[1::2]


@pytest.mark.parametrize("name", list(DAMAGES))
def test_every_damage_does_damage(name: str) -> None:
    clean = make_photo(200, 200) ^ np.random.default_rng(0).integers(0, 16, (200, 200, 3), np.uint8)
    damage = DAMAGES[name]
    start = damage.apply(clean, damage.start, np.random.default_rng(0))
    assert start.shape == clean.shape and start.dtype == np.uint8
    assert np.abs(start.astype(int) - clean).mean() > 0.5
    assert damage.low <= damage.start <= damage.high


def test_the_face_is_cut_out_where_it_is(pipeline) -> None:
    photo = make_photo(1200, 1600)
    cut, face = cut_out(Engine(pipeline), photo)
    assert cut.shape[0] == cut.shape[1] <= SIDE
    assert face.points.min() >= 0 and face.points.max() < cut.shape[0]
    x, y = face.points[0].round().astype(int)
    original = pipeline.detector.faces[0].points[0].round().astype(int)
    assert np.abs(cut[y, x].astype(int) - photo[original[1], original[0]]).max() < 12


def test_four_trials_are_measured(pipeline) -> None:
    wanted = [("Noise", 0), ("Noise", 20), ("JPEG", 10), ("Too small", 4)]
    steps, trials = split(try_damages(Engine(pipeline), make_photo(240, 240), wanted, 0.7))
    assert [step.share for step in steps] == [0, 0.25, 0.5, 0.75]
    assert [trial.name for trial in trials] == [name for name, _ in wanted]
    assert trials[0].psnr[0] > trials[1].psnr[0] and trials[0].ssim[0] == pytest.approx(1.0)
    assert all(trial.restored.shape == trial.degraded.shape for trial in trials)


def test_no_network_is_loaded_for_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = FaceReconstructor(FakeDetector(), FakeRestorer())
    vars(pipeline)["parser"] = None
    engine = Engine(pipeline)
    engine.look = lambda photo: Seen(pipeline.detector.detect(photo))
    for network in (FaceParser, FaceScorer):
        monkeypatch.setattr(network, "__init__", lambda *_, **__: pytest.fail("a network was loaded"))
    _, (trial,) = split(try_damages(engine, make_photo(240, 240), [("Noise", 20)], 0.7))
    assert not np.array_equal(trial.degraded, trial.restored)
