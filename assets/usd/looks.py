"""Materials: what prims look like (UsdPreviewSurface), and how they touch (UsdPhysics)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.usd.pixar import Gf, Sdf, Usd, UsdPhysics, UsdShade

ROUGHNESS = 0.6
_TYPES = Sdf.ValueTypeNames


def linear(colour: Sequence[float]) -> tuple[float, float, float]:
    """Return an sRGB colour [3] in [0, 1] in linear light."""
    s = np.asarray(colour, np.float64)
    r, g, b = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).tolist()
    return r, g, b


def preview(
    stage: Usd.Stage,
    path: str,
    colour: Sequence[float] | NDArray[np.floating],
    *,
    texture: str | None = None,
    wrap: str = "repeat",
    glow: float = 0.0,
) -> UsdShade.Material:
    """Write a UsdPreviewSurface material.

    Args:
        stage: where to.
        path: of the material.
        colour: [3] linear; multiplies the texture where there is one.
        texture: path of a picture, relative to the stage's file; mapped by the primvar `st`.
        wrap: what lies beyond the picture's edge, "repeat" or "clamp".
        glow: share of the colour that is seen whatever the light.
    """
    material = UsdShade.Material.Define(stage, path)
    surface = UsdShade.Shader.Define(stage, f"{path}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", _TYPES.Float).Set(ROUGHNESS)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    shares = {"diffuseColor": 1.0 - glow, **({"emissiveColor": glow} if glow else {})}
    for name, share in shares.items():
        source = surface.CreateInput(name, _TYPES.Color3f)
        scaled = [float(c) * share for c in colour]
        if texture is None:
            source.Set(Gf.Vec3f(*scaled))
        else:
            node = _picture(stage, f"{path}/{_NODES[name]}", texture, wrap, scaled)
            source.ConnectToSource(node.ConnectableAPI(), "rgb")
    if texture is not None:
        reader = UsdShade.Shader.Define(stage, f"{path}/st")
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", _TYPES.String).Set("st")
        reader.CreateOutput("result", _TYPES.Float2)
    return material


def tint(stage: Usd.Stage, material: str, colour: Sequence[float]) -> None:
    """Let another linear colour [3] multiply the texture of a material."""
    node = stage.OverridePrim(f"{material}/{_NODES['diffuseColor']}")
    node.CreateAttribute("inputs:scale", _TYPES.Float4, custom=False).Set(Gf.Vec4f(*colour, 1.0))


def touch(
    stage: Usd.Stage,
    path: str,
    friction: float,
    *,
    spinning: float | None = None,
    rolling: float | None = None,
) -> UsdShade.Material:
    """Write a physics material; engines that can are told to multiply the two sides' friction.

    Args:
        stage: where to.
        path: of the material.
        friction: lateral, static and dynamic.
        spinning: about the contact's normal, for engines that know it.
        rolling: the same of rolling.
    """
    material = UsdShade.Material.Define(stage, path)
    prim = material.GetPrim()
    physics = UsdPhysics.MaterialAPI.Apply(prim)
    physics.CreateRestitutionAttr(0.0)
    set_friction(prim, friction)
    prim.AddAppliedSchema("PhysxMaterialAPI")
    combine = prim.CreateAttribute("physxMaterial:frictionCombineMode", _TYPES.Token, custom=False)
    combine.Set("multiply")
    for name, value in (("torsionalFriction", spinning), ("rollingFriction", rolling)):
        if value is not None:
            prim.CreateAttribute(f"newton:{name}", _TYPES.Float, custom=False).Set(value)
    return material


def set_friction(prim: Usd.Prim, friction: float) -> None:
    """Set the lateral friction of a physics material, or of an override of one."""
    for name in ("staticFriction", "dynamicFriction"):
        attribute = prim.CreateAttribute(f"physics:{name}", _TYPES.Float, custom=False)
        attribute.Set(friction)


def bind(prim: Usd.Prim, material: UsdShade.Material, purpose: str = "") -> None:
    """Bind a material to a prim and what is below it; purpose "physics" for one of `touch`."""
    api = UsdShade.MaterialBindingAPI.Apply(prim)
    if purpose:
        api.Bind(material, UsdShade.Tokens.weakerThanDescendants, purpose)
    else:
        api.Bind(material)


_NODES = {"diffuseColor": "texture", "emissiveColor": "glow"}


def _picture(
    stage: Usd.Stage, path: str, file: str, wrap: str, scale: Sequence[float]
) -> UsdShade.Shader:
    node = UsdShade.Shader.Define(stage, path)
    node.CreateIdAttr("UsdUVTexture")
    node.CreateInput("file", _TYPES.Asset).Set(Sdf.AssetPath(file))
    node.CreateInput("sourceColorSpace", _TYPES.Token).Set("sRGB")
    for axis in ("wrapS", "wrapT"):
        node.CreateInput(axis, _TYPES.Token).Set(wrap)
    node.CreateInput("scale", _TYPES.Float4).Set(Gf.Vec4f(*scale, 1.0))
    node.CreateOutput("rgb", _TYPES.Float3)
    reader = Sdf.Path(path).GetParentPath().AppendChild("st").AppendProperty("outputs:result")
    node.CreateInput("st", _TYPES.Float2).GetAttr().SetConnections([reader])
    return node
