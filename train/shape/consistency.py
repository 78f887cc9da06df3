"""Demographic consistency: whatever says so, a face's shape should look as old, as male and of such ancestry as the person is.

The mapping network may answer with the right age and gender and undo both with its identity, and no
photo tells, as its true shape is unknown. So age, gender and ancestry are read from the shape of a face alone:
linearly, like the attribute vectors of Blanz and Vetter, "A morphable model for the synthesis of 3D faces",
SIGGRAPH 1999, fitted to people drawn from the head model.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from facerecon.reconstruction.metric_shape import ShapeCode
from train.reconstruction.people import sample_person
from train.shape.space import ShapeSpace

PEOPLE = 8000
NOISE_MM = 0.15  # of each place, 1.6 mm of a face: what is too small to be seen in a photo is no evidence
IDENTITY_STD = 0.9  # of drawn people


class ShapeReader:
    """Reads age, gender and ancestry from shapes; differentiable.

    Args:
        space: of the head model's shapes.
        seed: of the people drawn.
        people: how many.
    """

    def __init__(self, space: ShapeSpace, seed: int = 0, people: int = PEOPLE) -> None:
        self.space = space
        code = draw_people(people, len(space.head.identity_labels), seed, space.metric.device)
        places, traits = places_of(space, code), traits_of(code)
        self.middle, self.mean = places.mean(0), traits.mean(0)
        centred = places - self.middle
        noise = NOISE_MM**2 * people * torch.eye(places.shape[1], device=places.device)
        self.matrix = torch.linalg.solve(centred.T @ centred + noise, centred.T @ (traits - self.mean))
        self.spread = (traits - self(code)).std(0)

    def __call__(self, code: ShapeCode) -> Tensor:
        """(B, 5) age in years, gender 0 female to 1 male, and three ancestries that whole shapes, mean and identity together, look like."""
        return (places_of(self.space, code) - self.middle) @ self.matrix + self.mean

    def consistency(self, code: ShapeCode, like: ShapeCode) -> Tensor:
        """(B,) how differently two shapes read, squared, in units of what reading cannot tell; gradients go to ``code`` alone."""
        with torch.no_grad():
            wanted = self(like)
        return ((self(code) - wanted) / self.spread).square().mean(1)


def places_of(space: ShapeSpace, code: ShapeCode) -> Tensor:
    """(B, D + K) of shapes, mm, whose distances are those of faces."""
    return space.coordinates(code) @ space.metric


def traits_of(code: ShapeCode) -> Tensor:
    """Age, gender and ancestry side by side, (B, 5)."""
    return torch.cat((code.age[:, None], code.gender[:, None], code.ancestry), dim=1)


def draw_people(count: int, identity: int, seed: int, device: torch.device | str = "cpu") -> ShapeCode:
    """Random people, as those who are rendered."""
    rng = np.random.default_rng((17, seed))
    people = [sample_person(rng, identity) for _ in range(count)]
    columns = ([getattr(person, name) for person in people] for name in ("identity", "age", "gender", "ancestry"))
    return ShapeCode(*(torch.from_numpy(np.asarray(column, np.float32)).to(device) for column in columns))


def others_like(code: ShapeCode) -> ShapeCode:
    """Somebody else of each one's age, gender and ancestry. What is read from such people is, on average, what should be
    read from these: shapes of real women are not all those of women beyond doubt."""
    return ShapeCode(IDENTITY_STD * torch.randn_like(code.identity), code.age, code.gender, code.ancestry)
