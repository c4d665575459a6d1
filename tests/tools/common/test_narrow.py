from tools.common.narrow import narrow

TEXT = """Before

| defence | clean | attacked |
|---|---|---|
| none | 98.2 % | 13.3 % |
| mask of zones |  | 60.0 % |

After"""


def test_a_table_that_fits_has_aligned_columns() -> None:
    assert narrow(TEXT, 80).splitlines() == [
        *("Before", "", "defence        clean   attacked", "none           98.2 %  13.3 %"),
        *("mask of zones          60.0 %", "", "After"),
    ]


def test_a_table_that_does_not_fit_is_told_row_by_row() -> None:
    assert narrow(TEXT, 30).splitlines() == [
        *("Before", "", "none", "  clean: 98.2 %", "  attacked: 13.3 %"),
        *("mask of zones", "  attacked: 60.0 %", "", "After"),
    ]
