"""Bringing raw files into data/raw/: mirrors, downloads, package resources, local folders, archives."""
