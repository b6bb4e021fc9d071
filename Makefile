# make demo       load two public databases, find and repair their drift, work on them
# make test       run the tests: on SQLite, and on PostgreSQL and MariaDB where they answer
# make newest     run the tests that ask most of a database on a current PostgreSQL, from a wheel
# make benchmark  compare with other ways of keeping the same, and write docs/benchmarks.md
# make docs       build the documentation as a site, in docs/_build
# make links      follow each link of the documentation that leads elsewhere; it needs the network
# make package    build what is published, check it, and install it from scratch
# make lint       ruff, mypy and pyright
# make checks     Django's system checks and missing migrations, of the tests' apps and the example
# make clean      remove the virtual environment
#
# Each makes its own virtual environment. Variables:
#   PYTHON=python3.13    another interpreter than python3
#   VENV=.venv           where the virtual environment is
#   ARGS="-k reconcile"  what else pytest is told
#   SYNCFIELDS_TEST_DATABASE=sqlite   only that database; SYNCFIELDS_POSTGRESQL_URL and
#   SYNCFIELDS_MARIADB_URL say where the servers are, if not on 127.0.0.1

PYTHON ?= python3
VENV ?= .venv
ARGS =
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# Which of the package's own extras, and which groups of pyproject.toml, each is made with.
EXTRAS_demo = progress
EXTRAS_test = progress,postgresql,mysql
EXTRAS_benchmark = postgresql,mysql
EXTRAS_lint = $(EXTRAS_test)
EXTRAS_newest = $(EXTRAS_test)
GROUPS_test = --group test
GROUPS_benchmark = --group benchmark
GROUPS_docs = --group docs
GROUPS_lint = --group lint
GROUPS_newest = --group newest
GROUPS_package = --group package

.PHONY: help demo test newest docs links benchmark package lint ruff-check ruff-format mypy pyright checks clean

help:
	@sed '/^#/!q; s/^#//' Makefile

demo: $(VENV)/.demo-$(VERSION)
	$(VENV)/bin/python example/manage.py demo $(ARGS)

test: $(VENV)/.test-$(VERSION)
	$(VENV)/bin/python -m tests $(ARGS)

newest: $(VENV)/.newest-$(VERSION)
	$(VENV)/bin/python -m tests.newest $(ARGS)

docs: $(VENV)/.docs-$(VERSION)
	$(VENV)/bin/python -m sphinx --fail-on-warning --keep-going -q docs docs/_build $(ARGS)

links: $(VENV)/.docs-$(VERSION)
	$(VENV)/bin/python -m sphinx -b linkcheck -q docs docs/_build/links $(ARGS)

# It refuses Django 5.1 and newer, and runs with it all the same.
benchmark: $(VENV)/.benchmark-$(VERSION)
	-$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		"django-denormalized>=1.0"
	$(VENV)/bin/python -m tests.benchmarks $(ARGS)

package: $(VENV)/.package-$(VERSION)
	$(VENV)/bin/python -m tests.published $(ARGS)

lint: ruff-check ruff-format mypy pyright

ruff-check: $(VENV)/.lint-$(VERSION)
	$(VENV)/bin/ruff check

ruff-format: $(VENV)/.lint-$(VERSION)
	$(VENV)/bin/ruff format --check

mypy: $(VENV)/.lint-$(VERSION)
	$(VENV)/bin/mypy

pyright: $(VENV)/.lint-$(VERSION)
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

checks: $(VENV)/.test-$(VERSION)
	$(VENV)/bin/python -m django check --fail-level WARNING --settings tests.settings
	$(VENV)/bin/python -m django makemigrations --check --dry-run --settings tests.settings
	$(VENV)/bin/python example/manage.py check --fail-level WARNING
	$(VENV)/bin/python example/manage.py makemigrations --check --dry-run

clean:
	rm -rf $(VENV)

# One file for each set of packages says that it is installed; a changed pyproject.toml installs it
# again. The version is part of its name so that another PYTHON makes a new environment. Where
# python has no ensurepip (Debian without python3-venv) its pip puts one in. Groups need pip 25.1.
$(VENV)/.%-$(VERSION): pyproject.toml
	@test -x $(VENV)/bin/python$(VERSION) -a -x $(VENV)/bin/pip \
		|| $(PYTHON) -m venv --clear $(VENV) \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) \
			&& $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--editable ".$(if $(EXTRAS_$*),[$(EXTRAS_$*)])" $(GROUPS_$*)
	@touch $@
