"""What a run costs on this machine, and how near that is to the machine's limits."""
