"""From prepared volumes to labels, and the pipeline that knows the order of all steps."""
