"""What is put before the Python path of an observed stage; a folder of its own, since Python finds it by name."""
