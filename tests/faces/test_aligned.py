"""Crops that are aligned already."""

import numpy as np
import pytest

from facerecon.faces.align import template_points
from facerecon.faces.detect import create_detector


@pytest.mark.parametrize("shape", [(128, 128), (128, 160), (512, 512)])
def test_the_face_lies_where_ffhq_has_it(shape):
    faces = create_detector("aligned").detect(np.zeros((*shape, 3), np.uint8))
    side = min(shape)
    assert len(faces) == 1
    assert np.allclose(faces[0].points, template_points(side, "ffhq") + ((shape[1] - side) / 2, (shape[0] - side) / 2), atol=0.01)
    x0, y0, x1, y1 = faces[0].box
    assert (faces[0].points > (x0, y0)).all() and (faces[0].points < (x1, y1)).all()
