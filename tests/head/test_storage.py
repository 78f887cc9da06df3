"""What is packed comes back, as exactly as it is needed."""

import numpy as np
import torch

from facerecon.head import storage


def test_large_modes_are_exact_to_float16_and_small_ones_to_a_share_of_themselves():
    torch.manual_seed(0)
    modes = torch.randn(storage.LARGEST_MODES + 5, 300) * torch.rand(300)  # mm
    modes[-1] = 0
    packed = storage.pack_modes(modes)
    back = storage.unpack_modes(*(packed[name] for name in ("basis", "fine", "fine_scale"))) * 1000
    exact = storage.LARGEST_MODES
    torch.testing.assert_close(back[:exact], modes[:exact], rtol=1e-3, atol=1e-4)
    largest = modes[exact:].abs().amax(1, keepdim=True)
    allowed = (modes[exact:].abs() * largest).sqrt() / 127 + largest / 127**2
    assert ((back[exact:] - modes[exact:]).abs() <= allowed + 1e-6).all()
    assert packed["fine"].element_size() == 1


def test_only_the_points_that_move_are_stored():
    displacements = np.zeros((2, 10, 3), np.float32)
    displacements[0, 3], displacements[1, 7] = (1, 0, 0), (0, 0.001, 0)  # mm; the second is too little
    packed = storage.pack_sparse(displacements)
    assert packed["points"].tolist() == [3]
    dense = storage.unpack_sparse(packed["points"], packed["starts"], packed["values"], 10).view(2, 10, 3)
    assert dense[0, 3].tolist() == [torch.tensor(0.001).item(), 0, 0] and not dense[1].any()


def test_masks_come_back():
    masks = np.random.default_rng(0).random((3, 21)) > 0.5
    assert np.array_equal(storage.unpack_masks(storage.pack_masks(masks), 21).numpy(), masks)
