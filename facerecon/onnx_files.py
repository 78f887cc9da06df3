"""Networks as ONNX files, and sessions of onnxruntime that run them; both packages are optional."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from facerecon.images import atomic_write
from facerecon.types import FaceReconError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OPSET = 18


def write_onnx(network: nn.Module, example: tuple[Any, ...], path: str | Path, **names: Any) -> Path:
    """Writes a network as one ONNX file, whole or not at all.

    Args:
        network: in float32 on the CPU.
        example: inputs to trace it with.
        names: ``input_names``, ``output_names`` and perhaps ``dynamic_axes`` of ``torch.onnx.export``.

    Raises:
        FaceReconError: onnx is not installed.
    """
    _need("onnx")
    path = Path(path)
    with atomic_write(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, on shapes that are fixed or that it follows all the same
        torch.onnx.export(network.eval(), example, str(part), dynamo=False, opset_version=OPSET, **names)
    return path


def open_session(path: str | Path, inputs: list[str], what: str) -> InferenceSession:
    """A session on the CPU with as many threads as torch has.

    Args:
        path: the ONNX file.
        inputs: names that its inputs must have.
        what: the network that is expected, for errors.

    Raises:
        FaceReconError: onnxruntime is not installed, or the file is no such network.
    """
    _need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FaceReconError(f"{Path(path).name} cannot be run by onnxruntime: {error}") from error
    if [i.name for i in session.get_inputs()] != inputs:
        raise FaceReconError(f"{Path(path).name} is no {what}.")
    return session


def _need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise FaceReconError(f"This needs {package}: pip install onnx onnxruntime.")
