"""The whole restoration network: codebook, code transformer, controllable feature transforms.

After Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup
Transformer", NeurIPS 2022. One addition: at full fidelity the answer is the
input plus a correction, which the same decoder features predict, so that a photo
which was already good is left as it was; below, the two answers are mixed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.autoencoder import Decoder, Encoder, feature_transforms
from facerecon.restoration.blocks import conv3
from facerecon.restoration.code_transformer import CodeTransformer
from facerecon.restoration.codebook import Codebook
from facerecon.restoration.configuration import RestorationConfig


class CodeFormer(nn.Module):
    """Degraded crop and fidelity weight to restored crop."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.codebook = Codebook(config.codebook_size, config.code_dim)
        self.transformer = CodeTransformer(config)
        self.transforms = feature_transforms(config)
        self.to_correction = conv3(config.channels[0], 3 * config.patch**2)
        nn.init.zeros_(self.to_correction.weight)
        nn.init.zeros_(self.to_correction.bias)

    def predict_codes(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        """(B, 3, S, S) to encoder features and logits (B, grid * grid, codebook_size)."""
        features, _ = self.encoder(image.to(self.to_correction.weight.dtype))
        return features, self.transformer(features[-1])

    def code_map(self, logits: Tensor, soft: bool = False) -> Tensor:
        """Logits (B, N, K) to code features (B, code_dim, grid, grid); ``soft`` averages, which has a gradient."""
        if soft:
            codes = F.softmax(logits, -1) @ self.codebook.codes.to(logits.dtype)
        else:
            codes = self.codebook.lookup(logits.argmax(-1)).to(logits.dtype)
        g = self.config.grid
        return codes.transpose(1, 2).reshape(len(codes), -1, g, g)

    def decode(self, image: Tensor, features: list[Tensor], codes: Tensor, w: Tensor) -> Tensor:
        """Code features steered by encoder features, mixed with the corrected input by ``w``, (B, 3, S, S)."""
        generated, last = self.decoder(codes, self.transforms, features, w)
        correction = F.pixel_shuffle(self.to_correction(F.silu(last)), self.config.patch)
        # In float32: bfloat16 has no more than 8 bits between one half and one, which would cost whole grey levels.
        faithful = image.float() + correction.float()
        return torch.lerp(generated.float(), faithful, w.float())

    def forward(self, image: Tensor, fidelity: Tensor | float = 0.7) -> Tensor:
        """Restores.

        Args:
            image: (B, 3, S, S) in [0, 1], best in float32 whatever the network's dtype.
            fidelity: 0 generates from codes alone, 1 keeps to the pixels; a number or (B,).

        Returns:
            (B, 3, S, S) float32, not clamped.
        """
        dtype = self.to_correction.weight.dtype
        w = torch.as_tensor(fidelity, dtype=dtype, device=image.device).expand(len(image)).view(-1, 1, 1, 1)
        features, logits = self.predict_codes(image)
        return self.decode(image, features, self.code_map(logits), w)
