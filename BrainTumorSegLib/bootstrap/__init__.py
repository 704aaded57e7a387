"""From a bare Python to an installation, and what to say when something lacks.

Nothing but the standard library is needed to import these files.
"""
