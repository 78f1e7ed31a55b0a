"""What the trained patients are asked: every question once by type, licence and region of the body, ranked by its text.

It lies in the spool, so that a question of any rank is known without holding the others.
"""

from __future__ import annotations

import sqlite3

from mllmu_med_metrics.vocabulary import QuestionType

TABLE = """
CREATE TABLE IF NOT EXISTS trained_questions (
    question_type TEXT, license TEXT, scope TEXT, rank INTEGER, question TEXT NOT NULL,
    PRIMARY KEY (question_type, license, scope, rank)
) WITHOUT ROWID;
"""
# One region, or any.
_SCOPES = ("'in ' || json_extract(record.value, '$.body_region')", "'any'")


def fill(db: sqlite3.Connection) -> None:
    """Take in the questions of all patients whose role is to be trained on; within the caller's transaction."""
    db.execute("DELETE FROM trained_questions")
    for scope in _SCOPES:
        db.execute(
            f"""
            INSERT INTO trained_questions
            SELECT question_type, license, scope, rank() OVER (
                PARTITION BY question_type, license, scope ORDER BY question) - 1, question
            FROM (SELECT DISTINCT json_extract(record.value, '$.question_type') AS question_type,
                json_extract(record.value, '$.license') AS license, {scope} AS scope,
                json_extract(record.value, '$.question') AS question
                FROM texts JOIN patients USING (number), json_each(texts.records) AS record WHERE role = 'trained')"""
        )


class TrainedQuestions:
    """The questions that were taken in; see ``injection.privacy.TrainedQuestions``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def types(self, license: str) -> list[QuestionType]:
        """Return the types of the questions under a licence."""
        query = "SELECT DISTINCT question_type FROM trained_questions WHERE license = ? ORDER BY 1"
        return [question_type for (question_type,) in self._db.execute(query, (license,))]

    def count(self, question_type: str, license: str, body_region: str | None) -> int:
        """Return how many questions of a type there are about a region, or about any (``None``)."""
        query = "SELECT count(*) FROM trained_questions WHERE question_type = ? AND license = ? AND scope = ?"
        (count,) = self._db.execute(query, (question_type, license, _scope(body_region))).fetchone()
        return int(count)

    def at(self, question_type: str, license: str, body_region: str | None, rank: int) -> str:
        """Return the question of a rank from 0."""
        query = (
            "SELECT question FROM trained_questions WHERE question_type = ? AND license = ? AND scope = ? AND rank = ?"
        )
        (question,) = self._db.execute(query, (question_type, license, _scope(body_region), rank)).fetchone()
        return str(question)


def _scope(body_region: str | None) -> str:
    return "any" if body_region is None else f"in {body_region}"
