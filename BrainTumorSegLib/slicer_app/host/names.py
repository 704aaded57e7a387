"""Names under which choices are remembered on this computer."""

#: Folder of wheels to install packages from, without internet.
WHEEL_FOLDER = "WheelFolder"

#: Another Python to compute with.
WORKER_PYTHON = "WorkerPython"

#: The reader's name, for the next review.
READER = "Reader"

#: The folder that was saved into last.
SAVE_FOLDER = "SaveFolder"
