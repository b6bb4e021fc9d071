"""The Python blocks of the documentation, run: see tests/test_pages.py.

A test is told by ``@pytest.mark.block(page, heading, number)`` which block it is about; ``run()``
executes it. Models that the pages declare are those of the apps in ``project``.
"""
