"""``python3 -m BrainTumorSegLib.bootstrap``."""

import sys

from BrainTumorSegLib.bootstrap.installer import main

sys.exit(main())
