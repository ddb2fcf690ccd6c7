"""Files as offices outside Europe, and international ones, publish them."""

from tests.dirty.awkward import Awkward, lines

WORLD_BANK = Awkward(
    "World Bank: a mark, four lines above, years as names, a comma behind every row",
    b'\xef\xbb\xbf"Data Source","World Development Indicators",\r\n\r\n"Last Updated Date","2024-03-28",\r\n\r\n'
    b'"Country Name","Country Code","Indicator Name","Indicator Code","1960","1961",\r\n'
    b'"Aruba","ABW","Population, total","SP.POP.TOTL","54608","55811",\r\n'
    b'"Africa Eastern and Southern","AFE","Population, total","SP.POP.TOTL","130692579","134169237",\r\n'
    b'"Kosovo","XKX","Population, total","SP.POP.TOTL","947000","",\r\n',
    ("Country Name", "Country Code", "Indicator Name", "Indicator Code", "1960", "1961", ""),
    {
        6: ("Aruba", "ABW", "Population, total", "SP.POP.TOTL", "54608", "55811", ""),
        7: ("Africa Eastern and Southern", "AFE", "Population, total", "SP.POP.TOTL", "130692579", "134169237", ""),
        8: ("Kosovo", "XKX", "Population, total", "SP.POP.TOTL", "947000", "", ""),
    },
)

UN_DATA = Awkward(
    "UNdata: a table of footnotes below",
    b'"Country or Area","Year","Variant","Value","Value Footnotes"\n'
    b'"Afghanistan","2019","Medium","38041.757","1"\n'
    b'"Albania","2019","Medium","2880.913",""\n'
    b'"Algeria","2019","Medium","43053.054","1,2"\n'
    b"\n"
    b'"footnoteSeqID","Footnote"\n'
    b'"1","Final figure, complete."\n'
    b'"2","Data refer to 1 July."\n',
    ("Country or Area", "Year", "Variant", "Value", "Value Footnotes"),
    {
        2: ("Afghanistan", "2019", "Medium", "38041.757", "1"),
        3: ("Albania", "2019", "Medium", "2880.913", ""),
        4: ("Algeria", "2019", "Medium", "43053.054", "1,2"),
    },
    {6: '"footnoteSeqID","Footnote"', 7: '"1","Final figure, complete."', 8: '"2","Data refer to 1 July."'},
)

US_CENSUS = Awkward(
    "US Census Bureau: a row of codes and a row of descriptions above the data",
    b'"GEO_ID","NAME","B01003_001E","B01003_001M"\n'
    b'"Geography","Geographic Area Name","Estimate!!Total","Margin of Error!!Total"\n'
    b'"0400000US01","Alabama","4903185","*****"\n'
    b'"0400000US02","Alaska","731545","*****"\n'
    b'"0400000US04","Arizona","7278717","*****"\n',
    (
        "GEO_ID Geography",
        "NAME Geographic Area Name",
        "B01003_001E Estimate!!Total",
        "B01003_001M Margin of Error!!Total",
    ),
    {
        3: ("0400000US01", "Alabama", "4903185", "*****"),
        4: ("0400000US02", "Alaska", "731545", "*****"),
        5: ("0400000US04", "Arizona", "7278717", "*****"),
    },
)

STATCAN = Awkward(
    "Statistics Canada: a mark, everything in quotes",
    b'\xef\xbb\xbf"REF_DATE","GEO","DGUID","UOM","VECTOR","COORDINATE","VALUE","STATUS","DECIMALS"\n'
    b'"2020","Canada","2016A000011124","Persons","v466668","1.1","38007166","","0"\n'
    b'"2020","Newfoundland and Labrador","2016A000210","Persons","v466983","2.1","","..","0"\n'
    b'"2020","Qu\xc3\xa9bec","2016A000224","Persons","v467613","6.1","8575779","p","0"\n',
    ("REF_DATE", "GEO", "DGUID", "UOM", "VECTOR", "COORDINATE", "VALUE", "STATUS", "DECIMALS"),
    lines(
        2,
        "2020|Canada|2016A000011124|Persons|v466668|1.1|38007166||0",
        "2020|Newfoundland and Labrador|2016A000210|Persons|v466983|2.1||..|0",
        "2020|Québec|2016A000224|Persons|v467613|6.1|8575779|p|0",
        by="|",
    ),
)

E_STAT = Awkward(
    "e-Stat, Japan: Shift-JIS, a title of its own cells above",
    '"人口推計 都道府県別人口","","",""\r\n"","","",""\r\n"都道府県","総人口","男","女"\r\n'
    '"北海道","5224614","2464999","2759615"\r\n"青森県","1237984","583402","654582"\r\n'
    '"岩手県","1210534","582952","627582"\r\n"東京都","14047594","6898388","7149206"\r\n'.encode("cp932"),
    ("都道府県", "総人口", "男", "女"),
    lines(
        4,
        "北海道|5224614|2464999|2759615",
        "青森県|1237984|583402|654582",
        "岩手県|1210534|582952|627582",
        "東京都|14047594|6898388|7149206",
        by="|",
    ),
)

IBGE = Awkward(
    "IBGE SIDRA, Brazil: titles, source below, decimal commas",
    '"Tabela 6579 - População residente estimada";;\r\n"Variável - População residente estimada (Pessoas)";;\r\n'
    '"Município";"2020";"2021"\r\n"Alta Floresta D\'Oeste (RO)";22728;22516\r\n"Ariquemes (RO)";109523;111148\r\n'
    '"São Paulo (SP)";12325232;12396372\r\n"Fonte: IBGE - Estimativas de População";;\r\n'.encode("cp1252"),
    ("Município", "2020", "2021"),
    lines(
        4,
        "Alta Floresta D'Oeste (RO);22728;22516",
        "Ariquemes (RO);109523;111148",
        "São Paulo (SP);12325232;12396372",
        by=";",
    ),
    {7: "Fonte: IBGE"},
)

IMF_WEO = Awkward(
    "IMF World Economic Outlook: called .xls, is UTF-16 with tabs, a line of copyright below",
    "Country\tSubject Descriptor\tUnits\t2022\t2023\r\n"
    "France\tGross domestic product\tBillions\t2,797.980\t3,031.779\r\n"
    "Côte d'Ivoire\tGross domestic product\tBillions\t70.178\tn/a\r\n"
    "Türkiye\tGross domestic product\tBillions\t907.118\t--\r\n\r\n"
    "International Monetary Fund, World Economic Outlook Database, April 2024\r\n".encode("utf-16"),
    ("Country", "Subject Descriptor", "Units", "2022", "2023"),
    lines(
        2,
        "France|Gross domestic product|Billions|2,797.980|3,031.779",
        "Côte d'Ivoire|Gross domestic product|Billions|70.178|n/a",
        "Türkiye|Gross domestic product|Billions|907.118|--",
        by="|",
    ),
    {6: "International Monetary Fund"},
)

BLS = Awkward(
    "US Bureau of Labor Statistics: tabs, and cells padded with spaces",
    b"series_id        \tyear\tperiod\t       value\tfootnote_codes\r\nLNS11000000      \t1948\tM01\t       60095\t\r\n"
    b"LNS11000000      \t1948\tM02\t       60524\t\r\nLNS11000000      \t1948\tM03\t           -\tX\r\n",
    ("series_id        ", "year", "period", "       value", "footnote_codes"),
    {
        2: ("LNS11000000      ", "1948", "M01", "       60095", ""),
        3: ("LNS11000000      ", "1948", "M02", "       60524", ""),
        4: ("LNS11000000      ", "1948", "M03", "           -", "X"),
    },
)

OECD = Awkward(
    "OECD.Stat: codes and labels side by side, flags at the end",
    b'"LOCATION","Country","TIME","Time","Unit Code","Value","Flag Codes","Flags"\r\n'
    b'"AUS","Australia","2019","2019","USD",51036.6,,\r\n'
    b'"AUT","Austria","2019","2019","USD",59702.5,"P","Provisional value"\r\n'
    b'"BEL","Belgium","2019","2019","USD",,"M","Missing value; data cannot exist"\r\n',
    ("LOCATION", "Country", "TIME", "Time", "Unit Code", "Value", "Flag Codes", "Flags"),
    lines(
        2,
        "AUS|Australia|2019|2019|USD|51036.6||",
        "AUT|Austria|2019|2019|USD|59702.5|P|Provisional value",
        "BEL|Belgium|2019|2019|USD||M|Missing value; data cannot exist",
        by="|",
    ),
)

WORLD = (
    WORLD_BANK,
    UN_DATA,
    US_CENSUS,
    STATCAN,
    E_STAT,
    IBGE,
    IMF_WEO,
    BLS,
    OECD,
)
