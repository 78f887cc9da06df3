"""How far a restored face may be believed: whether it is still the person, and how natural it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from facerecon.checkpoints import CheckpointError, find_optional, load_weights
from facerecon.faces.align import crop_face, resize, transform_points
from facerecon.metrics.naturalness import NaturalSceneModel
from facerecon.types import Image, Reconstruction, Restoration, RestoredFace

if TYPE_CHECKING:
    from facerecon.identity import IdentityEncoder

# Below this cosine the face after and before would often pass for two people's.
IDENTITY_DOUBTFUL = 0.5
# NIQE of restored crops beyond which something was left or made that no photo has.
NATURALNESS_DOUBTFUL = 12.0
# Blur beyond which so little was left of the face that what is there now is mostly made up.
BLUR_DOUBTFUL = 0.8
_SIDE = 256  # crops are compared at this size
QUALITY_FILE = "quality.safetensors"
TOLD = ("identity_similarity", "naturalness_after")  # to the head that is rebuilt from a restored face


class FaceScorer:
    """Scores restored faces; parts whose weights are not there are left out.

    Args:
        identity: the embedding; None asks ``facerecon.identity`` for the shipped one, once it is needed.
        device: where the embedding runs.
    """

    def __init__(self, identity: IdentityEncoder | None = None, device: str = "auto") -> None:
        self._given, self.device = identity, device

    @cached_property
    def identity(self) -> IdentityEncoder | None:
        """The embedding, or None where no checkpoint is found."""
        if self._given is not None:
            return self._given
        from facerecon.identity import IdentityEncoder

        try:
            return IdentityEncoder.from_pretrained(device=self.device)
        except CheckpointError:
            return None

    def score(self, faces: Sequence[RestoredFace]) -> list[RestoredFace]:
        """The faces with further scores in ``quality``.

        ``identity_similarity``: cosine in [-1, 1] between the embeddings before and after;
        ``naturalness_before``, ``naturalness_after``: NIQE, 0 natural (see ``metrics.naturalness``).
        """
        scores: list[dict[str, float]] = [{} for _ in faces]
        model = natural_faces()
        for face, values in zip(faces, scores):
            if model is not None:
                values["naturalness_before"] = model.distance(resize(face.crop, _SIDE))
                values["naturalness_after"] = model.distance(resize(face.restored, _SIDE))
        for values, cosine in zip(scores, self._similarities(faces)):
            values["identity_similarity"] = cosine
        return [replace(face, quality={**face.quality, **values}) for face, values in zip(faces, scores)]

    def _similarities(self, faces: Sequence[RestoredFace]) -> list[float]:
        if not faces or self.identity is None:
            return []
        size = self.identity.size
        crops = [_identity_crop(image, face, size) for face in faces for image in (face.crop, face.restored)]
        vectors = self.identity.embed(crops)
        return [float(a @ b) for a, b in zip(vectors[::2], vectors[1::2])]


def doubts(quality: dict[str, float]) -> list[str]:
    """One sentence for each score of a restored face that is beyond its threshold."""
    sentences = []
    similarity = quality.get("identity_similarity")
    if similarity is not None and similarity < IDENTITY_DOUBTFUL:
        sentences.append(
            f"The restored face may not look like the person: its identity score is {similarity:.2f}, below {IDENTITY_DOUBTFUL}."
        )
    if quality.get("naturalness_after", 0.0) > NATURALNESS_DOUBTFUL:
        score = f"{quality['naturalness_after']:.1f}, above {NATURALNESS_DOUBTFUL:.0f}"
        sentences.append(f"The restored face shows faults: its naturalness score is {score}.")
    if quality.get("blur_before", 0.0) > BLUR_DOUBTFUL or quality.get("resolution", 1.0) < 24 / _SIDE:
        sentences.append("The photo held so little of this face that much of what is seen now is a guess.")
    return sentences


@lru_cache(maxsize=1)
def natural_faces() -> NaturalSceneModel | None:
    """The statistics of sharp portraits, from ``weights/quality``; None where they are not found."""
    path = find_optional("quality")
    if path is None:
        return None
    values = {key: value.double().numpy() for key, value in load_weights(path / QUALITY_FILE if path.is_dir() else path).items()}
    return NaturalSceneModel(values["mean"], values["covariance"], int(values["patch"]))


def add_scores(restoration: Restoration, heads: list[Reconstruction]) -> None:
    """Tells each head's ``quality`` how well the face it was rebuilt from was restored."""
    faces = {face.index: face for face in restoration.faces}
    for head in heads:
        if head.index in faces:
            quality = faces[head.index].quality
            head.quality |= {f"restored_{key}": quality[key] for key in TOLD if key in quality}


def _identity_crop(image: Image, face: RestoredFace, size: int) -> Image:
    points = transform_points(face.face.points, face.matrix)
    return crop_face(image, points, size, "identity")[0]
