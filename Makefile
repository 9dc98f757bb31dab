# Everything here needs Python 3.11 or newer and make; the rest is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
INSTALL = $(PIP) install --quiet
COMPILE = $(BIN)/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: install demo test mutants check format docs pictures lowest wheel lock upgrade clean

install: $(VENV)/.dev

demo: $(VENV)/.runtime
	$(BIN)/python -m detector demo --out demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutation

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/reference.py --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev
	$(BIN)/python docs/reference.py

pictures: $(VENV)/.dev
	$(BIN)/python docs/pictures.py

lowest: $(VENV)/.dev
	.ci/lowest $(BIN)

wheel: $(VENV)/.dev
	.ci/wheel $(BIN)

# Pins what setup.cfg names; what is pinned already stays. `make upgrade` takes the newest of everything.
lock:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(INSTALL) uv
	echo 'setuptools>=77' | $(COMPILE) $(UPGRADE) --all-extras --output-file requirements-dev.txt setup.cfg -
	echo 'setuptools>=77' | $(COMPILE) --constraint requirements-dev.txt --output-file requirements.txt setup.cfg -
	sed -i '1i # What `make test` installs: every extra of setup.cfg, for Python 3.11 and newer on every platform. Written by `make lock`.' requirements-dev.txt
	sed -i '1i # What `make demo` installs: no extra of setup.cfg, for Python 3.11 and newer on every platform. Written by `make lock`.' requirements.txt

upgrade: UPGRADE = --upgrade
upgrade: lock

clean:
	rm -rf $(VENV) demo build *.egg-info

$(VENV)/.runtime: setup.cfg setup.py pyproject.toml requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --requirement requirements.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	$(PIP) check
	touch $@

$(VENV)/.dev: setup.cfg setup.py pyproject.toml requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --requirement requirements-dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	$(PIP) check
	touch $@ $(VENV)/.runtime
