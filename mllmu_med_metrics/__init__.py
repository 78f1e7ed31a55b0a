"""Scores of predictions against references: facts, leaks, and the Unlearning Efficiency Score.

What is public stands in ``__init__.pyi``; each name is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
