"""The 31 spatial relations as pure functions with signed margins; see `table`."""
