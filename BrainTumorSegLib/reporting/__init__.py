"""What is written about a result: record, report, pictures, files."""
