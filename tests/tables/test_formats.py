import csv as standard
import io
import re

import numpy as np
import pandas as pd
import pytest
from helpers.slices import slices

from landscape.errors import InvalidValueError, MissingFileError
from landscape.tables.formats import cells, csv, latex, markdown, note, plain, save, text
from landscape.tables.slices import slice_statistics


def frame(tasks=("a", "a"), names=("sgd", "a_b|c & 5%")):
    made = pd.DataFrame(
        {
            "seed 0 (%)": [98.36999, np.nan],
            "mean (%)": [98.374, 50.0],
            "sd (%)": [0.0321, np.nan],
            "final mean (%)": [97.0, 50.0],
            "steps": [93600.0, 12.4],
            "epochs": ["3 of 3", "1 of 3"],
        },
        pd.MultiIndex.from_tuples(zip(tasks, names, strict=True), names=["task", "optimizer"]),
    )
    made.attrs["note"] = "Best_of 3."
    return made


def test_cells_are_rounded_and_mean_and_sd_are_one():
    header, rows = cells(frame())
    assert header == [
        "optimizer", "seed 0 (%)", "mean ± sd (%)", "final mean (%)", "steps", "epochs"
    ]  # fmt: skip
    assert rows == [
        ["SGD", "98.37", "98.37 ± 0.03", "97.00", "93600", "3 of 3"],
        ["a_b|c & 5%", "–", "50.00", "50.00", "12", "1 of 3"],
    ]


def test_several_tasks_are_a_column_and_one_is_in_the_note():
    header, rows = cells(frame(tasks=("a", "b")))
    assert header[:2] == ["task", "optimizer"]
    assert [row[0] for row in rows] == ["a", "b"]
    assert note(frame(tasks=("a", "b"))) == "Best_of 3."
    assert note(frame()) == "a. Best_of 3."


def test_tasks_and_settings_are_in_words_but_not_in_csv():
    made = frame(tasks=("digits-mlp", "digits-mlp"), names=("sgd, epochs 3", "sgd, epochs 5"))
    assert [row[0] for row in cells(made)[1]] == ["SGD, 3 epochs", "SGD, 5 epochs"]
    assert note(made) == "MLP on digits (digits-mlp). Best_of 3."
    assert 'digits-mlp,"sgd, epochs 3"' in csv(made)
    alike = frame(tasks=("unknown", "unknown"), names=("adam", "torch.adam"))
    assert [row[0] for row in cells(alike)[1]] == ["Adam", "Adam (torch.adam)"]
    assert note(alike) == "unknown. Best_of 3."


def test_csv_has_all_and_unrounded():
    rows = list(standard.DictReader(io.StringIO(csv(frame()))))
    assert rows[0]["task"] == "a"
    assert rows[1]["optimizer"] == "a_b|c & 5%"
    assert float(rows[0]["seed 0 (%)"]) == 98.36999
    assert float(rows[0]["sd (%)"]) == 0.0321
    assert rows[1]["sd (%)"] == ""
    assert "note" not in csv(frame())


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-adam", "@SUM(A1)", "  =1", "＝1", '=cmd|" /C calc"!A0']
)
def test_no_word_of_a_csv_is_a_formula_and_numbers_are_untouched(name):
    made = frame(names=(name, "sgd"))
    made["mean (%)"] = [-98.374, 50.0]
    made["epochs"] = [name, "1 of 3"]
    made = made.rename(columns={"steps": name})
    rows = list(standard.DictReader(io.StringIO(csv(made))))
    assert [rows[0]["optimizer"], rows[0]["epochs"]] == [f"'{name}", f"'{name}"]
    assert rows[0]["mean (%)"] == "-98.374"
    assert float(rows[0][f"'{name}"]) == 93600
    assert rows[1]["optimizer"] == "sgd"


def test_control_characters_are_written_out():
    made = frame(tasks=("t\x1b[2J", "t\x1b[2J"), names=("\x1b[31mred", "\tx\u202e"))
    for written in (csv(made), markdown(made), latex(made), str(cells(made)), note(made)):
        assert not {each for each in written if not each.isprintable()} - {"\n"}
    assert [row[0] for row in cells(made)[1]] == [r"\x1b[31mred", r"\tx\u202e"]


def test_a_dollar_begins_no_formula_in_markdown():
    assert r"| a\$x^2\$ |" in markdown(frame(names=("a$x^2$", "b")))


def test_markdown_is_a_pipe_table():
    lines = markdown(frame()).splitlines()
    assert lines[0].startswith("| optimizer | seed 0 (%) | mean ± sd (%) |")
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[3].startswith(r"| a\_b\|c & 5% | – |")
    assert lines[-1] == r"a. Best\_of 3."
    # As many cells as columns, an escaped bar being none.
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines[:4]} == {7}


def test_latex_is_a_booktabs_table():
    written = latex(frame())
    for part in (
        r"\caption{a. Best\_of 3.}",
        r"\begin{tabular}{lrrrrr}",
        r"optimizer & seed 0 (\%) & mean $\pm$ sd (\%) &",
        r"SGD & 98.37 & 98.37 $\pm$ 0.03 & 97.00 & 93600 & 3 of 3 \\",
        r"a\_b\textbar{}c \& 5\% & -- & 50.00 &",
    ):
        assert part in written
    for rule in ("toprule", "midrule", "bottomrule"):
        assert written.count(rf"\{rule}") == 1
    assert written.isascii()


def test_latex_escapes_all_that_tex_reads():
    written = latex(frame(names=(r"\input{x}~^$#", "<b>\nnew line")))
    assert r"\textbackslash{}input\{x\}\textasciitilde{}\textasciicircum{}\$\#" in written
    assert r"\textless{}b\textgreater{} new line &" in written


@pytest.mark.parametrize(
    ("suffix", "write"), [(".csv", csv), (".md", markdown), (".tex", latex), (".TEX", latex)]
)
def test_the_suffix_says_the_format(tmp_path, suffix, write):
    path = save(frame(), tmp_path / f"a{suffix}")
    assert path.read_text(encoding="utf-8") == write(frame())
    assert list(tmp_path.iterdir()) == [path]


def test_a_format_may_be_named(tmp_path):
    assert save(frame(), tmp_path / "a.txt", "latex").read_text() == latex(frame())
    with pytest.raises(InvalidValueError, match="unknown format 'html'; choose from csv"):
        text(frame(), "html")


def test_bad_paths_write_nothing(tmp_path):
    for name, error, message in (
        ("a.doc", InvalidValueError, r"suffix of a table '\.doc'.*\.csv, \.md, \.tex, \.txt"),
        ("nowhere/a.csv", MissingFileError, "no folder"),
    ):
        with pytest.raises(error, match=message):
            save(frame(), tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InvalidValueError, match="is a folder"):
        save(frame(), tmp_path / "folder.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.csv"]


def test_plain_text_never_breaks_a_cell():
    table = slice_statistics(slices(draws=3))
    _, rows = cells(table)
    wide = plain(table)
    assert wide.splitlines()[0].split("  ")[0] == "iteration"
    assert len({len(line) for line in wide.splitlines()[1:2]}) == 1
    for width in (40, 80, 100, 10_000):
        text_ = plain(table, width)
        assert max(map(len, text_.splitlines())) <= width
        parts = text_.split("\n\n")[:-1]
        found = [[] for _ in rows]
        for part in parts:
            lines = part.splitlines()
            (rule,) = [i for i, line in enumerate(lines) if set(line) <= {"─", " "}]
            assert len(lines) == rule + 1 + len(rows)
            places = [m.span() for m in re.finditer("─+", lines[rule])]
            for row, line in zip(found, lines[rule + 1 :], strict=True):
                row.append([line[start:end].strip() for start, end in places])
            heads = [
                " ".join(line[start:end].strip() for line in lines[:rule]).split()
                for start, end in places
            ]
            assert heads[:2] == [["iteration"], ["evaluation", "set"]]
        whole = [[*row[0], *(cell for part in row[1:] for cell in part[2:])] for row in found]
        assert whole == rows
    assert plain(table, 10_000).split("\n\n")[0] == wide.split("\n\n")[0]
    assert text(table, "narrow") == plain(table, 80)
    assert text(table, "plain") == wide
