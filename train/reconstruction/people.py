"""Random people, expressions and poses, drawn with anatomical sense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Expressions that go together; each name stands for its Left and Right where it has sides.
PATTERNS: dict[str, dict[str, tuple[float, float]]] = {
    "neutral": {},
    "smile": {"mouthSmile": (0.3, 1.0), "cheekSquint": (0.0, 0.6), "eyeSquint": (0.0, 0.5), "mouthUpperUp": (0.0, 0.4)},
    "laugh": {"mouthSmile": (0.5, 1.0), "jawOpen": (0.15, 0.5), "cheekSquint": (0.3, 0.9), "eyeSquint": (0.2, 0.8),
              "mouthUpperUp": (0.1, 0.5), "mouthLowerDown": (0.0, 0.5)},
    "talk": {"jawOpen": (0.05, 0.35), "mouthFunnel": (0.0, 0.5), "mouthPucker": (0.0, 0.4), "mouthLowerDown": (0.0, 0.5),
             "mouthStretch": (0.0, 0.3)},
    "surprise": {"jawOpen": (0.2, 0.8), "eyeWide": (0.3, 1.0), "browOuterUp": (0.3, 1.0), "browInnerUp": (0.3, 1.0)},
    "anger": {"browDown": (0.4, 1.0), "noseSneer": (0.1, 0.7), "eyeSquint": (0.1, 0.6), "mouthPress": (0.0, 0.7)},
    "sadness": {"browInnerUp": (0.3, 1.0), "mouthFrown": (0.3, 1.0), "mouthShrugLower": (0.0, 0.6)},
    "disgust": {"noseSneer": (0.4, 1.0), "mouthUpperUp": (0.2, 0.8), "browDown": (0.2, 0.7)},
    "pucker": {"mouthPucker": (0.4, 1.0), "mouthFunnel": (0.0, 0.4)},
    "blink": {"eyeBlink": (0.6, 1.0)},
}  # fmt: skip
PATTERN_SHARES = (0.22, 0.22, 0.1, 0.16, 0.07, 0.06, 0.05, 0.03, 0.04, 0.05)


@dataclass(frozen=True)
class Person:
    """Age in years, gender 0 female to 1 male, ancestry (3,), identity (K,) standard deviations."""

    age: float
    gender: float
    ancestry: np.ndarray
    identity: np.ndarray


def sample_person(rng: np.random.Generator, components: int) -> Person:
    """Someone between 0 and 95, of one ancestry or a mixture."""
    age = rng.uniform(0, 18) if rng.random() < 0.25 else rng.uniform(18, 95)
    gender = float(rng.random() < 0.5) if rng.random() < 0.85 else rng.uniform()
    ancestry = rng.dirichlet((0.35, 0.35, 0.35))
    return Person(age, gender, ancestry, rng.standard_normal(components).clip(-2.8, 2.8) * rng.uniform(0.7, 1.1))


def sample_expression(rng: np.random.Generator, labels: tuple[str, ...]) -> np.ndarray:
    """(52,) coefficients: one or two patterns, gaze, and a little of anything."""
    values = np.zeros(len(labels), np.float32)
    index = {name: i for i, name in enumerate(labels)}
    for _ in range(1 if rng.random() < 0.7 else 2):
        pattern = PATTERNS[str(rng.choice(list(PATTERNS), p=PATTERN_SHARES))]
        for name, (low, high) in pattern.items():
            strength = rng.uniform(low, high)
            for side in ("",) if name in index else ("Left", "Right"):
                values[index[name + side]] = max(values[index[name + side]], strength * rng.uniform(0.8, 1.2))
    if rng.random() < 0.6:
        _look(values, index, rng.normal(0, 0.35), rng.normal(0, 0.25))
    if rng.random() < 0.5:
        extra = rng.random(len(labels)) < 0.08
        values[extra] = np.maximum(values[extra], rng.uniform(0, 0.45, int(extra.sum())))
    values[index["mouthClose"]] = min(values[index["mouthClose"]], values[index["jawOpen"]])
    values[index["tongueOut"]] *= values[index["jawOpen"]] > 0.3
    return values.clip(0, 1)


def _look(values: np.ndarray, index: dict[str, int], right: float, up: float) -> None:
    sides = ("eyeLookOutRight", "eyeLookInLeft") if right > 0 else ("eyeLookInRight", "eyeLookOutLeft")
    levels = ("eyeLookUpLeft", "eyeLookUpRight") if up > 0 else ("eyeLookDownLeft", "eyeLookDownRight")
    for name in sides:
        values[index[name]] = min(abs(right), 1)
    for name in levels:
        values[index[name]] = min(abs(up), 1)


def sample_rotation(rng: np.random.Generator, profiles: float = 0.0) -> np.ndarray:
    """Head to camera (3, 3): mostly near-frontal, one in five a strong yaw up to 85 degrees.

    Args:
        rng: random numbers.
        profiles: share of heads that are seen from the side instead, yaw of 50 to 90 degrees.
    """
    if profiles and rng.random() < profiles:
        yaw = rng.choice((-1, 1)) * rng.uniform(50, 90)
    else:
        yaw = np.clip(rng.uniform(-85, 85) if rng.random() < 0.22 else rng.normal(0, 22), -88, 88)
    return euler(np.radians(yaw), np.radians(rng.normal(0, 12)), np.radians(rng.normal(0, 6)))


def euler(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Turn about y, then x, then z, all radians, as one rotation ``Rz Rx Ry`` (3, 3)."""
    (cy, cx, cz), (sy, sx, sz) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y
