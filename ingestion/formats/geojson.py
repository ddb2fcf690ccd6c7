"""Features of GeoJSON as rows: their properties as columns, their geometry as JSON text in the column ``geometry``."""

from collections.abc import Hashable, Sequence

from ingestion.formats.jsonrecords import Fields, Shape
from ingestion.formats.jsontext import Fault, Value

_OWN, _PROPERTY = "feature", "property"
_SPREAD = ("type", "properties")


def is_feature(value: Value | Fault) -> bool:
    """Whether a value is a feature.

    >>> is_feature({"type": "Feature", "properties": None, "geometry": None}), is_feature({"type": "Feature"})
    (True, False)
    """
    return isinstance(value, dict) and value.get("type") == "Feature" and value.keys() >= {"properties", "geometry"}


def _fields(feature: Fields) -> Fields | Fault:
    """A feature's own members and its properties, which may have the same names, under keys that tell them apart."""
    if feature.get("type") != "Feature":
        return Fault("feature", 'the record is no GeoJSON feature: its type is not "Feature"')
    properties = feature.get("properties")
    if properties is not None and not isinstance(properties, dict):
        return Fault("feature", "the properties of the feature are not an object")
    own: Fields = {(_OWN, key): value for key, value in feature.items() if key not in _SPREAD}
    return own | {(_PROPERTY, key): value for key, value in (properties or {}).items()}


def _header(keys: Sequence[Hashable]) -> dict[Hashable, str]:
    """What features say of themselves comes first, so that its names are kept where a property has the same."""
    pairs = [key for key in keys if isinstance(key, tuple)]
    return {key: str(key[1]) for key in sorted(pairs, key=lambda key: key[0] != _OWN)}


FEATURES = Shape(_fields, _header, "geojson")
