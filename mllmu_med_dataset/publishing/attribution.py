"""Whose work a build rests on: title, makers and citation of every source, and of the paper that is followed."""

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

_MIMIC_CXR = """\
@article{johnson2019mimic,
  title = {{MIMIC-CXR}, a de-identified publicly available database of chest radiographs with free-text reports},
  author = {Johnson, Alistair E. W. and Pollard, Tom J. and Berkowitz, Seth J. and Greenbaum, Nathaniel R. and
            Lungren, Matthew P. and Deng, Chih-ying and Mark, Roger G. and Horng, Steven},
  journal = {Scientific Data},
  volume = {6},
  pages = {317},
  year = {2019}
}
@inproceedings{bae2023ehrxqa,
  title = {{EHRXQA}: A Multi-Modal Question Answering Dataset for Electronic Health Records with Chest X-ray Images},
  author = {Bae, Seongsu and Kyung, Daeun and Ryu, Jaehee and Cho, Eunbyeol and Lee, Gyubok and Kweon, Sunjun and
            Oh, Jungwoo and Ji, Lei and Chang, Eric I-Chao and Kim, Tackeun and Choi, Edward},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks Track},
  year = {2023}
}
@inproceedings{hu2023expert,
  title = {Expert Knowledge-Aware Image Difference Graph Representation Learning for Difference-Aware Medical Visual
           Question Answering},
  author = {Hu, Xinyue and Gu, Lin and An, Qiyuan and Zhang, Mengliang and Liu, Liangchen and Kobayashi, Kazuma and
            Harada, Tatsuya and Summers, Ronald M. and Zhu, Yingying},
  booktitle = {Proceedings of the 29th ACM SIGKDD Conference on Knowledge Discovery and Data Mining},
  year = {2023}
}"""

# Sources that are a published work; those of one's own files (generic, dicom) are told by whoever builds.
SOURCES: dict[str, Attribution] = {
    "phantom": PROJECT,
    "slake": Attribution(
        title="SLAKE: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question Answering",
        by="Bo Liu, Li-Ming Zhan, Li Xu, Lin Ma, Yan Yang, Xiao-Ming Wu",
        url="https://www.med-vqa.com/slake",
        bibtex="""\
@inproceedings{liu2021slake,
  title = {{SLAKE}: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question Answering},
  author = {Liu, Bo and Zhan, Li-Ming and Xu, Li and Ma, Lin and Yang, Yan and Wu, Xiao-Ming},
  booktitle = {IEEE 18th International Symposium on Biomedical Imaging (ISBI)},
  year = {2021}
}""",
    ),
    "vqa_rad": Attribution(
        title="A dataset of clinically generated visual questions and answers about radiology images (VQA-RAD)",
        by="Jason J. Lau, Soumya Gayen, Asma Ben Abacha, Dina Demner-Fushman",
        url="https://osf.io/89kps",
        bibtex="""\
@article{lau2018dataset,
  title = {A dataset of clinically generated visual questions and answers about radiology images},
  author = {Lau, Jason J. and Gayen, Soumya and Ben Abacha, Asma and Demner-Fushman, Dina},
  journal = {Scientific Data},
  volume = {5},
  pages = {180251},
  year = {2018}
}""",
    ),
    "path_vqa": Attribution(
        title="PathVQA: 30000+ Questions for Medical Visual Question Answering",
        by="Xuehai He, Yichen Zhang, Luntian Mou, Eric Xing, Pengtao Xie",
        url="https://huggingface.co/datasets/flaviagiammarino/path-vqa",
        bibtex="""\
@article{he2020pathvqa,
  title = {{PathVQA}: 30000+ Questions for Medical Visual Question Answering},
  author = {He, Xuehai and Zhang, Yichen and Mou, Luntian and Xing, Eric and Xie, Pengtao},
  journal = {arXiv preprint arXiv:2003.10286},
  year = {2020}
}""",
    ),
    "pmc_vqa": Attribution(
        title="PMC-VQA: Visual Instruction Tuning for Medical Visual Question Answering",
        by="Xiaoman Zhang, Chaoyi Wu, Ziheng Zhao, Weixiong Lin, Ya Zhang, Yanfeng Wang, Weidi Xie",
        url="https://huggingface.co/datasets/RadGenome/PMC-VQA",
        bibtex="""\
@article{zhang2023pmcvqa,
  title = {{PMC-VQA}: Visual Instruction Tuning for Medical Visual Question Answering},
  author = {Zhang, Xiaoman and Wu, Chaoyi and Zhao, Ziheng and Lin, Weixiong and Zhang, Ya and Wang, Yanfeng and
            Xie, Weidi},
  journal = {arXiv preprint arXiv:2305.10415},
  year = {2023}
}""",
    ),
    "omnimedvqa": Attribution(
        title="OmniMedVQA: A New Large-Scale Comprehensive Evaluation Benchmark for Medical LVLM",
        by="Yutao Hu, Tianbin Li, Quanfeng Lu, Wenqi Shao, Junjun He, Yu Qiao, Ping Luo",
        url="https://huggingface.co/datasets/foreverbeliever/OmniMedVQA",
        bibtex="""\
@inproceedings{hu2024omnimedvqa,
  title = {{OmniMedVQA}: A New Large-Scale Comprehensive Evaluation Benchmark for Medical {LVLM}},
  author = {Hu, Yutao and Li, Tianbin and Lu, Quanfeng and Shao, Wenqi and He, Junjun and Qiao, Yu and Luo, Ping},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2024}
}""",
    ),
    "mimic": Attribution(
        title="MIMIC-CXR with MIMIC-CXR-VQA and Medical-Diff-VQA",
        by="Alistair E. W. Johnson and others; Seongsu Bae and others; Xinyue Hu and others",
        url="https://physionet.org/content/mimic-cxr",
        bibtex=_MIMIC_CXR,
    ),
    "llava_med": Attribution(
        title="LLaVA-Med: Training a Large Language-and-Vision Assistant for Biomedicine in One Day",
        by="Chunyuan Li, Cliff Wong, Sheng Zhang, Naoto Usuyama, Haotian Liu, Jianwei Yang, Tristan Naumann, Hoifung "
        "Poon, Jianfeng Gao",
        url="https://github.com/microsoft/LLaVA-Med",
        bibtex="""\
@inproceedings{li2023llavamed,
  title = {{LLaVA-Med}: Training a Large Language-and-Vision Assistant for Biomedicine in One Day},
  author = {Li, Chunyuan and Wong, Cliff and Zhang, Sheng and Usuyama, Naoto and Liu, Haotian and Yang, Jianwei and
            Naumann, Tristan and Poon, Hoifung and Gao, Jianfeng},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks Track},
  year = {2023}
}""",
    ),
}
