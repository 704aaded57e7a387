"""The subcommands of the command line, one file each.

Parsers import nothing heavy, so that ``brain-tumor-seg --help`` answers at once;
what a command needs is imported when it runs.
"""
