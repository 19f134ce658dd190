"""Look at an installed wheel from outside the repository: is it whole, does it all import?

Run by ``scripts/dev.py wheel`` in an environment that holds the wheel and nothing of the tree.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import sys
from pathlib import Path

# Modules that need a package of another extra than the one installed here, or a test tool.
ELSEWHERE = {"hypothesis", "pytest", "google"}


def main(root: str) -> int:
    """Compare the installed package with the tree, then import every module."""
    import assetflow  # noqa: PLC0415  # what is looked at

    installed = Path(assetflow.__file__).parent
    source = Path(root) / "src" / "assetflow"
    if source in (installed, installed.resolve()):
        print("this is the tree itself, not the wheel")
        return 1
    problems = [
        f"not in the wheel: {path.relative_to(source)}"
        for path in sorted(source.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and not (installed / path.relative_to(source)).exists()
    ]
    count = 0
    for module in pkgutil.walk_packages(assetflow.__path__, "assetflow."):
        if module.name.endswith("__main__") or "migrations" in module.name:
            continue
        try:
            importlib.import_module(module.name)
            count += 1
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in ELSEWHERE:
                problems.append(f"{module.name}: {missing}")
    version = importlib.metadata.version("assetflow-k12")
    if assetflow.__version__ != version:
        problems.append(f"assetflow.__version__ is {assetflow.__version__}, the wheel {version}")
    print("\n".join(problems) or f"assetflow-k12 {version}: {count} modules import from the wheel")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
