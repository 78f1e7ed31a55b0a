# make bench: the whole study from an empty folder. make test: what CI runs. make slow: the tests that take minutes.
# make lint: style, import direction, types. make coverage: the share of lines that the tests run.
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TEST_ENV := HF_HUB_OFFLINE=1 HF_EVALUATE_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
# Tests side by side, those of a file in one process, each computing on one core.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: bench test slow lint coverage wheel-smoke clean

$(INSTALLED): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e '.[test]'
	touch $@

bench: $(INSTALLED)
	$(BIN)/mllmu-med bench --out runs/bench

test: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m pytest $(SIDE_BY_SIDE)

slow: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m pytest -m slow

coverage: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m pytest $(SIDE_BY_SIDE) --cov --cov-report=term:skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

wheel-smoke: $(INSTALLED)
	bash tests/wheel_smoke.sh $(BIN)/python

clean:
	rm -rf $(VENV) build dist *.egg-info runs
