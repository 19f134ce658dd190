"""Every task of this repository, with the standard library alone.

    python3 scripts/dev.py TASK [options]         on Windows: py scripts/dev.py TASK

``make TASK`` does the same. Each task makes the virtual environment that it needs from a file
in ``locks/`` (hashes are checked), keeps it, and makes it again only when that file changes;
so the second run needs no network. Run it with any Python: when that one is too old, a newer
one on this machine is looked for.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "locks"
STATE = ROOT / ".venv-state"
WINDOWS = os.name == "nt"
UV = "uv==0.13.9"  # resolves the lock files; nothing else uses it

_EXTRAS = ("cli", "google", "mariadb", "postgres", "privacy")
# lock file: (extras of the project, dependency group, resolution)
LOCK_FILES = {
    "demo": (("cli",), "build", "highest"),
    "test": (_EXTRAS, "test", "highest"),
    "lint": (_EXTRAS, "lint", "highest"),
    "docs": (("cli",), "docs", "highest"),
    "bench": (_EXTRAS, "bench", "highest"),
    "oracles": (_EXTRAS, "oracles", "highest"),
    "lowest": (_EXTRAS, "test", "lowest-direct"),
}


class Failed(Exception):
    """A task did not succeed; the message says why and what to do."""


def say(text: str) -> None:
    """Print one line of progress, at once."""
    print("==> " + text, flush=True)


# --- interpreters ----------------------------------------------------------------------


def version_of(python: str) -> tuple[int, ...] | None:
    """The version of an interpreter that can make virtual environments, else None."""
    probe = "import ensurepip, sys, venv; print(*sys.version_info[:3])"
    try:
        done = subprocess.run(
            [python, "-c", probe], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return None
    return tuple(int(part) for part in done.stdout.split())


def interpreters() -> dict[tuple[int, ...], str]:
    """The interpreters of this machine that are new enough, one for each minor version."""
    names = [sys.executable]
    names += [f"python3.{minor}" for minor in range(OLDEST[1], 20)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    names += [str(path) for path in sorted(pyenv.glob("versions/3.*/bin/python"))]
    if WINDOWS:
        names += [f"py -3.{minor}" for minor in range(OLDEST[1], 20)]
    found: dict[tuple[int, ...], str] = {}
    for name in names:
        path = _windows_launcher(name) if name.startswith("py -") else shutil.which(name)
        version = version_of(path) if path else None
        if path and version and version >= OLDEST:
            found.setdefault(version[:2], path)
    return dict(sorted(found.items()))


def _windows_launcher(name: str) -> str | None:
    try:
        done = subprocess.run(
            [*name.split(), "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def restart_if_too_old() -> None:
    """Hand over to a newer interpreter when this one is too old, or say what to install."""
    if sys.version_info >= OLDEST and version_of(sys.executable):
        return
    found = interpreters()
    if found:
        newest = list(found.values())[-1]
        raise SystemExit(subprocess.call([newest, *sys.argv]))
    wanted = ".".join(map(str, OLDEST))
    if sys.version_info >= OLDEST:
        hint = "This Python has no venv module. On Debian or Ubuntu: apt install python3-venv"
    else:
        hint = (
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}. Install {wanted} or newer"
            " from your system or python.org,"
        )
        hint += f" and run this again with it: python{wanted} scripts/dev.py"
    raise SystemExit(f"assetflow needs Python {wanted} or newer. {hint}")


# --- environments ----------------------------------------------------------------------


def clean_env(**more: str) -> dict[str, str]:
    """The caller's environment without what would lead Python or pip astray."""
    drop = {"PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET"}
    drop |= {"PIP_USER", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    env = {key: value for key, value in os.environ.items() if key not in drop}
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    env["PIP_NO_INPUT"] = "1"
    env["NO_MKDOCS_2_WARNING"] = "1"  # mkdocs.yml stays within what its successor reads too
    env.update(more)
    return env


def digest(path: Path) -> str:
    """The SHA-256 of a file, with line ends made equal."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one process at a time work on an environment."""
    STATE.mkdir(exist_ok=True)
    with (STATE / (name + ".lock")).open("a+") as handle:
        if WINDOWS:
            import msvcrt  # noqa: PLC0415  # Windows only

            handle.seek(0)
            while True:
                try:
                    msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
                    break
                except OSError:  # it gives up after ten seconds; an install takes longer
                    time.sleep(1)
        else:
            import fcntl  # noqa: PLC0415  # POSIX only

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def environment(
    lock: str, python: str | None = None, *, name: str = "", project: bool = True
) -> Path:
    """The interpreter of an environment that holds what ``locks/<lock>.txt`` says.

    It is made when it is missing, when the lock file or the interpreter changed, and when an
    earlier run was cut short (the stamp is written last).
    """
    base = python or sys.executable
    version = version_of(base)
    if version is None:
        raise Failed(f"{base} does not run, or has no venv module")
    name = name or lock
    if python:
        name += "-" + ".".join(map(str, version[:2]))
    folder = ROOT / (".venv-" + name)
    requirements = LOCKS / (lock + ".txt")
    stamp = folder / "assetflow-stamp.json"
    want = {"lock": digest(requirements), "python": list(version), "folder": str(folder)}
    want_project = digest(ROOT / "pyproject.toml") if project else ""
    with alone(name):
        have = _read_stamp(stamp)
        if {key: have.get(key) for key in want} != want or not python_in(folder).exists():
            _make(folder, base, requirements, version)
            have = {}
        if have.get("project", "") != want_project:
            say(f"installing this project into {folder.name}")
            _pip(
                folder,
                ["--no-deps", "--no-index", "--no-build-isolation", "-e", str(ROOT)],
                count=1,
            )
        if have != dict(want, project=want_project):
            stamp.write_text(json.dumps(dict(want, project=want_project)), encoding="utf-8")
    return python_in(folder)


def _read_stamp(stamp: Path) -> dict[str, object]:
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _make(folder: Path, base: str, requirements: Path, version: tuple[int, ...]) -> None:
    count = len(re.findall(r"^[A-Za-z0-9]", requirements.read_text(encoding="utf-8"), re.MULTILINE))
    say(
        f"environment {folder.name}: Python {'.'.join(map(str, version))}, "
        f"up to {count} packages from locks/{requirements.name}"
    )
    if folder.exists():
        shutil.rmtree(folder)
    if Path(base).resolve() == Path(sys.executable).resolve():
        venv.EnvBuilder(with_pip=True, symlinks=not WINDOWS).create(folder)
    else:
        subprocess.run([base, "-m", "venv", str(folder)], check=True, env=clean_env())
    # A lock file is complete, so nothing is left to resolve; older pips trip over it in that.
    _pip(folder, ["--no-deps", "--require-hashes", "-r", str(requirements)], count=count)


def _pip(folder: Path, args: list[str], *, count: int) -> None:
    """Run pip, with a counter in place of its many lines; show them when it fails."""
    command = [str(python_in(folder)), "-m", "pip", "install", "--progress-bar", "off", *args]
    started = time.monotonic()
    lines: list[str] = []
    seen = 0
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=clean_env(),
    ) as process:
        assert process.stdout is not None  # noqa: S101  # asked for above
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Collecting "):
                seen += 1
                _counter(f"collecting {seen} of up to {count}", every=seen % 20 == 0)
            elif line.startswith("Installing collected"):
                _counter("unpacking and installing", every=True)
    if sys.stdout.isatty():
        print("\r" + " " * 60 + "\r", end="", flush=True)
    if process.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failed(
            "".join(lines[-30:])
            + "\npip could not install what is needed (its last lines are above)."
            + "\nThe first run of a task downloads packages; is there a network and, behind a"
            + "\nfilter that inspects TLS, does pip know its certificate (pip config set global.cert)?"
        )
    if count > 1:
        say("installed in %.0f s" % (time.monotonic() - started))


def _counter(text: str, *, every: bool) -> None:
    if sys.stdout.isatty():
        print("\r    " + text.ljust(56), end="", flush=True)
    elif every:
        print("    " + text, flush=True)


def run(command: list[str], *, cwd: Path = ROOT, **env: str) -> int:
    """Run a program in the foreground, its own folder first on the path; give its exit code."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    env.setdefault("PATH", path)  # pyright asks the first `python` there what is installed
    return subprocess.call(command, cwd=str(cwd), env=clean_env(**env))


def steps(named: list[tuple[str, list[str]]]) -> int:
    """Run every step although one failed, then say which did."""
    failed = []
    for title, command in named:
        say(title)
        started = time.monotonic()
        code = run(command)
        if code:
            failed.append(title)
        say(
            "{}: {} ({:.0f} s)".format(
                title, "FAILED" if code else "ok", time.monotonic() - started
            )
        )
    if failed:
        raise Failed("failed: " + "; ".join(failed))
    return 0


# --- tasks -----------------------------------------------------------------------------


def demo(args: argparse.Namespace) -> int:
    """Make a small district and show what a day in it needs; no account, no network."""
    python = environment("demo", args.python)
    command = python.parent / ("assetflow.exe" if WINDOWS else "assetflow")
    return run([str(command), "demo", *args.rest])


def test(args: argparse.Namespace) -> int:
    """Run the tests (the fast ones, unless told otherwise)."""
    lock = args.lock or ("oracles" if args.oracle else "test")
    python = environment(lock, args.python)
    command = [str(python), "-m", "pytest"]
    if not any(arg.startswith("-n") for arg in args.rest):
        command += ["-n", str(min(os.cpu_count() or 1, 8)), "--dist", "worksteal"]
    command += ["--slow"] * args.slow + ["--oracle"] * args.oracle
    profile = os.environ.get("HYPOTHESIS_PROFILE", "ci" if args.slow else "fast")
    return run(command + args.rest, HYPOTHESIS_PROFILE=profile)


def lint(args: argparse.Namespace) -> int:
    """Check style, types, the arrows between packages, and the changelog."""
    python = str(environment("lint", args.python))
    module = [python, "-m"]
    todo = [
        ("ruff check", [*module, "ruff", "check", "."]),
        ("ruff format", [*module, "ruff", "format", "--check", "."]),
        ("mypy, strict", [*module, "mypy"]),
        ("pyright, as a caller sees it", [*module, "pyright", "typing_tests"]),
        (
            "pyright, public types complete",
            [*module, "pyright", "--verifytypes", "assetflow", "--ignoreexternal"],
        ),
        (
            "import contracts",
            [python, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        ),
        (
            "import contracts forbid what they say",
            [*module, "pytest", "-q", "-n", "2", "tests/house/test_contracts.py"],
        ),
        ("changelog", [*module, "towncrier", "build", "--draft", "--version", "next"]),
    ]
    tag = _newest_tag()
    against = [*module, "griffe", "check", "assetflow", "-s", "src", "-a", tag]
    if not tag:
        say("no released version yet: nothing to compare the public interface with")
    elif any((ROOT / "changelog.d").glob("*.breaking*.md")):
        say(f"what changed against {tag}, to be read: a fragment in changelog.d says it is meant")
        run(against)
    else:
        todo.append((f"public interface against {tag}", against))
    return steps(todo)


def _newest_tag() -> str:
    done = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def docs(args: argparse.Namespace) -> int:
    """Build the documentation, strictly; ``--write`` renews its generated pages first."""
    python = str(environment("docs", args.python))
    generate = [python, "docs/_ext/generate.py"]
    if args.write:
        return run([*generate, "--write"])
    if args.serve:
        return run([python, "-m", "mkdocs", "serve"])
    return steps(
        [
            ("generated pages are current", [*generate, "--check"]),
            # Not --quiet: it would hide the warnings from --strict as well.
            ("mkdocs build --strict", [python, "-m", "mkdocs", "build", "--strict"]),
        ]
    )


def bench(args: argparse.Namespace) -> int:
    """Measure against peers in the same process, and print ratios."""
    return run([str(environment("bench", args.python)), "-m", "benchmarks", *args.rest])


def fuzz(args: argparse.Namespace) -> int:
    """Throw mutated input at every reader, for as long as ``--seconds`` says."""
    if not (ROOT / "tests" / "fuzz").is_dir():
        raise Failed("there are no fuzz targets: tests/fuzz does not exist")
    command = [str(environment("test", args.python)), "-m", "pytest", "tests/fuzz", "--slow"]
    command += ["-v", f"--timeout={args.seconds + 60}"]
    return run(
        command + args.rest, HYPOTHESIS_PROFILE="fuzz", ASSETFLOW_FUZZ_SECONDS=str(args.seconds)
    )


def faults(args: argparse.Namespace) -> int:
    """Kill, fill, lock, race and break a district, and check that nothing was lost."""
    command = [str(environment("test", args.python)), "-m", "harness", *args.rest]
    return run(command, cwd=ROOT / "tests" / "faults")


def wheel(args: argparse.Namespace) -> int:
    """Build the wheel, install it into an environment of its own, and import all of it."""
    builder = environment("demo", args.python)
    with tempfile.TemporaryDirectory() as out:
        build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        if run([str(builder), *build, "-w", out, str(ROOT)]):
            raise Failed("the wheel could not be built")
        (built,) = Path(out).glob("*.whl")
        say(f"built {built.name}, {built.stat().st_size / 1000:.0f} kB")
        target = environment("demo", args.python, name="wheel", project=False)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--force-reinstall",
        ]
        if run([str(target), *install, str(built)]):
            raise Failed("the wheel could not be installed")
        check = str(ROOT / "scripts" / "check_wheel.py")
        return run([str(target), "-I", check, str(ROOT)], cwd=Path(out))


def lock(args: argparse.Namespace) -> int:
    """Resolve the lock files again; ``--check`` only says whether they are due."""
    stale = [name for name in LOCK_FILES if _written_inputs(name) != lock_inputs(name)]
    if args.check:
        if stale:
            raise Failed(
                "pyproject.toml changed: run `python scripts/dev.py lock` ({})".format(
                    ", ".join(stale)
                )
            )
        say("the lock files fit pyproject.toml")
        return 0
    tool = ROOT / ".venv-lock"
    if not python_in(tool).exists():
        venv.EnvBuilder(with_pip=True, symlinks=not WINDOWS).create(tool)
        _pip(tool, [UV], count=1)
    uv = [str(python_in(tool)), "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet"]
    uv += [
        "--universal",
        "--python-version",
        ".".join(map(str, OLDEST)),
        "--no-header",
        "--no-annotate",
    ]
    uv += ["--no-emit-index-url", "--no-strip-extras"]
    LOCKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        # One resolution of everything first, so that the files agree with one another.
        shared = Path(scratch) / "shared.txt"
        asked = ["--group", "dev", "--group", "oracles"]
        asked += [part for extra in _extras() for part in ("--extra", extra)]
        if not args.upgrade:
            shared.write_text(_present_pins(), encoding="utf-8")  # kept where they still fit
        if run([*uv, *asked, "-o", str(shared)]):
            raise Failed("the dependencies could not be resolved together")
        for name, (extras, group, resolution) in LOCK_FILES.items():
            out = Path(scratch) / (name + ".txt")
            command = [*uv, "--generate-hashes", "--group", group, "--resolution", resolution]
            command += [part for extra in extras for part in ("--extra", extra)]
            pins = shared
            if resolution != "highest":  # what is named itself goes down, the rest stays
                pins = Path(scratch) / "rest.txt"
                pins.write_text(_without(shared, _direct(name)), encoding="utf-8")
            command += ["-c", str(pins)]
            if run([*command, "-o", str(out)]):
                raise Failed(f"locks/{name}.txt could not be resolved")
            text = out.read_text(encoding="utf-8")
            if "://" in text or "--index" in text or scratch in text:
                raise Failed(f"locks/{name}.txt would name a host or a path")
            head = "# Made by `python scripts/dev.py lock`; do not edit.\n# inputs: %s\n"
            (LOCKS / (name + ".txt")).write_text(
                head % lock_inputs(name) + text, encoding="utf-8", newline="\n"
            )
            say(f"locks/{name}.txt")
    return 0


def _extras() -> list[str]:
    return sorted({extra for extras, _, _ in LOCK_FILES.values() for extra in extras})


def _direct(name: str) -> set[str]:
    """The packages that a lock file's inputs name themselves."""
    wanted = [str(part) for part in _flat(_lock_told(name))]
    named = {re.split(r"[^A-Za-z0-9._-]", text)[0].lower() for text in wanted}
    # psycopg[binary] is psycopg and psycopg-binary, which go down together.
    split = [re.match(r"([A-Za-z0-9._-]+)\[([a-z0-9-]+)\]", text) for text in wanted]
    return named | {f"{found[1]}-{found[2]}" for found in split if found}


def _flat(told: object) -> list[object]:
    return [leaf for part in told for leaf in _flat(part)] if isinstance(told, list) else [told]


def _without(pins: Path, names: set[str]) -> str:
    lines = pins.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if re.split(r"[\[=]", line)[0] not in names)


def _present_pins() -> str:
    pins: set[str] = set()
    for name, (_, _, resolution) in LOCK_FILES.items():
        path = LOCKS / (name + ".txt")
        if resolution == "highest" and path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            pins |= {line.rstrip(" \\") for line in lines if re.match(r"[a-z0-9]", line)}
    return "\n".join(sorted(pins)) + "\n"


def _written_inputs(name: str) -> str:
    try:
        with (LOCKS / (name + ".txt")).open(encoding="utf-8") as handle:
            return handle.read(400).partition("# inputs: ")[2].partition("\n")[0]
    except OSError:
        return ""


def lock_inputs(name: str) -> str:
    """A digest of what a lock file was resolved from."""
    return hashlib.sha256(json.dumps(_lock_told(name)).encode()).hexdigest()[:16]


def _lock_told(name: str) -> list[object]:
    import tomllib  # noqa: PLC0415  # not there before 3.11, where this file must still load

    with (ROOT / "pyproject.toml").open("rb") as handle:
        told = tomllib.load(handle)
    extras, group, resolution = LOCK_FILES[name]
    return [
        told["project"]["requires-python"],
        told["project"]["dependencies"],
        [told["project"]["optional-dependencies"][extra] for extra in extras],
        _group(told["dependency-groups"], group),
        resolution,
    ]


def _group(groups: dict[str, list[object]], name: str) -> list[str]:
    found: list[str] = []
    for entry in groups[name]:
        found += _group(groups, entry["include-group"]) if isinstance(entry, dict) else [str(entry)]
    return sorted(set(found))


def pythons(args: argparse.Namespace) -> int:
    """Print the oldest and the newest interpreter that the project supports, as found here."""
    found = list(interpreters().values())
    print("\n".join(found if args.all else dict.fromkeys([found[0], found[-1]])))
    return 0


def clean(args: argparse.Namespace) -> int:
    """Remove what the tasks made: environments, caches, builds and the demo's files."""
    del args
    patterns = [".venv-*", ".*_cache", ".hypothesis", ".benchmarks", ".coverage*", "htmlcov"]
    patterns += ["site", "dist", "build", "assetflow-demo*", "**/__pycache__"]
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            if ".venv" in path.relative_to(ROOT).parts:
                continue
            say(f"removing {path.relative_to(ROOT)}")
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    return 0


TASKS = [demo, test, lint, docs, bench, fuzz, faults, wheel, lock, pythons, clean]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="dev.py", description="Tasks of the assetflow repository.")
    sub = top.add_subparsers(dest="task", required=True, metavar="TASK")
    made = {}
    for task in TASKS:
        first = (task.__doc__ or "").partition("\n")[0]
        made[task.__name__] = sub.add_parser(
            task.__name__, help=first, description=first, allow_abbrev=False
        )
        made[task.__name__].set_defaults(run=task)
        made[task.__name__].add_argument("--python", help="the interpreter to use")
    made["test"].add_argument("--slow", action="store_true", help="the slow tests too")
    made["test"].add_argument(
        "--oracle", action="store_true", help="compare with heavy foreign packages too"
    )
    made["test"].add_argument("--lock", choices=sorted(LOCK_FILES), help="another set of versions")
    made["docs"].add_argument("--write", action="store_true", help="renew the generated pages")
    made["docs"].add_argument("--serve", action="store_true", help="show them in a browser")
    made["fuzz"].add_argument("--seconds", type=int, default=60, help="time for each target")
    made["lock"].add_argument("--check", action="store_true", help="change nothing")
    made["lock"].add_argument("--upgrade", action="store_true", help="take newer versions")
    made["pythons"].add_argument("--all", action="store_true", help="those between them too")
    return top


def main(argv: list[str]) -> int:
    """Run one task; what the task does not know goes to the program that it runs."""
    restart_if_too_old()
    args, rest = parser().parse_known_args(argv)
    args.rest = [arg for arg in rest if arg != "--"]
    if rest and args.task not in {"demo", "test", "bench", "fuzz", "faults"}:
        parser().error("unknown: " + " ".join(rest))
    try:
        return int(args.run(args))
    except Failed as why:
        print(f"\n{args.task}: {why}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
