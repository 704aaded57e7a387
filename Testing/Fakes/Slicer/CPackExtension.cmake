# Packages nothing.
