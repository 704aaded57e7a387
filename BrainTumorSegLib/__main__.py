"""``python -m BrainTumorSegLib``: the command line without an installed script."""

import sys

from BrainTumorSegLib.cli.application import main

if __name__ == "__main__":
    sys.exit(main())
