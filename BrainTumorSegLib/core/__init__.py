"""The words that everything else uses: cases, sequences, tissues, options, errors, progress.

Of the standard library, numpy and SimpleITK only; nothing here imports another package.
"""
