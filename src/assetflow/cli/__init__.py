"""The command line: `assetflow`. A thin face over the library; nothing imports it.

Every command binds its options to one or two calls that a script can make as well. It needs the
extra ``cli``.
"""

from __future__ import annotations

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, and leave with its exit code."""
    try:
        from assetflow.cli.app import app  # noqa: PLC0415  # the extra is checked here
    except ModuleNotFoundError as missing:
        if missing.name not in {"click", "rich", "platformdirs", "tomlkit"}:
            raise
        sys.stderr.write(
            f"The command line needs {missing.name}, which is not installed.\n"
            '  do    Run: pip install "assetflow-k12[cli]"\n'
            "  code  missing-extra\n"
        )
        raise SystemExit(3) from None
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding lacks is no reason to stop half way
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app.main(prog_name="assetflow")
