"""Training networks on labelled cases, and scoring them on cases they never saw."""
