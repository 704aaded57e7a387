"""What a label map shows: its lesions, one by one."""
