import pytest

from mllmu_med_dataset.atomic import write_atomically


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "record.json"
    write_atomically(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "two\ud800")
    assert path.read_text() == "one"
