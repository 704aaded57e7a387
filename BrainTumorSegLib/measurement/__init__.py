"""What is measured on labels: lesions, their diameters, and where a tumour lies."""
