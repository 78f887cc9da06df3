"""Names of the head model's parameters."""

from __future__ import annotations

JOINTS = ("neck", "head", "left_eye", "right_eye")
"""Blend-skinning joints; each but the first hangs on an earlier one (``JOINT_PARENTS``)."""

JOINT_PARENTS = (-1, 0, 1, 1)

ARKIT_EXPRESSIONS = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)
"""Apple ARKit's 52 blend shapes, in Apple's order. Left and right are the head's own."""


def identity_labels(count: int) -> tuple[str, ...]:
    """Names of the identity components, the one of largest variance first."""
    return tuple(f"identity_{i:03d}" for i in range(count))
