"""How each family of pointing models writes a point, one file each; see `base.Dialect`."""
