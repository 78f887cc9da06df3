"""DeepFace (Serengil and Ozpinar, 2020) as another labeller, for those who install it.

Its networks are others' and come from the network at first use; ours never need them.
It runs on its ONNX engine here, so neither TensorFlow nor a second torch is wanted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from facerecon.demographics.crops import cut
from facerecon.demographics.estimator import DemographicsEstimate
from facerecon.demographics.labels import RACE_SYSTEMS, gender_to_ours, probabilities_to_ours
from facerecon.types import Face, FaceReconError, Image

CROP = 224  # pixels, the side that its networks take
GO_ON = "or go on without it: --backend facerecon needs nothing more"
NOT_INSTALLED = f"DeepFace is not installed: run pip install deepface onnxruntime werkzeug, {GO_ON}."


class DeepFaceLabeller:
    """The same ``predict`` as :class:`~facerecon.demographics.estimator.DemographicsEstimator`.

    Args:
        analyze: ``DeepFace.analyze``, or a stand-in.
    """

    def __init__(self, analyze: Any) -> None:
        self._analyze = analyze

    @classmethod
    def from_pretrained(cls) -> DeepFaceLabeller:
        """DeepFace on its ONNX engine, with weights fetched and tried.

        Raises:
            FaceReconError: it is not installed, or its weights cannot be fetched.
        """
        os.environ.setdefault("DEEPFACE_BACKEND_ENGINE", "onnx")
        try:
            from deepface import DeepFace
        except Exception as error:  # it imports much, some of it undeclared
            raise FaceReconError(NOT_INSTALLED) from error
        labeller = cls(DeepFace.analyze)
        labeller.predict([np.full((CROP, CROP, 3), 128, np.uint8)])
        return labeller

    def predict(
        self, images: Sequence[Image], faces: Sequence[Face | None] | None = None
    ) -> list[DemographicsEstimate]:
        """Estimates, one a photo, each cut as for our own estimator; ``age_std`` is unknown (NaN).

        Raises:
            FaceReconError: its weights cannot be fetched, or it fails otherwise.
        """
        where = list(faces) if faces is not None else [None] * len(images)
        return [self._one(image, face) for image, face in zip(images, where, strict=True)]

    def _one(self, image: Image, face: Face | None) -> DemographicsEstimate:
        crop = np.ascontiguousarray(cut(image, face, CROP)[..., ::-1])  # it takes BGR
        try:
            found = self._analyze(
                img_path=crop, actions=("age", "gender", "race"), detector_backend="skip", enforce_detection=False, silent=True
            )
        except Exception as error:
            raise FaceReconError(_sentence(error)) from error
        result = found[0] if isinstance(found, list) else found
        gender, race = _shares(result["gender"]), _shares(result["race"])
        ours = {gender_to_ours(label, "deepface"): p for label, p in gender.items()}
        race = {label: race.get(label, 0.0) for label in RACE_SYSTEMS["deepface"]}
        return DemographicsEstimate(
            float(result["age"]), float("nan"), ours, probabilities_to_ours(race, "deepface"), face=face
        )


def _shares(percents: dict[str, float]) -> dict[str, float]:
    total = sum(percents.values()) or 1.0
    return {label: float(p) / total for label, p in percents.items()}


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "download" in text.lower() or isinstance(error, OSError):
        return (
            "DeepFace's weights cannot be fetched from the network: run once where the network is open and copy "
            f"~/.deepface/weights from there (DEEPFACE_HOME says where it looks), {GO_ON}."
        )
    return f"DeepFace failed ({text[:160]})."
