"""Many cases, one after the other or side by side, that finish whatever happens to one of them.

What is known of a case lies on the disk beside its results (`state`), so that the same command
again goes on where the last one stopped, on this machine or on another one. Every case is
computed by the command ``segment`` in a process of its own (`child`).
"""
