"""Training networks on labelled cases."""
