"""The modules of OpenUSD. Importing this where they are missing says what to install."""

try:
    from pxr import (
        Gf,
        Kind,
        Sdf,
        Tf,
        Usd,
        UsdGeom,
        UsdLux,
        UsdPhysics,
        UsdSemantics,
        UsdShade,
        UsdUtils,
        UsdValidation,
        Vt,
    )
except ImportError as e:
    raise ImportError("stages need the extra usd: pip install 'refergym[usd]' (EXTRAS=usd)") from e

__all__ = [
    "Gf",
    "Kind",
    "Sdf",
    "Tf",
    "Usd",
    "UsdGeom",
    "UsdLux",
    "UsdPhysics",
    "UsdSemantics",
    "UsdShade",
    "UsdUtils",
    "UsdValidation",
    "Vt",
]
