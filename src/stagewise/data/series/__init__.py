"""Time series: cut by time into splits, stored whole, read as windows."""
