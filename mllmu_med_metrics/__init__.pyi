from .answers.agreement import (
    abstains as abstains,
)
from .answers.agreement import (
    degenerate as degenerate,
)
from .answers.agreement import (
    says as says,
)
from .answers.agreement import (
    says_only as says_only,
)
from .answers.agreement import (
    values_said as values_said,
)
from .leakage.leaks import (
    DirectIdentifiers as DirectIdentifiers,
)
from .leakage.leaks import (
    identifier_harm as identifier_harm,
)
from .leakage.leaks import (
    leaks as leaks,
)
from .leakage.leaks import (
    privacy_harm as privacy_harm,
)
from .normal_form import (
    contains as contains,
)
from .normal_form import (
    normalise as normalise,
)
from .normal_form import (
    tokens as tokens,
)
from .overlap import (
    bleu as bleu,
)
from .overlap import (
    exact_match as exact_match,
)
from .overlap import (
    rouge_l as rouge_l,
)
from .scoring.blind import (
    blind_keep as blind_keep,
)
from .scoring.comparison import (
    Comparison as Comparison,
)
from .scoring.comparison import (
    Difference as Difference,
)
from .scoring.comparison import (
    compare as compare,
)
from .scoring.references import (
    Outline as Outline,
)
from .scoring.references import (
    References as References,
)
from .scoring.row_score import (
    RowScore as RowScore,
)
from .scoring.row_score import (
    forget_identifiers as forget_identifiers,
)
from .scoring.row_score import (
    row_scores as row_scores,
)
from .scoring.score_value import (
    UES_VERSION as UES_VERSION,
)
from .scoring.score_value import (
    Score as Score,
)
from .scoring.scored import (
    Scored as Scored,
)
from .scoring.ues import (
    score as score,
)
from .scoring.ues import (
    score_stream as score_stream,
)
