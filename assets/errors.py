"""Errors of the assets layer.

AssetError (ValueError)
├── SpecError      a scene record that breaks its schema; names the field
├── PackError      a pack, manifest or mesh file that is missing, broken or of another version
├── ComposeError   a scene request that cannot be met; names the constraint that failed
└── BuildError     a pack cannot be built here; says what to do
"""


class AssetError(ValueError):
    """Base of every error that this layer raises on purpose."""


class SpecError(AssetError):
    """A record does not fit its schema. The message begins with the path of the field."""


class PackError(AssetError):
    """A pack file is missing, damaged or of an unknown version. The message names the file."""


class ComposeError(AssetError):
    """No scene meets the request within the allowed tries. The message names the constraint."""


class BuildError(AssetError):
    """The build of a pack cannot start or go on. The message says what to do."""
