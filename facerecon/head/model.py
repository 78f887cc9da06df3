"""The morphable head: demographics, identity, expression and pose to vertices."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import torch
from torch import Tensor, nn

from facerecon.checkpoints import find_checkpoint
from facerecon.demographics import ANCESTRIES
from facerecon.head import demographics as demography
from facerecon.head import landmarks as landmarking
from facerecon.head import storage
from facerecon.head.eyelids import Eyelids
from facerecon.head.labels import JOINT_PARENTS, JOINTS
from facerecon.head.labels import identity_labels as name_identity
from facerecon.head.skinning import blend_skinning
from facerecon.types import Demographics, HeadParameters

FILE_NAME = "head.safetensors"


class HeadModel(nn.Module):
    """An open linear head model on the topology of the CC0 MakeHuman head.

    Metres, y up, z out of the face, x to the head's own left; the origin lies
    midway between the eyeballs' centres in the mean of every demographic.

    Attributes:
        faces: (F, 3) int64 triangles, counter-clockwise from outside.
        uv: (T, 2) the packed texture atlas, origin at the lower left; ``uv_faces`` (F, 3).
        uv_makehuman: (T2, 2) MakeHuman's own UV, which the CC0 skins fit, with ``uv_makehuman_faces``
            (F, 3); zero on eyes and teeth, whose meshes are not the base mesh's.
        face_materials: (F,) int64 index into ``material_labels``.
        identity_labels, expression_labels, ancestry_labels, joint_labels: names of the parameters.
        identity_std_mm: (K,) root mean square displacement of the face by one standard deviation, mm.
    """

    def __init__(self, tensors: dict[str, Tensor], description: dict) -> None:
        """Unpacks what ``storage.read`` gives; see ``from_pretrained``."""
        super().__init__()
        self.expression_labels: tuple[str, ...] = tuple(description["expression_labels"])
        self.mask_labels: tuple[str, ...] = tuple(description["mask_labels"])
        self.material_labels: tuple[str, ...] = tuple(description["material_labels"])
        self.ancestry_labels = ANCESTRIES
        self.joint_labels = JOINTS
        self.vertex_count = int(tensors["template"].shape[0]) - len(JOINTS)
        points = self.vertex_count + len(JOINTS)
        demographic = tensors["demographic_basis"].float() * storage.MILLIMETRE
        identity = storage.unpack_modes(*(tensors[f"identity_{part}"] for part in ("basis", "fine", "fine_scale")))
        expression = storage.unpack_sparse(
            tensors["expression_points"], tensors["expression_starts"], tensors["expression_values"], points
        )
        self.identity_labels = name_identity(len(identity))
        self.register_buffer("template", tensors["template"].float().flatten())
        self.register_buffer("shape_basis", torch.cat((demographic, identity)))
        self.register_buffer("expression_basis", expression)
        self.register_buffer("mean_coefficients", tensors["mean_coefficients"].float())
        self.register_buffer("identity_scale", tensors["identity_scale"].float())
        self.register_buffer("expression_scale", tensors["expression_scale"].float())
        self.register_buffer("identity_std_mm", tensors["identity_std_mm"].float())
        self.register_buffer("age_table", tensors["age_table"].float())
        self.register_buffer("skin_weights", tensors["skin_weights"].float())
        for name in ("faces", "uv_faces", "uv_makehuman_faces", "face_materials"):
            self.register_buffer(name, tensors[name].long() & 0xFFFF)
        for name in ("uv", "uv_makehuman"):
            self.register_buffer(name, (tensors[name].long() & 0xFFFF).float() / 65535.0)
        self.register_buffer("mask_table", storage.unpack_masks(tensors["masks"], self.vertex_count))
        for name in ("landmark_triangles", "contour_triangles"):
            self.register_buffer(name, tensors[name].long() & 0xFFFF)
        for name in ("landmark_barycentric", "contour_barycentric", "contour_yaw"):
            self.register_buffer(name, tensors[name].float())
        lids = {name.removeprefix("lid_"): tensor for name, tensor in tensors.items() if name.startswith("lid_")}
        self._blinks = [self.expression_labels.index(f"eyeBlink{side}") for side in ("Left", "Right")]
        eyeballs = [self._block(f"{side}_eyeball") for side in ("left", "right")]
        self.eyelids = Eyelids(lids, eyeballs, expression[self._blinks].unflatten(1, (-1, 3)))

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> "HeadModel":
        """Loads the shipped head, or another file or folder of the same format.

        Raises:
            CheckpointError: when no path is given and the shipped head is nowhere to be found.
            HeadModelError: when there is no such file or it is not a head.
        """
        place = Path(path) if path is not None else find_checkpoint("head")
        return cls(*storage.read(place / FILE_NAME if place.suffix != ".safetensors" else place))

    def _block(self, mask: str) -> slice:
        """The run of vertices that a mask of one whole part covers."""
        index = self.mask_table[self.mask_labels.index(mask)].nonzero()[:, 0]
        return slice(int(index[0]), int(index[-1]) + 1)

    @property
    def masks(self) -> dict[str, Tensor]:
        """Region masks by name, each (V,) bool."""
        return dict(zip(self.mask_labels, self.mask_table))

    def encode_demographics(self, age: Tensor, gender: Tensor, ancestry: Tensor) -> Tensor:
        """Weights (B, D) of age (B,) years, gender (B,) 0 female to 1 male, ancestry (B, 3) summing to one."""
        return demography.encode(age, gender, ancestry, self.age_table)

    def demographic_weights(self, people: Sequence[Demographics]) -> Tensor:
        """Weights (B, D) of described people; what is unknown becomes the average adult."""
        numbers = (number.to(self.template) for number in demography.describe(people))
        return self.encode_demographics(*numbers)

    def mean_weights(self, parameters: HeadParameters) -> Tensor:
        """Weights (1, D) under which a reconstruction was made: its own, or those of the person it describes."""
        if parameters.mean_weights is None:
            return self.demographic_weights([parameters.demographics])
        return torch.as_tensor(parameters.mean_weights).to(self.template)[None]

    def vertices(
        self,
        identity: Tensor | None = None,
        expression: Tensor | None = None,
        demographics: Tensor | None = None,
        pose: Tensor | None = None,
    ) -> Tensor:
        """Vertices of a batch of heads; what is left out is average, neutral or at rest.

        Args:
            identity: (B, K) standard deviations.
            expression: (B, 52) in [0, 1], order of ``expression_labels``.
            demographics: (B, D) from ``encode_demographics`` or ``demographic_weights``.
            pose: (B, J, 3) axis-angle radians, order of ``joint_labels``.

        Returns:
            (B, V, 3) metres.
        """
        points = self._points(identity, expression, demographics, pose)
        vertices, joints = points[:, : self.vertex_count], points[:, self.vertex_count :]
        if pose is None:
            return vertices
        return blend_skinning(vertices, joints, pose, self.skin_weights, JOINT_PARENTS)[0]

    def joints(self, identity: Tensor | None = None, demographics: Tensor | None = None) -> Tensor:
        """Joints (B, J, 3) at rest, metres, arguments as for ``vertices``."""
        return self._points(identity, None, demographics, None)[:, self.vertex_count :]

    def _points(self, identity, expression, demographics, pose) -> Tensor:
        """Vertices and joints at rest, (B, V + J, 3)."""
        given = next((x for x in (identity, expression, demographics, pose) if x is not None), None)
        batch = 1 if given is None else len(given)
        if demographics is None:
            demographics = self.demographic_weights([Demographics()])
        demographics = demographics.expand(batch, -1)
        shape = [demographics @ self.mean_coefficients]
        if identity is None:
            shape.append(self.template.new_zeros(batch, len(self.identity_labels)))
        else:
            shape.append(identity * (demographics @ self.identity_scale)[:, None])
        neutral = torch.addmm(self.template, torch.cat(shape, dim=1), self.shape_basis)
        if expression is None:
            return self.eyelids.settle(neutral.unflatten(1, (-1, 3)))
        scaled = expression * (demographics @ self.expression_scale)[:, None]
        moved = torch.addmm(neutral, scaled, self.expression_basis).unflatten(1, (-1, 3))
        blinks = (expression[:, self._blinks], scaled[:, self._blinks])
        return self.eyelids.settle(self.eyelids.fit_blink(neutral.unflatten(1, (-1, 3)), moved, *blinks))

    def landmarks(self, vertices: Tensor, yaw: Tensor | None = None) -> Tensor:
        """The 68 iBUG landmarks.

        Args:
            vertices: (B, V, 3) in the head's frame.
            yaw: (B,) radians, positive when the face turns to the head's own left (a right-handed turn
                about y); slides the contour. Without it the contour is that of a frontal photo.

        Returns:
            (B, 68, 3); landmark 0 lies on the head's right jaw.
        """
        points = landmarking.surface_points(vertices, self.landmark_triangles, self.landmark_barycentric)
        if yaw is None:
            return points
        contour = landmarking.slide_contour(
            vertices, yaw, self.contour_triangles, self.contour_barycentric, self.contour_yaw
        )
        return torch.cat((contour, points[:, landmarking.CONTOUR :]), dim=1)
