"""What is measured on labels: lesions, diameters, place."""
