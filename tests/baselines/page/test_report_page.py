"""The page of a study: whole, safe, and of the same numbers as the report beside it."""

import base64
import getpass
import hashlib
import re
from pathlib import Path

import pytest

from baselines.page.answers import OUTCOMES
from baselines.page.report_page import SECTIONS
from baselines.page.verdict import _worst_kinds

from .hostile import HOSTILE

SCENARIOS = ("privacy", "incorrectness")


def rows(page, scenario):
    return {row["model"]: row for row in page.document["rows"] if row["scenario"] == scenario}


def answers(page, scenario):
    return next(one for one in page.data["scenarios"] if one["scenario"] == scenario)


def said(one, row, model):
    """Return the answers of every run of a model to a row."""
    places = [place for place, voice in enumerate(one["voices"]) if one["models"][voice["m"]] == model]
    return [row["d"][row["b"][place]] for place in places]


def test_it_is_one_file_that_asks_for_nothing(page):
    for tag, attributes in page.read.elements:
        for name, value in attributes.items():
            assert not name.startswith("on") and name != "style", (tag, name)
            if name in ("src", "href", "action", "srcset", "data", "xlink:href"):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
    assert "@import" not in page.text and "url(" not in "".join(page.read.inside["style"])
    assert not re.search(r"fetch\(|XMLHttpRequest|innerHTML|eval\(|document\.write", page.read.inside["script"][-1])
    assert len(page.text.encode()) < 8_000_000


def test_the_policy_lets_in_the_page_s_own_script_and_style_and_nothing_else(page):
    [policy] = [one["content"] for tag, one in page.read.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
    for text in (page.read.inside["script"][-1], page.read.inside["style"][0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert sum(tag == "script" for tag, _ in page.read.elements) == 2
    assert sum(tag == "style" for tag, _ in page.read.elements) == 1


def test_every_section_is_there_and_linked(page):
    ids = [attributes["id"] for _, attributes in page.read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes.get("href") for tag, attributes in page.read.elements if tag == "a"}
    for name, _ in SECTIONS:
        assert name in ids and f"#{name}" in links


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_table_s_numbers_are_the_report_s(page, scenario):
    header, *lines = page.read.tables[f"scores-{scenario}"]
    found = rows(page, scenario)
    assert [line[0][0].rstrip("*") for line in lines] == list(found)
    fields = {"UES": "ues", "strict": "ues_strict", "F": "f", "U": "u", "R": "r", "T": "t", "K": "k", "harm": "harm"}
    places = {fields[label]: place for place, (label, _) in enumerate(header) if label in fields}
    assert len(places) == len(fields)
    for line, row in zip(lines, found.values(), strict=True):
        for field, place in places.items():
            text, value = line[place]
            assert float(value) == row[field] and text.startswith(f"{row[field]:.2f}")
        scored = line[places["ues" if scenario == "privacy" else "ues_strict"]][0]
        low, high = (row[f"{'ues' if scenario == 'privacy' else 'ues_strict'}_{end}"] for end in ("low", "high"))
        assert f"{low:.2f}–{high:.2f}" in scored


def test_heat_maps_hold_the_report_s_numbers(page):
    for name, field in (("leaks-privacy", "leak_by_kind"), ("places-incorrectness", "harm_by_place")):
        header, *lines = page.read.tables[name]
        found = rows(page, name.split("-")[1])
        for line in lines:
            values = found[line[0][0]][field]
            assert [float(value) for _, value in line[1:]] == list(values.values())
        assert [re.sub(r" \(\d+\)$", "", label) for label, _ in header[1:]] == [key.replace("_", " ") for key in values]


def test_kinds_of_identifiers_are_named_with_as_many_as_the_share_is_of(page):
    header, *_ = page.read.tables["leaks-privacy"]
    counts = [int(label.split("(")[1][:-1]) for label, _ in header[1:]]
    shares = rows(page, "privacy")["ga"]["leak_by_kind"].values()
    told = [share * count for share, count in zip(shares, counts, strict=True)]
    assert told == pytest.approx([round(one) for one in told])
    assert sum(told) / sum(counts) == pytest.approx(rows(page, "privacy")["ga"]["leak_rate"])


def test_kinds_of_error_add_up_to_the_share_of_all_rows(page):
    for model, kinds in page.document["error_kinds"]["incorrectness"].items():
        row = rows(page, "incorrectness")[model]
        count = sum(one["n"] for one in kinds.values())
        assert count == row["n_forget"]
        for share, field in (("wrong", "wrong_agreement"), ("true", "true_recovery")):
            assert sum(one[share] * one["n"] for one in kinds.values()) / count == pytest.approx(row[field])
    assert page.document["error_kinds"]["privacy"] == {}


def test_answers_are_judged_as_the_score_judged_them(page):
    one = answers(page, "incorrectness")
    own = [row for row in one["rows"] if row["v"] == "forget"]
    for model, row in rows(page, "incorrectness").items():
        outcomes = [answer["o"] for shown in own for answer in said(one, shown, model)]
        assert outcomes.count("wrong") / len(outcomes) == pytest.approx(row["wrong_agreement"])
        refused = [answer["o"] for shown in own for answer in said(one, shown, model) if answer["o"] == "refuses"]
        assert len(refused) / len(outcomes) == pytest.approx(row["abstention"])
    one = answers(page, "privacy")
    for model, row in rows(page, "privacy").items():
        judged = [answer for shown in one["rows"] for answer in said(one, shown, model)]
        mean = sum(answer.get("h", 0) for answer in judged) / len(judged)
        assert mean == pytest.approx(row["harm_rows"]["forget"], abs=0.001)


def test_what_is_told_is_marked_and_what_is_not_is_not(page):
    one = answers(page, "privacy")
    for row in one["rows"]:
        [target], [gold] = said(one, row, "target"), said(one, row, "retain_only")
        marked = [part for part in target["x"] if isinstance(part, list) and part[1] == "leak"]
        assert target["o"] == "leak" and {part[2] for part in marked} == set(row["k"])
        assert target["x"] == [part for part in row["a"]] or "true" in str(target["x"])
        assert not [part for part in gold["x"] if isinstance(part, list) and part[1] == "leak"]
    assert set(OUTCOMES) >= {answer["o"] for row in one["rows"] for answer in row["d"]}


def test_every_row_to_forget_has_an_image_and_an_answer_of_every_run(page):
    for one in page.data["scenarios"]:
        assert len(one["rows"]) == rows(page, one["scenario"])["target"]["n_forget"]
        assert len(one["voices"]) == 3 + 4 * 2
        for row in one["rows"]:
            assert page.data["images"][row["m"]].startswith("data:image/png;base64,")
            assert len(row["b"]) == len(one["voices"]) and row["l"] != "image"


def test_hostile_answers_are_there_as_data_and_no_markup(page):
    shown = {text for one in page.data["scenarios"] for row in one["rows"] for answer in said(one, row, "gd")
             for text in answer["x"] if isinstance(text, str)}  # fmt: skip
    assert sum(any(text.startswith(answer[:9]) for text in shown) for answer in HOSTILE[:17]) > 12
    block = page.read.inside["script"][0]
    assert not re.search(r"[<>&]", block) and block.isascii()
    for word in ("onerror=", "onload=", "srcdoc", "javascript:"):
        assert word not in page.text.replace(block, "")


def test_no_word_of_the_machine_is_in_it(page):
    told = page.text.replace(page.read.inside["script"][-1], "")
    for word in (str(Path.home()), str(page.folder), str(Path.cwd()), "/tmp/", "/work/"):
        assert word not in told
    assert getpass.getuser() == "root" or getpass.getuser() not in told


def test_the_command_makes_the_same_study(page):
    [command] = re.findall(r"mllmu-med bench [^\n]*", page.text)
    assert "--methods ga,idk,gd" in command and "--unlearning-seeds 2" in command and "--no-views" in command


def test_the_verdict_is_three_sentences_of_the_report_s_numbers(page):
    cards = re.findall(r'<ol class="verdict">(.*?)</ol>', page.text, re.S)
    assert len(cards) == 2
    for card, scenario, field in zip(cards, SCENARIOS, ("ues", "ues_strict"), strict=True):
        first, second, third = re.findall(r"<li>(.*?)</li>", card, re.S)
        methods = {name: row for name, row in rows(page, scenario).items() if name in ("ga", "gd", "idk")}
        best = max(methods.values(), key=lambda row: row[field])
        assert f"{best['model']} scores highest" in first and f"{best[field]:.2f}" in first
        most = max(methods.values(), key=lambda row: row["harm"])
        assert second.startswith(f"{most['model']} leaves most behind") and "No attack" in third
        assert re.search(r"\d+% of \d+ rows?\)", second)


def test_the_verdict_says_where_the_best_lacks_the_truth_and_what_is_a_mean(page):
    [first, second, *_] = re.findall(r"<li>(.*?)</li>", page.text.split('<ol class="verdict">')[1], re.S)
    row = rows(page, "privacy")["idk"]
    assert "idk scores highest" in first and row["ues_strict"] < 0.5
    assert f"; strict {row['ues_strict']:.2f})" in first
    leaked = max((rows(page, "privacy")[name] for name in ("ga", "gd", "idk")), key=lambda one: one["harm"])
    count = f"{leaked['patients_leaked']:.3g} of {leaked['n_forget_patients']} patients"
    assert f"{count} on average over 2 seeds" in second


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_of_any_two_methods_the_page_says_which_is_better(page, scenario):
    """Better where the letters say that they can be told apart and the score is higher."""
    found, score = rows(page, scenario), "ues" if scenario == "privacy" else "ues_strict"
    head, *lines = page.read.tables[f"pairs-{scenario}"]
    others = [text.removeprefix("than ") for text, _ in head[1:]]
    assert [line[0][0] for line in lines] == others and set(others) == {m for m, row in found.items() if row["letters"]}
    for (model, _), *cells in lines:
        for other, (text, _) in zip(others, cells, strict=True):
            mine, theirs = found[model], found[other]
            alike = bool(set(mine["letters"]) & set(theirs["letters"]))
            expected = "alike" if alike else "better" if mine[score] > theirs[score] else "worse"
            assert text == ("" if model == other else expected), (model, other)


def test_the_verdict_names_the_kind_told_most_often_and_the_one_that_makes_up_most():
    of = {"hospital": 0.5, "name": 0.2, "phone": 0.0}
    counts = {"hospital": 2, "name": 64, "phone": 9}
    said = ", most often of the kind hospital (50% of 2 rows), in number mostly name (20% of 64 rows)"
    assert _worst_kinds(of, counts) == said
    assert _worst_kinds({"name": 0.2}, {"name": 1}) == ", most often of the kind name (20% of 1 row)"
    assert _worst_kinds({"name": 0.0}, {"name": 1}) == _worst_kinds({}, {}) == ""
