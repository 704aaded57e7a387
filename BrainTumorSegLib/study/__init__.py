"""A folder is a study: received, de-identified, registered, segmented, read and approved.

What a case has come to is never typed: it follows from the files of the folder and from its
journal (`states`). `layout`, `settings`, `registry`, `journal` and `states` need nothing but what
Slicer ships.
"""
