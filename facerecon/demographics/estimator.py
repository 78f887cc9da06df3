"""Age, gender and race as they appear, estimated from a photo.

What comes out are guesses of what annotators would say of a face. They describe
appearance and no person's identity, and must not decide about anybody; the card in
``weights/demographics`` says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facerecon.checkpoints import find_checkpoint
from facerecon.demographics import checkpoint
from facerecon.demographics.categories import OLDEST, YOUNGEST
from facerecon.demographics.crops import cut
from facerecon.demographics.labels import RACE_SYSTEMS, deepface_from_fairface, probabilities_to_ours
from facerecon.demographics.network import AGES, DemographicsNetwork
from facerecon.devices import resolve_device, to_fast
from facerecon.faces.choose import choose_faces
from facerecon.faces.detect import FaceDetector, create_detector
from facerecon.images import check_photo
from facerecon.types import Demographics, Face, FaceReconError, Image

BATCH = 64


@dataclass(frozen=True)
class DemographicsEstimate:
    """What the network says of one face. Probabilities sum to one.

    Attributes:
        age: years, the expected value.
        age_std: years, the standard deviation of the network's distribution of ages.
        gender: probability of ``"female"`` and ``"male"``.
        race: probability of our words, as far as FairFace's labels tell them apart.
        fairface: probability of FairFace's seven labels.
        utkface: probability of UTKFace's five labels.
        face: where the face was found, or None where the whole photo was taken for one.
    """

    age: float
    age_std: float
    gender: dict[str, float]
    race: dict[str, float]
    fairface: dict[str, float] = field(default_factory=dict)
    utkface: dict[str, float] = field(default_factory=dict)
    face: Face | None = None

    @property
    def dominant_gender(self) -> str:
        """The likelier gender."""
        return max(self.gender, key=self.gender.__getitem__)

    @property
    def dominant_race(self) -> str:
        """The likeliest race of ours."""
        return max(self.race, key=self.race.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability that both the dominant gender and the dominant race are what annotators would say."""
        return self.gender[self.dominant_gender] * self.race[self.dominant_race]

    @property
    def deepface(self) -> dict[str, float]:
        """Probability of DeepFace's six labels."""
        return deepface_from_fairface(self.fairface)

    def demographics(self) -> Demographics:
        """The likeliest values, marked as an estimate, and how sure they are."""
        gender, race = self.dominant_gender, self.dominant_race
        certainty = {"age": self.age_std, "gender": self.gender[gender], "race": self.race[race]}
        known = {name: value for name, value in certainty.items() if value == value}  # DeepFace's ages have no spread
        return Demographics(round(self.age, 1), gender, race, source="estimated", certainty=known)


class DemographicsEstimator:
    """Photos in, estimates out.

    Args:
        network: a folded network, on its device and in its dtype.
        temperatures: divisor of the logits of each head.
        detector: finds the face of photos that come without one; the default one, refined, made when it is needed.
    """

    def __init__(
        self, network: DemographicsNetwork, temperatures: dict[str, float], detector: FaceDetector | None = None
    ) -> None:
        self.network, self.temperatures = network.eval(), temperatures
        parameter = next(network.parameters())
        self.device, self.dtype = parameter.device, parameter.dtype
        self._detector = detector

    @classmethod
    def from_pretrained(cls, device: str = "auto", path: str | Path | None = None) -> DemographicsEstimator:
        """Loads ``weights/demographics`` or a safetensors file.

        Raises:
            FaceReconError: no checkpoint was found, or it does not fit.
        """
        where = resolve_device(device)
        file = Path(path) if path else find_checkpoint("demographics")
        network, temperatures = checkpoint.load(file / checkpoint.FILE if file.is_dir() else file)
        return cls(to_fast(network, where), temperatures)

    def predict(
        self, images: Image | Sequence[Image], faces: Sequence[Face | None] | None = None
    ) -> list[DemographicsEstimate]:
        """Estimates, one a photo.

        Args:
            images: one photo (H, W, 3) uint8 RGB, or several.
            faces: where the face is in each; left out, the largest one of each photo is looked for,
                and a photo in which none is found is taken for a crop of a face.

        Raises:
            FaceReconError: the lists differ in length, or there is something else than a photo among them.
        """
        photos = list(images) if isinstance(images, (list, tuple)) or getattr(images, "ndim", 3) == 4 else [images]
        for photo in photos:
            check_photo(photo)
        found = [self._find(photo) for photo in photos] if faces is None else list(faces)
        if len(found) != len(photos):
            raise FaceReconError("Photos and faces must be equal in number.")
        estimates: list[DemographicsEstimate] = []
        for start in range(0, len(photos), BATCH):
            part = slice(start, start + BATCH)
            crops = [cut(image, face, self.network.config.image_size) for image, face in zip(photos[part], found[part])]
            estimates += self.from_crops(np.stack(crops), found[part])
        return estimates

    def from_crops(self, crops: np.ndarray, faces: Sequence[Face | None] | None = None) -> list[DemographicsEstimate]:
        """Estimates of aligned crops (B, S, S, 3) uint8, in one batch."""
        return self._estimates(self.probabilities(crops), faces or [None] * len(crops))

    @torch.inference_mode()
    def probabilities(self, crops: np.ndarray) -> dict[str, Tensor]:
        """Calibrated probabilities (B, ...) by head of aligned crops (B, S, S, 3) uint8, each seen mirrored as well."""
        batch = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).to(self.dtype) / 255
        both = torch.cat((batch, batch.flip(3))).contiguous(memory_format=torch.channels_last)
        logits = self.network(both)
        half = len(batch)
        return {
            head: ((value[:half] + value[half:]) / (2 * self.temperatures[head])).softmax(1).cpu()
            for head, value in logits.items()
        }

    def _find(self, photo: Image) -> Face | None:
        if self._detector is None:
            self._detector = create_detector(refine=True, device=str(self.device))
        found = self._detector.detect(photo)
        return choose_faces(found, "largest", photo.shape)[0][1] if found else None

    @staticmethod
    def _estimates(found: dict[str, Tensor], faces: Sequence[Face | None]) -> list[DemographicsEstimate]:
        years = torch.arange(AGES, dtype=torch.float32)
        mean = found["age"] @ years
        std = (found["age"] @ years.square() - mean.square()).clamp_min(0).sqrt()
        out = []
        for i, face in enumerate(faces):
            fairface, utkface = (
                dict(zip(RACE_SYSTEMS[system], found[system][i].tolist())) for system in ("fairface", "utkface")
            )
            female = float(found["gender"][i, 0])
            age = min(max(float(mean[i]), YOUNGEST), OLDEST)
            gender = {"female": female, "male": 1 - female}
            race = probabilities_to_ours(fairface, "fairface")
            out.append(DemographicsEstimate(age, float(std[i]), gender, race, fairface, utkface, face))
        return out
