"""Nsight Systems: a capture of exactly one case, and what it says, added to the run.

::

    joulemark nsys CASE        nsys profile pytest ... -> run.json + CASE.nsys-rep -> export -> read -> run.json
    joulemark nsys --import    a capture made elsewhere  ----------------------------> export -> read -> run.json

Debian's package captures, but its nsys does not find the importer that comes with it, and leaves a .qdstrm: then the
importer is called here.

Source: NVIDIA, Nsight Systems User Guide, command line options of ``nsys profile`` and ``nsys export``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from bench import storage
from bench.capture import read
from bench.errors import MeasurementError, UnavailableError, UsageError
from bench.instruments import nvml
from bench.records import Capture, Run

INSTALL = (
    "install it: on Debian apt install nsight-systems (component non-free), elsewhere from "
    "developer.nvidia.com/nsight-systems"
)
_OLDEST = (2022, 1)
_LIMIT_S = 1800.0
#: Where packages put it without a link on the path.
_PLACES = ("/opt/nvidia/nsight-systems", "/usr/lib/nsight-systems", "/usr/local/cuda")
#: What nsys writes: a report, or what is still to be imported into one.
_ENDINGS = (".nsys-rep", ".qdstrm")
#: A capture of a few rounds in one process; what the user gives comes later, and wins.
_QUICK = ("--bench-waves=1", "--bench-rounds=3", "--bench-power=off", "--bench-start=spawn")


class Done(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    text: str


Execute = Callable[[Sequence[str], Mapping[str, str] | None, bool], Done]


def execute(command: Sequence[str], environ: Mapping[str, str] | None = None, shown: bool = False) -> Done:
    """Run a command to its end; ``shown``: its output goes to the user instead of being kept."""
    try:
        done = subprocess.run(
            list(command),
            env=None if environ is None else dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Done(127, str(error))
    return Done(done.returncode, done.stdout or "")


@dataclass(frozen=True)
class Nsys:
    """The command, and the importer that belongs to it where nsys would not find it itself."""

    path: str
    importer: str | None = None
    execute: Execute = execute

    def version(self) -> str | None:
        """Like "2022.4.2.1"; None where it does not say."""
        words = self.execute([self.path, "--version"], None, False).text.split()
        return next((word.partition("-")[0] for word in words if word[:1].isdigit() and "." in word), None)

    def check(self) -> None:
        """Refuse a version that lacks what is needed.

        Raises:
            UnavailableError: it does not run, or is too old.
        """
        version = self.version()
        if version is None:
            msg = f"{self.path} does not run"
            raise UnavailableError(msg, INSTALL)
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if numbers < _OLDEST:
            reason = f"Nsight Systems {version} is older than {_OLDEST[0]}.{_OLDEST[1]}"
            raise UnavailableError(reason, f"get a newer one; {INSTALL}")

    def profile(
        self,
        command: Sequence[str],
        stem: Path,
        options: Sequence[str],
        environ: Mapping[str, str] | None = None,
        *,
        shown: bool = True,
    ) -> Done:
        """Run a command under the profiler; ``stem`` is the file to be written, without its ending.

        ``options`` come instead of those of the same name here.
        """
        ours = ("--sample=none", "--cpuctxsw=none", "--force-overwrite=true", f"--output={stem}")
        given = {option.partition("=")[0] for option in options}
        kept = [option for option in ours if option.partition("=")[0] not in given]
        return self.execute([self.path, "profile", *kept, *options, *command], environ, shown)

    def report(self, stem: Path) -> Path:
        """The finished report of a capture, imported first where that was left undone.

        Raises:
            MeasurementError: nothing was written, or what was written cannot be imported.
        """
        report, raw = (stem.with_name(stem.name + ending) for ending in _ENDINGS)
        if report.is_file():
            return report
        if not raw.is_file():
            msg = f"nsys wrote no {report.name}; look at what it said above, and at the space left on the disk"
            raise MeasurementError(msg)
        if self.importer is None:
            msg = f"{raw.name} cannot be imported: QdstrmImporter is not there; take it to a machine that has nsys-ui"
            raise MeasurementError(msg)
        done = self.execute([self.importer, "-i", str(raw), "-o", str(report)], None, False)
        if not report.is_file():
            msg = f"{self.importer} made no report of {raw.name} ({_last(done.text)}); open {raw.name} with nsys-ui"
            raise MeasurementError(msg)
        raw.unlink()  # the report holds all of it, in a fraction of the space
        return report

    def export(self, report: Path, database: Path) -> None:
        """Write the SQLite form of a report.

        Raises:
            MeasurementError: nsys could not.
        """
        command = [self.path, "export", "--type=sqlite", "--force-overwrite=true", f"--output={database}", str(report)]
        done = self.execute(command, None, False)
        if not database.is_file():
            msg = f"nsys could not export {report} ({_last(done.text)}); is it from a newer version of nsys?"
            raise MeasurementError(msg)


def find_nsys(which: Callable[[str], str | None] = shutil.which, places: Sequence[str] = _PLACES) -> Nsys:
    """The installed Nsight Systems.

    Raises:
        UnavailableError: there is none.
    """
    path = which("nsys") or _newest(places, "nsys")
    if path is None:
        reason = "Nsight Systems is not installed (no nsys)"
        raise UnavailableError(reason, INSTALL)
    beside = [*map(str, Path(path).resolve().parents[:2]), str(Path(path).parent.parent / "lib/nsight-systems")]
    return Nsys(path, _newest([*beside, *places], "QdstrmImporter"))


def _newest(places: Sequence[str], name: str) -> str | None:
    """The command in the first of these folders that has it, not too deep; of several versions the last by name."""
    for place in places:
        found = sorted(
            file
            for depth in ("", "*/", "*/*/")
            for file in Path(place).glob(f"{depth}{name}")
            if os.access(file, os.X_OK)
        )
        if found and found[-1].is_file():
            return str(found[-1])
    return None


def traces_here(gpus: int) -> tuple[str, ...]:
    """What can be traced: without a GPU, the ranges and the operating system's calls alone."""
    return ("cuda", "nvtx", "cudnn", "cublas", "osrt") if gpus else ("nvtx", "osrt")


def capture_case(
    case: str,
    options: Sequence[str],
    nsys: Nsys,
    *,
    nsys_options: Sequence[str] = (),
    pytest: Sequence[str] = (sys.executable, "-m", "joulemark", "run"),
    gpus: int | None = None,
) -> Path:
    """Measure one case under the profiler, and add what the capture says to its run; the run's path.

    ``options`` are those of ``joulemark run``: paths of suites first, then pytest's.

    Raises:
        UsageError: workers would be forked, which the profiler does not follow.
        UnavailableError: nsys is too old.
        MeasurementError: nothing was measured, or the capture cannot be used; the run, if there is one, stands.
    """
    if any("fork_server" in option for option in options):
        msg = "nsys does not see forked workers: use --bench-start=spawn (the default here) or in_process"
        raise UsageError(msg)
    nsys.check()
    paths = list(takewhile(lambda option: not option.startswith("-"), options))
    traces = traces_here(len(nvml.listing().gpus) if gpus is None else gpus)
    with tempfile.TemporaryDirectory(prefix="joulemark-nsys-") as folder:
        told, stem = Path(folder) / "run", Path(folder) / "capture"
        measure = ["-p", "bench.announce", f"--bench-case={case}", *_QUICK, *options[len(paths) :]]
        chosen = next((option for option in nsys_options if option.startswith("--trace=")), None)
        given = [f"--trace={','.join(traces)}"] if chosen is None else []
        traced = traces if chosen is None else chosen.partition("=")[2].split(",")
        if "cuda" in traced and not any(option.startswith("--cuda-graph-trace") for option in nsys_options):
            given.append("--cuda-graph-trace=node")  # without it a graph is one stretch, and its inside is not seen
        environ = {**os.environ, "JOULEMARK_SAVED_TO": str(told)}
        done = nsys.profile([*pytest, *paths, *measure], stem, [*given, *nsys_options], environ)
        if not told.is_file():
            msg = f"{case} was not measured (nsys ended with {done.status}); what pytest said stands above"
            raise MeasurementError(msg)
        run_path = Path(told.read_text(encoding="utf-8"))
        kept = run_path.with_name(_file_name(case))
        for ending in _ENDINGS:  # beside the run first: what cannot be imported here may be elsewhere
            if stem.with_name(stem.name + ending).is_file():
                shutil.move(stem.with_name(stem.name + ending), kept.with_name(kept.name + ending))
    add_capture(nsys.report(kept), run_path, nsys)
    return run_path


#: Pushes ranges for two seconds, as a worker does, and nothing else.
_PROBE = """import time
from bench.instruments.nvtx import NvtxTracer
tracer = NvtxTracer()
end = time.monotonic() + 2.0
with tracer.nested(["probe", "outer"]):
    while time.monotonic() < end:
        with tracer.span("inner"):
            time.sleep(0.1)
"""


def probe(nsys: Nsys) -> Capture:
    """What nsys shows of a process that pushes ranges for two seconds: the proof that it and nvtx get on.

    Raises:
        NoRangesError: it shows none of them, and says nothing.
        MeasurementError: it cannot capture, import or export.
    """
    with tempfile.TemporaryDirectory(prefix="joulemark-nsys-") as folder:
        stem, database = Path(folder) / "probe", Path(folder) / "probe.sqlite"
        nsys.profile([sys.executable, "-c", _PROBE], stem, ["--trace=nvtx"], shown=False)
        nsys.export(nsys.report(stem), database)
        return read(database)


def add_capture(file: Path, place: Path | None, nsys: Nsys | None) -> tuple[Run, Path]:
    """Read a capture and save it with the run in ``place``, by default the one beside the file.

    Raises:
        StorageError: the run or the capture cannot be read.
        UsageError: the capture is of another run.
        MeasurementError: the capture shows nothing of ours, or nsys cannot export it.
        UnavailableError: the capture must be exported first, and there is no nsys.
    """
    capture = read_capture(file, nsys)
    path = place or file.parent
    path = path / storage.FILE_NAME if path.is_dir() else path
    run = storage.load(path)
    if capture.run is not None and capture.run != run.id:
        msg = f"{file.name} is a capture of the run {capture.run}, and {path} is {run.id}; name the folder of the first"
        raise UsageError(msg)
    others = tuple(known for known in run.captures if known.file != capture.file)
    run = replace(run, captures=(*others, capture))
    return run, storage.save(run, path.parent)


def read_capture(file: Path, nsys: Nsys | None) -> Capture:
    """What a report, or its SQLite export, says.

    Raises:
        UsageError: it is not there.
        StorageError: it is no such file.
        MeasurementError: it shows nothing of ours, or nsys cannot export it.
        UnavailableError: it must be exported first, and there is no nsys.
    """
    if not file.is_file():
        msg = f"{file} is not there; name a .nsys-rep, .qdstrm or .sqlite file"
        raise UsageError(msg)
    if file.suffix == ".sqlite":
        return read(file)
    if nsys is None:
        reason = f"{file.name} must be exported to SQLite first, and there is no nsys here"
        raise UnavailableError(reason, INSTALL)
    with tempfile.TemporaryDirectory(prefix="joulemark-nsys-") as folder:
        report, database = file, Path(folder) / "capture.sqlite"
        if file.suffix == ".qdstrm":
            copy = Path(folder) / file.name
            shutil.copyfile(file, copy)
            report = nsys.report(copy.with_suffix(""))
        nsys.export(report, database)
        return read(database, file.name)


def _file_name(case: str) -> str:
    kept = "".join(character if character.isalnum() or character in "-_." else "-" for character in case)
    return kept.strip("-")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def main(argv: Sequence[str]) -> Path:
    """What ``joulemark nsys`` does; the path of the run that the capture was added to.

    Raises:
        BenchError: it cannot be done; the message says why and what to do.
    """
    parser = argparse.ArgumentParser("joulemark nsys", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("case", metavar="CASE", nargs="?", help='one case as reports name it: "inference[cpu-fp32]"')
    parser.add_argument("--import", metavar="FILE", type=Path, dest="file", help="a capture that was made elsewhere")
    parser.add_argument("--run", metavar="RUN", type=Path, help="with --import: the run's folder (default: the file's)")
    parser.add_argument(
        "--nsys",
        metavar="OPTION",
        action="append",
        default=[],
        help="an option for nsys, as --nsys=--sample=process-tree",
    )
    chosen, rest = parser.parse_known_args(argv)
    if chosen.file is not None:
        if chosen.case or rest:
            parser.error(f"with --import there is nothing to measure; leave out {' '.join([chosen.case or '', *rest])}")
        needed = chosen.file.suffix != ".sqlite"
        return add_capture(chosen.file, chosen.run, find_nsys() if needed else None)[1]
    if not chosen.case or chosen.case.startswith("-"):
        parser.error('name a case first: joulemark nsys "inference[cpu-fp32]"')
    return capture_case(chosen.case, rest, find_nsys(), nsys_options=chosen.nsys)


_DESCRIPTION = (
    "Capture one case with Nsight Systems, and add to its run what the capture says: time by range, kernels, copies, "
    "launch gaps. What follows the case goes to joulemark run: paths of suites, then pytest's options."
)
