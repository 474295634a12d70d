"""The face of Joulemark: its pytest entry point and its console command.

This is the only module of ours with a name nobody else has. pytest imports it in every run of the environment,
so it costs nothing (standard library only) and does nothing unasked: our packages are called ``bench``,
``suites`` and ``reports``, and a project may well have its own. Where one has, Joulemark stays out, in one line.

::

    pytest starts ──▶ is a package of ours shadowed, or would it shadow one of the project's?
                        no   ──▶ bench.plugin and reports.plugin join the run
                        yes  ──▶ nothing of ours is imported; the header says why

(PYTEST_DONT_REWRITE: there is no assertion here, and ``joulemark run`` has imported this module before pytest.)
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

HOME = Path(__file__).resolve().parent
PACKAGES = ("bench", "reports", "suites")
PLUGINS = ("bench.plugin", "reports.plugin")

#: verb: where its function is, and what it does. A function takes the arguments that follow the verb.
VERBS = {
    "run": ("joulemark:run", "measure the installed suites, or those at the paths named first"),
    "nsys": ("joulemark:nsys", "capture one case with Nsight Systems, or read in a capture"),
    "recover": ("bench.recover:main", "make a readable run of one that was broken off"),
    "doctor": ("bench.doctor:main", "say what this machine can do, and what to install or switch on"),
    "show": ("reports.cli:show", "print the tables of a stored run, or of several side by side"),
    "compare": ("reports.cli:compare", "compare two stored runs, and fail on what grew too much"),
    "report": ("reports.cli:report", "write reports of stored runs: HTML, Markdown, CSV and more"),
    "recommend": ("reports.cli_prices:recommend", "say which setting to take: the least cost, energy or time"),
    "prices": ("reports.cli_prices:prices", "print the price book that is shipped, to be edited"),
}

# How far a project is searched for names like ours: every pytest run of the environment waits for it.
_DEPTH = 4
_FOLDERS = 1000
_NOT_SEARCHED = frozenset({"__pycache__", "node_modules", "site-packages"})


# --- pytest --------------------------------------------------------------------------------------------------


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Load our plugins, unless the project has names like ours.

    This hook is the first chance to do so and the last: the root folder and the arguments are known by now, and
    a plugin registered here still adds its options, because pytest replays the hook for latecomers.
    """
    config: Any = pluginmanager.get_plugin("pytestconfig")
    if importlib.util.find_spec("fcntl") is None:  # of Windows, say
        why = "it needs a system with POSIX file locks, such as Linux; hide this line with -p no:joulemark"
        pluginmanager.register(_Notice(why), "joulemark-notice")
        return
    rival = stranger() or _rival(config)
    if rival is not None:
        pluginmanager.register(_Notice(_why_out(rival, config)), "joulemark-notice")
        return
    for name in PLUGINS:
        pluginmanager.import_plugin(name)


class _Notice:
    """All that pytest gets of Joulemark in a project with names like ours, or on a system where it cannot run."""

    def __init__(self, why: str) -> None:
        self._why = why

    def pytest_report_header(self) -> str:
        return f"joulemark: not loaded, since {self._why}"


def _why_out(rival: Path, config: Any) -> str:
    rootdir = getattr(config, "rootpath", None)
    place = rival.relative_to(rootdir) if rootdir is not None and rival.is_relative_to(rootdir) else rival
    return (
        f"{place} bears a name of Joulemark's own; rename it to benchmark here, or hide this line with -p no:joulemark"
    )


def _rival(config: pytest.Config) -> Path | None:
    """A module of the project that this run may import under a name of ours."""
    start = config.invocation_params.dir
    rootdir = getattr(config, "rootpath", start)  # not there yet if a program passes us to pytest.main
    collected = _named_folders(config) or [start]
    if all(folder.is_relative_to(HOME) for folder in collected):
        return None  # our own tests and suites, wherever they are run from
    around = [start, rootdir, rootdir / "src"]
    for folder in collected:
        around += [folder, *takewhile(lambda parent: parent.is_relative_to(rootdir), folder.parents)]
    visible = [*_search_path(config), *(folder for folder in around if not _is_package(folder))]
    is_project = getattr(config, "inipath", None) is not None  # otherwise rootdir may be a home folder
    return _first_visible(visible) or _first_nested([*collected, rootdir] if is_project else collected)


def _is_package(folder: Path) -> bool:
    """Whether what is in the folder is imported under the folder's name, and so cannot be mixed up with ours."""
    return os.path.isfile(folder / "__init__.py")


def _named_folders(config: pytest.Config) -> list[Path]:
    """The folders of the paths on the command line; the value of an option may be among them, which does no harm."""
    namespace = getattr(config, "known_args_namespace", None)
    arguments: list[str] = namespace.file_or_dir if namespace is not None else []
    paths = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in arguments]
    return [path if os.path.isdir(path) else path.parent for path in paths if os.path.exists(path)]


def _search_path(config: pytest.Config) -> Iterator[Path]:
    yield from (Path(entry).resolve() for entry in sys.path)
    try:
        yield from config.getini("pythonpath")
    except (KeyError, ValueError):  # not declared yet if a program passes us to pytest.main
        return


def _first_visible(folders: Iterable[Path]) -> Path | None:
    """The first module with a name of ours in folders that are, or may be, on the import path."""
    # A package without __init__.py loses to an installed one wherever it stands, but not to an editable install.
    namespace_wins = str(HOME) not in sys.path
    for folder in dict.fromkeys(folders):
        if folder == HOME:
            continue
        for name in PACKAGES:
            for module in (folder / name / "__init__.py", folder / f"{name}.py"):
                if os.path.isfile(module):
                    return module
            if namespace_wins and any(file.endswith(".py") for file in _listing(folder / name)[0]):
                return folder / name
    return None


def _first_nested(starts: Iterable[Path]) -> Path | None:
    """The first module with a name of ours below folders from which pytest may put others on the import path.

    By default pytest imports a test after inserting the first folder above it without ``__init__.py``: with
    ``tests/bench/__init__.py`` the project's tests are called ``bench.test_x``.
    """
    for folder, files, folders in _walk(starts):
        if _is_package(folder):
            continue
        for name in PACKAGES:
            if name in folders and _is_package(folder / name):
                return folder / name / "__init__.py"
        if any(file.startswith(("test_", "bench_", "conftest.")) or file.endswith("_test.py") for file in files):
            rival = _first_visible([folder])
            if rival is not None:
                return rival
    return None


def _walk(starts: Iterable[Path]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders with the names of their files and folders, shallow ones first, within the limits above."""
    queue = deque((start, 0) for start in starts)
    seen = {HOME}
    while queue and len(seen) < _FOLDERS:
        folder, depth = queue.popleft()
        if folder in seen:
            continue
        seen.add(folder)
        files, folders = _listing(folder)
        if "pyvenv.cfg" in files:
            continue
        yield folder, files, folders
        if depth < _DEPTH:
            queue.extend((folder / name, depth + 1) for name in folders)


def _listing(folder: Path) -> tuple[list[str], list[str]]:
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    files.append(entry.name)
                elif not entry.name.startswith(".") and entry.name not in _NOT_SEARCHED:
                    folders.append(entry.name)
    except OSError:
        return [], []  # what cannot be read cannot be imported either
    return files, folders


def stranger() -> Path | None:
    """What Python finds under one of our packages' names, if that is not ours. Imports nothing."""
    for name in PACKAGES:
        try:
            spec = importlib.util.find_spec(name)
        except ValueError:  # somebody put a module without origin into sys.modules
            return Path(name)
        if spec is None:
            continue
        found = spec.origin or next(iter(spec.submodule_search_locations or ()), name)
        if Path(found).resolve() != HOME / name / "__init__.py":
            return Path(found)
    return None


# --- the console command -------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status of ``joulemark VERB ...``: the verb's own, or 2 for a command that cannot be meant."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    verb, *rest = arguments or ["--help"]
    if verb in {"-h", "--help"}:
        sys.stdout.write(_usage())
        return 0
    if verb == "--version":
        sys.stdout.write(f"joulemark {_version()}\n")
        return 0
    if verb not in VERBS:
        return _refuse(f"no such verb: {verb}; choose from {', '.join(VERBS)}, or see joulemark --help")
    if (found := stranger()) is not None:
        return _refuse(f"{found} bears a name of Joulemark's own and hides it; run joulemark from another folder")
    module, _, function = VERBS[verb][0].partition(":")
    try:
        return int(getattr(importlib.import_module(module), function)(rest))
    except BrokenPipeError:  # joulemark show RUN | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's own flush at the end
        return 0


def run(argv: Sequence[str]) -> int:
    """The exit status of ``pytest --benchmark-only`` over the installed suites, or over the paths that come first.

    Paths come first because nothing else tells them from an option's value. In this process, since that keeps
    Ctrl-C and the exit status simple, and since workers import the program's main module again: the command's own
    is far lighter than pytest's.
    """
    if {"-h", "--help"} & set(argv):
        sys.stdout.write(_RUN_USAGE)
        return 0
    import pytest

    paths = list(takewhile(lambda argument: not argument.startswith("-"), argv))
    only = [] if "--benchmark-disable" in argv else ["--benchmark-only"]  # pytest-benchmark takes one of them
    options = ["-p", "joulemark", *only, "-o", "python_files=bench_*.py"]
    sys.path.append(os.getcwd())  # so that a model or workload beside the user can be named; last, to hide nothing
    return int(pytest.main([*options, *(paths or _installed_suites()), *argv[len(paths) :]]))


def nsys(argv: Sequence[str]) -> int:
    """The exit status of a capture: 0, or 2 where it could not be made, read or added to its run."""
    from bench import nsight
    from bench.errors import BenchError
    from reports import cli

    try:
        path = nsight.main(argv)
    except BenchError as error:
        return _refuse(str(error))
    return cli.report([str(path)]) or cli.show([str(path)])


def _installed_suites() -> list[str]:
    """Arguments for the suites beside this file, which the project one happens to stand in has no say in.

    Its pytest configuration and conftest files are for its own tests, and nothing is written beside our files.
    """
    return [
        str(HOME / "suites"),
        f"--rootdir={HOME}",  # the ids are those of a checkout: suites/bench_x.py::test_x[...]
        f"--confcutdir={HOME}",
        f"--config-file={os.devnull}",
        "-o",
        "strict_parametrization_ids=true",
        "-p",
        "no:cacheprovider",
    ]


def _refuse(trouble: str) -> int:
    sys.stderr.write(f"joulemark: {trouble}\n")
    return 2


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("joulemark")
    except PackageNotFoundError:
        return f"(not installed, from {HOME})"


def _usage() -> str:
    verbs = "\n".join(f"  {verb:11}{what}" for verb, (_, what) in VERBS.items())
    return f"""usage: joulemark VERB [arguments]

Benchmarks deep-learning classifiers and says how far each figure can be trusted.

{verbs}

joulemark VERB --help says more; joulemark --version names the version.
"""


_RUN_USAGE = """usage: joulemark run [PATH ...] [pytest options]

Measures the installed suites, from any folder, and leaves a report: pytest --benchmark-only.
Paths of suites of your own come first; then those are measured, under your own pytest configuration.

  joulemark run -k "inference and fp32"     a part of the installed suites
  joulemark run bench_mine.py               your own suite

pytest --help lists the options; those of Joulemark start with --bench-.
"""


if __name__ == "__main__":
    sys.exit(main())
