"""The whole restoration network: codebook, code transformer, controllable feature transforms, and the cleaner.

After Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup Transformer", NeurIPS 2022. One
addition: the photo first goes through the :class:`Cleaner`, as in DiffBIR (Lin et al., ECCV 2024). Codes are read from
what it gives back, and the fidelity weight also mixes the two faces, so that at full fidelity nothing is invented.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facerecon.restoration.autoencoder import Decoder, Encoder, feature_transforms
from facerecon.restoration.cleaner import Cleaner
from facerecon.restoration.code_transformer import CodeTransformer
from facerecon.restoration.codebook import Codebook
from facerecon.restoration.conditioning import CONDITION_SIZE
from facerecon.restoration.configuration import RestorationConfig

GUIDANCE = 2.0


class CodeFormer(nn.Module):
    """Degraded crop and fidelity weight to restored crop."""

    def __init__(self, config: RestorationConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.codebook = Codebook(config.codebook_size, config.code_dim)
        self.transformer = CodeTransformer(config)
        self.transforms = feature_transforms(config)
        self.cleaner = Cleaner(config)

    def predict_codes(self, cleaned: Tensor, condition: Tensor | None = None) -> tuple[list[Tensor], Tensor]:
        """(B, 3, S, S), the cleaner's, to encoder features and logits (B, grid * grid, codebook_size).

        ``condition`` (B, CONDITION_SIZE) is what is stated of the people, see ``conditioning``. What it changes is
        exaggerated ``GUIDANCE`` times, as in Ho and Salimans, "Classifier-free Diffusion Guidance", 2022.
        """
        features, _ = self.encoder(cleaned.clamp(0, 1).to(self.dtype))
        nobody = cleaned.new_zeros(len(cleaned), CONDITION_SIZE)
        logits = self.transformer(features[-1], nobody)
        if condition is None:
            return features, logits
        return features, torch.lerp(logits, self.transformer(features[-1], condition), GUIDANCE)

    def code_map(self, logits: Tensor, soft: bool = False) -> Tensor:
        """Logits (B, N, K) to code features (B, code_dim, grid, grid); ``soft`` averages, which has a gradient."""
        if soft:
            codes = F.softmax(logits, -1) @ self.codebook.codes.to(logits.dtype)
        else:
            codes = self.codebook.lookup(logits.argmax(-1)).to(logits.dtype)
        g = self.config.grid
        return codes.transpose(1, 2).reshape(len(codes), -1, g, g)

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights and activations."""
        return self.encoder.stem.weight.dtype

    def decode(self, features: list[Tensor], codes: Tensor, w: Tensor) -> Tensor:
        """Code features (B, code_dim, grid, grid) steered by encoder features to the extent ``w`` (B, 1, 1, 1), (B, 3, S, S)."""
        return self.decoder(codes, self.transforms, features, w)

    def generate(self, cleaned: Tensor, w: Tensor, condition: Tensor | None = None) -> Tensor:
        """The face that the codes of the cleaner's (B, 3, S, S) stand for, steered to the extent ``w`` (B, 1, 1, 1), float32."""
        features, logits = self.predict_codes(cleaned, condition)
        return self.decode(features, self.code_map(logits), w.to(self.dtype)).float()

    def forward(self, image: Tensor, fidelity: Tensor | float = 0.7, condition: Tensor | None = None) -> Tensor:
        """Restores.

        Args:
            image: (B, 3, S, S) in [0, 1], best in float32 whatever the network's dtype.
            fidelity: 0 generates from codes alone, 1 keeps to the pixels; a number or (B,).
            condition: (B, CONDITION_SIZE), see :meth:`predict_codes`.

        Returns:
            (B, 3, S, S) float32, not clamped.
        """
        w = torch.as_tensor(fidelity, dtype=torch.float32, device=image.device).expand(len(image)).view(-1, 1, 1, 1)
        cleaned = self.cleaner.coarse_to_fine(image)
        return torch.lerp(self.generate(cleaned, w, condition), cleaned, w)
