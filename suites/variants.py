"""Which settings are measured where nobody asks for others: plain tuples, chosen from by :mod:`suites.choice`.

Imports no torch.
"""

from __future__ import annotations

from bench import Variant

#: Baseline first: everything else on the same device is compared with it. One factor differs from it, or several
#: that are known to go well together.
CPU = (
    Variant.of(),
    Variant.of(layout="channels_last"),
    Variant.of(precision="amp_bf16"),
    Variant.of(backend="compile"),
    Variant.of(onednn=False),
    Variant.of(threads=1),
)
#: Of inference alone, beside those above.
CPU_INFERENCE: tuple[Variant, ...] = ()
CUDA = (Variant.of(device="cuda:0"),)
CUDA_INFERENCE: tuple[Variant, ...] = ()
#: With the input loaded as in a real training: do loaders of their own help, does a faster step wait for them?
CPU_END_TO_END = (Variant.of(), Variant.of(loaders=2))
CUDA_END_TO_END = (
    Variant.of(device="cuda:0"),
    Variant.of(device="cuda:0", loaders=4),
    Variant.of(device="cuda:0", precision="amp_bf16"),
    Variant.of(device="cuda:0", precision="amp_bf16", loaders=4),
)
