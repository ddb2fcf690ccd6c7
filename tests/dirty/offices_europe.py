"""Files as Europe's offices publish them."""

from ingestion.options import ReadOptions
from tests.dirty.awkward import Awkward, lines

EUROSTAT_TSV = Awkward(
    "Eurostat, TSV of the bulk download: years are names, flags stand behind numbers",
    b"unit,sex,geo\\time\t2021 \t2020 \t2019 \n"
    b"NR,T,AT\t8932664 \t8901064 \t8858775 \n"
    b"NR,T,BE\t11554767 \t11522440 b\t11455519 p\n"
    b"NR,T,BG\t6916548 \t: \t7000039 \n"
    b"NR,T,XK\t: \t1782115 e\t: z\n",
    ("unit,sex,geo\\time", "2021 ", "2020 ", "2019 "),
    {
        2: ("NR,T,AT", "8932664 ", "8901064 ", "8858775 "),
        3: ("NR,T,BE", "11554767 ", "11522440 b", "11455519 p"),
        4: ("NR,T,BG", "6916548 ", ": ", "7000039 "),
        5: ("NR,T,XK", ": ", "1782115 e", ": z"),
    },
)

EUROSTAT_SDMX = Awkward(
    "Eurostat, SDMX-CSV 1.0",
    b"DATAFLOW,LAST UPDATE,freq,unit,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG\r\n"
    b"ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,AT,2020,8901064,\r\n"
    b"ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,BE,2020,11522440,b\r\n"
    b"ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,XK,2020,,:\r\n",
    ("DATAFLOW", "LAST UPDATE", "freq", "unit", "geo", "TIME_PERIOD", "OBS_VALUE", "OBS_FLAG"),
    lines(
        2,
        "ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,AT,2020,8901064,",
        "ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,BE,2020,11522440,b",
        "ESTAT:DEMO_PJAN(1.0),14/03/24 23:00:00,A,NR,XK,2020,,:",
        by=",",
    ),
)

GENESIS_FLAT = Awkward(
    "Destatis GENESIS, flat CSV",
    "Statistik_Code;Statistik_Label;Zeit;1_Auspraegung_Label;BEV036__Bevölkerung__Anzahl\r\n"
    "12411;Fortschreibung des Bevölkerungsstandes;31.12.2021;Baden-Württemberg;11124642\r\n"
    "12411;Fortschreibung des Bevölkerungsstandes;31.12.2021;Thüringen;2108863\r\n"
    "12411;Fortschreibung des Bevölkerungsstandes;31.12.2022;Baden-Württemberg;-\r\n".encode("cp1252"),
    ("Statistik_Code", "Statistik_Label", "Zeit", "1_Auspraegung_Label", "BEV036__Bevölkerung__Anzahl"),
    lines(
        2,
        "12411;Fortschreibung des Bevölkerungsstandes;31.12.2021;Baden-Württemberg;11124642",
        "12411;Fortschreibung des Bevölkerungsstandes;31.12.2021;Thüringen;2108863",
        "12411;Fortschreibung des Bevölkerungsstandes;31.12.2022;Baden-Württemberg;-",
        by=";",
    ),
)

GENESIS_PIVOT = Awkward(
    "Destatis GENESIS, table CSV: titles above, days as names, a rule and a copyright below",
    "GENESIS-Tabelle: 12411-0010\r\n"
    "Bevölkerung: Bundesländer, Stichtag;;;\r\n"
    "Fortschreibung des Bevölkerungsstandes;;;\r\n"
    "Bevölkerungsstand (Anzahl);;;\r\n"
    ";31.12.2020;31.12.2021;31.12.2022\r\n"
    "Baden-Württemberg;11103043;11124642;11280257\r\n"
    "Bayern;13140183;13176989;13369393\r\n"
    "Thüringen;2120237;2108863;2126846\r\n"
    "__________\r\n"
    "Fortschreibung auf Basis des Zensus 2011.\r\n"
    "© Statistisches Bundesamt (Destatis), 2023\r\n"
    "Stand: 12.05.2023 / 10:11:12\r\n".encode("cp1252"),
    ("", "31.12.2020", "31.12.2021", "31.12.2022"),
    lines(
        6,
        "Baden-Württemberg;11103043;11124642;11280257",
        "Bayern;13140183;13176989;13369393",
        "Thüringen;2120237;2108863;2126846",
        by=";",
    ),
    {
        9: "__________",
        10: "Fortschreibung auf Basis des Zensus 2011.",
        11: "© Statistisches Bundesamt (Destatis), 2023",
        12: "Stand: 12.05.2023 / 10:11:12",
    },
)

INSEE = Awkward(
    "INSEE, legal populations: semicolons, apostrophes in names",
    "CODGEO;LIBGEO;P20_POP\n01001;L'Abergement-Clémenciat;806\n01002;L'Abergement-de-Varey;262\n"
    "2A004;Ajaccio;71361\n75056;Paris;2145906\n".encode(),
    ("CODGEO", "LIBGEO", "P20_POP"),
    lines(
        2,
        "01001;L'Abergement-Clémenciat;806",
        "01002;L'Abergement-de-Varey;262",
        "2A004;Ajaccio;71361",
        "75056;Paris;2145906",
        by=";",
    ),
)

ONS_SERIES = Awkward(
    "ONS, time series: seven rows above the data",
    b'"Title","CPI INDEX 00: ALL ITEMS 2015=100","CPI WEIGHTS 00: ALL ITEMS"\n"CDID","D7BT","CHZQ"\n'
    b'"PreUnit","",""\n"Unit","Index, base year = 100","Parts per 1000"\n'
    b'"Release Date","17-07-2024","17-07-2024"\n"Next release","14 August 2024","14 August 2024"\n'
    b'"Important Notes","",""\n"1988","47.9","1000.0"\n"1989","50.4","1000.0"\n"1990","53.9","1000.0"\n'
    b'"1988 Q1","47.1",""\n"1988 Q2","47.9",""\n"1988 JAN","46.9",""\n"1988 FEB","47.1",""\n"1988 MAR","47.3",""\n',
    None,
    {
        8: ("1988", "47.9", "1000.0"),
        9: ("1989", "50.4", "1000.0"),
        10: ("1990", "53.9", "1000.0"),
        11: ("1988 Q1", "47.1", ""),
        12: ("1988 Q2", "47.9", ""),
        13: ("1988 JAN", "46.9", ""),
        14: ("1988 FEB", "47.1", ""),
        15: ("1988 MAR", "47.3", ""),
    },
)

ECB = Awkward(
    "ECB, SDMX-CSV: titles with commas in quotes",
    b"KEY,FREQ,CURRENCY,CURRENCY_DENOM,TIME_PERIOD,OBS_VALUE,OBS_STATUS,TITLE,TITLE_COMPL\r\n"
    b'EXR.M.USD.EUR.SP00.A,M,USD,EUR,2024-01,1.0905,A,US dollar/Euro,"ECB reference exchange rate, US dollar/Euro"\r\n'
    b'EXR.M.USD.EUR.SP00.A,M,USD,EUR,2024-02,1.0795,A,US dollar/Euro,"ECB reference exchange rate, US dollar/Euro"\r\n',
    ("KEY", "FREQ", "CURRENCY", "CURRENCY_DENOM", "TIME_PERIOD", "OBS_VALUE", "OBS_STATUS", "TITLE", "TITLE_COMPL"),
    {
        line: (
            *("EXR.M.USD.EUR.SP00.A", "M", "USD", "EUR", month, rate, "A", "US dollar/Euro"),
            "ECB reference exchange rate, US dollar/Euro",
        )
        for line, month, rate in ((2, "2024-01", "1.0905"), (3, "2024-02", "1.0795"))
    },
)

GUS = Awkward(
    "Statistics Poland: cp1250, a semicolon behind every row",
    "Kod;Nazwa;ogółem;mężczyźni;kobiety;\r\n0200000;DOLNOŚLĄSKIE;2891321;1387364;1503957;\r\n"
    "0400000;KUJAWSKO-POMORSKIE;2061942;999140;1062802;\r\n1000000;ŁÓDZKIE;2437970;1162008;1275962;\r\n"
    "2600000;ŚWIĘTOKRZYSKIE;1224626;597168;627458;\r\n".encode("cp1250"),
    ("Kod", "Nazwa", "ogółem", "mężczyźni", "kobiety", ""),
    lines(
        2,
        "0200000;DOLNOŚLĄSKIE;2891321;1387364;1503957;",
        "0400000;KUJAWSKO-POMORSKIE;2061942;999140;1062802;",
        "1000000;ŁÓDZKIE;2437970;1162008;1275962;",
        "2600000;ŚWIĘTOKRZYSKIE;1224626;597168;627458;",
        by=";",
    ),
)

ELSTAT = Awkward(
    "Hellenic Statistical Authority: cp1253, decimal commas",
    "Περιφέρεια;Έτος;Πληθυσμός;Ποσοστό\r\nΑττική;2021;3.814.064;36,4\r\nΚεντρική Μακεδονία;2021;1.795.669;17,1\r\n"
    "Θεσσαλία;2021;688.255;6,6\r\nΚρήτη;2021;624.408;6,0\r\nΉπειρος;2021;319.991;3,1\r\n".encode("cp1253"),
    ("Περιφέρεια", "Έτος", "Πληθυσμός", "Ποσοστό"),
    lines(
        2,
        "Αττική;2021;3.814.064;36,4",
        "Κεντρική Μακεδονία;2021;1.795.669;17,1",
        "Θεσσαλία;2021;688.255;6,6",
        "Κρήτη;2021;624.408;6,0",
        "Ήπειρος;2021;319.991;3,1",
        by=";",
    ),
)

ROSSTAT = Awkward(
    "Rosstat: cp1251, a title, thousands by spaces, a footnote",
    "Численность населения по субъектам Российской Федерации;;\r\nСубъект;Год;Население\r\n"
    "Белгородская область;2021;1 541 259\r\nБрянская область;2021;1 182 682\r\nг. Москва;2021;12 655 050\r\n"
    "Псковская область;2021;620 249\r\n1) Предварительные данные\r\n".encode("cp1251"),
    ("Субъект", "Год", "Население"),
    lines(
        3,
        "Белгородская область;2021;1 541 259",
        "Брянская область;2021;1 182 682",
        "г. Москва;2021;12 655 050",
        "Псковская область;2021;620 249",
        by=";",
    ),
    {7: "1) Предварительные данные"},
)

CBS = Awkward(
    "Statistics Netherlands: names padded inside quotes, some begin with an apostrophe",
    b'"ID";"RegioS";"Gemeentenaam";"Perioden";"Bevolking_1"\r\n0;"GM0518  ";"\'s-Gravenhage";"2020JJ00";   545838\r\n'
    b'1;"GM0796  ";"\'s-Hertogenbosch";"2020JJ00";   155490\r\n2;"GM0363  ";"Amsterdam";"2020JJ00";   872757\r\n'
    b'3;"GM0050  ";"Zeewolde";"2020JJ00";       .\r\n',
    ("ID", "RegioS", "Gemeentenaam", "Perioden", "Bevolking_1"),
    {
        2: ("0", "GM0518  ", "'s-Gravenhage", "2020JJ00", "   545838"),
        3: ("1", "GM0796  ", "'s-Hertogenbosch", "2020JJ00", "   155490"),
        4: ("2", "GM0363  ", "Amsterdam", "2020JJ00", "   872757"),
        5: ("3", "GM0050  ", "Zeewolde", "2020JJ00", "       ."),
    },
)

PXWEB = Awkward(
    "PX-Web as in Sweden, Norway and Switzerland: ISO-8859-1, a title, a blank line, years as names",
    '"Folkmängden efter region, kön och år"\r\n\r\n"region";"kön";"2021";"2022";"2023"\r\n'
    '"00 Riket";"män";5260707;5298934;5317423\r\n"00 Riket";"kvinnor";5191619;5222622;5234284\r\n'
    '"14 Västra Götalands län";"män";876742;884057;"..."\r\n'.encode("iso-8859-1"),
    ("region", "kön", "2021", "2022", "2023"),
    lines(
        4,
        "00 Riket;män;5260707;5298934;5317423",
        "00 Riket;kvinnor;5191619;5222622;5234284",
        "14 Västra Götalands län;män;876742;884057;...",
        by=";",
    ),
)

INE = Awkward(
    "INE Spain: a mark, semicolons, points for thousands",
    "Municipios;Sexo;Periodo;Total\r\n44001 Ababuj;Total;2021;77\r\n44002 Abejuela;Total;2021;1.077\r\n"
    "46250 València;Hombres;2021;379.432\r\n".encode("utf-8-sig"),
    ("Municipios", "Sexo", "Periodo", "Total"),
    lines(
        2,
        "44001 Ababuj;Total;2021;77",
        "44002 Abejuela;Total;2021;1.077",
        "46250 València;Hombres;2021;379.432",
        by=";",
    ),
)

NOMIS = Awkward(
    "Nomis: three lines above, a line of notes below",
    b'"Annual Population Survey"\n"ONS Crown Copyright Reserved [from Nomis on 3 May 2024]"\n\n'
    b'"Area","mnemonic","numerator","denominator","percent"\n"Darlington","E06000005","51400","67000","76.7"\n'
    b'"County Durham","E06000047","233700","325200","71.9"\n"Hartlepool","E06000001","38600","57000","67.7"\n\n'
    b'"! Estimate and confidence interval not available"\n',
    ("Area", "mnemonic", "numerator", "denominator", "percent"),
    lines(
        5,
        "Darlington,E06000005,51400,67000,76.7",
        "County Durham,E06000047,233700,325200,71.9",
        "Hartlepool,E06000001,38600,57000,67.7",
        by=",",
    ),
    {9: "! Estimate and confidence interval not available"},
)

CZSO = Awkward(
    "Czech Statistical Office: everything in quotes, cp1250",
    '"idhod","hodnota","uzemi_txt","obdobi"\n"741189681","10524167","Česká republika","2022-12-31"\n'
    '"741189682","1357326","Hlavní město Praha","2022-12-31"\n"741189683","1439391","Středočeský kraj","2022-12-31"\n'
    '"741189684","","Jihočeský kraj","2022-12-31"\n"741189685","603000","Plzeňský kraj","2022-12-31"\n'.encode(
        "cp1250"
    ),
    ("idhod", "hodnota", "uzemi_txt", "obdobi"),
    lines(
        2,
        "741189681|10524167|Česká republika|2022-12-31",
        "741189682|1357326|Hlavní město Praha|2022-12-31",
        "741189683|1439391|Středočeský kraj|2022-12-31",
        "741189684||Jihočeský kraj|2022-12-31",
        "741189685|603000|Plzeňský kraj|2022-12-31",
        by="|",
    ),
)

KSH = Awkward(
    "Hungarian Central Statistical Office: ISO-8859-2, which is pinned; spaces for thousands, decimal commas",
    "Területi egység;Népesség, fő;Arány, %\r\nBudapest;1 706 851;17,6\r\nGyőr-Moson-Sopron;467 144;4,8\r\n"
    "Hajdú-Bihar;527 989;5,4\r\nSzabolcs-Szatmár-Bereg;552 964;5,7\r\nNógrád, Cserhát és Őrség;189 304;1,9\r\n".encode(
        "iso-8859-2"
    ),
    ("Területi egység", "Népesség, fő", "Arány, %"),
    lines(
        2,
        "Budapest;1 706 851;17,6",
        "Győr-Moson-Sopron;467 144;4,8",
        "Hajdú-Bihar;527 989;5,4",
        "Szabolcs-Szatmár-Bereg;552 964;5,7",
        "Nógrád, Cserhát és Őrség;189 304;1,9",
        by=";",
    ),
    options=ReadOptions(encoding="iso-8859-2"),
)

EUROPE = (
    EUROSTAT_TSV,
    EUROSTAT_SDMX,
    GENESIS_FLAT,
    GENESIS_PIVOT,
    INSEE,
    ONS_SERIES,
    ECB,
    GUS,
    ELSTAT,
    ROSSTAT,
    CBS,
    PXWEB,
    INE,
    NOMIS,
    CZSO,
    KSH,
)
