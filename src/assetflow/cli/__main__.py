"""``python -m assetflow.cli`` is ``assetflow``."""

from assetflow.cli import main

main()
