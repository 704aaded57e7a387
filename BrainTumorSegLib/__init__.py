"""Brain tumour segmentation on T1, contrast-enhanced T1 and FLAIR.

The package itself imports nothing but the standard library, so that Slicer and
the bootstrap script can look at it before anything is installed.
"""

__version__ = "0.1.0"
