"""Sheets, written here as the few files that make a workbook."""

import gzip
import sys
from xml.sax.saxutils import escape

import pytest

from tests.recipes.pipeline.datasets.readers.tables import (
    opened,
    read,
    refused,
    write_zip,
)

pytest.importorskip("python_calamine")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
DAY = "day"  # an Excel date: 43861 is 2020-01-31


def write_cell(place, value):
    if isinstance(value, tuple):
        return f'<c r="{place}" s="1"><v>{value[1]}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def write_sheet(rows):
    lines = [
        f'<row r="{number}">'
        + "".join(
            write_cell(f"{chr(65 + column)}{number}", value)
            for column, value in enumerate(row)
            if value is not None
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    ]
    data = "".join(lines)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'


def write_book(path, hidden=(), **sheets):
    kind = f'Type="{OFFICE}/worksheet"'
    entries = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="r{i}" '
        f'state="{"hidden" if name in hidden else "visible"}"/>'
        for i, name in enumerate(sheets, 1)
    )
    links = "".join(
        f'<Relationship Id="r{i}" {kind} Target="worksheets/s{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    styles = (
        f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/>'
        "</cellXfs></styleSheet>"
    )
    return write_zip(
        path,
        **{
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r0" '
            f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
            f"<sheets>{entries}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{links}'
            f'<Relationship Id="r0" Type="{OFFICE}/styles" Target="styles.xml"/>'
            "</Relationships>",
            "xl/styles.xml": styles,
            **{
                f"xl/worksheets/s{i}.xml": write_sheet(rows)
                for i, rows in enumerate(sheets.values(), 1)
            },
        },
    )


ROWS = [
    [],
    ["area", None, "district", "built", "let", "mixed"],
    [38, None, "north", (DAY, 43861), True, 3],
    [],
    [51.5, None, None, (DAY, 43861.5), False, "a"],
]


@pytest.mark.parametrize("name", ["flats.xlsx", "flats", "flats.dat"])
def test_a_sheet(tmp_path, name):
    path = write_book(tmp_path / name, flats=ROWS)
    table = opened(path)
    assert table.name == "flats" and table.header and table.notes == ()
    assert table.where == f"{path}, sheet 'flats'"
    assert table.names == ("area", "district", "built", "let", "mixed")
    types = dict.fromkeys(table.names, "text") | {"area": "number"}
    assert read(table, **types) == {
        "area": [38.0, 51.5],
        "district": ["north", None],
        "built": ["2020-01-31 00:00:00", "2020-01-31 12:00:00"],
        "let": ["True", "False"],
        "mixed": ["3", "a"],
    }
    assert table.locate("area", "38") == "row 3"
    assert table.locate("mixed", "a") == "row 5"


def test_days(tmp_path):
    path = write_book(tmp_path / "d.xlsx", s=[["built"], [(DAY, 43861)]])
    assert read(opened(path), built="text") == {"built": ["2020-01-31"]}


def test_the_first_sheet_with_rows_that_is_not_hidden(tmp_path):
    sheets = {"lookup": [["x"], [1]], "empty": [], "a": ROWS, "b": ROWS}
    path = write_book(tmp_path / "d.xlsx", hidden=["lookup"], **sheets)
    table = opened(path)
    assert table.where.endswith("sheet 'a'")
    assert table.notes == ("of the sheets, 'a' is read; left out: 'b'",)


def test_numbers_without_a_header(tmp_path):
    path = write_book(tmp_path / "d.xlsx", s=[[1, 2], [3, 4]])
    table = opened(path)
    assert not table.header
    assert read(table, x1="number", x2="number") == {"x1": [1, 3], "x2": [2, 4]}
    assert table.locate("x2", "4") == "row 2"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", 2020], [1, 2]], "the first row holds texts and numbers"),
        ([["a", None], [1, 2]], "column 2 has no name"),
        ([["a", "a"], [1, 2]], "two columns are called 'a'"),
        ([], "has no sheet with rows"),
    ],
)
def test_wrong_sheets(tmp_path, rows, message):
    path = write_book(tmp_path / "d.xlsx", s=rows)
    assert message in refused(path)


def test_no_rows(tmp_path):
    table = opened(write_book(tmp_path / "d.xlsx", s=[["a", "b"]]))
    assert table.names == ("a", "b")
    assert table.read_head().num_rows == 0


def test_damaged_and_compressed(tmp_path):
    content = write_book(tmp_path / "d.xlsx", s=ROWS).read_bytes()
    packed = tmp_path / "d.xlsx.gz"
    packed.write_bytes(gzip.compress(content))
    assert read(opened(packed), area="number") == {"area": [38.0, 51.5]}
    path = tmp_path / "d.xlsx"
    path.write_bytes(content[: len(content) // 2])
    assert f"{path} is damaged or no spreadsheet" in refused(path)


def test_without_the_package(tmp_path, monkeypatch):
    path = write_book(tmp_path / "d.xlsx", s=ROWS)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    assert "descent-recipes[xlsx]" in refused(path)


def test_an_open_document(tmp_path):
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    cells = [
        '<table:table-cell office:value-type="string"><text:p>area</text:p>'
        "</table:table-cell>",
        '<table:table-cell office:value-type="float" office:value="38.5"/>',
    ]
    rows = "".join(f"<table:table-row>{cell}</table:table-row>" for cell in cells)
    spaces = "".join(
        f' xmlns:{name}="{urn}:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content{spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="flats">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    for name in ("flats.ods", "flats"):
        path = tmp_path / name
        members = {"mimetype": mimetype, "META-INF/manifest.xml": "<manifest/>"}
        write_zip(path, **members, **{"content.xml": content})
        assert read(opened(path), area="number") == {"area": [38.5]}
