"""GeoJSON: features are rows, whatever form they come in."""

from pathlib import Path

import pytest

from ingestion.formats.jsonfile import read_geojson, read_json, read_ndjson
from tests.support.texttables import table

FILES = Path(__file__).parents[1] / "data" / "formats"
POINT = '{"type":"Point","coordinates":[6.950,50.94]}'


def feature(properties: str, more: str = "") -> str:
    return f'{{"type": "Feature", {more}"properties": {properties}, "geometry": {POINT}}}'


def test_features_are_rows_with_their_properties_as_columns() -> None:
    features = ",\n".join([feature('{"n": 1.10}', '"id": 7, '), feature("null"), feature('{"late": "x"}')])
    found = table(read_geojson, f'{{"type": "FeatureCollection", "crs": {{"x": 1}}, "features": [\n{features}]}}')
    assert found.rows == [
        {"id": "7", "geometry": POINT, "n": "1.10", "late": None},
        {"id": None, "geometry": POINT, "n": None, "late": None},
        {"id": None, "geometry": POINT, "n": None, "late": "x"},
    ]
    assert found.lines == [2, 3, 4]
    assert found.found.format == "geojson"
    assert found.found.dialect["beside"] == {"type": '"FeatureCollection"', "crs": '{"x": 1}'}


def test_a_property_does_not_take_the_name_of_the_geometry() -> None:
    found = table(read_geojson, feature('{"geometry": "g", "id": 3}', '"id": "f", '))
    assert found.rows == [{"id": "f", "geometry": POINT, "geometry_2": "g", "id_2": "3"}]


def test_features_a_line_are_features_in_any_json_reader() -> None:
    data = feature("{}") + "\n\x1e" + feature('{"a": 1}') + "\n"
    for reader in (read_geojson, read_json, read_ndjson):
        found = table(reader, data)
        assert (found.found.format, [row["a"] for row in found.rows]) == ("geojson", [None, "1"])


def test_a_damaged_line_does_not_make_other_features_plain_records() -> None:
    data = "\n".join([feature('{"a": 1}'), feature('{"a": 2}')[:-2], feature('{"a": 3}')])
    found = table(read_ndjson, data)
    assert [row["a"] for row in found.rows] == ["1", "3"]
    assert found.rules == [(2, "json")]


def test_what_is_no_feature_is_set_aside() -> None:
    data = f'{{"type": "FeatureCollection", "features": [{feature("{}")}, {{"type": "Point"}}, {feature("[1]")}]}}'
    assert table(read_geojson, data).rules == [(1, "feature"), (1, "feature")]


@pytest.mark.parametrize("name", ["cities.ogr.geojson", "cities.ogr.geojsons"])
def test_gdal(name: str) -> None:
    found = table(read_geojson, FILES / name)
    assert [row["name"] for row in found.rows] == ["Köln", 'Sankt "Peter", Ort', "München 🍺"]
    assert [row["share"] for row in found.rows] == ["0.10", "1.50", ""]
    assert found.rows[1]["geometry"] == '{"type":"Point","coordinates":[8.65,54.3]}'
