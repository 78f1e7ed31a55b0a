"""Rows and answers out of whatever holds them: lists, data sets, tables, arrays, generators.

None of the libraries they come from is imported: a thing is known by what it can do.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Protocol, runtime_checkable

from mllmu_med_metrics.scoring.scored_row import COLUMNS


@runtime_checkable
class _DataSet(Protocol):
    """A ``datasets`` data set; one that streams may not know its columns."""

    @property
    def column_names(self) -> list[str] | None: ...

    def select_columns(self, column_names: list[str]) -> "_DataSet": ...

    def __iter__(self) -> Iterator[object]: ...


@runtime_checkable
class _Frame(Protocol):
    """A table of pandas."""

    @property
    def columns(self) -> Iterable[str]: ...

    @property
    def iloc(self) -> object: ...

    def __getitem__(self, columns: list[str]) -> "_Frame": ...

    def to_dict(self, *, orient: str) -> list[object]: ...


def rows_in(held: object, name: str = "rows") -> Iterable[object]:
    """Return the rows in a list, an iterator, a ``datasets`` data set, or a table of pandas, polars or pyarrow.

    Of a data set or a table only the columns that a score reads are touched, so no image is decoded. A value that a
    table calls missing is None. Raises ValueError, naming ``name``, for splits and for what holds no rows.
    """
    if isinstance(held, Mapping):
        splits = [str(split) for split, one in held.items() if hasattr(one, "column_names")]
        if splits:
            raise ValueError(
                f"{name} is {type(held).__name__} with the splits {', '.join(splits)}, not rows. Give the rows of a "
                f"split, such as {name}=data['{splits[0]}'], those of all four subsets in one "
                "(datasets.concatenate_datasets)."
            )
        raise _no_rows(held, name)
    if isinstance(held, str | bytes):
        raise _no_rows(held, name)
    if isinstance(held, _DataSet):
        return _of_data_set(held, name)
    if hasattr(held, "to_pylist"):  # a table or an array of pyarrow
        return [_known(row) for row in held.to_pylist()]
    if hasattr(held, "to_dicts"):  # polars
        return [_known(row) for row in held.to_dicts()]
    if isinstance(held, _Frame):
        known = [column for column in held.columns if column in COLUMNS]
        return [_known(row) for row in held[known].to_dict(orient="records")]
    if not isinstance(held, Iterable):
        raise _no_rows(held, name)
    return held


def texts_in(held: object, name: str) -> list[object]:
    """Return what stands in an order, one item a row: a list, a column, a series, an array, an iterator.

    Raises ValueError, naming ``name``, for anything else, a mapping or a set among it.
    """
    if hasattr(held, "column_names"):
        columns = ", ".join(held.column_names or ()) or "none known"
        raise ValueError(
            f"{name} is {type(held).__name__}, a data set with the columns {columns}. Give the column that holds the "
            f"answers, such as {name}=data['prediction']."
        )
    unordered = isinstance(held, str | bytes | Mapping | Set) or getattr(held, "ndim", 1) != 1
    if unordered or not isinstance(held, Iterable):
        raise ValueError(f"{name} is {type(held).__name__}, not a list with one item for every reference.")
    for how in ("to_pylist", "tolist", "to_list"):
        if hasattr(held, how):
            items: list[object] = getattr(held, how)()
            return items
    return list(held)


def _of_data_set(held: _DataSet, name: str) -> Iterable[object]:
    """Return the rows of a data set, without its image columns where it knows its columns, in plain types."""
    if held.column_names:
        known = [column for column in held.column_names if column in COLUMNS]
        if not known:
            raise ValueError(
                f"{name} is {type(held).__name__} with the columns {', '.join(held.column_names)}, none of which a "
                f"score reads: {', '.join(COLUMNS)}."
            )
        held = held.select_columns(known)
    plain: Iterable[object] = held.with_format(None) if hasattr(held, "with_format") else held
    return plain


def _known(row: object) -> object:
    """Return a row of a table with None where a value is missing, which tables tell by a number that is none."""
    if not isinstance(row, Mapping):
        return row
    return {column: None if _missing(value) else value for column, value in row.items() if column in COLUMNS}


def _missing(value: object) -> bool:
    # nan is the one number that is not itself; pandas has an own value besides, which is neither true nor false.
    return (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")


def _no_rows(held: object, name: str) -> ValueError:
    return ValueError(
        f"{name} is {type(held).__name__}, not a list of rows. Give the data set's own rows: a list of them, a "
        f"datasets.Dataset, or a table with at least the columns {', '.join(COLUMNS)}."
    )
