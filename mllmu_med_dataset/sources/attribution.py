"""Whose work a build rests on: how a source is attributed, and the paper that is followed and this project are."""

from pydantic import BaseModel, ConfigDict


class Attribution(BaseModel):
    """A work to be named: what it is, whose, where it is found, and how it is cited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    by: str
    url: str | None
    bibtex: str


PAPER = Attribution(
    title="From Learning to Unlearning: Biomedical Security Protection in Multimodal Large Language Models",
    by="Dunyuan Xu, Xikai Yang, Yaoqian Li, Jinpeng Li, Pheng-Ann Heng",
    url="https://arxiv.org/abs/2508.04192",
    bibtex="""\
@article{xu2025learning,
  title = {From Learning to Unlearning: Biomedical Security Protection in Multimodal Large Language Models},
  author = {Xu, Dunyuan and Yang, Xikai and Li, Yaoqian and Li, Jinpeng and Heng, Pheng-Ann},
  journal = {arXiv preprint arXiv:2508.04192},
  year = {2025}
}""",
)
PROJECT = Attribution(
    title="mllmu-med: a benchmark of machine unlearning for biomedical vision-language models",
    by="The mllmu-med authors",
    url=None,
    bibtex="""\
@software{mllmu_med,
  title = {mllmu-med: a benchmark of machine unlearning for biomedical vision-language models},
  author = {{The mllmu-med authors}}
}""",
)
