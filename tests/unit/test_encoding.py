"""Any file is read as UTF-8: its encoding is found, its lines stay as they are, and damaged ones are named."""

import codecs
from pathlib import Path

import pytest

from ingestion.found import Source
from ingestion.options import ReadOptions
from ingestion.refusal import FileRefused
from ingestion.text import encoding as module
from ingestion.text.encoding import Text, as_utf8

GERMAN = "Die Größe der Fläche beträgt für Österreich ungefähr Köln München Düsseldorf Straße"
FRENCH = "Île-de-France Rhône-Alpes Provence-Alpes-Côte d'Azur élève été français Nîmes Orléans"
SPANISH = "España Málaga Córdoba Cádiz Jaén Almería población año señal niños"
SWEDISH = "Malmö Göteborg Örebro Västerås Jönköping Umeå Luleå Gävle Skåne"
POLISH = "Łódź Gdańsk Kraków Poznań Wrocław Częstochowa Białystok Rzeszów Toruń śląskie świętokrzyskie"
CZECH = "Plzeň Ústí nad Labem Hradec Králové České Budějovice Zlín kraj Vysočina Děčín Karviná Třinec"
HUNGARIAN = "Győr Székesfehérvár Kecskemét Nyíregyháza Békéscsaba Hódmezővásárhely Szőlős Fűzfő"
TURKISH = "İstanbul İzmir Diyarbakır Şanlıurfa Eskişehir Muğla Kırşehir Iğdır Ağrı Çanakkale nüfus"
LATVIAN = "Rīga Liepāja Jēkabpils Rēzekne Ventspils iedzīvotāju skaits pašvaldība"
RUSSIAN = "Москва Санкт-Петербург Новосибирск Екатеринбург Казань область население район"
GREEK = "Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα πληθυσμός περιφέρεια"
JAPANESE = "東京都 大阪府 人口 世帯数 北海道 名古屋市"


def table(words: str) -> str:
    rows = (f"{number};{word};{number * 37 % 101},5\r\n" for number, word in enumerate(words.split()))
    return "id;name;value\r\n" + "".join(rows)


def read(folder: Path, data: bytes, encoding: str | None = None) -> Text:
    path = folder / "landed"
    path.write_bytes(data)
    return as_utf8(Source(path, "table.csv", folder, ReadOptions(encoding=encoding)))


def content(text: Text) -> str:
    return text.path.read_bytes()[text.begin :].decode("utf-8")


@pytest.mark.parametrize(
    ("words", "encodings"),
    [
        (GERMAN, ["cp1252", "iso-8859-1", "iso-8859-15", "cp850", "mac_roman"]),
        (FRENCH, ["cp1252", "iso-8859-15", "mac_roman"]),
        (SPANISH, ["cp1252"]),
        (SWEDISH, ["cp1252", "iso-8859-1"]),
        (POLISH, ["cp1250", "iso-8859-2"]),
        (CZECH, ["cp1250"]),
        (HUNGARIAN, ["cp1250", "iso-8859-2"]),
        (TURKISH, ["cp1254", "iso-8859-9"]),
        (LATVIAN, ["cp1257", "iso-8859-13"]),
        (RUSSIAN, ["cp1251", "koi8-r", "iso-8859-5", "cp866"]),
        (GREEK, ["cp1253", "iso-8859-7"]),
        (JAPANESE, ["shift_jis", "euc_jp"]),
    ],
)
def test_a_code_page_is_told_by_its_letters_and_said(tmp_path: Path, words: str, encodings: list[str]) -> None:
    for encoding in encodings:
        text = read(tmp_path, table(words).encode(encoding))
        assert content(text) == table(words), encoding
        assert (text.bad_lines[:], "code page" in text.notices[0]) == (text.bad_lines[:0], True)


def test_control_characters_as_delimiters_do_not_hide_the_code_page(tmp_path: Path) -> None:
    wanted = table(GREEK).replace(";", "\x01")
    assert content(read(tmp_path, wanted.encode("cp1253"))) == wanted


@pytest.mark.parametrize("end", ["\r", "\n"])
def test_lines_without_letters_do_not_hide_the_code_page(tmp_path: Path, end: str) -> None:
    text = end.join(["a|πληθυσμός|τιμή|", *30 * ["E114|E139|2005|2020"]])
    assert content(read(tmp_path, text.encode("cp1253"))) == text


def test_a_code_page_that_would_swallow_delimiters_is_none(tmp_path: Path) -> None:
    """By its frequencies it is Big5, where a Greek letter and the delimiter behind it are one letter."""
    greek = b"A200\xd2~no~17~2776,8~" + "Κρήτη~2010M11\n".encode("cp1253")
    data = greek + b"C167~no~51~14801,3~NA~2010M11\n" * 3
    assert len(content(read(tmp_path, data))) == len(data), "each byte is a letter"


@pytest.mark.parametrize("delimiter", [",", "|", "\t"])
@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp932", "データ,ポイントカードのミスとタイプの説明です。,東京都"),
        ("big5", "資料,臺北市政府資料開放平臺的統計功能,臺灣"),
        ("gb18030", "資料,臺北市政府資料開放平臺的統計功能,臺灣"),
        ("gb18030", "数据,北京市统计局人口普查资料,上海"),
    ],
)
def test_letters_whose_second_half_looks_like_a_delimiter_are_letters(
    tmp_path: Path, encoding: str, words: str, delimiter: str
) -> None:
    text = "".join(f"{number},{words}\n".replace(",", delimiter) for number in range(40))
    assert content(read(tmp_path, text.encode(encoding))) == text


@pytest.mark.parametrize("words", ["", GERMAN, RUSSIAN, GREEK, POLISH])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_told_with_and_without_a_mark(tmp_path: Path, words: str, encoding: str) -> None:
    text = read(tmp_path, table(words).encode(encoding))
    assert content(text) == table(words)
    assert (text.bom, text.encoding.startswith(encoding), text.begin) == (len(encoding) == 6, True, 0)


def test_a_nul_does_not_hide_a_wide_encoding(tmp_path: Path) -> None:
    wanted = "id\n\0\n" + "0\n" * 12
    assert content(read(tmp_path, wanted.encode("utf-16-le"))) == wanted
    assert read(tmp_path, b"a,b\n1,\0\n2,3\n").path == tmp_path / "landed"


def test_a_big_endian_mark_is_known(tmp_path: Path) -> None:
    assert content(read(tmp_path, codecs.BOM_UTF16_BE + "é,b\n".encode("utf-16-be"))) == "é,b\n"
    assert content(read(tmp_path, codecs.BOM_UTF32_BE + "é,b\n".encode("utf-32-be"))) == "é,b\n"


@pytest.mark.parametrize("words", ["", "é", GERMAN, RUSSIAN, JAPANESE, "𝔘𝔫𝔦"])
def test_utf8_is_read_where_it_is(tmp_path: Path, words: str) -> None:
    assert read(tmp_path, words.encode()) == Text(tmp_path / "landed")
    marked = read(tmp_path, words.encode("utf-8-sig"))
    assert (marked.path, marked.bom, marked.begin, content(marked)) == (tmp_path / "landed", True, 3, words)


def test_cuts_between_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = "a,é\r\n€,𝔘\r\nx\ry\n" * 3
    for size in range(1, 12):
        monkeypatch.setattr(module, "_CHUNK_BYTES", size)
        assert read(tmp_path, wanted.encode()).path == tmp_path / "landed"
        assert content(read(tmp_path, wanted.encode("utf-16"))) == wanted
        assert content(read(tmp_path, wanted.encode("gb18030"), "gb18030")) == wanted
        damaged = read(tmp_path, b"\xe9\r\n" + wanted.encode() + b"a\xffb\xfe\r\n\r\n\xc3")
        assert content(damaged) == "\\xE9\r\n" + wanted + "a\\xFFb\\xFE\r\n\r\n\\xC3"
        assert list(damaged.bad_lines) == [1, 14, 16]


def test_one_odd_byte_after_five_megabytes_is_found_and_its_line_known(tmp_path: Path) -> None:
    rows = "1;Größe;3\r\n" * 500_000
    text = read(tmp_path, rows.encode() + b"2;Gr\xf6\xdfe;4\r\n" + rows.encode())
    assert (text.encoding, list(text.bad_lines)) == ("utf-8", [500_001])
    assert content(text) == rows + "2;Gr\\xF6\\xDFe;4\r\n" + rows
    assert text.notices == ("line 500001 holds bytes that are not UTF-8: their records are set aside",)


def test_spaces_within_numbers_do_not_hide_the_code_page(tmp_path: Path) -> None:
    rows = "".join(f"{number}\u00a0736,8\t3\u00a0442,6\r" for number in range(2, 20))
    assert read(tmp_path, f"Доля\tзначение\r{rows}".encode("cp1251")).encoding == "cp1251"


def test_spaces_within_numbers_are_no_other_character(tmp_path: Path) -> None:
    text = "ludność::wartość\n8\u00a0400,0::32.2\n15\u00a0541,3::1.8\n" + 'ludność::Total\n"a\nb"::rok::wartość\n'
    assert content(read(tmp_path, text.encode("iso-8859-2"))).count("\u00a0") == 2


def test_a_letter_of_four_bytes_is_no_space_in_a_number(tmp_path: Path) -> None:
    """Its second and fourth bytes are digits, and its third one is the no-break space of other code pages."""
    text = "编号,名称,说明\n" + "".join(f"{number},北京市统计局,人口普查资料\u01d7数据\n" for number in range(50))
    assert "\u01d7".encode("gb18030") == b"\x810\xa00"
    assert content(read(tmp_path, text.encode("gb18030"))) == text


def test_one_odd_byte_in_plain_ascii_is_taken_for_a_code_page(tmp_path: Path) -> None:
    rows = "1;abc;3\n" * 700_000
    text = read(tmp_path, rows.encode() + b"2;caf\xe9;4\n")
    assert content(text) == rows + "2;café;4\n"
    assert text.notices == ("the file is not UTF-8: it is read in the code page cp1252, a guess",)


@pytest.mark.parametrize("bad", [b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"])
def test_what_is_no_utf8_is_made_legible(tmp_path: Path, bad: bytes) -> None:
    text = read(tmp_path, "ä,ö,ü,ß,é\n".encode() + b'1,"' + bad + b'"\n')
    assert content(text) == 'ä,ö,ü,ß,é\n1,"' + "".join(f"\\x{byte:02X}" for byte in bad) + '"\n'
    assert list(text.bad_lines) == [2]


def test_lines_end_in_any_way(tmp_path: Path) -> None:
    text = read(tmp_path, "ä\räää\r\nää\n".encode() + b"\xff\r\r\n\xff\xff\n\n\r\xff")
    assert list(text.bad_lines) == [4, 6, 9]


def test_the_euro_sign_of_iso_8859_15_is_kept(tmp_path: Path) -> None:
    text = read(tmp_path, "Größe;Preis\n1;5 €\n".encode("iso-8859-15"))
    assert (text.encoding, content(text)) == ("iso8859-15", "Größe;Preis\n1;5 €\n")


def test_punctuation_of_windows_is_western(tmp_path: Path) -> None:
    for words in ("5 – 6", "l’été „gut“ …", "5 € ± 3 % 20° §4 m² ½"):
        text = read(tmp_path, words.encode("cp1252"))
        assert (text.encoding, content(text)) == ("cp1252", words)


def test_a_byte_that_the_code_page_lacks_costs_its_line_only(tmp_path: Path) -> None:
    text = read(tmp_path, table(GERMAN).encode("cp1252") + b"99;\x81;1\r\n")
    assert (text.encoding, list(text.bad_lines)) == ("cp1252", [14])


def test_a_pinned_encoding_is_not_judged(tmp_path: Path) -> None:
    assert content(read(tmp_path, b"\xe4\n", "cp1251")) == "д\n"
    assert content(read(tmp_path, "д\n".encode(), "utf-8-sig")) == "д\n"
    ascii_only = read(tmp_path, "a\nд\n".encode(), "ascii")
    assert (content(ascii_only), list(ascii_only.bad_lines)) == ("a\n\\xD0\\xB4\n", [2])
    lone = read(tmp_path, "a\n".encode("utf-16-le") + b"\x00\xd8\n\x00b\x00", "utf-16-le")
    assert (content(lone), list(lone.bad_lines)) == ("a\n\\x00\\xD8\nb", [2])


def test_a_mark_is_believed_before_a_pin_and_said(tmp_path: Path) -> None:
    text = read(tmp_path, "é".encode("utf-8-sig"), "cp1252")
    assert (content(text), text.encoding) == ("é", "utf-8")
    assert text.notices == ("the file begins with the mark of UTF-8 and is read so, not as cp1252",)
    assert read(tmp_path, "é".encode("utf-16"), "utf-16").notices == ()
    assert read(tmp_path, "é".encode("utf-8-sig"), "UTF8").notices == ()


@pytest.mark.parametrize("pinned", ["klingon", "base64", "rot13"])
def test_an_unknown_pin_is_refused(tmp_path: Path, pinned: str) -> None:
    with pytest.raises(FileRefused, match=f"lake.toml pins the encoding '{pinned}'") as refused:
        read(tmp_path, b"a", pinned)
    assert refused.value.rule == "encoding"


def test_more_damage_than_memory_should_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BAD_LINES_MAX", 3)
    good = "ä".encode() * 10
    assert len(read(tmp_path, good + b"\xff\n" * 3).bad_lines) == 3
    with pytest.raises(FileRefused, match="pin `encoding`"):
        read(tmp_path, good + b"\xff\n" * 4)
