"""The spool: the same whatever comes first, known images again after a kill, and memory that does not grow."""

import io
import tracemalloc

import pytest
from PIL import Image

from mllmu_med_dataset.building.collect import collect
from mllmu_med_dataset.building.pool import Pool
from mllmu_med_dataset.building.spool import OTHERS, Spool
from mllmu_med_dataset.building.working_folder import WorkingFolder
from mllmu_med_dataset.injection.injected_rows import inject
from tests.benchmarks import build_memory

from ..conftest import picture, record, records


def collected(folder, asked, *, seed=0):
    """Return an open spool of these records, roles and identities decided."""
    with WorkingFolder(folder / "out") as work, Pool(1) as pool:
        spool = Spool(work.path)
        source, read = collect(asked, spool, work, pool, lambda done: None)
        spool.number_patients(["privacy", "incorrectness"])
        spool.assign(["privacy", "incorrectness"], [10], seed=seed)
        spool.identify("privacy", seed=seed)
        spool.commit()
    return spool, source, read


def test_of_several_encodings_and_duplicates_the_same_one_stays_whatever_the_order(tmp_path):
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture(7))).save(stream, "PNG", compress_level=0)
    assert stream.getvalue() != picture(7)
    again = record(7, source_id="again", image_bytes=stream.getvalue())
    asked = [*records(40), again, record(7, source_id="00000-first")]
    found = []
    for n, told in enumerate((asked, asked[::-1])):
        spool, source, read = collected(tmp_path / str(n), told)
        with spool:
            patients = list(spool.patients("privacy", "retain", 10))
            told = [(one.key, one.records, one.forget_percent, spool.image(one.key)) for one in patients]
            found.append((source, told))
            assert (read, source.records) == (162, 160)
    assert found[0] == found[1]


def test_patients_come_in_the_order_of_their_ids_and_records_by_what_they_say(tmp_path):
    spool, _, _ = collected(tmp_path, records(40))
    with spool:
        told = [
            patient for subset in ("retain", "test", "holdout") for patient in spool.patients("privacy", subset, 10)
        ]
    assert len(told) == 40
    assert [patient.number for patient in told[:10]] == sorted(patient.number for patient in told[:10])
    for patient in told:
        said = [(one.question, one.answer) for one in patient.records]
        assert said == sorted(said) and {one.image_key for one in patient.records} == {patient.key}


def test_everybody_who_is_injected_has_an_identity_and_enough_others(tmp_path):
    spool, _, _ = collected(tmp_path, records(40))
    with spool:
        chosen = spool.to_inject("privacy")
        assert chosen
        for patient in chosen:
            key, told = spool.patient(patient)
            identity, others = spool.identity("privacy", key, seed=0)
            assert len(others) == OTHERS and identity not in others
            assert len({other.values["name"] for other in others}) == OTHERS
            # The same again, and another order for somebody else.
            assert (identity, others) == spool.identity("privacy", key, seed=0)
            injected = inject(key, told, scenario="privacy", seed=0, identity=identity, others=others)
            spool.add_injections("privacy", [(patient, injected.model_dump_json())])
        assert spool.to_inject("privacy") == []


def test_what_the_data_set_asks_is_known_and_no_phrasing_of_it(tmp_path):
    # Two wordings of one question, as VQA-RAD has them; case and marks make no other question.
    asked = [
        record(number, question=question, answer="Yes", fact="Yes", fact_values=("No", "Yes"), question_type="yes_no")
        for number in range(40)
        for question in ("Is there a mass?", "looking closely, do you see a mass")
    ]
    spool, _, _ = collected(tmp_path, asked)
    with spool:
        assert spool.is_asked("Looking closely, do you see a mass?") and not spool.is_asked("Is there a cyst?")
        for patient in spool.to_inject("incorrectness"):
            key, told = spool.patient(patient)
            injected = inject(key, told, scenario="incorrectness", seed=0, is_asked=spool.is_asked)
            phrasings = [question for change in injected.changes for question in change.paraphrase_questions]
            assert len(phrasings) == 3 * len(injected.changes) > 0
            assert not any(spool.is_asked(question) for question in phrasings)


@pytest.mark.parametrize("damage", ["short", "long"])
def test_images_that_a_kill_cut_off_are_not_trusted_and_what_it_left_over_is_cut(tmp_path, damage):
    spool, _, _ = collected(tmp_path, records(40))
    spool.__exit__(None)
    path = tmp_path / ".out.building" / "images.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-1] if damage == "short" else data + b"half an image")
    with Spool(tmp_path / ".out.building") as again:
        assert again.is_sound() == (damage == "long")
        if damage == "long":
            assert path.read_bytes() == data
            patient = next(again.patients("privacy", "test", 10))
            assert again.image(patient.key)[0] in {picture(number) for number in range(40)}


def test_memory_does_not_grow_with_the_number_of_records(tmp_path):
    peaks = []
    # The first one pays for what is imported and cached once.
    for n, count in enumerate((600, 600, 2_400)):
        tracemalloc.start()
        spool, _, _ = collected(tmp_path / str(n), build_memory.records(count))
        with spool:
            assert sum(1 for _ in spool.patients("privacy", "retain", 10)) > count // 8
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]
