"""Static quantisation to 8-bit integers, by ONNX Runtime's tools, for ONNX Runtime and OpenVINO.

Weights become int8 with a scale for each output channel, activations uint8 with a scale and a zero point from the
least and the greatest value seen. In the graph stand pairs of quantise and dequantise nodes; a runtime fuses what lies
between them into integer operations, or does not: its backend looks.

Source: onnxruntime.ai/docs/performance/model-optimizations/quantization. The signs are not a matter of taste: with int8
activations ONNX Runtime leaves half of ResNet-18's convolutions in float32 on x86, with uint8 weights OpenVINO all.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import Proof, UsageError
from suites.backends.kept import kept
from suites.backends.onnx_export import INPUT
from suites.backends.runtimes import find_runtime
from suites.data import Split, rotation

#: Ranges of activations are settled after a few hundred images; the last batch may bring a few more than these.
CALIBRATION_IMAGES = 256


def quantised(model: bytes, calibration: Split, batch: int, extra: str) -> tuple[bytes, Proof]:
    """An ONNX model quantised, and evidence of how many images its scales were chosen by.

    ``calibration`` are images that are not measured, ``batch`` is the size of batches that the model takes.

    Raises:
        UnavailableError: a package of Joulemark's ``extra`` is missing.
        UsageError: the quantiser does not understand the model.
    """
    tools = find_runtime("onnxruntime.quantization", extra)
    reader = _Reader(calibration, batch)
    data = kept("quantised.onnx", lambda: _quantise(model, reader, tools, extra))
    images = int(kept("calibration_images", lambda: str(reader.images).encode()))
    return data, calibration_proof(images, len(calibration))


def _quantise(model: bytes, reader: _Reader, tools: Any, extra: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, prepared, target = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "quantised"))
        given.write_bytes(model)
        try:
            find_runtime("onnxruntime.quantization.shape_inference", extra).quant_pre_process(
                given, prepared, skip_symbolic_shape=True
            )
            tools.quantize_static(
                prepared,
                target,
                reader,
                quant_format=tools.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=not adds_pairs_without_overflow(),
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                calibrate_method=tools.CalibrationMethod.MinMax,
            )
        except Exception as error:  # the tools raise what they meet
            reason = " ".join(str(error).split())[:200]
            msg = f"the model cannot be quantised ({type(error).__name__}: {reason}); use precision fp32"
            raise UsageError(msg) from error
        return target.read_bytes()


def calibration_proof(images: int, available: int) -> Proof:
    """Whether the scales were chosen by as many images as they should be: all that are there, if those are fewer."""
    wanted = min(CALIBRATION_IMAGES, available)
    enough = f"at least {wanted}"
    return Proof("calibration images", enough, enough if images >= wanted else str(images))


def adds_pairs_without_overflow(cpu_facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies 8-bit integers into 32 bits at once (VNNI).

    Others add pairs of products in 16 bits, which overflow unless weights keep to 7 bits. False where nothing is known.
    """
    try:
        return "vnni" in cpu_facts.read_text(encoding="utf-8")
    except OSError:
        return False


class _Reader:
    """Hands the calibration's batches to the quantiser, and counts the images that it took."""

    def __init__(self, calibration: Split, batch: int) -> None:
        batches = rotation(calibration, batch, count=-(-CALIBRATION_IMAGES // batch))
        self._batches: Iterator[Any] = iter([each.images.numpy() for each in batches])
        self.images = 0

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        self.images += len(batch)
        return {INPUT: batch}


@contextmanager
def _quiet() -> Iterator[None]:
    """The tools advise, through the root logger, the preparation that is done here."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
