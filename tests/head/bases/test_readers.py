"""Other head models, read from tiny files made as their makers make them."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
import pytest
from scipy.io import savemat

from facerecon.head.bases import BasisError, load_basis

RNG = np.random.default_rng(0)
V, K, E = 12, 4, 2
TEMPLATE = RNG.normal(0, 0.05, (V, 3))
FACES = np.array([[i, i + 1, i + 2] for i in range(V - 2)])
IDENTITY, EXPRESSION = RNG.normal(0, 0.002, (K, V, 3)), RNG.normal(0, 0.002, (E, V, 3))


def flame_arrays(identity=300, expression=100):
    directions = np.zeros((V, 3, identity + expression))
    directions[..., :K], directions[..., identity : identity + E] = IDENTITY.transpose(1, 2, 0), EXPRESSION.transpose(1, 2, 0)
    return {"v_template": TEMPLATE, "shapedirs": directions, "f": FACES.astype(np.uint32)}


def check(basis, kind, expression=True):
    assert basis.kind == kind
    values, more = RNG.normal(size=K), RNG.normal(size=E) * expression
    wanted = TEMPLATE + np.tensordot(values, IDENTITY, 1) + np.tensordot(more, EXPRESSION, 1)
    identity, moved = np.zeros(len(basis.identity)), np.zeros(len(basis.expression))
    identity[:K] = values
    if expression:
        moved[:E] = more
    assert np.allclose(basis.vertices(identity, moved), wanted, atol=1e-6)
    assert {frozenset(f) for f in basis.faces.tolist()} == {frozenset(f) for f in FACES.tolist()}


def test_flame_npz(tmp_path):
    np.savez(tmp_path / "flame.npz", **flame_arrays(), weights=np.zeros((V, 5)))
    check(load_basis(tmp_path / "flame.npz"), "flame")


def chumpy_module(monkeypatch):
    """A module that pickles as chumpy does; the reader never imports it."""
    module, sub = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x = x

    Ch.__module__, Ch.__qualname__, sub.Ch, module.ch = "chumpy.ch", "Ch", Ch, sub
    monkeypatch.setitem(sys.modules, "chumpy", module)
    monkeypatch.setitem(sys.modules, "chumpy.ch", sub)
    return Ch


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_flame_pickle_with_chumpy_and_sparse_matrices(tmp_path, monkeypatch, protocol):
    from scipy.sparse import csc_matrix

    ch, arrays = chumpy_module(monkeypatch), flame_arrays()
    values = {**arrays, "shapedirs": ch(arrays["shapedirs"]), "J_regressor": csc_matrix(np.eye(3)), "bs_type": "lrotmin"}
    (tmp_path / "generic_model.pkl").write_bytes(pickle.dumps(values, protocol=protocol))
    monkeypatch.undo()
    check(load_basis(tmp_path / "generic_model.pkl"), "flame")
    assert "chumpy" not in sys.modules


def test_a_pickle_that_runs_something_is_refused_before_it_does(tmp_path):
    class Evil:
        def __reduce__(self):
            return eval, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({**flame_arrays(), "x": Evil()}))
    with pytest.raises(BasisError, match="builtins.eval is not an array"):
        load_basis(tmp_path / "evil.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["copyreg.__newobj__", "numpy.testing._private.utils.runstring", "chumpy.os.system"])
def test_what_an_allowed_package_could_lead_to_is_not_called(tmp_path, name):
    module, _, attribute = name.rpartition(".")
    argument = f"touch {tmp_path / 'ran'}"
    code = f"c{module}\n{attribute}\n(V{argument}\ntR.".encode()
    (tmp_path / "evil.pkl").write_bytes(code)
    with pytest.raises(BasisError):
        load_basis(tmp_path / "evil.pkl")
    assert not (tmp_path / "ran").exists()


def test_bfm_2009_in_micrometres_counted_from_one(tmp_path):
    deviations = np.array([3.0, 2.0, 1.0, 0.5])[:, None]
    components = (IDENTITY.reshape(K, -1).T / 1e-6) / deviations.ravel()
    values = {"shapeMU": TEMPLATE.reshape(-1, 1) / 1e-6, "shapePC": components, "shapeEV": deviations, "tl": FACES + 1}
    savemat(tmp_path / "01_MorphableModel.mat", values)
    check(load_basis(tmp_path / "01_MorphableModel.mat"), "bfm", expression=False)


def test_bfm_2017_in_millimetres_with_expressions(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "model2017.h5", "w") as file:
        mean = TEMPLATE.reshape(-1) * 1000
        for part, basis, share in (("shape", IDENTITY, 0.75), ("expression", EXPRESSION, 0.25)):
            file[f"{part}/model/mean"] = mean * share
            file[f"{part}/model/pcaBasis"] = basis.reshape(len(basis), -1).T * 1000 / 2
            file[f"{part}/model/pcaVariance"] = np.full(len(basis), 4.0)
        file["shape/representer/cells"] = FACES.T
    check(load_basis(tmp_path / "model2017.h5"), "bfm")


def test_gnm(tmp_path):
    np.savez(
        tmp_path / "gnm_head.npz", template_vertex_positions=TEMPLATE, vertex_identity_basis=IDENTITY,
        expression_basis=EXPRESSION, triangles=FACES, identity_names=np.array(["head_0"]),
    )  # fmt: skip
    check(load_basis(tmp_path / "gnm_head.npz"), "gnm")


def test_files_that_are_no_head_model_are_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    bad = flame_arrays()
    np.savez(tmp_path / "c.npz", **{**bad, "f": FACES + V})
    (tmp_path / "d.obj").write_text("v 0 0 0")
    for name, words in {"a.npz": "cannot be read", "b.npz": "has no", "c.npz": "do not fit", "d.obj": "is no head", "e.mat": "missing"}.items():
        with pytest.raises(BasisError, match=words):
            load_basis(tmp_path / name)
