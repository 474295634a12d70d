"""Which GPUs CUDA shows a process, read from its environment without asking CUDA.

Once CUDA has been asked, a process can no longer fork workers that use it; and a worker that is not yet there
cannot be asked. The rules are CUDA's own::

    CUDA_VISIBLE_DEVICES   not set            all GPUs
                           2,0                by number, in this order: cuda:0 is GPU 2
                           GPU-5c0d,MIG-9f1e  by the beginning of a UUID, of a MIG instance by its full one
                           0,7,1              the list ends at the first entry that does not exist: only GPU 0
                           "" or -1           none

Numbers are nvidia-smi's where CUDA_DEVICE_ORDER is PCI_BUS_ID, or where all GPUs are of one model; otherwise CUDA
counts the fastest GPU first, and which number is which cannot be told from here.

Source: NVIDIA, CUDA C++ Programming Guide, CUDA Environment Variables; MIG User Guide, Device Enumeration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.records import Gpu


class VisibleGpu(NamedTuple):
    """What a process knows as ``cuda:N``: a whole GPU, or a MIG instance on one."""

    gpu: Gpu
    mig: str | None = None


class Visible(NamedTuple):
    """The visible GPUs. If ``ordered``, entry N is ``cuda:N``; otherwise only the set of them is known."""

    gpus: tuple[VisibleGpu, ...]
    ordered: bool

    def uuid_of(self, device: str) -> str | None:
        """The GPU's UUID for "cuda:N" (or "cuda"); None for what is no such device, or cannot be told."""
        kind, _, number = device.partition(":")
        index = int(number) if number.isdigit() else 0
        if kind != "cuda" or not self.ordered or index >= len(self.gpus):
            return None
        return self.gpus[index].gpu.uuid


def visible_gpus(
    gpus: Sequence[Gpu], environ: Mapping[str, str], parent_of: Callable[[str], str | None] = lambda _: None
) -> Visible:
    """What CUDA will show of these GPUs; ``parent_of`` finds the GPU of a MIG instance by its UUID."""
    counted = environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({gpu.name for gpu in gpus}) <= 1
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return Visible(tuple(VisibleGpu(gpu) for gpu in gpus), counted)
    found: list[VisibleGpu] = []
    for entry in (part.strip() for part in wanted.split(",")):
        if entry.isdigit() and not counted:
            return Visible(tuple(VisibleGpu(gpu) for gpu in gpus), ordered=False)
        match = _find(entry, gpus, parent_of)
        if match is None:
            break
        found.append(match)
    return Visible(tuple(found), ordered=True)


def _find(entry: str, gpus: Sequence[Gpu], parent_of: Callable[[str], str | None]) -> VisibleGpu | None:
    if entry.isdigit():
        return next((VisibleGpu(gpu) for gpu in gpus if gpu.index == int(entry)), None)
    if entry.startswith("MIG-GPU-"):  # drivers before 470: MIG-<UUID of the GPU>/<GPU instance>/<compute instance>
        uuid: str | None = entry.removeprefix("MIG-").partition("/")[0]
    elif entry.startswith("MIG-"):
        uuid = parent_of(entry)
    else:
        matches = [gpu for gpu in gpus if entry.startswith("GPU-") and gpu.uuid.startswith(entry)]
        return VisibleGpu(matches[0]) if len(matches) == 1 else None
    return next((VisibleGpu(gpu, entry) for gpu in gpus if gpu.uuid == uuid), None)
